"""Mails as they stand in a file: their heads, whom they name, and the first text in them."""

import base64
import binascii
import html
import quopri
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from itertools import islice

from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.identities import email
from infra.imports.formats.texts import clean

_CHARSET = re.compile(
    r"utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|windows-12\d\d|cp12\d\d|koi8-[ru]|gb\d+|gbk|big5|shift[_-]jis|"
    r"euc-(?:jp|kr)|iso-2022-jp|utf-16(?:[lb]e)?|macintosh",
    re.I,
)
_AT = re.compile(
    r"(?<![\w.+\-])([\w.+\-]{1,64})(?: ?[(\[{] ?at ?[)\]}] ?| at )([\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8})", re.I
)
# The standard library's parsers take the square of what they are given, some of them: so none gets more than this.
_DEPTH = 4
_PARTS = 20
_FIELDS = 1_000  # of a head
_FIELD = 65_536  # of a field that is read, in bytes
_PART_HEAD = 16_384
_WORDS = 2_000  # of a name or a subject, in characters
_ENCODED_WORDS = 64
_DATE = 200
_CONTENT = 1_000  # of a field that says what a body is, in characters, and parameters in it
_PARAMETERS = 24
_BOUNDARY = 200
_ADDRESSES = 1_000  # in the fields of one name
_ADDRESS = 1_000  # with its name, in characters, and signs that structure it
_SIGNS = 24

# The lines of a head, up to the first that cannot stand in one; and its fields, folded as they are.
_HEAD = re.compile(rb"(?:(?:[\x21-\x39\x3b-\x7e]*:|[ \t]|From ).*(?:\n|\Z))*+")
_FIELD_LINES = re.compile(rb"^([\x21-\x39\x3b-\x7e]{1,100}):((?:.*+(?:\n(?=[ \t])|\Z)?)++)", re.MULTILINE)
# Addresses stand between commas or semicolons that are in no quotes and no comment; and most of them are plain.
_ONE_ADDRESS = re.compile(r'(?:[^",;(]|"(?:[^"\\]|\\.?)*+(?:"|\Z)|\((?:[^)\\]|\\.?)*+(?:\)|\Z))++', re.DOTALL)
_PLAIN_ADDRESS = re.compile(
    r'\s*(?:(?:"(?P<quoted>[^"\\]*)"|(?P<name>[^"()<>@,;:\\\[\]]*+))\s*<\s*(?P<of>[^\s"()<>@,;:\\\[\]]+@[\w.\-]+)\s*>'
    r'|(?P<alone>[^\s"()<>@,;:\\\[\]]+@[\w.\-]+))\s*'
)
_LONG_NUMBER = re.compile(r"&#0*\d{8,}")
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
        self._fields = _fields_of(raw)
        self._people: dict[str, list[Named]] = {}

    def first(self, name: str) -> str:
        """The first field of this name, unfolded, still encoded; empty where there is none."""
        return _text(self._fields[name][0]).strip() if name in self._fields else ""

    def has(self, *names: str) -> bool:
        return any(name in self._fields for name in names)

    def words(self, name: str) -> str:
        """The first field of this name, decoded, on one line."""
        return _words(self.first(name))

    def people(self, *names: str) -> list[Named]:
        """Those of these fields who have an address. Of a field that `check_people` refuses, some of them."""
        return [who for name in names if name in self._fields for who in self._people_of(name)]

    def check_people(self, *names: str) -> None:
        """Raises Invalid where one of these fields is longer, or names more, than is read."""
        for name in names:
            fields = self._fields.get(name)
            if fields is None:
                continue
            if any(len(value) > _FIELD for value in fields):
                raise Invalid(f"this field of the mail is longer than {_FIELD:,} bytes", field=name)
            several = [one for value in fields for one in _ONE_ADDRESS.findall(_text(value)) if "@" in one]
            if len(several) > _ADDRESSES:
                raise Invalid(f"this field of the mail names more than {_ADDRESSES:,} people", field=name)
            if any(len(one) > _ADDRESS for one in several):
                raise Invalid(f"an address with a name of more than {_ADDRESS:,} characters", field=name)

    def _people_of(self, name: str) -> list[Named]:
        if name not in self._people:
            found = (pair for value in self._fields[name] for pair in _addresses(_text(value)))
            self._people[name] = [
                (IdentityGiven("email", address), _words(called) or None)
                for called, address in islice(found, _ADDRESSES)
            ]
        return self._people[name]

    def date(self) -> datetime:
        """When it says it was written, in UTC. Raises Invalid."""
        written = self.first("date")
        if not written:
            raise Invalid("no date", field="date")
        try:
            at = parsedate_to_datetime(_words(written[:_DATE]))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, IndexError, OverflowError):
            raise Invalid("this is no date of a mail", field="date") from None

    @property
    def kind(self) -> str:
        return _content_of(self._fields).get_content_type()

    def text(self, body: bytes) -> str:
        """What its writer wrote in the first text of the body, or of what is there of it: no quotes, no signature."""
        return _own_words(_first_text(_content_of(self._fields), body, _DEPTH) or "")


