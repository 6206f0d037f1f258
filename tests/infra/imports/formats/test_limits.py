"""What is beyond a limit is a row that says so, with its line; what stands beside it is read."""

import io
import struct
import zipfile

import pytest

from domain import identities
from domain.errors import Invalid
from domain.imports import Rejected, Row, TouchpointRow
from domain.letters import composed, without_accents
from infra.imports.formats import recognise
from tests.infra.imports.formats.files import READING, file, recorded, rows, told

HEAD = (
    "From ana@example.com Wed May  6 08:15:00 2026\nFrom: Ana <ana@example.com>\nTo: owner@bakery.example\n"
    "Date: Wed, 06 May 2026 08:15:00 +0200\n"
)


def mail(fields: str = "", body: str = "Hello") -> str:
    return f"{HEAD}{fields}\n{body}\n\n"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        (f"Cc: {'a@b.cc,' * 1_001}\n", "cc", "more than 1,000 people"),
        (f"Cc: {'a@b.cc, ' * 9_000}\n", "cc", "longer than 65,536 bytes"),
        (f"Cc: {'x' * 1_000} <a@b.cc>\n", "cc", "a name of more than 1,000 characters"),
    ],
)
def test_a_mail_to_more_than_is_read_costs_itself_alone(fields: str, field: str, reason: str):
    bad, good = rows(mail(fields) + mail(), named="mbox")
    assert isinstance(bad.outcome, Rejected)
    assert (bad.line, bad.outcome.field) == (1, field)
    assert reason in bad.outcome.reason
    assert isinstance(good.outcome, TouchpointRow)


def test_a_thousand_recipients_are_an_audience():
    people = ",".join(f'"P, {n}" <p{n}@example.com>' for n in range(998))
    [row] = rows(mail(f"Cc: {people}\n"), named="mbox")
    assert isinstance(row.outcome, TouchpointRow)
    assert row.outcome.record.audience == 999


@pytest.mark.parametrize(
    "fields",
    [
        f'Content-Type: text/plain; a="{";" * 100_000}\n',
        f"Content-Type: multipart/mixed; boundary={'b' * 5_000}\n",
        f"{'X-A: b' * 3_000}\n" + "X:\n" * 20_000,
        "Subject: " + "=?utf-8?q?" * 5_000 + "\n",
        "Cc: " + "(" * 30_000 + "\n",
        "Cc: " + '"\\' * 15_000 + "\n",
        "Cc: x:" + "a," * 30_000 + "\n",
    ],
)
def test_a_mail_with_a_head_that_costs_others_hours_is_read(fields: str):
    [row] = rows(mail(fields), named="mbox")
    assert isinstance(row.outcome, TouchpointRow), row
    assert [who.email for who in row.outcome.record.people] == ["ana@example.com"]


def test_a_page_with_a_number_of_five_thousand_digits_is_read():
    [row] = rows(mail("Content-Type: text/html\n", f"<p>Hi &#{'9' * 5_000}; &#x41; there</p>"), named="mbox")
    assert isinstance(row.outcome, TouchpointRow)


def test_every_line_of_a_cell_that_is_never_closed_is_accounted_for():
    lines = 45_000
    found = rows('kind,when,who\ncall,2026-05-06,"' + "x\n" * lines + "call,2026-05-06,Ana\n", named="table")
    assert [row.line for row in found] == list(range(2, lines + 3))
    assert isinstance(found[0].outcome, Rejected)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"call,2026-05-06,{'a;' * 1_001},phone,in,", "at most 1,000 people"),
        (f"call,{'2' * 101},Ana,phone,in,", "this is no date"),
        (f"call,2026-05-06,{'a' * 3_000},phone,in,", "200"),
        (f"call,2026-05-06,Ana,phone,in,{'JosÃ©' * 10_000}", "at most 10000 characters"),
    ],
)
def test_a_row_beyond_a_limit_costs_itself_alone(row: str, reason: str):
    bad, good = rows(f"kind,when,who,where,direction,note\n{row}\ncall,2026-05-06,Bob,phone,in,\n", named="table")
    assert isinstance(bad.outcome, Rejected), bad
    assert bad.line == 2
    assert reason in bad.outcome.reason
    assert isinstance(good.outcome, TouchpointRow)


def test_a_message_to_more_than_a_thousand_is_rejected():
    content = (
        "CONVERSATION ID,FROM,SENDER PROFILE URL,DATE,TO,RECIPIENT PROFILE URLS,CONTENT\n"
        f"c,Us,https://www.linkedin.com/in/the-baker,2026-05-06 08:00:00 UTC,x,{'u;' * 1_001},hi\n"
    )
    [row] = rows(content, named="linkedin_messages")
    assert row.outcome == Rejected(
        "a message goes to at most 1,000 people", column=6, field="recipients"
    ) or isinstance(row.outcome, Rejected)
    assert "1,000" in told(row.outcome)


def test_an_entry_of_more_than_a_thousand_people_or_fifty_parts_deep_costs_itself_alone():
    people = "".join(f"ATTENDEE:mailto:p{n}@example.com\n" for n in range(1_001))
    entry = "BEGIN:VEVENT\nUID:{}\nDTSTART:20260506T150000Z\nATTENDEE:mailto:ana@example.com\n{}END:VEVENT\n"
    several = [entry.format(1, people), entry.format(2, "BEGIN:X\n" * 51), entry.format(3, "")]
    found = rows(f"BEGIN:VCALENDAR\n{''.join(several)}END:VCALENDAR\n", named="ics")
    assert [type(row.outcome) for row in found] == [Rejected, Rejected, TouchpointRow]
    assert ["1,000 people" in told(found[0].outcome), "50 deep" in told(found[1].outcome)] == [True, True]


TABLE = b"kind,when,who,where,direction\ncall,2026-05-06,Ana,phone,in\n"


def archive(content: bytes, *, kind: int = zipfile.ZIP_DEFLATED, names: tuple[str, ...] = ("a.csv", "b.csv")) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as made:
        for name in names:
            made.writestr(name, content)
    return held.getvalue()


def test_an_archive_whose_files_lie_in_one_another_is_refused():
    made = bytearray(archive(TABLE))
    second = made.rfind(b"PK\x01\x02")
    struct.pack_into("<L", made, second + 42, 0)  # it begins where the first does
    with pytest.raises(Invalid, match="lie in one another"):
        recognise(file(bytes(made)))


def read_archive(content: bytes) -> list[Row]:
    return list(recognise(file(content)).read(file(content), READING))


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_files_packed_in_ways_that_may_take_any_memory_are_passed_over(kind: int):
    held = io.BytesIO(archive(TABLE, names=("a.csv",)))
    with zipfile.ZipFile(held, "a", kind) as made:
        made.writestr("b.csv", TABLE)
    found = read_archive(held.getvalue())
    assert [row.member for row in recorded_rows(found)] == ["a.csv"]
    assert "packed in a way" in told(found[-1].outcome)


def recorded_rows(found: list[Row]) -> list[Row]:
    assert recorded(found)
    return [row for row in found if isinstance(row.outcome, TouchpointRow)]


def test_letters_are_composed_and_plain_as_in_one_piece():
    text = "Jose\u0301 Müller-Strauß, ﬁne " * 300
    assert composed(text) == "José Müller-Strauß, ﬁne " * 300
    assert without_accents(text) == "Jose Muller-Strauß, fine " * 300
    with pytest.raises(Invalid):
        identities.email("a" + "\u0301" * 100_000 + "@example.com")
    with pytest.raises(Invalid):
        identities.normalise("x", "a" + "\u0301" * 100_000, country="US")
