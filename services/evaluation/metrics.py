"""How good a forecast is: whom it ranks first, and whether its chances are right. Weights count rows several times."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

BINS = 10
FIRST = 5
RESAMPLES = 200
INTERVAL = (2.5, 97.5)


class Measured(Struct, frozen=True):
    """A figure with the interval of 95 % that resampling people gives; None where the data cannot tell."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Lists(Struct, frozen=True):
    """Forecasts as people see them: each row is one contact in the list of its owner at one cut-off.

    `came` is 1 where there was contact in the window, `scores` rank, `chances` are 0 to 1. `owners` count from 0.
    """

    cuts: Indices
    owners: Indices
    came: Numbers
    scores: Numbers
    chances: Numbers
    people: int


def auc(came: Numbers, scores: Numbers, weights: Numbers | None = None) -> float:
    """The chance that who came is ranked before who did not; a tie counts half. NaN where all are alike."""
    weights = np.ones(len(came)) if weights is None else weights
    return _Ranked(came, scores).auc(weights)


class _Ranked:
    """Sorted once, so that each set of weights is a pass over the rows."""

    def __init__(self, came: Numbers, scores: Numbers) -> None:
        self.order = np.argsort(scores, kind="stable")
        ordered = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.came = came[self.order]

    def auc(self, weights: Numbers) -> float:
        weights = weights[self.order]
        came = np.add.reduceat(weights * self.came, self.starts)
        others = np.add.reduceat(weights * (1 - self.came), self.starts)
        pairs = came.sum() * others.sum()
        if pairs == 0:
            return float("nan")
        return float((came * (np.cumsum(others) - others / 2)).sum() / pairs)


def brier(came: Numbers, chances: Numbers, weights: Numbers | None = None) -> float:
    return float(np.average((chances - came) ** 2, weights=weights))


def calibration_error(came: Numbers, chances: Numbers, weights: Numbers | None = None) -> float:
    """ECE: how far the mean chance lies from the share that came, over ten bins of equal width, by their rows."""
    weights = np.ones(len(came)) if weights is None else weights
    bins = np.minimum((chances * BINS).astype(np.int64), BINS - 1)
    apart = np.bincount(bins, weights * (chances - came), minlength=BINS)
    return float(np.abs(apart).sum() / weights.sum())


def precision(came: Numbers, scores: Numbers, first: int) -> float:
    """The share that came of the first so many; of those that tie at the edge as large a part as fits."""
    if len(came) < first:
        return float("nan")
    edge = np.sort(scores)[-first]
    above, at = scores > edge, scores == edge
    return float((came[above].sum() + (first - above.sum()) * came[at].mean()) / first)


def measure(lists: Lists, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Measured]:
    """All figures of one forecast: AUC as the mean over the cut-offs, inside a list as the mean over lists.

    People are drawn anew, each with the whole of their list.
    """
    figures = [
        _auc_over_cuts(lists),
        *_inside_lists(lists),
        _weighted(lists, brier),
        _weighted(lists, calibration_error),
    ]
    rng = np.random.default_rng(seed)
    everybody = np.ones(lists.people)
    drawn = [np.bincount(rng.integers(0, lists.people, lists.people), minlength=lists.people) for _ in range(resamples)]
    return {
        name: _interval(figure(everybody), [figure(times.astype(np.float64)) for times in drawn])
        for name, figure in zip(("auc", "auc_in_list", "precision_at_5", "brier", "ece"), figures, strict=True)
    }


Figure = Callable[[Numbers], float]


def _auc_over_cuts(lists: Lists) -> Figure:
    cuts = [np.flatnonzero(lists.cuts == cut) for cut in np.unique(lists.cuts)]
    ranked = [(_Ranked(lists.came[rows], lists.scores[rows]), lists.owners[rows]) for rows in cuts]
    return lambda times: _mean([one.auc(times[owners]) for one, owners in ranked])


def _weighted(lists: Lists, figure: Callable[[Numbers, Numbers, Numbers], float]) -> Figure:
    return lambda times: figure(lists.came, lists.chances, times[lists.owners])


def _inside_lists(lists: Lists) -> list[Figure]:
    """AUC and precision in each person's list at each cut-off, where it has both kinds, or more than five people."""
    order = np.lexsort((lists.owners, lists.cuts))
    key = lists.cuts[order] * lists.people + lists.owners[order]
    groups = np.split(order, np.flatnonzero(np.diff(key)) + 1)
    rows = [
        (
            lists.owners[group[0]],
            auc(lists.came[group], lists.scores[group]),
            precision(lists.came[group], lists.scores[group], FIRST) if len(group) > FIRST else float("nan"),
        )
        for group in groups
    ]
    table = np.array(rows, dtype=np.float64)
    owners = table[:, 0].astype(np.int64)
    return [_mean_of(owners, table[:, column]) for column in (1, 2)]


def _mean_of(owners: Indices, values: Numbers) -> Figure:
    known = ~np.isnan(values)
    owners, values = owners[known], values[known]
    return lambda times: float(np.average(values, weights=times[owners])) if times[owners].sum() > 0 else float("nan")


def _mean(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")


def _interval(value: float, drawn: list[float]) -> Measured:
    known = [one for one in drawn if one == one]
    if value != value:
        return Measured(None)
    low, high = np.percentile(known, INTERVAL) if known else (value, value)
    return Measured(round(value, 4), round(float(low), 4), round(float(high), 4))
