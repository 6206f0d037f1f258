"""Nudges: one suggested act with its reason. People act on them; the system never writes to a contact.

A rule is a row of RULES: what sets it off, what counts as done, how long it lasts and rests. `suggest` chooses within
the caps; `decide` is what people answer; what was done is seen in later touchpoints. The periods and thresholds are
those of the nudge catalogue; each may be changed there without touching the engine.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, assert_never
from uuid import UUID, uuid5

from msgspec import Meta, Struct
from msgspec.structs import replace

from domain.contacts import ReachNoted, Within
from domain.errors import Invalid, NotFound, Refused
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.touches import Touch
from domain.touchpoints import Kind

NudgeKind = Literal["meet_in_person"]
State = Literal["suggested", "accepted", "snoozed", "dismissed", "done", "expired"]
OPEN: frozenset[State] = frozenset({"suggested", "accepted", "snoozed"})

A_DAY = 3
A_WEEK = 9
REST_OF_CONTACT = timedelta(days=14)
LONGEST_SNOOZE = timedelta(days=180)
AFTER_SNOOZE = timedelta(days=7)
NAMESPACE = UUID("6f0f5d0e-63c0-4c7c-8f4e-6e1f0a6c1a03")


class _OfNudge(Event, frozen=True, kw_only=True):
    nudge_id: UUID
    contact_id: UUID

    @property
    def stream(self) -> str:
        return stream_of(self.nudge_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id,)


class NudgeSuggested(_OfNudge, frozen=True, kw_only=True):
    """`numbers` are the values that set it off, `touchpoint_ids` the facts behind them. `propensity` is the chance with
    which it was not held back: 1, as nothing is held back before owner and coach agreed to it."""

    TYPE: ClassVar[str] = "nudge.suggested"
    kind: NudgeKind
    priority: int
    numbers: dict[str, float]
    touchpoint_ids: tuple[UUID, ...]
    expires_at: datetime
    question: Literal["within_reach"] | None = None
    propensity: float = 1.0


class NudgeAccepted(_OfNudge, frozen=True, kw_only=True):
    """The member means to do it."""

    TYPE: ClassVar[str] = "nudge.accepted"


class NudgeSnoozed(_OfNudge, frozen=True, kw_only=True):
    """It comes back then."""

    TYPE: ClassVar[str] = "nudge.snoozed"
    until: datetime


class NudgeDismissed(_OfNudge, frozen=True, kw_only=True):
    """Personal: note, the reason in the member's words."""

    TYPE: ClassVar[str] = "nudge.dismissed"


class NudgeDone(_OfNudge, frozen=True, kw_only=True):
    """Seen in a touchpoint that happened after the suggestion."""

    TYPE: ClassVar[str] = "nudge.done"
    touchpoint_id: UUID


class NudgeExpired(_OfNudge, frozen=True, kw_only=True):
    """Its time was over, or there was no more reason for it."""

    TYPE: ClassVar[str] = "nudge.expired"


Ended = NudgeDone | NudgeExpired


class AcceptNudge(Struct, frozen=True, forbid_unknown_fields=True):
    """I will. Where the nudge asks whether the person is within reach, the answer goes with it."""

    within_reach: Within | None = None


class SnoozeNudge(Struct, frozen=True, forbid_unknown_fields=True):
    until: Annotated[datetime, Meta(tz=True)]


class DismissNudge(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=1000)] | None = None


class FinishNudge(Struct, frozen=True, forbid_unknown_fields=True):
    """It was done, by the touchpoint recorded for it."""

    touchpoint_id: UUID


