"""Mails as they stand in a file: their heads, whom they name, and the first text in them."""

import base64
import binascii
import html
import quopri
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime

from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.identities import email
from infra.imports.formats.texts import clean

_PARSER = BytesHeaderParser(policy=compat32)
_CHARSET = re.compile(
    r"utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-12\d\d|cp12\d\d|koi8-[ru]|gb\d+|gbk|big5|shift[_-]jis|"
    r"euc-(?:jp|kr)|iso-2022-jp|utf-16(?:[lb]e)?|macintosh",
    re.I,
)
_AT = re.compile(
    r"(?<![\w.+\-])([\w.+\-]{1,64})(?: ?[(\[{] ?at ?[)\]}] ?| at )([\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8})", re.I
)
_DEPTH = 4
_FIELD = 65_536  # of a field that is read, in characters; and of a name or a subject in it
_WORDS = 2_000
_QUOTE_BEGINS = re.compile(
    r"^(?:-{2,}\s*(?:original message|forwarded message|urspr.ngliche nachricht|weitergeleitete nachricht|"
    r"message d'origine|mensaje original).*|on .{5,120} wrote:|am .{5,120} schrieb.{0,80}:|le .{5,120} a .crit ?:|"
    r"el .{5,120} escribi.:|-- )$",
    re.I,
)

Named = tuple[IdentityGiven, str | None]


class Head:
    """The head of a mail, its fields by name whatever their case."""

    def __init__(self, raw: bytes) -> None:
        self._message: Message = _PARSER.parsebytes(raw)
        self._fields: dict[str, list[str]] = {}
        self._people: dict[str, list[Named]] = {}
        for name, value in self._message.raw_items():
            self._fields.setdefault(name.lower(), []).append(_text(str(value)[:_FIELD]))

    def first(self, name: str) -> str:
        """The first field of this name, unfolded, still encoded; empty where there is none."""
        return next(iter(self._fields.get(name, [])), "").strip()

    def has(self, *names: str) -> bool:
        return any(name in self._fields for name in names)

    def words(self, name: str) -> str:
        """The first field of this name, decoded, on one line."""
        return _words(self.first(name))

    def people(self, *names: str) -> list[Named]:
        """Those of these fields who have an address."""
        return [who for name in names if name in self._fields for who in self._people_of(name)]

    def _people_of(self, name: str) -> list[Named]:
        if name not in self._people:
            found = [pair for value in self._fields[name] for pair in _addresses(value)]
            self._people[name] = [
                (IdentityGiven("email", address), _words(called) or None) for called, address in found
            ]
        return self._people[name]

    def date(self) -> datetime:
        """When it says it was written, in UTC. Raises Invalid."""
        written = self.first("date")
        if not written:
            raise Invalid("no date", field="date")
        try:
            at = parsedate_to_datetime(_words(written))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, IndexError, OverflowError):
            raise Invalid("this is no date of a mail", field="date") from None

    @property
    def kind(self) -> str:
        return self._message.get_content_type()

    def text(self, body: bytes) -> str:
        """What its writer wrote in the first text of the body, or of what is there of it: no quotes, no signature."""
        return _own_words(_first_text(self._message, body, _DEPTH) or "")


def _text(raw: str) -> str:
    """A field as it stands, with letters beyond ASCII read as UTF-8, else as Windows-1252; unfolded."""
    unfolded = re.sub(r"\r?\n[ \t]?", " ", raw)
    if unfolded.isascii():
        return unfolded
    return _decoded(unfolded.encode("utf-8", "surrogateescape"), None)


def _decoded(raw: bytes, charset: str | None) -> str:
    if charset and _CHARSET.fullmatch(charset):
        try:
            return raw.decode(charset, errors="replace")
        except LookupError:
            pass
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _words(field: str) -> str:
    """An encoded field (RFC 2047) as text, on one line."""
    field = field[:_WORDS]
    if "=?" in field:
        try:
            parts = decode_header(field)
        except (HeaderParseError, binascii.Error, ValueError):
            parts = [(field, None)]
        field = "".join(part if isinstance(part, str) else _decoded(part, charset) for part, charset in parts)
    return clean(field).strip("\"'")


def _addresses(value: str) -> Iterator[tuple[str, str]]:
    """Name and address of each, in `Ana <a@b.c>`, `a@b.c (Ana)`, `a at b.c`."""
    if "@" not in value:
        value = _AT.sub(r"\1@\2", value)
    try:
        pairs = getaddresses([value])
    except RecursionError:  # brackets in brackets
        return
    for name, address in pairs:
        if "@" not in address:
            address = _AT.sub(r"\1@\2", address)
        try:
            email(address)
        except Invalid:
            continue
        # A name that is an address again says nothing.
        yield ("" if "@" in name else name), address


def _first_text(part: Message, body: bytes, depth: int) -> str | None:
    """The first text/plain, else the first text/html as text."""
    kind = part.get_content_type()
    if kind.startswith("multipart/"):
        return _first_of_parts(part, body, depth)
    if not kind.startswith("text/") or "attachment" in str(part.get("content-disposition", "")).lower():
        return None
    text = _decoded(_unpacked(body, str(part.get("content-transfer-encoding", ""))), _charset(part))
    return _without_tags(text) if kind == "text/html" else text


def _first_of_parts(part: Message, body: bytes, depth: int) -> str | None:
    boundary = _boundary(part)
    if not boundary or depth == 0:
        return None
    second_best = None
    for piece in _between(body, boundary):
        head, _, content = piece.partition(b"\n\n") if b"\r\n\r\n" not in piece else piece.partition(b"\r\n\r\n")
        inner = _PARSER.parsebytes(head.lstrip(b"\r\n"))
        text = _first_text(inner, content, depth - 1)
        if text is not None and inner.get_content_type() != "text/html":
            return text
        second_best = second_best if second_best is not None else text
    return second_best


def _between(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """The parts between the lines that begin with the boundary."""
    pieces: Sequence[bytes] = (b"\n" + body).split(b"\n--" + boundary)
    for piece in pieces[1:20]:
        if piece.startswith(b"--"):
            return
        yield piece.partition(b"\n")[2]


def _boundary(part: Message) -> bytes | None:
    try:
        found = part.get_boundary()
    except (LookupError, ValueError):
        return None
    return found.encode("utf-8", "surrogateescape") if found else None


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError):
        return None


def _unpacked(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            packed = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
            return base64.b64decode(packed[: len(packed) // 4 * 4])
        case "quoted-printable":
            return quopri.decodestring(body)
        case _:
            return body


def _without_tags(text: str) -> str:
    """The text of a page, without what stands in its head, scripts and styles."""
    for name in ("head", "style", "script"):
        text = _without_element(text, name)
    first, *rest = text.replace("</p>", "\n").replace("<br", "\n<br").split("<")
    plain = html.unescape(" ".join((first, *(piece.partition(">")[2] for piece in rest))))
    return "\n".join(" ".join(line.split()) for line in plain.split("\n"))


def _without_element(text: str, name: str) -> str:
    kept, at, lowered = [], 0, text.lower()
    if len(lowered) != len(text):
        return text
    while (begin := lowered.find(f"<{name}", at)) >= 0:
        kept.append(text[at:begin])
        end = lowered.find(f"</{name}", begin)
        at = len(text) if end < 0 else end
    return "".join([*kept, text[at:]])


def _own_words(text: str) -> str:
    kept = []
    for line in text.splitlines():
        if _QUOTE_BEGINS.match(line[:300]):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip()
