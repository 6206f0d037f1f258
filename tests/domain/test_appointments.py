"""What may be said of an appointment when, and that whatever is said leaves one clear state."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import appointments, touchpoints
from domain.appointments import (
    Appointment,
    AppointmentCancelled,
    AppointmentHappened,
    AppointmentMissed,
    AppointmentMoved,
    AppointmentPlanned,
    CancelAppointment,
    MoveAppointment,
    PlanAppointment,
    TellHappened,
    TellMissed,
)
from domain.errors import Invalid, NotFound, Refused
from domain.event import Event
from domain.touchpoints import Reference, StrikeTouchpoint, Touchpoint, TouchpointRecorded, TouchpointStruck

LUNCH, COFFEE = UUID(int=1), UUID(int=2)
ANA, BEN, EVE = UUID(int=10), UUID(int=11), UUID(int=12)
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DURING = NOON + HOUR / 2
BEFORE = NOON - HOUR
CONTACTS = {"ana": ANA, "ben": BEN, "eve": EVE}


def told(*who: str, **more: Any) -> PlanAppointment:
    """An hour at noon with Ana and Ben, in a café, from a calendar, unless said otherwise."""
    people = tuple(Reference(email=f"{one}@example.com") for one in who or ("ana", "ben"))
    said: dict[str, Any] = {"starts_at": NOON, "channel": "cafe", "source": "calendar", "source_id": "1", **more}
    said.setdefault("ends_at", said["starts_at"] + HOUR)
    return PlanAppointment(people=people, **said)


class Story:
    """One appointment, what was said of it, and its touchpoints."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.spares = 0

    def touchpoint(self, touchpoint_id: UUID) -> Touchpoint | None:
        found: Touchpoint | None = None
        for event in self.events:
            if isinstance(event, TouchpointRecorded | TouchpointStruck) and event.touchpoint_id == touchpoint_id:
                found = touchpoints.evolve(found, event)
        return found

    @property
    def own(self) -> Appointment | None:
        state: Appointment | None = None
        for event in self.events:
            if not isinstance(event, TouchpointRecorded | TouchpointStruck):
                state = appointments.evolve(state, event)
        return state

    @property
    def state(self) -> Appointment | None:
        """As decisions see it: its own facts, then its touchpoint as that stands."""
        own = self.own
        return None if own is None else appointments.with_touchpoint(own, self.touchpoint(own.touchpoint_id))

    @property
    def shown(self) -> Appointment | None:
        """As the projection sees it: everything in the order it came."""
        state: Appointment | None = None
        for event in self.events:
            state = appointments.evolve(state, event)
        return state

    def standing(self) -> Appointment:
        assert self.state is not None
        return self.state

    def say(self, events: list[Event]) -> list[Event]:
        self.events += events
        return events

    def plan(self, command: PlanAppointment) -> list[Event]:
        contact_ids = [CONTACTS[str(one.email).partition("@")[0]] for one in command.people]
        checked = appointments.check_plan(command, now=NOON)
        ids = {"appointment_id": LUNCH, "touchpoint_id": COFFEE}
        return self.say(appointments.plan(checked, self.state, contact_ids=contact_ids, **ids))

    def move(self, command: MoveAppointment, *contact_ids: UUID) -> list[Event]:
        return self.say(appointments.move(command, self.state, contact_ids=contact_ids, now=NOON))

    def cancel(self, by: Any = "unknown", *, by_source: bool = False) -> list[Event]:
        return self.say(appointments.cancel(CancelAppointment(by=by), self.state, by_source=by_source))

    def happened(self, *contact_ids: UUID, now: datetime = DURING, **more: Any) -> list[Event]:
        self.spares += 1
        command = TellHappened(**more)
        spare_id = UUID(int=1000 + self.spares)
        return self.say(appointments.happened(command, self.state, contact_ids=contact_ids, spare_id=spare_id, now=now))

    def missed(self, now: datetime = DURING, **more: Any) -> list[Event]:
        return self.say(appointments.missed(TellMissed(**more), self.state, now=now))

    def strike(self) -> list[Event]:
        """Its touchpoint is struck by somebody who knows nothing of the appointment."""
        state = self.standing()
        touchpoint = self.touchpoint(state.touchpoint_id)
        return self.say([] if touchpoint is None else touchpoints.strike(StrikeTouchpoint(), touchpoint))


