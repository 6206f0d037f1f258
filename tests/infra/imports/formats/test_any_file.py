"""Whatever a file holds: it is read to its end or refused in words, and each of its records is accounted for."""

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.imports import AppointmentRow, ContactRow, Rejected, Row, Skipped, TouchpointRow
from domain.touchpoints import all_named, check
from infra.imports.formats import FORMATS, Format, recognise
from tests.infra.imports.formats.files import READING

TABLE = (
    "kind,when,who,where,direction,note,email,minutes\n"
    'meeting,2026-05-06,"Lopez, Ana",chamber,,"spoke of ""bread""\nand cake",ana@example.com,30\n'
    "call,2026-05-06 14:30,+1 503 555 0100,,in,,,\nemail,6. Mai 2026,José <jose@example.com>,,out,=cmd,,\n"
)
CONNECTIONS = (
    'Notes:\n"A note, of\ntwo lines"\n\nFirst Name,Last Name,URL,Email Address,Company,Position,Connected On\n'
    'Ana,Lopez,https://www.linkedin.com/in/ana,ana@example.com,"Acme, Inc.",Owner,15 Jan 2024\n,,,,,,16 Jan 2024\n'
)
MESSAGES = (
    "CONVERSATION ID,CONVERSATION TITLE,FROM,SENDER PROFILE URL,TO,RECIPIENT PROFILE URLS,DATE,SUBJECT,CONTENT,FOLDER\n"
    "c1,,Ana,https://www.linkedin.com/in/ana,Us,https://www.linkedin.com/in/the-baker,2026-08-01 02:00:00 UTC,,"
    '"Coffee,\n""soon""?",INBOX\n'
    "c1,,Us,https://www.linkedin.com/in/the-baker,Ana,https://www.linkedin.com/in/ana,"
    "2026-08-01 03:00:00 UTC,,Yes!,INBOX\n"
)
NDJSON = (
    '{"kind":"call","occurred_at":"2026-05-06T08:15:00Z","channel":"phone","direction":"in","with":[{"name":"José"}]}\n'
    '{"kind":"post","occurred_at":"2026-05-06T08:15:00Z","channel":"x","direction":"out","audience":7,"note":"\\u00e9"}\n'
)
MBOX = (
    "From ana@example.com Wed May  6 08:15:00 2026\nFrom: =?UTF-8?Q?Jos=C3=A9?= <ana@example.com>\n"
    "To: owner@bakery.example,\n Bob (the baker) <bob at example.com>\nDate: Wed, 06 May 2026 08:15:00 +0200\n"
    'Message-ID: <1@x>\nContent-Type: multipart/alternative; boundary="b"\n\n--b\n'
    "Content-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n--b\nContent-Type: text/html\n\n<p>Hi</p>\n--b--\n\n"
    "From - Wed May  6 08:15:00 2026\nFrom: owner@bakery.example\nTo: ana@example.com\nSubject: x\n"
    "Date: Thu, 07 May 2026 08:15:00 +0200\nContent-Type: text/html\n\n<p>20% off\n>From here on\n"
)
ICS = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
    "TZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1@x\nSEQUENCE:1\n"
    "DTSTART;TZID=Own:20261102T100000\nDTEND;TZID=Own:20261102T110000\nRRULE:FREQ=WEEKLY;COUNT=4\n"
    "EXDATE;TZID=Own:20261109T100000\n"
    'LOCATION:Café\nATTENDEE;CN="Ana\n  Lopez";PARTSTAT=ACCEPTED:mailto:ana@example.com\nEND:VEVENT\n'
    "BEGIN:VEVENT\nUID:1@x\n"
    "RECURRENCE-ID;TZID=Own:20261116T100000\nDTSTART;TZID=Own:20261117T100000\nDURATION:PT1H\nSTATUS:CANCELLED\n"
    "ORGANIZER:mailto:ana@example.com\nEND:VEVENT\nBEGIN:VTODO\nUID:2\nEND:VTODO\nEND:VCALENDAR\n"
)
FILES = {
    "table": TABLE, "linkedin_connections": CONNECTIONS, "linkedin_messages": MESSAGES, "ndjson": NDJSON, "mbox": MBOX,
    "ics": ICS,
}  # fmt: skip
SPLICES = [
    b"", b"\0", b'"', b'""', b"\n", b"\r", b"\r\n", b",", b";", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80",
    b"\xe2\x80\xa8", b"=?", b"?=", b"From ", b"From a@b Wed May  6 08:15:00 2026\n", b"\nBEGIN:VEVENT\n",
    b"\nEND:VEVENT\n", b"\nEND:VCALENDAR\n", b"\nBEGIN:VALARM\n", b"99999", b"-1", b"0000", b"{", b"[[[[", b'\\ud800',
    b"RRULE:FREQ=YEARLY\n", b"RRULE:", b"RDATE:2\n", b"DTSTART:19000101T000000Z\n",
    b"Content-Type: multipart/mixed; boundary=b\n", b"charset=idna", b"charset=utf-16", b"TZID=", b":", b"(" * 50,
    b"<" * 50, b"x" * 5_000, b"12/31/2025", b"31/12/2025", b"\xff\xfe", b"PK\x03\x04",
]  # fmt: skip


