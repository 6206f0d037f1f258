"""Touchpoints one a line, read and refused as POST /v1/touchpoints does."""

import json
from typing import Any

import pytest

from domain.imports import Rejected, TouchpointRow
from domain.touchpoints import Reference
from tests.infra.imports.formats.files import only, recorded, rows


def line(**other: Any) -> str:
    told = {
        "kind": "call", "occurred_at": "2026-05-06T08:15:00Z", "channel": "phone", "direction": "out",
        "with": [{"email": "ana@example.com"}], **other,
    }  # fmt: skip
    return json.dumps(told) + "\n"


def test_a_line_is_a_touchpoint():
    made = only(line(minutes=15, source="till", source_id="7"), named="ndjson")
    assert made.record.minutes == 15
    assert (made.record.source, made.record.source_id) == ("till", "7")
    assert [person.reference for person in made.people] == [Reference(email="ana@example.com")]


def test_what_has_no_id_gets_one_of_its_content_and_equal_lines_are_two():
    content = line() + line() + line(minutes=5)
    ids = [made.record.source_id for made in recorded(rows(content, named="ndjson"))]
    assert len(set(ids)) == 3
    assert ids == [made.record.source_id for made in recorded(rows(content, named="ndjson"))]
    assert {made.record.source for made in recorded(rows(content, named="ndjson"))} == {"ndjson"}
    assert only(line(source="till"), named="ndjson").record.source == "till"


@pytest.mark.parametrize(
    ("broken", "column", "field", "said"),
    [
        (line(kind="dance").encode(), 1, "kind", "this takes one of"),
        (line(minutes="5").encode(), 1, "minutes", "a whole number or null, not text"),
        (line(colour="red").encode(), 1, "colour", "no such field"),
        (line(occurred_at="2026-05-06T08:15:00").encode(), 1, "occurred_at", "offset"),
        (line(occurred_at="2030-05-06T08:15:00Z").encode(), 1, "occurred_at", "a day ahead"),
        (line(**{"with": []}).encode(), 1, "with", "say with whom"),
        (line(**{"with": [{"email": "ana"}]}).encode(), 1, "with[0].email", "no"),
        (line(**{"with": [{"email": "a@b.example"}, {"email": "A@b.example"}]}).encode(), 1, "with[1]", "twice"),
        (line(note="a\0b").encode(), 1, "note", "NUL"),
        (line(note="\ud800").encode(), 1, "note", "not Unicode"),
        (line(source_id="7").encode(), 1, "source", "goes with its source"),
        (b'{"kind": }\n', 10, None, "not JSON"),
        (b'{"kind": "c\xe9"}\n', 12, None, "not UTF-8"),
        (b'{"kind"\0: 1}\n', 8, None, "NUL"),
        (b'{"note": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n", 521, None, "nested too deep"),
        (b'{"note": "' + b"x" * 64_000 + b'"}\n', 64_001, None, "longer than 64,000"),
        (b'{"note": "' + b"x" * 5_000_000 + b'"}\n', 64_001, None, "longer than 64,000"),
        (b"=cmd()\n", 1, None, "not JSON"),
    ],
)
def test_a_broken_line_costs_itself_alone(broken: bytes, column: int, field: str | None, said: str):
    first, bad, last = rows(line().encode() + broken + line(minutes=1).encode(), named="ndjson")
    assert isinstance(bad.outcome, Rejected), bad
    assert (bad.line, bad.outcome.column, bad.outcome.field) == (2, column, field)
    assert said in bad.outcome.reason
    assert isinstance(first.outcome, TouchpointRow)
    assert isinstance(last.outcome, TouchpointRow)


def test_blank_lines_are_no_rows():
    assert [row.line for row in rows(line() + "\n  \r\n" + line(), named="ndjson")] == [1, 4]


def test_what_is_shown_of_a_row_is_not_its_note():
    [row] = rows(line(note="a secret"), named="ndjson")
    assert row.excerpt == "call, 2026-05-06T08:15:00+00:00, ana@example.com"
