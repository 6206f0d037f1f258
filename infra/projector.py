"""The projector: brings each process to what it follows, a batch and its checkpoint in one transaction.

No leader and no lease: whoever locks a checkpoint row advances it. An event a projection cannot take is parked with
its stream, visibly, and tried again until it goes; nothing else of the tenant waits for it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Histogram

from domain import events
from domain.errors import NotFound
from domain.event import Event
from infra import nudge_engine, tenants, tracing, trials, viewpoints, webhooks
from infra.context import Context
from infra.database import Connection, enter, in_tenant, queries
from infra.metrics import FAILED
from infra.projection import Batch, Projection, Stored, attempted
from infra.projections import appointments, contacts, gatherings, network, nudges, referrals, relationships, timeline
from infra.stored_events import decoded
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint

BATCH = 2_000  # events of its own that a projection takes at once
SPAN = 20_000  # events it looks through for them
WAIT_SECONDS = 5.0
WAITS = "waits for an earlier event of its stream"

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection
    for projection in (
        contacts.PROJECTION,
        timeline.PROJECTION,
        network.PROJECTION,
        relationships.PROJECTION,
        nudges.PROJECTION,
        referrals.PROJECTION,
        appointments.PROJECTION,
        gatherings.PROJECTION,
    )
}
ENGINE_FOLLOWS = ("contacts", "timeline", "network", "relationships", "nudges", "referrals", "appointments")
FOLLOWS = [
    *((p.name, followed) for p in PROJECTIONS.values() for followed in p.follows),
    *(("nudge_engine", followed) for followed in ENGINE_FOLLOWS),
    ("trial", "relationships"),
]

log = structlog.get_logger()
PROJECTED = Counter("rapport_projected_events", "Events taken by a projection.", ["projection"])
PARKED = Counter("rapport_parked_events", "Events a projection could not take, at each try.", ["projection"])
ADVANCED = Histogram("rapport_projection_batch_seconds", "One batch of a projection, claim to commit.", ["projection"])


class Claimed(Struct, frozen=True):
    """A process locked by this transaction, to be advanced from one position to another; `seen` where it is part of a
    viewpoint, from which the transaction then looks."""

    tenant_id: UUID
    process: str
    build: int
    from_position: int
    to_position: int
    live: bool
    seen: Viewpoint | None = None


async def advance(context: Context) -> bool:
    """One batch of whatever waited longest; False when nothing is behind. Safe to run twice, at once, or late."""
    sql = queries("projector")
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(sql.claim_work, *map(list, zip(*FOLLOWS, strict=True)))
        if row is None:
            return False
        claimed = Claimed(**dict(row))
        await enter(connection, claimed.tenant_id, seconds=60)
        with ADVANCED.labels(claimed.process).time(), _span("advance", claimed):
            failure = await attempted(connection, _advance(context, connection, claimed))
        if failure is not None:
            FAILED.labels(claimed.process).inc()
            log.warning("process_stalled", process=claimed.process, tenant=str(claimed.tenant_id), error=failure)
            await connection.execute(sql.stall, claimed.tenant_id, claimed.process, claimed.build, failure)
    return True


def _span(what: str, claimed: Claimed) -> AbstractContextManager[None]:
    return tracing.span(
        f"{what} {claimed.process}",
        tenant=str(claimed.tenant_id),
        after=claimed.from_position,
        to=claimed.to_position,
    )


async def _advance(context: Context, connection: Connection, claimed: Claimed) -> None:
    if claimed.process == "webhooks":
        await webhooks.advance(connection, claimed.tenant_id, claimed.from_position, claimed.to_position)
        context.bell.ring()
        return
    tenant = await tenants.load_in(connection, claimed.tenant_id, master=context.master)
    claimed = await _looking(connection, claimed)
    if claimed.process == "nudge_engine":
        await nudge_engine.advance(connection, tenant, claimed.to_position)
    elif claimed.process == "trial":
        await _try(connection, tenant, claimed)
    else:
        await _project(context, connection, tenant, claimed)


async def _try(connection: Connection, tenant: Tenant, claimed: Claimed) -> None:
    """Compare once the relationships are all weighed by the model that is tried."""
    if claimed.seen is not None and claimed.to_position == claimed.seen.position:
        await trials.run(connection, tenant, claimed.seen)
    await connection.execute(
        queries("projector").advance, claimed.tenant_id, claimed.process, claimed.build, claimed.to_position, 0
    )


async def _looking(connection: Connection, claimed: Claimed) -> Claimed:
    if claimed.build > 0:
        return claimed
    return replace(claimed, seen=await viewpoints.enter(connection, claimed.tenant_id, claimed.build))


async def _project(context: Context, connection: Connection, tenant: Tenant, claimed: Claimed) -> None:
    projection = PROJECTIONS[claimed.process]
    mine, through = await _read(connection, claimed, projection)
    waiting = await _parked_streams(connection, claimed, projection)
    if waiting:
        claimed = replace(claimed, to_position=through)
    for row in mine:
        if row["stream"] in waiting:
            await _park(connection, claimed, row, WAITS)
    mine = [row for row in mine if row["stream"] not in waiting]
    for row, failure in await _take(context, connection, tenant, claimed, mine):
        await _park(connection, claimed, row, failure)
    await connection.execute(
        queries("projector").advance, claimed.tenant_id, claimed.process, claimed.build, through, 0
    )
    if claimed.seen is None:
        await _go_live_when_caught_up(connection, claimed, through)
    elif claimed.process == "relationships" and through == claimed.seen.position:
        await _score(connection, claimed, claimed.seen)
    PROJECTED.labels(claimed.process).inc(len(mine))


async def _score(connection: Connection, claimed: Claimed, seen: Viewpoint) -> None:
    """What was written before the days away were known is looked at again, as it is every night in the live build."""
    while await relationships.rescore(connection, claimed.tenant_id, claimed.build, now=seen.seen_from):
        pass


async def _read(
    connection: Connection, claimed: Claimed, projection: Projection
) -> tuple[Sequence[asyncpg.Record], int]:
    """The next events of its own types and of those nobody knows yet, which may turn out to be; and how far they go."""
    through = min(claimed.to_position, claimed.from_position + SPAN)
    others = list(events.TYPES.keys() - projection.types)
    rows = await connection.fetch(
        queries("event_log").concerning, claimed.tenant_id, claimed.from_position, through, others, BATCH
    )
    return rows, rows[-1]["position"] if len(rows) == BATCH else through


async def _parked_streams(connection: Connection, claimed: Claimed, projection: Projection) -> set[str]:
    """Streams to wait for: parked here, or in what this projection reads."""
    rows = await connection.fetch(
        queries("projector").parked_streams, claimed.tenant_id, claimed.process, claimed.build, list(projection.follows)
    )
    return {row["stream"] for row in rows}


async def _take(
    context: Context,
    connection: Connection,
    tenant: Tenant,
    claimed: Claimed,
    rows: Sequence[asyncpg.Record],
    *,
    again: bool = False,
) -> list[tuple[asyncpg.Record, str]]:
    """Apply the events. Those not taken come back, each with the reason, and with what follows in their streams."""
    if not rows:
        return []
    failure = await attempted(connection, _apply(context, connection, tenant, claimed, rows, again))
    if failure is None:
        return []
    if len(rows) == 1:
        log.warning("event_not_taken", projection=claimed.process, position=rows[0]["position"], error=failure)
        return [(rows[0], failure)]
    middle = len(rows) // 2
    refused = await _take(context, connection, tenant, claimed, rows[:middle], again=again)
    stopped = {row["stream"] for row, _ in refused}
    waiting = [(row, WAITS) for row in rows[middle:] if row["stream"] in stopped]
    later = [row for row in rows[middle:] if row["stream"] not in stopped]
    return refused + waiting + await _take(context, connection, tenant, claimed, later, again=again)


async def _apply(
    context: Context,
    connection: Connection,
    tenant: Tenant,
    claimed: Claimed,
    rows: Sequence[asyncpg.Record],
    again: bool,
) -> None:
    projection = PROJECTIONS[claimed.process]
    stored = await _decoded(context, connection, tenant, rows, personal=projection.personal)
    known = [one for one in stored if one.event.TYPE in projection.types]
    if claimed.seen is not None and claimed.seen.true_at is not None:
        known = await viewpoints.happened(connection, tenant.tenant_id, known, claimed.seen.true_at)
    now = viewpoints.now_of(claimed.seen)
    batch = Batch(tenant.tenant_id, claimed.build, known, claimed.to_position, now, again)
    await projection.apply(connection, batch)


async def _decoded(
    context: Context, connection: Connection, tenant: Tenant, rows: Sequence[asyncpg.Record], *, personal: bool
) -> list[Stored]:
    if personal:
        return [_stored(row, event) for row, event in await decoded(context, tenant, connection, rows)]
    return [_stored(row, events.decode(row["type"], row["version"], row["body"])) for row in rows]


def _stored(row: asyncpg.Record, event: Event) -> Stored:
    return Stored(row["position"], row["event_id"], row["occurred_at"], row["recorded_at"], event)


async def _park(connection: Connection, claimed: Claimed, row: asyncpg.Record, error: str) -> None:
    PARKED.labels(claimed.process).inc()
    await connection.execute(
        queries("projector").park, claimed.tenant_id, claimed.process, claimed.build, row["position"], row["stream"],
        row["type"], error,
    )  # fmt: skip


async def retry_parked(context: Context) -> bool:
    """Try parked events of one build again, streams in order; False when none is due."""
    sql = queries("projector")
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(sql.claim_parked)
        if row is None:
            return False
        await enter(connection, row["tenant_id"], seconds=60)
        position = await connection.fetchval(sql.position, row["tenant_id"], row["process"], row["build"])
        claimed = Claimed(**dict(row), from_position=position, to_position=position, live=True)
        claimed = await _looking(connection, claimed)
        with _span("retry", claimed):
            failure = await attempted(connection, _retry(context, connection, claimed))
        if failure is not None:
            FAILED.labels(claimed.process).inc()
            log.error("retry_failed", process=claimed.process, tenant=str(claimed.tenant_id), error=failure)
            await connection.execute(sql.postpone, claimed.tenant_id, claimed.process, claimed.build)
    return True


async def _retry(context: Context, connection: Connection, claimed: Claimed) -> None:
    """Of a stream that still fails only the first event is noted again: it decides when the others are tried."""
    sql = queries("projector")
    rows = await connection.fetch(sql.parked, claimed.tenant_id, claimed.process, claimed.build)
    follows = list(PROJECTIONS[claimed.process].follows)
    waiting = {row["stream"] for row in await connection.fetch(sql.followed_parked, claimed.tenant_id, follows)}
    ready = [row for row in rows if row["stream"] not in waiting]
    tenant = await tenants.load_in(connection, claimed.tenant_id, master=context.master)
    refused = [(row, WAITS) for row in rows if row["stream"] in waiting]
    refused += await _take(context, connection, tenant, claimed, ready, again=True)
    taken = {row["position"] for row in rows} - {row["position"] for row, _ in refused}
    await connection.execute(sql.unpark, claimed.tenant_id, claimed.process, claimed.build, sorted(taken))
    for row, failure in {row["stream"]: (row, failure) for row, failure in reversed(refused)}.values():
        await _park(connection, claimed, row, failure)
    if taken:
        log.info("parked_events_taken", projection=claimed.process, events=len(taken))


async def start_rebuild(context: Context, tenant_id: UUID, projection: str) -> None:
    """Begin a build beside the live one; the workers fill it and it goes live by itself when it has caught up.

    Raises NotFound for what is no projection.
    """
    if projection not in PROJECTIONS:
        raise NotFound(f"there is no projection {projection}")
    async with in_tenant(context.pool, tenant_id) as connection:
        await connection.execute(queries("projector").start_build, tenant_id, projection)
    context.bell.ring()


async def builds(context: Context, tenant_id: UUID, projection: str) -> list[tuple[int, int, bool]]:
    """Each build's number, position, and whether it is live."""
    async with in_tenant(context.pool, tenant_id) as connection:
        rows = await connection.fetch(queries("projector").builds, tenant_id, projection)
    return [(row["build"], row["position"], row["live"]) for row in rows]


