"""The rhythm of a relationship: how often there usually is contact, how long it has been silent, what that says.

Gaps between contact days are exponential at a rate of the tie's own, which is gamma distributed over ties: so a gap
has a Lomax (Pareto II) survival, and what is known of the rate is the prior plus decayed repeats over decayed days.
Whether a tie is alive at all is the MBG/NBD model (Batislam, Denizel and Filiztekin 2007). BG/NBD (Fader, Hardie and
Lee 2005) would call everybody alive who was met once. The constants are to be fitted, not to be believed.
"""

from collections.abc import Sequence
from datetime import date
from math import exp, expm1, log, log1p, log2
from typing import Literal

from msgspec import Struct

from domain import strength
from domain.contacts import Often
from domain.strength import Record, Strength
from domain.touches import STANDARD, Weights

Status = Literal["in_rhythm", "due", "overdue", "fading", "dormant"]
Basis = Literal["own", "told", "stage"]
Course = Literal["warming", "steady", "cooling"]
Away = Sequence[tuple[int, int]]

REGULAR_FROM, REGULAR_SPREAD, REGULAR_SHAPE = 6, 0.5, 4
DUE, DORMANT = 1.5, 8.0
UNUSUAL, ENOUGH = 0.10, 3
FADING, STILL_ALIVE, GONE = 0.5, 0.3, 0.05
NOTICEABLE, QUIET = 0.5, 0.02
MONTH, YEAR = 30.4, 365.0

TOLD: dict[Often, float | None] = {
    "daily": 1.0, "weekly": 7.0, "monthly": MONTH, "quarterly": 91.0, "yearly": YEAR, "rarely": None,
}  # fmt: skip
STAGE_GOALS = (None, None, 180.0, 90.0, 45.0, 30.0)


class Priors(Struct, frozen=True):
    """What is thought of a tie before anything is known of it.

    `repeats` in `days`: the gamma over its rate (a0, b0). `purchases`, `purchase_days`, `leaves` and `stays` are r,
    alpha, a and b of MBG/NBD. `rapport evaluate` fits them to a set; these are the design's.
    """

    repeats: float = 1.0
    days: float = 45.0
    purchases: float = 0.6
    purchase_days: float = 20.0
    leaves: float = 0.8
    stays: float = 4.0


PRIORS = Priors()


class Rhythm(Struct, frozen=True):
    """A tie's rhythm at one UTC day. Days are days; chances and shares are 0 to 1.

    `cadence` is the usual gap: the tie's `own`, as the owner `told`, or the `stage`'s goal before three contact days;
    none for somebody known by sight alone. `silence` leaves out the days the business was away, `ratio` is silence by
    cadence, `survival` the share of gaps that last this long in this rhythm. `alive` is the chance that it goes on.
    `trend` is log2 of the last month's rate by the last half year's: 1 is twice as much.
    """

    contact_days: int
    cadence: float | None
    basis: Basis | None
    silence: int
    ratio: float | None
    survival: float | None
    alive: float
    trend: float
    course: Course
    status: Status | None


class Days(Struct, frozen=True):
    """The contact days of a tie: how many, the first and last, what their gaps tell, and a bit for each recent one."""

    count: int
    first: int
    last: int
    gaps_squared: int
    recent: int

    @property
    def span(self) -> int:
        return self.last - self.first

    @property
    def mean_gap(self) -> float:
        """Of at least two contact days."""
        return self.span / (self.count - 1)

    @property
    def regular(self) -> bool:
        """Six contact days whose gaps spread by less than half their mean."""
        if self.count < REGULAR_FROM:
            return False
        return self.gaps_squared / (self.count - 1) / self.mean_gap**2 - 1 < REGULAR_SPREAD**2


