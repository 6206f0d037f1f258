"""Fan-out: which endpoint is told of which event. A checkpointed process, no projection: a rebuild sends nothing.

Deliveries and checkpoint commit together, and a delivery is one row however often it is asked for: a crash repeats, it
never loses or doubles. A replay is filled the same way, little by little, from any position of the log.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg
import structlog
import uuid_utils.compat as uuid_utils
from prometheus_client import Counter

from domain.webhooks import matches
from infra.context import Context
from infra.database import Connection, enter, queries

BATCH = 2_000

log = structlog.get_logger()
QUEUED = Counter("rapport_webhooks_queued", "Webhook deliveries queued, first ones and replays.", ["cause"])


async def advance(connection: Connection, tenant_id: UUID, from_position: int, to_position: int) -> None:
    """Queue deliveries of the next events. The caller holds the process's checkpoint."""
    sql = queries("webhooks")
    endpoints = await connection.fetch(sql.endpoints, tenant_id)
    through = to_position
    if endpoints:
        rows = await connection.fetch(sql.events_after, tenant_id, from_position, to_position, BATCH)
        through = to_position if len(rows) < BATCH else rows[-1]["position"]
        wanted = [
            (endpoint["endpoint_id"], row)
            for row in rows
            for endpoint in endpoints
            if row["position"] > endpoint["after_position"] and matches(endpoint["types"], row["type"])
        ]
        await queue(connection, tenant_id, wanted, replay_no=0)
        QUEUED.labels("event").inc(len(wanted))
    await connection.execute(queries("projector").advance, tenant_id, "webhooks", 1, through, 0)


async def queue(
    connection: Connection, tenant_id: UUID, wanted: Sequence[tuple[UUID, asyncpg.Record]], *, replay_no: int
) -> None:
    """One delivery for each endpoint and event, and the endpoints' lanes woken."""
    if not wanted:
        return
    rows = [
        (uuid_utils.uuid7(), endpoint_id, row["event_id"], row["position"], row["type"]) for endpoint_id, row in wanted
    ]
    await connection.execute(queries("webhooks").queue, tenant_id, replay_no, *map(list, zip(*rows, strict=True)))
    await wake(connection, tenant_id, {endpoint_id for endpoint_id, _ in wanted})


async def wake(connection: Connection, tenant_id: UUID, endpoint_ids: Iterable[UUID]) -> None:
    sql, woken = queries("webhooks"), list(endpoint_ids)
    await connection.fetch(sql.hold_lanes, tenant_id, woken)
    await connection.execute(sql.wake_lanes, tenant_id, woken)


async def fill_replay(context: Context) -> bool:
    """Queue the next deliveries of some replay; False when none is under way."""
    sql = queries("webhooks")
    async with context.pool.acquire() as connection, connection.transaction():
        claimed = await connection.fetchrow(sql.claim_replay)
        if claimed is None:
            return False
        tenant_id, replay_id = claimed
        await enter(connection, tenant_id, seconds=30)
        [replay] = await connection.fetch(sql.replay, tenant_id, replay_id)
        rows = await _events_of(connection, tenant_id, replay)
        through = replay["through"] if len(rows) < BATCH else rows[-1]["position"]
        patterns = replay["types"] or replay["endpoint_types"]
        wanted = [
            (replay["endpoint_id"], row)
            for row in rows
            if replay["deleted_at"] is None
            and matches(patterns, row["type"])
            and matches(replay["endpoint_types"], row["type"])
        ]
        await queue(connection, tenant_id, wanted, replay_no=replay["replay_no"])
        ended = through >= replay["through"]
        await connection.execute(sql.advance_replay, tenant_id, replay_id, through, len(wanted), ended)
    QUEUED.labels("replay").inc(len(wanted))
    if ended:
        log.info("webhook_replay_queued", tenant=str(tenant_id), replay=str(replay_id))
    return True


async def _events_of(connection: Connection, tenant_id: UUID, replay: asyncpg.Record) -> list[asyncpg.Record]:
    sql = queries("webhooks")
    span = (tenant_id, replay["position"], replay["through"], BATCH)
    if replay["failed_since"] is None:
        return await connection.fetch(sql.events_after, *span)
    return await connection.fetch(
        sql.failed_after, *span, replay["endpoint_id"], replay["replay_no"], replay["failed_since"]
    )
