"""Mailboxes (RFC 4155): each mail by its head. Of the body only its first text is looked at, in passing.

The file is split by our own rules, because real ones break the standard reader: `From ` lines that are not ASCII, that
stand unquoted in a body, that have no date. Attachments are passed over line by line, whatever their size.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from domain.errors import Invalid
from domain.identities import email
from domain.imports import OwnerCandidate, Reading, Rejected, Row, TouchpointRow
from infra.imports.formats import messages, proposals
from infra.imports.formats.format import File, Format
from infra.imports.formats.lines import MAX_LINE, too_long
from infra.imports.formats.mails import Head, Named
from infra.imports.formats.proposals import Passed, is_us
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import clean, content_id, shown

NAME = "mbox"
MAX_HEAD = 262_144
MAX_TEXT = 65_536  # of a body that is looked at

_DAY = re.compile(rb"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w*\s+\d{1,2}\s", re.IGNORECASE)
_CLOCK = re.compile(rb"\d{1,2}:\d{2}")
_ADDRESSED = re.compile(rb"^From (?:\S+\s*$|-\s|\S*@|\S+ at )")
_FIELD = re.compile(rb"^(?:[\x21-\x39\x3b-\x7e]+[ \t]*:|>From )")
_FROM = re.compile(rb"^(?:From|Sender):.*(?:\n[ \t].*)*", re.IGNORECASE | re.MULTILINE)
_AUTOMATIC = re.compile(
    r"(?:no|do|not)[-_.]?(?:not[-_.]?)?reply|mailer-daemon|postmaster|bounces?|notifications?|automated|nobody|donotreply"
)
_FIELDS = {"with": "to", "occurred_at": "date"}
_KEPT_ADDRESSES = 20_000
_KEPT_NAME = 200
_BLANK = (b"\n", b"\r\n")


class Mail(NamedTuple):
    """One mail: the line its `From ` stands in, its head, and the beginning of its body."""

    line: int
    head: bytes
    body: bytes
    fault: Rejected | None


def recognise(head: str) -> bool:
    return head.lstrip("\r\n").startswith("From ")


def mails(file: File) -> Iterator[Mail]:
    """Each mail of the file. What stands before the first is one with a fault."""
    file.seek(0)
    held: _Held | None = None
    number, blank = 1, True
    raw = file.readline(MAX_LINE)
    while raw:
        if not raw.endswith(b"\n"):
            _pass_over(file)
        following = file.readline(MAX_LINE)
        if raw.startswith(b"From ") and _separates(raw, after_blank=blank, following=following):
            if held is not None:
                yield held.mail()
            held = _Held(number)
        elif held is not None:
            held.take(raw)
        elif raw.strip():
            held = _Held(number, Rejected("this stands before the first mail"))
        blank = raw in _BLANK or not raw.strip(b"\r\n")
        raw, number = following, number + 1
    if held is not None:
        yield held.mail()


def _pass_over(file: File) -> None:
    """The rest of a line."""
    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass


def _separates(raw: bytes, *, after_blank: bool, following: bytes) -> bool:
    """Whether a line that begins with `From ` begins a mail; in a body it should be quoted, and is not always."""
    raw = raw[:300]
    if not following.strip(b"\r\n"):
        return after_blank and _is_dated(raw)
    if not _FIELD.match(following[:1_000]):
        return False
    return (after_blank and bool(_ADDRESSED.match(raw))) or _is_dated(raw)


def _is_dated(raw: bytes) -> bool:
    """Whether it says a day of a month, and after that a time."""
    day = _DAY.search(raw, 5)
    return bool(day and _CLOCK.search(raw, day.end()))


class _Held:
    """A mail as its lines come in."""

    def __init__(self, line: int, fault: Rejected | None = None) -> None:
        self._line = line
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self._size = 0
        self._in_head = True
        self._fault = fault

    def take(self, raw: bytes) -> None:
        if self._in_head:
            self._take_head(raw)
        elif self._size < MAX_TEXT:
            self._body.append(raw[:MAX_TEXT])
            self._size += len(raw)

    def _take_head(self, raw: bytes) -> None:
        if not raw.strip(b"\r\n"):
            self._in_head, self._size = False, 0
        elif self._size + len(raw) > MAX_HEAD:
            self._fault = self._fault or self._too_long(raw)
        elif not raw.startswith(b">From "):
            self._head.append(raw)
            self._size += len(raw)

    def _too_long(self, raw: bytes) -> Rejected:
        if len(raw) > MAX_HEAD:
            return too_long(raw, MAX_HEAD)
        return Rejected(f"the head of this mail is longer than {MAX_HEAD:,} bytes", column=1)

    def mail(self) -> Mail:
        return Mail(self._line, b"".join(self._head), b"".join(self._body)[:MAX_TEXT], self._fault)


def owners(file: File) -> list[OwnerCandidate]:
    """The addresses most mails are from or to, likeliest first: a mailbox is about its owner."""
    rows: Counter[str] = Counter()
    names: dict[str, str] = {}
    for mail in mails(file):
        head = Head(mail.head)
        named = {email(who.handle): name for who, name in head.people("from", "to", "cc", "delivered-to")}
        for address, name in named.items():
            if address in rows or len(rows) < _KEPT_ADDRESSES:
                rows[address] += 1
                if name:
                    names.setdefault(address, name[:_KEPT_NAME])
    return [OwnerCandidate("email", address, names.get(address), n) for address, n in rows.most_common(10)]


def read(file: File, reading: Reading) -> Iterator[Row]:
    """A mail of ours is outbound to all it names, one to us inbound; lists, automatic mail and the like are skipped."""
    with Seen() as seen:
        for mail in mails(file):
            _tell(mail, reading, seen)
        seen.find_bulk()
        for mail in mails(file):
            head = Head(mail.head)
            made = mail.fault or proposals.outcome(
                lambda: _outcome(head, mail.body, reading, seen),  # noqa: B023
                column=lambda field: None,
            )
            if isinstance(made, Rejected) and made.field:
                made = Rejected(made.reason, made.column, _field(made.field))
            yield Row(mail.line, made, _shown(head))


def _tell(mail: Mail, reading: Reading, seen: Seen) -> None:
    written = b"".join(_FROM.findall(mail.head)).lower()
    if mail.fault is not None or not any(handle.encode() in written for _, handle in reading.own):
        return  # not from us, as can be seen without reading it whole
    head = Head(mail.head)
    sender = _sender(head)
    if sender is None or not is_us(sender[0], reading):
        return
    try:
        at = head.date()
    except Invalid:
        return
    messages.tell(sender[0], [who for who, _ in _recipients(head)], at, _text(head, mail.body), reading, seen)


def _outcome(head: Head, body: bytes, reading: Reading, seen: Seen) -> TouchpointRow:
    _pass_automatic(head)
    head.check_people("from", "sender")
    sender = _sender(head)
    if sender is None:
        raise Invalid("no address of a sender", field="from")
    at = head.date()
    head.check_people("to", "cc", "bcc")
    recipients = _recipients(head)
    if not recipients and is_us(sender[0], reading) and _names_somebody(head):
        raise Invalid("no address of a recipient", field="to")
    text = _text(head, body)
    source_id = _source_id(head, at, text)
    if seen.times(source_id) > 1:
        raise Passed("this mail stands in this file already")
    facts = {"kind": "email", "occurred_at": at, "channel": "email", "source": NAME, "source_id": source_id}
    delivered = any(is_us(who, reading) for who, _ in head.people("delivered-to", "x-original-to", "envelope-to"))
    return messages.touchpoint(
        sender, recipients, facts, text, reading, seen, reply=head.has("in-reply-to"), reaches_us=delivered
    )


def _pass_automatic(head: Head) -> None:
    """Raises Passed for what no person wrote to us alone: lists, newsletters, automatic and unwanted mail, drafts."""
    labels = {label.strip().lower() for label in head.words("x-gmail-labels").split(",")}
    if labels & {"spam", "junk"} or head.first("x-spam-flag").lower() == "yes":
        raise Passed("marked as spam")
    if labels & {"drafts", "draft"} or head.has("x-mozilla-draft-info"):
        raise Passed("a draft")
    if head.has("list-id", "list-unsubscribe", "list-post", "mailing-list"):
        raise Passed("a mailing list or a newsletter")
    if head.first("precedence").lower() in ("bulk", "junk", "list"):
        raise Passed("a mailing list or a newsletter")
    if head.kind == "multipart/report" or head.first("return-path") == "<>":
        raise Passed("a report of delivery")
    submitted = head.first("auto-submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no") or head.has("x-autoreply", "x-autorespond"):
        raise Passed("an automatic mail")
    sender = _sender(head)
    if sender and _AUTOMATIC.fullmatch(sender[0].handle.partition("@")[0].lower()):
        raise Passed("an automatic sender")


def _sender(head: Head) -> Named | None:
    return next(iter(head.people("from") or head.people("sender")), None)


def _recipients(head: Head) -> list[Named]:
    return head.people("to", "cc", "bcc")


def _names_somebody(head: Head) -> bool:
    """Whether a mail says to whom it went, as `undisclosed-recipients:;` does not."""
    return any(told and not told.endswith(":;") for told in map(head.words, ("to", "cc", "bcc")))


def _text(head: Head, body: bytes) -> str:
    return f"{head.text(body)}\n{head.words('subject')}"


def _source_id(head: Head, at: datetime, text: str) -> str:
    """The mail's own id; for one without, its content."""
    given = clean(head.first("message-id")).strip("<> ")
    if given:
        return given if len(given) <= 300 else content_id(given)
    return content_id(at.isoformat(), *(head.first(name) for name in ("from", "to", "cc", "subject")), text)


def _field(field: str) -> str:
    return "to" if field.startswith("with") else _FIELDS.get(field, field)


def _shown(head: Head) -> str:
    """Sender, date and id; neither subject nor text."""
    sender = _sender(head)
    return shown(sender[0].handle if sender else None, head.first("date"), head.first("message-id"))


FORMAT = Format(NAME, "Mailbox (mbox)", recognise, owners, read)
