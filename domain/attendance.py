"""Who was at an occurrence of a gathering: checked in, by hand, each a touchpoint. An RSVP is none.

Whom we met is a handshake; who was only there too is an attendance, which says little. A check-in taken back strikes
its touchpoint; a touchpoint struck by itself takes the check-in back.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from msgspec import Meta, Struct
from msgspec.structs import replace

from domain.errors import Invalid, Refused
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.recurrence import Occurrence
from domain.touchpoints import Reference, Touchpoint, TouchpointRecorded, TouchpointStruck

DOORS_OPEN = timedelta(hours=3)
MOST_AT_ONCE = 100


class _OfOccurrence(Event, frozen=True, kw_only=True):
    gathering_id: UUID
    occurrence: date
    contact_id: UUID
    touchpoint_id: UUID

    @property
    def stream(self) -> str:
        return stream_of(self.gathering_id, self.occurrence)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id,)


class Attended(_OfOccurrence, frozen=True, kw_only=True):
    """Somebody was there, and is this touchpoint: `met` by us, or only there too. The last word on them counts."""

    TYPE: ClassVar[str] = "gathering.attended"
    met: bool


class AttendanceStruck(_OfOccurrence, frozen=True, kw_only=True):
    """They were not there after all."""

    TYPE: ClassVar[str] = "gathering.attendance_struck"


class Arrival(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One person of an occurrence: `met` by us, or only there too; `came: false` takes their check-in back."""

    who: Reference
    met: bool = False
    came: bool = True


class NoteAttendance(Struct, frozen=True, forbid_unknown_fields=True):
    """Who was at the `occurrence`, by the day it was planned for. Each of the people is judged by themselves."""

    occurrence: date
    people: Annotated[tuple[Arrival, ...], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class CheckIn(Struct, frozen=True):
    """The last word on one person. `times` they were checked in: each touchpoint has an id of its own."""

    touchpoint_id: UUID
    met: bool
    present: bool
    times: int


def check(arrival: Arrival) -> Arrival:
    """Raises Invalid."""
    who = arrival.who
    if not arrival.came and not any((who.contact_id, who.email, who.phone, who.handle)):
        raise Invalid("say whose check-in is taken back: contact_id, email, phone, or platform and handle", field="who")
    if not arrival.came and arrival.met:
        raise Invalid("who did not come was not met", field="met")
    return arrival


def check_begun(one: Occurrence | None, *, now: datetime) -> Occurrence:
    """The occurrence, when people can be there. Raises Invalid for none of that day; Refused."""
    if one is None:
        raise Invalid("there is none on that day", field="occurrence")
    if one.cancelled:
        raise Refused("it was cancelled")
    if now < one.starts_at - DOORS_OPEN:
        raise Refused("it has not begun: the doors open three hours before")
    return one


def as_checked_in(contact_id: UUID, checked_in: Mapping[UUID, CheckIn], stands: Mapping[UUID, UUID]) -> UUID:
    """The contact as whom this person was checked in; by `stands` some contacts are one. Who is there comes first."""
    who = stands.get(contact_id, contact_id)
    same = [other for other in checked_in if stands.get(other, other) == who]
    return max(same, key=lambda other: (checked_in[other].present, other == contact_id), default=contact_id)


def note(
    arrival: Arrival,
    one: Occurrence,
    was: CheckIn | None,
    *,
    gathering_id: UUID,
    contact_id: UUID,
    touchpoint: Touchpoint | None,
) -> list[Event]:
    """A checked arrival of somebody known; nothing where it is so already. `was` is the last word on them, `touchpoint`
    that one's."""
    present = was is not None and was.present and not (touchpoint is not None and touchpoint.struck)
    if was is not None and present and arrival.came and arrival.met == was.met:
        return []
    facts: list[Event] = []
    if present and touchpoint is not None:
        plain = replace(touchpoint.recorded, personal=NOTHING_PERSONAL)
        facts.append(TouchpointStruck(touchpoint_id=plain.touchpoint_id, struck=plain))
    if not arrival.came:
        if was is None or not was.present:
            return []
        gone = AttendanceStruck(
            gathering_id=gathering_id,
            occurrence=one.occurrence,
            contact_id=contact_id,
            touchpoint_id=was.touchpoint_id,
        )
        return [*facts, gone]
    touchpoint_id = uuid5(gathering_id, f"{one.occurrence}/{contact_id}/{0 if was is None else was.times}")
    recorded = TouchpointRecorded(
        touchpoint_id=touchpoint_id,
        kind="handshake" if arrival.met else "attendance",
        channel=one.plan.channel,
        direction="mutual",
        contact_ids=(contact_id,),
        personal=Personal(note=one.plan.title),
    )
    came = Attended(
        gathering_id=gathering_id,
        occurrence=one.occurrence,
        contact_id=contact_id,
        touchpoint_id=touchpoint_id,
        met=arrival.met,
    )
    return [*facts, recorded, came]


def fold(events: Iterable[Event]) -> dict[UUID, CheckIn]:
    """An occurrence's stream as the last word on each."""
    attendance: dict[UUID, CheckIn] = {}
    for event in events:
        match event:
            case Attended():
                was = attendance.get(event.contact_id)
                times = 1 if was is None else was.times + 1
                attendance[event.contact_id] = CheckIn(event.touchpoint_id, event.met, True, times)
            case AttendanceStruck() if event.contact_id in attendance:
                was = attendance[event.contact_id]
                attendance[event.contact_id] = CheckIn(was.touchpoint_id, was.met, False, was.times)
            case _:
                pass
    return attendance


def stream_of(gathering_id: UUID, occurrence: date) -> str:
    return f"occurrence-{gathering_id}-{occurrence}"