def at(
    state: Strength, day: int, *, stage: int, often: Often | None = None, away: Away = (), weights: Weights = STANDARD
) -> Rhythm | None:
    """The rhythm at the end of a UTC day not before the state's last; None before there was any contact day.

    `stage` is an index into STAGES, `often` what the owner told, `away` pairs of first and last day.
    """
    settled = strength.settled(state, weights)
    days = days_of(settled.record)
    if days is None:
        return None
    silence = max(0, day - days.last - days_away(days.last, day, away))
    alpha, beta = pace(settled, days, weights)
    cadence, basis = _cadence(days, alpha, beta, stage, often)
    ratio = None if cadence is None else silence / cadence
    survival = None if ratio is None else _survival(days, alpha, ratio, basis)
    alive = alive_after(days, silence)
    trend = _trend(settled, days.first, day, weights)
    return Rhythm(
        contact_days=days.count,
        cadence=cadence,
        basis=basis,
        silence=silence,
        ratio=ratio,
        survival=survival,
        alive=alive,
        trend=trend,
        course=_course(days, cadence, silence, ratio, trend),
        status="in_rhythm" if _as_told(basis, ratio) else _status(days.count, ratio, survival, alive),
    )


def days_of(record: Record) -> Days | None:
    if record.first is None or record.last is None:
        return None
    recent = int.from_bytes(record.recent)
    return Days(record.contact_days, record.first, record.last, record.gaps_squared, recent)


def days_away(after: int, until: int, away: Away) -> int:
    """Days of these stretches after one day and up to another, each once."""
    counted = 0
    for first, last in sorted(away):
        low, high = max(first, after + 1), min(last, until)
        if low <= high:
            counted, after = counted + high - low + 1, high
    return counted


def reaching_back(silent_days: int, until: int, away: Away) -> int:
    """How many days before a day a silence of so many began, the days away between not counted."""
    left_out = 0
    while (more := days_away(until - silent_days - left_out, until, away)) > left_out:
        left_out = more
    return silent_days + left_out


def pace(settled: Strength, days: Days, weights: Weights = STANDARD, *, priors: Priors = PRIORS) -> tuple[float, float]:
    """Alpha and beta of the gamma over the tie's rate: repeats, and the days they took, both fading, on the prior.

        q = 2^(-(last-first)/180) ;  n' = max(0, N(last) - q) ;  X = (180/ln 2)*(1 - q)
        alpha = a0 + n' ;  beta = b0 + X ;  the cadence is beta/alpha

    N stands at the state's last day, which may lie after the last contact day.
    """
    half_life = weights.half_lives[1]
    share = 2.0 ** (-days.span / half_life)
    at_last = settled.sums.contact_days * 2.0 ** ((settled.through - days.last) / half_life)
    return priors.repeats + max(0.0, at_last - share), priors.days + half_life / log(2) * (1 - share)


def _cadence(
    days: Days, alpha: float, beta: float, stage: int, often: Often | None
) -> tuple[float | None, Basis | None]:
    told = None if often is None else TOLD[often]
    if told is not None:
        return told, "told"
    if days.count < ENOUGH:
        goal = STAGE_GOALS[stage]
        return goal, None if goal is None else "stage"
    return days.mean_gap if days.regular else beta / alpha, "own"


def _survival(days: Days, alpha: float, ratio: float, basis: Basis | None) -> float:
    """The share of gaps this long. Regular ties, and what the owner told, alarm earlier than the Lomax would.

    Lomax: (beta/(beta+s))^alpha, where beta is alpha cadences. Regular: a gamma of the same mean with shape
    k = min(4, 1/cv^2), which for a spread below half the mean is always 4: an Erlang of four steps.
    """
    if basis == "told" or (basis == "own" and days.regular):
        steps = REGULAR_SHAPE * ratio
        return exp(-steps) * (1 + steps * (1 + steps / 2 * (1 + steps / 3)))
    return exp(-alpha * log1p(ratio / alpha))


