"""From a command to events in the log: the one road, for API, imports, webhooks, workers and the command line.

Touchpoints need no decision that reads: their people are looked up in one query, unknown ones get proposed ids, and the
append itself judges whether the proposal still holds. Everything else is decided under the tenant's head.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import channels, contacts, events, identities, nudges, touchpoints
from domain.channels import ChannelOpened
from domain.errors import Conflict, Erased, Invalid, NotFound, Refused, Stale
from domain.event import Event
from domain.touchpoints import RecordTouchpoint, Reference, TouchpointRecorded
from infra import sealing
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.event_log import Append, Claim, Draft, Unstorable, Verdict, append_now
from infra.tenants import Tenant

ROUNDS = 12
CANONICAL = msgspec.json.Encoder(order="deterministic")


class Origin(Struct, frozen=True, omit_defaults=True):
    """Who asks, through what: the events' meta."""

    actor: str
    source: Literal["api", "cli", "worker", "demo", "import"]
    correlation: str | None = None
    causation: str | None = None


class Recorded(Struct, frozen=True):
    """What became of one touchpoint. `position` of the fact; `problem` where it was rejected."""

    status: Literal["recorded", "duplicate", "rejected"]
    event_id: UUID | None = None
    contact_ids: tuple[UUID, ...] = ()
    position: int | None = None
    problem: Refused | None = None


class Done(Struct, frozen=True):
    """What became of a decision: the position after which it can be seen."""

    position: int
    duplicate: bool = False


class _Person(Struct, frozen=True):
    """A contact as a touchpoint's item refers to it: known, or proposed with the facts that open it."""

    contact_id: UUID
    drafts: tuple[Draft, ...] = ()
    claim: Claim | None = None
    key: tuple[UUID, bytes] | None = None


class _Item(Struct):
    index: int
    command: RecordTouchpoint
    event_id: UUID
    fingerprint: bytes
    people: tuple[tuple[str, str] | UUID | None, ...]  # identity, contact id, or nobody known (a name alone)


