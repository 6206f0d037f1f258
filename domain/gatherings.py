"""Gatherings: occasions in one place at one time, open and weekly unless said otherwise. Two people are a success.

A gathering is planned, changed, called off, all of it or one occurrence. Its link shows a public page on which guests
enter themselves: that they want to come is no touchpoint, that they came is (`domain/attendance.py`). What is changed
holds for what has not begun; the past stays as it was.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, ClassVar, TypeVar
from unicodedata import category
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict, replace

from domain import identities, money, recurrence
from domain.channels import check_slug
from domain.errors import Invalid, NotFound, Refused
from domain.event import Event, Personal
from domain.money import Amount, CurrencyCode
from domain.recurrence import ALWAYS, MOVED, Change, GatheringPlan, Schedule

WEEKLY = "FREQ=WEEKLY"
MOST_GUESTS = 2_000
FURTHEST = timedelta(days=3_660)
LONGEST = 7 * 24 * 60
CONSENT = "1"  # of what a guest agreed to: the wording on the page, counted
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))  # signs that turn the text around

Given = TypeVar("Given")


class _OfGathering(Event, frozen=True, kw_only=True):
    gathering_id: UUID

    @property
    def stream(self) -> str:
        return stream_of(self.gathering_id)


class GatheringPlanned(_OfGathering, frozen=True, kw_only=True):
    """There will be a gathering, once or again and again."""

    TYPE: ClassVar[str] = "gathering.planned"
    plan: GatheringPlan


class GatheringChanged(_OfGathering, frozen=True, kw_only=True):
    """The whole new plan, for the occurrences of the day `since` and later ones."""

    TYPE: ClassVar[str] = "gathering.changed"
    plan: GatheringPlan
    since: date


class GatheringCancelled(_OfGathering, frozen=True, kw_only=True):
    """There is none from the day `since` on."""

    TYPE: ClassVar[str] = "gathering.cancelled"
    since: date
    why: str | None = None


class OccurrenceChanged(_OfGathering, frozen=True, kw_only=True):
    """All that is otherwise with one occurrence than planned; one that was cancelled takes place after all."""

    TYPE: ClassVar[str] = "gathering.occurrence_changed"
    occurrence: date
    starts_at: datetime | None = None
    minutes: int | None = None
    place: str | None = None


class OccurrenceCancelled(_OfGathering, frozen=True, kw_only=True):
    """One occurrence does not take place."""

    TYPE: ClassVar[str] = "gathering.occurrence_cancelled"
    occurrence: date
    why: str | None = None


class LinkOpened(_OfGathering, frozen=True, kw_only=True):
    """Its public page has this address; the one before ends. Only the digest of the address's secret is kept."""

    TYPE: ClassVar[str] = "gathering.link_opened"
    link_id: UUID
    token_digest: str


class LinkClosed(_OfGathering, frozen=True, kw_only=True):
    """It has no public page any more."""

    TYPE: ClassVar[str] = "gathering.link_closed"


class GuestEntered(_OfGathering, frozen=True, kw_only=True):
    """Somebody wants to come and said so on the public page. No touchpoint. `consent` is the wording they agreed to.

    Personal: name and handle, as they wrote them.
    """

    TYPE: ClassVar[str] = "gathering.guest_entered"
    contact_id: UUID
    consent: str

    @property
    def stream(self) -> str:
        return guest_stream_of(self.gathering_id, self.contact_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id,)


Title = Annotated[str, Meta(min_length=1, max_length=120)]
Place = Annotated[str, Meta(max_length=200)]
About = Annotated[str, Meta(max_length=1_000)]
Slug = Annotated[str, Meta(max_length=60, examples=["patio", "chamber"])]
Zone = Annotated[str, Meta(max_length=60, examples=["America/Los_Angeles"])]
Rule = Annotated[str, Meta(max_length=120, examples=["FREQ=WEEKLY", "FREQ=MONTHLY;BYDAY=1TH"])]
Minutes = Annotated[int, Meta(ge=1, le=LONGEST)]
Why = Annotated[str, Meta(max_length=200)]


