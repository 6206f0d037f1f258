"""Gatherings as they stand, their guests, and who was there. What a batch speaks of is folded again from the log: a
gathering from its stream, an occurrence from its own and those of the touchpoints its check-ins are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import attendance, events, gatherings, recurrence, touchpoints
from domain.attendance import AttendanceStruck, Attended
from domain.event import Event
from domain.gatherings import Gathering, GatheringPlanned, GuestEntered
from domain.touchpoints import TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection

OF_PLAN = (
    GatheringPlanned,
    gatherings.GatheringChanged,
    gatherings.GatheringCancelled,
    gatherings.OccurrenceChanged,
    gatherings.OccurrenceCancelled,
    gatherings.LinkOpened,
    gatherings.LinkClosed,
)
OF_ATTENDANCE = (Attended, AttendanceStruck)
_JSON = msgspec.json.Encoder()

Key = tuple[UUID, date]


class Fact(Struct, frozen=True):
    position: int
    event: Event
    occurred_at: datetime


async def apply(connection: Connection, batch: Batch) -> None:
    planned = {one.event.gathering_id for one in batch.events if isinstance(one.event, OF_PLAN)}
    if planned:
        await _store_plans(connection, batch, sorted(planned))
    guests = [
        (one.event.gathering_id, one.event.contact_id, one.occurred_at, one.position)
        for one in batch.events
        if isinstance(one.event, GuestEntered)
    ]
    if guests:
        columns = map(list, zip(*guests, strict=True))
        await connection.execute(queries("gatherings").store_guests, batch.tenant_id, batch.build, *columns)
    attended = await _occurrences(connection, batch)
    if attended:
        await _store_attendance(connection, batch, sorted(attended))


async def _occurrences(connection: Connection, batch: Batch) -> set[Key]:
    """Those the batch says something of, itself or by a touchpoint."""
    found = {
        (one.event.gathering_id, one.event.occurrence) for one in batch.events if isinstance(one.event, OF_ATTENDANCE)
    }
    touched = [one.event.touchpoint_id for one in batch.events if isinstance(one.event, TouchpointStruck)]
    if touched:
        rows = await connection.fetch(queries("gatherings").of_touchpoints, batch.tenant_id, batch.build, touched)
        found |= {(row["gathering_id"], row["occurrence"]) for row in rows}
    return found


async def _facts(connection: Connection, batch: Batch, streams: Iterable[str]) -> Mapping[str, list[Fact]]:
    """The events of each stream, up to the first that this program cannot read: that one is parked."""
    found: dict[str, list[Fact]] = defaultdict(list)
    dark: set[str] = set()
    for row in await connection.fetch(queries("gatherings").facts, batch.tenant_id, list(streams), batch.reach):
        event = events.understood(row["type"], row["version"], row["body"])
        if event is None:
            dark.add(row["stream"])
        elif row["stream"] not in dark:
            found[row["stream"]].append(Fact(row["position"], event, row["occurred_at"]))
    return found


async def _store_plans(connection: Connection, batch: Batch, gathering_ids: Sequence[UUID]) -> None:
    facts = await _facts(connection, batch, map(gatherings.stream_of, gathering_ids))
    rows = [row for who in gathering_ids for row in _row(facts[gatherings.stream_of(who)])]
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(queries("gatherings").store, batch.tenant_id, batch.build, *columns)


def _row(facts: Sequence[Fact]) -> list[tuple[object, ...]]:
    """None where its plan is still parked."""
    state: Gathering | None = None
    for fact in facts:
        state = gatherings.evolve(state, fact.event)
    if state is None:
        return []
    of_plan = [fact.position for fact in facts if isinstance(fact.event, OF_PLAN)]
    link = state.link
    return [
        (
            state.gathering_id, _JSON.encode(state.schedule), link and link.link_id, link and link.token_digest,
            recurrence.over_at(state.schedule), of_plan[0], of_plan[-1],
        )
    ]  # fmt: skip


async def _store_attendance(connection: Connection, batch: Batch, keys: Sequence[Key]) -> None:
    own = await _facts(connection, batch, [attendance.stream_of(*key) for key in keys])
    ids = {fact.event.touchpoint_id for facts in own.values() for fact in facts if isinstance(fact.event, Attended)}
    beside = await _facts(connection, batch, map(touchpoints.stream_of, ids))
    struck = {one for one in ids if _is_struck(beside[touchpoints.stream_of(one)])}
    rows = [row for key in keys for row in _attendance_rows(own[attendance.stream_of(*key)], struck)]
    sql = queries("gatherings")
    await connection.execute(sql.forget_attendance, batch.tenant_id, batch.build, *map(list, zip(*keys, strict=True)))
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(sql.store_attendance, batch.tenant_id, batch.build, *columns)


def _is_struck(facts: Iterable[Fact]) -> bool:
    state = None
    for fact in facts:
        state = touchpoints.evolve(state, fact.event)
    return state is not None and state.struck


def _attendance_rows(facts: Sequence[Fact], struck: set[UUID]) -> list[tuple[object, ...]]:
    """Those who were there, each with the check-in that holds."""
    present = {who: one for who, one in attendance.fold(fact.event for fact in facts).items() if one.present}
    holds = {one.touchpoint_id for one in present.values()} - struck
    return [
        (
            fact.event.gathering_id, fact.event.occurrence, fact.event.contact_id, fact.event.met,
            fact.event.touchpoint_id, fact.occurred_at, fact.position,
        )
        for fact in facts
        if isinstance(fact.event, Attended) and fact.event.touchpoint_id in holds
    ]  # fmt: skip


PROJECTION = Projection(
    name="gatherings",
    types=frozenset(event.TYPE for event in (*OF_PLAN, *OF_ATTENDANCE, GuestEntered, TouchpointStruck)),
    tables=("gathering", "gathering_guest", "gathering_attendance"),
    apply=apply,
)