async def record_touchpoints(
    context: Context,
    tenant: Tenant,
    items: Sequence[RecordTouchpoint | Refused],
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> list[Recorded]:
    """Record each item by itself, in order, and say of each what became of it.

    An item that could not even be read comes as its refusal and goes out as rejected. Raises Unavailable when the
    database is away; then any item may or may not be recorded, and the same call may be made again.
    """
    now = datetime.now(UTC)
    results: dict[int, Recorded] = {}
    pending: list[_Item] = []
    for index, given in enumerate(items):
        try:
            pending.append(_read(index, given, tenant, idempotency_key, now))
        except Refused as problem:
            results[index] = Recorded("rejected", problem=problem)
    room = _Room(context, tenant, CANONICAL.encode(origin))
    for _ in range(ROUNDS):
        if not pending:
            break
        await room.look_up(pending)
        pending = await _append_round(context, room, pending, results)
    for item in pending:
        results[item.index] = Recorded(
            "rejected", problem=Conflict("the people of this touchpoint keep changing: send it again")
        )
    await _name_people_of_duplicates(context, tenant, results)
    context.bell.ring()
    return [results[index] for index in range(len(items))]


def _read(
    index: int, item: RecordTouchpoint | Refused, tenant: Tenant, idempotency_key: str | None, now: datetime
) -> _Item:
    if isinstance(item, Refused):
        raise item
    command = touchpoints.check(item, now=now)
    people = tuple(_identity(reference, tenant, at=f"with[{n}]") for n, reference in enumerate(command.people))
    known = [who for who in people if who is not None]
    for n, who in enumerate(known):
        if who in known[:n]:
            raise Invalid(
                "this person stands in the touchpoint twice", field=f"with[{people.index(who, people.index(who) + 1)}]"
            )
    canonical = CANONICAL.encode(msgspec.structs.replace(command, occurred_at=command.occurred_at.astimezone(UTC)))
    event_id = _event_id(tenant, command, idempotency_key, index)
    return _Item(index, command, event_id, tenant.keys.fingerprint(canonical), people)


def _event_id(tenant: Tenant, command: RecordTouchpoint, idempotency_key: str | None, index: int) -> UUID:
    if command.source_id is not None:
        return uuid5(tenant.tenant_id, f"source\0{command.source}\0{command.source_id}")
    return keyed_id(tenant, "touchpoints", idempotency_key, index)


def keyed_id(tenant: Tenant, route: str, idempotency_key: str | None, index: int = 0) -> UUID:
    """The id of what this call makes: the same for the same Idempotency-Key on this route, else a new one."""
    if idempotency_key is None:
        return uuid_utils.uuid7()
    return uuid5(tenant.tenant_id, f"key\0{route}\0{idempotency_key}\0{index}")


def _identity(reference: Reference, tenant: Tenant, *, at: str) -> tuple[str, str] | UUID | None:
    with _field_below(at):
        if reference.contact_id is not None:
            return reference.contact_id
        if reference.email is not None:
            return identities.normalise("email", reference.email, country=tenant.country)
        if reference.phone is not None:
            return identities.normalise("phone", reference.phone, country=tenant.country)
        if reference.platform is not None and reference.handle is not None:
            return _platform_identity(reference.platform, reference.handle, tenant)
    return None


def _platform_identity(platform: str, handle: str, tenant: Tenant) -> tuple[str, str]:
    try:
        return identities.normalise(platform, handle, country=tenant.country)
    except Invalid as error:
        raise Invalid(error.reason, field="platform" if error.field == "platform" else "handle") from None


@contextmanager
def _field_below(at: str) -> Iterator[None]:
    """A refusal inside names its field as seen from the whole item."""
    try:
        yield
    except Invalid as error:
        raise Invalid(error.reason, field=f"{at}.{error.field}") from None


class _Room:
    """The people of one request: known ones by query, proposals shared by all its items."""

    def __init__(self, context: Context, tenant: Tenant, meta: bytes) -> None:
        self._context = context
        self.tenant = tenant
        self.meta = meta
        self._holders: dict[tuple[str, str], UUID] = {}
        self._proposed: dict[tuple[str, str], _Person] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._keys: dict[UUID, bytes] = {}

    async def look_up(self, items: Iterable[_Item]) -> None:
        """Read who holds the identities, and which of the named contacts there are."""
        named = set()
        for item in items:
            for who, reference in zip(item.people, item.command.people, strict=True):
                if isinstance(who, tuple):
                    named.add(who)
                    if reference.name:
                        self._names.setdefault(who, reference.name.strip())
        digests = {
            (platform, self.tenant.keys.digest(platform, handle)): (platform, handle) for platform, handle in named
        }
        ids = {who for item in items for who in item.people if isinstance(who, UUID)}
        async with in_tenant(self._context.pool, self.tenant.tenant_id) as connection:
            if digests:
                rows = await connection.fetch(
                    queries("event_log").holders,
                    self.tenant.tenant_id,
                    [platform for platform, _ in digests],
                    [digest for _, digest in digests],
                )
                self._holders.update({digests[row["platform"], row["handle"]]: row["contact_id"] for row in rows})
            ids.update(self._holders[who] for who in named if who in self._holders)
            self._keys.update(await subject_keys(self._context, self.tenant, connection, ids))

    def person(self, who: tuple[str, str] | UUID | None, reference: Reference, item: _Item, at: str) -> _Person:
        """Who it is, or who it will be."""
        if isinstance(who, UUID):
            if who not in self._keys:
                raise NotFound("there is no such contact", field=f"{at}.contact_id")
            return _Person(who)
        if who is None:
            return self._propose(None, reference, item)
        if who in self._holders:
            return _Person(self._holders[who])
        if who not in self._proposed:
            self._proposed[who] = self._propose(who, reference, item)
        return self._proposed[who]

    def _propose(self, who: tuple[str, str] | None, reference: Reference, item: _Item) -> _Person:
        contact_id, key = uuid_utils.uuid7(), sealing.new_key()
        self._keys[contact_id] = key
        name = self._names.get(who) if who else reference.name and reference.name.strip()
        facts = contacts.opening(contact_id, name=name, hint=reference.hint, identities=[who] if who else [])
        drafts = tuple(
            draft(fact, contacts.opening_id(contact_id, fact.TYPE), item.command.occurred_at, self.tenant, self._keys)
            for fact in facts
        )
        claim = Claim(who[0], self.tenant.keys.digest(*who), contact_id) if who else None
        return _Person(
            contact_id, drafts, claim, (contact_id, sealing.wrap(key, under=self.tenant.keys.key, owner=contact_id))
        )

    def encode(self, item: _Item) -> tuple[Append, tuple[UUID, ...]]:
        """The item as an append, and its contacts in the order given. Raises Refused."""
        command = item.command
        people = [
            self.person(who, reference, item, f"with[{n}]")
            for n, (who, reference) in enumerate(zip(item.people, command.people, strict=True))
        ]
        ids = tuple(person.contact_id for person in people)
        fact = touchpoints.record(command, touchpoint_id=item.event_id, contact_ids=ids)
        opening = (
            ()
            if self._context.writer.knows_channel(self.tenant.tenant_id, command.channel)
            else self._open_channel(item)
        )
        append = Append(
            tenant_id=self.tenant.tenant_id,
            drafts=(
                *opening,
                *(one for person in people for one in person.drafts),
                draft(fact, item.event_id, command.occurred_at, self.tenant, self._keys),
            ),
            fingerprint=item.fingerprint,
            meta=self.meta,
            claims=tuple(person.claim for person in people if person.claim is not None),
            keys=tuple(person.key for person in people if person.key is not None),
            subjects=ids,
        )
        return append, ids

    def _open_channel(self, item: _Item) -> tuple[Draft, ...]:
        slug = item.command.channel
        return (draft(channels.opened(slug), channels.opening_id(slug), item.command.occurred_at, self.tenant, {}),)


async def _append_round(
    context: Context, room: _Room, pending: list[_Item], results: dict[int, Recorded]
) -> list[_Item]:
    """Append what is pending; those whose people were somebody else's meanwhile come back."""
    sent: list[tuple[_Item, tuple[UUID, ...], Append]] = []
    for item in pending:
        try:
            append, ids = room.encode(item)
            sent.append((item, ids, append))
        except Refused as problem:
            results[item.index] = Recorded("rejected", problem=problem)
    verdicts = await asyncio.gather(*(_appended(context, append) for *_, append in sent))
    moved = []
    for (item, ids, _), verdict in zip(sent, verdicts, strict=True):
        if isinstance(verdict, Refused):
            results[item.index] = Recorded("rejected", problem=verdict)
        elif verdict.judgement == "contact_moved":
            moved.append(item)
        else:
            results[item.index] = _outcome(item, ids, verdict)
            if verdict.judgement == "recorded":
                context.writer.learn_channel(room.tenant.tenant_id, item.command.channel)
    return moved


async def _appended(context: Context, append: Append) -> Verdict | Refused:
    """The verdict; a refusal for what the database does not take, so that its neighbours keep theirs."""
    try:
        return await context.writer.append(append)
    except Unstorable:
        return Invalid("this cannot be stored")


def _outcome(item: _Item, ids: tuple[UUID, ...], verdict: Verdict) -> Recorded:
    match verdict.judgement:
        case "recorded":
            return Recorded("recorded", item.event_id, ids, verdict.position)
        case "duplicate":
            return Recorded("duplicate", item.event_id, (), verdict.position)
        case _:
            field = "source_id" if item.command.source_id is not None else "Idempotency-Key"
            return Recorded("rejected", item.event_id, problem=_refusal(verdict, field=field))


def _refusal(verdict: Verdict, *, field: str | None = None) -> Refused:
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


async def _name_people_of_duplicates(context: Context, tenant: Tenant, results: dict[int, Recorded]) -> None:
    """A repeat answers with the people of the first time."""
    wanted = [result.event_id for result in results.values() if result.status == "duplicate"]
    if not wanted:
        return
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("event_log").by_ids, tenant.tenant_id, wanted)
    found = {row["event_id"]: events.decode(row["type"], row["version"], row["body"]) for row in rows}
    for index, result in results.items():
        fact = found.get(result.event_id)
        if result.status == "duplicate" and isinstance(fact, TouchpointRecorded):
            results[index] = msgspec.structs.replace(result, contact_ids=fact.contact_ids)


