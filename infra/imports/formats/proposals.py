"""Rows as the road would take them: judged by the words and rules of POST /v1/touchpoints."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from domain import touchpoints
from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.imports import AppointmentRow, ContactRow, Person, Reading, Rejected, Skipped, TouchpointRow
from domain.touchpoints import RecordTouchpoint, check_reference, named
from domain.wording import in_words
from infra.imports.formats.people import country, normalised

Outcome = TouchpointRow | ContactRow | AppointmentRow | Skipped | Rejected


class Passed(Exception):
    """A record that is rightly no fact for us."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def outcome(make: Callable[[], Outcome], *, column: Callable[[str], int | None] = lambda field: None) -> Outcome:
    """What `make` gives; Skipped and Rejected, with the column of the field at fault, for what it raises."""
    try:
        return make()
    except Passed as passed:
        return Skipped(passed.reason)
    except Invalid as error:
        return Rejected(error.reason, column=column(error.field or ""), field=error.field)


def touchpoint(
    facts: Mapping[str, Any], people: Sequence[Person], reading: Reading, *, text_digest: bytes | None = None
) -> TouchpointRow:
    """The row that records these facts with these people. Raises Invalid with the field, as the API has it."""
    told = {**facts, "with": [msgspec.to_builtins(person.reference) for person in people]}
    try:
        record = msgspec.convert(told, RecordTouchpoint)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise in_words(text, place.rstrip("`").removeprefix("$").removeprefix("."), RecordTouchpoint) from error
    check(record, reading)
    return TouchpointRow(record, tuple(people), text_digest)


def check(record: RecordTouchpoint, reading: Reading) -> None:
    touchpoints.check(record, now=reading.now)
    touchpoints.all_named(record, country=country(reading))


def check_person(person: Person, reading: Reading, *, at: str = "with[0]") -> Person:
    """The person, checked as one of a touchpoint is. Raises Invalid."""
    try:
        msgspec.convert(msgspec.to_builtins(person.reference), touchpoints.Reference)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        field = place.rstrip("`").removeprefix("$").removeprefix(".")
        raise in_words(text, f"{at}.{field}" if field else at, touchpoints.Reference) from error
    check_reference(person.reference, at=at)
    named(person.reference, country=country(reading), at=at)
    return person


def is_us(known: IdentityGiven, reading: Reading) -> bool:
    return normalised(known, reading) in reading.own
