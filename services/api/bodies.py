"""JSON as callers send it: read strictly, and refused in words that name the place."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import inspect

from domain.errors import Invalid

Read = TypeVar("Read")
Piece = bytes | msgspec.Raw

_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
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


def _check_json(raw: bytes) -> None:
    """Raises Unreadable for what is wrong further on, past the first wrong value."""
    try:
        _ANYTHING.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, RecursionError):
        return Unreadable("this JSON is nested too deep")
    return Unreadable(f"this is not JSON: {_lowered(str(error))}")


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
        texts = value if isinstance(value, dict) else [value] if isinstance(value, str) else []
        for reason in filter(None, map(_strangeness, texts)):
            raise Unreadable(reason, field=place or None)
        waiting += _inside(place, value)


def _strangeness(text: str) -> str | None:
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
            raise Unreadable(f"this is not a JSON array: {_lowered(str(error))}") from error
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
        _ANYTHING.decode(piece)
    except RecursionError:
        return True
    except msgspec.DecodeError:
        try:
            json.loads(piece.decode(errors="replace"))
        except RecursionError:
            return True
        except ValueError:
            return False
    return True


_LENGTH = re.compile(r"Expected `(\w+)` of length (<=|>=) (\d+)")
_BOUND = re.compile(r"Expected `\w+` (<=|>=) (\S+)")
_TYPES = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`", flags=re.DOTALL)
_LIMITS = {"<=": "at most", ">=": "at least"}
_NOUNS = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "object": "an object",
    "array": "a list", "datetime": "a time", "date": "a date", "uuid": "an id",
}  # fmt: skip
_PLAIN = {
    "Expected `datetime` with a timezone component": "a time needs its offset, such as Z or +02:00",
    "Invalid RFC3339 encoded datetime": "this is no time such as 2026-05-06T08:15:00Z",
    "Invalid RFC3339 encoded date": "this is no date such as 2026-05-06",
    "Invalid UUID": "this is no id",
}


def in_words(text: str, place: str, of: object) -> Invalid:
    """What msgspec found at a place in a value of this type, for people."""
    if field := _FIELD.fullmatch(text):
        reason = "there is no such field" if field[1] == "contains unknown" else "this field is required"
        return Invalid(reason, field=f"{place}.{field[2][:100]}" if place else field[2][:100])
    if text.startswith("Invalid enum value"):
        return Invalid(f"this takes one of {', '.join(_choices(of, place))}", field=place or None)
    return Invalid(_reason(text), field=place or None)


def _reason(text: str) -> str:
    if found := _LENGTH.fullmatch(text):
        noun = ("character" if found[3] == "1" else "characters") if found[1] == "str" else "of them"
        return f"this takes {_LIMITS[found[2]]} {found[3]} {noun}"
    if found := _BOUND.fullmatch(text):
        return f"this takes {_LIMITS[found[1]]} {found[2].removesuffix('.0')}"
    if found := _TYPES.fullmatch(text):
        wanted = " or ".join(_NOUNS.get(name, name) for name in found[1].split(" | "))
        return f"this takes {wanted}, not {_NOUNS.get(found[2], found[2])}"
    return _PLAIN.get(text, _lowered(text))


def _lowered(text: str) -> str:
    return text if text.startswith("JSON") else text[:1].lower() + text[1:]


def _choices(of: object, place: str) -> list[str]:
    """The values the field at this place takes."""
    found = [inspect.type_info(of)]
    for step in re.findall(r"[^.\[\]]+", place):
        found = [inner for one in found for inner in _below(one, step)]
    return [
        str(value)
        for one in found
        for node in _plain(one)
        if isinstance(node, inspect.LiteralType)
        for value in node.values
    ]


def _plain(node: inspect.Type) -> Iterator[inspect.Type]:
    """The type without its annotations, or each of a union."""
    match node:
        case inspect.Metadata(type=inner):
            yield from _plain(inner)
        case inspect.UnionType(types=types):
            for one in types:
                yield from _plain(one)
        case _:
            yield node


def _below(node: inspect.Type, step: str) -> Iterator[inspect.Type]:
    for one in _plain(node):
        match one:
            case inspect.StructType(fields=fields):
                yield from (field.type for field in fields if field.encode_name == step)
            case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
                yield inner
