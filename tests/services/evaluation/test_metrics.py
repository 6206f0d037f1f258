"""The figures of an evaluation, held against scikit-learn and against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from services.evaluation import metrics
from services.evaluation.metrics import Lists, Numbers

forecasts = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=40).filter(
    lambda rows: len({came for came, _, weight in rows if weight}) == 2
)


def columns(rows: list[tuple[bool, int, int]]) -> tuple[Numbers, Numbers, Numbers]:
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], table[:, 1], table[:, 2]


@settings(deadline=None)
@given(forecasts)
def test_auc_with_ties_and_weights_is_that_of_scikit_learn(rows: list[tuple[bool, int, int]]):
    came, scores, weights = columns(rows)
    assert metrics.auc(came, scores, weights) == pytest.approx(roc_auc_score(came, scores, sample_weight=weights))
    if 0 < came.sum() < len(came):
        assert metrics.auc(came, scores) == pytest.approx(roc_auc_score(came, scores))


@settings(deadline=None)
@given(forecasts)
def test_brier_is_that_of_scikit_learn(rows: list[tuple[bool, int, int]]):
    came, scores, weights = columns(rows)
    chances = scores / 6
    expected = brier_score_loss(came, chances, sample_weight=weights)
    assert metrics.brier(came, chances, weights) == pytest.approx(expected)


def test_where_all_are_alike_there_is_no_auc():
    assert np.isnan(metrics.auc(np.ones(3), np.array([1.0, 2.0, 3.0])))


def test_calibration_is_how_far_chances_lie_from_what_came():
    came = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1], dtype=np.float64)
    assert metrics.calibration_error(came, np.full(10, 0.3)) == pytest.approx(0)
    assert metrics.calibration_error(came, np.full(10, 0.5)) == pytest.approx(0.2)
    apart = np.array([0.95, 0.95, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15])
    assert metrics.calibration_error(came, apart) == pytest.approx(0.2 * 0.05 + 0.8 * abs(0.15 - 1 / 8))


def test_precision_takes_its_part_of_those_that_tie_at_the_edge():
    came = np.array([1, 0, 1, 0, 1, 0], dtype=np.float64)
    assert metrics.precision(came, np.array([6.0, 5, 4, 3, 2, 1]), 2) == pytest.approx(0.5)
    assert metrics.precision(came, np.array([6.0, 4, 4, 4, 2, 1]), 2) == pytest.approx((1 + 1 / 3) / 2)
    assert np.isnan(metrics.precision(came, np.arange(6.0), 7))


def two_lists(scores: list[float]) -> Lists:
    """Two people with seven contacts each, at one cut-off."""
    came = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], dtype=np.float64)
    owners = np.repeat(np.array([0, 1]), 7)
    return Lists(np.zeros(14, dtype=np.int64), owners, came, np.array(scores), np.full(14, 0.3), 2)


def test_inside_a_list_only_its_own_people_are_compared():
    """One list is all above the other; within each the ranking is right in one and wrong in the other."""
    right = [20.0, 19, 18, 17, 16, 15, 14, 1, 2, 3, 4, 5, 6, 7]
    figures = metrics.measure(two_lists(right), resamples=20)
    assert figures["auc_in_list"].value == pytest.approx(1.0)
    assert figures["precision_at_5"].value == pytest.approx(0.4)
    assert figures["auc"].value is not None
    assert figures["auc"].value < 1
    wrong = metrics.measure(two_lists([-score for score in right]), resamples=20)
    assert wrong["auc_in_list"].value == pytest.approx(0.0)


def test_the_interval_holds_the_figure_and_narrows_with_more_people():
    rng = np.random.default_rng(1)

    def width(people: int) -> float:
        owners = np.repeat(np.arange(people), 10)
        came = rng.integers(0, 2, people * 10).astype(np.float64)
        scores = came + rng.normal(0, 1.5, people * 10)
        cuts = np.zeros(people * 10, dtype=np.int64)
        found = metrics.measure(Lists(cuts, owners, came, scores, np.full(people * 10, 0.5), people))["auc"]
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(200) < width(10)
