"""The policy of a business's nudges: how many, at which hours and days, of which kinds.

Each tenant sets its own, as a whole, by an event; what was never set is STANDARD. Hours and days are those of the
clock on the tenant's wall.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from domain.errors import Invalid
from domain.event import Event

NudgeKind = Literal["thank_referrer", "meet_in_person", "keep_the_rhythm"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["19:00"])]

KINDS: tuple[NudgeKind, ...] = get_args(NudgeKind)
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STREAM = "tenant"
FURTHEST_DAYS = 800
LONGEST_AWAY = timedelta(days=731)


class Hours(Struct, frozen=True, forbid_unknown_fields=True):
    """From one time of day until another, over midnight where that is earlier. Twice the same: never."""

    from_: Clock = field(default="19:00", name="from")
    until: Clock = "08:00"


class Away(Struct, frozen=True, forbid_unknown_fields=True):
    """The business is closed from one day to another, both included. No silence grows meanwhile."""

    from_: date = field(name="from")
    until: date


class KindPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether this kind is suggested at all; for how many days it leaves a contact in peace, where not as usual."""

    on: bool = True
    rest_days: Annotated[int, Meta(ge=1, le=730)] | None = None


class KindPolicies(Struct, frozen=True, forbid_unknown_fields=True):
    thank_referrer: KindPolicy = KindPolicy()
    meet_in_person: KindPolicy = KindPolicy()
    keep_the_rhythm: KindPolicy = KindPolicy()


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many nudges a day and in seven days, and one in `rest_days` days for any one contact.

    None in the quiet hours, none on days that are not opening days, nor on the country's holidays (`region` as in
    ISO 3166-2, without the country, such as BE for Berlin) unless `holidays` is false, nor while `away`.
    """

    a_day: Annotated[int, Meta(ge=0, le=20)] = 3
    a_week: Annotated[int, Meta(ge=0, le=100)] = 9
    rest_days: Annotated[int, Meta(ge=1, le=365)] = 14
    quiet_hours: Hours = Hours()
    opening_days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = WEEKDAYS[:5]
    holidays: bool = True
    region: Annotated[str, Meta(max_length=40)] | None = None
    away: Annotated[tuple[Away, ...], Meta(max_length=100)] = ()
    kinds: KindPolicies = KindPolicies()

    def of(self, kind: NudgeKind) -> KindPolicy:
        found: KindPolicy = getattr(self.kinds, kind)
        return found


STANDARD = Policy()


class Place(Struct, frozen=True):
    """Where a tenant is: an ISO country code and an IANA time zone."""

    country: str
    time_zone: str


class NudgePolicyChanged(Event, frozen=True, kw_only=True):
    """The whole policy as it is from now on."""

    TYPE: ClassVar[str] = "nudge_policy.changed"
    policy: Policy

    @property
    def stream(self) -> str:
        return STREAM


def change(policy: Policy, before: Policy | None, *, place: Place) -> list[Event]:
    """Nothing where it is so already. Raises Invalid with the field."""
    check(policy, place=place)
    return [] if policy == (before or STANDARD) else [NudgePolicyChanged(policy=policy)]


def evolve(policy: Policy | None, event: Event) -> Policy | None:
    return event.policy if isinstance(event, NudgePolicyChanged) else policy


def check(policy: Policy, *, place: Place) -> None:
    if len(set(policy.opening_days)) < len(policy.opening_days):
        raise Invalid("each day stands here once", field="opening_days")
    if policy.region is not None and policy.region not in _regions(place.country):
        raise Invalid(f"{place.country} has no such region in the calendar of holidays", field="region")
    for n, away in enumerate(policy.away):
        if not 1900 <= away.from_.year <= 3000:
            raise Invalid("this is before 1900 or after 3000", field=f"away[{n}].from")
        if not timedelta(0) <= away.until - away.from_ <= LONGEST_AWAY:
            raise Invalid("this is not before from, and at most two years after", field=f"away[{n}].until")


def is_open(policy: Policy, at: datetime, place: Place) -> bool:
    """Whether something may be suggested at this instant."""
    local = at.astimezone(ZoneInfo(place.time_zone))
    return is_open_day(policy, local.date(), place) and not is_quiet(policy, local.time())


def is_open_day(policy: Policy, day: date, place: Place) -> bool:
    if WEEKDAYS[day.weekday()] not in policy.opening_days:
        return False
    if any(away.from_ <= day <= away.until for away in policy.away):
        return False
    return not (policy.holidays and day in _holidays(place.country, policy.region, day.year))


def is_quiet(policy: Policy, clock: time) -> bool:
    begins, ends = time.fromisoformat(policy.quiet_hours.from_), time.fromisoformat(policy.quiet_hours.until)
    if begins <= ends:
        return begins <= clock < ends
    return clock >= begins or clock < ends


def next_opening(policy: Policy, after: datetime, place: Place) -> datetime | None:
    """When the business next begins to be open, strictly after this instant; on days without quiet hours at midnight.

    None where that is not within two years.
    """
    zone = ZoneInfo(place.time_zone)
    today = after.astimezone(zone).date()
    for offset in range(FURTHEST_DAYS):
        day = today + timedelta(days=offset)
        starts = [at for at in _starts(policy, day, zone) if at > after and is_open(policy, at, place)]
        if starts:
            return min(starts)
    return None


def _starts(policy: Policy, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Midnight and the end of the quiet hours, each as often as the clock shows it; what it skips, just after."""
    for clock in (time(0), time.fromisoformat(policy.quiet_hours.until)):
        for fold in (0, 1):
            at = datetime.combine(day, clock, tzinfo=zone).replace(fold=fold).astimezone(UTC)
            if at.astimezone(zone).date() == day:
                yield at


def day_began(now: datetime, time_zone: str) -> datetime:
    """The start of the tenant's own day; where that midnight comes twice, the first of them."""
    local = now.astimezone(ZoneInfo(time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


@lru_cache(maxsize=1_000)
def _holidays(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public ones, with the days given instead; none where nobody keeps a calendar of the country."""
    import holidays  # large, and only nudges ask for them

    try:
        return frozenset(holidays.country_holidays(country, subdiv=region, years=year))
    except NotImplementedError:
        return frozenset()


@lru_cache(maxsize=300)
def _regions(country: str) -> frozenset[str]:
    import holidays

    return frozenset(holidays.list_supported_countries().get(country, ()))
