"""Chains of referrals: who came by whom, in which generation, and what it was worth.

Only received referrals make chains. A value belongs to the referral it was won by, and so to its referrer: added up
over a chain, or over all of them, nothing counts twice.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from domain.referrals import Status

FOLLOWED = timedelta(days=180)
FEWEST_PARENTS = 10
NOTHING = Decimal(0)


class Link(Struct, frozen=True):
    """A received referral as chains need it."""

    referral_id: UUID
    referrer_id: UUID
    prospect_id: UUID
    made_at: datetime
    status: Status = "open"
    decided_at: datetime | None = None
    value: Decimal | None = None
    thanked_at: datetime | None = None
    contacted_at: datetime | None = None
    heat: int | None = None


class Member(Struct, frozen=True):
    """A person in a chain. `by` is the referral that brought them, none of a root, whom we found ourselves.

    `won` are referrals of theirs that were won, `value` what these were worth; `chain_value` with all below them, whose
    number is `below`.
    """

    contact_id: UUID
    generation: int
    by: Link | None
    made: int
    won: int
    value: Decimal
    chain_value: Decimal
    below: int


class Chains(Struct, frozen=True):
    """Everybody once, a chain after the other, each person before those they brought.

    `also` are further referrals of somebody who is in a chain already; `circles` those that would make somebody their
    own forebear, which weigh nothing.
    """

    members: tuple[Member, ...]
    also: tuple[Link, ...]
    circles: tuple[Link, ...]


class Reproduction(Struct, frozen=True):
    """How many clients a client won by referral brought in turn: `rate`, said of no fewer than ten of them.

    `parents` were won at least 180 days ago; roots are not among them, as only those who refer come to be roots.
    """

    parents: int
    children: int
    rate: float | None


def chains(links: Iterable[Link]) -> Chains:
    """From all received referrals, in any order. Of two ways to somebody the shorter brought them, else the earlier."""
    accepted, circles = _without_circles(sorted(links, key=_age))
    generation = _generations(accepted)
    brought: dict[UUID, Link] = {}
    for link in sorted(accepted, key=lambda link: (generation[link.referrer_id], *_age(link))):
        brought.setdefault(link.prospect_id, link)
    also = tuple(link for link in accepted if brought[link.prospect_id] is not link)
    return Chains(tuple(_members(accepted, brought, generation)), also, circles)


def _age(link: Link) -> tuple[datetime, UUID]:
    return link.made_at, link.referral_id


def _without_circles(links: Sequence[Link]) -> tuple[list[Link], tuple[Link, ...]]:
    """The oldest first: one that would close a circle is set aside."""
    referrers: dict[UUID, set[UUID]] = {}
    referred: set[UUID] = set()
    accepted, circles = [], []
    for link in links:
        whom = link.prospect_id
        if whom == link.referrer_id or (whom in referred and _is_forebear(whom, link.referrer_id, referrers)):
            circles.append(link)
        else:
            accepted.append(link)
            referrers.setdefault(whom, set()).add(link.referrer_id)
            referred.add(link.referrer_id)
    return accepted, tuple(circles)


def _is_forebear(one: UUID, of: UUID, referrers: Mapping[UUID, set[UUID]]) -> bool:
    """Whether one brought the other, or brought who brought them, and so on."""
    seen, waiting = {of}, [of]
    while waiting:
        for who in referrers.get(waiting.pop(), ()):
            if who == one:
                return True
            if who not in seen:
                seen.add(who)
                waiting.append(who)
    return False


def _generations(links: Sequence[Link]) -> dict[UUID, int]:
    """0 for those nobody brought, else one more than the nearest who did."""
    prospects: dict[UUID, list[UUID]] = {}
    for link in links:
        prospects.setdefault(link.referrer_id, []).append(link.prospect_id)
    brought = {link.prospect_id for link in links}
    found = {who: 0 for who in prospects if who not in brought}
    waiting = deque(found)
    while waiting:
        who = waiting.popleft()
        for prospect in prospects.get(who, ()):
            if prospect not in found:
                found[prospect] = found[who] + 1
                waiting.append(prospect)
    return found


def _members(links: Sequence[Link], brought: Mapping[UUID, Link], generation: Mapping[UUID, int]) -> Iterable[Member]:
    made: dict[UUID, list[Link]] = {}
    for link in links:
        made.setdefault(link.referrer_id, []).append(link)
    children = {
        who: [link.prospect_id for link in told if brought[link.prospect_id] is link] for who, told in made.items()
    }
    value = {who: sum((link.value or NOTHING for link in made.get(who, ())), NOTHING) for who in generation}
    below, chain_value = dict.fromkeys(generation, 0), dict(value)
    for who in sorted(brought, key=lambda one: -generation[one]):
        parent = brought[who].referrer_id
        below[parent] += below[who] + 1
        chain_value[parent] += chain_value[who]
    roots = [who for who in generation if generation[who] == 0]
    waiting = sorted(roots, key=lambda who: (-chain_value[who], *_age(made[who][0])), reverse=True)
    while waiting:
        who = waiting.pop()
        told = made.get(who, [])
        won = sum(link.status == "won" for link in told)
        yield Member(who, generation[who], brought.get(who), len(told), won, value[who], chain_value[who], below[who])
        waiting += reversed(children.get(who, []))


def offspring(links: Iterable[Link], *, now: datetime) -> dict[UUID, int]:
    """By client won by referral 180 days ago or earlier, how many clients they brought; each client counts once."""
    won = sorted((link for link in links if link.status == "won" and link.decided_at is not None), key=_age)
    brought = {link.prospect_id: 0 for link in won if link.decided_at is not None and link.decided_at <= now - FOLLOWED}
    seen: set[UUID] = set()
    for link in won:
        if link.referrer_id in brought and link.prospect_id not in seen:
            seen.add(link.prospect_id)
            brought[link.referrer_id] += 1
    return brought


def reproduction(links: Iterable[Link], *, now: datetime) -> Reproduction:
    brought = offspring(links, now=now)
    children = sum(brought.values())
    rate = round(children / len(brought), 2) if len(brought) >= FEWEST_PARENTS else None
    return Reproduction(len(brought), children, rate)