def draft(event: Event, event_id: UUID, occurred_at: datetime, tenant: Tenant, keys: Mapping[UUID, bytes]) -> Draft:
    """An event as it is stored: its body, and its personal fields sealed under its subjects' keys."""
    body, personal = events.encode(event)
    sealed = None
    if personal is not None:
        key = sealing.joint_key(tenant.keys, {who: keys[who] for who in event.subjects})
        sealed = sealing.seal(personal, key=key, tenant_id=tenant.tenant_id, stream=event.stream, event_id=event_id)
    return Draft(event.stream, event_id, event.TYPE, event.VERSION, occurred_at, body, sealed)


async def subject_keys(
    context: Context, tenant: Tenant, connection: Connection, subjects: Iterable[UUID]
) -> dict[UUID, bytes]:
    """The keys of those that have one: unknown and erased people are missing."""
    wanted = set(subjects)
    keys = context.ring.kept(tenant.tenant_id, wanted)
    missing = wanted - keys.keys()
    if missing:
        rows = await connection.fetch(queries("event_log").subject_keys, tenant.tenant_id, list(missing))
        keys.update(context.ring.keep(tenant.keys, ((row["subject_id"], row["wrapped_key"]) for row in rows)))
    return keys


class Decision(Struct, frozen=True):
    """What a decision leads to: its events (the last one leads) and what they claim."""

    events: Sequence[Event]
    claims: tuple[Claim, ...] = ()
    new_contact: UUID | None = None


