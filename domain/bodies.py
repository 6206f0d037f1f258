"""JSON as callers send it: read strictly, and refused in words that name the place.

What a body costs is linear in its size, whatever stands in it: at most ten times its size in memory, and the place of
one value, the one at fault, is all that is ever worked out.
"""

import codecs
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from domain.errors import Invalid
from domain.touchpoints import RecordTouchpoint
from domain.wording import in_words, lowered

Read = TypeVar("Read")
Piece = bytes | msgspec.Raw

MAX_TOUCHPOINT = 64_000
DEEPEST = 512
# A value of two bytes takes 60 in memory: so many of them a body may hold, or one for so many of its bytes.
MOST_VALUES = 10_000
BYTES_A_VALUE = 6
MOST_COUNTED = 20_000  # items of a batch that is too large: how many more there are is not said

_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_TOUCHPOINT = msgspec.json.Decoder(RecordTouchpoint)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

# A text ends at its quote or with the body, so that what is read once is never read again.
TEXT = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_TOKEN = re.compile(rf"{TEXT}|[\[{{]+|[\]}}]+|,".encode(), flags=re.DOTALL)
_MARK = re.compile(rf"{TEXT}|[\[{{\]}},:]".encode(), flags=re.DOTALL)


class Unreadable(Invalid):
    """this is not JSON"""


class TooLarge(Invalid):
    """this is too large"""


class TooMany(Invalid):
    """these are too many"""


class Unsupported(Invalid):
    """the body is of a form this does not read"""


def decode(raw: bytes, decoder: msgspec.json.Decoder[Read]) -> Read:
    """The value. Raises Unreadable for what is no JSON or no Unicode, TooLarge for what holds too many values, Invalid
    for what is no such value.
    """
    refuse_strange_text(raw)
    refuse_many_values(raw)
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


def refuse_many_values(raw: bytes) -> None:
    """Raises TooLarge for more values, names and lists than its size allows, Unreadable for what is nested too deep.

    An object counts twice, all else once: about what they take in memory.
    """
    most = max(MOST_VALUES, len(raw) // BYTES_A_VALUE)
    if sum(map(raw.count, (b",", b":", b"[", b"{", b"{"))) <= most:
        return
    values = depth = 0
    for token in _MARK.finditer(raw):
        mark = raw[token.start()]
        values += _COUNTED.get(mark, 0)
        depth += _OPENED.get(mark, 0)
        if depth > DEEPEST:
            raise Unreadable("this JSON is nested too deep")
        if values > most:
            raise TooLarge(f"this JSON holds too many values: at most {most:,} in {len(raw):,} bytes")


_COUNTED = {ord(","): 1, ord(":"): 1, ord("["): 1, ord("{"): 2}
_OPENED = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


# Up to NUL or half of a surrogate pair, which JSON can write and PostgreSQL cannot keep.
_SOUND = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u(?:0000|[dD][89a-fA-F])).)*+",
    flags=re.DOTALL,
)
_PIECE = 8_192  # bytes looked at together: Python's texts may take four times as much
_LOOKED_AT = 100_000  # marks before the value at fault: it is not named where more went before
_LONGEST_PLACE = 300
_STEPS = 100
_TEXT = msgspec.json.Decoder(str)


def refuse_strange_text(raw: bytes) -> None:
    """Raises Unreadable, naming the field, for a text that is not Unicode or holds NUL."""
    broken = _not_unicode(raw)
    sound = _SOUND.match(raw)
    strange = len(raw) if sound is None else sound.end()
    if broken is not None and broken <= strange and (place := _text_at(raw, broken)) is not None:
        raise Unreadable("this text is not Unicode", field=place or None)
    if raw.startswith(b"\\u", strange) and (place := _text_at(raw, strange)) is not None:
        nul = raw.startswith(b"\\u0000", strange)
        reason = "a text may not hold NUL characters" if nul else "this text is not Unicode"
        raise Unreadable(reason, field=place or None)
    if broken is not None:
        raise Unreadable("this is not UTF-8")


def _not_unicode(raw: bytes) -> int | None:
    """The first byte that is no UTF-8."""
    if raw.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    kept = 0
    try:
        for begin in range(0, len(raw), _PIECE):
            kept = len(decoder.getstate()[0])
            decoder.decode(raw[begin : begin + _PIECE], final=begin + _PIECE >= len(raw))
    except UnicodeDecodeError as error:
        return begin - kept + error.start
    return None


