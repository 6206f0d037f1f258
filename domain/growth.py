"""Whether clients bring clients: conversion over time, reproduction, generation time, and whether a chain may break.

A small business has a few referrals a month, so most of these are no number yet: then the answer says what is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from domain import chains, estimates
from domain.attribution import settled
from domain.chains import FEWEST_PARENTS, FOLLOWED, Link, Member
from domain.estimates import Share, Wait

OVERDUE = timedelta(days=120)
DAYS = (30, 60, 90, 180)
FEWEST_SETTLED = 8  # as many as the prior weighs
FEWEST_DECIDED = 10
FEWEST_WON, FEWEST_WON_FURTHER_ON = 10, 3
FEWEST_GENERATIONS = 5
DAY = timedelta(days=1)


class Reproduction(Struct, frozen=True):
    """R: clients a client won by referral brought, with its interval.

    `dispersion` is k of the negative binomial, None where no more uneven than chance; `top_share` what the top 20 % of
    parents brought. `tree` is how many clients one won directly comes to in the end, where R is below 1.
    """

    parents: int
    children: int
    rate: float
    low: float
    high: float
    dispersion: float | None
    top_share: float | None
    tree: float | None


def missing(what: str, needed: int, of: str, have: int) -> str:
    """What a number needs and what there is, as in "R needs 10 parents ...; there are 3"."""
    there = {0: "there is none", 1: "there is 1"}.get(have, f"there are {have}")
    return f"{what} needs {needed} {of}; {there}"


def conversion(links: Sequence[Link], *, now: datetime) -> Share | str:
    """(won + 2)/(n + 8) with its interval."""
    told = [link for link in links if settled(link, overdue=now - OVERDUE)]
    if len(told) < FEWEST_SETTLED:
        return missing("conversion", FEWEST_SETTLED, "referrals won, lost, or open for 120 days", len(told))
    won = sum(link.status == "won" for link in told)
    return estimates.share(won, len(told) - won, prior=(2, 6))


def won_by(links: Sequence[Link], *, now: datetime) -> dict[int, float] | str:
    """The share won by day 30, 60, 90, 180, with what is open counted as going on (Kaplan and Meier).

    What was lost goes on for as long as it has been there: dropped, it would make winning look likelier (the censoring
    complete way of Fine and Gray 1999).
    """
    decided = sum(link.status in ("won", "lost") for link in links)
    if decided < FEWEST_DECIDED:
        return missing("the share won by a day", FEWEST_DECIDED, "referrals won or lost", decided)
    waits = [_until_won(link, now) for link in links]
    return {day: round(estimates.ended_by(waits, day), 3) for day in DAYS}


def _until_won(link: Link, now: datetime) -> tuple[float, bool]:
    if link.status == "won" and link.decided_at is not None:
        return max(0.0, (link.decided_at - link.made_at) / DAY), True
    return max(0.0, (now - link.made_at) / DAY), False


def credit_missing(members: Iterable[Member]) -> str | None:
    """Why there is no chain credit: below that a value has nobody to be shared with."""
    won = [one.generation for one in members if one.by is not None and one.by.value]
    further_on = sum(generation >= 2 for generation in won)
    if len(won) < FEWEST_WON:
        return missing("chain credit", FEWEST_WON, "referrals won with a value", len(won))
    if further_on < FEWEST_WON_FURTHER_ON:
        return missing("chain credit", FEWEST_WON_FURTHER_ON, "of them in the second generation or later", further_on)
    return None


def reproduction(links: Iterable[Link], *, now: datetime) -> Reproduction | str:
    """Over parents followed for 180 days: younger ones have not had the time. The links make no circle."""
    return _reproduced(list(chains.offspring(links, now=now).values()), "R")


def _reproduced(brought: Sequence[int], what: str) -> Reproduction | str:
    if len(brought) < FEWEST_PARENTS:
        return missing(what, FEWEST_PARENTS, f"observed parents with {FOLLOWED.days} days of follow-up", len(brought))
    found = estimates.rate(brought)
    return Reproduction(
        parents=len(brought),
        children=sum(brought),
        rate=found.value,
        low=found.low,
        high=found.high,
        dispersion=found.dispersion,
        top_share=estimates.of_the_top(brought),
        tree=1 / (1 - found.value) if found.value < 1 else None,
    )


def by_generation(links: Sequence[Link], members: Iterable[Member], *, now: datetime) -> dict[int, Reproduction | str]:
    """R of the clients of each generation from the first on, whom somebody brought."""
    brought = chains.offspring(links, now=now)
    found: dict[int, list[int]] = {}
    for member in members:
        if member.generation > 0:
            found.setdefault(member.generation, []).extend(
                [brought[member.contact_id]] if member.contact_id in brought else []
            )
    return {generation: _reproduced(counts, "R") for generation, counts in sorted(found.items())}


def generation_time(links: Iterable[Link]) -> Wait | str:
    """Days from when a client was won to when one they brought was won: of those that were."""
    won = [link for link in links if link.status == "won" and link.decided_at is not None]
    first: dict[UUID, datetime] = {}
    for link in won:
        if link.decided_at is not None:
            first[link.prospect_id] = min(link.decided_at, first.get(link.prospect_id, link.decided_at))
    took = [
        (max(0.0, (first[link.prospect_id] - first[link.referrer_id]) / DAY), True)
        for link in won
        if link.referrer_id in first
    ]
    if len(took) < FEWEST_GENERATIONS:
        return missing("the generation time", FEWEST_GENERATIONS, "clients won by a client won by referral", len(took))
    return estimates.wait(took)


def in_danger(members: Iterable[Member], alive: Mapping[UUID, float]) -> list[Member]:
    """Middle links that are fading: brought by somebody, bringing others, and more likely over than not.

    Those with most at stake below them first.
    """
    fading = [one for one in members if one.by is not None and one.below and alive.get(one.contact_id, 1.0) < 0.5]
    return sorted(fading, key=lambda one: (-one.chain_value, -one.below, one.contact_id))
