"""The outlook of a relationship: will there be contact soon? Kept apart from its strength: how much there is.

The rhythm alone says P_alive * (1 - ((beta+s)/(beta+s+w))^alpha). Two more things of the same state say more together
with it: how long the silence is by the clock, and how much there ever was in the slow memory. Their weights were fitted
on the training parts of five sets (docs/evaluation.md); `rapport evaluate` shows how well they do on others.
"""

from datetime import datetime, timedelta
from math import exp, expm1, log, log1p

from msgspec import Struct

from domain import rhythm, strength
from domain.relationships import EPOCH
from domain.rhythm import PRIORS, Away, Priors
from domain.strength import Strength
from domain.touches import STANDARD, Weights

SOON, LATER = 14.0, 30.0
SHORTEST = 0.02  # days, half an hour: what is sooner than that is the same silence
LEAST = 1e-6


class Signs(Struct, frozen=True):
    """What the outlook goes by: the rhythm's own chance as log odds, log days of silence, log points that are left."""

    rhythm: float
    silence: float
    memory: float


class Fitted(Struct, frozen=True):
    """The weights of a logistic regression on the signs. Silence weighs against, all else for: so the chance never
    rises with silence."""

    constant: float
    rhythm: float
    silence: float
    memory: float

    def __post_init__(self) -> None:
        if self.rhythm < 0 or self.memory < 0 or self.silence > 0:
            raise ValueError("with these weights a longer silence could make contact likelier")


FITTED = Fitted(constant=-1.11, rhythm=0.14, silence=-0.37, memory=1.21)


class Outlook(Struct, frozen=True):
    """The chances, 0 to 1, of contact within 14 and within 30 days."""

    days_14: float
    days_30: float


def at(
    state: Strength, last: datetime, now: datetime, *, away: Away = (), weights: Weights = STANDARD
) -> Outlook | None:
    """As seen at an instant not before the `last` touch. None before there was any contact day."""
    silence = silence_of(state, last, now, away=away, weights=weights)
    if silence is None:
        return None
    soon, later = (signs(state, silence, now, within, weights=weights) for within in (SOON, LATER))
    return None if soon is None or later is None else Outlook(chance(soon), chance(later))


def silence_of(
    state: Strength, last: datetime, now: datetime, *, away: Away = (), weights: Weights = STANDARD
) -> float | None:
    """Days by the clock since the last touch of the last contact day, without the days away."""
    days = rhythm.days_of(strength.settled(state, weights).record)
    if days is None:
        return None
    since, today = min(_in_days(last), days.last + 1.0), _in_days(now)
    return max(0.0, today - since - _days_away(since, today, away))


def _in_days(instant: datetime) -> float:
    return (instant - EPOCH) / timedelta(days=1)


def _days_away(since: float, until: float, away: Away) -> float:
    """The days away after that of `since`, and the part of the last one that is over."""
    first, last = int(since), int(until)
    if last <= first:
        return 0.0
    return rhythm.days_away(first, last - 1, away) + (until - last) * rhythm.days_away(last - 1, last, away)


def chance(signs: Signs, fitted: Fitted = FITTED) -> float:
    return 1 / (1 + exp(-log_odds(signs, fitted)))


def log_odds(signs: Signs, fitted: Fitted = FITTED) -> float:
    told = fitted.rhythm * signs.rhythm + fitted.silence * signs.silence + fitted.memory * signs.memory
    return fitted.constant + told


def signs(
    state: Strength,
    silence: float,
    now: datetime,
    within: float,
    *,
    weights: Weights = STANDARD,
    priors: Priors = PRIORS,
) -> Signs | None:
    """Of a tie that has been silent for so many days, and how it looks for the next `within`; None as in `at`."""
    settled = strength.settled(state, weights)
    days = rhythm.days_of(settled.record)
    if days is None:
        return None
    alpha, beta = rhythm.pace(settled, days, weights, priors=priors)
    in_rhythm = -expm1(-alpha * log1p(within / (beta + silence)))
    expected = min(max(rhythm.alive_after(days, silence, priors=priors) * in_rhythm, LEAST), 1 - LEAST)
    left = settled.sums.slow * 2.0 ** (-max(0.0, _in_days(now) - settled.through) / weights.half_lives[2])
    return Signs(log(expected / (1 - expected)), log(silence + SHORTEST), log1p(left))
