"""Appointments: planned one by one or by the thousand, and what people or sources say of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

import uuid_utils.compat as uuid_utils
from msgspec import UNSET, Struct
from msgspec.structs import replace

from domain import appointments, touchpoints
from domain.appointments import (
    Appointment,
    AppointmentCancelled,
    AppointmentMoved,
    AppointmentPlanned,
    CancelAppointment,
    MoveAppointment,
    PlanAppointment,
    TellHappened,
    TellMissed,
)
from domain.errors import Refused
from domain.touchpoints import Reference, TouchpointRecorded
from infra.commands.decisions import Decision, Done, Known, Question, decide, decide_each
from infra.commands.touchpoints import sourced_id
from infra.context import Context
from infra.database import Connection, queries
from infra.stored_events import Origin, keyed_id
from infra.tenants import Tenant

AT_ONCE = 100


class Planned(Struct, frozen=True):
    """What became of one plan told. `unchanged`: it was no news. `position` from which on it can be seen."""

    status: Literal["planned", "moved", "cancelled", "unchanged", "rejected"]
    appointment_id: UUID | None = None
    contact_ids: tuple[UUID, ...] = ()
    position: int | None = None
    problem: Refused | None = None


async def plan_appointment(
    context: Context,
    tenant: Tenant,
    command: PlanAppointment,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> tuple[UUID, Done]:
    """Plan a meeting; with a source and its source_id, or move or call off what was planned. Its id.

    What is a touchpoint of that source and time already is no news. Raises Invalid; Conflict for other content under
    the same key.
    """
    appointment_id, question = _planning(tenant, command, idempotency_key, datetime.now(UTC))
    return appointment_id, await decide(context, tenant, question, origin=origin)


async def plan_appointments(
    context: Context, tenant: Tenant, items: Sequence[PlanAppointment | Refused], *, origin: Origin
) -> list[Planned]:
    """As `plan_appointment` for each, in order: what became of each. Safe to run again where it was broken off.

    An item that could not even be read comes as its refusal and goes out as rejected.
    """
    now = datetime.now(UTC)
    results: dict[int, Planned] = {}
    asked: list[tuple[int, UUID, Question]] = []
    for n, item in enumerate(items):
        try:
            if isinstance(item, Refused):
                raise item
            asked.append((n, *_planning(tenant, item, None, now)))
        except Refused as problem:
            results[n] = Planned("rejected", problem=problem)
    for batch in _batches(asked):
        done = await decide_each(context, tenant, [question for *_, question in batch], origin=origin)
        results |= {n: _planned(appointment_id, one) for (n, appointment_id, _), one in zip(batch, done, strict=True)}
    return [results[n] for n in range(len(items))]


def _batches(asked: Iterable[tuple[int, UUID, Question]]) -> Iterator[list[tuple[int, UUID, Question]]]:
    """In order, some at once; one that is told again goes into the next batch."""
    batch: list[tuple[int, UUID, Question]] = []
    for one in asked:
        if len(batch) == AT_ONCE or any(one[1] == other for _, other, _ in batch):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _planned(appointment_id: UUID, done: Done | Refused) -> Planned:
    match done:
        case Refused():
            return Planned("rejected", appointment_id, problem=done)
        case Done(position, lead=AppointmentPlanned(plan=plan)):
            return Planned("planned", appointment_id, plan.contact_ids, position)
        case Done(position, lead=AppointmentMoved(plan=plan)):
            return Planned("moved", appointment_id, plan.contact_ids, position)
        case Done(position, lead=AppointmentCancelled(contact_ids=contact_ids)):
            return Planned("cancelled", appointment_id, contact_ids, position)
        case Done(position):
            return Planned("unchanged", appointment_id, position=position)


def appointment_id_of(tenant: Tenant, source: str, source_id: str) -> UUID:
    """The id of the appointment that this source calls so."""
    return uuid5(tenant.tenant_id, f"appointment\0{source}\0{source_id}")


def _planning(
    tenant: Tenant, command: PlanAppointment, idempotency_key: str | None, now: datetime
) -> tuple[UUID, Question]:
    """Its touchpoint's id is that of the source's own: what the calendar later tells as past is not counted twice."""
    checked = appointments.check_plan(command, now=now)
    event_id = keyed_id(tenant, "appointments", idempotency_key)
    if checked.source is not None and checked.source_id is not None:
        appointment_id = appointment_id_of(tenant, checked.source, checked.source_id)
        touchpoint_id = sourced_id(tenant, checked.source, checked.source_id)
    else:
        appointment_id = uuid5(tenant.tenant_id, f"appointment\0{event_id}")
        touchpoint_id = uuid5(appointment_id, "touchpoint")

    def decision(known: Known) -> Decision:
        state, told = _state(known), _told_as_past(known)
        if state is None and checked.starts_at in told:
            return Decision(())
        facts = appointments.plan(
            checked,
            state,
            appointment_id=appointment_id,
            touchpoint_id=uuid5(appointment_id, "touchpoint") if told else touchpoint_id,
            contact_ids=known.people,
        )
        return Decision(facts)

    def beside(known: Known) -> list[str]:
        return _touchpoint_stream(known) or [touchpoints.stream_of(touchpoint_id)]

    question = _question(appointment_id, decision, checked, event_id, people=checked.people)
    return appointment_id, replace(question, beside=beside)


def _told_as_past(known: Known) -> list[datetime]:
    """When a touchpoint happened that its source told already."""
    facts = (fact for stream in known.beside.values() for fact in stream)
    return [at for event, at in facts if isinstance(event, TouchpointRecorded)]


async def move_appointment(
    context: Context,
    tenant: Tenant,
    appointment_id: UUID,
    command: MoveAppointment,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
    expected_position: int | None = None,
) -> Done:
    """Raises NotFound, Invalid, Stale; Refused when it happened."""
    now = datetime.now(UTC)
    checked = appointments.check_move(command, now=now)

    def decision(known: Known) -> Decision:
        return Decision(appointments.move(checked, _state(known), contact_ids=known.people, now=now))

    event_id = keyed_id(tenant, f"appointments/{appointment_id}", idempotency_key)
    people = () if checked.people is UNSET else checked.people
    question = _question(
        appointment_id, decision, checked, event_id, people=people, expected_position=expected_position
    )
    return await decide(context, tenant, question, origin=origin)


async def cancel_appointment(
    context: Context,
    tenant: Tenant,
    appointment_id: UUID,
    command: CancelAppointment,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Called off beforehand. Raises NotFound; Refused when it happened."""

    def decision(known: Known) -> Decision:
        return Decision(appointments.cancel(command, _state(known)))

    event_id = keyed_id(tenant, f"appointments/{appointment_id}/cancel", idempotency_key)
    return await decide(context, tenant, _question(appointment_id, decision, command, event_id), origin=origin)


