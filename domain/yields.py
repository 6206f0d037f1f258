"""What a gathering led to, in numbers and in words. Two people are a success; no percentages of a handful."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from domain.money import Money, total

FOLLOW_UP = timedelta(hours=72)
IN_TOUCH_FROM, IN_TOUCH_UNTIL = timedelta(days=60), timedelta(days=120)
REFERRED = timedelta(days=365)
ALLY = 4  # the stage

_NUMBERS = "none one two three four five six seven eight nine ten eleven twelve".split()


class Guest(Struct, frozen=True):
    """Somebody who was there: how often, since when we know them there, and what followed from that first meeting."""

    times: int
    met_at: datetime | None
    followed_up: bool
    in_touch: bool
    referrals: int
    new: bool
    stage: int


class Share(Struct, frozen=True):
    """How many of how many. `too_early`: of them, those of whom it cannot be said yet; they are not among `of`."""

    count: int
    of: int
    too_early: int


class Yield(Struct, frozen=True):
    """What came of it. `new_contacts` had no touchpoint before; those who are allies by now are `new_allies`."""

    came: int
    met: int
    came_again: int
    followed_up: Share
    in_touch_at_90_days: Share
    referrals: int
    new_contacts: int
    new_allies: int
    cost: Money | None
    cost_per_new_ally: Money | None


def reckon(guests: Sequence[Guest], *, cost: Money | None, held: int, now: datetime) -> Yield:
    """`cost` is that of one occurrence, `held` how many there were."""
    met = [one for one in guests if one.met_at is not None]
    allies = sum(one.new and one.stage >= ALLY for one in guests)
    spent = None if cost is None or not held else _times(cost, held)
    return Yield(
        came=len(guests),
        met=len(met),
        came_again=sum(one.times > 1 for one in guests),
        followed_up=_share([(one.followed_up, one.met_at, FOLLOW_UP) for one in met], now),
        in_touch_at_90_days=_share([(one.in_touch, one.met_at, IN_TOUCH_UNTIL) for one in met], now),
        referrals=sum(one.referrals for one in met),
        new_contacts=sum(one.new for one in guests),
        new_allies=allies,
        cost=spent,
        cost_per_new_ally=None if spent is None or not allies else _shared(spent, allies),
    )


def _share(told: Sequence[tuple[bool, datetime | None, timedelta]], now: datetime) -> Share:
    settled = [done for done, since, span in told if done or since is None or since + span <= now]
    return Share(sum(settled), len(settled), len(told) - len(settled))


def _times(cost: Money, held: int) -> Money:
    return Money(total([cost.exact * held], cost.currency) or "", cost.currency)


def _shared(spent: Money, among: int) -> Money:
    return Money(total([Decimal(spent.amount) / among], spent.currency) or "", spent.currency)


def in_words(found: Yield) -> list[str]:
    """Sentences a baker reads."""
    if not found.came:
        return ["Nobody has been checked in yet. Two people are a success."]
    told = [_came(found)]
    if found.came_again:
        told.append(f"{_people(found.came_again)} came again.")
    if found.met:
        told += [*_followed_up(found.followed_up), *_in_touch(found.in_touch_at_90_days)]
    if found.new_contacts:
        told.append(f"{_people(found.new_contacts)} {'was' if found.new_contacts == 1 else 'were'} new to you.")
    if found.referrals:
        told.append(f"{_counted(found.referrals, 'referral')} came from people you met here, within a year.")
    if found.new_allies:
        each = "" if found.cost_per_new_ally is None else f", at {_price(found.cost_per_new_ally)} each"
        told.append(f"{_people(found.new_allies)} became an ally{each}." if found.new_allies == 1 else
                    f"{_people(found.new_allies)} became allies{each}.")  # fmt: skip
    return told


def _came(found: Yield) -> str:
    who = f"{_people(found.came)} came"
    if not found.met:
        return f"{who}; you noted nobody as met."
    if found.met < found.came:
        return f"{who}, and you met {_number(found.met)} of them."
    if found.came == 1:
        return f"{who}, and you met them."
    return f"{who}, and you met both: a success." if found.came == 2 else f"{who}, and you met all of them."


def _followed_up(share: Share) -> list[str]:
    told = []
    if share.of:
        did = "You followed up with" if share.count or share.of > 1 else "You did not follow up with"
        told.append(f"{did} {_some(share)} within three days.")
    if share.too_early:
        told.append(f"There is still time to follow up with {_number(share.too_early)}.")
    return told


def _in_touch(share: Share) -> list[str]:
    if not share.of:
        return []
    were = "you were in touch with" if share.count or share.of > 1 else "you were not in touch with"
    return [f"About three months later {were} {_some(share)}."]


def _some(share: Share) -> str:
    """Of those who were met: the one, both, one of the two, none of the five."""
    if share.of == 1:
        return "the one you met"
    if share.of == 2 and share.count != 1:
        return "both of them" if share.count else "neither of them"
    return (
        f"all {_number(share.of)}" if share.count == share.of else f"{_number(share.count)} of the {_number(share.of)}"
    )


def _people(count: int) -> str:
    return f"{_number(count).capitalize()} {'person' if count == 1 else 'people'}"


def _counted(count: int, what: str) -> str:
    return f"{_number(count).capitalize()} {what}{'' if count == 1 else 's'}"


def _number(count: int) -> str:
    return _NUMBERS[count] if count <= 12 else f"{count:,}"


def _price(value: Money) -> str:
    return f"{value.amount} {value.currency}"
