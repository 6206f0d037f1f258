"""The two halves of a network, online and in person, and where they overlap: counts, shares, what moves between.

`half` is by facts ever, `active_half` by decayed points: p = 1 - exp(-points) of a half, and 0.3 of it is active. An
outpost is a place of somebody else's, a hub one of the business's own; both halves have both. Sensitive places are left
out of all that names a place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, fsum
from statistics import median
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain import estimates, nudges, strength
from domain.channels import Channel, Realm
from domain.contacts import Relation
from domain.estimates import Mean, Share, Wait
from domain.nudges import Candidate, Surroundings
from domain.relationships import Half, realm_of
from domain.strength import Strength
from domain.touches import STANDARD, Weights

ActiveHalf = Literal["blended", "online_only", "in_person_only", "quiet"]
Move = Literal["in_person", "online"]

ACTIVE = 0.3
COUNTS_FROM = 15.0
FRESH = timedelta(days=3)
FEWEST_CUSTOMERS, PART_OF_CUSTOMERS, ABSENT = 5, 0.1, 0.1
PRESENT, IDLE, NEW = 0.3, 0.02, timedelta(days=90)
PRESENCE_DAYS = 30
FEWEST_ACTS = 8
ONWARD_WITHIN = timedelta(days=90)
BRIDGE = 0.05
FEWEST_RELATIONS = 5
SIDES = 0.2  # points, as the gate of an acquaintance
DAY = timedelta(days=1)


class Somebody(Struct, frozen=True, kw_only=True):
    """A contact as the halves see them on one day. `firsts` is when they were first met in each channel.

    `online` and `in_person` are decayed points, `depth` is the part of the score, 0 to 1. `told_at` are the platforms
    they are told to be on.
    """

    contact_id: UUID
    score: float = 0.0
    stage: int = 0
    half: Half = "named_only"
    firsts: Mapping[str, datetime] = {}
    online: float = 0.0
    in_person: float = 0.0
    depth: float = 0.0
    two_way: bool = False
    customer: bool = False
    relation: Relation | None = None
    told_at: frozenset[str] = frozenset()


class Standing(Struct, frozen=True):
    """What the decayed state says at a day."""

    online: float
    in_person: float
    depth: float
    two_way: bool


class Blend(Struct, frozen=True):
    """Those who are blended, of those who count."""

    blended: int
    of: int

    @property
    def share(self) -> float | None:
        return self.blended / self.of if self.of else None


class Mover(Struct, frozen=True):
    """Somebody to carry to the other half. `fresh`: first met in the last three days; `ask_reach`: nobody knows whether
    they are within reach."""

    contact_id: UUID
    to: Move
    score: float
    shared_contacts: int
    fresh: bool = False
    ask_reach: bool = False


class Lag(Struct, frozen=True):
    """How long it took from one half to the other, in days. `typical` is the median of those who came over."""

    wait: Wait
    typical: float | None


class Acts(Struct, frozen=True):
    """Our own acts in a channel: on how many of the last 30 days, and what they did in the last year."""

    days: int = 0
    gives: int = 0
    promotes: int = 0


class Onward(Struct, frozen=True):
    """Of those first seen in an outpost 90 days ago or earlier, those who came to a hub within 90 days."""

    came: int
    of: int


class Feed(Struct, frozen=True):
    """Contacts first met in one channel and next in another, with the median of days between."""

    first: str
    second: str
    contacts: int
    days: float


class Bridging(Struct, frozen=True):
    """Of those who count and share somebody with us, those who share fewer than one in twenty of our people.

    A community is a connected part of who knows whom, of two or more. `alone` know nobody of ours, as far as is known.
    """

    bridges: int
    of: int
    communities: int
    effective: float
    alone: int


def standing(state: Strength, realms: Mapping[str, Realm], day: int, *, weights: Weights = STANDARD) -> Standing:
    """As seen on a UTC day, or on the last of the state when that lies ahead."""
    closed = strength.settled(state, weights)
    since = max(0, day - closed.through)
    _, medium, slow = (2.0 ** (-since / half_life) for half_life in weights.half_lives)
    sums = closed.sums
    halves = {"virtual": 0.0, "physical": 0.0}
    for slug, points in sums.contexts.items():
        halves[realm_of(slug, realms)] += points * medium
    return Standing(
        online=halves["virtual"],
        in_person=halves["physical"],
        depth=1 - exp(-sums.depth * slow / 6),
        two_way=min(sums.given, sums.received) * medium > SIDES,
    )


def active_half(online: float, in_person: float) -> ActiveHalf:
    is_online, is_in_person = 1 - exp(-online) >= ACTIVE, 1 - exp(-in_person) >= ACTIVE
    if is_online and is_in_person:
        return "blended"
    if is_online or is_in_person:
        return "online_only" if is_online else "in_person_only"
    return "quiet"


def blend(people: Iterable[Somebody]) -> Blend:
    counted = [one for one in people if one.score >= COUNTS_FROM]
    return Blend(sum(active_half(one.online, one.in_person) == "blended" for one in counted), len(counted))


def blend_by_stage(people: Iterable[Somebody]) -> dict[int, Blend]:
    by: dict[int, list[Somebody]] = {}
    for one in people:
        by.setdefault(one.stage, []).append(one)
    found = {stage: blend(those) for stage, those in sorted(by.items())}
    return {stage: one for stage, one in found.items() if one.of}


def both_by(people: Iterable[Somebody], realms: Mapping[str, Realm], instant: datetime) -> Blend:
    """By facts ever, as they were at an instant: those met in both halves, of all who had been met at all."""
    found = Blend(0, 0)
    for one in people:
        met = {realm_of(slug, realms) for slug, at in one.firsts.items() if at <= instant}
        found = Blend(found.blended + (len(met) == 2), found.of + bool(met))
    return found


def met(people: Iterable[Somebody]) -> Blend:
    """Of those ever in touch online, those ever met in person."""
    halves = Counter(one.half for one in people)
    return Blend(halves["both"], halves["both"] + halves["online_only"])


def headline(found: Blend) -> str:
    if not found.of:
        return "You know nobody online yet."
    if found.of == 1:
        return f"You have{'' if found.blended else ' not'} met the one person you know online."
    return f"You have met {round(100 * found.blended / found.of)} % of the {found.of:,} people you know online."


def movers(candidates: Iterable[tuple[Candidate, Half]], around: Surroundings, *, most: int = 10) -> list[Mover]:
    """The next to carry over: by the triggers of "meet in person" and "take it online", the freshest first.

    In person: a two-way online tie that was never met, within reach or not known to be out of it. Online: met in
    person and never online, in the last three days, or since then become more than somebody known by sight.
    """
    found = [mover for who, half in candidates if (mover := _mover(who, half, around)) is not None]
    return sorted(found, key=lambda one: (not one.fresh, -one.shared_contacts, -one.score, one.contact_id))[:most]


def _mover(who: Candidate, half: Half, around: Surroundings) -> Mover | None:
    if who.closed or who.left_alone:
        return None
    if half == "online_only":
        rule = nudges.RULES["meet_in_person"]
        why = None if nudges.is_strained(rule, who, around.now) else rule.reason(who, (), around)
        if why is None:
            return None
        return Mover(who.contact_id, "in_person", who.score, who.shared_contacts, ask_reach=why.question is not None)
    if half == "in_person_only" and who.met_at is not None:
        fresh = around.now - who.met_at <= FRESH
        if fresh or who.score >= COUNTS_FROM:
            return Mover(who.contact_id, "online", who.score, who.shared_contacts, fresh=fresh)
    return None


def presence(acts: Acts) -> float:
    return acts.days / PRESENCE_DAYS


def seen_in(one: Somebody, slug: str) -> bool:
    """Met there, or told to be there."""
    return slug in one.firsts or slug in one.told_at


def missing_outposts(
    people: Iterable[Somebody], outposts: Collection[str], acts: Mapping[str, Acts]
) -> list[tuple[str, int, float]]:
    """Where many customers are and we hardly: slug, customers there, their mean strength; most at stake first.

    Many are five, and one in ten of all customers.
    """
    customers = [one for one in people if one.customer]
    enough = max(FEWEST_CUSTOMERS, PART_OF_CUSTOMERS * len(customers))
    found = []
    for slug in outposts:
        there = [one.score for one in customers if seen_in(one, slug)]
        if len(there) >= enough and presence(acts.get(slug, Acts())) < ABSENT:
            found.append((slug, len(there), fsum(there) / len(there)))
    return sorted(found, key=lambda one: (-one[1] * one[2], one[0]))


def new_two_way(people: Iterable[Somebody], now: datetime) -> list[Somebody]:
    """Who was met first in the last 90 days, and has acted towards us as we have towards them."""
    return [one for one in people if one.two_way and one.firsts and min(one.firsts.values()) > now - NEW]


def idle_outposts(
    fresh: Sequence[Somebody], outposts: Collection[str], acts: Mapping[str, Acts]
) -> list[tuple[str, int]]:
    """Where the business is present and hardly anybody new comes from: slug, how many; the most presence first.

    Nobody can tell while nobody is new at all.
    """
    if not fresh:
        return []
    came = Counter(born_in(one.firsts) for one in fresh)
    idle = [
        (slug, came[slug])
        for slug in outposts
        if presence(acts.get(slug, Acts())) >= PRESENT and came[slug] < IDLE * len(fresh)
    ]
    return sorted(idle, key=lambda one: (-presence(acts[one[0]]), one[0]))


def born_in(firsts: Mapping[str, datetime]) -> str | None:
    """The channel of the first touch ever."""
    return min(firsts, key=lambda slug: (firsts[slug], slug), default=None)


def giving(acts: Acts) -> Share | None:
    """The share of giving in giving and promoting, by Beta(2, 1) and the counts; None of fewer than eight acts."""
    if acts.gives + acts.promotes < FEWEST_ACTS:
        return None
    return estimates.share(acts.gives, acts.promotes, prior=(2, 1))


def onward(people: Iterable[Somebody], hubs: Collection[str], now: datetime) -> dict[str, Onward]:
    """By the channel of the first touch, of those who have had 90 days since."""
    found: dict[str, Onward] = {}
    for one in people:
        slug = born_in(one.firsts)
        if slug is None or now - one.firsts[slug] < ONWARD_WITHIN:
            continue
        born = one.firsts[slug]
        came = any(born <= one.firsts[hub] <= born + ONWARD_WITHIN for hub in hubs if hub in one.firsts)
        was = found.get(slug, Onward(0, 0))
        found[slug] = Onward(was.came + came, was.of + 1)
    return found


def feeding(people: Iterable[Somebody], sensitive: Collection[str]) -> list[Feed]:
    """Where ties born in one channel go on, the most usual way first; no way from or to a sensitive one."""
    ways: dict[tuple[str, str], list[float]] = {}
    for one in people:
        if len(one.firsts) >= 2:
            first, second = sorted(one.firsts, key=lambda slug: (one.firsts[slug], slug))[:2]
            if first not in sensitive and second not in sensitive:
                ways.setdefault((first, second), []).append((one.firsts[second] - one.firsts[first]) / DAY)
    found = [Feed(first, second, len(days), median(days)) for (first, second), days in ways.items()]
    return sorted(found, key=lambda way: (-way.contacts, way.first, way.second))


def lags(people: Iterable[Somebody], realms: Mapping[str, Realm], now: datetime) -> dict[Realm, Lag]:
    """By the half where it began: days until the other. Those who did not come over yet count as going on."""
    waits: dict[Realm, list[tuple[float, bool]]] = {"virtual": [], "physical": []}
    for one in people:
        firsts: dict[Realm, datetime] = {}
        for slug, at in one.firsts.items():
            realm = realm_of(slug, realms)
            firsts[realm] = min(at, firsts.get(realm, at))
        if firsts:
            began: Realm = min(firsts, key=lambda realm: (firsts[realm], realm == "physical"))
            other: Realm = "physical" if began == "virtual" else "virtual"
            until = firsts.get(other)
            waits[began].append((max(0.0, ((until or now) - firsts[began]) / DAY), until is not None))
    return {
        realm: Lag(estimates.wait(those), median(came) if (came := [days for days, over in those if over]) else None)
        for realm, those in waits.items()
    }


def depth_by_origin(people: Iterable[Somebody], realms: Mapping[str, Realm]) -> dict[Realm, Mean]:
    """The mean depth of those who count, by the half where it began: it checks that the medium makes no difference."""
    by: dict[Realm, list[float]] = {}
    for one in people:
        slug = born_in(one.firsts)
        if slug is not None and one.score >= COUNTS_FROM:
            by.setdefault(realm_of(slug, realms), []).append(one.depth)
    return {realm: estimates.mean(depths) for realm, depths in by.items()}


def relation_gaps(told: Mapping[Relation, int]) -> list[str]:
    """What is missing around the business, in words; nothing while hardly anybody's relation was told."""
    if sum(told.values()) < FEWEST_RELATIONS:
        return []
    named: tuple[tuple[Relation, str], ...] = (
        ("customer", "no customer"), ("supplier", "no supplier"), ("partner", "no partner"), ("mentor", "no mentor"),
    )  # fmt: skip
    gaps = [words for relation, words in named if not told.get(relation)]
    alone: tuple[tuple[Relation, str], ...] = (("supplier", "one supplier"), ("customer", "one customer"))
    return gaps + [f"only {words}" for relation, words in alone if told.get(relation) == 1]


