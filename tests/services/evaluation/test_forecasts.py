"""Cut-offs, samples and what is learned from them, on made-up ties and the real fold."""

from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from domain import relationships, rhythm
from domain.errors import Invalid
from domain.outlook import Fitted
from domain.relationships import Experience, Relationship, day_start
from domain.touches import Touch
from services.evaluation import cuts, forecasts, samples
from services.evaluation.cuts import DAY, Cut
from services.evaluation.files import Exchange
from services.evaluation.samples import Sample

START = 20_000  # days since 1970


def told(pairs: dict[tuple[str, str], list[float]], kind: str = "email") -> list[Exchange]:
    """Days from the start for each pair."""
    return sorted(Exchange((START + day) * DAY, *pair, kind, "email") for pair, days in pairs.items() for day in days)


def stored(exchanges: list[Exchange], until: float) -> dict[tuple[str, str], Relationship]:
    found = {}
    for pair, times in samples.of_pairs([one for one in exchanges if one.at < until]).items():
        kind = next(one.kind for one in exchanges)
        touches = [
            Experience(
                Touch(UUID(int=int(at * 1000)), int(at // DAY), kind, "out", "email"),
                day_start(0) + timedelta(seconds=at),
            )
            for at in times
        ]
        found[pair] = relationships.fold(touches)
    return found


def experience(at: float, kind: str) -> Experience:
    touch = Touch(UUID(int=int(at * 1000)), int(at // DAY), kind, "out", "email")
    return Experience(touch, day_start(0) + timedelta(seconds=at))


def taken(exchanges: list[Exchange], at: float, until: float) -> Sample:
    cut = Cut((START + at) * DAY, (START + until) * DAY)
    return samples.take(cut, samples.of_pairs(exchanges), stored(exchanges, cut.at), exchanges)


LIVELY = {
    **{("a", f"often{n}"): [0.5 + n / 100 + 3 * day for day in range(60)] for n in range(6)},
    **{("a", f"once{n}"): [5.25 + n] for n in range(6)},
    **{("b", f"gone{n}"): [0.75 + n / 100 + 2 * day for day in range(12)] for n in range(6)},
}  # fmt: skip


def test_a_sample_knows_what_was_before_and_what_came():
    exchanges = told({("a", "b"): [1, 5, 12], ("a", "c"): [2], ("b", "c"): [11]})
    sample = taken(exchanges, 10, 15)
    assert [tie.pair for tie in sample.ties] == [("a", "b"), ("a", "c")]
    assert sample.came.tolist() == [1, 0]
    assert sample.coverage == 0.5
    assert samples.count(sample).tolist() == [2, 1]
    assert samples.silence(sample) == pytest.approx([5, 8], abs=0.05)
    assert samples.decayed(sample, 5)[1] == pytest.approx(2 ** (-8 / 5))


def test_states_that_know_more_or_less_than_was_told_are_found_out():
    exchanges = told({("a", "b"): [1, 5, 12], ("a", "c"): [2]})
    cut = Cut((START + 10) * DAY, (START + 15) * DAY)
    with pytest.raises(ValueError, match="know 4 contacts where 3 were told"):
        samples.take(cut, samples.of_pairs(exchanges), stored(exchanges, (START + 20) * DAY), exchanges)


def test_each_pair_stands_in_the_lists_of_both():
    sample = taken(told({("a", "b"): [1, 12], ("a", "c"): [2]}), 10, 15)
    lists = samples.lists([sample], [np.array([0.5, 0.2])], [np.array([0.5, 0.2])])
    assert lists.people == 3
    assert sorted(np.bincount(lists.owners).tolist()) == [1, 1, 2]
    assert lists.came.tolist() == [1, 0, 1, 0]


def test_who_is_often_in_touch_ranks_before_who_is_gone_in_every_forecast():
    exchanges = told(LIVELY)
    learned = forecasts.learn([taken(exchanges, 60, 74), taken(exchanges, 80, 94)], 14)
    test = taken(exchanges, 120, 134)
    gone = [n for n, tie in enumerate(test.ties) if tie.pair[0] == "b"]
    often = [n for n, tie in enumerate(test.ties) if tie.pair[1].startswith("often")]
    for one in learned:
        scores = one.scores(test)
        assert scores[often].min() > scores[gone].max(), one.name
        chances = one.chances(test, [taken(exchanges, 106, 120)])
        assert ((chances >= 0) & (chances <= 1)).all()
        assert chances[often].min() >= chances[gone].max()


def test_fitted_weights_never_rise_with_silence():
    """Even where silence is good news: those who were in touch are not, and the others are."""
    rng = np.random.default_rng(0)
    signs = rng.normal(size=(400, 3))
    came = (signs @ np.array([-1.0, 1.0, -1.0]) + rng.normal(size=400) > 0).astype(np.float64)
    found = forecasts.fit([signs], [came])
    assert isinstance(found, Fitted)
    assert found.rhythm == pytest.approx(0)
    assert found.silence == pytest.approx(0)
    assert found.memory == pytest.approx(0)


def test_weights_are_found_again_whatever_the_sets_base_rates():
    rng = np.random.default_rng(1)
    told_by = np.array([0.6, -0.9, 1.2])
    sets, outcomes = [], []
    for constant in (-2.0, 1.5):
        signs = rng.normal(size=(4_000, 3))
        sets.append(signs)
        outcomes.append((rng.random(4_000) < 1 / (1 + np.exp(-(constant + signs @ told_by)))).astype(np.float64))
    weights, constants = forecasts.fit_together(sets, outcomes)
    assert weights == pytest.approx(told_by, abs=0.15)
    assert constants == pytest.approx([-2.0, 1.5], abs=0.15)


def test_priors_come_from_the_gaps_and_without_any_contact_day_from_the_design():
    exchanges = told(LIVELY)
    found = forecasts.fit_priors([taken(exchanges, 60, 74)])
    assert found != rhythm.PRIORS
    assert found.days / found.repeats < 45
    likes = told({("a", "b"): [1, 12], ("a", "c"): [2]}, kind="like")
    assert forecasts.fit_priors([taken(likes, 10, 15)]) == rhythm.PRIORS


def test_windows_of_training_end_before_the_test_begins():
    exchanges = told({("a", f"p{n}"): [day + n / 10 for day in range(0, 400, 3)] for n in range(3)})
    for split in ("time", "events"):
        plan = cuts.plan(exchanges, split, 30)  # type: ignore[arg-type]
        assert len(plan.test) == 5
        first = min(cut.at for cut in plan.test)
        assert all(cut.until <= first + DAY for cut in plan.training)
        assert all(earlier.until <= cut.at for cut in plan.test for earlier in cut.before())
        assert max(cut.until for cut in plan.test) <= exchanges[-1].at + DAY
        assert {cut.days for cut in plan.test} == {30}


@pytest.mark.parametrize(
    ("days", "window", "says"),
    [
        ([1.0] * 60, None, "of one instant"),
        ([n / 10 for n in range(60)], 5.0, "too long"),
        ([1.0, 2.0], None, "2 contacts"),
    ],
)
def test_too_little_is_said(days: list[float], window: float | None, says: str):
    exchanges = told({("a", f"p{n}"): [day] for n, day in enumerate(days)})
    with pytest.raises(Invalid, match=says):
        cuts.plan(exchanges, "time", window)
