"""A series of a calendar as its occurrences, within bounds: ten years back, one ahead, 5,000 of them.

The bounds are whole months, so that a file read again a little later has the same rows.

Rules that could keep a reader busy for ever are refused before they are followed.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import recurring_ical_events  # type: ignore[import-untyped]
from icalendar import Calendar, Event

from domain.errors import Invalid

# What the libraries raise for what is no calendar; they have no one word for it.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)

MOST = 5_000
MOST_RULES = 3
BACK = 10
AHEAD = 1
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_OF_MONTHS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYEASTER")
_DAYS_OF = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_series(event: Event) -> bool:
    return "RRULE" in event or "RDATE" in event


def occurrences(calendar: Calendar, event: Event, *, now: datetime) -> list[Event]:
    """The occurrences within the window, in order, each once. Raises Invalid for a series without measure."""
    rules = list(_several(event.get("RRULE")))
    if len(rules) > MOST_RULES:
        raise Invalid(f"this series has more than {MOST_RULES} rules", field="RRULE")
    for rule in rules:
        _check_rule(rule)
    if "EXRULE" in event:
        raise Invalid("this series has a rule of exceptions (EXRULE), which is not read", field="EXRULE")
    found: dict[tuple[str, str], Event] = {}
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    for year in range(month.year - BACK, month.year + AHEAD):
        begin, end = month.replace(year=year), month.replace(year=year + 1)
        for one in recurring_ical_events.of(calendar).between(begin, end):
            found.setdefault((_written(one, "DTSTART"), _written(one, "RECURRENCE-ID")), one)
        if len(found) > MOST:
            raise Invalid(f"this series has more than {MOST:,} occurrences in {BACK + AHEAD} years", field="RRULE")
    return list(found.values())


def _written(event: Event, name: str) -> str:
    value: Any = event.get(name)
    return "" if value is None else str(value.dt)


def _several(value: object) -> Iterator[object]:
    if value is not None:
        yield from value if isinstance(value, list) else (value,)


def _check_rule(rule: object) -> None:
    """Raises Invalid for what is no rule, for one by the hour, and for one that may never meet a day."""
    if not isinstance(rule, dict):
        raise Invalid("this is no rule of a series", field="RRULE")
    parts = {str(name).upper(): list(values) for name, values in rule.items()}
    frequency = str(next(iter(parts.get("FREQ", [])), "")).upper()
    if frequency not in _FREQUENCIES:
        raise Invalid("a series repeats by the day, week, month or year, not oftener", field="RRULE")
    interval = _number(parts.get("INTERVAL", [1]))
    if not 1 <= interval <= 1_000 or _number(parts.get("COUNT", [1])) < 1:
        raise Invalid("the interval or the count of this series is none", field="RRULE")
    times = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= max(1, len(parts.get(name, [])))
    if times > 24:
        raise Invalid("this series repeats more than 24 times a day", field="RRULE")
    _check_days(parts, frequency, interval)


def _check_days(parts: dict[str, list[object]], frequency: str, interval: int) -> None:
    if frequency in ("DAILY", "WEEKLY") and any(name in parts for name in _OF_MONTHS):
        raise Invalid("a series by the day or week names no days of months or years", field="RRULE")
    if frequency == "DAILY" and interval > 1 and ("BYDAY" in parts or "BYMONTH" in parts):
        raise Invalid("a series every few days names no days of the week nor months", field="RRULE")
    months = [_number([month]) for month in parts.get("BYMONTH", range(1, 13))]
    days = [abs(_number([day])) for day in parts.get("BYMONTHDAY", [1])]
    if not any(1 <= month <= 12 and 1 <= day <= _DAYS_OF[month - 1] for month in months for day in days):
        raise Invalid("this series names days that no month has", field="RRULE")


def _number(values: Sequence[object]) -> int:
    try:
        return int(str(values[0]))
    except (ValueError, IndexError):
        raise Invalid("this is no rule of a series", field="RRULE") from None