class PlanGathering(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A gathering to come, or one there has long been: `starts_at` may lie up to ten years back.

    It is open and weekly unless said otherwise; `repeats` is a rule (RRULE) in the wall time of its `time_zone`, by
    default the business's, or null for a single one. `until` is the last day there may be one. `about` and `place`
    stand on its public page. `cost` is what one occurrence costs us.
    """

    title: Title
    channel: Slug
    starts_at: Annotated[datetime, Meta(tz=True)]
    minutes: Minutes = 60
    place: Place | None = None
    time_zone: Zone | None = None
    repeats: Rule | None = WEEKLY
    until: date | None = None
    open: bool = True
    about: About | None = None
    cost: Amount | None = None
    currency: CurrencyCode | None = None


class ChangeGathering(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be otherwise; a field left out stays. It holds for what has not begun yet.

    With an `occurrence`, the day it was planned for, only that one: its `starts_at`, `minutes`, `place`. One that was
    cancelled takes place again.
    """

    occurrence: date | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    channel: Slug | UnsetType = UNSET
    starts_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    minutes: Minutes | UnsetType = UNSET
    place: Place | None | UnsetType = UNSET
    time_zone: Zone | UnsetType = UNSET
    repeats: Rule | None | UnsetType = UNSET
    until: date | None | UnsetType = UNSET
    open: bool | UnsetType = UNSET
    about: About | None | UnsetType = UNSET
    cost: Amount | None | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET


class CancelGathering(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Called off: one `occurrence`, or all that have not begun. `why` stands on the public page."""

    occurrence: date | None = None
    why: Why | None = None


class EnterGuest(Struct, frozen=True):
    """What a guest writes on the public page."""

    name: str
    email: str
    handle: str = ""
    consent: bool = False


class Link(Struct, frozen=True):
    """The address of the public page."""

    link_id: UUID
    token_digest: str


class Gathering(Struct, frozen=True):
    """What decisions and pages need to know of one."""

    gathering_id: UUID
    schedule: Schedule
    link: Link | None = None

    def shown_at(self, token_digest: str, *, now: datetime) -> bool:
        """Whether the page of this address is there: the link is open, the gathering too, and one is still to come."""
        if self.link is None or self.link.token_digest != token_digest or not self.schedule.plan.open:
            return False
        return bool(recurrence.coming(self.schedule, now=now))


def plan(
    command: PlanGathering,
    *,
    gathering_id: UUID,
    time_zone: str,
    currency: str | None,
    now: datetime,
) -> list[Event]:
    """`time_zone` is the business's, `currency` what it counts in. Raises Invalid; Refused for another currency."""
    planned = _checked(
        GatheringPlan(
            title=command.title,
            channel=command.channel,
            starts_at=command.starts_at,
            minutes=command.minutes,
            time_zone=command.time_zone or time_zone,
            place=command.place,
            repeats=command.repeats,
            until=command.until,
            open=command.open,
            about=command.about,
            cost=_cost(command.cost, command.currency),
        ),
        now=now,
    )
    return [*_settled(planned, currency), GatheringPlanned(gathering_id=gathering_id, plan=planned)]


def _checked(given: GatheringPlan, *, now: datetime) -> GatheringPlan:
    """In its one form: times in UTC to the minute, texts without spaces around, the rule readable. Raises Invalid."""
    check_slug(given.channel)
    try:
        ZoneInfo(given.time_zone)
    except (KeyError, ValueError, OSError):
        raise Invalid("this is no time zone such as Europe/Berlin", field="time_zone") from None
    if not now - FURTHEST <= given.starts_at <= now + FURTHEST:
        raise Invalid("this is more than ten years away", field="starts_at")
    if given.until is not None and given.until > (now + FURTHEST).date():
        raise Invalid("this is more than ten years ahead", field="until")
    title = given.title.strip()
    if not title:
        raise Invalid("a title says something", field="title")
    plain = replace(
        given,
        title=title,
        starts_at=_to_the_minute(given.starts_at),
        place=(given.place or "").strip() or None,
        about=(given.about or "").strip() or None,
    )
    return recurrence.check_rule(plain)


def _to_the_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _cost(amount: str | int | None, currency: str | None) -> money.Money | None:
    try:
        return money.money(amount, currency)
    except Invalid as error:
        raise Invalid(error.reason, field="cost" if error.field == "value" else error.field) from None


def _settled(planned: GatheringPlan, currency: str | None) -> list[money.CurrencySettled]:
    return [] if planned.cost is None else money.settle(planned.cost, currency)


def change(
    command: ChangeGathering, gathering: Gathering | None, *, currency: str | None, now: datetime
) -> list[Event]:
    """Raises NotFound, Invalid; Refused for what is called off."""
    gathering = _known(gathering)
    if gathering.schedule.ended is not None:
        raise Refused("it was called off: plan another one")
    if command.occurrence is not UNSET:
        return _change_one(command, command.occurrence, gathering)
    was = gathering.schedule.plan
    zone = _or(command.time_zone, was.time_zone)
    amount, code = _money_of(command, was)
    changed = _checked(
        GatheringPlan(
            title=_or(command.title, was.title),
            channel=_or(command.channel, was.channel),
            starts_at=_or(command.starts_at, was.starts_at),
            minutes=_or(command.minutes, was.minutes),
            time_zone=zone,
            place=_or(command.place, was.place),
            repeats=_or(command.repeats, was.repeats),
            until=_or(command.until, was.until),
            open=_or(command.open, was.open),
            about=_or(command.about, was.about),
            cost=_cost(amount, code),
        ),
        now=now,
    )
    if command.starts_at is UNSET and zone != was.time_zone:
        changed = replace(changed, starts_at=_same_wall_time(was, changed.zone))
    if changed == was:
        return []
    holds_from = gathering.schedule.plans[-1][0]
    if command.starts_at is not UNSET:
        holds_from = changed.starts_at.astimezone(changed.zone).date()
    since = max(recurrence.next_change(gathering.schedule, now=now), holds_from)
    while recurrence.planned_start(changed, since) <= now:
        since += timedelta(days=1)
    facts = GatheringChanged(gathering_id=gathering.gathering_id, plan=changed, since=since)
    return [*_settled(changed, currency), facts]


def _money_of(command: ChangeGathering, was: GatheringPlan) -> tuple[str | int | None, str | None]:
    """What one costs, and in what: null for the cost alone takes both away."""
    amount = _or(command.cost, None if was.cost is None else was.cost.amount)
    if amount is None and command.currency is UNSET:
        return None, None
    return amount, _or(command.currency, None if was.cost is None else was.cost.currency)


def _same_wall_time(was: GatheringPlan, zone: ZoneInfo) -> datetime:
    return was.starts_at.astimezone(was.zone).replace(tzinfo=zone).astimezone(UTC)


def _change_one(command: ChangeGathering, day: date, gathering: Gathering) -> list[Event]:
    taken = {"occurrence", "starts_at", "minutes", "place"}
    for name, value in asdict(command).items():
        if value is not UNSET and name not in taken:
            raise Invalid("this is changed for all of them, without an occurrence", field=name)
    one, was = _occurrence(gathering, day), gathering.schedule.changes.get(day, Change())
    changed = Change(
        starts_at=was.starts_at if command.starts_at is UNSET else _to_the_minute(command.starts_at),
        minutes=_or(command.minutes, was.minutes),
        place=was.place if command.place is UNSET else (command.place or "").strip() or None,
    )
    moved_by = (changed.starts_at or one.starts_at) - recurrence.planned_start(one.plan, day)
    if abs(moved_by) > MOVED:
        raise Invalid("an occurrence is moved by at most 14 days", field="starts_at")
    if changed == was:
        return []
    return [
        OccurrenceChanged(
            gathering_id=gathering.gathering_id,
            occurrence=day,
            starts_at=changed.starts_at,
            minutes=changed.minutes,
            place=changed.place,
        )
    ]


def cancel(
    command: CancelGathering, gathering: Gathering | None, *, attended: Collection[UUID], now: datetime
) -> list[Event]:
    """`attended` are those who were at the occurrence. Raises NotFound, Invalid; Refused where somebody was there."""
    gathering = _known(gathering)
    if command.occurrence is None:
        if gathering.schedule.ended is not None:
            return []
        since = recurrence.next_change(gathering.schedule, now=now)
        return [GatheringCancelled(gathering_id=gathering.gathering_id, since=since, why=_said(command.why))]
    one = _occurrence(gathering, command.occurrence)
    if attended:
        raise Refused("somebody was there: take the check-ins back first")
    if one.cancelled:
        return []
    return [
        OccurrenceCancelled(gathering_id=gathering.gathering_id, occurrence=command.occurrence, why=_said(command.why))
    ]


def _said(text: str | None) -> str | None:
    return (text or "").strip() or None


def _occurrence(gathering: Gathering, day: date) -> recurrence.Occurrence:
    one = recurrence.occurrence(gathering.schedule, day)
    if one is None:
        raise Invalid("there is none on that day", field="occurrence")
    return one


def open_link(gathering: Gathering | None, *, link: Link, anew: bool, now: datetime) -> list[Event]:
    """A public page at this address; nothing where there is one already, unless it is to be `anew`."""
    gathering = _known(gathering)
    if gathering.link is not None and not anew:
        return []
    if not gathering.schedule.plan.open:
        raise Refused("it is not open: only you say who comes")
    if not recurrence.coming(gathering.schedule, now=now):
        raise Refused("there is none to come")
    return [LinkOpened(gathering_id=gathering.gathering_id, link_id=link.link_id, token_digest=link.token_digest)]


def close_link(gathering: Gathering | None) -> list[Event]:
    gathering = _known(gathering)
    return [] if gathering.link is None else [LinkClosed(gathering_id=gathering.gathering_id)]


def check_guest(command: EnterGuest) -> dict[str, str]:
    """What is wrong, a sentence for each field."""
    faults = {}
    if not command.name.strip():
        faults["name"] = "Please write your name."
    elif len(command.name.strip()) > 200 or not _readable(command.name):
        faults["name"] = "Please write your name in at most 200 ordinary characters."
    if not _is_address(command.email):
        faults["email"] = "Please write an e-mail address such as ana@example.com."
    if len(command.handle.strip()) > 200 or not _readable(command.handle):
        faults["handle"] = "Please use at most 200 ordinary characters."
    if not command.consent:
        faults["consent"] = "Please tick this, so that we may keep what you wrote."
    return faults


def _is_address(text: str) -> bool:
    try:
        identities.email(text)
    except Invalid:
        return False
    return _readable(text)


def _readable(text: str) -> bool:
    return not any(category(one) in ("Cc", "Cs") or one in _TURNING for one in text)


def enter(
    command: EnterGuest,
    gathering: Gathering | None,
    *,
    contact_id: UUID,
    entered: bool,
    guests: int,
    token_digest: str,
    now: datetime,
) -> list[Event]:
    """A guest, once; `entered`, that they are one already, `guests` how many there are about.

    Raises NotFound where the page is gone; Refused where it is full.
    """
    if gathering is None or not gathering.shown_at(token_digest, now=now):
        raise NotFound("there is no such page")
    if entered:
        return []
    if guests >= MOST_GUESTS:
        raise Refused("there are too many guests")
    personal = Personal(name=command.name.strip(), handle=command.handle.strip() or None)
    return [
        GuestEntered(gathering_id=gathering.gathering_id, contact_id=contact_id, consent=CONSENT, personal=personal)
    ]


def evolve(gathering: Gathering | None, event: Event) -> Gathering | None:
    match event:
        case GatheringPlanned():
            return Gathering(event.gathering_id, Schedule(((ALWAYS, event.plan),)))
        case _ if gathering is None:
            return None
        case GatheringChanged():
            return _scheduled(gathering, plans=(*_before(gathering, event.since), (event.since, event.plan)))
        case GatheringCancelled():
            return _scheduled(replace(gathering, link=None), ended=event.since)
        case OccurrenceChanged():
            change = Change(event.starts_at, event.minutes, event.place)
            return _scheduled(gathering, changes={**gathering.schedule.changes, event.occurrence: change})
        case OccurrenceCancelled():
            was = gathering.schedule.changes.get(event.occurrence, Change())
            change = replace(was, cancelled=True, why=event.why)
            return _scheduled(gathering, changes={**gathering.schedule.changes, event.occurrence: change})
        case LinkOpened():
            return replace(gathering, link=Link(event.link_id, event.token_digest))
        case LinkClosed():
            return replace(gathering, link=None)
        case _:
            return gathering


def _before(gathering: Gathering, since: date) -> tuple[tuple[date, GatheringPlan], ...]:
    """The plans that still hold for days before."""
    return tuple((start, one) for start, one in gathering.schedule.plans if start < since)


def _scheduled(gathering: Gathering, **parts: object) -> Gathering:
    return replace(gathering, schedule=replace(gathering.schedule, **parts))


def stream_of(gathering_id: UUID) -> str:
    return f"gathering-{gathering_id}"


def guest_stream_of(gathering_id: UUID, contact_id: UUID) -> str:
    """Each guest's own: what is decided of a gathering reads no list of guests."""
    return f"guest-{gathering_id}-{contact_id}"


def _known(gathering: Gathering | None) -> Gathering:
    if gathering is None:
        raise NotFound("there is no such gathering")
    return gathering


def _or(given: Given | UnsetType, otherwise: Given) -> Given:
    return otherwise if isinstance(given, UnsetType) else given
