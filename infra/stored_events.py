"""Events as they are stored, and back: bodies, sealed personal fields, ids, and who asked through what."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

import asyncpg
import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import events
from domain.errors import NotUnderstood
from domain.event import Event
from infra import sealing
from infra.context import Context
from infra.database import Connection, queries
from infra.event_log import Draft
from infra.tenants import Tenant

CANONICAL = msgspec.json.Encoder(order="deterministic")

Happened = tuple[Event, datetime]


class Origin(Struct, frozen=True, omit_defaults=True):
    """Who asks, through what: the events' meta."""

    actor: str
    source: Literal["api", "cli", "worker", "demo", "import", "webhook", "page"]
    correlation: str | None = None
    causation: str | None = None


def keyed_id(tenant: Tenant, route: str, idempotency_key: str | None, index: int = 0) -> UUID:
    """The id of what this call makes: the same for the same Idempotency-Key on this route, else a new one."""
    if idempotency_key is None:
        return uuid_utils.uuid7()
    return uuid5(tenant.tenant_id, f"key\0{route}\0{idempotency_key}\0{index}")


def draft(event: Event, event_id: UUID, occurred_at: datetime, tenant: Tenant, keys: Mapping[UUID, bytes]) -> Draft:
    """An event as it is stored: its body, and its personal fields sealed under its subjects' keys."""
    body, personal = events.encode(event)
    sealed = None
    if personal is not None:
        key = sealing.joint_key(tenant.keys, {who: keys[who] for who in event.subjects})
        sealed = sealing.seal(personal, key=key, tenant_id=tenant.tenant_id, stream=event.stream, event_id=event_id)
    return Draft(event.stream, event_id, event.TYPE, event.VERSION, occurred_at, body, sealed)


async def subject_keys(
    context: Context, tenant: Tenant, connection: Connection, subjects: Iterable[UUID]
) -> dict[UUID, bytes]:
    """The keys of those that have one: unknown and erased people are missing."""
    wanted = set(subjects)
    keys = context.ring.kept(tenant.tenant_id, wanted)
    missing = wanted - keys.keys()
    if missing:
        rows = await connection.fetch(queries("event_log").subject_keys, tenant.tenant_id, list(missing))
        keys.update(context.ring.keep(tenant.keys, ((row["subject_id"], row["wrapped_key"]) for row in rows)))
    return keys


async def read_stream(context: Context, tenant: Tenant, connection: Connection, stream: str) -> list[Happened]:
    """A stream's events with the time each happened, personal fields readable where the keys are still there.

    Raises NotUnderstood.
    """
    return understood((await read_streams(context, tenant, connection, [stream]))[stream])


async def read_streams(
    context: Context, tenant: Tenant, connection: Connection, streams: Sequence[str]
) -> dict[str, list[Happened] | NotUnderstood]:
    """As `read_stream`, for many at once; a stream nobody wrote to is empty, one not understood is its refusal."""
    rows = await connection.fetch(queries("event_log").streams, tenant.tenant_id, list(streams))
    plain = [(row, events.understood(row["type"], row["version"], row["body"])) for row in rows]
    dark = {row["stream"] for row, event in plain if event is None}
    clear = [(row, event) for row, event in plain if event is not None and row["stream"] not in dark]
    found: dict[str, list[Happened]] = {stream: [] for stream in streams}
    for row, event in await _with_personal(context, tenant, connection, clear):
        found[row["stream"]].append((event, row["occurred_at"]))
    return {stream: NotUnderstood() if stream in dark else happened for stream, happened in found.items()}


def understood(found: list[Happened] | NotUnderstood) -> list[Happened]:
    """Raises what was found instead of a stream."""
    if isinstance(found, NotUnderstood):
        raise found
    return found


async def decoded(
    context: Context, tenant: Tenant, connection: Connection, rows: Sequence[asyncpg.Record]
) -> list[tuple[asyncpg.Record, Event]]:
    """Rows of the log with their events, personal fields readable where the keys are still there."""
    plain = [(row, events.decode(row["type"], row["version"], row["body"])) for row in rows]
    return await _with_personal(context, tenant, connection, plain)


async def _with_personal(
    context: Context, tenant: Tenant, connection: Connection, plain: Sequence[tuple[asyncpg.Record, Event]]
) -> list[tuple[asyncpg.Record, Event]]:
    subjects = {who for row, event in plain if row["sealed"] is not None for who in event.subjects}
    keys = await subject_keys(context, tenant, connection, subjects)
    return [(row, _readable(event, tenant, row, keys)) for row, event in plain]


def _readable(event: Event, tenant: Tenant, row: asyncpg.Record, keys: Mapping[UUID, bytes]) -> Event:
    """The event with its personal fields; without them where a subject's key is gone."""
    if row["sealed"] is None or any(who not in keys for who in event.subjects):
        return event
    key = sealing.joint_key(tenant.keys, {who: keys[who] for who in event.subjects})
    plain = sealing.unseal(
        row["sealed"], key=key, tenant_id=tenant.tenant_id, stream=row["stream"], event_id=row["event_id"]
    )
    return events.with_personal(event, plain)
