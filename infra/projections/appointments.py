"""Appointments as they stand. Each that a batch speaks of is folded again from the log: its own facts, and those of the
touchpoint it became or would become."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from domain import appointments, events, touchpoints
from domain.appointments import Appointment, AppointmentHappened, AppointmentMoved, AppointmentPlanned
from domain.event import Event
from domain.touchpoints import TouchpointRecorded, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection

OWN = (
    AppointmentPlanned,
    AppointmentMoved,
    AppointmentHappened,
    appointments.AppointmentCancelled,
    appointments.AppointmentMissed,
)


class Folded(Struct, frozen=True):
    """An appointment, the position of the fact with its plan, and that of its last fact."""

    state: Appointment
    plan_position: int
    position: int


async def apply(connection: Connection, batch: Batch) -> None:
    said = {stored.event.appointment_id for stored in batch.events if isinstance(stored.event, OWN)}
    touched = [
        stored.event.touchpoint_id
        for stored in batch.events
        if isinstance(stored.event, TouchpointRecorded | TouchpointStruck)
    ]
    if touched:
        rows = await connection.fetch(queries("appointments").of_touchpoints, batch.tenant_id, batch.build, touched)
        said |= {row["appointment_id"] for row in rows}
    if said:
        await _store(connection, batch, await _fold(connection, batch, sorted(said)))


async def _fold(connection: Connection, batch: Batch, appointment_ids: Sequence[UUID]) -> list[Folded]:
    own = await _facts(connection, batch, map(appointments.stream_of, appointment_ids))
    touchpoint_ids = {who: _touchpoint_ids(own[appointments.stream_of(who)]) for who in appointment_ids}
    streams = {touchpoints.stream_of(one) for ids in touchpoint_ids.values() for one in ids}
    beside = await _facts(connection, batch, streams)
    folded = []
    for who in appointment_ids:
        facts = [*own[appointments.stream_of(who)]]
        for one in touchpoint_ids[who]:
            facts += beside[touchpoints.stream_of(one)]
        folded += _folded(sorted(facts, key=lambda fact: fact[0]))
    return folded


Fact = tuple[int, Event]


async def _facts(connection: Connection, batch: Batch, streams: Iterable[str]) -> Mapping[str, list[Fact]]:
    """The events of each stream, up to the first that this program cannot read: that one is parked."""
    found: dict[str, list[Fact]] = defaultdict(list)
    dark: set[str] = set()
    for row in await connection.fetch(queries("appointments").facts, batch.tenant_id, list(streams), batch.reach):
        event = events.understood(row["type"], row["version"], row["body"])
        if event is None:
            dark.add(row["stream"])
        elif row["stream"] not in dark:
            found[row["stream"]].append((row["position"], event))
    return found


def _touchpoint_ids(facts: Iterable[Fact]) -> set[UUID]:
    return {event.touchpoint_id for _, event in facts if isinstance(event, AppointmentPlanned | AppointmentHappened)}


def _folded(facts: Iterable[Fact]) -> list[Folded]:
    """The appointment of these facts; none where its plan is still parked."""
    state: Appointment | None = None
    plan_position = position = 0
    for at, event in facts:
        state = appointments.evolve(state, event)
        plan_position = at if isinstance(event, AppointmentPlanned | AppointmentMoved) else plan_position
        position = at if isinstance(event, OWN) else position
    return [] if state is None else [Folded(state, plan_position, position)]


async def _store(connection: Connection, batch: Batch, folded: Sequence[Folded]) -> None:
    if not folded:
        return
    sql, build = queries("appointments"), (batch.tenant_id, batch.build)
    await connection.execute(sql.store, *build, *map(list, zip(*map(_row, folded), strict=True)))
    await connection.execute(sql.forget_people, *build, [one.state.appointment_id for one in folded])
    people = [row for one in folded for row in _people(one.state)]
    await connection.execute(sql.store_people, *build, *map(list, zip(*people, strict=True)))


def _row(one: Folded) -> tuple[object, ...]:
    state, plan = one.state, one.state.plan
    return (
        state.appointment_id, state.state, plan.starts_at, plan.ends_at, plan.channel, plan.kind, state.touchpoint_id,
        state.source, state.source_id, state.by, one.plan_position, one.position,
    )  # fmt: skip


def _people(state: Appointment) -> list[tuple[object, ...]]:
    """Those it is planned with, in order, then those who came besides."""
    everybody = dict.fromkeys((*state.plan.contact_ids, *state.came))
    return [
        (state.appointment_id, who, place, who in state.plan.contact_ids, _came(state, who))
        for place, who in enumerate(everybody)
    ]


def _came(state: Appointment, who: UUID) -> bool | None:
    """Whether this contact came, where somebody said so."""
    if state.state == "happened":
        return who in state.came
    return False if who in state.absent else None


PROJECTION = Projection(
    name="appointments",
    types=frozenset(event.TYPE for event in (*OWN, TouchpointRecorded, TouchpointStruck)),
    tables=("appointment", "appointment_person"),
    apply=apply,
)