def _text_at(raw: bytes, at: int) -> str | None:
    """The place of the text that holds a byte; of its object, where the text is a name. None where there is no text,
    nothing where it stands at the top or too far in."""
    steps: list[int | bytes | None] = []  # of each list how many values went before, of each object the name
    for n, token in enumerate(_MARK.finditer(raw)):
        if n == _LOOKED_AT:
            return ""
        if token.end() > at:
            inside = token.start() <= at and raw[token.start()] == ord('"')
            return _written(steps[:-1] if _names(raw, token) else steps) if inside else None
        _step(steps, token[0])
    return None


def _names(raw: bytes, token: re.Match[bytes]) -> bool:
    return raw[token.end() : token.end() + 100].lstrip().startswith(b":")


def _step(steps: list[int | bytes | None], token: bytes) -> None:
    if token in (b"[", b"{"):
        steps.append(0 if token == b"[" else None)
    elif token in (b"]", b"}"):
        del steps[-1:]
    elif steps and token == b",":
        steps[-1] = steps[-1] + 1 if isinstance(steps[-1], int) else None
    elif steps and steps[-1] is None and len(token) <= _LONGEST_PLACE:
        steps[-1] = token


def _written(steps: Sequence[int | bytes | None]) -> str:
    """Such as `with[0].name`; nothing where it would be longer than anybody reads."""
    try:
        parts = [f"[{step}]" if isinstance(step, int) else f".{_TEXT.decode(step or b'')}" for step in steps[:_STEPS]]
    except msgspec.DecodeError:
        return ""
    written = "".join(parts).removeprefix(".")
    return written if len(steps) <= _STEPS and len(written) <= _LONGEST_PLACE else ""


def items(body: bytes, *, most: int) -> Sequence[Piece]:
    """The items of a JSON array, unread. Raises Unreadable when it is none, TooMany for more than so many.

    An item that cannot even be skipped (nested too deep, half a surrogate pair) is an item all the same.
    """
    if body.count(b",") > max(MOST_VALUES, len(body) // BYTES_A_VALUE):
        refuse_more(_apart(body, most=0)[0], most)
    try:
        found: Sequence[Piece] = _ITEMS.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        count, found = _apart(body, most=most)
        if not count or not all(map(_is_json, found)):
            raise Unreadable(f"this is not a JSON array: {lowered(str(error))}") from error
        refuse_more(count, most)
    refuse_more(len(found), most)
    return found


def lines(body: bytes, *, most: int) -> Sequence[Piece]:
    """Those lines that say something, unread. Raises TooMany for more than so many."""
    count, found = 0, []
    for line in _LINE.finditer(body):
        if not line[0].isspace():
            count += 1
            if count <= most:
                found.append(line[0])
            elif count > MOST_COUNTED:
                break
    refuse_more(count, most)
    return found


_LINE = re.compile(rb"[^\r\n]+")


def refuse_more(count: int, most: int) -> None:
    if count > most:
        told = f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
        raise TooMany(f"send 1 to {most:,} touchpoints at once, not {told}")


def _apart(body: bytes, *, most: int) -> tuple[int, list[bytes]]:
    """How many values stand between the commas of the outermost brackets, and the first of them, unread; none when
    those do not match."""
    count = depth = begins = 0
    pieces: list[bytes] = []
    for token in _TOKEN.finditer(body):
        mark, run = body[token.start()], token.end() - token.start()
        if mark in b"[{":
            begins = begins if depth else token.start() + 1
            depth += run
        elif mark in b"]}" and run < depth:
            depth -= run
        elif mark in b"]}" or (mark == ord(",") and depth == 1):
            end = token.start() + (depth - 1 if mark in b"]}" else 0)
            count += 1
            if count <= most:
                pieces.append(body[begins:end])
            begins = token.end()
            if count > MOST_COUNTED:
                return count, pieces
            if mark in b"]}":
                return (count, pieces) if depth and body[end:].strip() == b"]" else (0, [])
    return 0, []


def _is_json(piece: bytes) -> bool:
    """Whether it is JSON as far as one can tell: too deep and broken Unicode are for the item's own problem."""
    try:
        # Every half of a surrogate pair becomes a letter.
        _ANYTHING.decode(piece.replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0"))
    except RecursionError:
        return True
    except msgspec.DecodeError:
        return False
    return True
