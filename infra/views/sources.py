"""Webhooks in as people see them: sources, their messages, and what became of each in plain words."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain.adapters import Name
from domain.errors import NotFound
from domain.signatures import Scheme
from domain.sources import MessageState, State
from infra import inbox, sources
from infra.context import Context
from infra.database import queries, reading
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.webhooks import READS, Audits, AuditView


class SourceView(Struct, frozen=True, kw_only=True):
    """`settings` are the names alone. `quarantined` counts what waits there; `received_at` is when the last came."""

    id: UUID
    name: str
    adapter: Name
    scheme: Scheme
    mapping: str | None
    settings: list[str]
    state: State
    added_at: Instant
    quarantined: int
    received_at: Instant | None


class MessageView(Struct, frozen=True, kw_only=True):
    """`sender_id` is the sender's own id of it, or the digest of its content; `reason` why it is nothing, quarantined
    or dropped. `position` is where in the log what was recorded of it stands."""

    id: UUID
    source_id: UUID
    sender_id: str
    received_at: Instant
    state: MessageState
    reason: str | None
    attempts: int
    touchpoint_ids: list[UUID]
    appointment_ids: list[UUID]
    position: int | None


class MessageDetail(Struct, frozen=True):
    """The message with its content as it came, and those of its headers that say something of it."""

    message: MessageView
    headers: dict[str, str]
    content: str


async def all_sources(context: Context, tenant: Tenant, *, after: int | None = None) -> Page[SourceView]:
    """All of them. Like each read here it waits until the tenant's webhooks have come to `after`."""
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("sources").views, tenant.tenant_id, None)
    return Page([_source(row, tenant) for row in rows], None, position)


async def source(context: Context, tenant: Tenant, source_id: UUID, *, after: int | None = None) -> SourceView:
    """Raises NotFound."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("sources").views, tenant.tenant_id, source_id)
    if row is None:
        raise NotFound("there is no such source")
    return _source(row, tenant)


def _source(row: asyncpg.Record, tenant: Tenant) -> SourceView:
    return SourceView(
        id=row["source_id"],
        name=row["name"],
        adapter=row["adapter"],
        scheme=row["scheme"],
        mapping=row["mapping"],
        settings=sorted(sources.settings_of(tenant, row["source_id"], row["settings"])),
        state=row["state"],
        added_at=row["added_at"],
        quarantined=row["quarantined"],
        received_at=row["received_at"],
    )


async def messages(
    context: Context,
    tenant: Tenant,
    *,
    source_id: UUID | None = None,
    state: MessageState | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[MessageView]:
    """The newest first. Raises Invalid."""
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("inbox").page, tenant.tenant_id, source_id, state, *keys, limit + 1)
    shown, last = cut(rows, limit)
    following = None if last is None else cursor(last["received_at"], last["message_id"])
    return Page([_message(row) for row in shown], following, position)


async def message(context: Context, tenant: Tenant, message_id: UUID, *, after: int | None = None) -> MessageDetail:
    """Raises NotFound."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("inbox").one, tenant.tenant_id, message_id)
    if row is None:
        raise NotFound("there is no such message")
    kept = inbox.content_of(tenant, message_id, row["content"])
    return MessageDetail(_message(row), kept.headers, kept.content)


def _message(row: asyncpg.Record) -> MessageView:
    return MessageView(
        id=row["message_id"],
        source_id=row["source_id"],
        sender_id=row["sender_id"],
        received_at=row["received_at"],
        state=row["state"],
        reason=row["reason"],
        attempts=row["attempts"],
        touchpoint_ids=row["touchpoint_ids"],
        appointment_ids=row["appointment_ids"],
        position=row["position"],
    )


async def audits(context: Context, tenant: Tenant, source_id: UUID, *, after: int | None = None) -> Audits:
    """Who did what, the newest first, at most 200; of a deleted source too. Raises NotFound."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("sources").audits, tenant.tenant_id, source_id)
    if not rows:
        raise NotFound("there is no such source")
    return Audits([AuditView(row["at"], row["actor"], row["act"]) for row in rows])
