"""Recording: rows become facts through the one road, and each row has its account.

A row that is read again after a kill was recorded by this very import: its events say so, and it is accounted for as
recorded, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from domain import appointments, touchpoints
from domain.appointments import PlanAppointment
from domain.errors import Conflict, Refused
from domain.imports import AppointmentRow, ContactRow, Outcome, Rejected, Row, Sort, TouchpointRow
from domain.privacy import private_entry
from domain.touchpoints import RecordTouchpoint, Reference, TouchpointRestored
from infra.commands.appointments import plan_appointments
from infra.commands.decisions import Done
from infra.commands.imports import Entry, Told, contact_of, know_people, restore_touchpoints
from infra.commands.people import holders_of
from infra.commands.touchpoints import Recorded, record_touchpoints, sourced_id
from infra.context import Context
from infra.database import in_tenant, queries
from infra.imports import people
from infra.imports.accounts import Account, account, measure, opened, passed, private, refused, row_of, unusable, whole
from infra.imports.job import (
    Import,
    Job,
    Superseded,
    as_taken,
    count_again,
    end,
    hold,
    own_identities,
    went_on,
)
from infra.imports.known import BY_HAND, NOT_HELD, TWICE, Fact, earlier, entry_of, facts_of, not_held
from infra.imports.people import Identity, Someone
from infra.imports.reader_messages import BYTES_AT_ONCE, ROWS_AT_ONCE
from infra.imports.reading import Gathered, next_rows
from infra.stored_events import Origin
from infra.tenants import Tenant

ELSEWHERE = "one of its identities is another person's"
OTHERWISE = "recorded before, told otherwise now: what is recorded stays"
CHANGES = {"appointment.moved": "moved", "appointment.cancelled": "called off"}
UNSORTED_PERSON = "a person nobody has sorted yet"


class Item(Struct, frozen=True):
    """A row with those of its people who may be recorded."""

    number: int
    row: Row
    named: tuple[Someone, ...]


class Became(Struct, frozen=True):
    """What became of rows, whom they were about, and from which position on that can be seen."""

    accounts: list[Account]
    contact_ids: set[UUID] = set()
    position: int = 0


def origin_of(job: Job) -> Origin:
    return Origin(job.found.started_by, "import", correlation=str(job.found.import_id))


async def gather(context: Context, tenant: Tenant, found: Import) -> Gathered | None:
    """The next batch of the file; None while its reader is not done."""
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        own = await own_identities(connection, tenant)
    return await next_rows(context, tenant, found, own)


async def record_on(job: Job, gathered: Gathered) -> None:
    """A batch of the file. With the first one the account is of what was recorded, no more of what would be."""
    rows, before = gathered.rows, job.found.through_row
    await _record(job, rows, through=before + len(rows), last=gathered.last, anew=before == 0)


async def answer_on(job: Job, _: Gathered) -> None:
    """A batch of the rows that waited for their people to be sorted."""
    sql = queries("imports")
    waiting = await job.connection.fetch(sql.waiting_rows, *job.key, job.found.through_row, ROWS_AT_ONCE, BYTES_AT_ONCE)
    rows = [(row["row"], _kept_row(job, row["row"], row["line"], row["member"], row["sealed"])) for row in waiting]
    through = rows[-1][0] if rows else job.found.through_row
    await _record(job, rows, through=through, last=not waiting or waiting[-1]["last"])


async def cancel(job: Job) -> None:
    """Go no further: nothing of a batch is under way."""
    await give_up_waiting(job)
    await end(job, "cancelled", error="cancelled")


def _kept_row(job: Job, number: int, line: int, member: str | None, sealed: bytes) -> Row:
    return row_of(opened(job.tenant, job.found.import_id, number, sealed), line, member)


async def give_up_waiting(job: Job) -> None:
    await job.connection.execute(queries("imports").lapse, *job.key)


async def _record(job: Job, rows: Sequence[tuple[int, Row]], *, through: int, last: bool, anew: bool = False) -> None:
    """From here on the batch is finished, also where somebody cancels meanwhile: what is recorded is accounted for."""
    await _begin_batch(job, through)
    if anew:
        await job.connection.execute(queries("imports").forget_rows, *job.key)
    done, items = await _admitted(job, rows)
    became = [
        await _touchpoints(job, [one for one in items if isinstance(one.row.outcome, TouchpointRow)]),
        await _entries(job, [one for one in items if isinstance(one.row.outcome, ContactRow)]),
        await _plans(job, [one for one in items if isinstance(one.row.outcome, AppointmentRow)]),
    ]
    accounts = [*done, *(one for some in became for one in some.accounts)]
    contact_ids = {who for some in became for who in some.contact_ids}
    cancelled = await hold(job)
    if anew:
        await count_again(job)
    await account(job.connection, job.tenant, job.found.import_id, accounts)
    await job.connection.execute(queries("imports").note_contacts, *job.key, list(contact_ids))
    await went_on(job, through, max(some.position for some in became))
    if last:
        await end(job, "done")
    elif cancelled:
        await cancel(job)
    measure(accounts)


async def _begin_batch(job: Job, through: int) -> None:
    """Committed before anything is recorded. Raises Superseded where the import was cancelled, or went to another."""
    async with in_tenant(job.context.pool, job.tenant.tenant_id) as connection:
        taken = as_taken(job.context, job.tenant.tenant_id, job.found)
        if await connection.fetchval(queries("imports").begin_batch, *taken, through) is None:
            raise Superseded


async def _admitted(job: Job, rows: Sequence[tuple[int, Row]]) -> tuple[list[Account], list[Item]]:
    """What needs no recording, with its account; and what is to be recorded, without its private people."""
    done: list[Account] = []
    items: list[Item] = []
    off = await not_held(job, (row for _, row in rows))
    for number, row in rows:
        useless = unusable(number, row)
        if useless is not None:
            done.append(useless)
            continue
        if entry_of(row) in off:
            done.append(passed(number, row, NOT_HELD))
            continue
        try:
            named = tuple(people.someone(job.tenant, person) for person in people.people_of(row))
            items.append(Item(number, row, named))
        except Refused as refusal:
            done.append(refused(number, row, Rejected(refusal.reason, field=refusal.field)))
    sorts = await _sorts(job, [who for one in items for who in one.named])
    admitted = []
    for one in items:
        verdict = _verdict(job, one, sorts)
        if isinstance(verdict, Account):
            done.append(verdict)
        else:
            admitted.append(verdict)
    return done, admitted


async def _sorts(job: Job, named: Sequence[Someone]) -> dict[UUID, Sort]:
    """How each of these people is sorted; whoever came onto the skip-list meanwhile is private."""
    sql = queries("imports")
    rows = await job.connection.fetch(sql.sorts, *job.key, list({who.person_id for who in named}))
    sorts: dict[UUID, Sort] = {row["person_id"]: row["sort"] for row in rows}
    ways = {way: who.person_id for who in named for way in people.digests(job.tenant, who)}
    columns = [platform for platform, _ in ways], [digest for _, digest in ways]
    for row in await job.connection.fetch(sql.skipped, job.tenant.tenant_id, *columns):
        sorts[ways[row["platform"], row["handle"]]] = "private"
    return sorts


def _verdict(job: Job, one: Item, sorts: Mapping[UUID, Sort]) -> Account | Item:
    if not one.named:
        return one
    if reason := private_entry(who.person for who in one.named):
        return private(one.number, one.row, reason)
    kept = tuple(who for who in one.named if sorts.get(who.person_id, "unsure") != "private")
    ids = tuple(dict.fromkeys(who.person_id for who in kept))
    if not kept:
        return private(one.number, one.row)
    if any(sorts.get(who.person_id, "unsure") == "unsure" for who in kept):
        return Account(
            one.number, one.row.line, one.row.member, "waiting", people=ids, reason=UNSORTED_PERSON, kept=whole(one.row)
        )
    return Item(one.number, one.row, kept)


def _told(one: Item, outcome: Outcome, kind: str, fact_id: UUID, reason: str | None = None) -> Account:
    ids = tuple(dict.fromkeys(who.person_id for who in one.named))
    return Account(one.number, one.row.line, one.row.member, outcome, kind, fact_id, ids, reason)


async def _touchpoints(job: Job, items: Sequence[Item]) -> Became:
    if not items:
        return Became([])
    await _complete(job, items)
    holders = await _holders(job, items)
    commands = [_command(one, holders) for one in items]
    results = await record_touchpoints(job.context, job.tenant, commands, origin=origin_of(job))
    ids = [_touchpoint_id(job, command) for command in commands]
    repeated = {which for which, result in zip(ids, results, strict=True) if _is_repeat(result)}
    facts = await facts_of(job.connection, job.tenant, [touchpoints.stream_of(which) for which in repeated])
    restored = await _restored(job, [which for which in repeated if _is_undone(facts, which)])
    seen = await earlier(job, ids, before=items[0].number)
    accounts, contact_ids, position = list[Account](), set[UUID](), 0
    for one, which, result in zip(items, ids, results, strict=True):
        again = restored.get(which)
        account_ = _touchpoint_account(job, one, which, result, facts.get(touchpoints.stream_of(which)), again)
        if account_.outcome == "recorded" and which in seen:
            account_ = replace(account_, outcome="known", reason=TWICE)
        accounts.append(account_)
        if account_.outcome == "recorded":
            seen.add(which)
            contact_ids.update(_contacts_in(result, again))
            position = max(position, result.position or 0, again.position if isinstance(again, Done) else 0)
    await _complete(job, items)
    return Became(accounts, contact_ids, position)


def _touchpoint_id(job: Job, command: RecordTouchpoint) -> UUID:
    assert command.source is not None and command.source_id is not None  # noqa: S101, PT018 - readers set both
    return sourced_id(job.tenant, command.source, command.source_id)


def _is_repeat(result: Recorded) -> bool:
    return result.status == "duplicate" or isinstance(result.problem, Conflict)


def _is_undone(facts: Mapping[str, Fact], which: UUID) -> bool:
    fact = facts.get(touchpoints.stream_of(which))
    return fact is not None and fact.undone


async def _restored(job: Job, undone: Sequence[UUID]) -> dict[UUID, Done | Refused]:
    done = await restore_touchpoints(job.context, job.tenant, job.found.import_id, undone, origin=origin_of(job))
    return dict(zip(undone, done, strict=True))


def _touchpoint_account(
    job: Job, one: Item, which: UUID, result: Recorded, fact: Fact | None, restored: Done | Refused | None
) -> Account:
    """A repeat whose last word is this import's own was recorded before a kill."""
    assert isinstance(one.row.outcome, TouchpointRow)  # noqa: S101 - it was chosen so
    kind = one.row.outcome.record.kind
    if result.status == "recorded" or isinstance(restored, Done):
        return _told(one, "recorded", kind, which)
    if fact is None:
        problem = result.problem or Refused()
        return refused(one.number, one.row, Rejected(problem.reason, field=problem.field))
    if fact.struck:
        return replace(passed(one.number, one.row, BY_HAND), kind=kind, fact_id=which)
    if fact.import_id == str(job.found.import_id):
        return _told(one, "recorded", kind, which)
    return _told(one, "known", kind, which, OTHERWISE if result.status == "rejected" else None)


