"""Files as tests write them, and what becomes of their rows."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from domain.imports import Reading, Rejected, Row, Skipped, TouchpointRow
from infra.imports.formats import FORMATS, recognise

READING = Reading(
    own=frozenset({("email", "owner@bakery.example"), ("email", "shop@bakery.example"), ("linkedin", "the-baker")}),
    country="US",
    time_zone="America/Los_Angeles",
    now=datetime(2026, 11, 22, 12, tzinfo=UTC),
)


def file(content: str | bytes) -> io.BytesIO:
    return io.BytesIO(content.encode() if isinstance(content, str) else content)


def rows(content: str | bytes, *, named: str, reading: Reading = READING) -> list[Row]:
    """The rows of a file that has to be recognised as this format."""
    given = file(content)
    found = recognise(given)
    assert found.name == named
    return list(FORMATS[named].read(given, reading))


def outcomes(content: str | bytes, *, named: str, reading: Reading = READING) -> list[Any]:
    return [row.outcome for row in rows(content, named=named, reading=reading)]


def recorded(found: Iterable[Row]) -> list[TouchpointRow]:
    return [row.outcome for row in found if isinstance(row.outcome, TouchpointRow)]


def only(content: str | bytes, *, named: str, reading: Reading = READING) -> Any:
    [outcome] = outcomes(content, named=named, reading=reading)
    return outcome


def told(outcome: Any) -> str:
    """A row in a word: what is recorded, or why it is not."""
    if isinstance(outcome, Skipped | Rejected):
        return outcome.reason
    return type(outcome).__name__