def knowing(pairs: Iterable[tuple[UUID, UUID]], together: Iterable[Sequence[UUID]]) -> dict[UUID, set[UUID]]:
    """Who knows whom: pairs as told, and all who stood in one touchpoint."""
    known: dict[UUID, set[UUID]] = {}
    for group in (*pairs, *together):
        for one in group:
            known.setdefault(one, set()).update(group)
    for one, others in known.items():
        others.discard(one)
    return known


def bridging(people: Sequence[Somebody], known: Mapping[UUID, Collection[UUID]]) -> Bridging:
    ours = {one.contact_id for one in people if one.firsts}
    shared = {who: len(ours.intersection(known.get(who, ()))) for who in ours}
    counted = [shared[one.contact_id] for one in people if one.score >= COUNTS_FROM and shared.get(one.contact_id)]
    sizes = communities(ours, known)
    return Bridging(
        bridges=sum(share < BRIDGE * len(ours) for share in counted),
        of=len(counted),
        communities=len(sizes),
        effective=estimates.effective_number(sizes),
        alone=sum(not share for share in shared.values()),
    )


def communities(people: Collection[UUID], known: Mapping[UUID, Collection[UUID]]) -> list[int]:
    """The sizes of the connected parts of two or more, the largest first."""
    left, sizes = set(people), []
    while left:
        waiting, size = [left.pop()], 0
        while waiting:
            size += 1
            others = left.intersection(known.get(waiting.pop(), ()))
            left -= others
            waiting += others
        sizes.append(size)
    return sorted((size for size in sizes if size > 1), reverse=True)


def outposts(channels: Mapping[str, Channel]) -> list[str]:
    """Places of others that may be named."""
    return [slug for slug, channel in channels.items() if channel.role == "outpost" and not channel.sensitive]


def hubs(channels: Mapping[str, Channel]) -> list[str]:
    return [slug for slug, channel in channels.items() if channel.role == "hub"]
