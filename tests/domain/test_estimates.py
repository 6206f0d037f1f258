"""Estimates: each formula against numbers worked out by hand or printed in tables."""

from itertools import pairwise
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import estimates
from domain.estimates import Mean, Wait

# Weeks of remission under 6-MP (Freireich 1963), as every textbook of survival has them; False went on.
REMISSION = [(6, True)] * 3 + [(7, True), (10, True), (13, True), (16, True), (22, True), (23, True)] + [
    (length, False) for length in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
]  # fmt: skip


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([], None),
        ([(5, True)], 5),
        ([(5, False)], None),
        ([(1, True), (2, True), (3, True)], 2),
        ([(1, True), (2, True)], 1),
        ([(1, True), (100, False), (100, False)], None),
        ([(1, True), (2, True), (100, False), (100, False)], 2),
        ([(1, False), (2, True), (3, True)], 2),
        ([(1, False), (2, False), (3, True)], 3),
        ([(2, True), (2, False), (3, True)], 3),
    ],
)
def test_a_median_counts_what_goes_on(durations: list[tuple[float, bool]], expected: float | None):
    assert estimates.wait(durations).median == expected


def test_the_survival_of_the_textbook():
    steps = {step.length: (round(step.going_on, 3), round(step.error, 3)) for step in estimates.survival(REMISSION)}
    assert steps == {
        6: (0.857, 0.076),
        7: (0.807, 0.087),
        10: (0.753, 0.096),
        13: (0.690, 0.107),
        16: (0.627, 0.114),
        22: (0.538, 0.128),
        23: (0.448, 0.135),
    }


def test_a_median_has_an_interval_from_six_that_ended():
    """Its lower end is where 0.627 - 1.96 * 0.114 falls below one half; no upper end: it never comes that far."""
    assert estimates.wait(REMISSION) == Wait(9, 12, 23, 13, None)
    few = estimates.wait([(1, True), (2, True), (3, True), (4, True), (5, True), (9, False)])
    assert few == Wait(5, 1, 3, None, None)
    assert estimates.wait([(day, True) for day in range(1, 8)]) == Wait(7, 0, 4, 2, 6)


def test_the_share_that_has_ended_by_then():
    waits = [(1, True), (2, False), (3, True), (9, False)]
    assert [estimates.ended_by(waits, day) for day in (0, 1, 2.9, 3, 100)] == [0, 0.25, 0.25, 0.625, 0.625]
    assert estimates.ended_by([], 5) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40))
def test_what_goes_on_only_falls_and_stays_a_share(waits: list[tuple[float, bool]]):
    steps = estimates.survival(waits)
    assert all(later.going_on < earlier.going_on for earlier, later in pairwise(steps))
    assert all(0 <= step.going_on <= 1 and step.error >= 0 for step in steps)
    found = estimates.wait(waits)
    assert found.ended + found.going_on == len(waits)
    if found.median is not None and found.low is not None:
        assert found.low <= found.median <= (found.high or 30)


def test_a_share_by_a_beta_whose_quantiles_have_a_closed_form():
    """Beta(a, 1) is x^a below x; Beta(1, b) is 1 - (1 - x)^b."""
    alone = estimates.share(0, 0, prior=(2, 1))
    assert (alone.value, alone.low, alone.high) == pytest.approx((2 / 3, sqrt(0.025), sqrt(0.975)))
    never = estimates.share(0, 9)
    assert (never.value, never.low, never.high) == pytest.approx((1 / 11, 1 - 0.975 ** (1 / 10), 1 - 0.025 ** (1 / 10)))


def test_a_share_of_the_tables():
    """Beta(10, 3), as R's qbeta prints it."""
    found = estimates.share(8, 2, prior=(2, 1))
    assert (round(found.low, 4), round(found.high, 4)) == (0.5159, 0.9451)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_share_lies_in_its_interval(yes: int, no: int):
    found = estimates.share(yes, no)
    assert 0 <= found.low < found.value < found.high <= 1
    turned = estimates.share(no, yes)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


def test_a_gamma_whose_quantiles_have_a_closed_form():
    """Of shape 1 it is the exponential; of shape 2, 1 - (1 + x) e^-x."""
    assert estimates.gamma_interval(1, 2) == pytest.approx((-log(0.975) / 2, -log(0.025) / 2))
    for x, tail in zip(estimates.gamma_interval(2, 1), (0.025, 0.975), strict=True):
        assert 1 - (1 + x) * exp(-x) == pytest.approx(tail)


def test_a_gamma_of_the_tables():
    """Half the chi-square quantiles of 400 degrees of freedom, 346.48 and 457.31."""
    assert estimates.gamma_interval(200, 1) == pytest.approx((173.24, 228.65), abs=0.01)


def test_a_mean_has_an_interval_from_six():
    assert estimates.mean([1, 2, 3]) == Mean(3, 2, None, None)
    found = estimates.mean([1, 2, 3, 4, 5, 6])
    assert (found.low, found.high) == pytest.approx((3.5 - 1.959964 * sqrt(3.5 / 6), 3.5 + 1.959964 * sqrt(3.5 / 6)))


def test_counts_no_more_uneven_than_chance_have_no_dispersion():
    assert estimates.dispersion([1] * 10) is None
    assert estimates.dispersion([]) is None
    assert estimates.dispersion([0] * 10) is None


def test_where_a_few_bring_most_the_dispersion_is_small():
    """For these counts the likelihood is highest at k = 0.085, found by looking at every thousandth."""
    counts = [0] * 8 + [10, 2]
    found = estimates.dispersion(counts)
    assert found is not None
    best = max(range(1, 3000), key=lambda n: estimates._likelihood(counts, 1.2, n / 1000)) / 1000
    assert found == pytest.approx(best, abs=0.001) == pytest.approx(0.085, abs=0.001)


def test_a_rate_and_how_far_it_may_be_off():
    even = estimates.rate([1] * 10)
    assert (even.value, even.dispersion) == (1.0, None)
    assert (even.low, even.high) == pytest.approx((exp(-1.959964 / sqrt(10)), exp(1.959964 / sqrt(10))))
    assert estimates.rate([0] * 10).high == pytest.approx(0.3), "the rule of three"
    assert estimates.rate([0] * 8 + [10, 2]).high > 5


def test_what_the_top_fifth_brought():
    assert estimates.of_the_top([10, 2, 0, 0, 0, 0, 0, 0, 0, 0]) == 1.0
    assert estimates.of_the_top([1] * 10) == 0.2
    assert estimates.of_the_top([3, 1]) == 0.75, "rounded up to one"
    assert estimates.of_the_top([0, 0]) is None


def test_the_effective_number_of_parts():
    assert estimates.effective_number([]) == 0
    assert estimates.effective_number([7]) == pytest.approx(1)
    assert estimates.effective_number([5, 5, 5]) == pytest.approx(3)
    assert 1 < estimates.effective_number([9, 1]) < 2


@given(st.lists(st.integers(1, 100), min_size=1, max_size=20))
def test_no_more_parts_than_there_are(sizes: list[float]):
    assert 1 - 1e-9 <= estimates.effective_number(sizes) <= len(sizes) + 1e-9
