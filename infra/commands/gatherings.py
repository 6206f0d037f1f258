"""Gatherings: planned, changed, called off, opened to guests; and who was there."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID, uuid5

from msgspec import UNSET, Struct
from msgspec.structs import replace

from domain import attendance, gatherings, money, recurrence, touchpoints
from domain.attendance import AttendanceStruck, Attended, CheckIn, NoteAttendance
from domain.errors import NotFound, Refused, field_below
from domain.event import Event
from domain.gatherings import (
    CancelGathering,
    ChangeGathering,
    EnterGuest,
    Gathering,
    Link,
    LinkOpened,
    PlanGathering,
)
from domain.recurrence import Occurrence
from domain.touchpoints import Reference, Touchpoint
from infra.commands.decisions import Decision, Done, Known, Question, decide, decide_each
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.links import digest_of, token_of
from infra.stored_events import Origin, keyed_id, read_stream
from infra.tenants import Tenant

LinkAct = Literal["open", "rotate", "close"]


class ChangeLink(Struct, frozen=True, forbid_unknown_fields=True):
    """`open` a public page, `rotate` its address (the one before ends), or `close` it."""

    act: LinkAct


class Noted(Struct, frozen=True):
    """What became of one arrival. `duplicate`: it was so already; `problem` where it was rejected."""

    status: Literal["recorded", "duplicate", "rejected"]
    contact_id: UUID | None = None
    touchpoint_id: UUID | None = None
    position: int | None = None
    problem: Refused | None = None


async def plan_gathering(
    context: Context, tenant: Tenant, command: PlanGathering, *, origin: Origin, idempotency_key: str | None = None
) -> tuple[UUID, Done]:
    """Its id. Raises Invalid; Refused for a cost in another currency than the business's; Conflict."""
    now = datetime.now(UTC)
    event_id = keyed_id(tenant, "gatherings", idempotency_key)
    gathering_id = uuid5(tenant.tenant_id, f"gathering\0{event_id}")

    def decision(known: Known) -> Decision:
        facts = gatherings.plan(
            command, gathering_id=gathering_id, time_zone=tenant.time_zone, currency=_currency(known), now=now
        )
        return Decision(facts)

    said = replace(command, starts_at=command.starts_at.astimezone(UTC))
    question = Question(gatherings.stream_of(gathering_id), decision, said, event_id, beside=_what_counts)
    return gathering_id, await decide(context, tenant, question, origin=origin)


def _what_counts(known: Known) -> list[str]:
    return [money.STREAM]


def _currency(known: Known) -> str | None:
    return known.fold(money.evolve, of=money.STREAM)


async def change_gathering(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    command: ChangeGathering,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
    expected_position: int | None = None,
) -> Done:
    """Raises NotFound, Invalid, Stale; Refused for what was called off."""
    now = datetime.now(UTC)
    event_id = keyed_id(tenant, f"gatherings/{gathering_id}", idempotency_key)

    def decision(known: Known) -> Decision:
        state = known.fold(gatherings.evolve)
        return Decision(gatherings.change(command, state, currency=_currency(known), now=now))

    at = command.starts_at
    question = Question(
        gatherings.stream_of(gathering_id),
        decision,
        command if at is UNSET else replace(command, starts_at=at.astimezone(UTC)),
        event_id,
        beside=_what_counts,
        expected_position=expected_position,
    )
    return await decide(context, tenant, question, origin=origin)


