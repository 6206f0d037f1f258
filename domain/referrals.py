"""Referrals: a named person handed over, received or given, and what became of it.

A referral is an interaction too: making one records a touchpoint, and it counts for as long as that touchpoint does.
Its fate is folded from the outcomes by when they happened, whatever order they were told in.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Annotated, ClassVar, Literal, assert_never
from uuid import UUID, uuid5

from msgspec import Meta, Struct
from msgspec.structs import replace

from domain import money, touchpoints
from domain.channels import check_slug
from domain.errors import Invalid, NotFound, Refused
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.money import Amount, CurrencyCode, Money
from domain.relationships import Experience, day_of
from domain.touches import Touch
from domain.touchpoints import Kind, Reference, TouchpointRecorded

Direction = Literal["received", "given"]
Outcome = Literal["contacted", "met", "won", "lost", "thanked"]
Status = Literal["open", "contacted", "met", "won", "lost"]
Note = Annotated[str, Meta(max_length=10_000)]
SOURCE = "referral"  # of the touchpoints it records


class _OfReferral(Event, frozen=True, kw_only=True):
    """`referrer_id` is who referred to us; of a given one, the partner we referred to."""

    referral_id: UUID
    direction: Direction
    referrer_id: UUID
    prospect_id: UUID

    @property
    def stream(self) -> str:
        return stream_of(self.referral_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.referrer_id, self.prospect_id)


class ReferralMade(_OfReferral, frozen=True, kw_only=True):
    """A person was handed over, by way of a channel. Personal: note."""

    TYPE: ClassVar[str] = "referral.made"
    channel: str
    touchpoint_id: UUID
    heat: int | None = None
    source: str | None = None
    source_id: str | None = None


class ReferralContacted(_OfReferral, frozen=True, kw_only=True):
    """The prospect was reached. Personal: note."""

    TYPE: ClassVar[str] = "referral.contacted"


class ReferralMet(_OfReferral, frozen=True, kw_only=True):
    """Personal: note."""

    TYPE: ClassVar[str] = "referral.met"


class ReferralWon(_OfReferral, frozen=True, kw_only=True):
    """It became business; the value where somebody said it. Told again with another value, that one holds.

    Personal: note.
    """

    TYPE: ClassVar[str] = "referral.won"
    value: Money | None = None


class ReferralLost(_OfReferral, frozen=True, kw_only=True):
    """Personal: note."""

    TYPE: ClassVar[str] = "referral.lost"


class ReferralThanked(_OfReferral, frozen=True, kw_only=True):
    """The referrer was thanked, by a touchpoint of its own; of a given one, the partner thanked us.

    Sealed for the referrer alone: thanks are due also where the prospect was forgotten.
    """

    TYPE: ClassVar[str] = "referral.thanked"
    touchpoint_id: UUID

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.referrer_id,)


Told = ReferralContacted | ReferralMet | ReferralWon | ReferralLost | ReferralThanked
PLAIN: dict[str, type[ReferralContacted | ReferralMet | ReferralLost]] = {
    "contacted": ReferralContacted,
    "met": ReferralMet,
    "lost": ReferralLost,
}


class MakeReferral(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A person handed over. `received`: the `referrer` sent us the prospect; `given`: we sent the prospect to them.

    `heat` is how warm it is, 1 to 5; `by_way_of` the slug of the channel it came through, opened where it is unknown.
    Unknown people become contacts. Just now where `occurred_at` is left out. A `source` with its `source_id` makes it
    safe to send twice.
    """

    direction: Direction
    referrer: Reference
    prospect: Reference
    by_way_of: Annotated[str, Meta(max_length=60, examples=["chamber"])]
    heat: Annotated[int, Meta(ge=1, le=5)] | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    note: Note | None = None
    source: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    source_id: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