def _fields_of(raw: bytes) -> dict[str, list[bytes]]:
    """The values of each field by its name in lower case, folded as they are, none much longer than is read."""
    found: dict[str, list[bytes]] = {}
    head = _HEAD.match(raw)
    lines = _FIELD_LINES.finditer(raw, 0, head.end() if head else 0)
    for field in islice(lines, _FIELDS):
        begin, end = field.span(2)
        found.setdefault(field[1].decode("ascii").lower(), []).append(raw[begin : min(end, begin + _FIELD + 1)])
    return found


def _content_of(fields: dict[str, list[bytes]]) -> Message:
    """What a head says of its body, cut to what any honest one says."""
    told = Message()
    for name in ("content-type", "content-disposition", "content-transfer-encoding"):
        if name in fields:
            value = _text(fields[name][0][:_CONTENT]).strip()
            told[name] = ";".join(value.split(";", _PARAMETERS)[:_PARAMETERS])
    return told


def _text(raw: bytes) -> str:
    """A field as it stands, with letters beyond ASCII read as UTF-8, else as Windows-1252; unfolded."""
    return _decoded(re.sub(rb"\r?\n[ \t]?", b" ", raw[:_FIELD]), None)


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
    if 0 < field.count("=?") <= _ENCODED_WORDS:
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
    for one in _ONE_ADDRESS.finditer(value):
        for name, address in _read_address(one[0]):
            if "@" not in address:
                address = _AT.sub(r"\1@\2", address)
            try:
                email(address)
            except Invalid:
                continue
            # A name that is an address again says nothing.
            yield ("" if "@" in name else name), address


def _read_address(one: str) -> Iterable[tuple[str, str]]:
    if found := _PLAIN_ADDRESS.fullmatch(one[:_ADDRESS]):
        return [(found["quoted"] or found["name"] or "", found["of"] or found["alone"])]
    if ("@" not in one and not _AT.search(one)) or len(one) > _ADDRESS or sum(map(one.count, "<[:")) > _SIGNS:
        return []
    try:
        return getaddresses([one])
    except RecursionError:  # brackets in brackets
        return []


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
        inner = _content_of(_fields_of(head[:_PART_HEAD].lstrip(b"\r\n")))
        text = _first_text(inner, content, depth - 1)
        if text is not None and inner.get_content_type() != "text/html":
            return text
        second_best = second_best if second_best is not None else text
    return second_best


def _between(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """The parts between the lines that begin with the boundary."""
    for piece in (b"\n" + body).split(b"\n--" + boundary, _PARTS)[1:_PARTS]:
        if piece.startswith(b"--"):
            return
        yield piece.partition(b"\n")[2]


def _boundary(part: Message) -> bytes | None:
    try:
        found = part.get_boundary()
    except (LookupError, ValueError):
        return None
    return found.encode("utf-8", "surrogateescape") if found and len(found) <= _BOUNDARY else None


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
    text = _LONG_NUMBER.sub(" ", text)  # the standard library makes an integer of it, or gives up
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
