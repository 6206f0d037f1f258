"""What imports say in bulk beside touchpoints: people completed or added, and all that their undo takes back."""

import re
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from msgspec import Struct

from domain import contacts, touchpoints
from domain.errors import Conflict, Refused
from infra.commands.decisions import Decision, Done, Known, Question, decide_each
from infra.commands.people import claim_of, holders_of
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.stored_events import Origin
from infra.tenants import Tenant

Identity = tuple[str, str]
AT_ONCE = 250  # decisions in one hold of the head: other writers get in between
ROUNDS = 12
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Entry(Struct, frozen=True):
    """Somebody a file knows. `event_id` makes it safe to say twice; `opens`: who is not known yet is added."""

    event_id: UUID
    contact_id: UUID  # of one who is not known yet
    name: str | None
    hint: str | None
    identities: tuple[Identity, ...]
    opens: bool = True


class Told(Struct, frozen=True):
    """What became of an entry: its contact, and whether anything was new. `elsewhere`: an identity is another's."""

    contact_id: UUID | None
    changed: bool = False
    position: int = 0
    elsewhere: bool = False
    problem: Refused | None = None


class _Said(Struct, frozen=True):
    """The command whose fingerprint tells a repeat."""

    name: str | None = None
    hint: str | None = None
    identities: tuple[Identity, ...] = ()


async def know_people(context: Context, tenant: Tenant, entries: Sequence[Entry], *, origin: Origin) -> list[Told]:
    """Add those nobody knows, and to the others what they lack. Of each what became of it, in order."""
    told: dict[int, Told] = {}
    pending = list(range(len(entries)))
    for _ in range(ROUNDS):
        if not pending:
            break
        holders = await _holders(context, tenant, {who for n in pending for who in entries[n].identities})
        asked, later = _one_a_stream(tenant, entries, pending, holders, told)
        done = await decide_all(context, tenant, [question for _, _, question in asked], origin=origin)
        for (n, contact_id, _), result in zip(asked, done, strict=True):
            if isinstance(result, Conflict):
                later.append(n)
            elif isinstance(result, Refused):
                told[n] = Told(contact_id, problem=result)
            else:
                elsewhere = any(holders.get(who, contact_id) != contact_id for who in entries[n].identities)
                told[n] = Told(contact_id, result.lead is not None, result.position, elsewhere)
        pending = sorted(later)
    return [
        told.get(n) or Told(None, problem=Conflict("its identities keep changing hands")) for n in range(len(entries))
    ]


def _one_a_stream(
    tenant: Tenant,
    entries: Sequence[Entry],
    pending: Iterable[int],
    holders: dict[Identity, UUID],
    told: dict[int, Told],
) -> tuple[list[tuple[int, UUID, Question]], list[int]]:
    """What can be asked at once, each about another person; the rest is for later."""
    asked: list[tuple[int, UUID, Question]] = []
    later: list[int] = []
    streams, taken = set[UUID](), set[Identity]()
    for n in pending:
        entry = entries[n]
        contact_id = next((holders[who] for who in entry.identities if who in holders), entry.contact_id)
        if not entry.opens and contact_id == entry.contact_id and not any(who in holders for who in entry.identities):
            told[n] = Told(None)
        elif contact_id in streams or not taken.isdisjoint(entry.identities):
            later.append(n)
        else:
            streams.add(contact_id)
            taken.update(entry.identities)
            asked.append((n, contact_id, _question(tenant, entry, contact_id, holders)))
    return asked, later


def _question(tenant: Tenant, entry: Entry, contact_id: UUID, holders: dict[Identity, UUID]) -> Question:
    free = [who for who in entry.identities if holders.get(who, contact_id) == contact_id]
    claims = tuple(claim_of(who, contact_id, tenant) for who in free)

    def decision(known: Known) -> Decision:
        contact = known.fold(contacts.evolve)
        if contact is not None:
            return Decision(contacts.complete(contact, name=entry.name, identities=free), claims)
        facts = contacts.opening(contact_id, name=entry.name, hint=entry.hint, identities=free)
        return Decision(facts, claims, new_contact=contact_id)

    said = _Said(entry.name, entry.hint, entry.identities)
    return Question(contacts.stream_of(contact_id), decision, said, entry.event_id)


async def _holders(context: Context, tenant: Tenant, wanted: set[Identity]) -> dict[Identity, UUID]:
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        return await holders_of(connection, tenant, wanted)