def alive_after(days: Days, silence: float, *, priors: Priors = PRIORS) -> float:
    """P_alive = 1/(1 + a/(b+x) * ((al+T)/(al+tx))^(r+x)), with x = n-1, tx = last-first, T = tx + silence.

    By logarithms: the power itself leaves the floats after some decades of daily contact.
    """
    repeats = days.count - 1
    going_on = (priors.purchases + repeats) * log1p(silence / (priors.purchase_days + days.span))
    odds = log(priors.leaves / (priors.stays + repeats)) + going_on
    return 1 / (1 + exp(odds)) if odds < 700 else 0.0


def _trend(settled: Strength, first: int, day: int, weights: Weights) -> float:
    """tau = log2((r30 + 0.02)/(r180 + 0.02)), in points a day: r_h = A_h*ln2/h / (1 - 2^(-(t-first)/h)).

    On the first day both rates are the same, whatever they are: the limit is 0.
    """
    if day <= first:
        return 0.0
    fast, medium, _ = weights.half_lives
    since = day - settled.through
    faded = settled.sums.fast * 2.0 ** (-since / fast), settled.sums.medium * 2.0 ** (-since / medium)
    lately, usually = (
        points * log(2) / half_life / -expm1(-(day - first) / half_life * log(2))
        for points, half_life in zip(faded, (fast, medium), strict=True)
    )
    return log2((lately + QUIET) / (usually + QUIET))


def _course(days: Days, cadence: float | None, silence: int, ratio: float | None, trend: float) -> Course:
    """Cooling only where it is silent too: else a quarterly coffee would cool every quarter."""
    if trend < -NOTICEABLE and ratio is not None and ratio > DUE:
        return "cooling"
    window = max(30, int(2 * (cadence or 0))) - silence
    lately = (days.recent & (1 << max(0, window)) - 1).bit_count()
    return "warming" if trend > NOTICEABLE and lately >= 2 else "steady"


def _as_told(basis: Basis | None, ratio: float | None) -> bool:
    """Whether the silence lies within what the owner told, whatever the tie's own gaps were before."""
    return basis == "told" and ratio is not None and ratio < DUE


def _status(contact_days: int, ratio: float | None, survival: float | None, alive: float) -> Status | None:
    """How far the silence has gone; None where nobody can tell yet. Below 0.3 alive it is no more just late."""
    if alive < GONE or (ratio is not None and ratio > DORMANT):
        return "dormant"
    if contact_days >= ENOUGH and survival is not None and survival < UNUSUAL and alive >= STILL_ALIVE:
        return "overdue"
    if alive < FADING:
        return "fading"
    if ratio is None:
        return None
    return "due" if ratio >= DUE else "in_rhythm"


def every(days: float) -> str:
    """A cadence as people say it."""
    if days < 1.5:
        return "every day"
    if days < 5.5:
        return f"every {round(days)} days"
    if days < 10.5:
        return "every week"
    if days < 24.5:
        return f"every {round(days / 7)} weeks"
    if days < 45.6:
        return "every month"
    if days < 11.5 * MONTH:
        return f"every {round(days / MONTH)} months"
    years = round(days / YEAR)
    return "every year" if years == 1 else f"every {years} years"


def in_words(rhythm: Rhythm) -> str:
    """As in "usually every 2 weeks, now 39 days"."""
    silent = "today" if rhythm.silence == 0 else f"now {rhythm.silence} day{'s' if rhythm.silence > 1 else ''}"
    if rhythm.cadence is None or rhythm.basis is None:
        return f"too early to tell, {silent}"
    return f"{_SAYS[rhythm.basis]} {every(rhythm.cadence)}, {silent}"


_SAYS: dict[Basis, str] = {"own": "usually", "told": "as you told us", "stage": "good would be"}


def away_days(stretches: Sequence[tuple[date, date]]) -> Away:
    """Stretches of the calendar as days since 1970-01-01."""
    epoch = date(1970, 1, 1).toordinal()
    return [(first.toordinal() - epoch, last.toordinal() - epoch) for first, last in stretches]
