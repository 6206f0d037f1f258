"""Touchpoints as POST /v1/touchpoints takes them, one JSON object a line."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from domain import bodies
from domain.bodies import MAX_TOUCHPOINT
from domain.errors import Refused
from domain.imports import Person, Reading, Rejected, Row, TouchpointRow
from domain.touchpoints import RecordTouchpoint
from infra.imports.formats import proposals
from infra.imports.formats.format import File, Format, nobody
from infra.imports.formats.lines import Line, lines
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import content_id, shown

NAME = "ndjson"
_DEEP = 512
_MARK = re.compile(rf"{bodies.TEXT}|[\[{{\]}}]", flags=re.DOTALL)


def recognise(head: str) -> bool:
    """An object begins and does not stop at its bracket, as it does where one JSON text fills several lines."""
    first = head.lstrip().split("\n", 1)[0].strip()
    return first.startswith("{") and first != "{"


def read(file: File, reading: Reading) -> Iterator[Row]:
    with Seen() as seen:
        for line in lines(file, most=MAX_TOUCHPOINT, unicode=True):
            if line.fault is not None or line.text.strip():
                yield _row(line, reading, seen)


def _row(line: Line, reading: Reading, seen: Seen) -> Row:
    if line.fault is not None:
        return Row(line.number, line.fault)
    try:
        record = bodies.touchpoint(line.text.encode())
    except Refused as refusal:
        return Row(line.number, Rejected(refusal.reason, _column(refusal, line.text), refusal.field))
    made = proposals.outcome(lambda: _outcome(record, line, reading, seen), column=lambda field: 1)
    return Row(line.number, made, _shown(record))


def _outcome(record: RecordTouchpoint, line: Line, reading: Reading, seen: Seen) -> TouchpointRow:
    proposals.check(record, reading)
    if record.source_id is None:
        content = content_id(line.text.strip())
        nth = seen.times(content)
        source_id = content if nth == 1 else f"{content}/{nth}"
        record = replace(record, source=record.source or NAME, source_id=source_id)
    return TouchpointRow(record, tuple(map(Person, record.people)))


def _column(refusal: Refused, text: str) -> int:
    """Where JSON breaks off or gets too deep; else the line's beginning, and the field says the rest."""
    if found := re.search(r"\(byte (\d+)\)", refusal.reason):
        return len(text.encode()[: int(found[1])].decode(errors="ignore")) + 1
    if "nested too deep" in refusal.reason:
        depth = 0
        for bracket in _MARK.finditer(text):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket[0], 0)
            if depth > _DEEP:
                return bracket.start() + 1
    return 1


def _shown(record: RecordTouchpoint) -> str:
    names = (person.name or person.email or person.handle or person.phone for person in record.people)
    return shown(record.kind, record.occurred_at.isoformat(), *names)


FORMAT = Format(NAME, "Touchpoints as the API takes them (NDJSON)", recognise, nobody, read)