async def decide(
    context: Context,
    tenant: Tenant,
    stream: str,
    decision: Callable[[list[tuple[Event, datetime]]], Decision],
    *,
    command: Struct,
    event_id: UUID,
    origin: Origin,
    expected_position: int | None = None,
) -> Done:
    """Hold the tenant's head, read the stream, decide, append, all in one transaction.

    `event_id` becomes the lead event's: the same one with the same command is a duplicate and decides nothing again.
    Raises what the decision refuses; Conflict, Stale, Erased; TimeoutError when the head stays held by somebody else.
    """
    fingerprint = tenant.keys.fingerprint(CANONICAL.encode([stream, type(command).__name__, command]))
    async with (
        context.turns.of(tenant.tenant_id),
        in_tenant(context.pool, tenant.tenant_id, seconds=2) as connection,
    ):
        position: int | None = await connection.fetchval(queries("event_log").hold_head, column=1)
        if position is None:
            raise NotFound("there is no such tenant")
        known = await connection.fetchrow(queries("event_log").known, tenant.tenant_id, event_id)
        if known is not None:
            if known["fingerprint"] != fingerprint:
                raise Conflict("this Idempotency-Key was used before, with other content", field="Idempotency-Key")
            return Done(known["position"], duplicate=True)
        stored = await read_stream(context, tenant, connection, stream)
        decided = decision([(event, at) for event, at in stored])
        if not decided.events:
            return Done(position)
        append = await _decided(context, tenant, connection, decided, event_id, fingerprint, origin)
        if expected_position is not None:
            append = msgspec.structs.replace(append, expected=(stream, expected_position))
        [verdict] = await append_now(connection, [append], waits=True)
    if verdict.judgement != "recorded" or verdict.position is None:
        raise _refusal(verdict)
    context.bell.ring()
    return Done(verdict.position)


