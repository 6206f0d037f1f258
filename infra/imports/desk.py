"""What people say of imports: bring a file, who is us, record it, give it up, take it back."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid5

import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import identities
from domain.contacts import IdentityGiven
from domain.errors import Conflict, Invalid, NotFound, Refused, field_below
from domain.imports import MAY_CANCEL, MAY_SAY_OWN, MAY_START, MAY_UNDO, SayOwn, Sorted, StartImport
from infra.commands.once import once
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.imports import files, recording
from infra.imports.files import Spooled
from infra.imports.job import DRY, Import, Job, end, enter_state, forget_dry_run, remember_own
from infra.stored_events import Origin
from infra.tenants import Tenant


class Brought(Struct, frozen=True):
    """An import in its dry run. `again`: it was brought before with this key. `same_as`: an import of the same file."""

    import_id: UUID
    format: str
    again: bool = False
    same_as: UUID | None = None


async def bring(
    context: Context,
    tenant: Tenant,
    kept: Spooled,
    *,
    file_name: str | None,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Brought:
    """Keep a file and begin its dry run. Raises Invalid for a file of no known format; nothing is kept of it then."""
    format_ = await context.files.recognise(tenant.tenant_id, kept.file)
    key = f"import\0{idempotency_key}"
    import_id = uuid_utils.uuid7() if idempotency_key is None else uuid5(tenant.tenant_id, key)
    name = files.shown_name(file_name)
    async with in_tenant(context.pool, tenant.tenant_id, seconds=60) as connection:
        sql = queries("imports")
        brought = await connection.fetchval(
            sql.bring, tenant.tenant_id, import_id, format_, name, kept.size, kept.sha256, origin.actor
        )
        if brought is None:
            before = Import.of(await connection.fetchrow(sql.one, tenant.tenant_id, import_id))
            if before.sha256 != kept.sha256:
                raise Conflict("this Idempotency-Key was used before, with another file", field="Idempotency-Key")
        else:
            await files.store(connection, tenant, import_id, kept)
        same_as = await connection.fetchval(sql.of_file, tenant.tenant_id, kept.sha256, import_id)
    context.bell.ring()
    return Brought(import_id, format_, again=brought is None, same_as=same_as)


class Taken(Struct, frozen=True):
    """What a person asked is done, or under way."""

    import_id: UUID


class _Nothing(Struct, frozen=True):
    """An act that needs no words."""


async def _act(
    context: Context,
    tenant: Tenant,
    import_id: UUID,
    what: str,
    command: Struct,
    act: Callable[[Connection], Awaitable[None]],
    idempotency_key: str | None,
) -> None:
    """Do it in one transaction, once for each key."""

    async def acted(connection: Connection) -> Taken:
        await act(connection)
        return Taken(import_id)

    route = f"imports/{import_id}/{what}"
    await once(context, tenant, route, command, acted, answers=Taken, idempotency_key=idempotency_key)
    context.bell.ring()


async def say_own(
    context: Context, tenant: Tenant, import_id: UUID, command: SayOwn, *, idempotency_key: str | None = None
) -> None:
    """Who is us, from now on; the file is read anew. Raises NotFound, Invalid, Refused."""
    own = read_own(tenant, command.own)

    async def act(connection: Connection) -> None:
        job = await _held(context, connection, tenant, import_id, MAY_SAY_OWN, "says who is us before it is started")
        await remember_own(connection, tenant, own)
        await enter_state(job, "reading")

    await _act(context, tenant, import_id, "own", command, act, idempotency_key)


def read_own(tenant: Tenant, given: Sequence[IdentityGiven]) -> list[tuple[str, str]]:
    """Raises Invalid with the field."""
    own = []
    for n, one in enumerate(given):
        with field_below(f"own[{n}]"):
            own.append(identities.given(one.platform, one.handle, country=tenant.country))
    return own


async def start(
    context: Context, tenant: Tenant, import_id: UUID, command: StartImport, *, idempotency_key: str | None = None
) -> None:
    """Record what the dry run showed; or, when it is done, the rows of people sorted only now.

    Raises NotFound; Invalid for people who are not in the file; Refused before the dry run is over.
    """

    async def act(connection: Connection) -> None:
        sql = queries("imports")
        job = await _held(context, connection, tenant, import_id, MAY_START, "is started when its dry run is over")
        await _sort(job, command.people)
        unsure = command.unsure or job.found.unsure
        await connection.execute(sql.set_unsure, *job.key, unsure)
        if unsure != "wait":
            await connection.execute(sql.settle_unsure, *job.key, unsure)
        await connection.execute(sql.skip_private, *job.key)
        await enter_state(job, "running" if job.found.state == "ready" else "answering")

    await _act(context, tenant, import_id, "start", command, act, idempotency_key)


async def _sort(job: Job, people: Sequence[Sorted]) -> None:
    given = {one.id: one.sort for one in people}
    if not given:
        return
    sql = queries("imports")
    rows = await job.connection.fetch(sql.override, *job.key, list(given), list(given.values()))
    known = {row["person_id"] for row in rows}
    for n, one in enumerate(people):
        if one.id not in known:
            raise Invalid("there is nobody of this id in the file", field=f"people[{n}].id")
    await job.connection.execute(sql.unskip, *job.key, list(given))


async def undo(context: Context, tenant: Tenant, import_id: UUID, *, idempotency_key: str | None = None) -> None:
    """Take back all that this import recorded; one not started yet is given up. Once more changes nothing.

    Raises NotFound; Refused while it is at work.
    """

    async def act(connection: Connection) -> None:
        if (await _found(connection, tenant, import_id)).state in ("undoing", "undone"):
            return
        job = await _held(context, connection, tenant, import_id, MAY_UNDO, "is undone when it has ended")
        if job.found.state in DRY:
            await end(job, "cancelled")
        await connection.execute(queries("imports").lapse, *job.key)
        await enter_state(job, "undoing")

    await _act(context, tenant, import_id, "undo", _Nothing(), act, idempotency_key)


async def cancel(context: Context, tenant: Tenant, import_id: UUID, *, idempotency_key: str | None = None) -> None:
    """Go no further: at once, or after the batch that is being recorded, which is not waited for.

    What was recorded stays, and can be undone. Raises NotFound, Refused.
    """

    async def act(connection: Connection) -> None:
        if (await _found(connection, tenant, import_id)).state == "cancelled":
            return
        job = await _held(context, connection, tenant, import_id, MAY_CANCEL, "is cancelled before it has ended")
        if job.found.batch_begun:
            await connection.execute(queries("imports").ask_to_cancel, *job.key)
            return
        if job.found.state == "running" and job.found.through_row == 0:
            await forget_dry_run(job)
        await recording.cancel(job)

    await _act(context, tenant, import_id, "cancel", _Nothing(), act, idempotency_key)


async def _held(
    context: Context, connection: Connection, tenant: Tenant, import_id: UUID, states: frozenset[str], when: str
) -> Job:
    """The import, locked, in one of these states. Raises NotFound, Refused."""
    row = await connection.fetchrow(queries("imports").hold, tenant.tenant_id, import_id)
    if row is None:
        raise NotFound("there is no such import")
    found = Import.of(row)
    if found.state not in states:
        now = "being cancelled" if found.cancel_asked else found.state.replace("_", " ")
        raise Refused(f"an import {when}: this one is {now}")
    return Job(context, connection, tenant, found)


async def _found(connection: Connection, tenant: Tenant, import_id: UUID) -> Import:
    row = await connection.fetchrow(queries("imports").one, tenant.tenant_id, import_id)
    if row is None:
        raise NotFound("there is no such import")
    return Import.of(row)
