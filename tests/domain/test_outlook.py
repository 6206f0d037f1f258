"""The outlook: it falls in silence, whatever the tie's rhythm is, and is no part of the strength."""

from datetime import timedelta
from itertools import accumulate, pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import outlook, relationships, rhythm, strength
from domain.outlook import Fitted, Outlook
from domain.relationships import day_start
from domain.strength import Strength
from domain.touches import Touch
from tests.domain.worked_example import FIRST_DAY, touches

gaps = st.lists(st.integers(min_value=1, max_value=400), max_size=25)
kinds = st.sampled_from(["email", "call", "meeting", "direct_message", "handshake"])


def tie(days: list[int], kind: str = "call") -> Strength:
    return strength.fold(Touch(UUID(int=n), FIRST_DAY + day, kind, "mutual", "phone") for n, day in enumerate(days))


def seen(days: list[int], day: float, *, away: rhythm.Away = (), kind: str = "call") -> Outlook:
    """At so many days after the first, where each contact was at noon."""
    last = day_start(FIRST_DAY + days[-1]) + timedelta(hours=12)
    found = outlook.at(tie(days, kind), last, day_start(FIRST_DAY) + timedelta(days=day), away=away)
    assert found is not None
    return found


@settings(deadline=None)
@given(gaps, kinds, st.lists(st.floats(min_value=0, max_value=4), min_size=2, max_size=8))
def test_it_never_rises_with_silence_measured_in_the_ties_own_rhythm(apart: list[int], kind: str, ratios: list[float]):
    days = list(accumulate(apart, initial=0))
    pattern = rhythm.at(tie(days, kind), FIRST_DAY + days[-1], stage=3)
    assert pattern is not None
    cadence = pattern.cadence or 30.0
    chances = [seen(days, days[-1] + 0.5 + ratio * cadence, kind=kind) for ratio in sorted(ratios)]
    for sooner, later in pairwise(chances):
        assert later.days_14 <= sooner.days_14
        assert later.days_30 <= sooner.days_30


@given(gaps, st.floats(min_value=0.5, max_value=5_000))
def test_it_is_a_chance_and_a_longer_wait_is_no_less_likely(apart: list[int], silence: float):
    days = list(accumulate(apart, initial=0))
    found = seen(days, days[-1] + silence)
    assert 0 < found.days_14 <= found.days_30 < 1


def test_weights_that_would_rise_with_silence_are_none():
    for wrong in ({"rhythm": -0.1}, {"memory": -0.1}, {"silence": 0.1}):
        with pytest.raises(ValueError, match="silence"):
            Fitted(**({"constant": 0.0, "rhythm": 0.1, "silence": -0.1, "memory": 0.1} | wrong))


def test_of_two_ties_as_strong_the_one_that_is_silent_has_the_worse_outlook():
    """Strength outlives activity on purpose; the outlook does not."""
    state = strength.fold(touches())
    last = day_start(FIRST_DAY + 130)
    early, late = (outlook.at(state, last, day_start(FIRST_DAY + day)) for day in (131, 220))
    assert early is not None
    assert late is not None
    assert strength.evaluate(state, FIRST_DAY + 220).score > 60
    assert late.days_30 < early.days_30 / 1.5


def test_days_away_are_no_silence():
    days = [0, 7, 14, 21]
    away = [(FIRST_DAY + 25, FIRST_DAY + 34)]
    assert seen(days, 38.5, away=away).days_14 == pytest.approx(seen(days, 28.5).days_14, rel=0.02)
    middle = [seen(days, 25 + hours / 24, away=away).days_14 for hours in range(0, 241, 7)]
    assert max(middle) - min(middle) < 0.005


def test_somebody_never_in_touch_has_none():
    state = strength.fold([Touch(UUID(int=1), FIRST_DAY, "like", "in", "twitter")])
    assert outlook.at(state, day_start(FIRST_DAY), day_start(FIRST_DAY + 3)) is None
    assert outlook.at(strength.EMPTY, day_start(FIRST_DAY), day_start(FIRST_DAY + 3)) is None


def test_a_late_like_is_no_contact_day():
    state = tie([0, 7, 14])
    told = [day_start(FIRST_DAY + 14), day_start(FIRST_DAY + 40)]
    with_like, without = (outlook.at(state, last, day_start(FIRST_DAY + 41)) for last in (told[1], told[0]))
    assert with_like is not None
    assert without is not None
    assert abs(with_like.days_14 - without.days_14) < 0.01
    assert relationships.day_of(told[1]) == FIRST_DAY + 40