async def _decided(
    context: Context,
    tenant: Tenant,
    connection: Connection,
    decided: Decision,
    event_id: UUID,
    fingerprint: bytes,
    origin: Origin,
) -> Append:
    now = datetime.now(UTC)
    subjects = {who for event in decided.events for who in event.subjects}
    new = decided.new_contact
    keys = await subject_keys(context, tenant, connection, subjects - {new})
    wrapped: tuple[tuple[UUID, bytes], ...] = ()
    if new is not None:
        keys[new] = sealing.new_key()
        wrapped = ((new, sealing.wrap(keys[new], under=tenant.keys.key, owner=new)),)
    if subjects - keys.keys():
        raise Erased
    drafts = tuple(
        draft(event, event_id if event is decided.events[-1] else _beside_the_lead(event), now, tenant, keys)
        for event in decided.events
    )
    return Append(
        tenant.tenant_id, drafts, fingerprint, CANONICAL.encode(origin), decided.claims, wrapped, tuple(subjects)
    )


def _beside_the_lead(event: Event) -> UUID:
    """A new id, but a channel's opening has its own."""
    return channels.opening_id(event.channel.slug) if isinstance(event, ChannelOpened) else uuid_utils.uuid7()


async def read_stream(
    context: Context, tenant: Tenant, connection: Connection, stream: str
) -> list[tuple[Event, datetime]]:
    """A stream's events with the time each happened, personal fields readable where the keys are still there."""
    rows = await connection.fetch(queries("event_log").stream, tenant.tenant_id, stream)
    plain = [(row, events.decode(row["type"], row["version"], row["body"])) for row in rows]
    subjects = {who for row, event in plain if row["sealed"] is not None for who in event.subjects}
    keys = await subject_keys(context, tenant, connection, subjects)
    return [
        (
            event
            if row["sealed"] is None
            else readable(event, tenant, row["sealed"], row["stream"], row["event_id"], keys),
            row["occurred_at"],
        )
        for row, event in plain
    ]


def readable(
    event: Event, tenant: Tenant, sealed: bytes, stream: str, event_id: UUID, keys: Mapping[UUID, bytes]
) -> Event:
    """The event with its personal fields; without them where a subject's key is gone."""
    if any(who not in keys for who in event.subjects):
        return event
    key = sealing.joint_key(tenant.keys, {who: keys[who] for who in event.subjects})
    plain = sealing.unseal(sealed, key=key, tenant_id=tenant.tenant_id, stream=stream, event_id=event_id)
    return events.with_personal(event, plain)


async def strike_touchpoint(
    context: Context, tenant: Tenant, touchpoint_id: UUID, command: touchpoints.StrikeTouchpoint, *, origin: Origin,
    idempotency_key: str | None = None,
) -> Done:  # fmt: skip
    """Take a touchpoint back. Raises NotFound."""

    def decision(stored: list[tuple[Event, datetime]]) -> Decision:
        state: touchpoints.Touchpoint | None = None
        for event, _ in stored:
            state = touchpoints.evolve(state, event)
        return Decision(touchpoints.strike(command, state))

    return await decide(
        context, tenant, touchpoints.stream_of(touchpoint_id), decision, command=command,
        event_id=keyed_id(tenant, f"strike/{touchpoint_id}", idempotency_key), origin=origin,
    )  # fmt: skip


