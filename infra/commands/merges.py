"""Merges and unmerges, and pairs told apart: decided under the head, from the log itself."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain import contacts, events, merges, ties
from domain.errors import Conflict, NotFound, NotUnderstood, Refused
from domain.merges import Link, MergeContacts, MergePair, TellApart, UnmergeContact
from infra.commands.decisions import Decision, Done, Known, Question, decide_each
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.stored_events import Origin, keyed_id, subject_keys
from infra.tenants import Tenant

AT_ONCE = 250  # decisions in one hold of the head: other writers get in between


class Merged(Struct, frozen=True):
    """What became of one pair. `duplicate`: the two were one already. `problem` where it was rejected."""

    pair: MergePair
    status: Literal["recorded", "duplicate", "rejected"]
    position: int | None = None
    problem: Refused | None = None


class _People:
    """What decisions about who is who read once the head is held: who there is, and who is merged into whom."""

    def __init__(self, context: Context, tenant: Tenant, contact_ids: Iterable[UUID]) -> None:
        self._context = context
        self._tenant = tenant
        self._ids = list(dict.fromkeys(contact_ids))
        self.links: dict[UUID, Link] = {}
        self.removed: set[UUID] = set()
        self._there: set[UUID] = set()

    async def look_up(self, connection: Connection) -> None:
        self._there = set(await subject_keys(self._context, self._tenant, connection, self._ids))
        self.links = await links_of(connection, self._tenant.tenant_id, self._ids)
        streams = list(map(contacts.stream_of, self._ids))
        rows = await connection.fetch(queries("merges").removed, self._tenant.tenant_id, streams)
        self.removed = {row["contact_id"] for row in rows}

    def check(self, *contact_ids: UUID, fields: Sequence[str | None]) -> None:
        """Raises NotFound for one that is unknown, another tenant's, or erased."""
        for who, field in zip(contact_ids, fields, strict=True):
            if who not in self._there:
                raise NotFound("there is no such contact", field=field)


async def links_of(connection: Connection, tenant_id: UUID, contact_ids: Iterable[UUID]) -> dict[UUID, Link]:
    """Whom these contacts are merged into, and those in turn, by the log itself: a view may be behind.

    Raises NotUnderstood.
    """
    links: dict[UUID, Link] = {}
    asked = set[UUID]()
    wanted = set(contact_ids)
    while wanted:
        asked |= wanted
        streams = list(map(contacts.stream_of, wanted))
        rows = await connection.fetch(queries("merges").links, tenant_id, streams)
        said = [(events.understood(row["type"], row["version"], row["body"]), row["position"]) for row in rows]
        if any(event is None for event, _ in said):
            raise NotUnderstood
        links = merges.moved(links, ((event, position) for event, position in said if event is not None))
        wanted = {link.into_id for link in links.values()} - asked
    return links


async def who_stands(context: Context, tenant: Tenant, contact_id: UUID) -> UUID:
    """The contact that stands for this one: what is said of the person is said of it. Raises NotUnderstood."""
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        return merges.standing(await links_of(connection, tenant.tenant_id, [contact_id]), contact_id)


def check_stands(known: Known) -> None:
    """Raises Conflict where the contact of this stream was itself merged meanwhile."""
    if merges.moved({}, ((event, 0) for event, _ in known.stored)):
        raise Conflict("this contact was merged just now: send it again")


