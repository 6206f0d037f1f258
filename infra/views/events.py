"""The feed: what happened, in order, in the public thin form."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET, Struct, UnsetType

from domain import events
from infra.context import Context
from infra.database import queries, reading
from infra.tenants import Tenant
from infra.views.freshness import check_written
from infra.views.pages import Instant

LOOK_SECONDS = 0.1


class FeedItem(Struct, frozen=True):
    """`data` is null, and `unreadable` says why, for an event that this version of Rapport cannot read."""

    position: int
    type: str
    event_id: UUID
    occurred_at: Instant
    recorded_at: Instant
    data: dict[str, object] | None
    unreadable: str | UnsetType = UNSET


class Feed(Struct, frozen=True):
    """`position` is to be given as `after` next time: everything up to it was seen, also what was filtered out."""

    items: list[FeedItem]
    position: int


async def feed(
    context: Context, tenant: Tenant, *, after: int = 0, types: Sequence[str] = (), limit: int = 100, wait: float = 0
) -> Feed:
    """Events past `after`, of these types where some are named. Waits up to `wait` seconds for the first.

    Raises Invalid when the log has no position `after` yet.
    """
    until = asyncio.get_running_loop().time() + wait
    while True:
        found = await _read(context, tenant, after, types, limit)
        if found.items or asyncio.get_running_loop().time() >= until or context.stopping.is_set():
            return found
        await asyncio.sleep(LOOK_SECONDS)


async def _read(context: Context, tenant: Tenant, after: int, types: Sequence[str], limit: int) -> Feed:
    sql = queries("event_log")
    async with reading(context.pool, tenant.tenant_id) as connection:
        head = await connection.fetchval(sql.position, tenant.tenant_id)
        check_written(after, head)
        if types:
            rows = await connection.fetch(sql.after_of_types, tenant.tenant_id, after, list(types), limit)
        else:
            rows = await connection.fetch(sql.after, tenant.tenant_id, after, limit)
    items = [_item(row) for row in rows]
    last = items[-1].position if items else after
    return Feed(items, last if len(items) == limit else max(last, head))


def _item(row: Record) -> FeedItem:
    event = events.understood(row["type"], row["version"], row["body"])
    return FeedItem(
        row["position"], row["type"], row["event_id"], row["occurred_at"], row["recorded_at"],
        data=None if event is None else events.public(event),
        unreadable=f"version {row['version']} of this type is not known here" if event is None else UNSET,
    )  # fmt: skip
