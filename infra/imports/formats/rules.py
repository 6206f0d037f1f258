"""Rules of recurrence (RRULE) before anything follows them: refused where they could be followed for ever.

The library looks for the next day of a rule up to the year 9999, whether one comes or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from domain.errors import Invalid

Told = Mapping[str, Sequence[Any]]

MOST_VALUES = 100  # of one part of a rule
LOOKED_AHEAD = 40 * 366  # days, at most, in which a rule has to meet one
FREQUENCIES = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}  # and the days looked at for each step
_OF_MONTHS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_RANGES = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
_SIGNED = frozenset({"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"})
_DAYS_OF = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def told(rule: object) -> Told:
    """The parts of a rule as the library has it, their names in capitals. Raises Invalid for what is none."""
    if not isinstance(rule, dict):
        raise Invalid("this is no rule of a series", field="RRULE")
    return {str(name).upper(): list(values) for name, values in rule.items()}


def check(parts: Told) -> None:
    """Raises Invalid for a rule by the hour, and for one that names days there are none of."""
    frequency = frequency_of(parts)
    if frequency not in FREQUENCIES:
        raise Invalid("a series repeats by the day, week, month or year, not oftener", field="RRULE")
    if not 1 <= interval_of(parts) <= 1_000 or number(parts.get("COUNT", [1])) < 1:
        raise Invalid("the interval or the count of this series is none", field="RRULE")
    if "BYEASTER" in parts or any(len(values) > MOST_VALUES for values in parts.values()):
        raise Invalid(f"a rule with more than {MOST_VALUES} values, or by Easter, is not read", field="RRULE")
    if times_a_day(parts) > 24:
        raise Invalid("this series repeats more than 24 times a day", field="RRULE")
    if frequency in ("DAILY", "WEEKLY") and any(name in parts for name in _OF_MONTHS):
        raise Invalid("a series by the day or week names no days of months or years", field="RRULE")
    if frequency == "DAILY" and interval_of(parts) > 1 and ("BYDAY" in parts or "BYMONTH" in parts):
        raise Invalid("a series every few days names no days of the week nor months", field="RRULE")
    check_dates(parts)


def check_dates(parts: Told) -> None:
    """Raises Invalid for numbers of months, weeks and days there are none of."""
    for name, most in _RANGES.items():
        for value in map(number, ([one] for one in parts.get(name, ()))):
            if not 1 <= (abs(value) if name in _SIGNED else value) <= most:
                raise Invalid(f"there is no {value} of {name}", field="RRULE")
    months = [number([month]) for month in parts.get("BYMONTH", range(1, 13))]
    days = [abs(number([day])) for day in parts.get("BYMONTHDAY", [1])]
    if not any(day <= _DAYS_OF[month - 1] for month in months for day in days):
        raise Invalid("this series names days that no month has", field="RRULE")


def frequency_of(parts: Told) -> str:
    return str(next(iter(parts.get("FREQ", [])), "")).upper()


def interval_of(parts: Told) -> int:
    return number(parts.get("INTERVAL", [1]))


def times_a_day(parts: Told) -> int:
    times = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= max(1, len(parts.get(name, [])))
    return times


def number(values: Sequence[object]) -> int:
    try:
        return int(str(values[0]))
    except (ValueError, IndexError):
        raise Invalid("this is no rule of a series", field="RRULE") from None


def meets_a_day(rule: Any, begins: date) -> int | None:
    """Whether a rule meets a day within 12 years or more after its beginning; how many steps apart the first two are.

    A calendar of days is the same every 28 years. So the rule is followed where the library's time ends: in the last
    years before 10000 whose days are those of its own (from 1901 to 2099), which it cannot look beyond.
    """
    last = 9999 - (1999 - begins.year) % 28  # the days of 9999 are those of 1999
    year = last if 9999 - last >= 12 else last - 28
    without_end = type(rule)({name: values for name, values in rule.items() if name.upper() not in ("UNTIL", "COUNT")})
    at = datetime(year, begins.month, begins.day)  # noqa: DTZ001 - days, not moments
    met: Iterator[datetime] = iter(rrulestr(without_end.to_ical().decode(), dtstart=at))
    first = next(met, None)
    if first is None:
        return None
    parts = told(rule)
    second = next(met, None) or datetime(9999, 12, 31)  # noqa: DTZ001
    return 1 + max((second - first).days, (first - at).days) // (FREQUENCIES[frequency_of(parts)] * interval_of(parts))
