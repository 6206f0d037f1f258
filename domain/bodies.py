"""JSON as callers send it: read strictly, and refused in words that name the place."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from domain.errors import Invalid
from domain.touchpoints import RecordTouchpoint
from domain.wording import in_words, lowered

Read = TypeVar("Read")
Piece = bytes | msgspec.Raw

MAX_TOUCHPOINT = 64_000

_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_TOUCHPOINT = msgspec.json.Decoder(RecordTouchpoint)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class Unreadable(Invalid):
    """this is not JSON"""


class TooLarge(Invalid):
    """this is too large"""


class Unsupported(Invalid):
    """the body is of a form this does not read"""


def decode(raw: bytes, decoder: msgspec.json.Decoder[Read]) -> Read:
    """The value. Raises Unreadable for what is no JSON or no Unicode, Invalid for what is no such value."""
    refuse_strange_text(raw)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        _check_json(raw)
        text, _, place = str(error).partition(" - at `")
        raise in_words(text, place.rstrip("`").removeprefix("$").removeprefix("."), decoder.type) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def touchpoint(raw: bytes) -> RecordTouchpoint:
    """One touchpoint as it is posted. Raises TooLarge, Unreadable, Invalid."""
    if len(raw) > MAX_TOUCHPOINT:
        raise TooLarge("one touchpoint takes at most 64 kB")
    return decode(raw, _TOUCHPOINT)


def _check_json(raw: bytes) -> None:
    """Raises Unreadable for what is wrong further on, past the first wrong value."""
    try:
        _ANYTHING.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, RecursionError):
        return Unreadable("this JSON is nested too deep")
    return Unreadable(f"this is not JSON: {lowered(str(error))}")


# What needs a closer look: NUL and halves of surrogate pairs, which JSON can write and PostgreSQL cannot keep.
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89abAB])|\\u[dD][c-fC-F]")


def refuse_strange_text(raw: bytes) -> None:
    """Raises Unreadable, naming the field, for a text that is not Unicode or holds NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        _look_for_strange_text(raw.decode(errors="surrogateescape"))
        raise Unreadable("this is not UTF-8") from None
    if _SUSPECT.search(text):
        _look_for_strange_text(text)


def _look_for_strange_text(text: str) -> None:
    try:
        waiting = [("", json.loads(text))]
    except (ValueError, RecursionError):
        return
    while waiting:
        place, value = waiting.pop()
        if reason := _strangeness(value):
            raise Unreadable(reason, field=place or None)
        waiting += _inside(place, value)


def _strangeness(value: object) -> str | None:
    """What is wrong with a text, or with the names of an object's fields."""
    text = "".join(value) if isinstance(value, dict | str) else ""
    if "\0" in text:
        return "a text may not hold NUL characters"
    return "this text is not Unicode" if any("\ud800" <= character <= "\udfff" for character in text) else None


def _inside(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"{place}.{key}" if place else key, inner) for key, inner in value.items())
    elif isinstance(value, list):
        yield from ((f"{place}[{n}]", inner) for n, inner in enumerate(value))


def items(body: bytes) -> Sequence[Piece]:
    """The items of a JSON array, unread. Raises Unreadable when it is none.

    An item that cannot even be skipped (nested too deep, half a surrogate pair) is an item all the same.
    """
    try:
        return _ITEMS.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        pieces = _apart(body)
        if not pieces or not all(map(_is_json, pieces)):
            raise Unreadable(f"this is not a JSON array: {lowered(str(error))}") from error
        return pieces


_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]+|[\]}]+|,', flags=re.DOTALL)


def _apart(body: bytes) -> list[bytes]:
    """What stands between the commas of the outermost brackets; nothing when those do not match."""
    pieces: list[bytes] = []
    depth = begins = 0
    for token in _TOKEN.finditer(body):
        mark, run = body[token.start()], token.end() - token.start()
        if mark in b"[{":
            begins = begins if depth else token.start() + 1
            depth += run
        elif mark in b"]}" and run < depth:
            depth -= run
        elif mark in b"]}":
            end = token.start() + depth - 1
            pieces.append(body[begins:end])
            return pieces if depth and body[end:].strip() == b"]" else []
        elif mark == ord(",") and depth == 1:
            pieces.append(body[begins : token.start()])
            begins = token.end()
    return []


def _is_json(piece: bytes) -> bool:
    """Whether it is JSON as far as one can tell: too deep and broken Unicode are for the item's own problem."""
    try:
        json.loads(piece.decode(errors="replace"))
    except RecursionError:
        return True
    except ValueError:
        return False
    return True
