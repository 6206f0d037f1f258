"""A calendar file as its entries, one at a time: only the lines of each that say when, who, where and whether.

Nothing of an entry's title is kept, and of its description no more than its beginning, where addresses of calls stand.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct, field

from domain.imports import Rejected
from infra.imports.formats.format import File
from infra.imports.formats.lines import Line, lines

MAX_ENTRY = 131_072
MAX_ZONES = 65_536
_DESCRIBED = 4_096
_KINDS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"})
_KEPT = frozenset(
    """
    ATTENDEE CATEGORIES CLASS CONFERENCE DESCRIPTION DTEND DTSTAMP DTSTART DURATION EXDATE EXRULE LOCATION ORGANIZER
    RDATE RECURRENCE-ID RRULE SEQUENCE STATUS UID URL X-GOOGLE-CONFERENCE X-MICROSOFT-CDO-ALLDAYEVENT
    X-MICROSOFT-SKYPETEAMSMEETINGURL
    """.split()
)
_NAME = re.compile(r"[A-Za-z0-9-]+")
_CALENDAR = re.compile(r"^(BEGIN|END):VCALENDAR\s*$", re.I)
_BEGIN = re.compile(r"^BEGIN:([A-Z0-9-]+)\s*$", re.I)
_END = re.compile(r"^END:([A-Z0-9-]+)\s*$", re.I)


class Entry(NamedTuple):
    """One entry: its kept lines, folded as they were; the zones its calendar defined before it; what is wrong."""

    line: int
    kind: str
    text: str
    zones: str
    method: str
    fault: Rejected | None

    def value(self, name: str) -> str:
        """The first value of a property as it is written, with its parameters; empty where there is none."""
        unfolded = re.sub(r"\n[ \t]", "", self.text)
        found = re.search(rf"^{name}[;:](.*)$", unfolded, re.I | re.M)
        return found[1].strip() if found else ""


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

    def take(self, line: Line) -> None:
        if line.fault is not None:
            self.fail(f"line {line.number}: {line.fault.reason}", line.fault.column)
            return
        text = line.text
        if begun := _BEGIN.match(text):
            self.inside.append(begun[1].upper())
        elif self.inside and (ended := _END.match(text)):
            if ended[1].upper() == self.inside[-1]:
                self.inside.pop()
        elif not self.inside:
            self._keep(text)

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

    zones: list[str] = field(default_factory=list)
    size: int = 0
    method: str = ""
    in_zone: bool = False


def entries(file: File) -> Iterator[Entry]:
    """Each entry of each calendar of the file; one with a fault where it does not end, or a line is no text."""
    calendar = _Calendar()
    current: _Open | None = None
    for line in lines(file):
        begun = _BEGIN.match(line.text)
        kind = begun[1].upper() if begun else None
        if current is not None and _ends(current, line, kind):
            yield _entry(current, calendar)
            current = None
            if _END.match(line.text):
                continue
        if current is not None:
            current.take(line)
        elif kind in _KINDS:
            current = _Open(line.number, str(kind))
        elif line.fault is not None and not calendar.in_zone:
            yield Entry(line.number, "", "", "", "", line.fault)
        else:
            _beside(calendar, line)
    if current is not None:
        current.fail("this entry does not end", None)
        yield _entry(current, calendar)


def _ends(current: _Open, line: Line, kind: str | None) -> bool:
    """Whether the entry is over with this line; one that another begins in, or its calendar ends in, is at fault."""
    ended = _END.match(line.text)
    if ended and ended[1].upper() == current.kind:
        if current.inside:
            current.fail("this entry ends within a part of itself", None)
        return True
    if kind in _KINDS or _CALENDAR.match(line.text):
        current.fail("this entry does not end", None)
        return True
    return False


def _entry(current: _Open, calendar: _Calendar) -> Entry:
    zones = "\n".join(calendar.zones)
    return Entry(current.line, current.kind, "\n".join(current.kept), zones, calendar.method, current.fault)


def _beside(calendar: _Calendar, line: Line) -> None:
    """A line of the calendar outside its entries: its zones and its method are kept."""
    text = line.text
    if (mark := _CALENDAR.match(text)) and mark[1].upper() == "BEGIN":
        calendar.zones, calendar.size, calendar.method, calendar.in_zone = [], 0, "", False
    elif text.upper().startswith("METHOD:"):
        calendar.method = text[7:].strip().upper()
    elif calendar.in_zone or text.upper().startswith("BEGIN:VTIMEZONE"):
        calendar.in_zone = not text.upper().startswith("END:VTIMEZONE")
        calendar.size += len(text) + 1
        if calendar.size <= MAX_ZONES:
            calendar.zones.append(text)