def _contacts_in(result: Recorded, restored: Done | Refused | None) -> tuple[UUID, ...]:
    lead = restored.lead if isinstance(restored, Done) else None
    return lead.restored.contact_ids if isinstance(lead, TouchpointRestored) else result.contact_ids


async def _holders(job: Job, items: Iterable[Item]) -> dict[Identity, UUID]:
    wanted = {identity for one in items for who in one.named for identity in who.identities}
    return await holders_of(job.connection, job.tenant, wanted) if wanted else {}


def _command(one: Item, holders: Mapping[Identity, UUID]) -> RecordTouchpoint:
    """The touchpoint with those of its people who may be recorded; one under two addresses stands in it once."""
    assert isinstance(one.row.outcome, TouchpointRow)  # noqa: S101 - it was chosen so
    record = one.row.outcome.record
    references: dict[object, Reference] = {}
    for who in one.named:
        known = next((holders[identity] for identity in who.identities if identity in holders), None)
        references.setdefault(
            known or who.person.reference.contact_id or who.identities[:1] or object(), who.person.reference
        )
    kept = tuple(references.values())
    return record if kept == record.people else replace(record, people=kept)


async def _complete(job: Job, items: Sequence[Item]) -> None:
    """Note the other identities the file gives of people who are known by one of them."""
    several = {who.person_id: who for one in items for who in one.named if len(who.identities) > 1}
    if not several:
        return
    holders = await holders_of(
        job.connection, job.tenant, {each for who in several.values() for each in who.identities}
    )
    entries = [
        Entry(
            uuid5(job.found.import_id, f"also/{who.person_id}/{len(held)}"),
            who.person_id,
            None,
            None,
            who.identities,
            opens=False,
        )
        for who in several.values()
        if 0 < len(held := {each for each in who.identities if each in holders}) < len(who.identities)
    ]
    if entries:
        await know_people(job.context, job.tenant, entries, origin=origin_of(job))


