"""Choosing: which of the nudges worth making are made now, so that they stay few, fair and welcome.

What limits them is the business's policy, and how people took the ones before. Nothing here looks at what somebody
bought or what their referrals were worth.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil, log1p
from uuid import UUID, uuid5

from msgspec import Struct

from domain.nudges import OPEN, RULES, Candidate, Nudge, NudgeSuggested, Reason, Rule, Surroundings, is_strained
from domain.policy import NudgeKind, day_began

NAMESPACE = UUID("6f0f5d0e-63c0-4c7c-8f4e-6e1f0a6c1a03")
WEEK = timedelta(days=7)
HALF_LIFE = timedelta(days=7)
TIRED = 0.1
WORTH = {1: 4.0, 2: 2.0, 3: 1.5, 4: 1.0}
DISMISSED_TWICE, MUTED_FOR = 2, timedelta(days=180)
LAST_ANSWERS = 10
FAIR_SHARE = 0.3
BRIDGE = 0.05
OCCASION, NEAR = 0.7, 0.3


class Wanted(Struct, frozen=True):
    """A nudge that is worth making."""

    rule: Rule
    who: Candidate
    reason: Reason
    weak: bool
    near: bool = False

    @property
    def rank(self) -> tuple[int, float, float, UUID]:
        likely = promise(self.who.shared_contacts, occasion=self.reason.until is not None, near=self.near)
        return self.rule.priority, -likely, -self.who.score, self.who.contact_id


def promise(shared_contacts: int, *, occasion: bool, near: bool) -> float:
    """How likely two come together, to rank by: the contacts they share first, an occasion, the same place.

    Strength only decides between equals, interests not at all: among people at a conference they told nothing of who
    met (docs/evaluation.md, which measures this very ranking).
    """
    return log1p(shared_contacts) + (OCCASION if occasion else 0.0) + (NEAR if near else 0.0)


def suggest(candidates: Iterable[Candidate], before: Sequence[Nudge], around: Surroundings) -> list[NudgeSuggested]:
    """The nudges of this moment, which lies in the opening hours: by priority, by shared contacts, a concrete
    occasion and the same place, and then by strength."""
    by_contact: dict[UUID, list[Nudge]] = {}
    for nudge in before:
        by_contact.setdefault(nudge.contact_id, []).append(nudge)
    slow = slowed(before)
    wanted = [
        one
        for who in candidates
        for rule in RULES.values()
        if (one := _wanted(rule, who, by_contact.get(who.contact_id, []), around, slow)) is not None
    ]
    first = {one.who.contact_id: one for one in sorted(wanted, key=lambda one: one.rank, reverse=True)}
    ordered = sorted(first.values(), key=lambda one: one.rank)
    return [_suggested(one, around, slow) for one in _within_caps(ordered, before, around, slow)]


def _wanted(
    rule: Rule, who: Candidate, mine: Sequence[Nudge], around: Surroundings, slow: frozenset[NudgeKind]
) -> Wanted | None:
    if who.closed or who.left_alone or rule.kind in who.muted or not around.policy.of(rule.kind).on:
        return None
    if is_strained(rule, who, around.now):
        return None
    if not rested(rule, who, mine, around, slow) or dismissed_twice(rule.kind, mine, around.now):
        return None
    reason = rule.reason(who, mine, around)
    return None if reason is None else Wanted(rule, who, reason, is_weak(who, around), is_near(who, around))


def rested(rule: Rule, who: Candidate, mine: Sequence[Nudge], around: Surroundings, slow: frozenset[NudgeKind]) -> bool:
    """None open for this contact, none of any kind within its rest, none of this kind within the kind's."""
    rest = rest_of(rule, who, around, slow)
    return not any(
        nudge.state in OPEN
        or around.now - nudge.suggested_at < timedelta(days=around.policy.rest_days)
        or (nudge.kind == rule.kind and around.now - (nudge.ended_at or nudge.suggested_at) < rest)
        for nudge in mine
    )


def rest_of(rule: Rule, who: Candidate, around: Surroundings, slow: frozenset[NudgeKind]) -> timedelta:
    own = around.policy.of(rule.kind).rest_days
    rest = rule.rests(who) if own is None else timedelta(days=own)
    return rest * 2 if rule.kind in slow else rest


def dismissed_twice(kind: NudgeKind, mine: Sequence[Nudge], now: datetime) -> bool:
    """Twice no to the same: then for half a year nobody asks again."""
    said_no = [nudge.ended_at for nudge in mine if nudge.kind == kind and nudge.state == "dismissed" and nudge.ended_at]
    return len(said_no) >= DISMISSED_TWICE and now - max(said_no) < MUTED_FOR


def slowed(before: Iterable[Nudge]) -> frozenset[NudgeKind]:
    """The kinds of whose last ten answers more than half were a no: they come half as often."""
    ended = sorted(
        (nudge for nudge in before if nudge.state not in OPEN and nudge.ended_at is not None),
        key=lambda nudge: (nudge.ended_at, nudge.nudge_id),
    )
    by_kind: dict[NudgeKind, list[Nudge]] = {}
    for nudge in ended:
        by_kind.setdefault(nudge.kind, []).append(nudge)
    return frozenset(
        kind
        for kind, nudges in by_kind.items()
        if len(nudges) >= LAST_ANSWERS
        and sum(nudge.state == "dismissed" for nudge in nudges[-LAST_ANSWERS:]) > LAST_ANSWERS / 2
    )


