"""Estimates from few cases, each with what it may be off by: waits, shares, rates, and how unevenly something falls.

Small published formulas. Every interval is one of 95 %; where there is too little for one, its ends are None.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import ceil, exp, fsum, lgamma, log, log1p, sqrt
from statistics import fmean, variance

from msgspec import Struct

Z = 1.959964
TAIL = 0.025
FEWEST_FOR_INTERVAL = 6  # so few cases bound a median to 95 %: 1 - 2 * 0.5^6 = 0.969
EVEN = 1e6  # a dispersion this high is no more uneven than chance
Waits = Iterable[tuple[float, bool]]


class Step(Struct, frozen=True):
    """The share that still goes on after `length`, with its standard error."""

    length: float
    going_on: float
    error: float


class Wait(Struct, frozen=True):
    """How long something took: those still going on count as going on. No median while half of them have not ended."""

    ended: int
    going_on: int
    median: float | None
    low: float | None = None
    high: float | None = None


class Share(Struct, frozen=True):
    """A share, 0 to 1, of so many cases."""

    value: float
    low: float
    high: float


class Mean(Struct, frozen=True):
    """A mean of so many cases."""

    cases: int
    value: float
    low: float | None
    high: float | None


class Rate(Struct, frozen=True):
    """A mean count with its interval; `dispersion` as `dispersion` gives it."""

    value: float
    low: float
    high: float
    dispersion: float | None


def survival(waits: Waits) -> list[Step]:
    """Kaplan and Meier (1958), with Greenwood's standard error: a step for each length at which something ended.

    Each wait is its length and whether it ended. What ended and what goes on at one length: first those that ended.
    """
    left = sorted(waits)
    at_risk, share, hazard, steps = len(left), 1.0, 0.0, []
    for length, group in groupby(left, key=lambda one: one[0]):
        told = [ended for _, ended in group]
        ended = sum(told)
        if ended:
            share *= 1 - ended / at_risk
            hazard += ended / (at_risk * (at_risk - ended)) if at_risk > ended else 0.0
            steps.append(Step(length, share, share * sqrt(hazard)))
        at_risk -= len(told)
    return steps


def wait(waits: Waits) -> Wait:
    """The median by Kaplan and Meier, its interval by Brookmeyer and Crowley (1982) from six that ended."""
    told = list(waits)
    steps, ended = survival(told), sum(ended for _, ended in told)
    median = _first(steps, lambda step: step.going_on <= 0.5 + 1e-12)
    if ended < FEWEST_FOR_INTERVAL:
        return Wait(ended, len(told) - ended, median)
    low = _first(steps, lambda step: step.going_on - Z * step.error <= 0.5)
    high = _first(steps, lambda step: step.going_on + Z * step.error < 0.5)
    return Wait(ended, len(told) - ended, median, low, high)


def ended_by(waits: Waits, length: float) -> float:
    """The share that has ended by then."""
    before = [step.going_on for step in survival(waits) if step.length <= length]
    return 1 - before[-1] if before else 0.0


def _first(steps: Sequence[Step], holds: Callable[[Step], bool]) -> float | None:
    return next((step.length for step in steps if holds(step)), None)


def share(yes: int, no: int, *, prior: tuple[float, float] = (1.0, 1.0)) -> Share:
    """The mean of a beta posterior, and its 2.5 % and 97.5 % quantiles."""
    a, b = prior[0] + yes, prior[1] + no
    return Share(a / (a + b), *(_quantile(lambda x: _beta(a, b, x), tail, 1.0) for tail in (TAIL, 1 - TAIL)))


def gamma_interval(shape: float, rate: float) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of a gamma, as of a Poisson rate after `shape` cases in `rate` years."""
    most = shape + 20 + 10 * sqrt(shape)
    low, high = (_quantile(lambda x: _gamma(shape, x), tail, most) for tail in (TAIL, 1 - TAIL))
    return low / rate, high / rate


def _quantile(below: Callable[[float], float], tail: float, most: float) -> float:
    """Where a rising distribution function reaches `tail`, by halving."""
    low, high = 0.0, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < tail else (low, middle)
    return (low + high) / 2


def _gamma(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function by its series (DLMF 8.11.4)."""
    if x <= 0:
        return 0.0
    term = total = 1 / a
    n = a
    while term > total * 1e-12:
        n += 1
        term *= x / n
        total += term
    return min(1.0, total * exp(a * log(x) - x - lgamma(a)))


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22, by Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + numerator * d)
            c = 1 + numerator / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) * fraction / a


def mean(values: Sequence[float]) -> Mean:
    """With its standard error times 1.96 to both sides, from six cases. Raises where there is none."""
    value = fmean(values)
    if len(values) < FEWEST_FOR_INTERVAL:
        return Mean(len(values), value, None, None)
    reach = Z * sqrt(variance(values) / len(values))
    return Mean(len(values), value, value - reach, value + reach)


def dispersion(counts: Sequence[int]) -> float | None:
    """k of the negative binomial of these counts, most likely as in Lloyd-Smith et al. (2005): small where few do most.

    None where they fall no more unevenly than chance (a Poisson) would have it.
    """
    middle = fmean(counts) if counts else 0.0
    if len(counts) < 2 or middle == 0 or variance(counts) <= middle:
        return None
    low, high = log(1e-3), log(EVEN)
    for _ in range(80):
        third = (high - low) / 3
        if _likelihood(counts, middle, exp(low + third)) < _likelihood(counts, middle, exp(high - third)):
            low += third
        else:
            high -= third
    found = exp((low + high) / 2)
    return None if found > EVEN / 2 else found


def _likelihood(counts: Sequence[int], middle: float, k: float) -> float:
    each = (
        lgamma(k + n) - lgamma(k) - lgamma(n + 1) + k * log(k / (k + middle)) + n * log(middle / (k + middle))
        for n in counts
    )
    return fsum(each)


def rate(counts: Sequence[int]) -> Rate:
    """The mean of counts that fall unevenly: its logarithm by the delta method, error sqrt((1/mean + 1/k)/n).

    Of none at all, up to what would still give none in one of twenty: the rule of three. Raises without any case.
    """
    middle, k, n = fmean(counts), dispersion(counts), len(counts)
    if middle == 0:
        return Rate(0.0, 0.0, 3 / n, None)
    reach = exp(Z * sqrt((1 / middle + (0 if k is None else 1 / k)) / n))
    return Rate(middle, middle / reach, middle * reach, k)


def of_the_top(counts: Iterable[int], part: float = 0.2) -> float | None:
    """The share of it all that the top 20 % have, rounded up to whole ones; None where there is nothing."""
    ordered = sorted(counts, reverse=True)
    whole = sum(ordered)
    return sum(ordered[: ceil(part * len(ordered))]) / whole if whole else None


def effective_number(sizes: Iterable[float]) -> float:
    """How many equal parts would be as diverse: exp of Shannon's entropy (Hill's number of order 1). 0 of none."""
    known = [size for size in sizes if size > 0]
    whole = fsum(known)
    return exp(-fsum(size / whole * log(size / whole) for size in known)) if known else 0.0
