"""Nudges: one suggested act with its reason. People act on them; the system never writes to a contact.

A rule is a row of RULES: what sets it off, what counts as done, how long it lasts and rests, and whether it is still
needed. `domain/choosing.py` chooses within the policy; `decide` is what people answer; what was done is seen in later
touchpoints. The periods and thresholds are those of the nudge catalogue.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, assert_never
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from domain.contacts import Contact, ReachNoted, Within
from domain.contacts import stream_of as contact_stream
from domain.errors import Invalid, NotFound, Refused
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.policy import STANDARD, NudgeKind, Place, Policy
from domain.relationships import strained_until
from domain.rhythm import Rhythm
from domain.touches import Touch, measure
from domain.touchpoints import Kind

State = Literal["suggested", "accepted", "snoozed", "dismissed", "done", "expired"]
Because = Literal["no_longer_needed", "closed", "left_alone", "muted", "switched_off", "strained"]
OPEN: frozenset[State] = frozenset({"suggested", "accepted", "snoozed"})

LONGEST_SNOOZE = timedelta(days=180)
AFTER_SNOOZE = timedelta(days=7)
LONGEST_MUTE = timedelta(days=3_660)
THANKS_WITHIN = timedelta(hours=24)
THANKS_NO_MORE = timedelta(days=30)
OCCASION_WITHIN = timedelta(days=21)
QUIET_BUSINESS = -0.5


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
    """`numbers` are the values that set it off, `touchpoint_ids` the facts behind them, `referral_id` the referral it
    is about. `propensity` is the chance with which it was not held back: 1, as nothing is held back before owner and
    coach agreed to it."""

    TYPE: ClassVar[str] = "nudge.suggested"
    kind: NudgeKind
    priority: int
    numbers: dict[str, float]
    touchpoint_ids: tuple[UUID, ...]
    expires_at: datetime
    question: Literal["within_reach"] | None = None
    propensity: float = 1.0
    referral_id: UUID | None = None


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
    """Its time was over, or what `because` says."""

    TYPE: ClassVar[str] = "nudge.expired"
    because: Because | None = None


class NudgeMuted(Event, frozen=True, kw_only=True):
    """No nudge of this kind about this contact until then; without a time: it may come again."""

    TYPE: ClassVar[str] = "nudge.muted"
    contact_id: UUID
    kind: NudgeKind
    until: datetime | None = None

    @property
    def stream(self) -> str:
        return contact_stream(self.contact_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id,)


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


class MuteNudges(Struct, frozen=True, forbid_unknown_fields=True):
    """No nudge of this kind about this contact until then, within ten years; `null`: it may come again."""

    kind: NudgeKind
    until: Annotated[datetime, Meta(tz=True)] | None


Command = AcceptNudge | SnoozeNudge | DismissNudge | FinishNudge


class Handed(Struct, frozen=True):
    """A referral received from somebody and not yet thanked for."""

    referral_id: UUID
    made_at: datetime
    touchpoint_id: UUID


class Candidate(Struct, frozen=True, kw_only=True):
    """A contact as the rules see it. Points are those of the strength model; `online` sums its virtual channels.

    `stage` is an index into STAGES. `unthanked` are their referrals. `booked` says that an appointment with them lies
    ahead, `occasion_at` when an event begins to which both are going. `muted` are the kinds that may not come now.
    `strained_at` is the last complaint or dispute.
    """

    contact_id: UUID
    score: float = 0.0
    stage: int = 0
    given: float = 0.0
    received: float = 0.0
    online: float = 0.0
    met_at: datetime | None = None
    locality: str | None = None
    within_reach: Within | None = None
    closed: bool = False
    left_alone: bool = False
    muted: frozenset[NudgeKind] = frozenset()
    strained_at: datetime | None = None
    shared_contacts: int = 0
    rhythm: Rhythm | None = None
    unthanked: tuple[Handed, ...] = ()
    booked: bool = False
    occasion_at: datetime | None = None
    touchpoint_ids: tuple[UUID, ...] = ()


class Nudge(Struct, frozen=True):
    """A nudge as far as decisions need it. `for_weak`: it went to one of those who are easily passed over."""

    nudge_id: UUID
    contact_id: UUID
    kind: NudgeKind
    state: State
    suggested_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    asked: bool = False
    referral_id: UUID | None = None
    for_weak: bool = False
    stream_position: int | None = None


class Surroundings(Struct, frozen=True):
    """What the rules know of the tenant at this moment, `now` in UTC.

    `usual_trend` is the median trend of its relationships, None where there are too few; `people` how many it knows.
    """

    tenant_id: UUID
    locality: str | None
    now: datetime
    place: Place
    policy: Policy = STANDARD
    usual_trend: float | None = None
    people: int = 0


class Reason(Struct, frozen=True):
    """Why: the values, and where they are not the contact's latest, the facts behind them. `until` where it ends with
    an occasion."""

    numbers: dict[str, float]
    question: Literal["within_reach"] | None = None
    referral_id: UUID | None = None
    touchpoint_ids: tuple[UUID, ...] | None = None
    until: datetime | None = None


class Rule(Struct, frozen=True):
    """`rests` is how long the kind then leaves this contact in peace. The urgent may exceed the week's cap.

    One that `needs_calm` does not come, and ends, while there is strain after a complaint or dispute.
    """

    kind: NudgeKind
    priority: int
    lasts: timedelta
    rests: Callable[[Candidate], timedelta]
    reason: Callable[[Candidate, Sequence[Nudge], Surroundings], Reason | None]
    done_by: Callable[[Touch, str], bool]
    needed: Callable[[Candidate, Nudge], bool]
    urgent: bool = False
    needs_calm: bool = False


def is_strained(rule: Rule, who: Candidate, now: datetime) -> bool:
    """Whether strain stands between this kind and this contact."""
    return rule.needs_calm and strained_until(who.strained_at, now) is not None


def thank_referrer(who: Candidate, before: Sequence[Nudge], around: Surroundings) -> Reason | None:
    """A referral received a day ago and no thanks since; once for each. The oldest first; none after a month."""
    told = {nudge.referral_id for nudge in before}
    for one in sorted(who.unthanked, key=lambda one: (one.made_at, one.referral_id)):
        age = around.now - one.made_at
        if one.referral_id not in told and THANKS_WITHIN <= age <= THANKS_NO_MORE:
            numbers = {"hours": age // timedelta(hours=1) * 1.0}
            return Reason(numbers, referral_id=one.referral_id, touchpoint_ids=(one.touchpoint_id,))
    return None


def meet_in_person(who: Candidate, before: Sequence[Nudge], around: Surroundings) -> Reason | None:
    """A two-way online tie that never met, within reach; the question where nobody knows, asked once."""
    enough = who.score >= 25 and who.online >= 1.5 and who.given > 0.2 and who.received > 0.2
    if not enough or who.met_at is not None or who.booked:
        return None
    until = who.occasion_at if who.occasion_at is not None and who.occasion_at - around.now <= OCCASION_WITHIN else None
    reach = within_reach(who, around) if until is None else "yes"
    if reach == "no" or (reach == "unknown" and (who.within_reach is not None or any(nudge.asked for nudge in before))):
        return None
    numbers = {
        "score": who.score,
        "online_points": round(who.online, 1),
        "given": round(who.given, 1),
        "received": round(who.received, 1),
        "shared_contacts": float(who.shared_contacts),
    }
    return Reason(numbers, "within_reach" if reach == "unknown" else None, until=until)


def keep_the_rhythm(who: Candidate, before: Sequence[Nudge], around: Surroundings) -> Reason | None:
    """A tie that matters, silent for longer than nine in ten of its gaps, while the others are not as silent."""
    rhythm = who.rhythm
    if rhythm is None or rhythm.cadence is None or rhythm.survival is None or who.booked:
        return None
    late = rhythm.status == "overdue" and rhythm.alive >= 0.3
    if not late or who.score < 35 or is_seasonal(rhythm, around.usual_trend):
        return None
    numbers = {
        "score": who.score,
        "cadence_days": round(rhythm.cadence, 1),
        "silent_days": float(rhythm.silence),
        "gaps_as_long": round(rhythm.survival, 3),
        "still_alive": round(rhythm.alive, 2),
        "trend": round(rhythm.trend, 2),
        "shared_contacts": float(who.shared_contacts),
    }
    if around.usual_trend is not None:
        numbers["usual_trend"] = round(around.usual_trend, 2)
    if rhythm.basis == "told":
        numbers["as_told"] = 1.0
    return Reason(numbers)


def is_seasonal(rhythm: Rhythm, usual_trend: float | None) -> bool:
    """Whether the whole business is quiet (a median trend of -0.5 or less) and this tie hardly quieter than that."""
    return usual_trend is not None and usual_trend <= QUIET_BUSINESS <= rhythm.trend - usual_trend


def within_reach(who: Candidate, around: Surroundings) -> Within:
    return reach(who.within_reach, who.locality, around.locality)


def reach(told: Within | None, theirs: str | None, ours: str | None) -> Within:
    """As somebody told; else by one locality; else nobody knows."""
    if told in ("yes", "no"):
        return told
    if theirs is None or ours is None:
        return "unknown"
    return "yes" if theirs.casefold() == ours.casefold() else "no"


def thanked(touch: Touch, realm: str) -> bool:
    """Thanks said, or a conversation of ours with them."""
    ours = touch.direction in ("out", "mutual")
    return ours and (touch.act == "thank" or touch.kind in ("call", "video_call", "meeting"))


def met_in_person(touch: Touch, realm: str) -> bool:
    return realm == "physical" and touch.direction in ("out", "mutual")


def got_in_touch(touch: Touch, realm: str) -> bool:
    """By us or together, and more than a sign of life."""
    worth = measure(touch)
    return worth is not None and touch.direction in ("out", "mutual") and worth.depth >= 1


def still_unthanked(who: Candidate, nudge: Nudge) -> bool:
    return any(one.referral_id == nudge.referral_id for one in who.unthanked)


def still_unmet(who: Candidate, nudge: Nudge) -> bool:
    return who.met_at is None


def still_silent(who: Candidate, nudge: Nudge) -> bool:
    return who.rhythm is not None and who.rhythm.status in ("overdue", "fading", "dormant") and not who.booked


def _days(number: int) -> Callable[[Candidate], timedelta]:
    return lambda who: timedelta(days=number)


def _a_cadence(who: Candidate) -> timedelta:
    """14 days, or what is usual between the two of them where that is longer."""
    cadence = None if who.rhythm is None else who.rhythm.cadence
    return max(timedelta(days=14), timedelta(days=cadence or 0))


RULES: dict[NudgeKind, Rule] = {
    rule.kind: rule
    for rule in (
        Rule(
            "thank_referrer",
            priority=1,
            lasts=timedelta(days=7),
            rests=_days(0),
            reason=thank_referrer,
            done_by=thanked,
            needed=still_unthanked,
            urgent=True,
        ),
        Rule(
            "meet_in_person",
            priority=2,
            lasts=timedelta(days=21),
            rests=_days(60),
            reason=meet_in_person,
            done_by=met_in_person,
            needed=still_unmet,
        ),
        Rule(
            "keep_the_rhythm",
            priority=2,
            lasts=timedelta(days=14),
            rests=_a_cadence,
            reason=keep_the_rhythm,
            done_by=got_in_touch,
            needed=still_silent,
            needs_calm=True,
        ),
    )
}


def seen_done(nudge: Nudge, touch: Touch, occurred_at: datetime, realm: str) -> list[Ended]:
    """Done when a fitting touch of this contact happened after the suggestion."""
    fits = nudge.state in OPEN and occurred_at > nudge.suggested_at and RULES[nudge.kind].done_by(touch, realm)
    return [_done(nudge, touch.touchpoint_id)] if fits else []


def expire(nudge: Nudge, who: Candidate | None, policy: Policy, now: datetime) -> list[Ended]:
    """Over when its time is, or when nobody needs it any more, as far as is known of the contact now."""
    if nudge.state not in OPEN:
        return []
    because = None if who is None else _because(nudge, who, policy, now)
    if because is None and now < nudge.expires_at:
        return []
    return [NudgeExpired(nudge_id=nudge.nudge_id, contact_id=nudge.contact_id, because=because)]


def _because(nudge: Nudge, who: Candidate, policy: Policy, now: datetime) -> Because | None:
    if who.closed:
        return "closed"
    if who.left_alone:
        return "left_alone"
    if nudge.kind in who.muted:
        return "muted"
    if not policy.of(nudge.kind).on:
        return "switched_off"
    if is_strained(RULES[nudge.kind], who, now):
        return "strained"
    return None if RULES[nudge.kind].needed(who, nudge) else "no_longer_needed"


def mute(command: MuteNudges, contact: Contact | None, muted: Iterable[NudgeMuted], *, now: datetime) -> list[Event]:
    """Nothing where it is so already. That a kind may come is a word too: it stands over a mute of those merged into
    the contact. Raises NotFound, Invalid."""
    if contact is None:
        raise NotFound("there is no such contact")
    if command.until is not None and not now < command.until <= now + LONGEST_MUTE:
        raise Invalid("mute until a time within the next ten years", field="until")
    until = {event.kind: event.until for event in muted}
    if command.kind in until and until[command.kind] == command.until:
        return []
    return [NudgeMuted(contact_id=contact.contact_id, kind=command.kind, until=command.until)]


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
                referral_id=event.referral_id,
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
