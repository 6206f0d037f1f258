"""Appointments: planned meetings. None is a touchpoint before it happened; after its end somebody asks whether it did.

The last word counts: a missed one may have happened after all, a cancelled one may be planned again. Only what happened
stays: it is neither moved nor cancelled. It may be told as missed, which strikes its touchpoint; when its touchpoint is
struck, by whomever, it is planned as before and asked about again. A touchpoint recorded elsewhere under the id its own
would have (the calendar was imported once more) is its touchpoint: it happened.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal, TypeVar
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import replace

from domain.channels import by_table, check_slug
from domain.errors import Invalid, NotFound, Refused
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.touchpoints import (
    EARLIEST,
    MAX_PEOPLE,
    Reference,
    Text,
    Touchpoint,
    TouchpointRecorded,
    TouchpointRestored,
    TouchpointStruck,
    check_reference,
)

AppointmentKind = Literal["meeting", "video_call", "call", "attendance", "help", "advice", "collaboration", "other"]
State = Literal["planned", "happened", "missed", "cancelled"]
Shown = Literal["planned", "to_confirm", "unanswered", "happened", "missed", "cancelled"]
Party = Literal["us", "them", "unknown"]

ASKED = timedelta(days=30)
LONGEST = timedelta(days=31)
FURTHEST = timedelta(days=3_660)

Given = TypeVar("Given")


class Plan(Struct, frozen=True):
    """When, where, as what and with whom. Times in UTC; `kind` is that of the touchpoint it would become."""

    starts_at: datetime
    ends_at: datetime
    channel: str
    kind: AppointmentKind
    contact_ids: tuple[UUID, ...]


class _OfAppointment(Event, frozen=True, kw_only=True):
    appointment_id: UUID
    contact_ids: tuple[UUID, ...]

    @property
    def stream(self) -> str:
        return stream_of(self.appointment_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.contact_ids


class _Planned(Event, frozen=True, kw_only=True):
    appointment_id: UUID
    plan: Plan

    @property
    def stream(self) -> str:
        return stream_of(self.appointment_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.plan.contact_ids


class AppointmentPlanned(_Planned, frozen=True, kw_only=True):
    """`touchpoint_id` is the id its touchpoint will have when it happens; `sequence` counts the source's own changes.

    Personal: note, what it is about.
    """

    TYPE: ClassVar[str] = "appointment.planned"
    touchpoint_id: UUID
    source: str | None = None
    source_id: str | None = None
    sequence: int | None = None


class AppointmentMoved(_Planned, frozen=True, kw_only=True):
    """The whole new plan; one missed or cancelled is planned again. `by_source`: its source told it. Personal: note."""

    TYPE: ClassVar[str] = "appointment.moved"
    by_source: bool = False
    sequence: int | None = None


class AppointmentCancelled(_OfAppointment, frozen=True, kw_only=True):
    """Called off beforehand. `by_source`: its source told it so, or its import was undone. Personal: note (why)."""

    TYPE: ClassVar[str] = "appointment.cancelled"
    by: Party
    by_source: bool = False
    sequence: int | None = None


class AppointmentHappened(_OfAppointment, frozen=True, kw_only=True):
    """It took place with these contacts, and is this touchpoint."""

    TYPE: ClassVar[str] = "appointment.happened"
    touchpoint_id: UUID


class AppointmentMissed(_OfAppointment, frozen=True, kw_only=True):
    """It did not take place, as somebody did not come: we, or those of `absent_ids`. Personal: note (why)."""

    TYPE: ClassVar[str] = "appointment.missed"
    by: Literal["us", "them"]
    absent_ids: tuple[UUID, ...] = ()


Note = Annotated[str, Meta(max_length=10_000)]
Slug = Annotated[str, Meta(max_length=60, examples=["chamber", "zoom"])]
People = Annotated[tuple[Reference, ...], Meta(max_length=MAX_PEOPLE)]


class PlanAppointment(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A meeting to come. Times carry their offset and are kept in UTC.

    `with` names the people. `kind` is that of the touchpoint it becomes; left out, the channel decides between meeting,
    call and video_call. A `source` with its `source_id` makes it safe to send again: changed, it is moved; `cancelled`,
    it is called off. `sequence` is the source's own count of changes: an older one that comes late changes nothing.
    """

    starts_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)]
    channel: Slug
    people: tuple[Reference, ...] = field(name="with")
    kind: AppointmentKind | None = None
    note: Note | None = None
    source: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    source_id: Annotated[str, Meta(min_length=1, max_length=400)] | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    cancelled: bool = False