def zipped(content: bytes, name: str = "a.csv") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("other.txt", "other")
    return held.getvalue()


@st.composite
def spoilt(draw: st.DrawFn, source: bytes) -> bytes:
    """A file with pieces put in, taken out and written over."""
    content = bytearray(source)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 12))
        content[at : at + length] = draw(st.one_of(st.sampled_from(SPLICES), st.binary(max_size=8)))
    return bytes(content)


def read(content: bytes, kind: Format) -> list[Row]:
    """All rows, each of a kind there is, and each touchpoint one the road would take."""
    given_file = io.BytesIO(content)
    kind.owners(given_file)
    found = list(kind.read(given_file, READING))
    for row in found:
        assert row.line >= 1
        match row.outcome:
            case TouchpointRow(record, people):
                check(record, now=READING.now)
                all_named(record, country="US")
                assert record.source
                assert record.source_id
                assert tuple(person.reference for person in people) == record.people
            case Skipped(reason) | Rejected(reason=reason):
                assert reason
            case ContactRow(source_id=source_id) | AppointmentRow(source_id=source_id):
                assert source_id
    return found


def whole(content: bytes) -> list[Row] | None:
    return read_or_refused(content, lambda: recognise(io.BytesIO(content)))


def read_or_refused(content: bytes, kind: Callable[[], Format]) -> list[Row] | None:
    """The rows, or None for a file refused in words."""
    try:
        return read(content, kind())
    except Invalid as error:
        refusal = error
    assert refusal.reason
    assert refusal.field == "file"
    return None


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_are_read_or_refused(content: bytes):
    whole(content)
    for kind in FORMATS.values():
        read_or_refused(content, lambda: kind)  # noqa: B023


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_spoilt_file_is_read_or_refused(name: str, data: st.DataObject):
    whole(data.draw(spoilt(FILES[name].encode())))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_spoilt_archive_is_read_or_refused(data: st.DataObject):
    whole(data.draw(spoilt(zipped(TABLE.encode()))))


@pytest.mark.parametrize("name", FILES)
def test_the_unspoilt_ones_are_read(name: str):
    kinds = (TouchpointRow, AppointmentRow, Skipped)
    for content in (FILES[name].encode(), zipped(FILES[name].encode())):
        found = whole(content)
        assert found is not None
        assert any(isinstance(row.outcome, TouchpointRow) for row in found)
        assert [row for row in found if not isinstance(row.outcome, kinds)] == []


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), max_size=12)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(CELL, min_size=2, max_size=6), max_size=8))
def test_each_line_of_a_table_without_quotes_is_accounted_for(records: list[list[str]]):
    body = [",".join(cells).replace('"', "") for cells in records]
    assume(all(line.strip() for line in body))
    found = whole("\n".join(["kind,when,who,where,direction,note", *body, ""]).encode("utf-8-sig"))
    assert found is not None
    assert [row.line for row in found] == list(range(2, 2 + len(body)))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_each_line_of_ndjson_is_accounted_for(records: list[bytes]):
    body = [line.replace(b"\n", b"").replace(b"\r", b"") + b"." for line in records]
    found = list(FORMATS["ndjson"].read(io.BytesIO(b"{}\n" + b"\n".join([*body, b""])), READING))
    assert [row.line for row in found] == list(range(1, 2 + len(body)))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_each_mail_is_accounted_for(bodies: list[bytes]):
    begin = b"From ana@example.com Wed May  6 08:15:00 2026\nFrom: ana@example.com\n"
    content = b"".join(begin + b"\n" + body.replace(b"From", b">From") + b"\n\n" for body in bodies)
    found = list(FORMATS["mbox"].read(io.BytesIO(content), READING))
    assert len(found) == len(bodies)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text('ABC:;=\n \t"é', max_size=40), max_size=6))
def test_each_entry_is_accounted_for(bodies: list[str]):
    events = "".join(f"BEGIN:VEVENT\nUID:{n}\n{body}\nEND:VEVENT\n" for n, body in enumerate(bodies))
    found = list(FORMATS["ics"].read(io.BytesIO(f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n".encode()), READING))
    assert len(found) == len(bodies)


HEAVY: dict[str, Callable[[], str]] = {
    "table": lambda: "kind,when,who,direction\n" + 'x","\n' * 100_000,
    "linkedin_messages": lambda: MESSAGES + '"' * 500_001,
    "ndjson": lambda: "{}\n" + '{"a":' * 10_000,
    "mbox": lambda: MBOX + "From: " + "a" * 200_000 + "\n" + "=?" * 50_000 + "\n" + "To: " + "a.a" * 60_000 + "\n",
    "ics": lambda: ICS + "BEGIN:VEVENT\n" + "ATTENDEE;CN=" * 9_000 + "\nEND:VEVENT\n",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HEAVY)
def test_files_made_to_take_for_ever_do_not(name: str):
    """No more than the suite's own limit: what was quadratic took hours."""
    assert read(HEAVY[name]().encode(), FORMATS[name])
