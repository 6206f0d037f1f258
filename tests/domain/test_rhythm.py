"""Rhythm: the worked example, the statuses, and what holds of any history, at the extremes too."""

from functools import lru_cache
from math import isfinite
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import rhythm, strength
from domain.rhythm import Rhythm
from domain.strength import STAGES
from domain.touches import Touch
from tests.domain.worked_example import FIRST_DAY, touches

unhurried = settings(deadline=None)
DECADES = 40 * 366


def tie(days: list[int], *, kind: str = "call") -> strength.Strength:
    """A call on each of these days."""
    return folded(tuple(days), kind)


@lru_cache
def folded(days: tuple[int, ...], kind: str) -> strength.Strength:
    return strength.fold(Touch(UUID(int=n), FIRST_DAY + day, kind, "mutual", "phone") for n, day in enumerate(days))


def seen(days: list[int], day: int, *, stage: int = 3, **more: Any) -> Rhythm:
    found = rhythm.at(tie(days), FIRST_DAY + day, stage=stage, **more)
    assert found is not None
    return found


def example_at(offset: int) -> Rhythm:
    state = strength.fold(touches(until=offset))
    stage = strength.evaluate(state, FIRST_DAY + offset).stage
    found = rhythm.at(state, FIRST_DAY + offset, stage=stage)
    assert found is not None
    return found


def test_the_worked_example_has_the_printed_digits():
    settled = strength.settled(strength.fold(touches()), strength.STANDARD)
    days = rhythm.days_of(settled.record)
    assert days is not None
    assert [round(value, 3) for value in rhythm.pace(settled, days)] == [9.761, 141.722]
    found = example_at(160)
    assert found.cadence is not None
    assert found.ratio is not None
    assert found.survival is not None
    assert (round(found.cadence, 1), found.silence, round(found.ratio, 2)) == (14.5, 39, 2.69)
    assert (round(found.survival, 3), found.status) == (0.093, "overdue")
    assert (round(found.alive, 2), round(found.trend, 2), found.course) == (0.52, -0.55, "cooling")
    assert (found.contact_days, found.basis) == (12, "own")
    assert rhythm.in_words(found) == "usually every 2 weeks, now 39 days"


def test_strong_and_going_silent():
    assert round(example_at(220).alive, 2) == 0.04
    assert example_at(220).status == "dormant"


def test_the_worked_example_goes_through_the_statuses_in_order():
    statuses = [example_at(offset).status for offset in range(121, 400)]
    changes = [status for n, status in enumerate(statuses) if n == 0 or status != statuses[n - 1]]
    assert changes == ["in_rhythm", "due", "overdue", "fading", "dormant"]


WEEKLY = [7 * n for n in range(8)]


@pytest.mark.parametrize(
    ("silence", "status"), [(0, "in_rhythm"), (10, "in_rhythm"), (11, "due"), (12, "overdue"), (57, "dormant")]
)
def test_a_regular_tie_alarms_early(silence: int, status: str):
    """Gaps that hardly vary: a gamma of four steps, of the mean gap as it is."""
    found = seen(WEEKLY, WEEKLY[-1] + silence)
    assert (found.cadence, found.status) == (7.0, status)


def test_what_is_not_regular_waits_longer():
    loose = [0, 1, 2, 3, 4, 30, 49]
    assert seen(loose, 49 + 12).status == "in_rhythm"
    five = WEEKLY[:5]
    assert seen(five, five[-1] + 12).status != "overdue", "five are too few to call it regular"


def test_what_the_owner_told_stands_above_the_ties_own():
    found = seen(WEEKLY, WEEKLY[-1] + 40, often="quarterly")
    assert (found.cadence, found.basis, found.status) == (91.0, "told", "in_rhythm")
    assert rhythm.in_words(found) == "as you told us every 3 months, now 40 days"
    assert seen(WEEKLY, WEEKLY[-1] + 4, often="daily").status == "overdue"
    assert seen(WEEKLY, WEEKLY[-1] + 40, often="rarely") == seen(WEEKLY, WEEKLY[-1] + 40)


