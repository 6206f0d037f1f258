"""Is strength strength? Only people could say, blind; until some do, these are the checks of its structure."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from domain import strength
from domain.touches import Touch
from services.evaluation.cuts import DAY
from services.evaluation.files import Exchange
from services.evaluation.road import Pair, pair_of

TWO_YEARS = 730
ADVOCACY = frozenset({"referral", "introduction", "vouch", "review", "share"})


class Check(Struct, frozen=True):
    what: str
    told: str
    holds: bool


class Checks(Struct, frozen=True):
    """`referrals` is how many first referrals there were to look at."""

    checks: list[Check]
    referrals: int


def structural(sets: Iterable[Sequence[Exchange]] = ()) -> Checks:
    """What must hold of any history, and, where a set has referrals, who was strong before the first of each."""
    messages = _score(_every(7, "direct_message", "out") + _every(7, "direct_message", "in"))
    coffees, monthly = _score(_every(7, "meeting", "mutual")), _score(_every(30, "meeting", "mutual"))
    busy = _score([*_busy_month("linkedin"), *_busy_month("twitter")])
    found = [
        Check(
            "shallow and often stays below deep and monthly",
            f"two years of weekly messages {messages}, of monthly coffees {monthly}",
            messages < monthly,
        ),
        Check(
            "two years of weekly coffees rank above one busy month",
            f"coffees {coffees}, 120 messages in the last month {busy}",
            coffees > busy,
        ),
    ]
    before = [share for exchanges in sets for share in _ranks_before_referrals(exchanges)]
    if before:
        mean = sum(before) / len(before)
        told = f"who made a first referral had been stronger than {mean:.0%} of the others, of {len(before)} referrals"
        found.append(Check("strength comes before referrals", told, mean > 0.5))
    return Checks(found, len(before))


def _every(days: int, kind: str, direction: str) -> list[tuple[int, str, str, str]]:
    return [(day, kind, direction, "one-place") for day in range(0, TWO_YEARS, days)]


def _busy_month(place: str) -> list[tuple[int, str, str, str]]:
    return [
        (TWO_YEARS - 30 + day, "direct_message", direction, place) for day in range(30) for direction in ("out", "in")
    ]


def _score(told: Sequence[tuple[int, str, str, str]]) -> float:
    state = strength.fold(
        Touch(UUID(int=number), day, kind, direction, place)
        for number, (day, kind, direction, place) in enumerate(told)
    )
    return strength.evaluate(state, TWO_YEARS).score


def _ranks_before_referrals(exchanges: Sequence[Exchange]) -> list[float]:
    """Of each first referral, the share of the receiver's other ties that were weaker, with advocacy held out."""
    firsts: dict[Pair, Exchange] = {}
    for one in exchanges:
        if one.kind == "referral":
            firsts.setdefault(pair_of(one), one)
    return [share for pair, one in firsts.items() if (share := _rank_before(pair, one, exchanges)) is not None]


def _rank_before(pair: Pair, referral: Exchange, exchanges: Sequence[Exchange]) -> float | None:
    whose = referral.receiver
    touches: dict[Pair, list[Touch]] = {}
    for number, one in enumerate(exchanges):
        if one.at < referral.at and whose in (one.sender, one.receiver) and one.kind not in ADVOCACY:
            direction = "mutual" if one.mutual else "out" if one.sender == whose else "in"
            touch = Touch(UUID(int=number), int(one.at // DAY), one.kind, direction, one.channel, minutes=one.minutes)
            touches.setdefault(pair_of(one), []).append(touch)
    if pair not in touches or len(touches) < 2:
        return None
    day = int(referral.at // DAY)
    scores = {who: strength.evaluate(strength.fold(told), day).score for who, told in touches.items()}
    mine = scores.pop(pair)
    return sum((mine > other) + (mine == other) / 2 for other in scores.values()) / len(scores)