async def _go_live_when_caught_up(connection: Connection, claimed: Claimed, through: int) -> None:
    """A build that stands where the live one stands takes its place; the old one's rows go.

    It may have begun on the day before, so it is looked at for scores of that day.
    """
    if claimed.live:
        return
    sql = queries("projector")
    live = await connection.fetchrow(sql.hold_live, claimed.tenant_id, claimed.process)
    if live is None or through < live["position"]:
        return
    if await connection.fetchval(sql.start_over, claimed.tenant_id, claimed.process, claimed.build):
        await empty(connection, claimed.tenant_id, claimed.process, claimed.build)
        return
    await connection.execute(sql.retire, claimed.tenant_id, claimed.process)
    await connection.execute(sql.go_live, claimed.tenant_id, claimed.process, claimed.build)
    await empty(connection, claimed.tenant_id, claimed.process, live["build"])
    await connection.execute(sql.forget_build, claimed.tenant_id, claimed.process, live["build"])
    await connection.execute(sql.set_due, claimed.tenant_id, "rescore", datetime.now(UTC))
    log.info("build_went_live", projection=claimed.process, build=claimed.build)


async def empty(connection: Connection, tenant_id: UUID, process: str, build: int) -> None:
    """Take the rows of a build that nobody reads."""
    for table in PROJECTIONS[process].tables:
        await connection.execute(getattr(queries("builds"), f"empty_{table}"), tenant_id, build)


class Behind(Exception):
    """The view has not got so far in time."""

    def __init__(self, position: int) -> None:
        self.position = position
        super().__init__(position)


async def reached(
    context: Context, tenant_id: UUID, processes: Sequence[str], after: int | None, *, seconds: float = WAIT_SECONDS
) -> int:
    """The position an answer over these projections is good for: the smallest. Waits for `after`; raises Behind."""
    deadline = asyncio.get_running_loop().time() + seconds
    pause = 0.005
    while True:
        async with in_tenant(context.pool, tenant_id) as connection:
            rows = await connection.fetch(queries("projector").live_positions, tenant_id, list(processes))
        position: int = min(row["position"] for row in rows)
        if after is None or position >= after:
            return position
        if asyncio.get_running_loop().time() > deadline:
            raise Behind(position)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)
