"""What referrals were worth, and to whom that is owed: accounting, not causation, as those who refer chose to.

The value of a client belongs to who handed them over; several who did share it. Chain credit shares the same value over
all who stand above in the chain: two ways to say one total, never to be added to each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain import estimates, money
from domain.chains import NOTHING, Link

FADES = timedelta(days=60)
PASSED_ON = 0.5
HIGHEST = 40  # who stands further up has less than one in a million million
USUAL_HEAT = 3
YEAR = timedelta(days=365.25)
BALANCE_FADES = timedelta(days=730)
EVEN = 0.25
ONE_ALONE = 3.0  # with this prior a single referral is no lead
FEWEST_FOR_SHAPE = 3

Word = Literal["even", "you_lead", "they_lead"]
Shape = Literal["many_small", "few_large"]


class Referrer(Struct, frozen=True, kw_only=True):
    """Somebody who referred people to us. `value` is direct, `credit` that of the chain.

    `a_year` is the won value to be expected of a year, in the currency, `low` to `high` its interval; None while
    nothing was ever won by anybody.
    """

    contact_id: UUID
    referrals: int
    won: int
    value: Decimal
    credit: Decimal
    conversion: estimates.Share
    a_year: float | None
    low: float | None
    high: float | None
    shape: Shape | None


def direct(links: Sequence[Link], currency: str) -> dict[UUID, Decimal]:
    """By referrer, the value of the clients they handed over: all that was won, each coin once."""
    found: dict[UUID, Decimal] = {}
    together = _by_prospect(links)
    for link in links:
        if link.value:
            shares = _shares(_who_brought(link, together[link.prospect_id]))
            _credit(found, link.value, shares, currency)
    return found


def chain(links: Sequence[Link], currency: str) -> dict[UUID, Decimal]:
    """By person, their part in all values won in their chains: half as much at each step up, normalised to the whole.

    In a chain of three the next above gets 0.571, the one above them 0.286, the first 0.143. The links make no circle.
    """
    found: dict[UUID, Decimal] = {}
    together = _by_prospect(links)
    above = {whom: _shares(told) for whom, told in together.items()}
    for link in links:
        if link.value:
            shares = _upwards(_shares(_who_brought(link, together[link.prospect_id])), above)
            _credit(found, link.value, shares, currency)
    return found


def _by_prospect(links: Iterable[Link]) -> dict[UUID, list[Link]]:
    found: dict[UUID, list[Link]] = {}
    for link in links:
        found.setdefault(link.prospect_id, []).append(link)
    return found


def _who_brought(won: Link, together: Sequence[Link]) -> list[Link]:
    """The referrals of this prospect that had been made when it was won."""
    at = won.decided_at or won.made_at
    return [link for link in together if link is won or link.made_at <= at]


def _shares(links: Sequence[Link]) -> dict[UUID, float]:
    """By referrer, the share of each: half for every 60 days that theirs is older, more for a warmer one. Sum 1."""
    latest = max(link.made_at for link in links)
    weights: dict[UUID, float] = {}
    for link in links:
        weight = float(2.0 ** -min((latest - link.made_at) / FADES, 1000)) * (link.heat or USUAL_HEAT)
        weights[link.referrer_id] = weights.get(link.referrer_id, 0.0) + weight
    whole = sum(weights.values())
    return {who: weight / whole for who, weight in weights.items()}


def _upwards(shares: Mapping[UUID, float], above: Mapping[UUID, Mapping[UUID, float]]) -> dict[UUID, float]:
    found: dict[UUID, float] = {}
    step, passed = dict(shares), 1.0
    for _ in range(HIGHEST):
        for who, share in step.items():
            found[who] = found.get(who, 0.0) + share * passed
        step, passed = _one_up(step, above), passed * PASSED_ON
        if not step:
            break
    return found


def _one_up(step: Mapping[UUID, float], above: Mapping[UUID, Mapping[UUID, float]]) -> dict[UUID, float]:
    found: dict[UUID, float] = {}
    for who, share in step.items():
        for parent, part in above.get(who, {}).items():
            found[parent] = found.get(parent, 0.0) + share * part
    return found


def _credit(found: dict[UUID, Decimal], value: Decimal, shares: Mapping[UUID, float], currency: str) -> None:
    people = sorted(who for who, share in shares.items() if share > 0)
    for who, part in zip(people, money.split(value, [shares[who] for who in people], currency), strict=True):
        found[who] = found.get(who, NOTHING) + part


def referrers(
    links: Sequence[Link], currency: str | None, *, since: Mapping[UUID, datetime], vouches: Mapping[UUID, int],
    overdue: datetime, now: datetime,
) -> list[Referrer]:  # fmt: skip
    """Those worth most a year first, of equals who vouched more. `since` is when each became known, if that is told.

    The rank is the mean of a posterior whose prior is one year of the mean referrer. An open referral made by
    `overdue` counts as not won.
    """
    made: dict[UUID, list[Link]] = {}
    for link in links:
        made.setdefault(link.referrer_id, []).append(link)
    values = direct(links, currency) if currency else {}
    credits_ = chain(links, currency) if currency else {}
    years = {who: _years(told, since.get(who), now) for who, told in made.items()}
    usual = Usual(_mean(sum(float(value) for value in values.values()), years), _mean(sum(map(_is_won, links)), years))
    ranked = [
        _referrer(who, told, values.get(who, NOTHING), credits_.get(who, NOTHING), years[who], usual, overdue)
        for who, told in made.items()
    ]
    return sorted(ranked, key=lambda one: (-(one.a_year or 0), -vouches.get(one.contact_id, 0), one.contact_id))


class Usual(Struct, frozen=True):
    """What the mean referrer is worth in a year, and how many of theirs are won."""

    value: float
    won: float


def _years(told: Iterable[Link], since: datetime | None, now: datetime) -> float:
    first = min(link.made_at for link in told)
    return max(0.0, (now - min(first, since or first)) / YEAR)


def _mean(total: float, years: Mapping[UUID, float]) -> float:
    """A year's, over all; as if of one year where all of them are younger."""
    return total / max(1.0, sum(years.values()))