class TellDone(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done, where and when: recorded as a touchpoint with the contact. Left out: a meeting, just now."""

    kind: Kind = "meeting"
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    channel: Annotated[str, Meta(max_length=60)] = "in-person"
    minutes: Annotated[int, Meta(ge=0, le=14_400)] | None = None
    note: Annotated[str, Meta(max_length=10_000)] | None = None


Command = AcceptNudge | SnoozeNudge | DismissNudge | FinishNudge


class Candidate(Struct, frozen=True):
    """A contact as the rules see it. Points are those of the strength model; `online` sums its virtual channels."""

    contact_id: UUID
    score: float
    given: float
    received: float
    online: float
    met_at: datetime | None
    locality: str | None
    within_reach: Within | None
    closed: bool
    shared_contacts: int
    touchpoint_ids: tuple[UUID, ...]


class Nudge(Struct, frozen=True):
    """A nudge as far as decisions need it; `closed` when the relationship is."""

    nudge_id: UUID
    contact_id: UUID
    kind: NudgeKind
    state: State
    suggested_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    asked: bool = False
    closed: bool = False


class Surroundings(Struct, frozen=True):
    """What the rules know of the tenant at this moment. `now` in UTC; `today` began at `day_began` in its own zone."""

    tenant_id: UUID
    locality: str | None
    now: datetime
    day_began: datetime


class Reason(Struct, frozen=True):
    numbers: dict[str, float]
    question: Literal["within_reach"] | None = None


class Rule(Struct, frozen=True):
    kind: NudgeKind
    priority: int
    lasts: timedelta
    rests: timedelta
    reason: Callable[[Candidate, Sequence[Nudge], Surroundings], Reason | None]
    done_by: Callable[[Touch, str], bool]


def meet_in_person(who: Candidate, before: Sequence[Nudge], around: Surroundings) -> Reason | None:
    """A two-way online tie that never met, within reach; the question where nobody knows, asked once."""
    enough = who.score >= 25 and who.online >= 1.5 and who.given > 0.2 and who.received > 0.2
    if not enough or who.met_at is not None:
        return None
    reach = within_reach(who, around)
    if reach == "no" or (reach == "unknown" and (who.within_reach is not None or any(nudge.asked for nudge in before))):
        return None
    numbers = {
        "score": who.score,
        "online_points": round(who.online, 1),
        "given": round(who.given, 1),
        "received": round(who.received, 1),
        "shared_contacts": float(who.shared_contacts),
    }
    return Reason(numbers, "within_reach" if reach == "unknown" else None)


def within_reach(who: Candidate, around: Surroundings) -> Within:
    """As somebody told; else by one locality; else nobody knows."""
    if who.within_reach in ("yes", "no"):
        return who.within_reach
    if who.locality is None or around.locality is None:
        return "unknown"
    return "yes" if who.locality.casefold() == around.locality.casefold() else "no"


def met_in_person(touch: Touch, realm: str) -> bool:
    return realm == "physical" and touch.direction in ("out", "mutual")


RULES: dict[NudgeKind, Rule] = {
    "meet_in_person": Rule("meet_in_person", 2, timedelta(days=21), timedelta(days=60), meet_in_person, met_in_person),
}


def suggest(candidates: Iterable[Candidate], before: Sequence[Nudge], around: Surroundings) -> list[NudgeSuggested]:
    """The nudges of this moment: by priority, then shared contacts, then strength, within caps and rests."""
    by_contact: dict[UUID, list[Nudge]] = {}
    for nudge in before:
        by_contact.setdefault(nudge.contact_id, []).append(nudge)
    wanted = [
        (rule.priority, -who.shared_contacts, -who.score, who.contact_id, rule, who, reason)
        for who in candidates
        for rule in RULES.values()
        if not who.closed and rested(rule, mine := by_contact.get(who.contact_id, []), around.now)
        if (reason := rule.reason(who, mine, around)) is not None
    ]
    wanted.sort(key=lambda row: row[:4])
    chosen = {row[3]: row for row in reversed(wanted)}
    ordered = sorted(chosen.values(), key=lambda row: row[:4])
    return [_suggested(rule, who, reason, around) for *_, rule, who, reason in ordered[: room(before, around)]]


def rested(rule: Rule, mine: Sequence[Nudge], now: datetime) -> bool:
    """None open for this contact, none of any kind within 14 days, none of this kind within its rest."""
    return not any(
        nudge.state in OPEN
        or now - nudge.suggested_at < REST_OF_CONTACT
        or (nudge.kind == rule.kind and now - (nudge.ended_at or nudge.suggested_at) < rule.rests)
        for nudge in mine
    )


def room(before: Sequence[Nudge], around: Surroundings) -> int:
    """How many more may be suggested now: 3 a day of the tenant's, 9 in 7 days."""
    today = sum(nudge.suggested_at >= around.day_began for nudge in before)
    week = sum(around.now - nudge.suggested_at < timedelta(days=7) for nudge in before)
    return max(0, min(A_DAY - today, A_WEEK - week))


def _suggested(rule: Rule, who: Candidate, reason: Reason, around: Surroundings) -> NudgeSuggested:
    period = int(around.now.timestamp() // rule.rests.total_seconds())
    return NudgeSuggested(
        nudge_id=uuid5(NAMESPACE, f"{around.tenant_id}/{rule.kind}/{who.contact_id}/{period}"),
        contact_id=who.contact_id,
        kind=rule.kind,
        priority=rule.priority,
        numbers=reason.numbers,
        touchpoint_ids=who.touchpoint_ids,
        expires_at=around.now + rule.lasts,
        question=reason.question,
    )


def seen_done(nudge: Nudge, touch: Touch, occurred_at: datetime, realm: str) -> list[Ended]:
    """Done when a fitting touch of this contact happened after the suggestion."""
    fits = nudge.state in OPEN and occurred_at > nudge.suggested_at and RULES[nudge.kind].done_by(touch, realm)
    return [_done(nudge, touch.touchpoint_id)] if fits else []


def expire(nudge: Nudge, now: datetime) -> list[Ended]:
    """Over when its time is, or when the relationship was closed."""
    over = nudge.state in OPEN and (now >= nudge.expires_at or nudge.closed)
    return [NudgeExpired(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id)] if over else []


def decide(command: Command, nudge: Nudge | None, *, now: datetime) -> list[Event]:
    """What a member answers. The same answer twice changes nothing; an ended nudge takes no other."""
    if nudge is None:
        raise NotFound("there is no such nudge")
    match command:
        case FinishNudge() if nudge.state == "done":
            return []
        case DismissNudge() if nudge.state == "dismissed":
            return []
        case _ if nudge.state not in OPEN:
            raise Refused(f"this nudge is {nudge.state}")
        case FinishNudge(touchpoint_id):
            return [_done(nudge, touchpoint_id)]
        case DismissNudge(reason):
            return [_dismissed(nudge, reason)]
        case SnoozeNudge(until) if not now < until <= now + LONGEST_SNOOZE:
            raise Invalid("snooze to a time within the next 180 days", field="until")
        case SnoozeNudge(until):
            return [NudgeSnoozed(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id, until=until)]
        case AcceptNudge(within_reach=("no" | "unknown") as answer):
            return [ReachNoted(contact_id=nudge.contact_id, within_reach=answer), _dismissed(nudge, None)]
        case AcceptNudge() if nudge.state == "accepted":
            return []
        case AcceptNudge(within_reach=answer):
            reached = ReachNoted(contact_id=nudge.contact_id, within_reach="yes")
            accepted = NudgeAccepted(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id)
            return [reached, accepted] if answer == "yes" or nudge.asked else [accepted]
        case _:
            assert_never(command)


def evolve(nudge: Nudge | None, event: Event, occurred_at: datetime) -> Nudge | None:
    """`occurred_at` is when the fact happened."""
    match event:
        case NudgeSuggested():
            return Nudge(
                nudge_id=event.nudge_id,
                contact_id=event.contact_id,
                kind=event.kind,
                state="suggested",
                suggested_at=occurred_at,
                expires_at=event.expires_at,
                asked=event.question is not None,
            )
        case _ if nudge is None:
            return None
        case NudgeAccepted():
            return replace(nudge, state="accepted")
        case NudgeSnoozed(until=until):
            return replace(nudge, state="snoozed", expires_at=max(nudge.expires_at, until + AFTER_SNOOZE))
        case NudgeDismissed():
            return replace(nudge, state="dismissed", ended_at=occurred_at)
        case NudgeDone():
            return replace(nudge, state="done", ended_at=occurred_at)
        case NudgeExpired():
            return replace(nudge, state="expired", ended_at=occurred_at)
        case _:
            return nudge


def _done(nudge: Nudge, touchpoint_id: UUID) -> NudgeDone:
    return NudgeDone(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id, touchpoint_id=touchpoint_id)


def _dismissed(nudge: Nudge, reason: str | None) -> NudgeDismissed:
    personal = NOTHING_PERSONAL if not reason else Personal(note=reason)
    return NudgeDismissed(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id, personal=personal)


def stream_of(nudge_id: UUID) -> str:
    return f"nudge-{nudge_id}"
