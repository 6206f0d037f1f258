"""Occasions: what came of a day in a channel where people gather, such as a fair, a meetup, the chamber's breakfast."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from domain import rhythm, strength
from domain.relationships import Experience, day_of, day_start
from domain.touches import STANDARD, Weights

WORDS = frozenset(
    """
    bni booth breakfast chamber class conference event events expo fair festival gathering meetup networking party
    seminar webinar workshop
    """.split()
)
FOLLOW_UP = timedelta(hours=72)
ALIVE_AFTER = 90
ALIVE = 0.5
REFERRED = timedelta(days=365)
ALLY = 4


class Guest(Struct, frozen=True):
    """Somebody of that day: all their touches, when they referred somebody to us, and the stage they have now."""

    contact_id: UUID
    experiences: Sequence[Experience]
    referred_at: Sequence[datetime] = ()
    stage: int = 0


class Count(Struct, frozen=True):
    """How many of those of whom it can be said already."""

    count: int
    of: int


class Led(Struct, frozen=True):
    """What an occasion led to. `met` were more than present; what follows is about those."""

    came: int
    met: int
    followed_up: Count
    alive: Count
    referrals: int
    new_contacts: int
    new_allies: int


def is_occasion(slug: str) -> bool:
    """Whether people gather there, by the words of its slug."""
    return bool(WORDS.intersection(re.split(r"[-_.]", slug)))


def led(guests: Sequence[Guest], slug: str, day: int, *, now: datetime, weights: Weights = STANDARD) -> Led:
    """`day` is a UTC day counted from 1970-01-01; everybody of `guests` has a touch in that channel on it."""
    met = [one for one in guests if _met_at(one, slug, day) is not None]
    asked = [one for one in met if _followed_up(one, slug, day) or now >= _last_at(one, slug, day) + FOLLOW_UP]
    is_time = day_of(now) >= day + ALIVE_AFTER
    new = [one for one in met if _is_new(one, slug, day)]
    return Led(
        came=len(guests),
        met=len(met),
        followed_up=Count(sum(_followed_up(one, slug, day) for one in asked), len(asked)),
        alive=Count(sum(_is_alive(one, day + ALIVE_AFTER, weights) for one in met), len(met))
        if is_time
        else Count(0, 0),
        referrals=sum(_referrals(one, day) for one in met),
        new_contacts=len(new),
        new_allies=sum(one.stage >= ALLY for one in new),
    )


def _there(one: Guest, slug: str, day: int) -> list[Experience]:
    return [each for each in one.experiences if each.touch.context == slug and each.touch.day == day]


def _met_at(one: Guest, slug: str, day: int) -> datetime | None:
    """When we had to do with them there; None of those who were only present too."""
    met = (each.occurred_at for each in _there(one, slug, day) if each.touch.kind != "attendance")
    return min(met, default=None)


def _last_at(one: Guest, slug: str, day: int) -> datetime:
    return max(each.occurred_at for each in _there(one, slug, day))


def _followed_up(one: Guest, slug: str, day: int) -> bool:
    """A word of ours, or together, within 72 hours after the last there, anywhere else or on another day."""
    last = _last_at(one, slug, day)
    return any(
        last < each.occurred_at <= last + FOLLOW_UP and each.touch.direction != "in" and not each.touch.automated
        for each in one.experiences
        if (each.touch.context, each.touch.day) != (slug, day)
    )


def _is_alive(one: Guest, day: int, weights: Weights) -> bool:
    """As the rhythm would have said it on that day, by what had happened until then."""
    state = strength.fold((each.touch for each in one.experiences if each.touch.day <= day), weights=weights)
    stage = strength.evaluate(state, day, weights=weights).stage
    beat = rhythm.at(state, day, stage=stage, weights=weights)
    return beat is not None and beat.alive >= ALIVE


def _referrals(one: Guest, day: int) -> int:
    since = day_start(day)
    return sum(since <= at <= since + REFERRED for at in one.referred_at)


def _is_new(one: Guest, slug: str, day: int) -> bool:
    first = min(one.experiences, key=lambda each: each.occurred_at)
    return (first.touch.context, first.touch.day) == (slug, day)


def named(slugs: Collection[str], sensitive: Collection[str]) -> list[str]:
    """The channels whose days are occasions, but for the sensitive."""
    return sorted(slug for slug in slugs if is_occasion(slug) and slug not in sensitive)