@pytest.mark.parametrize(("stage", "goal"), [(5, 30.0), (4, 45.0), (3, 90.0), (2, 180.0), (1, None), (0, None)])
@pytest.mark.parametrize("days", [[0], [0, 3]])
def test_before_three_contact_days_the_stage_has_a_goal(stage: int, goal: float | None, days: list[int]):
    found = seen(days, 3, stage=stage)
    assert found.cadence == goal
    assert found.basis == (None if goal is None else "stage")
    assert found.status == (None if goal is None else "in_rhythm")


def test_a_handshake_and_never_again_fades():
    """BG/NBD would call this alive for ever."""
    assert [seen([0], day, stage=1).status for day in (0, 272, 273, 9_000)] == [None, None, "fading", "fading"]


def test_two_contact_days_are_never_overdue():
    assert {seen([0, 9], day, stage=5).status for day in range(9, 900)} == {"in_rhythm", "due", "fading", "dormant"}


def test_nobody_ever_in_touch_has_no_rhythm():
    assert rhythm.at(strength.EMPTY, FIRST_DAY, stage=0) is None
    likes = strength.fold([Touch(UUID(int=1), FIRST_DAY, "like", "in", "x")])
    assert rhythm.at(likes, FIRST_DAY + 3, stage=1) is None


def test_a_later_day_without_contact_changes_no_pace():
    """A like weighs too little for a contact day; the decayed count then stands at its day, not at the last contact."""
    plain = tie(WEEKLY)
    like = Touch(UUID(int=99), FIRST_DAY + WEEKLY[-1] + 20, "like", "in", "phone")
    with_like = strength.add(plain, [like])
    days = rhythm.days_of(strength.settled(plain, strength.STANDARD).record)
    assert days is not None
    first, second = (rhythm.pace(strength.settled(state, strength.STANDARD), days) for state in (plain, with_like))
    assert second == pytest.approx(first, rel=1e-12)


def test_more_lately_is_warming_and_only_with_two_days():
    warm = [0, 60, 120, 170, 172, 174, 176]
    assert (seen(warm, 177).course, seen(warm, 177).trend > 0.5) == ("warming", True)
    assert seen([0, 60, 120, 180], 181).course == "steady"


def test_a_quarterly_coffee_does_not_cool_every_quarter():
    quarterly = [91 * n for n in range(6)]
    found = rhythm.at(tie(quarterly, kind="meeting"), FIRST_DAY + quarterly[-1] + 90, stage=3)
    assert found is not None
    assert found.trend < -0.5
    assert found.course == "steady"


@pytest.mark.parametrize(
    ("away", "counted"),
    [
        ([], 0),
        ([(10, 19)], 10),
        ([(-5, 3)], 3),
        ([(28, 90)], 3),
        ([(10, 19), (15, 24)], 15),
        ([(15, 24), (10, 19)], 15),
        ([(10, 19), (12, 13)], 10),
        ([(0, 0)], 0),
        ([(31, 40)], 0),
        ([(-9, 90)], 30),
    ],
)
def test_the_days_away_are_each_left_out_once(away: list[tuple[int, int]], counted: int):
    """Between a last contact on day 0 and day 30."""
    assert rhythm.days_away(0, 30, away) == counted


def test_silence_stands_still_while_the_business_is_away():
    last = FIRST_DAY + WEEKLY[-1]
    away = [(last + 2, last + 31)]
    found = seen(WEEKLY, WEEKLY[-1] + 35, away=away)
    assert (found.silence, found.status) == (5, "in_rhythm")
    assert seen(WEEKLY, WEEKLY[-1] + 35).status != "in_rhythm"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (1, "every day"),
        (3.2, "every 3 days"),
        (7, "every week"),
        (10, "every week"),
        (14.5, "every 2 weeks"),
        (21, "every 3 weeks"),
        (30.4, "every month"),
        (91, "every 3 months"),
        (182, "every 6 months"),
        (365, "every year"),
        (720, "every 2 years"),
    ],
)
def test_a_cadence_as_people_say_it(days: float, words: str):
    assert rhythm.every(days) == words