class MoveAppointment(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be otherwise; a field left out stays. A new start alone keeps its length. `note: null` removes it."""

    starts_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    ends_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    channel: Slug | UnsetType = UNSET
    people: tuple[Reference, ...] | UnsetType = field(name="with", default=UNSET)
    kind: AppointmentKind | UnsetType = UNSET
    note: Note | None | UnsetType = UNSET


class TellHappened(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """It took place. Left out: with all it was planned with, in the channel and as the kind it was planned."""

    people: tuple[Reference, ...] = field(name="with", default=())
    minutes: Annotated[int, Meta(ge=0, le=14_400)] | None = None
    note: Note | None = None
    kind: AppointmentKind | None = None
    channel: Slug | None = None


class TellMissed(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """It did not take place: `them` did not come (`absent` says who, by default all), or it was `us`."""

    by: Literal["us", "them"] = "them"
    absent: tuple[UUID, ...] = ()
    why: Text | None = None


class CancelAppointment(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Called off beforehand, by us or by them."""

    by: Party = "unknown"
    why: Text | None = None


class Appointment(Struct, frozen=True):
    """What decisions and pages need to know of one.

    `told` and `told_note` are the plan as its source told it last. `came` are those it happened with, `absent` those
    who did not come. `touchpoint_id` is that of the touchpoint it became last or would become; `spent`, that this one
    was struck.
    """

    appointment_id: UUID
    plan: Plan
    told: Plan
    touchpoint_id: UUID
    state: State = "planned"
    note: str | None = None
    told_note: str | None = None
    source: str | None = None
    source_id: str | None = None
    sequence: int | None = None
    by: Party | None = None
    by_source: bool = False
    came: tuple[UUID, ...] = ()
    absent: tuple[UUID, ...] = ()
    touchpoint: TouchpointRecorded | None = None
    spent: bool = False


def check_plan(command: PlanAppointment, *, now: datetime) -> PlanAppointment:
    """The command with its times in UTC, when it can be planned as it stands; Invalid, naming the field, when not."""
    check_slug(command.channel)
    starts_at, ends_at = _times(command.starts_at, command.ends_at, now=now)
    if command.source_id is not None and command.source is None:
        raise Invalid("a source_id goes with its source", field="source")
    if command.source_id is None and (command.cancelled or command.sequence is not None):
        what = "cancelled" if command.cancelled else "sequence"
        raise Invalid("this goes with a source and its source_id", field=what)
    _check_people(command.people)
    for n, reference in enumerate(command.people):
        if command.source_id is not None and _by_name_alone(reference):
            reason = (
                "what may come again names people by contact_id, email, phone or handle: a name alone is a new person"
            )
            raise Invalid(reason, field=f"with[{n}]")
    return replace(command, starts_at=starts_at, ends_at=ends_at)


def check_move(command: MoveAppointment, *, now: datetime) -> MoveAppointment:
    """The command with its times in UTC; the rest is checked against the plan it changes."""
    if command.channel is not UNSET:
        check_slug(command.channel)
    if command.people is not UNSET:
        _check_people(command.people)
    starts_at, ends_at = (
        UNSET if at is UNSET else _time(at, now=now, field=name)
        for at, name in ((command.starts_at, "starts_at"), (command.ends_at, "ends_at"))
    )
    return replace(command, starts_at=starts_at, ends_at=ends_at)


def check_happened(command: TellHappened) -> TellHappened:
    if command.channel is not None:
        check_slug(command.channel)
    if command.people:
        _check_people(command.people)
    return command


def _times(starts_at: datetime, ends_at: datetime, *, now: datetime) -> tuple[datetime, datetime]:
    starts, ends = _time(starts_at, now=now, field="starts_at"), _time(ends_at, now=now, field="ends_at")
    if not timedelta(0) <= ends - starts <= LONGEST:
        raise Invalid("it does not end before it starts, nor after 31 days", field="ends_at")
    return starts, ends


def _time(at: datetime, *, now: datetime, field: str) -> datetime:
    if not EARLIEST <= at <= now + FURTHEST:
        raise Invalid("this is before 1900 or more than ten years ahead", field=field)
    return at.astimezone(UTC)


def _check_people(people: Sequence[Reference]) -> None:
    if not 1 <= len(people) <= MAX_PEOPLE:
        raise Invalid(f"an appointment is with 1 to {MAX_PEOPLE} people", field="with")
    before: set[Reference] = set()
    for n, reference in enumerate(people):
        check_reference(reference, at=f"with[{n}]")
        if reference in before:
            raise Invalid("this person stands in the appointment twice", field=f"with[{n}]")
        before.add(reference)


def _by_name_alone(reference: Reference) -> bool:
    return not any((reference.contact_id, reference.email, reference.phone, reference.handle))


def _distinct(contact_ids: Sequence[UUID]) -> tuple[UUID, ...]:
    """Invalid when two references turned out to be one contact."""
    before: set[UUID] = set()
    for n, contact_id in enumerate(contact_ids):
        if contact_id in before:
            raise Invalid("this person stands in the appointment twice", field=f"with[{n}]")
        before.add(contact_id)
    return tuple(contact_ids)


def kind_in(channel: str) -> AppointmentKind:
    """What a meeting in this channel is, where nobody said: by the table of slugs."""
    if channel == "phone":
        return "call"
    return "meeting" if by_table(channel).realm == "physical" else "video_call"


def plan(
    command: PlanAppointment,
    appointment: Appointment | None,
    *,
    appointment_id: UUID,
    touchpoint_id: UUID,
    contact_ids: Sequence[UUID],
) -> list[Event]:
    """A checked command of people who are known: planned, moved or called off; nothing where its source says no news.

    What its source calls off without anybody having known of it, or after its end was answered for, is no news. What
    the source itself called off and tells again is planned again. What a person called off or told as missed is, only
    when its source tells another time.
    """
    told = Plan(
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        channel=command.channel,
        kind=command.kind or kind_in(command.channel),
        contact_ids=_distinct(contact_ids),
    )
    if appointment is None:
        return [] if command.cancelled else [_planned(command, told, appointment_id, touchpoint_id)]
    if appointment.state == "happened" or _older(command, appointment):
        return []
    if command.cancelled:
        return cancel(CancelAppointment(), appointment, by_source=True, sequence=command.sequence)
    again = appointment.state == "cancelled" and appointment.by_source
    if appointment.state != "planned" and not again and told.starts_at == appointment.told.starts_at:
        return []
    news = told != appointment.told or command.note not in (None, appointment.told_note)
    if not news and not again:
        return []
    note = appointment.note if command.note is None else command.note
    return [
        AppointmentMoved(
            appointment_id=appointment_id,
            plan=told if news else appointment.plan,
            by_source=news,
            sequence=command.sequence,
            personal=_noted(note),
        )
    ]


def _planned(command: PlanAppointment, told: Plan, appointment_id: UUID, touchpoint_id: UUID) -> AppointmentPlanned:
    return AppointmentPlanned(
        appointment_id=appointment_id,
        plan=told,
        touchpoint_id=touchpoint_id,
        source=command.source,
        source_id=command.source_id,
        sequence=command.sequence,
        personal=_noted(command.note),
    )


def _older(command: PlanAppointment, appointment: Appointment) -> bool:
    return command.sequence is not None and appointment.sequence is not None and command.sequence < appointment.sequence


def move(
    command: MoveAppointment, appointment: Appointment | None, *, contact_ids: Sequence[UUID], now: datetime
) -> list[Event]:
    """The plan changed by hand; `contact_ids` are the command's people. One missed or cancelled is planned again."""
    if appointment is None:
        raise NotFound("there is no such appointment")
    if appointment.state == "happened":
        raise Refused("it happened: strike its touchpoint first")
    was = appointment.plan
    starts_at = _or(command.starts_at, was.starts_at)
    shifted = was.ends_at if command.starts_at is UNSET else starts_at + (was.ends_at - was.starts_at)
    starts_at, ends_at = _times(starts_at, _or(command.ends_at, shifted), now=now)
    moved = Plan(
        starts_at=starts_at,
        ends_at=ends_at,
        channel=_or(command.channel, was.channel),
        kind=_or(command.kind, was.kind),
        contact_ids=was.contact_ids if command.people is UNSET else _distinct(contact_ids),
    )
    note = _or(command.note, appointment.note)
    if moved == was and note == appointment.note:
        return []
    return [AppointmentMoved(appointment_id=appointment.appointment_id, plan=moved, personal=_noted(note))]


def _or(given: Given | UnsetType, otherwise: Given) -> Given:
    return otherwise if isinstance(given, UnsetType) else given


def cancel(
    command: CancelAppointment,
    appointment: Appointment | None,
    *,
    by_source: bool = False,
    sequence: int | None = None,
) -> list[Event]:
    """Called off; nothing where it was already. A source, or the undo of an import, leaves alone what was answered."""
    if appointment is None:
        raise NotFound("there is no such appointment")
    if by_source and appointment.state != "planned":
        return []
    if appointment.state == "happened":
        raise Refused("it happened: say that it was missed, or strike its touchpoint, first")
    if appointment.state == "cancelled" and command.by in (appointment.by, "unknown"):
        return []
    return [
        AppointmentCancelled(
            appointment_id=appointment.appointment_id,
            contact_ids=appointment.plan.contact_ids,
            by=command.by,
            by_source=by_source,
            sequence=sequence,
            personal=_noted(command.why),
        )
    ]


def take_back(told: Sequence[tuple[Event, bool]], appointment: Appointment | None) -> list[Event]:
    """What an import said of it, as the import is undone: planned by it, it is called off; only moved or called off by
    it, it is again as it was before. `told` are its events, each with whether the import said it.

    Raises Refused where what it said is no more the last word.
    """
    if appointment is None:
        raise NotFound("there is no such appointment")
    theirs = [n for n, (_, by_import) in enumerate(told) if by_import]
    if not theirs:
        return []
    if appointment.state in ("happened", "missed"):
        raise Refused("somebody said what became of it: it stays")
    if theirs[-1] < len(told) - 1 and appointment.state == "planned":
        raise Refused("somebody else changed it since: it stays")
    if theirs[-1] < len(told) - 1:
        return []
    if theirs[0] == 0:
        return cancel(CancelAppointment(), appointment, by_source=True)
    before = folded(event for event, _ in told[: theirs[0]])
    return [] if before is None else _as_before(before, appointment)


def _as_before(before: Appointment, appointment: Appointment) -> list[Event]:
    """From what it is to what it was."""
    if (before.plan, before.state) == (appointment.plan, appointment.state):
        return []
    planned = AppointmentMoved(
        appointment_id=before.appointment_id, plan=before.plan, by_source=True, personal=_noted(before.note)
    )
    who, contact_ids = before.by or "unknown", before.plan.contact_ids
    if before.state == "cancelled":
        off = AppointmentCancelled(
            appointment_id=before.appointment_id, contact_ids=contact_ids, by=who, by_source=before.by_source
        )
        return [planned, off]
    if before.state == "missed" and who != "unknown":
        missed = AppointmentMissed(
            appointment_id=before.appointment_id, contact_ids=contact_ids, by=who, absent_ids=before.absent
        )
        return [planned, missed]
    return [planned]


def happened(
    command: TellHappened,
    appointment: Appointment | None,
    *,
    contact_ids: Sequence[UUID],
    spare_id: UUID,
    now: datetime,
) -> list[Event]:
    """It took place: its touchpoint, and that it is. `contact_ids` are the command's people; `spare_id` becomes the
    touchpoint's where the planned one was struck. The same told again changes nothing, otherwise it is refused."""
    if appointment is None:
        raise NotFound("there is no such appointment")
    came = _distinct(contact_ids)
    if appointment.state == "happened":
        if _otherwise(command, came, appointment):
            raise Refused("it was told otherwise: strike its touchpoint first")
        return []
    _check_begun(appointment, now)
    was = appointment.plan
    met = came or was.contact_ids
    fact = TouchpointRecorded(
        touchpoint_id=spare_id if appointment.spent else appointment.touchpoint_id,
        kind=command.kind or was.kind,
        channel=command.channel or was.channel,
        direction="mutual",
        contact_ids=met,
        minutes=command.minutes,
        source=appointment.source,
        source_id=appointment.source_id,
        personal=_noted(command.note),
    )
    became = AppointmentHappened(
        appointment_id=appointment.appointment_id, contact_ids=met, touchpoint_id=fact.touchpoint_id
    )
    return [fact, became]


def _otherwise(command: TellHappened, came: Sequence[UUID], appointment: Appointment) -> bool:
    """Whether what is told of it now is not what was told before. What is left out says nothing."""
    if came and set(came) != set(appointment.came):
        return True
    fact = appointment.touchpoint
    if fact is None:
        return False
    told = (command.minutes, command.note, command.kind, command.channel)
    before = (fact.minutes, fact.personal.note, fact.kind, fact.channel)
    return any(now is not None and now != then for now, then in zip(told, before, strict=True))


def missed(command: TellMissed, appointment: Appointment | None, *, now: datetime) -> list[Event]:
    """It did not take place. Told of one that happened, its touchpoint is struck."""
    if appointment is None:
        raise NotFound("there is no such appointment")
    _check_begun(appointment, now)
    absent = _absent(command, appointment.plan)
    if appointment.state == "missed" and (appointment.by, appointment.absent) == (command.by, absent):
        return []
    told = AppointmentMissed(
        appointment_id=appointment.appointment_id,
        contact_ids=appointment.plan.contact_ids,
        by=command.by,
        absent_ids=absent,
        personal=_noted(command.why),
    )
    if appointment.touchpoint is None:
        return [told]
    plain = replace(appointment.touchpoint, personal=NOTHING_PERSONAL)
    return [TouchpointStruck(touchpoint_id=plain.touchpoint_id, struck=plain, personal=_noted(command.why)), told]


def _absent(command: TellMissed, plan: Plan) -> tuple[UUID, ...]:
    """Those who did not come, in the plan's order."""
    if command.by == "us":
        if command.absent:
            raise Invalid("either we did not come, or these", field="absent")
        return ()
    for n, who in enumerate(command.absent):
        if who not in plan.contact_ids:
            raise Invalid("it was not planned with this contact", field=f"absent[{n}]")
    return tuple(who for who in plan.contact_ids if not command.absent or who in command.absent)


def _check_begun(appointment: Appointment, now: datetime) -> None:
    if now < appointment.plan.starts_at:
        raise Refused("it has not begun yet: it can be moved or cancelled")


def folded(events: Iterable[Event]) -> Appointment | None:
    """The appointment that these events tell of; None where they are none."""
    appointment: Appointment | None = None
    for event in events:
        appointment = evolve(appointment, event)
    return appointment


def evolve(appointment: Appointment | None, event: Event) -> Appointment | None:
    match event:
        case AppointmentPlanned():
            return Appointment(
                appointment_id=event.appointment_id,
                plan=event.plan,
                told=event.plan,
                touchpoint_id=event.touchpoint_id,
                note=event.personal.note,
                told_note=event.personal.note,
                source=event.source,
                source_id=event.source_id,
                sequence=event.sequence,
            )
        case _ if appointment is None:
            return None
        case AppointmentMoved():
            moved = replace(_open(appointment), plan=event.plan, note=event.personal.note)
            return _told(moved, event) if event.by_source else moved
        case AppointmentCancelled():
            ended = replace(_open(appointment), state="cancelled", by=event.by, by_source=event.by_source)
            return replace(ended, sequence=_newest(event.sequence, appointment))
        case AppointmentHappened():
            met = replace(_open(appointment), state="happened", came=event.contact_ids)
            return replace(met, touchpoint_id=event.touchpoint_id, spent=False)
        case AppointmentMissed():
            return replace(_open(appointment), state="missed", by=event.by, absent=event.absent_ids)
        case TouchpointRecorded() if event.touchpoint_id == appointment.touchpoint_id:
            return replace(_open(appointment), state="happened", came=event.contact_ids, touchpoint=event)
        case TouchpointStruck() if event.touchpoint_id == appointment.touchpoint_id:
            return _struck(appointment)
        case TouchpointRestored() if event.touchpoint_id == appointment.touchpoint_id:
            return replace(evolve(appointment, event.restored) or appointment, spent=False)
        case _:
            return appointment


def _open(appointment: Appointment) -> Appointment:
    """As planned, and nothing said of its end."""
    return replace(appointment, state="planned", by=None, by_source=False, came=(), absent=(), touchpoint=None)


def _struck(appointment: Appointment) -> Appointment:
    """Its touchpoint counts no more: what happened is planned again, and another id is needed."""
    return replace(_open(appointment) if appointment.state == "happened" else appointment, spent=True)


def _told(appointment: Appointment, event: AppointmentMoved) -> Appointment:
    sequence = _newest(event.sequence, appointment)
    return replace(appointment, told=event.plan, told_note=event.personal.note, sequence=sequence)


def _newest(sequence: int | None, appointment: Appointment) -> int | None:
    return appointment.sequence if sequence is None else sequence


def with_touchpoint(appointment: Appointment, touchpoint: Touchpoint | None) -> Appointment:
    """The appointment in the light of the touchpoint it became or would become, as that stands now."""
    if touchpoint is None:
        return appointment
    return _struck(appointment) if touchpoint.struck else evolve(appointment, touchpoint.recorded) or appointment


def shown(state: State, ends_at: datetime, *, now: datetime) -> Shown:
    """What it is at this moment: after its end it waits 30 days for an answer, then nobody asks, nothing is assumed."""
    if state != "planned" or now < ends_at:
        return state
    return "to_confirm" if now < ends_at + ASKED else "unanswered"


def stream_of(appointment_id: UUID) -> str:
    return f"appointment-{appointment_id}"


def _noted(note: str | None) -> Personal:
    return NOTHING_PERSONAL if note is None else Personal(note=note)
