"""What of a file the log has already: by the ids of its facts, and by whose its identities are."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain import appointments, contacts, touchpoints
from domain.imports import Row, TouchpointRow
from infra.commands.appointments import appointment_id_of
from infra.commands.people import holders_of
from infra.database import Connection, queries
from infra.imports.accounts import Account
from infra.imports.formats import ics
from infra.imports.job import Job
from infra.imports.people import Identity, Someone
from infra.tenants import Tenant

TWICE = "this stands in the file before"
BY_HAND = "taken back by hand"
NOT_HELD = "told as missed or called off"
Told = tuple[str, datetime]


class Fact(Struct, frozen=True):
    """The last word about something, an event of this type. `import_id` said it, where an import did; `undone`: an undo
    struck it."""

    type: str
    import_id: str | None
    undone: bool

    @property
    def struck(self) -> bool:
        return self.type == "touchpoint.struck"


async def facts_of(connection: Connection, tenant: Tenant, streams: Iterable[str]) -> dict[str, Fact]:
    """By stream; none where nothing was said."""
    rows = await connection.fetch(queries("imports").facts, tenant.tenant_id, list(streams))
    return {row["stream"]: Fact(row["type"], row["correlation"], bool(row["undone"])) for row in rows}


async def not_held(job: Job, rows: Iterable[Row]) -> set[Told]:
    """Of past entries of a calendar, those a person told as missed or called off: the calendar tells them as if they
    had taken place."""
    told = [one for one in map(entry_of, rows) if one is not None]
    streams = {appointments.stream_of(appointment_id_of(job.tenant, ics.NAME, one)): one for one, _ in told}
    if not streams:
        return set()
    found = await job.connection.fetch(queries("imports").not_held, job.tenant.tenant_id, list(streams))
    return {(streams[row["stream"]], row["starts_at"]) for row in found}


def entry_of(row: Row) -> Told | None:
    """The entry's own id and its time, of a past entry of a calendar."""
    record = row.outcome.record if isinstance(row.outcome, TouchpointRow) else None
    if record is None or record.source != ics.NAME or record.source_id is None:
        return None
    return record.source_id, record.occurred_at.astimezone(UTC)


def stream_of(kind: str, fact_id: UUID) -> str:
    match kind:
        case "contact":
            return contacts.stream_of(fact_id)
        case "appointment":
            return appointments.stream_of(fact_id)
        case _:
            return touchpoints.stream_of(fact_id)


async def earlier(job: Job, fact_ids: Iterable[UUID], *, before: int) -> set[UUID]:
    """Which of these facts an earlier row of the file is."""
    rows = await job.connection.fetch(queries("imports").earlier_rows, *job.key, list(fact_ids), before)
    return {row["fact_id"] for row in rows}


async def marked(job: Job, judged: Sequence[tuple[Account, Sequence[Someone]]]) -> list[Account]:
    """The accounts of a dry run, with what is known already told apart."""
    proposed = [(one, named) for one, named in judged if one.outcome == "recorded" and one.fact_id]
    if not proposed:
        return [one for one, _ in judged]
    ids = {one.fact_id for one, _ in proposed if one.fact_id}
    streams = {stream_of(one.kind, one.fact_id) for one, _ in proposed if one.kind and one.fact_id}
    facts = await facts_of(job.connection, job.tenant, streams)
    there = await _people_there(job, [named[0] for one, named in proposed if one.kind == "contact"], ids)
    seen = await earlier(job, ids, before=judged[0][0].row)
    told = []
    for one, _ in judged:
        if one.outcome == "recorded" and one.fact_id:
            fact = None if one.kind == "contact" else facts.get(stream_of(one.kind or "", one.fact_id))
            told.append(_marked(one, fact, one.fact_id in seen, one.fact_id in there))
            seen.add(one.fact_id)
        else:
            told.append(one)
    return told


def _marked(one: Account, fact: Fact | None, seen: bool, there: bool) -> Account:
    if seen:
        return replace(one, outcome="known", reason=TWICE)
    if there or (fact is not None and not fact.struck):
        return replace(one, outcome="known")
    if fact is not None and not fact.undone:
        return replace(one, outcome="skipped", reason=BY_HAND)
    return one


async def _people_there(job: Job, entries: Sequence[Someone], ids: set[UUID]) -> set[UUID]:
    """Which entries of an address book say nothing new: all identities are one contact's, or the name was brought."""
    wanted: set[Identity] = {identity for who in entries for identity in who.identities}
    holders = await holders_of(job.connection, job.tenant, wanted) if wanted else {}
    whose = {who.person_id: {holders.get(identity) for identity in who.identities} for who in entries}
    asked = {contact_id for found in whose.values() for contact_id in found if contact_id} | ids
    rows = await job.connection.fetch(queries("imports").listed, job.tenant.tenant_id, list(asked))
    listed = {row["contact_id"] for row in rows}
    return {person_id for person_id, found in whose.items() if len(found) == 1 and found <= listed} | (ids & listed)