async def cancel_gathering(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    command: CancelGathering,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """One occurrence, or all to come. Raises NotFound, Invalid; Refused where somebody was there."""
    now = datetime.now(UTC)
    event_id = keyed_id(tenant, f"gatherings/{gathering_id}/cancel", idempotency_key)
    there = [] if command.occurrence is None else [attendance.stream_of(gathering_id, command.occurrence)]

    def decision(known: Known) -> Decision:
        checked_in = attendance.fold(event for stream in there for event, _ in known.beside[stream])
        present = [who for who, one in checked_in.items() if one.present]
        return Decision(gatherings.cancel(command, known.fold(gatherings.evolve), attended=present, now=now))

    question = Question(gatherings.stream_of(gathering_id), decision, command, event_id, beside=lambda known: there)
    return await decide(context, tenant, question, origin=origin)


async def change_link(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    command: ChangeLink,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> tuple[str | None, Done]:
    """The token of the public page's address, none where it is closed. Raises NotFound, Refused."""
    now = datetime.now(UTC)
    event_id = keyed_id(tenant, f"gatherings/{gathering_id}/link", idempotency_key)
    link_id = uuid5(event_id, "link")
    opened = {"link": link_id}

    def decision(known: Known) -> Decision:
        state = known.fold(gatherings.evolve)
        if command.act == "close":
            return Decision(gatherings.close_link(state))
        if state is not None and state.link is not None and command.act == "open":
            opened["link"] = state.link.link_id
        link = Link(link_id, digest_of(token_of(tenant, link_id)))
        return Decision(gatherings.open_link(state, link=link, anew=command.act == "rotate", now=now))

    question = Question(gatherings.stream_of(gathering_id), decision, command, event_id)
    done = await decide(context, tenant, question, origin=origin)
    if isinstance(done.lead, LinkOpened):
        opened["link"] = done.lead.link_id
    return None if command.act == "close" else token_of(tenant, opened["link"]), done


async def enter_guest(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    command: EnterGuest,
    *,
    token: str,
    guests: int = 0,
    origin: Origin,
) -> Done:
    """A guest of the public page, once; a contact from then on, with no touchpoint. `guests` are there already.

    Raises Invalid with the field; NotFound where the page is gone; Refused where it is full, Erased.
    """
    now = datetime.now(UTC)
    reference = Reference(email=command.email, name=command.name.strip())

    def own_stream(known: Known) -> list[str]:
        return [gatherings.guest_stream_of(gathering_id, known.people[0])]

    def decision(known: Known) -> Decision:
        [contact_id], [stream] = known.people, own_stream(known)
        facts = gatherings.enter(
            command,
            known.fold(gatherings.evolve),
            contact_id=contact_id,
            entered=bool(known.beside[stream]),
            guests=guests,
            token_digest=digest_of(token),
            now=now,
        )
        return Decision(facts)

    question = Question(
        gatherings.stream_of(gathering_id),
        decision,
        command,
        keyed_id(tenant, "guests", None),
        people=(reference,),
        fields=("guest",),
        beside=own_stream,
    )
    return await decide(context, tenant, question, origin=origin)


async def note_attendance(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    command: NoteAttendance,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> list[Noted]:
    """Who was there, each by themselves, in order. Safe to send again.

    Raises NotFound where there is no such gathering; Invalid, Refused where there is no such occurrence yet.
    """
    now = datetime.now(UTC)
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        stored = await read_stream(context, tenant, connection, gatherings.stream_of(gathering_id))
    _begun(_folded(event for event, _ in stored), command.occurrence, now)
    noted = []
    for n, arrival in enumerate(command.people):
        event_id = keyed_id(tenant, f"gatherings/{gathering_id}/attendance", idempotency_key, n)
        said = NoteAttendance(command.occurrence, (arrival,))
        try:
            with field_below(f"people[{n}]"):
                attendance.check(arrival)
            noted.append(await _note(context, tenant, gathering_id, said, n, now, event_id, origin))
        except Refused as refusal:
            noted.append(Noted("rejected", problem=refusal))
    return noted


async def _note(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    said: NoteAttendance,
    n: int,
    now: datetime,
    event_id: UUID,
    origin: Origin,
) -> Noted:
    [arrival] = said.people
    stream, plan = attendance.stream_of(gathering_id, said.occurrence), gatherings.stream_of(gathering_id)
    stands: dict[UUID, UUID] = {}
    so_far: list[tuple[UUID, CheckIn | None]] = []

    async def look_up(connection: Connection) -> None:
        rows = await connection.fetch(queries("gatherings").merged, tenant.tenant_id, gathering_id, said.occurrence)
        stands.update({row["contact_id"]: row["standing_id"] for row in rows})

    def last_word(known: Known) -> tuple[UUID, CheckIn | None]:
        """Who it is, as the contact they were checked in as, and what was said of them."""
        checked_in = attendance.fold(event for event, _ in known.stored)
        who = attendance.as_checked_in(known.people[0], checked_in, stands)
        return who, checked_in.get(who)

    def beside(known: Known) -> list[str]:
        _, was = last_word(known)
        return [plan] if was is None else [plan, touchpoints.stream_of(was.touchpoint_id)]

    def decision(known: Known) -> Decision:
        one = _begun(_folded(event for event, _ in known.beside[plan]), said.occurrence, now)
        contact_id, was = last_word(known)
        so_far.append((contact_id, was))
        facts = attendance.note(
            arrival,
            one,
            was,
            gathering_id=gathering_id,
            contact_id=contact_id,
            touchpoint=None if was is None else _touchpoint(known, was),
        )
        return Decision(facts, occurred_at=min(now, one.starts_at))

    question = Question(
        stream, decision, said, event_id, people=(arrival.who,), fields=(f"people[{n}].who",), beside=beside
    )
    [done] = await decide_each(context, tenant, [question], origin=origin, beforehand=look_up)
    if isinstance(done, Refused):
        raise done
    if isinstance(done.lead, Attended | AttendanceStruck):
        status: Literal["recorded", "duplicate"] = "duplicate" if done.duplicate else "recorded"
        return Noted(status, done.lead.contact_id, done.lead.touchpoint_id, done.position)
    [(contact_id, was)] = so_far
    if was is None:
        return Noted("duplicate", contact_id if arrival.came else None, position=done.position)
    return Noted("duplicate", contact_id, was.touchpoint_id, done.position)


def _touchpoint(known: Known, was: CheckIn) -> Touchpoint | None:
    return known.fold(touchpoints.evolve, of=touchpoints.stream_of(was.touchpoint_id))


def _begun(gathering: Gathering | None, day: date, now: datetime) -> Occurrence:
    if gathering is None:
        raise NotFound("there is no such gathering")
    return attendance.check_begun(recurrence.occurrence(gathering.schedule, day), now=now)


def _folded(events: Iterable[Event]) -> Gathering | None:
    state: Gathering | None = None
    for event in events:
        state = gatherings.evolve(state, event)
    return state
