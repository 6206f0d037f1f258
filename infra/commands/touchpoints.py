"""Touchpoints need no decision that reads: their people are looked up in one query, unknown ones get proposed ids, and
the append itself judges whether the proposals still hold."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from domain import channels, events, touchpoints
from domain.errors import Conflict, Invalid, Refused
from domain.touchpoints import Named, RecordTouchpoint, StrikeTouchpoint, TouchpointRecorded
from infra.commands.decisions import Decision, Done, Known, Question, decide, refusal
from infra.commands.people import Room
from infra.context import Context
from infra.database import in_tenant, queries
from infra.event_log import Append, Draft, Unstorable, Verdict
from infra.stored_events import CANONICAL, Origin, draft, keyed_id
from infra.tenants import Tenant

ROUNDS = 12


class Recorded(Struct, frozen=True):
    """What became of one touchpoint. `position` of the fact; `problem` where it was rejected."""

    status: Literal["recorded", "duplicate", "rejected"]
    event_id: UUID | None = None
    contact_ids: tuple[UUID, ...] = ()
    position: int | None = None
    problem: Refused | None = None


class _Item(Struct):
    index: int
    command: RecordTouchpoint
    event_id: UUID
    fingerprint: bytes
    people: tuple[Named, ...]


class _Request(Struct, frozen=True):
    """What the items of one call share."""

    context: Context
    tenant: Tenant
    meta: bytes
    room: Room


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
    request = _Request(context, tenant, CANONICAL.encode(origin), Room(context, tenant))
    for _ in range(ROUNDS):
        if not pending:
            break
        async with in_tenant(context.pool, tenant.tenant_id) as connection:
            await request.room.look_up(connection, _everybody(pending))
        pending = await _append_round(request, pending, results)
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
    people = touchpoints.all_named(command, country=tenant.country)
    canonical = CANONICAL.encode(msgspec.structs.replace(command, occurred_at=command.occurred_at.astimezone(UTC)))
    event_id = _event_id(tenant, command, idempotency_key, index)
    return _Item(index, command, event_id, tenant.keys.fingerprint(canonical), people)


def _event_id(tenant: Tenant, command: RecordTouchpoint, idempotency_key: str | None, index: int) -> UUID:
    if command.source is not None and command.source_id is not None:
        return sourced_id(tenant, command.source, command.source_id)
    return keyed_id(tenant, "touchpoints", idempotency_key, index)


def check_touchpoint(tenant: Tenant, item: RecordTouchpoint, *, now: datetime) -> UUID:
    """The id the touchpoint would be recorded under, if it can be. Raises Refused."""
    return _read(0, item, tenant, None, now).event_id


def sourced_id(tenant: Tenant, source: str, source_id: str) -> UUID:
    """The id of the touchpoint that this source calls so."""
    return uuid5(tenant.tenant_id, f"source\0{source}\0{source_id}")


def _everybody(items: Iterable[_Item]) -> list[tuple[Named, touchpoints.Reference]]:
    return [pair for item in items for pair in zip(item.people, item.command.people, strict=True)]


async def _append_round(request: _Request, pending: Sequence[_Item], results: dict[int, Recorded]) -> list[_Item]:
    """Append what is pending; those whose people were somebody else's meanwhile come back."""
    sent: list[tuple[_Item, tuple[UUID, ...], Append]] = []
    for item in pending:
        try:
            append, ids = _encode(request, item)
            sent.append((item, ids, append))
        except Refused as problem:
            results[item.index] = Recorded("rejected", problem=problem)
    writer, tenant_id = request.context.writer, request.tenant.tenant_id
    verdicts = await asyncio.gather(*(_appended(request.context, append) for *_, append in sent))
    moved = []
    for (item, ids, _), verdict in zip(sent, verdicts, strict=True):
        if isinstance(verdict, Refused):
            results[item.index] = Recorded("rejected", problem=verdict)
        elif verdict.judgement == "contact_moved":
            moved.append(item)
        else:
            results[item.index] = _outcome(item, ids, verdict)
            if verdict.judgement == "recorded":
                writer.learn_channel(tenant_id, item.command.channel)
    return moved


def _encode(request: _Request, item: _Item) -> tuple[Append, tuple[UUID, ...]]:
    """The item as an append, and its contacts in the order given. Raises Refused."""
    command, tenant = item.command, request.tenant
    people = [
        request.room.person(who, reference, since=command.occurred_at, at=f"with[{n}]")
        for n, (who, reference) in enumerate(zip(item.people, command.people, strict=True))
    ]
    ids = tuple(person.contact_id for person in people)
    words = touchpoints.words_to_mark(command)
    mark = None if words is None else tenant.keys.mark(words)
    fact = touchpoints.record(command, touchpoint_id=item.event_id, contact_ids=ids, text_mark=mark)
    append = Append(
        tenant_id=tenant.tenant_id,
        drafts=(
            *_channel_opened(request, command),
            *(one for person in people for one in person.drafts),
            draft(fact, item.event_id, command.occurred_at, tenant, request.room.keys),
        ),
        fingerprint=item.fingerprint,
        meta=request.meta,
        claims=tuple(person.claim for person in people if person.claim is not None),
        keys=tuple(person.key for person in people if person.key is not None),
        subjects=ids,
    )
    return append, ids


def _channel_opened(request: _Request, command: RecordTouchpoint) -> tuple[Draft, ...]:
    slug, tenant = command.channel, request.tenant
    if request.context.writer.knows_channel(tenant.tenant_id, slug):
        return ()
    return (draft(channels.opened(slug), channels.opening_id(slug), command.occurred_at, tenant, {}),)


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
            return Recorded("rejected", item.event_id, problem=refusal(verdict, field=field))


async def _name_people_of_duplicates(context: Context, tenant: Tenant, results: dict[int, Recorded]) -> None:
    """A repeat answers with the people of the first time, where that can still be read."""
    wanted = [result.event_id for result in results.values() if result.status == "duplicate"]
    if not wanted:
        return
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("event_log").by_ids, tenant.tenant_id, wanted)
    found = {row["event_id"]: events.understood(row["type"], row["version"], row["body"]) for row in rows}
    for index, result in results.items():
        fact = found.get(result.event_id)
        if result.status == "duplicate" and isinstance(fact, TouchpointRecorded):
            results[index] = msgspec.structs.replace(result, contact_ids=fact.contact_ids)


async def strike_touchpoint(
    context: Context,
    tenant: Tenant,
    touchpoint_id: UUID,
    command: StrikeTouchpoint,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Take a touchpoint back. Raises NotFound."""

    def decision(known: Known) -> Decision:
        return Decision(touchpoints.strike(command, known.fold(touchpoints.evolve)))

    event_id = keyed_id(tenant, f"strike/{touchpoint_id}", idempotency_key)
    question = Question(touchpoints.stream_of(touchpoint_id), decision, command, event_id)
    return await decide(context, tenant, question, origin=origin)
