"""What there is to do about an import, a turn at a time: by a lease that is committed before anything is done.

Nobody waits for a turn: files are read by processes of their own, outside of any transaction, and the import's row is
locked only while what came of the turn is written.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from domain.errors import Refused
from infra import tenants
from infra.context import Context
from infra.database import GONE, Connection, enter, in_tenant, queries
from infra.imports import reading, recording, sorting, undoing
from infra.imports.job import Import, Job, Superseded, as_taken, comes_back, end, hold
from infra.imports.readers import ReaderFailed
from infra.imports.reading import Gathered
from infra.projection import told
from infra.tenants import Tenant

MOST_TRIES = 8
MOST_BEGUN = 12  # turns that were begun, one after another, and of which nothing came, not even an error
RENEWED = 2.0  # seconds
AT_ONCE = timedelta()

log = structlog.get_logger()
FAILED = Counter("rapport_import_errors", "Turns of imports that went wrong, at each try.")

# What is read of the file before a step, outside of any transaction; None where its reader is not done.
GATHERED: dict[str, Callable[[Context, Tenant, Import], Awaitable[Gathered | None]]] = {
    "reading": reading.gather,
    "running": recording.gather,
}
STEPS: dict[str, Callable[[Job, Gathered], Awaitable[None]]] = {
    "reading": reading.read_on,
    "sorting": sorting.sort_on,
    "running": recording.record_on,
    "answering": recording.answer_on,
    "undoing": undoing.undo_on,
}


async def advance(context: Context) -> bool:
    """A turn for the business whose last one is longest ago; False when nothing is to do. Safe to run twice."""
    files = context.files
    async with files.claiming:
        async with context.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                queries("imports").claim, files.worker, list(files.in_hand), files.open, files.room
            )
            if row is None:
                return False
            tenant_id: UUID = row["tenant_id"]
            await enter(connection, tenant_id, seconds=20)
            found = await _leased(context, connection, tenant_id, row["import_id"])
        files.in_hand.add(found.import_id)
    return await _turn(context, tenant_id, found)


async def advance_one(context: Context, tenant_id: UUID, import_id: UUID) -> bool:
    """A turn of this import; False when it has nothing to do, or somebody else does it."""
    files = context.files
    async with files.claiming:
        if import_id in files.in_hand:
            return False
        async with in_tenant(context.pool, tenant_id) as connection:
            if await connection.fetchval(queries("imports").claim_one, tenant_id, import_id, files.worker) is None:
                return False
            found = await _leased(context, connection, tenant_id, import_id)
        files.in_hand.add(import_id)
    return await _turn(context, tenant_id, found)


async def _leased(context: Context, connection: Connection, tenant_id: UUID, import_id: UUID) -> Import:
    return Import.of(await connection.fetchrow(queries("imports").lease, tenant_id, import_id, context.files.worker))


async def _turn(context: Context, tenant_id: UUID, found: Import) -> bool:
    """What goes wrong in it is counted, logged, told in the import, and tried again. A lost database goes on up."""
    try:
        async with _renewed(context, tenant_id, found):
            await _attempted(context, tenant_id, found)
    except Superseded:
        context.files.close(found.import_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about one import
        await _stumbled(context, tenant_id, found, error)
    finally:
        context.files.pause(found.import_id)
        context.files.in_hand.discard(found.import_id)
    return True


@asynccontextmanager
async def _renewed(context: Context, tenant_id: UUID, found: Import) -> AsyncIterator[None]:
    """The lease is kept up, as long as this process is well."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEWED)
            with suppress(*GONE):
                async with in_tenant(context.pool, tenant_id) as connection:
                    key = tenant_id, found.import_id
                    await connection.execute(queries("imports").renew, *key, context.files.worker)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _attempted(context: Context, tenant_id: UUID, found: Import) -> None:
    """One step. What the file itself refuses ends the import; nothing of the step is kept then. Raises Superseded."""
    async with in_tenant(context.pool, tenant_id) as connection:
        tenant = await tenants.load_in(connection, tenant_id, master=context.master)
    try:
        if found.tries > MOST_BEGUN:
            raise Refused(f"reading it broke off {MOST_BEGUN} times: bring it again, in parts or saved anew")
        await _step(context, tenant, found)
    except Refused as refusal:
        reason = refusal.reason
        await _written(context, tenant, found, lambda job: end(job, "failed", error=reason))


async def _step(context: Context, tenant: Tenant, found: Import) -> None:
    if found.cancel_asked and not found.batch_begun:
        await _written(context, tenant, found, recording.cancel)
        return
    gathered: Gathered | None = Gathered()
    if found.state in GATHERED:
        gathered = await GATHERED[found.state](context, tenant, found)
    async with in_tenant(context.pool, tenant.tenant_id, seconds=60) as connection:
        job = Job(context, connection, tenant, found)
        if gathered is None:
            await comes_back(job, AT_ONCE)
        else:
            await STEPS.get(found.state, forget)(job, gathered)


async def _written(context: Context, tenant: Tenant, found: Import, write: Callable[[Job], Awaitable[None]]) -> None:
    """Something about the import, in a transaction of its own. Raises Superseded."""
    async with in_tenant(context.pool, tenant.tenant_id, seconds=60) as connection:
        job = Job(context, connection, tenant, found)
        await hold(job)
        await write(job)


async def _stumbled(context: Context, tenant_id: UUID, found: Import, error: Exception) -> None:
    """It is tried again, with growing pauses; what is no fault of the file (a full disk, a lost database) for ever."""
    FAILED.inc()
    context.files.close(found.import_id)
    failure = str(error) if isinstance(error, ReaderFailed) else told(error)
    passing = isinstance(error, GONE)
    which = {"import_id": str(found.import_id), "tenant": str(tenant_id), "state": found.state}
    log.warning("import_stumbled", error=failure, **which)
    async with in_tenant(context.pool, tenant_id, seconds=60) as connection:
        taken = as_taken(context, tenant_id, found)
        tries = await connection.fetchval(queries("imports").stumble, *taken, failure, passing)
        if tries is not None and tries >= MOST_TRIES and not passing:
            tenant = await tenants.load_in(connection, tenant_id, master=context.master)
            await end(Job(context, connection, tenant, found), "failed", error=failure)


async def forget(job: Job, _: Gathered) -> None:
    """Its time is over: an import nobody started is given up; of an ended one what names people goes."""
    sql, key = queries("imports"), (job.tenant.tenant_id, job.found.import_id)
    await hold(job)
    if job.found.state in ("ready", "needs_owner"):
        await end(job, "cancelled", error="nobody started it in time")
        return
    await recording.give_up_waiting(job)
    await job.connection.execute(sql.forget_names, *key, True)
    await job.connection.execute(sql.forget_excerpts, *key)
    await job.connection.execute(sql.tell, *key, None)
    await job.connection.execute(sql.no_more_due, *key)
