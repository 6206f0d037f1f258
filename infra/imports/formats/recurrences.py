"""A series of a calendar as its occurrences, within bounds: ten years back, one ahead, 5,000 of them.

The bounds are whole months, so that a file read again a little later has the same rows.

Rules that could keep a reader busy for ever are refused before they are followed; and what all series of one file take
together is counted, by what they say alone, so that the same file has the same rows each time it is read.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import recurring_ical_events  # type: ignore[import-untyped]
from icalendar import Calendar, Event

from domain.errors import Invalid
from infra.imports.formats import rules
from infra.imports.formats.properties import properties_of, property_of

# What the libraries raise for what is no calendar; they have no one word for it.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)

MOST = 5_000
MOST_RULES = 3
MOST_OF_FILE = 100_000
MOST_PEOPLE = 500_000  # of the occurrences of a series together: each names all of its own
BACK = 10
AHEAD = 1
LONGEST = timedelta(days=366)
# What one file may cost: about ten seconds. A day that a rule is held against costs one, a step of days more.
_COST_OF_FILE = 30_000_000
_COST_OF_STEP = {"DAILY": 5, "WEEKLY": 14, "MONTHLY": 31, "YEARLY": 366}
_PEOPLE_OF_ONE = 10  # that come with an occurrence; with more of them it counts as several
_COST_OF_DATE = 100  # one that is listed (RDATE, EXDATE)


class Allowance:
    """What is left of what the series of one file may take, all together."""

    def __init__(self, *, occurrences: int = MOST_OF_FILE, cost: int = _COST_OF_FILE) -> None:
        self._occurrences = occurrences
        self._cost = cost

    def take(self, *, occurrences: int = 0, cost: int = 0) -> None:
        """Raises Invalid where less is left than that; it is used up nevertheless."""
        self._occurrences -= occurrences
        self._cost -= cost
        self.check()

    def check(self) -> None:
        """Raises Invalid where nothing is left."""
        if self._occurrences < 0:
            raise Invalid(
                f"the series of this file have together more than {MOST_OF_FILE:,} occurrences; one with many people "
                f"counts once for each {_PEOPLE_OF_ONE} of them",
                field="RRULE",
            )
        if self._cost < 0:
            raise Invalid("the series of this file take more work than one file may: bring it in parts", field="RRULE")


def is_series(event: Event) -> bool:
    return "RRULE" in event or "RDATE" in event


def occurrences(calendar: Calendar, event: Event, allowance: Allowance, *, now: datetime) -> list[Event]:
    """The occurrences within the window, in order, each once. Raises Invalid for a series without measure."""
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    since, until = month.replace(year=month.year - BACK), month.replace(year=month.year + AHEAD)
    allowance.check()
    _check_measure(event)
    followed = [rules.told(rule) for rule in properties_of(event, "RRULE")]
    if "RDATE" not in event and not any(_reaches(event, rule, since, until) for rule in followed):
        return []
    for rule, parts in zip(properties_of(event, "RRULE"), followed, strict=True):
        _take_cost(allowance, rule, parts, property_of(event, "DTSTART").dt, until)
    allowance.take(cost=_COST_OF_DATE * sum(_dates(event, name) for name in ("RDATE", "EXDATE")))
    found: dict[tuple[str, str], Event] = {}
    series = recurring_ical_events.of(calendar)
    for year in range(since.year, until.year):
        for one in series.between(month.replace(year=year), month.replace(year=year + 1)):
            found.setdefault((_written(one, "DTSTART"), _written(one, "RECURRENCE-ID")), one)
        if (why := _too_many(found.values())) is not None:
            allowance.take(occurrences=len(found))
            raise Invalid(why, field="RRULE")
    allowance.take(occurrences=sum(max(1, _people(one) // _PEOPLE_OF_ONE) for one in found.values()))
    return list(found.values())


def _too_many(found: Collection[Event]) -> str | None:
    """Why these are more occurrences than a series can have."""
    if len(found) > MOST:
        return f"this series has more than {MOST:,} occurrences in {BACK + AHEAD} years"
    if sum(map(_people, found)) > MOST_PEOPLE:
        return f"the occurrences of this series name together more than {MOST_PEOPLE:,} people"
    return None


def _people(one: Event) -> int:
    return len(properties_of(one, "ATTENDEE"))


def _check_measure(event: Event) -> None:
    """Raises Invalid for more rules, dates or time than a series can have."""
    several = properties_of(event, "RRULE")
    if len(several) > MOST_RULES:
        raise Invalid(f"this series has more than {MOST_RULES} rules", field="RRULE")
    for rule in several:
        rules.check(rules.told(rule))
    if "EXRULE" in event:
        raise Invalid("this series has a rule of exceptions (EXRULE), which is not read", field="EXRULE")
    if _dates(event, "RDATE") > MOST:
        raise Invalid(f"this series has more than {MOST:,} dates", field="RDATE")
    begins, ends, lasts = (_when_said(event, name) for name in ("DTSTART", "DTEND", "DURATION"))
    if isinstance(ends, type(begins)):
        lasts = ends.replace(tzinfo=None) - begins.replace(tzinfo=None) if _is_time(begins) else None
    if isinstance(lasts, timedelta) and lasts > LONGEST:
        raise Invalid("an occurrence of this series lasts longer than a year", field="RRULE")


def _when_said(event: Event, name: str) -> Any:
    value = property_of(event, name)
    return None if value is None else value.dt


def _is_time(value: object) -> bool:
    return isinstance(value, datetime)


def _dates(event: Event, name: str) -> int:
    return sum(len(listed.dts) for listed in properties_of(event, name))


def _reaches(event: Event, parts: rules.Told, since: datetime, until: datetime) -> bool:
    """Whether a rule begins before the window ends, and ends after it begins; give or take a day, for the zones."""
    ends: Any = next(iter(parts.get("UNTIL", [])), None)
    begins = _day(property_of(event, "DTSTART").dt)
    return begins <= until.date() + timedelta(1) and (ends is None or _day(ends) >= since.date() - LONGEST)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _take_cost(allowance: Allowance, rule: object, parts: rules.Told, begins: date, until: datetime) -> None:
    """What it costs to follow a rule to the end of the window, and to the day it meets after that. Raises Invalid."""
    frequency, interval = rules.frequency_of(parts), rules.interval_of(parts)
    a_step = _COST_OF_STEP[frequency] * rules.times_a_day(parts)
    apart = rules.meets_a_day(rule, begins)
    if apart is None:
        allowance.take(cost=a_step * rules.LOOKED_AHEAD // (rules.FREQUENCIES[frequency] * interval))
        raise Invalid("this series meets no day in the first years of its rule", field="RRULE")
    steps = (until.date() - _day(begins)).days // (rules.FREQUENCIES[frequency] * interval) + 1
    if "COUNT" in parts:
        steps = min(steps, rules.number(parts["COUNT"]) * apart)
    allowance.take(cost=a_step * (max(steps, 0) + 2 * apart))


def _written(event: Event, name: str) -> str:
    at = _when_said(event, name)
    return "" if at is None else str(at)
