"""Dates as people and their programs write them. Where day and month can be told apart, only the whole file tells."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from domain.errors import Invalid
from infra.imports.formats.texts import folded

Order = Literal["day first", "month first"]

_LONGEST = 100  # characters of what can be a date

_MONTHS = [
    tuple(folded(name) for name in names.split())
    for names in (
        "january januar jänner janvier enero gennaio janeiro januari",
        "february februar feber février febrero febbraio fevereiro februari",
        "march märz mars marzo março maart mrt",
        "april avril abril aprile",
        "may mai mayo maggio maio mei",
        "june juni juin junio giugno junho",
        "july juli juillet julio luglio julho",
        "august août agosto augustus",
        "september septembre septiembre settembre setembro",
        "october oktober octobre octubre ottobre outubro",
        "november novembre noviembre novembro",
        "december dezember décembre diciembre dicembre dezembro",
    )
]
_TIME = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\s*(?P<half>[ap])\.?m\.?)?(?:\s*uhr)?"
_MAYBE_TIME = rf"(?:,?\s+(?:(?:um|at|à|a las|alle|às|om)\s+)?{_TIME})?"
_NUMBERS = re.compile(rf"(?P<a>\d{{1,4}})(?P<mark>[./-])(?P<b>\d{{1,2}})(?P=mark)(?P<c>\d{{1,4}}){_MAYBE_TIME}", re.I)
_WORDS = re.compile(
    r"(?:(?P<day>\d{1,2})(?:\.|st|nd|rd|th|er)?\s+(?:de\s+)?(?P<month>[^\W\d]+)|(?P<month2>[^\W\d]+)\.?\s+(?P<day2>\d{1,2}))"
    rf"\.?,?\s+(?:de\s+)?(?P<year>\d{{4}}){_MAYBE_TIME}",
    re.I,
)


def orders(texts: Iterable[str]) -> set[Order]:
    """The orders of day and month that dates of a file prove: `31/12/2024` proves one, `03/04/2024` none."""
    found: set[Order] = set()
    for text in texts:
        numbers = _NUMBERS.fullmatch(text.strip()) if len(text) <= _LONGEST else None
        if numbers and numbers["mark"] != "." and len(numbers["a"]) <= 2:
            first, second = int(numbers["a"]), int(numbers["b"])
            if first > 12 >= second:
                found.add("day first")
            elif second > 12 >= first:
                found.add("month first")
    return found


def moment(text: str, *, zone: ZoneInfo, proved: set[Order]) -> datetime:
    """When that is, in UTC. A date alone is noon in the zone; a time without an offset is the zone's.

    Raises Invalid for what is no date, and naming both readings where day and month could be either.
    """
    try:
        at = _read(text.strip(), proved) if len(text) <= _LONGEST else None
    except ValueError:
        at = None
    if at is None:
        raise Invalid("this is no date such as 2026-05-06, or 2026-05-06 14:30", field="occurred_at")
    if not 1900 <= at.year <= 2200:
        raise Invalid("this is before 1900 or more than a day ahead", field="occurred_at")
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _read(text: str, proved: set[Order]) -> datetime | None:
    return _iso(text) or _numbers(text, proved) or _words(text)


def _iso(text: str) -> datetime | None:
    if not re.match(r"\d{4}-?\d{2}-?\d{2}", text):
        return None
    zoned = re.sub(r"\s*(?:UTC|GMT|Z)$", "+00:00", text)
    try:
        at = datetime.fromisoformat(zoned)
    except ValueError:
        return None
    return at.replace(hour=12) if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text) else at


def _numbers(text: str, proved: set[Order]) -> datetime | None:
    found = _NUMBERS.fullmatch(text)
    if not found:
        return None
    a, b, c = int(found["a"]), int(found["b"]), int(found["c"])
    if len(found["a"]) == 4:
        return _at(found, a, b, c)
    if len(found["a"]) > 2 or len(found["c"]) not in (2, 4):
        return None
    year = c if len(found["c"]) == 4 else c + (2000 if c < 70 else 1900)
    if found["mark"] == "." or a > 12 or a == b:
        return _at(found, year, b, a)
    if b > 12:
        return _at(found, year, a, b)
    if len(proved) != 1:
        raise Invalid(
            f"{a:02}/{b:02}/{year} can be {year}-{b:02}-{a:02} or {year}-{a:02}-{b:02}: write the one it is",
            field="occurred_at",
        )
    return _at(found, year, b, a) if proved == {"day first"} else _at(found, year, a, b)


def _words(text: str) -> datetime | None:
    found = _WORDS.fullmatch(text)
    month = _month(found["month"] or found["month2"]) if found else None
    if not found or month is None:
        return None
    return _at(found, int(found["year"]), month, int(found["day"] or found["day2"]))


def _month(word: str) -> int | None:
    """By its name or the beginning of it, of three letters or more, where only one month begins so."""
    start = folded(word)
    found = [number for number, names in enumerate(_MONTHS, 1) if any(name.startswith(start) for name in names)]
    return found[0] if len(start) >= 3 and len(found) == 1 else None


def _at(found: re.Match[str], year: int, month: int, day: int) -> datetime:
    if found["hour"] is None:
        return datetime(year, month, day, 12)  # noqa: DTZ001 - the zone is put in by the caller
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    return datetime(year, month, day, hour, int(found["minute"]), int(found["second"] or 0))  # noqa: DTZ001