def test_words_for_who_is_new():
    assert rhythm.in_words(seen([0], 0, stage=1)) == "too early to tell, today"
    assert rhythm.in_words(seen([0, 1], 2, stage=3)) == "good would be every 3 months, now 1 day"


histories = st.one_of(
    st.just([0]),
    st.lists(st.integers(0, DECADES), min_size=1, max_size=40).map(sorted),
    st.integers(2, 300).map(lambda n: list(range(n))),
    st.tuples(st.integers(2, 40), st.integers(1, 365)).map(lambda t: [n * t[1] for n in range(t[0])]),
    st.just([0, DECADES]),
    st.just(list(range(0, DECADES, 3))),
)
silences = st.one_of(st.integers(0, 400), st.integers(0, DECADES))
often = st.sampled_from([None, *rhythm.TOLD])
stages = st.integers(0, len(STAGES) - 1)


@unhurried
@given(histories, silences, stages, often)
def test_all_is_finite_at_the_extremes(days: list[int], silence: int, stage: int, told: Any):
    found = seen(days, days[-1] + silence, stage=stage, often=told)
    assert isfinite(found.trend)
    assert 0 <= found.alive <= 1
    assert found.silence == silence
    if found.cadence is None:
        assert (found.ratio, found.survival, found.basis) == (None, None, None)
    else:
        assert found.ratio is not None
        assert found.survival is not None
        assert found.cadence > 0
        assert isfinite(found.ratio)
        assert 0 <= found.survival <= 1 + 1e-12
    assert rhythm.in_words(found)


@unhurried
@given(histories, silences, st.integers(1, 4_000), stages, often)
def test_silence_lowers_survival_and_never_raises_the_chance_to_be_alive(
    days: list[int], silence: int, longer: int, stage: int, told: Any
):
    before = seen(days, days[-1] + silence, stage=stage, often=told)
    after = seen(days, days[-1] + silence + longer, stage=stage, often=told)
    assert after.alive <= before.alive
    if before.survival is not None and after.survival is not None:
        assert after.survival <= before.survival + 1e-12
        assert after.survival < before.survival or before.survival < 1e-12 or longer < 0.05 * (after.cadence or 1)
    assert after.cadence == before.cadence


@unhurried
@given(histories, st.integers(0, 2_000), st.lists(st.tuples(st.integers(-9, 2_000), st.integers(0, 60)), max_size=4))
def test_days_away_only_shorten_the_silence(days: list[int], silence: int, stretches: list[tuple[int, int]]):
    last = FIRST_DAY + days[-1]
    away = [(last + first, last + first + length) for first, length in stretches]
    found = seen(days, days[-1] + silence, away=away)
    touched = {day for first, end in away for day in range(first, end + 1) if last < day <= last + silence}
    assert found.silence == silence - len(touched)


@unhurried
@given(histories, silences, stages)
def test_overdue_is_what_the_nudge_may_be_about(days: list[int], silence: int, stage: int):
    found = seen(days, days[-1] + silence, stage=stage)
    if found.status == "overdue":
        assert found.contact_days >= 3
        assert found.survival is not None
        assert found.survival < 0.10
        assert found.alive >= 0.3


@pytest.mark.parametrize(
    ("away", "reaches"),
    [
        ([], 10),
        ([(101, 110)], 10),
        ([(95, 97)], 13),
        ([(95, 97), (96, 99)], 15),
        ([(88, 91)], 10 + 4),
        ([(80, 100)], 31),
        ([(99, 130)], 12),
    ],
)
def test_a_silence_reaches_back_over_the_days_away(away: list[tuple[int, int]], reaches: int):
    assert rhythm.reaching_back(10, 100, away) == reaches
    assert reaches - rhythm.days_away(100 - reaches, 100, away) == 10
