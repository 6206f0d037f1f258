"""What there is to do about an import, a batch at a time. All of it is rows: whoever locks the import's row goes on."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from prometheus_client import Counter

from domain.errors import Refused
from infra import tenants
from infra.context import Context
from infra.database import Connection, enter, in_tenant, queries
from infra.imports import reading, recording, sorting, undoing
from infra.imports.job import Import, Job, end
from infra.projection import attempted

MOST_TRIES = 8

log = structlog.get_logger()
FAILED = Counter("rapport_import_errors", "Batches of imports that went wrong, at each try.")

STEPS: dict[str, Callable[[Job], Awaitable[None]]] = {
    "reading": reading.read_on,
    "sorting": sorting.sort_on,
    "running": recording.record_on,
    "answering": recording.answer_on,
    "undoing": undoing.undo_on,
}


async def advance(context: Context) -> bool:
    """A batch of the import that waited longest; False when nothing is to do. Safe to run twice, at once, or late."""
    async with context.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(queries("imports").claim, context.files.worker)
        if row is None:
            return False
        await enter(connection, row["tenant_id"], seconds=60)
        await _work(context, connection, row["tenant_id"], row["import_id"])
    return True


async def advance_one(context: Context, tenant_id: UUID, import_id: UUID) -> bool:
    """A batch of this import; False when it has nothing to do, or somebody else does it."""
    async with in_tenant(context.pool, tenant_id, seconds=60) as connection:
        sql = queries("imports")
        if await connection.fetchval(sql.claim_one, tenant_id, import_id, context.files.worker) is None:
            return False
        await _work(context, connection, tenant_id, import_id)
    return True


async def _work(context: Context, connection: Connection, tenant_id: UUID, import_id: UUID) -> None:
    sql = queries("imports")
    tenant = await tenants.load_in(connection, tenant_id, master=context.master)
    found = Import.of(await connection.fetchrow(sql.one, tenant_id, import_id))
    job = Job(context, connection, tenant, found)
    failure = await attempted(connection, _step(job))
    if failure is None:
        return
    FAILED.inc()
    context.files.close(import_id)
    log.warning("import_stumbled", import_id=str(import_id), tenant=str(tenant_id), state=found.state, error=failure)
    if await connection.fetchval(sql.stumble, tenant_id, import_id, failure) >= MOST_TRIES:
        await end(job, "failed", error=failure)


async def _step(job: Job) -> None:
    """One batch. What the file itself refuses ends the import; nothing of the batch is kept then."""
    try:
        async with job.connection.transaction():
            await STEPS.get(job.found.state, forget)(job)
    except Refused as refusal:
        job.context.files.close(job.found.import_id)
        await end(job, "failed", error=refusal.reason)


async def forget(job: Job) -> None:
    """Its time is over: an import nobody started is given up; of an ended one what names people goes."""
    sql, key = queries("imports"), (job.tenant.tenant_id, job.found.import_id)
    if job.found.state in ("ready", "needs_owner"):
        await end(job, "cancelled", error="nobody started it in time")
        return
    await recording.give_up_waiting(job)
    await job.connection.execute(sql.forget_names, *key, True)
    await job.connection.execute(sql.forget_excerpts, *key)
    await job.connection.execute(sql.tell, *key, None)
    await job.connection.execute(sql.no_more_due, *key)
