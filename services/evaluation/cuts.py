"""Where a set is cut: what lies before a cut-off is known, what lies in the window after it is to be foretold."""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from domain.errors import Invalid
from services.evaluation.files import Exchange
from services.evaluation.sets import Split

DAY = 86_400.0
TRAINING, EARLIEST = 0.6, 0.3  # shares of the set: training ends there, its first cut-off lies there
OFTEN = 5
KNOWN_SPLIT, KNOWN_TRAINING = 0.7, 0.4
FEWEST = 50


class Cut(Struct, frozen=True, order=True):
    """Seconds since 1970: what was before `at` is known, `until` is the end of the window."""

    at: float
    until: float

    @property
    def days(self) -> float:
        return (self.until - self.at) / DAY

    def before(self) -> "list[Cut]":
        """The last two windows of the same length that had ended."""
        length = self.until - self.at
        return [Cut(self.at - times * length, self.at - (times - 1) * length) for times in (1, 2)]


class Plan(Struct, frozen=True):
    """The cut-offs of training, those of the test after it, and the split of 70 to 30 with its own training."""

    days: float
    training: list[Cut]
    test: list[Cut]
    known_training: Cut
    known_test: Cut

    @property
    def all(self) -> set[Cut]:
        before = [earlier for cut in self.test for earlier in cut.before()]
        return {*self.training, *self.test, *before, self.known_training, self.known_test}


def usual_days(span: float) -> float:
    """The length of the window: 30 days of a set of years, 14 of one of months, else a seventh of it."""
    return 30.0 if span >= 365 else 14.0 if span >= 60 else span / 7


def plan(exchanges: Sequence[Exchange], split: Split, days: float | None) -> Plan:
    """Five cut-offs in the first 60 % whose windows end there, five after it. Raises Invalid for too little."""
    if len(exchanges) < FEWEST:
        raise Invalid(f"there are {len(exchanges)} contacts between two people: {FEWEST} at least are needed")
    times = [one.at for one in exchanges]
    first, last = times[0], times[-1]
    if first == last:
        raise Invalid("all contacts are of one instant: there is nothing to foretell")
    window = DAY * (days or usual_days((last - first) / DAY))

    def at(share: float) -> float:
        if split == "time":
            return first + (last - first) * share
        return times[min(int(share * len(times)), len(times) - 1)]

    def share_of(instant: float) -> float:
        if split == "time":
            return (instant - first) / (last - first)
        return bisect_left(times, instant) / len(times)

    ends = at(TRAINING)
    earliest, latest = min(EARLIEST, share_of(ends - window)), share_of(ends - window)
    test_latest = share_of(last - window)
    if latest <= 0.02 or test_latest <= TRAINING:
        raise Invalid(f"a window of {window / DAY:g} days is too long for {(last - first) / DAY:.1f} days: say --days")
    return Plan(
        window / DAY,
        [Cut(when := at(share), when + window) for share in _spread(earliest, latest)],
        [Cut(when := at(share), when + window) for share in _spread(TRAINING, test_latest)],
        Cut(at(KNOWN_TRAINING), at(KNOWN_SPLIT)),
        Cut(at(KNOWN_SPLIT), last + 1),
    )


def _spread(low: float, high: float) -> list[float]:
    if high - low < 0.02:
        return [high]
    return [low + (high - low) * step / (OFTEN - 1) for step in range(OFTEN)]


def between(exchanges: Sequence[Exchange], after: float, until: float) -> Sequence[Exchange]:
    """Those from one instant on and before another."""
    low = bisect_left(exchanges, after, key=lambda one: one.at)
    return exchanges[low : bisect_left(exchanges, until, key=lambda one: one.at)]
