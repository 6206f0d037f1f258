"""The time zones a calendar defines, for itself alone: what it says of a name counts in no other calendar.

The library keeps the zones it has seen for as long as its process lives, and a file may hold several calendars. So each
calendar has its own, which the library is given while it reads something of that calendar, and which it forgets after.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Timezone
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO
from msgspec import Struct

from domain.errors import Invalid
from infra.imports.formats import rules
from infra.imports.formats.properties import properties_of

MAX_ZONES = 65_536  # characters of the zones of one calendar
MOST_CHANGES = 100  # of its time that a zone tells of, each with its rule
MOST_DATES = 1_000
LONGEST_NAME = 200
_LAST = 2100  # a zone is followed up to this year
_YEARS = 20_000  # that the rules of zones are followed through, all those of one file together
_NAMED = re.compile(r"^TZID(?:;[^:\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)
_TOO_LONG = re.compile(rf'TZID="?(?:[^":;\n]{{{LONGEST_NAME + 1}}}|(?:[^"/:;\n]*/){{9}})', re.IGNORECASE)
_OTHER_RULES = frozenset({"EXRULE", "EXDATE"})
_SAYS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYDAY", "BYMONTHDAY", "WKST"})


class _Followed(Struct):
    years: int = 0


class Zones(ZONEINFO):
    """The zones of one calendar, as the library asks for them: those everybody knows come first."""

    def __init__(self) -> None:
        self._followed = _Followed()
        self._texts: dict[str, str] = {}
        self._made: dict[str, tzinfo | Invalid] = {}
        self._size = 0

    def of_next_calendar(self) -> "Zones":
        """Those of the calendar that comes next in the same file: none as yet."""
        zones = Zones()
        zones._followed = self._followed
        return zones

    def define(self, text: str) -> None:
        """A VTIMEZONE. The first of a name counts; beyond MAX_ZONES they are not known."""
        unfolded = re.sub(r"\n[ \t]", "", text)
        self._size += len(unfolded)
        if self._size <= MAX_ZONES and (named := _NAMED.search(unfolded)):
            self._texts.setdefault(named[1].strip().strip("/"), unfolded)

    def timezone(self, name: str) -> tzinfo | None:
        """Raises Invalid for a zone of the calendar's own that is without measure."""
        if super().knows_timezone_id(name):
            return ZoneInfo(name)
        if name not in self._texts:
            return None
        if name not in self._made:
            self._made[name] = self._make(name)
        made = self._made[name]
        if isinstance(made, Invalid):
            raise made
        return made

    def knows_timezone_id(self, tzid: str) -> bool:
        """So that the library keeps none of them."""
        return True

    def _make(self, name: str) -> tzinfo | Invalid:
        try:
            zone: Any = Timezone.from_ical(self._texts[name])
            self._followed.years += _check(zone)
            if self._followed.years > _YEARS:
                raise _refused("the time zones of this file change too often")
            made = self.create_timezone(zone)
        except Invalid as error:
            return error
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
            return _refused(f"a time zone that cannot be read: {name[:100]}")
        for change in made._comps:  # type: ignore[attr-defined]
            change.rrule = _Onsets(takewhile(lambda at: at.year <= _LAST, change.rrule))
        return made


class _Onsets:
    """When a time of a zone sets in, looked up where the library would count from the first."""

    def __init__(self, onsets: Iterator[datetime]) -> None:
        self._onsets = sorted(onsets)

    def before(self, at: datetime, *, inc: bool) -> datetime | None:
        place = bisect_right(self._onsets, at)
        return self._onsets[place - 1] if place else None


@contextmanager
def applied(zones: Zones) -> Iterator[None]:
    """The library knows these zones, and none of another calendar."""
    tzp.use(zones)
    try:
        yield
    finally:
        tzp.use_default()


def check_names(text: str) -> None:
    """Raises Invalid where an entry names a zone as none is named: each way to read it would be tried."""
    if found := _TOO_LONG.search(text):
        raise Invalid(f"an unknown time zone: {found[0][5:105]}", field="DTSTART")


def _check(zone: Any) -> int:
    """How many years its rules have to be followed through. Raises Invalid."""
    changes: list[Any] = zone.subcomponents
    if len(changes) > MOST_CHANGES:
        raise _refused(f"a time zone with more than {MOST_CHANGES} changes")
    years = dates = 0
    for change in changes:
        if not _OTHER_RULES.isdisjoint(change):
            raise _refused("a time zone with exceptions (EXDATE, EXRULE), which are not read")
        begins: Any = change["DTSTART"].dt
        dates += sum(len(several.dts) for several in properties_of(change, "RDATE"))
        for rule in properties_of(change, "RRULE"):
            _check_rule(rule)
            years += max(0, _last_year(rule) - _later(change, begins))
    if dates > MOST_DATES:
        raise _refused(f"a time zone with more than {MOST_DATES:,} dates")
    return years


def _check_rule(rule: Any) -> None:
    """Raises Invalid for anything but some days of months, yearly."""
    parts = rules.told(rule)
    if rules.frequency_of(parts) != "YEARLY" or rules.interval_of(parts) < 1:
        raise _refused("a time zone changes once a year, not oftener")
    if not _SAYS.issuperset(parts) or any(len(values) > 12 for values in parts.values()):
        raise _refused("a time zone changes on some days of a year, told by their month")
    rules.check_dates(parts)


def _last_year(rule: Any) -> int:
    years: list[int] = [until.year for until in rules.told(rule).get("UNTIL", ())]
    return min([_LAST, *years])


def _later(change: Any, begins: Any) -> int:
    """The year its rule is followed from: Outlook's begin in 1601, which nobody asks about."""
    rule = change["RRULE"]
    if isinstance(rule, list):
        raise _refused("a time zone changes by one rule at a time")
    if not rules.meets_a_day(rule, begins):
        raise _refused("a time zone changes on a day that never comes")
    parts = rules.told(rule)
    if begins.year < 1900 and "COUNT" not in parts and rules.interval_of(parts) == 1:
        change["DTSTART"].dt = begins = begins.replace(year=1896 + begins.year % 4)
    return int(begins.year)


def _refused(reason: str) -> Invalid:
    return Invalid(reason, field="DTSTART")
