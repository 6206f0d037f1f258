"""A calendar file as its entries, one at a time: only the lines of each that say when, who, where and whether.

Nothing of an entry's title is kept, and of its description no more than its beginning, where addresses of calls stand.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct, field

from domain.imports import Rejected
from infra.imports.formats.format import File
from infra.imports.formats.lines import Line, lines
from infra.imports.formats.texts import content_id
from infra.imports.formats.zones import MAX_ZONES, Zones

MAX_ENTRY = 131_072
_DESCRIBED = 4_096
_DEEPEST = 50
_METHOD = 40
_KINDS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"})
_KEPT = frozenset(
    """
    ATTENDEE CATEGORIES CLASS CONFERENCE DESCRIPTION DTEND DTSTAMP DTSTART DURATION EXDATE EXRULE LOCATION ORGANIZER
    RDATE RECURRENCE-ID RRULE SEQUENCE STATUS UID URL X-GOOGLE-CONFERENCE X-MICROSOFT-CDO-ALLDAYEVENT
    X-MICROSOFT-SKYPETEAMSMEETINGURL
    """.split()
)
_NAME = re.compile(r"[A-Za-z0-9-]+")
_PROPERTY = re.compile(r"^([A-Za-z0-9-]{1,40})[;:]", re.M)
_IDENTIFYING = re.compile(r"^(UID|RECURRENCE-ID|SEQUENCE|DTSTAMP|DTSTART)([;:].*)$", re.I | re.M)
_MARK = re.compile(r"(BEGIN|END):([A-Z0-9-]+)\s*$", re.I)
_MARKS = ("B", "b", "E", "e")


class Entry(Struct, dict=True):
    """One entry: its kept lines, folded as they were; the zones its calendar defined before it; what is wrong."""

    line: int
    kind: str
    text: str
    zones: Zones
    method: str
    fault: Rejected | None

    @cached_property
    def unfolded(self) -> str:
        return re.sub(r"\n[ \t]", "", self.text)

    @cached_property
    def times_said(self) -> Counter[str]:
        """How often it says each property."""
        return Counter(name.upper() for name in _PROPERTY.findall(self.unfolded))

    @cached_property
    def _lines(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, line in _IDENTIFYING.findall(self.unfolded):
            found.setdefault(name.upper(), name + line)
        return found

    @cached_property
    def uid(self) -> str:
        return self.value("UID") or content_id(self.text)

    def said(self, name: str) -> str:
        """The first line of a property that tells which entry it is, unfolded; empty where there is none.

        UID, RECURRENCE-ID, SEQUENCE, DTSTAMP or DTSTART.
        """
        return self._lines.get(name, "")

    def value(self, name: str) -> str:
        """The value of such a property as it is written, with its parameters."""
        return self.said(name)[len(name) + 1 :].strip()


class _Open(Struct):
    """An entry as its lines come in."""

    line: int
    kind: str
    kept: list[str] = field(default_factory=list)
    size: int = 0
    inside: list[str] = field(default_factory=list)
    keeping: str | None = None
    described: int = 0
    fault: Rejected | None = None

    def take(self, line: Line, begins: str | None, ends: str | None) -> None:
        if line.fault is not None:
            self.fail(f"line {line.number}: {line.fault.reason}", line.fault.column)
        elif begins is not None:
            self._enter(begins)
        elif self.inside:
            if ends is not None and ends[:_METHOD] == self.inside[-1]:
                self.inside.pop()
        else:
            self._keep(line.text)

    def _enter(self, part: str) -> None:
        if len(self.inside) < _DEEPEST:
            self.inside.append(part[:_METHOD])
        else:
            self.fail(f"parts of this entry stand in one another more than {_DEEPEST} deep", None)

    def _keep(self, text: str) -> None:
        if not text.startswith((" ", "\t")):
            name = _NAME.match(text)
            self.keeping = name[0].upper() if name and name[0].upper() in _KEPT else None
        if self.keeping == "DESCRIPTION":
            self.described += len(text)
            if self.described > _DESCRIBED:
                return
        if self.keeping is None:
            return
        self.size += len(text) + 1
        if self.size > MAX_ENTRY:
            self.fail(f"this entry is longer than {MAX_ENTRY:,} characters", None)
        else:
            self.kept.append(text)

    def fail(self, reason: str, column: int | None) -> None:
        self.fault = self.fault or Rejected(reason, column=column)


class _Calendar(Struct):
    """What is known of the calendar so far."""

    zones: Zones = field(default_factory=Zones)
    zone: list[str] = field(default_factory=list)
    size: int = 0
    method: str = ""
    in_zone: bool = False


def entries(file: File) -> Iterator[Entry]:
    """Each entry of each calendar of the file; one with a fault where it does not end, or a line is no text."""
    calendar = _Calendar()
    current: _Open | None = None
    for line in lines(file):
        begins, ends = _marked(line.text)
        if current is not None and _is_over(current, begins, ends):
            yield _entry(current, calendar)
            current = None
            if ends is not None:
                continue
        if current is not None:
            current.take(line, begins, ends)
        elif begins in _KINDS:
            current = _Open(line.number, begins)
        elif line.fault is not None and not calendar.in_zone:
            yield Entry(line.number, "", "", calendar.zones, "", line.fault)
        else:
            calendar = _beside(calendar, line.text, begins, ends)
    if current is not None:
        current.fail("this entry does not end", None)
        yield _entry(current, calendar)


def _marked(text: str) -> tuple[str | None, str | None]:
    """What begins with a line, and what ends with it, in capitals."""
    mark = _MARK.match(text) if text[:1] in _MARKS else None
    if mark is None:
        return None, None
    kind = mark[2].upper()
    return (kind, None) if mark[1].upper() == "BEGIN" else (None, kind)


def _is_over(current: _Open, begins: str | None, ends: str | None) -> bool:
    """Whether the entry is over with this line; one that another begins in, or its calendar ends in, is at fault."""
    if ends is not None and ends == current.kind:
        if current.inside:
            current.fail("this entry ends within a part of itself", None)
        return True
    if begins in _KINDS or "VCALENDAR" in (begins, ends):
        current.fail("this entry does not end", None)
        return True
    return False


def _entry(current: _Open, calendar: _Calendar) -> Entry:
    return Entry(current.line, current.kind, "\n".join(current.kept), calendar.zones, calendar.method, current.fault)


def _beside(calendar: _Calendar, text: str, begins: str | None, ends: str | None) -> _Calendar:
    """The calendar after a line outside its entries: its zones and its method are kept."""
    if begins == "VCALENDAR":
        return _Calendar(calendar.zones.of_next_calendar())
    if begins == "VTIMEZONE":
        calendar.zone, calendar.size, calendar.in_zone = [], 0, True
    if calendar.in_zone:
        calendar.size += len(text) + 1
        if calendar.size <= MAX_ZONES:
            calendar.zone.append(text)
        if ends == "VTIMEZONE":
            calendar.in_zone = False
            if calendar.size <= MAX_ZONES:
                calendar.zones.define("\n".join(calendar.zone))
            calendar.zone = []
    elif text[:7].upper() == "METHOD:":
        calendar.method = text[7 : 7 + _METHOD].strip().upper()
    return calendar
