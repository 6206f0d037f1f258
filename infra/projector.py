"""The projector: brings each process to what it follows, a batch and its checkpoint in one transaction.

No leader and no lease: whoever locks a checkpoint row advances it. An event a projection cannot take is parked with
its stream, visibly, and tried again until it goes; nothing else of the tenant waits for it.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct
from prometheus_client import Counter, Histogram

from domain import events
from domain.event import Event
from infra import nudge_engine, tenants
from infra.commands import readable, subject_keys
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.projection import Batch, Projection, Stored
from infra.projections import contacts, network, nudges, relationships, timeline
from infra.tenants import Tenant

BATCH = 2_000
WAIT_SECONDS = 5.0

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection
    for projection in (
        contacts.PROJECTION,
        timeline.PROJECTION,
        network.PROJECTION,
        relationships.PROJECTION,
        nudges.PROJECTION,
    )
}
ENGINE_FOLLOWS = ("contacts", "network", "relationships", "nudges")
FOLLOWS = [(p.name, followed) for p in PROJECTIONS.values() for followed in p.follows] + [
    ("nudge_engine", followed) for followed in ENGINE_FOLLOWS
]

log = structlog.get_logger()
PROJECTED = Counter("rapport_projected_events", "Events taken by a projection.", ["projection"])
PARKED = Counter("rapport_parked_events", "Events a projection could not take, at each try.", ["projection"])
ADVANCED = Histogram("rapport_projection_batch_seconds", "One batch of a projection, from claim to commit.", ["projection"])


class Claimed(Struct, frozen=True):
    """A process locked by this transaction, to be advanced from one position to another."""

    tenant_id: UUID
    process: str
    build: int
    from_position: int
    to_position: int
    live: bool


async def advance(context: Context) -> bool:
    """One batch of whatever waited longest; False when nothing is behind. Safe to run twice, at once, or late."""
    sql = queries("projector")
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(sql.claim_work, *map(list, zip(*FOLLOWS, strict=True)))
        if row is None:
            return False
        claimed = Claimed(**dict(row))
        await connection.execute(queries("event_log").enter_tenant, str(claimed.tenant_id), "60s")
        tenant = await tenants.load_in(connection, claimed.tenant_id, master=context.master)
        with ADVANCED.labels(claimed.process).time():
            if claimed.process == "nudge_engine":
                await nudge_engine.advance(context, connection, tenant, claimed.from_position, claimed.to_position)
            else:
                await _project(context, connection, tenant, claimed)
    return True


async def _project(context: Context, connection: Connection, tenant: Tenant, claimed: Claimed) -> None:
    projection = PROJECTIONS[claimed.process]
    rows = await connection.fetch(queries("event_log").after, claimed.tenant_id, claimed.from_position, BATCH)
    rows = [row for row in rows if row["position"] <= claimed.to_position]
    through = rows[-1]["position"]
    waiting = await _parked_streams(connection, claimed, projection)
    for row in rows:
        if row["stream"] in waiting and row["type"] in projection.types:
            await _park(connection, claimed, row, "waits for an earlier event of its stream")
    mine = [row for row in rows if row["type"] in projection.types and row["stream"] not in waiting]
    await _apply_all(context, connection, tenant, claimed, mine, through)
    await connection.execute(
        queries("projector").advance, claimed.tenant_id, claimed.process, claimed.build, through, 0
    )
    await _go_live_when_caught_up(connection, claimed, through)
    PROJECTED.labels(claimed.process).inc(len(mine))


async def _parked_streams(connection: Connection, claimed: Claimed, projection: Projection) -> set[str]:
    """Streams to wait for: parked here, or in what this projection reads."""
    rows = await connection.fetch(
        queries("projector").parked_streams, claimed.tenant_id, claimed.process, claimed.build, list(projection.follows)
    )
    return {row["stream"] for row in rows}


async def _apply_all(
    context: Context,
    connection: Connection,
    tenant: Tenant,
    claimed: Claimed,
    rows: Sequence[asyncpg.Record],
    through: int,
) -> None:
    """The whole batch at once; one by one when something in it cannot be taken, so that only that is parked."""
    if not rows:
        return
    if await _applied(context, connection, tenant, claimed, rows, through, again=False) is None:
        return
    stopped: set[str] = set()
    for row in rows:
        error = "waits for an earlier event of its stream"
        if row["stream"] not in stopped:
            failure = await _applied(context, connection, tenant, claimed, [row], row["position"], again=False)
            if failure is None:
                continue
            error = failure
        stopped.add(row["stream"])
        await _park(connection, claimed, row, error)


async def _applied(
    context: Context,
    connection: Connection,
    tenant: Tenant,
    claimed: Claimed,
    rows: Sequence[asyncpg.Record],
    through: int,
    *,
    again: bool,
) -> str | None:
    """None when the events were taken; else, with nothing written, what went wrong. A lost connection goes on up."""
    projection = PROJECTIONS[claimed.process]
    try:
        async with connection.transaction():
            stored = await _decoded(context, connection, tenant, rows, personal=projection.personal)
            batch = Batch(tenant.tenant_id, claimed.build, stored, through, datetime.now(UTC), again)
            await projection.apply(connection, batch)
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, asyncpg.exceptions.OperatorInterventionError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with an event, the others must go on; it is parked
        log.warning("events_not_taken", projection=claimed.process, events=len(rows), error=repr(error))
        return f"{type(error).__name__}: {error}"[:500]
    return None


async def _decoded(
    context: Context, connection: Connection, tenant: Tenant, rows: Sequence[asyncpg.Record], *, personal: bool
) -> list[Stored]:
    plain = [(row, events.decode(row["type"], row["version"], row["body"])) for row in rows]
    if not personal:
        return [_stored(row, event) for row, event in plain]
    subjects = {who for row, event in plain if row["sealed"] is not None for who in event.subjects}
    keys = await subject_keys(context, tenant, connection, subjects)
    return [
        _stored(
            row,
            event
            if row["sealed"] is None
            else readable(event, tenant, row["sealed"], row["stream"], row["event_id"], keys),
        )
        for row, event in plain
    ]


def _stored(row: asyncpg.Record, event: Event) -> Stored:
    return Stored(row["position"], row["event_id"], row["occurred_at"], row["recorded_at"], event)


async def _park(connection: Connection, claimed: Claimed, row: asyncpg.Record, error: str) -> None:
    PARKED.labels(claimed.process).inc()
    await connection.execute(
        queries("projector").park, claimed.tenant_id, claimed.process, claimed.build, row["position"], row["stream"],
        row["type"], error,
    )  # fmt: skip


async def retry_parked(context: Context) -> bool:
    """Try the parked events of one build again, in order, stream by stream; False when none is due."""
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries("projector").claim_parked)
        if row is None:
            return False
        await connection.execute(queries("event_log").enter_tenant, str(row["tenant_id"]), "60s")
        sql = queries("projector")
        position = await connection.fetchval(sql.position, row["tenant_id"], row["process"], row["build"])
        claimed = Claimed(**dict(row), from_position=position, to_position=position, live=True)
        await _retry(context, connection, claimed, position)
    return True


async def _retry(context: Context, connection: Connection, claimed: Claimed, position: int) -> None:
    sql = queries("projector")
    tenant = await tenants.load_in(connection, claimed.tenant_id, master=context.master)
    follows = list(PROJECTIONS[claimed.process].follows)
    still = {row["stream"] for row in await connection.fetch(sql.followed_parked, claimed.tenant_id, follows)}
    for row in await connection.fetch(sql.parked, claimed.tenant_id, claimed.process, claimed.build):
        error = "waits for an earlier event of its stream"
        if row["stream"] not in still:
            failure = await _applied(context, connection, tenant, claimed, [row], position, again=True)
            if failure is None:
                await connection.execute(
                    sql.unpark, claimed.tenant_id, claimed.process, claimed.build, row["position"]
                )
                log.info("parked_event_taken", projection=claimed.process, position=row["position"])
                continue
            error = failure
        still.add(row["stream"])
        await _park(connection, claimed, row, error)


async def start_rebuild(context: Context, tenant_id: UUID, projection: str) -> None:
    """Begin a build beside the live one; the workers fill it and it goes live by itself when it has caught up."""
    async with in_tenant(context.pool, tenant_id) as connection:
        await connection.execute(queries("projector").start_build, tenant_id, projection)
    context.bell.ring()


async def builds(context: Context, tenant_id: UUID, projection: str) -> list[tuple[int, int, bool]]:
    """Each build's number, position, and whether it is live."""
    async with in_tenant(context.pool, tenant_id) as connection:
        rows = await connection.fetch(queries("projector").builds, tenant_id, projection)
    return [(row["build"], row["position"], row["live"]) for row in rows]


async def _go_live_when_caught_up(connection: Connection, claimed: Claimed, through: int) -> None:
    """A build that stands where the live one stands takes its place; the old one's rows go."""
    if claimed.live:
        return
    sql = queries("projector")
    live = await connection.fetchrow(sql.hold_live, claimed.tenant_id, claimed.process)
    if live is None or through < live["position"]:
        return
    await connection.execute(sql.retire, claimed.tenant_id, claimed.process)
    await connection.execute(sql.go_live, claimed.tenant_id, claimed.process, claimed.build)
    for table in PROJECTIONS[claimed.process].tables:
        await connection.execute(getattr(queries("builds"), f"empty_{table}"), claimed.tenant_id, live["build"])
    await connection.execute(sql.forget_build, claimed.tenant_id, claimed.process, live["build"])
    log.info("build_went_live", projection=claimed.process, build=claimed.build)


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
