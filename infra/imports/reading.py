"""The dry run: every row read and judged as it would be recorded, and whom the file names. Nothing is recorded."""

from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime
from typing import IO
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.errors import Refused
from domain.imports import AppointmentRow, ContactRow, OwnerCandidate, Reading, Rejected, Row, TouchpointRow
from domain.privacy import private_entry
from infra.commands.appointments import appointment_id_of
from infra.commands.imports import contact_of
from infra.commands.touchpoints import check_touchpoint
from infra.context import Context
from infra.database import in_tenant, queries
from infra.imports import files, people
from infra.imports.accounts import Account, account, passed, private, refused, unusable
from infra.imports.job import (
    UNSTARTED,
    Import,
    Job,
    Shown,
    Told,
    enter_state,
    forget_dry_run,
    hold,
    normalised_own,
    own_identities,
    tell,
    went_on,
)
from infra.imports.known import NOT_HELD, entry_of, marked, not_held
from infra.imports.open_files import Source
from infra.imports.people import Someone
from infra.tenants import Tenant

FIRST_ROWS = 10
MOST_ROWS = 1_000_000


class Gathered(Struct, frozen=True):
    """What was read of the file for a step: the next rows with their numbers, and whether they are the last; before the
    first of a dry run, who may be us, and whether somebody has to say so."""

    rows: Sequence[tuple[int, Row]] = ()
    last: bool = False
    owners: Sequence[OwnerCandidate] = ()
    asks: bool = False


async def gather(context: Context, tenant: Tenant, found: Import) -> Gathered | None:
    """What a step of the dry run takes; None while the file's reader is not done. Raises Refused for too many rows."""
    if found.through_row >= MOST_ROWS:
        raise Refused(f"this file has more than {MOST_ROWS:,} rows: divide it, and bring the parts")
    source = source_of(context, tenant, found)
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        own = await own_identities(connection, tenant)
    owners: Sequence[OwnerCandidate] = ()
    if found.through_row == 0:
        candidates = await context.files.owners(source)
        if candidates is None:
            return None
        owners = candidates
        if owners and own.isdisjoint(normalised_own(tenant, owners)):
            return Gathered(owners=owners, asks=True)
    return await next_rows(context, tenant, found, own, owners)


async def next_rows(
    context: Context,
    tenant: Tenant,
    found: Import,
    own: frozenset[tuple[str, str]],
    owners: Sequence[OwnerCandidate] = (),
) -> Gathered | None:
    """The next rows with their numbers. The file is opened where it is not, and read up to where the import stands.

    It is read as of the time it was brought, so that it has the same rows however often, and whenever, it is read.
    """
    reading = Reading(own, tenant.country, tenant.time_zone, found.brought_at)
    read = await context.files.rows(source_of(context, tenant, found), reading, after=found.through_row)
    return None if read is None else Gathered(list(enumerate(read.rows, found.through_row + 1)), read.last, owners)


def source_of(context: Context, tenant: Tenant, found: Import) -> Source:
    async def fetch() -> IO[bytes]:
        async with in_tenant(context.pool, tenant.tenant_id, seconds=60) as connection:
            return await files.fetch(connection, tenant, found.import_id)

    return Source(tenant.tenant_id, found.import_id, (found.state, found.since), found.format, found.size, fetch)


async def read_on(job: Job, gathered: Gathered) -> None:
    """A batch of the dry run."""
    first, rows = job.found.through_row == 0, gathered.rows
    if gathered.asks:
        await hold(job)
        await _forget_earlier(job)
        await tell(job, Told(owners=list(gathered.owners)))
        job.context.files.close(job.found.import_id)
        await enter_state(job, "needs_owner", due_in=UNSTARTED)
        return
    off = await not_held(job, (row for _, row in rows))
    judged = [_judge(job, number, row, off) for number, row in rows]
    accounts = await marked(job, judged)
    await hold(job)
    if first:
        await _forget_earlier(job)
    await account(job.connection, job.tenant, job.found.import_id, accounts)
    await _note_people(job, [who for _, named in judged for who in named])
    if first:
        await tell(job, Told(owners=list(gathered.owners), first_rows=_first(rows, accounts)))
    await went_on(job, job.found.through_row + len(rows))
    if gathered.last:
        await job.connection.execute(queries("imports").set_rows, *job.key, job.found.through_row + len(rows))
        job.context.files.close(job.found.import_id)
        await enter_state(job, "sorting")