async def _entries(job: Job, items: Sequence[Item]) -> Became:
    """The entries of an address book."""
    if not items:
        return Became([])
    entries = [_entry(job, one) for one in items]
    told = await know_people(job.context, job.tenant, entries, origin=origin_of(job))
    accounts = [_entry_account(one, what) for one, what in zip(items, told, strict=True)]
    ids = {what.contact_id for what in told if what.contact_id is not None and what.changed}
    return Became(accounts, ids, max(what.position for what in told))


def _entry(job: Job, one: Item) -> Entry:
    assert isinstance(one.row.outcome, ContactRow)  # noqa: S101 - it was chosen so
    [who] = one.named
    reference = who.person.reference
    hint = reference.hint.strip() if reference.hint else None
    return Entry(
        uuid5(job.found.import_id, f"contact/{one.number}"),
        reference.contact_id or contact_of(job.tenant, one.row.outcome.source, one.row.outcome.source_id),
        who.name,
        hint,
        who.identities,
        opens=reference.contact_id is None,
    )


def _entry_account(one: Item, told: Told) -> Account:
    if told.problem is not None:
        return refused(one.number, one.row, Rejected(told.problem.reason, field=told.problem.field))
    if told.contact_id is None:
        return refused(one.number, one.row, Rejected("there is no such contact", field="contact_id"))
    return _told(
        one, "recorded" if told.changed else "known", "contact", told.contact_id, ELSEWHERE if told.elsewhere else None
    )