def _is_won(link: Link) -> bool:
    return link.status == "won"


def _referrer(
    who: UUID, told: Sequence[Link], value: Decimal, credit: Decimal, years: float, usual: Usual, overdue: datetime
) -> Referrer:
    won = sum(map(_is_won, told))
    a_year = low = high = None
    if usual.value > 0:
        a_year = (float(value) + usual.value) / (years + 1)
        of_one = (float(value) + usual.value) / (won + usual.won)
        low, high = (of_one * often for often in estimates.gamma_interval(won + usual.won, years + 1))
    return Referrer(
        contact_id=who,
        referrals=len(told),
        won=won,
        value=value,
        credit=credit,
        conversion=converted(told, overdue=overdue),
        a_year=a_year,
        low=low,
        high=high,
        shape=_shape([link.value for link in told if link.value]),
    )


def converted(links: Iterable[Link], *, overdue: datetime) -> estimates.Share:
    """(won + 2)/(n + 8), n with those lost and those open since `overdue` or longer."""
    told = list(links)
    won = sum(map(_is_won, told))
    not_won = sum(settled(link, overdue=overdue) for link in told) - won
    return estimates.share(won, not_won, prior=(2, 6))


def settled(link: Link, *, overdue: datetime) -> bool:
    """Won, lost, or open for so long that it counts as not won."""
    return link.status in ("won", "lost") or link.made_at <= overdue


def _shape(values: Sequence[Decimal]) -> Shape | None:
    if len(values) < FEWEST_FOR_SHAPE:
        return None
    return "few_large" if max(values) * 2 > sum(values) else "many_small"


def faded(age: timedelta) -> float:
    """What is left of a referral in the balance: half after two years."""
    return float(2.0 ** -max(0.0, age / BALANCE_FADES))


def balance(given: float, received: float, *, prior: float = 0.0) -> Word | None:
    """Who leads, in a word; even within a quarter of all and `prior`, which is for what is counted. None of nothing."""
    if given == received == 0:
        return None
    lean = (given - received) / (given + received + prior)
    if abs(lean) <= EVEN:
        return "even"
    return "you_lead" if lean > 0 else "they_lead"