class TellOutcome(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of a referral, just now where `occurred_at` is left out. A later fact may be told first.

    `won` takes a `value` with its `currency`; told again with another value, that one holds. `thanked` records a
    touchpoint too: of this `kind` (chat when left out), in this `channel` (that of the referral), so many `minutes`.
    """

    outcome: Outcome
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    value: Amount | None = None
    currency: CurrencyCode | None = None
    kind: Kind | None = None
    channel: Annotated[str, Meta(max_length=60)] | None = None
    minutes: Annotated[int, Meta(ge=0, le=14_400)] | None = None
    note: Note | None = None


class Fact(Struct, frozen=True, array_like=True):
    """An outcome as told. Of two of one instant the one told later, of the higher `order`, holds."""

    outcome: Outcome
    occurred_at: datetime
    order: int
    value: Money | None = None
    touchpoint_id: UUID | None = None


class Referral(Struct, frozen=True):
    """A referral and all that was told of it, in any order."""

    made: ReferralMade
    made_at: datetime
    facts: tuple[Fact, ...] = ()


class Fate(Struct, frozen=True):
    """What became of a referral. `decided_at` is since when it is won or lost."""

    status: Status = "open"
    contacted_at: datetime | None = None
    met_at: datetime | None = None
    decided_at: datetime | None = None
    value: Money | None = None
    thanked_at: datetime | None = None


def check(command: MakeReferral, *, now: datetime) -> MakeReferral:
    """The command itself when it can be recorded as it stands. Raises Invalid with the field."""
    check_slug(command.by_way_of, field="by_way_of")
    if command.occurred_at is not None:
        touchpoints.check_time(command.occurred_at, now=now)
    if command.source_id is not None and command.source is None:
        raise Invalid("a source_id goes with its source", field="source")
    return command


def make(command: MakeReferral, *, referral_id: UUID, referrer_id: UUID, prospect_id: UUID) -> list[Event]:
    """The touchpoint with the referrer, and the referral. Raises Invalid for a referral of oneself."""
    if referrer_id == prospect_id:
        raise Invalid("nobody is referred by or to themselves", field="prospect")
    made = ReferralMade(
        referral_id=referral_id,
        direction=command.direction,
        referrer_id=referrer_id,
        prospect_id=prospect_id,
        channel=command.by_way_of,
        touchpoint_id=touchpoint_of(referral_id),
        heat=command.heat,
        source=command.source,
        source_id=command.source_id,
        personal=_note(command.note),
    )
    handed_over = TouchpointRecorded(
        touchpoint_id=made.touchpoint_id,
        kind="referral",
        channel=command.by_way_of,
        direction="in" if command.direction == "received" else "out",
        contact_ids=(referrer_id,),
        act=None if command.direction == "received" else "give",
        source=SOURCE,
        source_id=str(referral_id),
    )
    return [handed_over, made]


def check_outcome(command: TellOutcome, *, now: datetime) -> Money | None:
    """The value in its one form. Raises Invalid with the field, also for a field this outcome does not take."""
    if command.occurred_at is not None:
        touchpoints.check_time(command.occurred_at, now=now)
    if command.channel is not None:
        check_slug(command.channel)
    taken = {"won": ("value", "currency"), "thanked": ("kind", "channel", "minutes")}
    for outcome, fields in taken.items():
        for field in fields:
            if command.outcome != outcome and getattr(command, field) is not None:
                raise Invalid(f"only {outcome} takes this", field=field)
    if command.kind in ("post", "referral", "complaint", "dispute"):
        raise Invalid(f"a {command.kind} is no way of thanking somebody", field="kind")
    return money.money(command.value, command.currency)


def tell(
    command: TellOutcome,
    referral: Referral | None,
    *,
    outcome_id: UUID,
    occurred_at: datetime,
    struck: Collection[UUID] = (),
    currency: str | None = None,
) -> list[Event]:
    """What is new by it, the outcome last; nothing where it changes nothing. `outcome_id` is to be the event's id.

    `struck` are touchpoints that count no more, `currency` is the tenant's. Raises NotFound; Refused for one taken
    back and for a value in another currency; Invalid for a day before the referral's.
    """
    if referral is None:
        raise NotFound("there is no such referral")
    if referral.made.touchpoint_id in struck:
        raise Refused("this referral was taken back")
    if day_of(occurred_at) < day_of(referral.made_at):
        raise Invalid("this is before the referral was made", field="occurred_at")
    value = money.money(command.value, command.currency)
    settled = [] if value is None else money.settle(value, currency)
    told = _outcome(command, referral.made, value, outcome_id)
    after = evolve(referral, told, occurred_at, order=len(referral.facts) + 1)
    if after is None or fate(after.facts, struck=struck) == fate(referral.facts, struck=struck):
        return []
    thanks = [_thanks(command, referral.made, told)] if isinstance(told, ReferralThanked) else []
    return [*settled, *thanks, told]


def _outcome(command: TellOutcome, made: ReferralMade, value: Money | None, outcome_id: UUID) -> Told:
    note = _note(command.note)
    match command.outcome:
        case "won":
            return ReferralWon(
                referral_id=made.referral_id,
                direction=made.direction,
                referrer_id=made.referrer_id,
                prospect_id=made.prospect_id,
                value=value,
                personal=note,
            )
        case "thanked":
            return ReferralThanked(
                referral_id=made.referral_id,
                direction=made.direction,
                referrer_id=made.referrer_id,
                prospect_id=made.prospect_id,
                touchpoint_id=uuid5(outcome_id, "thanks"),
            )
        case ("contacted" | "met" | "lost") as outcome:
            return PLAIN[outcome](
                referral_id=made.referral_id,
                direction=made.direction,
                referrer_id=made.referrer_id,
                prospect_id=made.prospect_id,
                personal=note,
            )
        case _:
            assert_never(command.outcome)


def _thanks(command: TellOutcome, made: ReferralMade, told: ReferralThanked) -> TouchpointRecorded:
    """The note goes with it: it is what was said to the referrer."""
    return TouchpointRecorded(
        touchpoint_id=told.touchpoint_id,
        kind=command.kind or "chat",
        channel=command.channel or made.channel,
        direction="out" if made.direction == "received" else "in",
        contact_ids=(made.referrer_id,),
        act="thank",
        minutes=command.minutes,
        source=SOURCE,
        source_id=str(made.referral_id),
        personal=_note(command.note),
    )


def evolve(referral: Referral | None, event: Event, occurred_at: datetime, *, order: int) -> Referral | None:
    """`occurred_at` is when the fact happened, `order` grows with when it was told, as positions in the log do."""
    if isinstance(event, ReferralMade):
        return Referral(event, occurred_at)
    fact = fact_of(event, occurred_at, order=order)
    if referral is None or fact is None:
        return referral
    return replace(referral, facts=(*referral.facts, fact))


def fact_of(event: Event, occurred_at: datetime, *, order: int) -> Fact | None:
    match event:
        case ReferralContacted():
            return Fact("contacted", occurred_at, order)
        case ReferralMet():
            return Fact("met", occurred_at, order)
        case ReferralLost():
            return Fact("lost", occurred_at, order)
        case ReferralWon(value=value):
            return Fact("won", occurred_at, order, value=value)
        case ReferralThanked(touchpoint_id=touchpoint_id):
            return Fact("thanked", occurred_at, order, touchpoint_id=touchpoint_id)
        case _:
            return None


def fold(stored: Iterable[tuple[Event, datetime]]) -> Referral | None:
    """A referral's stream, in the order of the log."""
    referral = None
    for order, (event, occurred_at) in enumerate(stored):
        referral = evolve(referral, event, occurred_at, order=order)
    return referral


def fate(facts: Iterable[Fact], *, struck: Collection[UUID] = ()) -> Fate:
    """What came of it, from its facts in any order; thanks whose touchpoint is `struck` do not count.

    The last of won and lost holds, and since the first of an unbroken run of it; of the values told in that run, the
    one told last. Being met again later takes no decision back.
    """
    told = sorted(facts, key=lambda fact: (fact.occurred_at, fact.order))
    contacted_at = _first(told, "contacted", "met", "won")
    met_at = _first(told, "met")
    thanked_at = _first([fact for fact in told if fact.touchpoint_id not in struck], "thanked")
    decided = [fact for fact in told if fact.outcome in ("won", "lost")]
    if not decided:
        status: Status = "met" if met_at else "contacted" if contacted_at else "open"
        return Fate(status, contacted_at, met_at, thanked_at=thanked_at)
    status = "won" if decided[-1].outcome == "won" else "lost"
    run = list(takewhile(lambda fact: fact.outcome == status, reversed(decided)))
    worth = max((fact for fact in run if fact.value is not None), key=lambda fact: fact.order, default=None)
    value = None if worth is None else worth.value
    return Fate(status, contacted_at, met_at, run[-1].occurred_at, value, thanked_at)


def _first(told: Sequence[Fact], *outcomes: Outcome) -> datetime | None:
    return next((fact.occurred_at for fact in told if fact.outcome in outcomes), None)


def conversion(referral_id: UUID, channel: str, facts: Iterable[Fact]) -> Experience | None:
    """What a won referral is to who made it: a touch without points that adds advocacy on the day it was won."""
    came = fate(facts)
    if came.status != "won" or came.decided_at is None:
        return None
    day = day_of(came.decided_at)
    touch = Touch(referral_id, day, kind="referral_converted", direction="in", context=channel)
    return Experience(touch, came.decided_at)


def touchpoint_of(referral_id: UUID) -> UUID:
    """The id of the touchpoint that making this referral was."""
    return uuid5(referral_id, "touchpoint")


def stream_of(referral_id: UUID) -> str:
    return f"referral-{referral_id}"


def _note(note: str | None) -> Personal:
    return NOTHING_PERSONAL if note is None else Personal(note=note)