STATES: dict[str, Callable[[Story], object]] = {
    "planned": lambda story: None,
    "happened": lambda story: story.happened(),
    "missed": lambda story: story.missed(),
    "cancelled": lambda story: story.cancel("them"),
    "called off by its source": lambda story: story.plan(told(cancelled=True)),
    "struck": lambda story: (story.happened(), story.strike()),
}
SAID: dict[str, Callable[[Story], list[Event]]] = {
    "the same": lambda story: story.plan(told()),
    "another time": lambda story: story.plan(told(starts_at=NOON + 24 * HOUR)),
    "another place": lambda story: story.plan(told(channel="shop")),
    "called off": lambda story: story.plan(told(cancelled=True)),
    "moved": lambda story: story.move(MoveAppointment(channel="shop")),
    "cancelled": lambda story: story.cancel("us"),
    "undone": lambda story: story.cancel(by_source=True),
    "happened": lambda story: story.happened(),
    "missed": lambda story: story.missed(),
}
BECAME: dict[type[Event], str] = {
    AppointmentMoved: "moved", AppointmentCancelled: "cancelled", AppointmentHappened: "happened",
    AppointmentMissed: "missed", TouchpointRecorded: "recorded", TouchpointStruck: "struck",
}  # fmt: skip
RULES = """
                         | the same | another time | another place | called off | moved   | cancelled | undone    | happened          | missed
planned                  | -        | moved        | moved         | cancelled  | moved   | cancelled | cancelled | recorded happened | missed
happened                 | -        | -            | -             | -          | refused | refused   | -         | -                 | struck missed
missed                   | -        | moved        | -             | -          | moved   | cancelled | -         | recorded happened | -
cancelled                | -        | moved        | -             | -          | moved   | cancelled | -         | recorded happened | missed
called off by its source | moved    | moved        | moved         | -          | moved   | cancelled | -         | recorded happened | missed
struck                   | -        | moved        | moved         | cancelled  | moved   | cancelled | cancelled | recorded happened | missed
"""  # noqa: E501
HEAD, *ROWS = [[cell.strip() for cell in line.split("|")] for line in RULES.strip("\n").splitlines()]
TABLE = [(row[0], said, row[n]) for row in ROWS for n, said in enumerate(HEAD) if n]


@pytest.mark.parametrize(("state", "said", "becomes"), TABLE)
def test_what_is_said_of_an_appointment_and_what_becomes_of_it(state: str, said: str, becomes: str):
    story = Story()
    story.plan(told())
    STATES[state](story)
    before = list(story.events)
    if becomes == "refused":
        with pytest.raises(Refused):
            SAID[said](story)
        assert story.events == before
        return
    expected = [] if becomes == "-" else becomes.split()
    assert [BECAME[type(event)] for event in SAID[said](story)] == expected
    before = list(story.events)
    assert SAID[said](story) == [], "said twice"
    assert story.events == before


def test_the_table_is_whole():
    assert set(HEAD[1:]) == set(SAID)
    assert {row[0] for row in ROWS} == set(STATES)


@pytest.mark.parametrize("said", ["happened", "missed"])
def test_before_its_start_nobody_can_say_what_became_of_it(said: str):
    story = Story()
    story.plan(told())
    with pytest.raises(Refused, match="not begun"):
        getattr(story, said)(now=NOON - timedelta(seconds=1))
    assert getattr(story, said)(now=NOON), "during it one can"


def test_of_what_is_not_there_nothing_can_be_said():
    story = Story()
    for said in (story.cancel, story.happened, story.missed):
        with pytest.raises(NotFound):
            said()
    with pytest.raises(NotFound):
        story.move(MoveAppointment())
    assert story.plan(told(cancelled=True)) == []


def test_it_becomes_the_touchpoint_that_was_planned():
    story = Story()
    story.plan(told(kind="advice"))
    fact, became = story.happened(minutes=40, note="good")
    assert isinstance(fact, TouchpointRecorded)
    assert (fact.touchpoint_id, fact.kind, fact.channel, fact.direction) == (COFFEE, "advice", "cafe", "mutual")
    assert (fact.contact_ids, fact.minutes, fact.personal.note) == ((ANA, BEN), 40, "good")
    assert (fact.source, fact.source_id) == ("calendar", "1")
    assert became == AppointmentHappened(appointment_id=LUNCH, contact_ids=(ANA, BEN), touchpoint_id=COFFEE)


def test_it_may_have_happened_with_others_elsewhere():
    story = Story()
    story.plan(told())
    fact, _ = story.happened(BEN, EVE, kind="call", channel="phone")
    assert isinstance(fact, TouchpointRecorded)
    assert (fact.contact_ids, fact.kind, fact.channel) == ((BEN, EVE), "call", "phone")
    assert story.standing().came == (BEN, EVE)