async def decide_all(
    context: Context, tenant: Tenant, questions: Sequence[Question], *, origin: Origin
) -> list[Done | Refused]:
    """As `decide_each`, for any number: some hundred in each hold of the head."""
    done: list[Done | Refused] = []
    for start in range(0, len(questions), AT_ONCE):
        done += await decide_each(context, tenant, questions[start : start + AT_ONCE], origin=origin)
    return done


async def strike_imported(
    context: Context, tenant: Tenant, import_id: UUID, touchpoint_ids: Sequence[UUID], *, origin: Origin
) -> list[Done | Refused]:
    """Strike what an import recorded, because it is undone. What is struck already stays as it is."""

    def decision(known: Known) -> Decision:
        return Decision(touchpoints.undo(known.fold(touchpoints.evolve), of=import_id))

    questions = [
        Question(touchpoints.stream_of(which), decision, _Said(), uuid5(import_id, f"undo/{which}"))
        for which in touchpoint_ids
    ]
    return await decide_all(context, tenant, questions, origin=origin)


async def restore_touchpoints(
    context: Context, tenant: Tenant, import_id: UUID, touchpoint_ids: Sequence[UUID], *, origin: Origin
) -> list[Done | Refused]:
    """Let count again what the undo of another import struck. Refused for what a person took back."""

    def decision(known: Known) -> Decision:
        return Decision(touchpoints.restore(known.fold(touchpoints.evolve)))

    questions = [
        Question(touchpoints.stream_of(which), decision, _Said(), uuid5(import_id, f"restore/{which}"))
        for which in touchpoint_ids
    ]
    return await decide_all(context, tenant, questions, origin=origin)


TELLING = ("timeline", "referrals", "appointments")


class NotSeenYet(Exception):
    """A view that tells who is still needed is behind: later."""


async def remove_contacts(
    context: Context, tenant: Tenant, import_id: UUID, contact_ids: Sequence[UUID], *, origin: Origin
) -> list[UUID]:
    """Take out those whom this import brought and nobody else touched; who they are. Raises NotSeenYet."""
    needed: set[UUID] = set()

    async def look(connection: Connection) -> None:
        needed.update(await _needed(connection, tenant, import_id, contact_ids))

    def question(contact_id: UUID) -> Question:
        def decision(known: Known) -> Decision:
            if contact_id in needed:
                return Decision([])
            return Decision(contacts.remove(known.fold(contacts.evolve), undo_of=import_id))

        return Question(contacts.stream_of(contact_id), decision, _Said(), uuid5(import_id, f"remove/{contact_id}"))

    questions = list(map(question, contact_ids))
    done = await decide_each(context, tenant, questions, origin=origin, beforehand=look)
    return [who for who, one in zip(contact_ids, done, strict=True) if isinstance(one, Done) and one.lead is not None]


async def _needed(connection: Connection, tenant: Tenant, import_id: UUID, contact_ids: Sequence[UUID]) -> set[UUID]:
    """Those others speak of: in the contact's own stream, by a merge, in the views, or in what these have not seen."""
    sql = queries("imports")
    streams = [contacts.stream_of(who) for who in contact_ids]
    told = await connection.fetch(sql.told_by_others, tenant.tenant_id, streams, str(import_id))
    merged = await connection.fetch(sql.merged_into, tenant.tenant_id, list(contact_ids))
    touched = await connection.fetch(sql.touched, tenant.tenant_id, list(contact_ids))
    related = await connection.fetch(sql.related, tenant.tenant_id, list(contact_ids))
    unseen = await connection.fetch(
        sql.unseen_by_views, tenant.tenant_id, str(import_id), MOST_UNSEEN + 1, list(TELLING)
    )
    if len(unseen) > MOST_UNSEEN:
        raise NotSeenYet
    named = {UUID(found.decode()) for row in unseen for found in _ID.findall(row["body"])}
    return {row["contact_id"] for row in (*told, *merged, *touched, *related)} | (named & set(contact_ids))


MOST_UNSEEN = 2_000


def contact_of(tenant: Tenant, source: str, source_id: str) -> UUID:
    """The contact that a file's entry without any identity opens: the same whenever the file is brought."""
    return uuid5(contacts.NAMESPACE, f"{tenant.tenant_id}\0{source}\0{source_id}")
