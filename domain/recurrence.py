"""When a gathering takes place: a rule in the wall time of its own zone, changed, cancelled and moved here and there.

An occurrence is called by its day, the one its plan gives it in the gathering's zone. It keeps that name when it is
moved, and when the plan changes after it. A rule is an RFC 5545 RRULE by the day, week, month or year: at most one
occurrence a day. At a change of the clocks the wall time stays; one that does not exist that day is the instant it
would have been without the change.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from msgspec import Struct
from msgspec.structs import replace

from domain.errors import Invalid
from domain.money import Money

AHEAD = timedelta(days=731)
MOVED = timedelta(days=14)
ALWAYS = date(1, 1, 1)

_DAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
_RULE = re.compile(
    "FREQ=(?:"
    f"WEEKLY(?P<week>;BYDAY={_DAY}(?:,{_DAY})*)?"
    f"|MONTHLY(?P<month>;BYDAY=-?[1-5]{_DAY}(?:,-?[1-5]{_DAY})*|;BYMONTHDAY=(?:[1-9]|[12][0-9]|3[01]|-1))?"
    "|DAILY|YEARLY)"
)
_INTERVAL = re.compile(r";INTERVAL=([1-9][0-9]?)(?=;|$)")


class GatheringPlan(Struct, frozen=True):
    """What it is, and when: `starts_at` is the first one's, in UTC; `until` the last day there may be one; `open`, that
    anybody may come; `cost`, what one occurrence costs us."""

    title: str
    channel: str
    starts_at: datetime
    minutes: int
    time_zone: str
    place: str | None = None
    repeats: str | None = None
    until: date | None = None
    open: bool = True
    about: str | None = None
    cost: Money | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Change(Struct, frozen=True):
    """What became of one occurrence beside its plan."""

    starts_at: datetime | None = None
    minutes: int | None = None
    place: str | None = None
    cancelled: bool = False
    why: str | None = None


class Schedule(Struct, frozen=True):
    """Plans in their order, each with the first day it holds for; changes by occurrence; none from `ended` on."""

    plans: tuple[tuple[date, GatheringPlan], ...]
    changes: Mapping[date, Change] = {}
    ended: date | None = None

    @property
    def plan(self) -> GatheringPlan:
        """The one that holds now and from now on."""
        return self.plans[-1][1]


class Occurrence(Struct, frozen=True):
    """One time it takes place. `occurrence` is its name."""

    occurrence: date
    plan: GatheringPlan
    starts_at: datetime
    ends_at: datetime
    place: str | None
    cancelled: bool = False
    why: str | None = None


def check_rule(plan: GatheringPlan) -> GatheringPlan:
    """The plan, its rule in its one form. Raises Invalid for a rule that is not read, or does not meet its start."""
    if plan.repeats is None:
        if plan.until is not None:
            raise Invalid("this goes with what repeats", field="until")
        return plan
    written = plan.repeats.strip().upper().removeprefix("RRULE:")
    interval = _INTERVAL.search(written)
    if _RULE.fullmatch(_INTERVAL.sub("", written, count=1)) is None:
        raise Invalid(
            "this takes a rule such as FREQ=WEEKLY, FREQ=WEEKLY;INTERVAL=2, FREQ=WEEKLY;BYDAY=TU,FR,"
            " FREQ=MONTHLY;BYDAY=1TH, FREQ=MONTHLY;BYMONTHDAY=15 or null; its end stands in `until`",
            field="repeats",
        )
    rule = _INTERVAL.sub("", written, count=1) + (interval[0] if interval and interval[1] != "1" else "")
    start = _wall(plan)
    if rrulestr(rule, dtstart=start)[0] != start:
        raise Invalid("the first one is on no day of this rule: give the start that is", field="starts_at")
    if plan.until is not None and plan.until < start.date():
        raise Invalid("this is before the first one", field="until")
    return replace(plan, repeats=rule)


def _wall(plan: GatheringPlan) -> datetime:
    """Its first start as clocks show it there."""
    return plan.starts_at.astimezone(plan.zone).replace(tzinfo=None, fold=0)


def occurrences(schedule: Schedule, *, since: datetime, until: datetime) -> list[Occurrence]:
    """Those that end after `since` and start before `until`, by start; the cancelled ones too."""
    first, last = (since - MOVED).date() - timedelta(days=2), (until + MOVED).date() + timedelta(days=2)
    found = [_occurrence(schedule, day, plan) for day, plan in _days(schedule, first, last)]
    return sorted(
        (one for one in found if one.ends_at > since and one.starts_at < until),
        key=lambda one: (one.starts_at, one.occurrence),
    )


def occurrence(schedule: Schedule, day: date) -> Occurrence | None:
    """The one of this name; None where there is none."""
    return next((_occurrence(schedule, day, plan) for _, plan in _days(schedule, day, day)), None)


def coming(schedule: Schedule, *, now: datetime) -> list[Occurrence]:
    """What takes place from now on, within two years."""
    return [one for one in occurrences(schedule, since=now, until=now + AHEAD) if not one.cancelled]


def over_at(schedule: Schedule) -> datetime | None:
    """When the last one ends; None where there is no last one."""
    plan = schedule.plan
    if plan.repeats is not None and plan.until is None and schedule.ended is None:
        return None
    found = [_occurrence(schedule, day, of) for day, of in _days(schedule, ALWAYS, date(9000, 1, 1))]
    return max((one.ends_at for one in found if not one.cancelled), default=schedule.plans[0][1].starts_at)


def next_change(schedule: Schedule, *, now: datetime) -> date:
    """The first day for which all can still be otherwise: today, unless today's has begun."""
    today = now.astimezone(schedule.plan.zone).date()
    one = occurrence(schedule, today)
    return today if one is None or one.starts_at > now else today + timedelta(days=1)


def _days(schedule: Schedule, first: date, last: date) -> Iterator[tuple[date, GatheringPlan]]:
    """The days from `first` to `last`, each with the plan that gives it."""
    starts = [since for since, _ in schedule.plans]
    for (since, plan), following in zip(schedule.plans, [*starts[1:], None], strict=True):
        ends = [day - timedelta(days=1) for day in (following, schedule.ended) if day is not None and day > ALWAYS]
        bounds = [last, *ends, *([plan.until] if plan.until is not None else [])]
        for day in _of_rule(plan, max(first, since), min(bounds)):
            yield day, plan


def _of_rule(plan: GatheringPlan, first: date, last: date) -> list[date]:
    start = _wall(plan)
    if plan.repeats is None:
        return [start.date()] if first <= start.date() <= last else []
    begin, end = datetime.combine(first, time.min), datetime.combine(last, time.max)
    if end < start or end < begin:
        return []
    return [at.date() for at in rrulestr(plan.repeats, dtstart=start).between(max(begin, start), end, inc=True)]


def _occurrence(schedule: Schedule, day: date, plan: GatheringPlan) -> Occurrence:
    change = schedule.changes.get(day, Change())
    starts_at = change.starts_at or planned_start(plan, day)
    return Occurrence(
        occurrence=day,
        plan=plan,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=change.minutes or plan.minutes),
        place=change.place or plan.place,
        cancelled=change.cancelled,
        why=change.why,
    )


def planned_start(plan: GatheringPlan, day: date) -> datetime:
    """When the plan lets it begin on that day, in UTC."""
    local = plan.starts_at.astimezone(plan.zone)
    return datetime.combine(day, local.time().replace(fold=local.fold), tzinfo=plan.zone).astimezone(UTC)