@pytest.mark.parametrize(
    ("people", "more", "again"),
    [
        ((), {}, True),
        ((BEN, ANA), {"minutes": 40}, True),
        ((), {"note": "good", "kind": "meeting", "channel": "cafe"}, True),
        ((ANA,), {}, False),
        ((), {"minutes": 41}, False),
        ((), {"note": "bad"}, False),
        ((), {"kind": "call"}, False),
    ],
)
def test_told_again_it_is_either_the_same_or_refused(people: tuple[UUID, ...], more: dict[str, Any], again: bool):
    story = Story()
    story.plan(told())
    story.happened(minutes=40, note="good")
    if again:
        assert story.happened(*people, **more) == []
    else:
        with pytest.raises(Refused, match="otherwise"):
            story.happened(*people, **more)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ({"by": "us", "absent": (ANA,)}, "absent"),
        ({"absent": (EVE,)}, "absent[0]"),
        ({"absent": (ANA, EVE)}, "absent[1]"),
    ],
)
def test_only_those_who_were_to_come_can_have_stayed_away(command: dict[str, Any], field: str):
    story = Story()
    story.plan(told())
    with pytest.raises(Invalid) as refusal:
        story.missed(**command)
    assert refusal.value.field == field


def test_who_did_not_come_can_be_corrected():
    story = Story()
    story.plan(told())
    story.missed()
    assert story.standing().absent == (ANA, BEN)
    assert len(story.missed(absent=(BEN,))) == 1
    assert story.standing().absent == (BEN,)
    assert story.missed(absent=(BEN,)) == []
    story.missed(by="us")
    assert (story.standing().by, story.standing().absent) == ("us", ())


def test_a_new_start_keeps_the_length():
    story = Story()
    story.plan(told(ends_at=NOON + 2 * HOUR))
    story.move(MoveAppointment(starts_at=NOON + 5 * HOUR))
    assert story.standing().plan.ends_at == NOON + 7 * HOUR
    story.move(MoveAppointment(ends_at=NOON + 6 * HOUR))
    assert (story.standing().plan.starts_at, story.standing().plan.ends_at) == (NOON + 5 * HOUR, NOON + 6 * HOUR)


def test_a_length_is_the_same_over_the_night_in_which_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    story = Story()
    evening, morning = datetime(2026, 10, 24, 22, tzinfo=berlin), datetime(2026, 10, 25, 4, tzinfo=berlin)
    story.plan(told(starts_at=evening, ends_at=morning))
    assert story.standing().plan.ends_at - story.standing().plan.starts_at == 7 * HOUR
    story.move(MoveAppointment(starts_at=datetime(2026, 10, 26, 22, tzinfo=berlin)))
    assert story.standing().plan.ends_at == datetime(2026, 10, 27, 4, tzinfo=UTC)


def test_people_and_note_are_changed_as_a_whole():
    story = Story()
    story.plan(told(note="flour"))
    story.move(MoveAppointment(channel="shop"))
    assert story.standing().note == "flour", "what is left out stays"
    story.move(MoveAppointment(people=(Reference(contact_id=EVE),), note=None), EVE)
    assert (story.standing().plan.contact_ids, story.standing().note) == ((EVE,), None)
    assert story.move(MoveAppointment(people=(Reference(contact_id=EVE),)), EVE) == []


def test_what_a_person_changed_stays_until_the_source_has_news():
    story = Story()
    story.plan(told(note="flour"))
    story.move(MoveAppointment(channel="shop", note="flour and eggs"))
    assert story.plan(told(note="flour")) == []
    story.plan(told(channel="park"))
    assert (story.standing().plan.channel, story.standing().note) == ("park", "flour and eggs")


@pytest.mark.parametrize(
    ("channel", "kind"), [("cafe", "meeting"), ("zoom", "video_call"), ("phone", "call"), ("calendar", "video_call")]
)
def test_the_channel_decides_what_it_is_where_nobody_said(channel: str, kind: str):
    story = Story()
    story.plan(told(channel=channel))
    assert story.standing().plan.kind == kind