async def _forget_earlier(job: Job) -> None:
    """What was read before the file is read anew."""
    await forget_dry_run(job)
    await job.connection.execute(queries("imports").forget_people, *job.key)


def _judge(job: Job, number: int, row: Row, off: Container[object]) -> tuple[Account, list[Someone]]:
    """What would become of the row by itself, and whom it names."""
    useless = unusable(number, row)
    if useless is not None:
        return useless, []
    try:
        named = [people.someone(job.tenant, person) for person in people.people_of(row)]
        if reason := private_entry(people.people_of(row)):
            return private(number, row, reason), named
        if entry_of(row) in off:
            return passed(number, row, NOT_HELD), named
        return _proposed(job, number, row, named), named
    except Refused as refusal:
        return refused(number, row, Rejected(refusal.reason, field=refusal.field)), []


def _proposed(job: Job, number: int, row: Row, named: Sequence[Someone]) -> Account:
    """Raises Refused."""
    kind, fact_id = fact_of(job, row, named)
    return Account(
        number, row.line, row.member, "recorded", kind, fact_id, tuple(dict.fromkeys(who.person_id for who in named))
    )


def fact_of(job: Job, row: Row, named: Sequence[Someone]) -> tuple[str, UUID]:
    """What a row becomes, and an id that is the same for the same fact. Raises Refused where it cannot be recorded."""
    match row.outcome:
        case TouchpointRow(record=record):
            return record.kind, check_touchpoint(job.tenant, record, now=datetime.now(UTC))
        case ContactRow(source=source, source_id=source_id):
            return "contact", named[0].person_id if named[0].identities else contact_of(job.tenant, source, source_id)
        case AppointmentRow(source=source, source_id=source_id):
            return "appointment", appointment_id_of(job.tenant, source, source_id)
        case _:
            raise AssertionError(row.outcome)


async def _note_people(job: Job, named: Iterable[Someone]) -> None:
    by_id: dict[UUID, list[Someone]] = {}
    for who in named:
        by_id.setdefault(who.person_id, []).append(who)
    if not by_id:
        return
    rows = [_person_row(job, person_id, seen) for person_id, seen in sorted(by_id.items())]
    await job.connection.execute(queries("imports").note_people, *job.key, *map(list, zip(*rows, strict=True)))


def _person_row(job: Job, person_id: UUID, seen: Sequence[Someone]) -> tuple[object, ...]:
    first = next((who for who in seen if who.name), seen[0])
    ways = list(dict.fromkeys(way for who in seen for way in people.digests(job.tenant, who)))
    return (
        person_id,
        msgspec.json.encode([platform for platform, _ in ways]).decode(),
        msgspec.json.encode([digest.hex() for _, digest in ways]).decode(),
        len(seen),
        msgspec.json.encode(people.signs_of(who.person for who in seen)).decode(),
        job.tenant.keys.digest("", people.folded(first.name)) if first.name else None,
        files.seal(job.tenant, job.found.import_id, f"person {person_id}", people.pack(first.person)),
    )


def _first(rows: Sequence[tuple[int, Row]], accounts: Sequence[Account]) -> list[Shown]:
    """The first rows as they would become."""
    usable = {one.row for one in accounts if one.outcome in ("recorded", "known")}
    return [_shown(number, row) for number, row in rows if number in usable][:FIRST_ROWS]


def _shown(number: int, row: Row) -> Shown:
    names = [name or called or "somebody" for name, called in map(people.shown, people.people_of(row))]
    match row.outcome:
        case TouchpointRow(record=record):
            return Shown(number, row.line, record.kind, record.occurred_at, record.channel, record.direction, names)
        case AppointmentRow(starts_at=starts_at, channel=channel):
            return Shown(number, row.line, "appointment", starts_at, channel, None, names)
        case _:
            return Shown(number, row.line, "contact", None, None, None, names)
