"""When a gathering takes place: by the wall clock of its zone, whatever the clocks do, whatever was changed since."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import recurrence
from domain.errors import Invalid
from domain.gatherings import (
    CancelGathering,
    ChangeGathering,
    Gathering,
    GatheringPlanned,
    PlanGathering,
    cancel,
    change,
    evolve,
    plan,
)
from domain.recurrence import ALWAYS, Change, GatheringPlan, Occurrence, Schedule

NOBODY = UUID("01990000-0000-7000-8000-0000000000f1")
QUARTER = timedelta(minutes=15)
ZONES = (
    "America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC",
    "America/Santiago", "Pacific/Apia",
)  # fmt: skip
RULES = (
    "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY", "FREQ=YEARLY",
)  # fmt: skip

BERLIN = ZoneInfo("Europe/Berlin")
patient = settings(deadline=None)

# Quarters of an hour, in whatever zone, of about fourteen years.
starts = st.integers(0, 14 * 365 * 96).map(lambda quarters: datetime(2016, 1, 1, tzinfo=UTC) + quarters * QUARTER)
plans = st.builds(
    lambda at, zone, rule, minutes: GatheringPlan(
        title="Friday patio",
        channel="patio",
        starts_at=at,
        minutes=minutes,
        time_zone=zone,
        repeats=rule,
    ),
    starts,
    st.sampled_from(ZONES),
    st.sampled_from(RULES),
    st.sampled_from((15, 60, 180)),
)


def of(one: GatheringPlan, **more: Any) -> Schedule:
    return Schedule(((ALWAYS, one),), **more)


def year(schedule: Schedule, begin: datetime) -> list[Occurrence]:
    return recurrence.occurrences(schedule, since=begin, until=begin + timedelta(days=400))


def weekly(year: int, month: int, day: int, hour: int = 17, minute: int = 0, **more: Any) -> GatheringPlan:
    """From this wall time in Berlin on."""
    begin = datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)
    fields = {"title": "a", "channel": "cafe", "minutes": 60, "repeats": "FREQ=WEEKLY"} | more
    return GatheringPlan(starts_at=begin, time_zone="Europe/Berlin", **fields)


@patient
@given(plans)
def test_the_wall_time_stays_where_that_hour_exists(one: GatheringPlan):
    begin = one.starts_at.astimezone(one.zone)
    found = year(of(one), one.starts_at)
    assert found[0].starts_at == one.starts_at
    for occurrence in found:
        local = occurrence.starts_at.astimezone(one.zone)
        exists = datetime.combine(occurrence.occurrence, begin.time(), tzinfo=one.zone)
        if exists.astimezone(UTC).astimezone(one.zone).replace(tzinfo=None) == exists.replace(tzinfo=None):
            assert (local.date(), local.time()) == (occurrence.occurrence, begin.time())
        else:
            assert abs(local.replace(tzinfo=None) - exists.replace(tzinfo=None)) <= timedelta(hours=24)
        assert occurrence.ends_at - occurrence.starts_at == timedelta(minutes=one.minutes)


@patient
@given(plans)
def test_names_are_days_each_once_and_each_is_found_by_its_name(one: GatheringPlan):
    found = year(of(one), one.starts_at)
    names = [occurrence.occurrence for occurrence in found]
    assert len(set(names)) == len(names)
    for occurrence in found[::50]:
        assert recurrence.occurrence(of(one), occurrence.occurrence) == occurrence
    assert recurrence.occurrence(of(one), one.starts_at.date() - timedelta(days=3)) is None


@patient
@given(plans, st.integers(0, 400))
def test_a_span_is_the_same_whole_or_in_two(one: GatheringPlan, days: int):
    end = one.starts_at + timedelta(days=400)
    middle = one.starts_at + timedelta(days=days)
    whole = recurrence.occurrences(of(one), since=one.starts_at, until=end)
    early = [seen for seen in whole if seen.starts_at < middle]
    assert recurrence.occurrences(of(one), since=one.starts_at, until=middle) == early
    late = recurrence.occurrences(of(one), since=middle, until=end)
    assert late == [seen for seen in whole if seen.ends_at > middle]


def test_five_in_the_afternoon_stays_five_when_the_clocks_change():
    found = year(of(weekly(2026, 10, 23)), datetime(2026, 10, 20, tzinfo=UTC))
    assert [one.starts_at.hour for one in found[:2]] == [15, 16]


def test_an_hour_that_does_not_exist_is_the_hour_after_it():
    found = year(of(weekly(2026, 3, 22, 2, 30)), datetime(2026, 3, 20, tzinfo=UTC))
    assert [one.starts_at.astimezone(BERLIN).time() for one in found[:3]] == [
        time(2, 30), time(3, 30), time(2, 30),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "first", "days"),
    [
        ("FREQ=MONTHLY;BYDAY=1TH", date(2026, 5, 7), [date(2026, 6, 4), date(2026, 7, 2)]),
        ("FREQ=MONTHLY;BYDAY=-1FR", date(2026, 5, 29), [date(2026, 6, 26), date(2026, 7, 31)]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", date(2026, 1, 31), [date(2026, 2, 28), date(2026, 3, 31)]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", date(2026, 1, 31), [date(2026, 3, 31), date(2026, 5, 31)]),
        ("FREQ=WEEKLY;BYDAY=TU,FR", date(2026, 5, 5), [date(2026, 5, 8), date(2026, 5, 12)]),
        ("freq=weekly;interval=1", date(2026, 5, 5), [date(2026, 5, 12), date(2026, 5, 19)]),
        ("RRULE:FREQ=YEARLY", date(2024, 2, 29), [date(2028, 2, 29), date(2032, 2, 29)]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", date(2026, 5, 5), [date(2026, 5, 19), date(2026, 6, 2)]),
    ],
)
def test_a_rule_is_what_a_calendar_takes_it_for(rule: str, first: date, days: list[date]):
    one = recurrence.check_rule(weekly(first.year, first.month, first.day, repeats=rule))
    found = recurrence.occurrences(of(one), since=one.starts_at, until=one.starts_at + timedelta(days=3000))
    assert [seen.occurrence for seen in found[:3]] == [first, *days]


@pytest.mark.parametrize(
    "rule",
    [
        "", "x", "FREQ=HOURLY", "FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;UNTIL=20270101", "FREQ=WEEKLY;BYHOUR=1,2,3",
        "FREQ=WEEKLY;BYDAY=1FR", "FREQ=MONTHLY;BYDAY=FR", "FREQ=MONTHLY;BYDAY=6FR", "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;INTERVAL=100", "FREQ=WEEKLY;INTERVAL=2;INTERVAL=3", "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2",
        "FREQ=WEEKLY\nFREQ=DAILY", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(rule: str):
    with pytest.raises(Invalid) as refused:
        recurrence.check_rule(weekly(2026, 5, 8, repeats=rule))
    assert refused.value.field == "repeats"


def test_it_ends_with_its_last_day():
    one = weekly(2026, 5, 8, until=date(2026, 5, 22))
    found = year(of(one), one.starts_at)
    assert [seen.occurrence.day for seen in found] == [8, 15, 22]
    assert recurrence.over_at(of(one)) == found[-1].ends_at
    assert recurrence.over_at(of(weekly(2026, 5, 8))) is None


def test_a_moved_occurrence_keeps_its_name_and_comes_in_its_new_order():
    one = weekly(2026, 5, 8)
    moved = Change(starts_at=datetime(2026, 5, 16, 9, tzinfo=UTC))
    found = year(of(one, changes={date(2026, 5, 8): moved}), datetime(2026, 5, 1, tzinfo=UTC))
    assert [seen.occurrence.day for seen in found[:2]] == [15, 8]
    [only] = recurrence.occurrences(
        of(one, changes={date(2026, 5, 8): moved}),
        since=datetime(2026, 5, 16, tzinfo=UTC),
        until=datetime(2026, 5, 17, tzinfo=UTC),
    )
    assert only.occurrence == date(2026, 5, 8)


def planned(command: PlanGathering, now: datetime) -> Gathering:
    [fact] = plan(command, gathering_id=NOBODY, time_zone="Europe/Berlin", currency=None, now=now)
    assert isinstance(fact, GatheringPlanned)
    state = evolve(None, fact)
    assert state is not None
    return state


changes = st.one_of(
    st.builds(lambda title: ChangeGathering(title=title), st.sampled_from(("a", "b", "c"))),
    st.builds(lambda minutes: ChangeGathering(minutes=minutes), st.sampled_from((30, 90))),
    st.builds(lambda days, hour: (days, hour), st.integers(-3, 20), st.integers(0, 23)),
    st.just(CancelGathering()),
)


@settings(deadline=None, max_examples=40)
@given(plans, st.lists(st.tuples(st.integers(1, 40), changes), max_size=8))
def test_nothing_said_later_changes_what_has_begun(one: GatheringPlan, said: list[tuple[int, Any]]):
    """Whatever is changed of all of them, those that had begun before it was said stay as they were."""
    now = one.starts_at
    state = planned(
        PlanGathering(
            title=one.title, channel=one.channel, starts_at=one.starts_at, minutes=one.minutes,
            time_zone=one.time_zone, repeats="FREQ=WEEKLY",
        ),
        now,
    )  # fmt: skip
    for days, what in said:
        now += timedelta(days=days, hours=7)
        begun = [seen for seen in _all(state, now) if seen.starts_at <= now]
        if state.schedule.ended is not None:
            break
        if isinstance(what, CancelGathering):
            facts = cancel(what, state, attended=(), now=now)
        elif isinstance(what, tuple):
            at = (now + timedelta(days=what[0])).replace(hour=what[1])
            facts = change(ChangeGathering(starts_at=at), state, currency=None, now=now)
        else:
            facts = change(what, state, currency=None, now=now)
        for fact in facts:
            state = evolve(state, fact) or state
        found = _all(state, now)
        assert [seen for seen in found if seen.starts_at <= now] == begun
        names = [seen.occurrence for seen in found]
        assert len(set(names)) == len(names)
        if isinstance(what, CancelGathering):
            assert [seen for seen in found if seen.starts_at > now] == []


def _all(state: Gathering, now: datetime) -> list[Occurrence]:
    begin = state.schedule.plans[0][1].starts_at - timedelta(days=30)
    return recurrence.occurrences(state.schedule, since=begin, until=now + timedelta(days=60))


def test_a_new_start_holds_from_its_own_day_and_a_title_said_after_it_loses_none():
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    state = planned(PlanGathering(title="a", channel="cafe", starts_at=datetime(2026, 5, 1, 15, tzinfo=UTC)), now)
    thursday = ChangeGathering(starts_at=datetime(2026, 5, 21, 16, tzinfo=UTC))
    for command in (thursday, ChangeGathering(title="b")):
        [fact] = change(command, state, currency=None, now=now)
        state = evolve(state, fact) or state
    assert [(seen.occurrence.day, seen.plan.title) for seen in _all(state, now)[:6]] == [
        (1, "a"), (8, "a"), (15, "a"), (21, "b"), (28, "b"), (4, "b"),
    ]  # fmt: skip


def test_it_begins_on_a_whole_minute():
    at = datetime(2026, 5, 8, 15, 0, 59, 999999, tzinfo=UTC)
    state = planned(PlanGathering(title="a", channel="cafe", starts_at=at), at)
    assert state.schedule.plan.starts_at == datetime(2026, 5, 8, 15, tzinfo=UTC)


def test_another_zone_keeps_the_wall_time():
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    state = planned(PlanGathering(title="a", channel="cafe", starts_at=datetime(2026, 5, 8, 15, tzinfo=UTC)), now)
    [fact] = change(ChangeGathering(time_zone="America/Los_Angeles"), state, currency=None, now=now)
    state = evolve(state, fact) or state
    assert state.schedule.plan.starts_at == datetime(2026, 5, 9, 0, tzinfo=UTC)
