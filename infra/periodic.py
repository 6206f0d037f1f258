"""Periodic work: due rows in PostgreSQL, one a tenant and task, so that nothing is forgotten when a clock is wiped."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from infra import inbox, nudge_engine, projector, tenants, tracing, viewpoints
from infra.context import Context
from infra.database import Connection, enter, queries
from infra.metrics import FAILED
from infra.projection import attempted
from infra.projections import relationships
from infra.tenants import Tenant

FORGOTTEN_AT_ONCE = 5_000
UNUSED, MOST_VIEWPOINTS = timedelta(minutes=30), 24
PUT_OFF, A_MOMENT = timedelta(minutes=1), timedelta(seconds=1)

LONG = timedelta(days=365)

log = structlog.get_logger()


async def run_due(context: Context) -> bool:
    """One piece of due work, with its next time, in one transaction; False when nothing is due.

    One that fails is put off for a minute, so that it does not hold up the others.
    """
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries("projector").claim_due)
        if row is None:
            return False
        await enter(connection, row["tenant_id"], seconds=60)
        with tracing.span(f"due {row['task']}", tenant=str(row["tenant_id"])):
            failure = await attempted(connection, _run(context, connection, row["tenant_id"], row["task"]))
        if failure is not None:
            FAILED.labels(row["task"]).inc()
            log.error("due_work_failed", task=row["task"], tenant=str(row["tenant_id"]), error=failure)
            later = datetime.now(UTC) + PUT_OFF
            await connection.execute(queries("projector").set_due, row["tenant_id"], row["task"], later)
    return True


async def _run(context: Context, connection: Connection, tenant_id: UUID, task: str) -> None:
    tenant = await tenants.load_in(connection, tenant_id, master=context.master)
    next_at = await TASKS[task](connection, tenant)
    await connection.execute(queries("projector").set_due, tenant_id, task, next_at)


async def rescore(connection: Connection, tenant: Tenant) -> datetime:
    """Bring the stored pictures to the new UTC day, 2,000 at a time; again at the next UTC midnight."""
    now = datetime.now(UTC)
    live = await connection.fetchrow(queries("projector").hold_live, tenant.tenant_id, "relationships")
    if live is not None and await relationships.rescore(connection, tenant.tenant_id, live["build"], now=now):
        return now
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def suggest(connection: Connection, tenant: Tenant) -> datetime:
    """Let nudges end and suggest, also when nothing happened; again when the business opens next.

    While the engine is at work on new events, or its own are not in the list yet, in a moment.
    """
    now = datetime.now(UTC)
    engine = await connection.fetchrow(queries("projector").take_live, tenant.tenant_id, "nudge_engine")
    [seen] = await connection.fetch(queries("projector").live_positions, tenant.tenant_id, ["nudges"])
    if engine is None or seen["position"] < engine["own_position"]:
        return now + A_MOMENT
    try:
        async with connection.transaction():
            thought = await nudge_engine.think(connection, tenant)
    except nudge_engine.HeadHeld:
        return now + A_MOMENT
    await connection.execute(
        queries("projector").advance, tenant.tenant_id, "nudge_engine", engine["build"], engine["position"],
        thought.said,
    )  # fmt: skip
    return thought.again_at


async def forget(connection: Connection, tenant: Tenant) -> datetime:
    """What is kept for 30 days and no longer: ended deliveries of webhooks, messages that came in, answers to keyed
    requests. Once a day."""
    gone = await connection.fetchval(queries("webhooks").forget_old, tenant.tenant_id, FORGOTTEN_AT_ONCE)
    await connection.execute(queries("requests").forget_old, tenant.tenant_id)
    more = await inbox.clear(connection, tenant.tenant_id)
    now = datetime.now(UTC)
    return now + A_MOMENT if more or gone == FORGOTTEN_AT_ONCE else now + timedelta(days=1)


async def clear_viewpoints(connection: Connection, tenant: Tenant) -> datetime:
    """Views of the past are kept while somebody looks at them. Asked again as long as there are any."""
    tables = [table for projection in projector.PROJECTIONS.values() for table in projection.tables]
    left = await viewpoints.clear(connection, tenant.tenant_id, tables, unused=UNUSED, most=MOST_VIEWPOINTS)
    return datetime.now(UTC) + UNUSED / 6 if left else datetime.now(UTC) + LONG


TASKS: dict[str, Callable[[Connection, Tenant], Awaitable[datetime]]] = {
    "rescore": rescore,
    "suggest": suggest,
    "forget": forget,
    "viewpoints": clear_viewpoints,
}