async def withdraw_appointments(
    context: Context, tenant: Tenant, appointment_ids: Sequence[UUID], *, origin: Origin
) -> list[Done | Refused]:
    """Take back what an import said of them, as it is undone; its events have the correlation of `origin`. Once more
    changes nothing; refused is what somebody else said the last word of."""
    theirs: dict[str, list[bool]] = {}

    async def look(connection: Connection) -> None:
        rows = await connection.fetch(queries("appointments").said_by, tenant.tenant_id, streams, origin.correlation)
        theirs.update((row["stream"], row["theirs"]) for row in rows)

    def decision(known: Known) -> Decision:
        state = _state(known)
        stream = "" if state is None else appointments.stream_of(state.appointment_id)
        told = zip((event for event, _ in known.stored), theirs.get(stream, ()), strict=True)
        return Decision(appointments.take_back(list(told), state))

    done: dict[UUID, Done | Refused] = {}
    distinct = list(dict.fromkeys(appointment_ids))
    for start in range(0, len(distinct), AT_ONCE):
        some = distinct[start : start + AT_ONCE]
        streams = [appointments.stream_of(one) for one in some]
        asked = [_question(one, decision, CancelAppointment(), uuid_utils.uuid7()) for one in some]
        done |= zip(some, await decide_each(context, tenant, asked, origin=origin, beforehand=look), strict=True)
    return [done[one] for one in appointment_ids]


async def tell_happened(
    context: Context,
    tenant: Tenant,
    appointment_id: UUID,
    command: TellHappened,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """It took place: its touchpoint is recorded with that, once.

    Raises NotFound, Invalid; Refused before its start, and when it was told otherwise before.
    """
    now, spare_id = datetime.now(UTC), uuid_utils.uuid7()
    checked = appointments.check_happened(command)

    def decision(known: Known) -> Decision:
        state = _state(known)
        facts = appointments.happened(checked, state, contact_ids=known.people, spare_id=spare_id, now=now)
        return Decision(facts, occurred_at=None if state is None else state.plan.starts_at)

    event_id = keyed_id(tenant, f"appointments/{appointment_id}/happened", idempotency_key)
    question = _question(appointment_id, decision, checked, event_id, people=checked.people)
    return await decide(context, tenant, question, origin=origin)


async def tell_missed(
    context: Context,
    tenant: Tenant,
    appointment_id: UUID,
    command: TellMissed,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """It did not take place, as somebody did not come; where it was told as happened, its touchpoint is struck.

    Raises NotFound, Invalid; Refused before its start.
    """
    now = datetime.now(UTC)

    def decision(known: Known) -> Decision:
        return Decision(appointments.missed(command, _state(known), now=now))

    event_id = keyed_id(tenant, f"appointments/{appointment_id}/missed", idempotency_key)
    return await decide(context, tenant, _question(appointment_id, decision, command, event_id), origin=origin)


def _question(
    appointment_id: UUID,
    decision: Callable[[Known], Decision],
    command: Struct,
    event_id: UUID,
    *,
    people: tuple[Reference, ...] = (),
    expected_position: int | None = None,
) -> Question:
    return Question(
        appointments.stream_of(appointment_id),
        decision,
        command,
        event_id,
        people=people,
        fields=tuple(f"with[{n}]" for n in range(len(people))),
        expected_position=expected_position,
        beside=_touchpoint_stream,
    )


def _touchpoint_stream(known: Known) -> list[str]:
    """The stream of the touchpoint it became or would become."""
    state = appointments.folded(event for event, _ in known.stored)
    return [] if state is None else [touchpoints.stream_of(state.touchpoint_id)]


def _state(known: Known) -> Appointment | None:
    state = appointments.folded(event for event, _ in known.stored)
    if state is None:
        return None
    touchpoint = known.fold(touchpoints.evolve, of=touchpoints.stream_of(state.touchpoint_id))
    return appointments.with_touchpoint(state, touchpoint)