def nobody(count: int) -> tuple[Reference, ...]:
    return tuple(Reference(email=f"guest{n}@example.com") for n in range(count))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"ends_at": NOON - timedelta(seconds=1)}, "ends_at"),
        ({"ends_at": NOON - HOUR}, "ends_at"),
        ({"ends_at": NOON + timedelta(days=32)}, "ends_at"),
        ({"starts_at": datetime(1899, 12, 31, tzinfo=UTC)}, "starts_at"),
        ({"starts_at": NOON + timedelta(days=3_661)}, "starts_at"),
        ({"ends_at": datetime.max.replace(tzinfo=UTC)}, "ends_at"),
        ({"channel": "The Café"}, "channel"),
        ({"people": ()}, "with"),
        ({"people": nobody(501)}, "with"),
        ({"people": (Reference(),)}, "with[0]"),
        ({"people": (Reference(email="a@example.com"), Reference(email="a@example.com"))}, "with[1]"),
        ({"people": (Reference(email="a@example.com"), Reference(name="Ana"))}, "with[1]"),
        ({"source": None}, "source"),
        ({"source_id": None, "cancelled": True}, "cancelled"),
        ({"source_id": None, "sequence": 1}, "sequence"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_field(given: dict[str, Any], field: str):
    command = told()
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    with pytest.raises(Invalid) as refusal:
        appointments.check_plan(PlanAppointment(**{**fields, **given}), now=NOON)
    assert refusal.value.field == field


def test_an_entry_without_a_length_is_one_too():
    story = Story()
    story.plan(told(ends_at=NOON))
    assert appointments.shown("planned", story.standing().plan.ends_at, now=NOON) == "to_confirm"
    assert story.happened(now=NOON)


def test_a_name_alone_will_do_for_what_does_not_come_again():
    told_once = told(source=None, source_id=None)
    fields = {name: getattr(told_once, name) for name in told_once.__struct_fields__}
    command = PlanAppointment(**{**fields, "people": (Reference(name="Ana"),)})
    assert appointments.check_plan(command, now=NOON) == command


@pytest.mark.parametrize(
    ("after_its_end", "shown"),
    [
        (timedelta(seconds=-1), "planned"),
        (timedelta(0), "to_confirm"),
        (timedelta(days=30) - timedelta(seconds=1), "to_confirm"),
        (timedelta(days=30), "unanswered"),
        (timedelta(days=400), "unanswered"),
    ],
)
def test_after_its_end_somebody_asks_for_30_days(after_its_end: timedelta, shown: str):
    assert appointments.shown("planned", NOON, now=NOON + after_its_end) == shown
    for state in ("happened", "missed", "cancelled"):
        assert appointments.shown(state, NOON, now=NOON + after_its_end) == state  # type: ignore[arg-type]


acts = st.lists(st.sampled_from([*SAID, "struck"]), max_size=12)


@given(acts)
def test_whatever_is_said_in_whatever_order_one_clear_state_is_left(said: list[str]):
    """It happened exactly when one unstruck touchpoint of it is there; and lists show what decisions see."""
    story = Story()
    story.plan(told())
    for one in said:
        try:
            story.strike() if one == "struck" else SAID[one](story)
        except Refused:
            to_come = story.standing().plan.starts_at > DURING
            assert to_come if one in ("happened", "missed") else story.standing().state == "happened"
        standing, shown = story.standing(), story.shown
        recorded = {event.touchpoint_id for event in story.events if isinstance(event, TouchpointRecorded)}
        struck = {event.touchpoint_id for event in story.events if isinstance(event, TouchpointStruck)}
        assert recorded - struck == ({standing.touchpoint_id} if standing.state == "happened" else set())
        assert shown is not None
        assert (shown.state, shown.plan, shown.touchpoint_id, shown.by, shown.came, shown.absent) == (
            standing.state, standing.plan, standing.touchpoint_id, standing.by, standing.came, standing.absent,
        )  # fmt: skip


editions = st.lists(
    st.tuples(st.integers(0, 48), st.sampled_from(["cafe", "shop", "zoom"])), min_size=1, max_size=6, unique=True
)


@given(editions, st.randoms())
def test_editions_of_one_entry_in_any_order_end_as_the_newest(found: list[tuple[int, str]], chance: Any):
    """A calendar exported again and again, its files imported in no order and more than once."""
    commands = [
        told(starts_at=NOON + hours * HOUR, channel=channel, sequence=n) for n, (hours, channel) in enumerate(found)
    ]
    newest = commands[-1]
    arriving = commands + commands[: len(commands) // 2]
    chance.shuffle(arriving)
    story = Story()
    for command in arriving:
        story.plan(command)
    plan = story.standing().plan
    assert (plan.starts_at, plan.channel) == (newest.starts_at, newest.channel)
    assert sum(isinstance(event, AppointmentPlanned) for event in story.events) == 1
