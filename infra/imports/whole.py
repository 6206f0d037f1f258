"""A whole import in one call, for the command line and the demo: read, recorded, undone, with whatever workers run."""

import asyncio
from collections.abc import Callable, Sequence
from typing import IO
from uuid import UUID

from msgspec import Struct

from domain.contacts import IdentityGiven
from domain.errors import Refused
from domain.imports import SayOwn, Sorted, StartImport, State, Unsure
from infra import projector
from infra.context import Context
from infra.database import in_tenant, queries
from infra.imports import desk, files, work
from infra.imports.job import Import, remember_own
from infra.imports.people import person_id
from infra.stored_events import Origin
from infra.tenants import Tenant

PAUSE = 0.1
MOST = 8_192_000_000
RESTING: frozenset[State] = frozenset({"needs_owner", "ready", "done", "undone", "cancelled", "failed"})

Progress = Callable[[Import], None]


class Answers(Struct, frozen=True):
    """What a dry run would ask: who is us, who is private, who is business, what becomes of the unsure."""

    own: tuple[IdentityGiven, ...] = ()
    private: tuple[IdentityGiven, ...] = ()
    business: tuple[IdentityGiven, ...] = ()
    unsure: Unsure = "wait"


NO_ANSWERS = Answers()


def nobody_looks(found: Import) -> None:
    """No progress is shown."""


async def import_file(
    context: Context,
    tenant: Tenant,
    file: IO[bytes],
    *,
    file_name: str,
    answers: Answers = NO_ANSWERS,
    origin: Origin,
    progress: Progress = nobody_looks,
) -> Import:
    """Bring a file, and record what its dry run says. Raises Refused when it cannot be read, or who is us is open."""
    found = await dry_run(context, tenant, file, file_name=file_name, answers=answers, origin=origin, progress=progress)
    if found.state != "ready":
        raise Refused(found.error or "say who is us in this file")
    return await record(context, tenant, found.import_id, answers, progress=progress)


async def dry_run(
    context: Context,
    tenant: Tenant,
    file: IO[bytes],
    *,
    file_name: str,
    answers: Answers = NO_ANSWERS,
    origin: Origin,
    most: int = MOST,
    progress: Progress = nobody_looks,
) -> Import:
    """Bring a file, and have it read: ready, or failed, or somebody has to say who is us."""
    if answers.own:
        own = desk.read_own(tenant, answers.own)
        async with in_tenant(context.pool, tenant.tenant_id) as connection:
            await remember_own(connection, tenant, own)
    async with files.spooled(files.pieces_of(file), most=most) as kept:
        brought = await desk.bring(context, tenant, kept, file_name=file_name, origin=origin)
    return await follow(context, tenant, brought.import_id, progress=progress)


async def say_own(
    context: Context,
    tenant: Tenant,
    import_id: UUID,
    own: Sequence[IdentityGiven],
    *,
    progress: Progress = nobody_looks,
) -> Import:
    """Who is us; then the file is read anew."""
    await desk.say_own(context, tenant, import_id, SayOwn(tuple(own)))
    return await follow(context, tenant, import_id, progress=progress)


async def record(
    context: Context, tenant: Tenant, import_id: UUID, answers: Answers, *, progress: Progress = nobody_looks
) -> Import:
    """Record what the dry run showed, to the end."""
    sorted_ = {person_id(tenant, one): Sorted(person_id(tenant, one), "private") for one in answers.private}
    sorted_ |= {person_id(tenant, one): Sorted(person_id(tenant, one), "business") for one in answers.business}
    await desk.start(context, tenant, import_id, StartImport(tuple(sorted_.values()), answers.unsure))
    return await follow(context, tenant, import_id, progress=progress)


async def undo(context: Context, tenant: Tenant, import_id: UUID, *, progress: Progress = nobody_looks) -> Import:
    """Take back all that an import recorded, to the end."""
    await desk.undo(context, tenant, import_id)
    return await follow(context, tenant, import_id, progress=progress)


async def follow(context: Context, tenant: Tenant, import_id: UUID, *, progress: Progress = nobody_looks) -> Import:
    """Work on an import, or see others work, until somebody has to say something or it has ended."""
    while True:
        worked = await work.advance_one(context, tenant.tenant_id, import_id)
        found = await load(context, tenant, import_id)
        progress(found)
        if found.state in RESTING:
            return found
        if not worked and not await projector.advance(context):
            await asyncio.sleep(PAUSE)


async def load(context: Context, tenant: Tenant, import_id: UUID) -> Import:
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        return Import.of(await connection.fetchrow(queries("imports").one, tenant.tenant_id, import_id))