async def _plans(job: Job, items: Sequence[Item]) -> Became:
    """Meetings to come."""
    if not items:
        return Became([])
    commands = [_plan(one) for one in items]
    results = await plan_appointments(job.context, job.tenant, commands, origin=origin_of(job))
    streams = [appointments.stream_of(one.appointment_id) for one in results if one.appointment_id]
    facts = await facts_of(job.connection, job.tenant, streams)
    accounts = []
    for one, result in zip(items, results, strict=True):
        if result.problem is not None or result.appointment_id is None:
            problem = result.problem or Refused()
            accounts.append(refused(one.number, one.row, Rejected(problem.reason, field=problem.field)))
            continue
        fact = facts.get(appointments.stream_of(result.appointment_id))
        ours = fact is not None and fact.import_id == str(job.found.import_id)
        outcome: Outcome = "recorded" if result.status != "unchanged" or ours else "known"
        reason = CHANGES.get(fact.type) if fact is not None and ours else None
        accounts.append(_told(one, outcome, "appointment", result.appointment_id, reason))
    contact_ids = {who for result in results for who in result.contact_ids}
    return Became(accounts, contact_ids, max((result.position or 0 for result in results), default=0))


def _plan(one: Item) -> PlanAppointment:
    assert isinstance(one.row.outcome, AppointmentRow)  # noqa: S101 - it was chosen so
    row = one.row.outcome
    return PlanAppointment(
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        channel=row.channel,
        people=tuple(who.person.reference for who in one.named),
        cancelled=row.cancelled,
        source=row.source,
        source_id=row.source_id,
    )
