"""Decisions: what has to be read before it is said, read and said while the tenant's head is held."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils
from msgspec import Struct
from msgspec.structs import replace

from domain import channels, events, money
from domain.channels import ChannelOpened
from domain.errors import Conflict, Erased, NotFound, Refused, Stale
from domain.event import Event
from domain.money import CurrencySettled
from domain.touchpoints import Named, Reference, TouchpointRecorded, check_reference
from infra import sealing
from infra.commands.people import Person, Room, named
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.event_log import Append, Claim, Verdict, append_now
from infra.stored_events import CANONICAL, Happened, Origin, draft, read_streams, subject_keys, understood
from infra.tenants import Tenant

State = TypeVar("State")


class Known(Struct, frozen=True):
    """What a decision is made from: its stream so far, the people it asked for, in order, and streams it reads too."""

    stored: Sequence[Happened]
    people: tuple[UUID, ...] = ()
    beside: Mapping[str, Sequence[Happened]] = {}

    def fold(self, evolve: Callable[[State | None, Event], State | None], *, of: str | None = None) -> State | None:
        """The state of the stream, or of one beside it; None for a stream nobody wrote to."""
        state: State | None = None
        for event, _ in self.stored if of is None else self.beside[of]:
            state = evolve(state, event)
        return state


class Decision(Struct, frozen=True):
    """What a decision leads to: its events (the last one leads) and what they claim. They happened at `occurred_at`,
    by default now; a touchpoint among them is stored under its own id, its channel opened where it is not."""

    events: Sequence[Event]
    claims: tuple[Claim, ...] = ()
    new_contact: UUID | None = None
    occurred_at: datetime | None = None


def nothing(known: Known) -> Iterable[str]:
    """Most decisions read one stream."""
    return ()


class Question(Struct, frozen=True):
    """One decision to be made: on which stream, by what, for which command.

    `event_id` becomes the lead event's: the same one with the same command is a duplicate and decides nothing again.
    `people` are checked, looked up and, where nobody knows them, opened by the decision's own append; `fields` says
    where each stands in the command. `beside` names further streams the decision reads; of several decided at once none
    may read what another writes. `id_from` is where the caller named the id. `expected_position` guards an edit made
    on a stale page. `asked_of` is whom the caller named, where that may come to be another stream: a repeat is told by
    it.
    """

    stream: str
    decision: Callable[[Known], Decision]
    command: Struct
    event_id: UUID
    people: tuple[Reference, ...] = ()
    fields: tuple[str, ...] = ()
    beside: Callable[[Known], Iterable[str]] = nothing
    id_from: str = "Idempotency-Key"
    expected_position: int | None = None
    asked_of: str | None = None


class Done(Struct, frozen=True):
    """What became of a decision: the position after which it can be seen, and its lead event where there is one that
    can be read."""

    position: int
    duplicate: bool = False
    lead: Event | None = None


class _Asked(Struct, frozen=True):
    question: Question
    fingerprint: bytes
    people: tuple[Named, ...]


async def decide(context: Context, tenant: Tenant, question: Question, *, origin: Origin) -> Done:
    """Hold the tenant's head, read the stream, decide, append, all in one transaction.

    Raises what the decision refuses; Conflict, Stale, Erased, NotUnderstood; TimeoutError when somebody else keeps the
    head.
    """
    [done] = await decide_each(context, tenant, [question], origin=origin)
    if isinstance(done, Refused):
        raise done
    return done


async def decide_each(
    context: Context,
    tenant: Tenant,
    questions: Sequence[Question],
    *,
    origin: Origin,
    beforehand: Callable[[Connection], Awaitable[None]] | None = None,
) -> list[Done | Refused]:
    """As `decide`, for some hundred at once, each on another stream: one commit, and what became of each, in order.

    `beforehand` reads, once the head is held, what the decisions need beside their streams.
    """
    if len({question.stream for question in questions}) < len(questions):
        raise ValueError("each decision is on another stream")
    results: dict[int, Done | Refused] = {}
    asked: dict[int, _Asked] = {}
    for n, question in enumerate(questions):
        try:
            asked[n] = _asked(question, tenant)
        except Refused as refusal:
            results[n] = refusal
    async with (
        context.turns.of(tenant.tenant_id),
        in_tenant(context.pool, tenant.tenant_id, seconds=2) as connection,
    ):
        position: int | None = await connection.fetchval(queries("event_log").hold_head, column=1)
        if position is None:
            raise NotFound("there is no such tenant")
        if beforehand is not None:
            await beforehand(connection)
        results |= await _repeats(connection, tenant, asked)
        fresh = {n: one for n, one in asked.items() if n not in results}
        results |= await _decide_fresh(context, tenant, connection, fresh, position, origin)
    context.bell.ring()
    return [results[n] for n in range(len(questions))]


def _asked(question: Question, tenant: Tenant) -> _Asked:
    for reference, at in zip(question.people, question.fields, strict=True):
        check_reference(reference, at=at)
    people = tuple(
        named(reference, tenant, at=at) for reference, at in zip(question.people, question.fields, strict=True)
    )
    said = [question.asked_of or question.stream, type(question.command).__name__, question.command]
    return _Asked(question, tenant.keys.fingerprint(CANONICAL.encode(said)), people)


async def _repeats(connection: Connection, tenant: Tenant, asked: Mapping[int, _Asked]) -> dict[int, Done | Refused]:
    """Those decided before, and those whose id was used for something else."""
    ids = [one.question.event_id for one in asked.values()]
    rows = await connection.fetch(queries("event_log").known, tenant.tenant_id, ids)
    found = {row["event_id"]: row for row in rows}
    return {n: _repeat(one, found[one.question.event_id]) for n, one in asked.items() if one.question.event_id in found}


def _repeat(one: _Asked, row: asyncpg.Record) -> Done | Refused:
    if row["fingerprint"] != one.fingerprint:
        field = one.question.id_from
        return Conflict(f"this {field} was used before, with other content", field=field)
    return Done(row["position"], duplicate=True, lead=events.understood(row["type"], row["version"], row["body"]))


async def _decide_fresh(
    context: Context,
    tenant: Tenant,
    connection: Connection,
    fresh: Mapping[int, _Asked],
    position: int,
    origin: Origin,
) -> dict[int, Done | Refused]:
    room = Room(context, tenant)
    await room.look_up(connection, _everybody(fresh.values()))
    stored = await read_streams(context, tenant, connection, [one.question.stream for one in fresh.values()])
    now = datetime.now(UTC)
    results: dict[int, Done | Refused] = {}
    met: dict[int, tuple[list[Person], Known]] = {}
    for n, one in fresh.items():
        try:
            people = _people(one, room, now)
            stream = understood(stored[one.question.stream])
            met[n] = people, Known(stream, tuple(person.contact_id for person in people))
        except Refused as refusal:
            results[n] = refusal
    beside = {n: list(fresh[n].question.beside(known)) for n, (_, known) in met.items()}
    further = list(chain.from_iterable(beside.values()))
    more = await read_streams(context, tenant, connection, further) if further else {}
    decided: dict[int, tuple[_Asked, Decision, list[Person]]] = {}
    for n, (people, known) in met.items():
        try:
            streams = {stream: understood(more[stream]) for stream in beside[n]}
            decision = fresh[n].question.decision(replace(known, beside=streams))
        except Refused as refusal:
            results[n] = refusal
            continue
        if decision.events:
            decided[n] = fresh[n], decision, people
        else:
            results[n] = Done(position)
    subjects = {who for _, decision, _ in decided.values() for event in decision.events for who in event.subjects}
    room.keys.update(await subject_keys(context, tenant, connection, subjects - room.keys.keys()))
    appends: dict[int, Append] = {}
    for n, (one, decision, people) in decided.items():
        try:
            appends[n] = _append(tenant, one, decision, people, room.keys, now, origin)
        except Refused as refusal:
            results[n] = refusal
    verdicts = await append_now(connection, list(appends.values()), waits=True) if appends else []
    for n, verdict in zip(appends, verdicts, strict=True):
        results[n] = _outcome(verdict, decided[n][1].events[-1])
    return results


def _everybody(asked: Iterable[_Asked]) -> list[tuple[Named, Reference]]:
    return [pair for one in asked for pair in zip(one.people, one.question.people, strict=True)]


def _people(one: _Asked, room: Room, now: datetime) -> list[Person]:
    question = one.question
    return [
        room.person(who, reference, since=now, at=at)
        for who, reference, at in zip(one.people, question.people, question.fields, strict=True)
    ]


def _append(
    tenant: Tenant,
    one: _Asked,
    decision: Decision,
    people: Sequence[Person],
    keys: dict[UUID, bytes],
    now: datetime,
    origin: Origin,
) -> Append:
    """Raises Erased."""
    wrapped = [person.key for person in people if person.key is not None]
    new = decision.new_contact
    if new is not None:
        keys[new] = sealing.new_key()
        wrapped.append((new, sealing.wrap(keys[new], under=tenant.keys.key, owner=new)))
    subjects = {who for event in decision.events for who in event.subjects}
    if any(who not in keys for who in subjects):
        raise Erased
    at, lead = decision.occurred_at or now, decision.events[-1]
    facts = [*_channels_opened(decision.events), *decision.events]
    said = [
        draft(event, one.question.event_id if event is lead else _beside(event), at, tenant, keys) for event in facts
    ]
    expected = one.question.expected_position
    return Append(
        tenant_id=tenant.tenant_id,
        drafts=(*(opened for person in people for opened in person.drafts), *said),
        fingerprint=one.fingerprint,
        meta=CANONICAL.encode(origin),
        claims=(*decision.claims, *(person.claim for person in people if person.claim is not None)),
        keys=tuple(wrapped),
        subjects=tuple(subjects),
        expected=None if expected is None else (one.question.stream, expected),
    )


def _channels_opened(facts: Iterable[Event]) -> list[Event]:
    """Openings of the channels that touchpoints are in: their ids are known, so each is stored once."""
    slugs = dict.fromkeys(fact.channel for fact in facts if isinstance(fact, TouchpointRecorded))
    return [channels.opened(slug) for slug in slugs]


def _beside(event: Event) -> UUID:
    """The id of what goes beside the lead: its own, where it has one."""
    match event:
        case ChannelOpened(channel=channel):
            return channels.opening_id(channel.slug)
        case TouchpointRecorded(touchpoint_id=touchpoint_id):
            return touchpoint_id
        case CurrencySettled():
            return money.SETTLED_ID
        case _:
            return uuid_utils.uuid7()


def _outcome(verdict: Verdict, lead: Event) -> Done | Refused:
    if verdict.judgement == "recorded" and verdict.position is not None:
        return Done(verdict.position, lead=lead)
    return refusal(verdict)


def refusal(verdict: Verdict, *, field: str | None = None) -> Refused:
    """What a verdict other than recorded or duplicate says to the caller."""
    match verdict.judgement:
        case "conflict":
            return Conflict("this id was used before, with other content", field=field)
        case "stale":
            return Stale()
        case "subject_erased":
            return Erased()
        case "contact_moved":
            return Conflict("another contact has this identity", field="identities")
        case "no_such_tenant":
            return NotFound("there is no such tenant")
        case _:
            raise AssertionError(verdict.judgement)