async def merge_contacts(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    command: MergeContacts,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """All of them are this contact from now on, or none is. Raises NotFound, Invalid, Conflict, Erased."""
    people = _People(context, tenant, (contact_id, *command.contact_ids))

    def decision(known: Known) -> Decision:
        fields = [f"contact_ids[{n}]" for n in range(len(command.contact_ids))]
        people.check(contact_id, *command.contact_ids, fields=[None, *fields])
        said = []
        for who in dict.fromkeys(command.contact_ids):
            said += _merged(MergePair(contact_id, who), people)
        return Decision(said)

    event_id = keyed_id(tenant, f"contacts/{contact_id}/merge", idempotency_key)
    return await _decide(context, tenant, contact_id, decision, command, event_id, people, origin)


async def merge_pairs(
    context: Context,
    tenant: Tenant,
    pairs: Sequence[MergePair],
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> list[Merged]:
    """Each pair by itself, in order; what became of each. Some hundred are decided in one hold of the head."""
    results: dict[int, Merged] = {}
    first: dict[UUID, int] = {}
    for n, pair in enumerate(pairs):
        if first.setdefault(pair.merged_id, n) != n:
            problem = Conflict(f"contact {pair.merged_id} is to be merged by an earlier pair already")
            results[n] = Merged(pair, "rejected", problem=problem)
    numbers = sorted(first.values())
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        people = _People(context, tenant, (who for n in some for who in (pairs[n].contact_id, pairs[n].merged_id)))
        asked = [_pair_asked(pairs[n], people, keyed_id(tenant, "contacts/merges", idempotency_key, n)) for n in some]
        done = await decide_each(context, tenant, asked, origin=origin, beforehand=people.look_up)
        results |= {n: _result(pairs[n], one) for n, one in zip(some, done, strict=True)}
    return [results[n] for n in range(len(pairs))]


def _pair_asked(pair: MergePair, people: _People, event_id: UUID) -> Question:
    def decision(known: Known) -> Decision:
        people.check(pair.contact_id, pair.merged_id, fields=("contact_id", "merged_id"))
        return Decision(_merged(pair, people))

    return Question(contacts.stream_of(pair.merged_id), decision, pair, event_id)


def _merged(pair: MergePair, people: _People) -> list[merges.ContactMerged]:
    """What is decided counts for the pairs decided after it."""
    said = merges.merge(pair, people.links, removed=people.removed)
    people.links = merges.moved(people.links, ((event, 0) for event in said))
    return said


def _result(pair: MergePair, done: Done | Refused) -> Merged:
    if isinstance(done, Refused):
        return Merged(pair, "rejected", problem=done)
    return Merged(pair, "duplicate" if done.duplicate or done.lead is None else "recorded", done.position)


async def unmerge_contact(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    command: UnmergeContact,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Somebody merged into this contact, or into one of those it stands for, is somebody else again.

    Raises NotFound; Conflict with where it is merged, if anywhere.
    """
    people = _People(context, tenant, (contact_id, command.contact_id))

    def decision(known: Known) -> Decision:
        people.check(contact_id, command.contact_id, fields=(None, "contact_id"))
        return Decision(merges.unmerge(contact_id, command.contact_id, people.links))

    event_id = keyed_id(tenant, f"contacts/{contact_id}/unmerge", idempotency_key)
    return await _decide(context, tenant, command.contact_id, decision, command, event_id, people, origin)


async def tell_apart(
    context: Context, tenant: Tenant, command: TellApart, *, origin: Origin, idempotency_key: str | None = None
) -> Done:
    """Two contacts are two people: remembered. Raises NotFound, Invalid; Conflict while they are merged."""
    people = _People(context, tenant, command.contact_ids)
    pair = ties.pair(command.contact_ids)

    def decision(known: Known) -> Decision:
        people.check(*command.contact_ids, fields=("contact_ids[0]", "contact_ids[1]"))
        return Decision(merges.tell_apart(pair, people.links, known=bool(known.stored)))

    event_id = keyed_id(tenant, "contacts/not-the-same", idempotency_key)
    question = Question(merges.apart_stream(pair), decision, command, event_id)
    return _one(await decide_each(context, tenant, [question], origin=origin, beforehand=people.look_up))


async def _decide(
    context: Context,
    tenant: Tenant,
    about: UUID,
    decision: Callable[[Known], Decision],
    command: Struct,
    event_id: UUID,
    people: _People,
    origin: Origin,
) -> Done:
    question = Question(contacts.stream_of(about), decision, command, event_id)
    return _one(await decide_each(context, tenant, [question], origin=origin, beforehand=people.look_up))


def _one(results: Sequence[Done | Refused]) -> Done:
    [done] = results
    if isinstance(done, Refused):
        raise done
    return done
