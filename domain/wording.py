"""What msgspec says of a value that is not what a type takes, in words for people."""

import re
from collections.abc import Iterator

from msgspec import inspect

from domain.errors import Invalid

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
    return _PLAIN.get(text, lowered(text))


def lowered(text: str) -> str:
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