async def add_contact(
    context: Context,
    tenant: Tenant,
    command: contacts.AddContact,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> tuple[UUID, Done]:
    """A new contact, and its id. Raises Invalid; Conflict when one of the identities is somebody's already."""
    event_id = keyed_id(tenant, "contacts", idempotency_key)
    contact_id = uuid5(contacts.NAMESPACE, str(event_id))
    known = _identities(command.identities, tenant)

    def decision(stored: list[tuple[Event, datetime]]) -> Decision:
        facts = contacts.add(command, contact_id=contact_id, identities=known)
        return Decision(facts, _claims(known, contact_id, tenant), new_contact=contact_id)

    done = await decide(
        context, tenant, contacts.stream_of(contact_id), decision, command=command, event_id=event_id, origin=origin
    )
    return contact_id, done


async def change_contact(
    context: Context, tenant: Tenant, contact_id: UUID, command: contacts.ChangeContact, *, origin: Origin,
    idempotency_key: str | None = None, expected_position: int | None = None,
) -> Done:  # fmt: skip
    """Raises NotFound, Invalid, Stale; Conflict when an identity is another contact's."""
    known = _identities(command.identities, tenant)

    def decision(stored: list[tuple[Event, datetime]]) -> Decision:
        facts = contacts.change(command, contacts.fold(event for event, _ in stored), identities=known)
        return Decision(facts, _claims(known, contact_id, tenant))

    return await decide(
        context, tenant, contacts.stream_of(contact_id), decision, command=command, origin=origin,
        event_id=keyed_id(tenant, f"contacts/{contact_id}", idempotency_key), expected_position=expected_position,
    )  # fmt: skip


def _identities(given: Sequence[contacts.IdentityGiven], tenant: Tenant) -> list[tuple[str, str]]:
    known = []
    for n, identity in enumerate(given):
        with _field_below(f"identities[{n}]"):
            known.append(_platform_identity(identity.platform, identity.handle, tenant))
    return list(dict.fromkeys(known))


def _claims(known: Iterable[tuple[str, str]], contact_id: UUID, tenant: Tenant) -> tuple[Claim, ...]:
    return tuple(Claim(platform, tenant.keys.digest(platform, handle), contact_id) for platform, handle in known)


async def describe_channel(
    context: Context,
    tenant: Tenant,
    command: channels.DescribeChannel,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Open a channel as described, or describe it anew. Raises Invalid."""
    channels.check_slug(command.slug, field="slug")
    event_id = keyed_id(tenant, "channels", idempotency_key)

    def decision(stored: list[tuple[Event, datetime]]) -> Decision:
        state: channels.Channel | None = None
        for event, _ in stored:
            state = channels.evolve(state, event)
        return Decision(channels.decide(command, state))

    return await decide(
        context, tenant, channels.stream_of(command.slug), decision, command=command, event_id=event_id, origin=origin
    )


async def answer_nudge(
    context: Context,
    tenant: Tenant,
    nudge_id: UUID,
    command: nudges.Command,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
    told: Struct | None = None,
) -> Done:
    """What a member answers to a nudge. `told` is what they said where the command was made from it.

    Raises NotFound, Refused, Invalid; Conflict for other content under the same key.
    """
    now = datetime.now(UTC)

    def decision(stored: list[tuple[Event, datetime]]) -> Decision:
        return Decision(nudges.decide(command, _nudge(stored), now=now))

    return await decide(
        context, tenant, nudges.stream_of(nudge_id), decision, command=told or command,
        event_id=keyed_id(tenant, f"nudges/{nudge_id}/{type(command).__name__}", idempotency_key), origin=origin,
    )  # fmt: skip


async def finish_nudge(
    context: Context,
    tenant: Tenant,
    nudge_id: UUID,
    told: nudges.TellDone,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Done elsewhere: what was done is recorded as a touchpoint, once, and the nudge is done by it.

    Raises NotFound, Invalid; Refused when the nudge ended otherwise; Conflict for other content under the same key.
    """
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        stored = await read_stream(context, tenant, connection, nudges.stream_of(nudge_id))
    state = _nudge(stored)
    if state is None:
        raise NotFound("there is no such nudge")
    if state.state not in nudges.OPEN and state.state != "done":
        raise Refused(f"this nudge is {state.state}")
    fact = RecordTouchpoint(
        kind=told.kind,
        occurred_at=told.occurred_at or datetime.now(UTC),
        channel=told.channel,
        direction="mutual",
        people=(Reference(contact_id=state.contact_id),),
        minutes=told.minutes,
        note=told.note,
        source="nudge",
        source_id=str(nudge_id),
    )
    [recorded] = await record_touchpoints(context, tenant, [fact], origin=origin)
    if recorded.event_id is None or (recorded.problem is not None and not isinstance(recorded.problem, Conflict)):
        raise recorded.problem or NotFound("there is no such contact")
    command = nudges.FinishNudge(recorded.event_id)
    return await answer_nudge(
        context, tenant, nudge_id, command, origin=origin, idempotency_key=idempotency_key, told=told
    )


def _nudge(stored: Iterable[tuple[Event, datetime]]) -> nudges.Nudge | None:
    state: nudges.Nudge | None = None
    for event, at in stored:
        state = nudges.evolve(state, event, at)
    return state