def is_near(who: Candidate, around: Surroundings) -> bool:
    """Of our own locality."""
    if who.locality is None or around.locality is None:
        return False
    return who.locality.casefold() == around.locality.casefold()


def is_weak(who: Candidate, around: Surroundings) -> bool:
    """Those easily passed over: known by sight or a little, and bridges into another circle.

    A bridge is known well, and shares somebody with us, but fewer than one in twenty of our people.
    """
    if who.stage in (1, 2):
        return True
    return who.stage >= 3 and 0 < who.shared_contacts < BRIDGE * around.people


def fatigue(before: Iterable[Nudge], now: datetime) -> float:
    """One for each nudge, one more for each no, one less for each done, halved every seven days; never below 0."""
    total = 0.0
    for nudge in before:
        total += _faded(now - nudge.suggested_at)
        if nudge.ended_at is not None and nudge.state in ("dismissed", "done"):
            total += _faded(now - nudge.ended_at) * (1 if nudge.state == "dismissed" else -1)
    return max(0.0, total)


def _faded(age: timedelta) -> float:
    return float(2.0 ** (-max(age, timedelta(0)) / HALF_LIFE))


def value(one: Wanted) -> float:
    """What it is worth bothering somebody for: by the rule's priority, the contacts shared, a concrete occasion."""
    occasion = 0.5 if one.reason.until is not None else 0.0
    return WORTH[one.rule.priority] + 0.25 * min(one.who.shared_contacts, 4) + occasion


def room_today(before: Iterable[Nudge], around: Surroundings) -> int:
    """How many more may be suggested on this day of the tenant's own."""
    began = day_began(around.now, around.place.time_zone)
    return max(0, around.policy.a_day - sum(nudge.suggested_at >= began for nudge in before))


def _within_caps(
    ordered: Sequence[Wanted], before: Sequence[Nudge], around: Surroundings, slow: frozenset[NudgeKind]
) -> list[Wanted]:
    """Those that fit into the day and the week, in order. Of the week's places a share is kept for the weak."""
    lately = [nudge for nudge in before if around.now - nudge.suggested_at < WEEK]
    today = room_today(before, around)
    week = around.policy.a_week - len(lately)
    of_kind = {kind: _half_of(around.policy.a_week) - _count(kind, lately) for kind in slow}
    kept = ceil(FAIR_SHARE * around.policy.a_week) - sum(nudge.for_weak for nudge in lately)
    waiting = sum(one.weak for one in ordered)
    tired = TIRED * fatigue(before, around.now)
    chosen: list[Wanted] = []
    for one in ordered:
        if len(chosen) >= today:
            break
        waiting -= one.weak
        if value(one) <= tired + TIRED * len(chosen):
            continue
        if not one.rule.urgent and not _fits(one, week, kept, waiting, of_kind):
            continue
        chosen.append(one)
        week, kept = week - 1, kept - one.weak
        if one.rule.kind in of_kind:
            of_kind[one.rule.kind] -= 1
    return chosen


def _fits(one: Wanted, week: int, kept: int, waiting: int, of_kind: Mapping[NudgeKind, int]) -> bool:
    """In the week there is a place left that is not kept for one of the weak who wait."""
    if of_kind.get(one.rule.kind, 1) <= 0:
        return False
    return week > (0 if one.weak else max(0, min(kept, waiting)))


def _half_of(number: int) -> int:
    return ceil(number / 2)


def _count(kind: NudgeKind, nudges: Iterable[Nudge]) -> int:
    return sum(nudge.kind == kind for nudge in nudges)


def _suggested(one: Wanted, around: Surroundings, slow: frozenset[NudgeKind]) -> NudgeSuggested:
    rule, who, reason = one.rule, one.who, one.reason
    numbers = dict(reason.numbers)
    numbers |= {"stage": float(who.stage)} if one.weak else {}
    numbers |= {"for_weak": 1.0} if one.weak else {}
    numbers |= {"slowed": 1.0} if rule.kind in slow else {}
    return NudgeSuggested(
        nudge_id=uuid5(NAMESPACE, f"{around.tenant_id}/{rule.kind}/{who.contact_id}/{_period(one, around, slow)}"),
        contact_id=who.contact_id,
        kind=rule.kind,
        priority=rule.priority,
        numbers=numbers,
        touchpoint_ids=who.touchpoint_ids if reason.touchpoint_ids is None else reason.touchpoint_ids,
        expires_at=reason.until or around.now + rule.lasts,
        question=reason.question,
        referral_id=reason.referral_id,
    )


def _period(one: Wanted, around: Surroundings, slow: frozenset[NudgeKind]) -> str:
    """A stretch of time no longer than the kind rests, so that a thought made twice is one nudge; or the referral."""
    if one.reason.referral_id is not None:
        return str(one.reason.referral_id)
    stretch = max(timedelta(days=1), min(rest_of(one.rule, one.who, around, slow), timedelta(days=14)))
    return str(around.now.timestamp() // stretch.total_seconds())
