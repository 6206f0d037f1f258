"""A series of a calendar as its occurrences, within bounds: ten years back, one ahead, 5,000 of them.

The bounds are whole months, so that a file read again a little later has the same rows.

Rules that could keep a reader busy for ever are refused before they are followed; and what all series of one file take
together is counted, by what they say alone, so that the same file has the same rows each time it is read.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import recurring_ical_events  # type: ignore[import-untyped]
from icalendar import Calendar, Event

from domain.errors import Invalid
from infra.imports.formats import rules

# What the libraries raise for what is no calendar; they have no one word for it.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)

MOST = 5_000
MOST_RULES = 3
MOST_OF_FILE = 100_000
BACK = 10
AHEAD = 1
LONGEST = timedelta(days=366)
# What one file may cost: about ten seconds. A day that a rule is held against costs one, a step of days more.
_COST_OF_FILE = 30_000_000
_COST_OF_STEP = {"DAILY": 5, "WEEKLY": 14, "MONTHLY": 31, "YEARLY": 366}
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
                f"the series of this file have together more than {MOST_OF_FILE:,} occurrences",
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
    followed = [rules.told(rule) for rule in _several(event.get("RRULE"))]
    if "RDATE" not in event and not any(_reaches(event, rule, since, until) for rule in followed):
        return []
    for rule, parts in zip(_several(event.get("RRULE")), followed, strict=True):
        _take_cost(allowance, rule, parts, _of(event, "DTSTART"), until)
    allowance.take(cost=_COST_OF_DATE * sum(_dates(event, name) for name in ("RDATE", "EXDATE")))
    found: dict[tuple[str, str], Event] = {}
    series = recurring_ical_events.of(calendar)
    for year in range(since.year, until.year):
        for one in series.between(month.replace(year=year), month.replace(year=year + 1)):
            found.setdefault((_written(one, "DTSTART"), _written(one, "RECURRENCE-ID")), one)
        if len(found) > MOST:
            allowance.take(occurrences=len(found))
            raise Invalid(f"this series has more than {MOST:,} occurrences in {BACK + AHEAD} years", field="RRULE")
    allowance.take(occurrences=len(found))
    return list(found.values())


def _check_measure(event: Event) -> None:
    """Raises Invalid for more rules, dates or time than a series can have."""
    several = list(_several(event.get("RRULE")))
    if len(several) > MOST_RULES:
        raise Invalid(f"this series has more than {MOST_RULES} rules", field="RRULE")
    for rule in several:
        rules.check(rules.told(rule))
    if "EXRULE" in event:
        raise Invalid("this series has a rule of exceptions (EXRULE), which is not read", field="EXRULE")
    if _dates(event, "RDATE") > MOST:
        raise Invalid(f"this series has more than {MOST:,} dates", field="RDATE")
    begins: Any = _of(event, "DTSTART")
    if "DTEND" in event and isinstance(_of(event, "DTEND"), type(begins)):
        lasts = _of(event, "DTEND").replace(tzinfo=None) - begins.replace(tzinfo=None) if _is_time(begins) else None
    else:
        lasts = _of(event, "DURATION") if "DURATION" in event else None
    if isinstance(lasts, timedelta) and lasts > LONGEST:
        raise Invalid("an occurrence of this series lasts longer than a year", field="RRULE")


def _is_time(value: object) -> bool:
    return isinstance(value, datetime)


def _dates(event: Event, name: str) -> int:
    return sum(len(listed.dts) for listed in _several(event.get(name)))


def _reaches(event: Event, parts: rules.Told, since: datetime, until: datetime) -> bool:
    """Whether a rule begins before the window ends, and ends after it begins; give or take a day, for the zones."""
    ends: Any = next(iter(parts.get("UNTIL", [])), None)
    begins = _day(_of(event, "DTSTART"))
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


def _of(event: Event, name: str) -> Any:
    found: Any = event.get(name)
    return found.dt


def _written(event: Event, name: str) -> str:
    value: Any = event.get(name)
    return "" if value is None else str(value.dt)


def _several(value: Any) -> Iterator[Any]:
    if value is not None:
        yield from value if isinstance(value, list) else (value,)
