"""What is known of every pair at a cut-off, and what came of it in the window after."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct

from domain import outlook
from domain.outlook import Signs
from domain.relationships import Relationship
from domain.rhythm import PRIORS, Priors, days_of
from domain.strength import settled
from domain.touches import STANDARD
from services.evaluation.cuts import DAY, Cut, between
from services.evaluation.files import Exchange
from services.evaluation.metrics import Indices, Lists, Numbers
from services.evaluation.road import Pair, pair_of

SHORTEST = outlook.SHORTEST
MONTH = 30.0


class Tie(Struct, frozen=True):
    """One pair at a cut-off: its times before it in seconds, and the state as it was stored."""

    pair: Pair
    times: list[float]
    state: Relationship


class Sample(Struct, frozen=True):
    """All pairs in contact before a cut-off. `covered` is the share of the window's pairs that are among them."""

    cut: Cut
    ties: list[Tie]
    came: Numbers
    coverage: float

    @property
    def told(self) -> bool:
        """Whether there is both: some who came and some who did not."""
        return bool(0 < self.came.sum() < len(self.came))


def of_pairs(exchanges: Sequence[Exchange]) -> dict[Pair, list[float]]:
    """Each pair's times, in order."""
    times: dict[Pair, list[float]] = defaultdict(list)
    for one in exchanges:
        times[pair_of(one)].append(one.at)
    return times


def take(
    cut: Cut, times: Mapping[Pair, list[float]], states: Mapping[Pair, Relationship], exchanges: Sequence[Exchange]
) -> Sample:
    """The sample of a cut-off from the states as they stood there. Raises ValueError where they know something else."""
    ties = []
    for pair, all_times in times.items():
        before = all_times[: bisect_left(all_times, cut.at)]
        if before:
            ties.append(Tie(pair, before, states[pair]))
    told = sum(len(one.times) for one in ties)
    stored = sum(presence.touchpoints for state in states.values() for presence in state.channels.values())
    if told != stored:
        raise ValueError(f"the views know {stored} contacts where {told} were told")
    window = {pair_of(one) for one in between(exchanges, cut.at, cut.until)}
    came = np.array([one.pair in window for one in ties], dtype=np.float64)
    return Sample(cut, ties, came, came.sum() / len(window) if window else 1.0)


def lists(samples: Sequence[Sample], scores: Sequence[Numbers], chances: Sequence[Numbers]) -> Lists:
    """Each pair in the lists of both of its people."""
    numbers: dict[str, int] = {}
    rows = [
        (cut, numbers.setdefault(who, len(numbers)))
        for cut, sample in enumerate(samples)
        for side in (0, 1)
        for who in (tie.pair[side] for tie in sample.ties)
    ]
    table: Indices = np.array(rows, dtype=np.int64)
    return Lists(
        cuts=table[:, 0],
        owners=table[:, 1],
        came=_twice([sample.came for sample in samples]),
        scores=_twice(scores),
        chances=_twice(chances),
        people=len(numbers),
    )


def _twice(columns: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.concatenate([column, column]) for column in columns])


# What is read off the times, for the baselines.


def silence(sample: Sample) -> Numbers:
    return np.array([(sample.cut.at - tie.times[-1]) / DAY + SHORTEST for tie in sample.ties])


def count(sample: Sample) -> Numbers:
    return np.array([float(len(tie.times)) for tie in sample.ties])


def active_days(sample: Sample) -> Numbers:
    return np.array([float(len({int(at // DAY) for at in tie.times})) for tie in sample.ties])


def last_month(sample: Sample) -> Numbers:
    since = sample.cut.at - MONTH * DAY
    return np.array([float(len(tie.times) - bisect_left(tie.times, since)) for tie in sample.ties])


def decayed(sample: Sample, half_life: float) -> Numbers:
    ages = [(sample.cut.at - np.array(tie.times)) / DAY for tie in sample.ties]
    return np.array([float(np.exp2(-age / half_life).sum()) for age in ages])


# What is read off the stored state, for the outlook.


def signs(sample: Sample, days: float, priors: Priors = PRIORS) -> Numbers:
    """A row of the outlook's three signs for each pair; zeros of somebody without a contact day rank last."""
    at = datetime.fromtimestamp(sample.cut.at, UTC)
    rows = [_signs(tie.state, at, days, priors) for tie in sample.ties]
    return np.array([(one.rhythm, one.silence, one.memory) for one in rows])


def _signs(state: Relationship, at: datetime, days: float, priors: Priors) -> Signs:
    last = state.last_touch_at
    silent = None if last is None else outlook.silence_of(state.strength, last, at)
    found = None if silent is None else outlook.signs(state.strength, silent, at, days, priors=priors)
    return found or NOBODY


NOBODY = Signs(rhythm=-14.0, silence=10.0, memory=0.0)


def gaps(sample: Sample) -> tuple[Numbers, Numbers]:
    """The first gap between two contact days of each pair, and 1 where it is still open."""
    found = []
    for tie in sample.ties:
        days = sorted({int(at // DAY) for at in tie.times})
        closed = len(days) > 1
        found.append((days[1] - days[0] if closed else (sample.cut.at - tie.times[-1]) / DAY + SHORTEST, not closed))
    table = np.array(found, dtype=np.float64)
    return table[:, 0], table[:, 1]


def stays(sample: Sample) -> tuple[Numbers, Numbers, Numbers]:
    """Repeats, the days from the first to the last contact day, and the days from the first to the cut-off."""
    rows = []
    for tie in sample.ties:
        days = days_of(settled(tie.state.strength, STANDARD).record)
        if days is not None:
            silent = max(0.0, sample.cut.at / DAY - min(tie.times[-1] / DAY, days.last + 1))
            rows.append((days.count - 1, days.span, days.span + silent))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]
