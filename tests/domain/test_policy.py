"""The policy: what it takes, and when a business is open by the clock on its wall."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import policy
from domain.errors import Invalid
from domain.policy import STANDARD, Away, Hours, NudgePolicyChanged, Place, Policy

PORTLAND = Place("US", "America/Los_Angeles")
BERLIN = Place("DE", "Europe/Berlin")
ALWAYS = Policy(quiet_hours=Hours("00:00", "00:00"), opening_days=policy.WEEKDAYS, holidays=False)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_the_defaults_are_those_of_the_catalogue():
    assert (STANDARD.a_day, STANDARD.a_week, STANDARD.rest_days) == (3, 9, 14)
    assert (STANDARD.quiet_hours.from_, STANDARD.quiet_hours.until) == ("19:00", "08:00")
    assert STANDARD.opening_days == ("monday", "tuesday", "wednesday", "thursday", "friday")
    assert STANDARD.holidays
    assert all(kind.on and kind.rest_days is None for kind in map(STANDARD.of, policy.KINDS))


@pytest.mark.parametrize(
    ("when", "place", "open_"),
    [
        ("2026-06-10T08:00:00-07:00", PORTLAND, True),
        ("2026-06-10T07:59:59-07:00", PORTLAND, False),
        ("2026-06-10T18:59:59-07:00", PORTLAND, True),
        ("2026-06-10T19:00:00-07:00", PORTLAND, False),
        ("2026-06-10T03:00:00-07:00", PORTLAND, False),
        ("2026-06-13T12:00:00-07:00", PORTLAND, False),  # a Saturday
        ("2026-06-14T12:00:00-07:00", PORTLAND, False),  # a Sunday
        ("2026-06-14T17:00:00-07:00", BERLIN, False),  # there it is Monday, and two in the night
        ("2026-06-15T01:00:00-07:00", BERLIN, True),  # ten in the morning
        ("2026-12-25T12:00:00-08:00", PORTLAND, False),  # Christmas, a Friday
        ("2026-07-03T12:00:00-07:00", PORTLAND, False),  # Independence Day is a Saturday: the Friday instead
        ("2026-07-03T12:00:00+02:00", BERLIN, True),
        ("2026-05-01T12:00:00+02:00", BERLIN, False),  # Labour Day there, a Friday like others here
        ("2026-05-01T12:00:00-07:00", PORTLAND, True),
        ("2026-05-01T12:00:00+00:00", Place("XX", "UTC"), True),
        ("2026-05-01T20:00:00+00:00", Place("XX", "UTC"), False),
    ],
)
def test_open_by_the_clock_on_the_wall(when: str, place: Place, open_: bool):
    assert policy.is_open(STANDARD, at(when), place) is open_


def test_holidays_can_be_switched_off_and_belong_to_a_region():
    christmas, womens_day = at("2026-12-25T12:00:00-08:00"), at("2027-03-08T12:00:00+01:00")
    assert policy.is_open(Policy(holidays=False), christmas, PORTLAND)
    assert policy.is_open(STANDARD, womens_day, BERLIN)
    assert not policy.is_open(Policy(region="BE"), womens_day, BERLIN)


def test_own_closed_days_are_closed_to_the_last():
    away = Policy(away=(Away(date(2026, 8, 3), date(2026, 8, 14)),))
    days = [date(2026, 7, 31), date(2026, 8, 3), date(2026, 8, 14), date(2026, 8, 17)]
    assert [policy.is_open_day(away, day, PORTLAND) for day in days] == [True, False, False, True]


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [
        (Hours("19:00", "08:00"), ["19:00", "23:59", "00:00", "07:59"], ["08:00", "12:00", "18:59"]),
        (Hours("12:00", "14:00"), ["12:00", "13:59"], ["11:59", "14:00", "00:00", "23:59"]),
        (Hours("00:00", "09:30"), ["00:00", "09:29"], ["09:30", "23:59"]),
        (Hours("00:00", "00:00"), [], ["00:00", "12:00", "23:59"]),
        (Hours("09:00", "09:00"), [], ["08:59", "09:00"]),
    ],
)
def test_quiet_hours(hours: Hours, quiet: list[str], loud: list[str]):
    def is_quiet(clock: str) -> bool:
        return policy.is_quiet(Policy(quiet_hours=hours), datetime.fromisoformat(f"2026-06-10T{clock}").time())

    assert [is_quiet(clock) for clock in quiet] == [True] * len(quiet)
    assert [is_quiet(clock) for clock in loud] == [False] * len(loud)


@pytest.mark.parametrize(
    ("place", "after", "opens"),
    [
        (PORTLAND, "2026-06-10T07:59:59-07:00", "2026-06-10T08:00:00-07:00"),
        (PORTLAND, "2026-06-10T08:00:00-07:00", "2026-06-11T08:00:00-07:00"),
        (PORTLAND, "2026-06-12T22:00:00-07:00", "2026-06-15T08:00:00-07:00"),  # over the weekend
        (PORTLAND, "2026-07-02T22:00:00-07:00", "2026-07-06T08:00:00-07:00"),  # and a holiday
        (PORTLAND, "2026-03-06T22:00:00-08:00", "2026-03-09T08:00:00-07:00"),  # summer time begins
        (PORTLAND, "2026-10-30T22:00:00-07:00", "2026-11-02T08:00:00-08:00"),  # and ends
        (BERLIN, "2026-03-27T22:00:00+01:00", "2026-03-30T08:00:00+02:00"),
        (Place("IN", "Asia/Kolkata"), "2026-06-10T12:00:00+05:30", "2026-06-11T08:00:00+05:30"),
        (Place("KI", "Pacific/Kiritimati"), "2026-06-10T12:00:00+14:00", "2026-06-11T08:00:00+14:00"),
        (Place("AU", "Australia/Lord_Howe"), "2026-04-02T22:00:00+11:00", "2026-04-07T08:00:00+10:30"),  # Easter too
    ],
)
def test_what_is_set_off_at_night_waits_for_the_morning(place: Place, after: str, opens: str):
    assert policy.next_opening(STANDARD, at(after), place) == at(opens)


def test_without_quiet_hours_the_day_begins_at_midnight():
    assert policy.next_opening(ALWAYS, at("2026-06-10T12:00:00-07:00"), PORTLAND) == at("2026-06-11T00:00:00-07:00")
    havana = Place("CU", "America/Havana")
    spring, autumn = at("2026-03-07T12:00:00-05:00"), at("2026-10-31T12:00:00-04:00")
    assert policy.next_opening(ALWAYS, spring, havana) == at("2026-03-08T01:00:00-04:00"), "there is no midnight"
    assert policy.next_opening(ALWAYS, autumn, havana) == at("2026-11-01T00:00:00-04:00"), "the first of two"


def test_who_is_away_for_years_opens_never():
    away = Policy(away=(Away(date(2026, 1, 1), date(2027, 12, 31)), Away(date(2028, 1, 1), date(2029, 12, 31))))
    assert policy.next_opening(away, at("2026-06-10T12:00:00-07:00"), PORTLAND) is None


unhurried = settings(deadline=None)
zones = st.sampled_from(["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "UTC"])
clocks = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 30]))
policies = st.builds(
    Policy,
    quiet_hours=st.builds(Hours, clocks, clocks),
    opening_days=st.lists(st.sampled_from(policy.WEEKDAYS), min_size=1, unique=True).map(tuple),
    holidays=st.booleans(),
)
moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: at("2026-01-01T00:00:00Z") + timedelta(minutes=minutes))


@unhurried
@given(policies, moments, zones)
def test_it_opens_later_and_is_open_then(one: Policy, now: datetime, zone: str):
    place = Place("US", zone)
    opens = policy.next_opening(one, now, place)
    assert opens is not None
    assert opens > now
    assert policy.is_open(one, opens, place)


@unhurried
@given(policies, moments, zones)
def test_while_closed_nothing_opens_before_the_next_opening(one: Policy, now: datetime, zone: str):
    place = Place("US", zone)
    opens = policy.next_opening(one, now, place)
    assert opens is not None
    if not policy.is_open(one, now, place) and not _clock_changes(now, opens, zone):
        step = (opens - now) / 30
        assert not any(policy.is_open(one, now + n * step, place) for n in range(30))


def _clock_changes(begin: datetime, end: datetime, zone: str) -> bool:
    return begin.astimezone(ZoneInfo(zone)).utcoffset() != end.astimezone(ZoneInfo(zone)).utcoffset()


@pytest.mark.parametrize(
    ("now", "zone", "began"),
    [
        ("2026-06-10T23:59:59-07:00", "America/Los_Angeles", "2026-06-10T00:00:00-07:00"),
        ("2026-03-08T12:00:00-07:00", "America/Los_Angeles", "2026-03-08T00:00:00-08:00"),
        ("2026-11-01T12:00:00-08:00", "America/Los_Angeles", "2026-11-01T00:00:00-07:00"),
        ("2026-11-01T00:30:00-04:00", "America/Havana", "2026-11-01T00:00:00-04:00"),
        ("2026-11-01T00:30:00-05:00", "America/Havana", "2026-11-01T00:00:00-04:00"),  # midnight came twice
        ("2026-06-10T09:00:00+14:00", "Pacific/Kiritimati", "2026-06-10T00:00:00+14:00"),
    ],
)
def test_a_day_begins_once_by_the_tenants_clock(now: str, zone: str, began: str):
    assert policy.day_began(at(now), zone) == at(began)


def test_a_change_is_a_fact_once():
    calmer = Policy(a_day=1)
    [changed] = policy.change(calmer, None, place=PORTLAND)
    assert changed == NudgePolicyChanged(policy=calmer)
    assert policy.evolve(None, changed) == calmer
    assert policy.change(calmer, calmer, place=PORTLAND) == []
    assert policy.change(STANDARD, None, place=PORTLAND) == [], "as it is without any"
    assert policy.change(STANDARD, calmer, place=PORTLAND) == [NudgePolicyChanged(policy=STANDARD)]


def test_a_stored_policy_keeps_what_was_the_default_then():
    body = msgspec.json.decode(msgspec.json.encode(NudgePolicyChanged(policy=STANDARD)))
    assert body["policy"]["a_day"] == 3
    assert body["policy"]["quiet_hours"] == {"from": "19:00", "until": "08:00"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"opening_days": ["monday", "monday"]}, "opening_days"),
        ({"region": "ZZ"}, "region"),
        ({"away": [{"from": "2026-08-03", "until": "2026-08-02"}]}, "away[0].until"),
        ({"away": [{"from": "2026-08-03", "until": "2026-08-04"}, {"from": "2026-01-01", "until": "2029-01-01"}]},
         "away[1].until"),
        ({"away": [{"from": "1066-10-14", "until": "1066-10-14"}]}, "away[0].from"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(wrong: dict[str, Any], field: str):
    with pytest.raises(Invalid) as refused:
        policy.change(msgspec.convert(wrong, Policy), None, place=PORTLAND)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "wrong",
    [
        {"a_day": -1}, {"a_day": 21}, {"a_week": 101}, {"rest_days": 0}, {"quiet_hours": {"from": "24:00"}},
        {"quiet_hours": {"from": "7"}}, {"opening_days": []}, {"opening_days": ["Monday"]}, {"kinds": {"spam": {}}},
        {"kinds": {"meet_in_person": {"rest_days": 0}}}, {"nights": True}, {"holidays": "no"},
        {"away": [{"from": "2026-08-03"}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_policy_is_none(wrong: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(wrong), type=Policy)


def test_each_day_of_a_year_opens_once():
    now, openings = at("2026-01-01T00:00:00-08:00"), []
    while now < at("2027-01-01T00:00:00-08:00"):
        opens = policy.next_opening(STANDARD, now, PORTLAND)
        assert opens is not None
        openings.append(opens.astimezone(ZoneInfo(PORTLAND.time_zone)))
        now = opens
    days = [opening.date() for opening in openings]
    every = [date(2026, 1, 1) + timedelta(days=n) for n in range(370)]
    assert days == [day for day in every if day <= days[-1] and policy.is_open_day(STANDARD, day, PORTLAND)]
    assert {(opening.hour, opening.minute) for opening in openings} == {(8, 0)}
