"""Our own table, and what goes wrong in tables of text."""

from datetime import UTC, datetime

import pytest

from domain.imports import Rejected, Skipped, TouchpointRow
from domain.touchpoints import Reference
from tests.infra.imports.formats.files import only, outcomes, recorded, rows, told

HEADER = "kind,when,who,where,direction,note\n"


def one(line: str, header: str = HEADER) -> TouchpointRow:
    outcome = only(f"{header}{line}\n", named="table")
    assert isinstance(outcome, TouchpointRow), outcome
    return outcome


def bad(line: str, header: str = HEADER) -> Rejected:
    outcome = only(f"{header}{line}\n", named="table")
    assert isinstance(outcome, Rejected), outcome
    return outcome


def test_a_row_becomes_a_touchpoint():
    record = one("meeting,2026-05-06,Ana Lopez,chamber,,spoke of bread").record
    assert (record.kind, record.channel, record.direction, record.note) == (
        "meeting", "chamber", "mutual", "spoke of bread",
    )  # fmt: skip
    assert record.people == (Reference(name="Ana Lopez"),)
    assert record.occurred_at == datetime(2026, 5, 6, 19, tzinfo=UTC), "noon in Los Angeles"
    assert record.source == "table"
    assert record.source_id


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("ana@example.com", Reference(email="ana@example.com")),
        ("Ana Lopez <ana@example.com>", Reference(email="ana@example.com", name="Ana Lopez")),
        ("+1 503 555 0100", Reference(phone="+1 503 555 0100")),
        ("(503) 555-0100", Reference(phone="(503) 555-0100")),
        ("instagram:ana.bakes", Reference(platform="instagram", handle="ana.bakes")),
        ("https://x.com/ana", Reference(platform="x", handle="https://x.com/ana")),
        ("https://uk.linkedin.com/in/ana", Reference(platform="linkedin", handle="https://uk.linkedin.com/in/ana")),
        ("  Ana\u00a0  Lopez ", Reference(name="Ana Lopez")),
        ("JosÃ© GarcÃ\xada", Reference(name="José García")),
        ("=cmd()", Reference(name="=cmd()")),
    ],
)
def test_who_is_an_address_a_number_a_profile_or_a_name(written: str, reference: Reference):
    assert one(f'meeting,2026-05-06,"{written}",chamber,,').record.people == (reference,)


def test_several_people_stand_in_one_cell():
    made = one("meeting,2026-05-06,Ana; bob@example.com | Cy,chamber,,")
    assert made.record.people == (Reference(name="Ana"), Reference(email="bob@example.com"), Reference(name="Cy"))
    assert [person.reference for person in made.people] == list(made.record.people)


def test_other_columns_say_more_of_one_person():
    header = "when;kind;who;email;phone;company;role;minutes;act;where;direction\n"
    made = one("2026-05-06 14:30;call;Ana;ana@example.com;503 555 0100;Acme, Inc.;Owner;15;give;;out", header)
    [person] = made.people
    assert person.reference == Reference(email="ana@example.com", name="Ana")
    assert [way.platform for way in person.also] == ["phone"]
    assert (person.organisation, person.role) == ("Acme, Inc.", "Owner")
    assert (made.record.minutes, made.record.act, made.record.channel) == (15, "give", "phone")


@pytest.mark.parametrize(
    "header",
    [
        "art;wann;wer;wo;richtung;notiz",
        "genre;quand;qui;où;sens;remarque",
        "tipo;cuándo;quién;dónde;dirección;nota",
        "tipo;quando;chi;dove;direzione;nota",
        "tipo;quando;quem;onde;direção;nota",
        "soort;wanneer;wie;waar;richting;opmerking",
        "KIND;When; Who ;Where;Direction;Note",
        "sep=;\nkind;when;who;where;direction;note",
    ],
)
def test_headers_may_be_in_the_owners_language(header: str):
    record = one("coffee;2026-05-06;Ana;Café Central;beide;gut", f"{header}\n").record
    assert (record.kind, record.channel, record.direction, record.note) == ("meeting", "cafe-central", "mutual", "gut")


@pytest.mark.parametrize(
    ("line", "column", "field", "said"),
    [
        ("dance,2026-05-06,Ana,chamber,in,", 1, "kind", "this takes one of advice"),
        (",2026-05-06,Ana,chamber,in,", 1, "kind", "required"),
        ("call,soon,Ana,,in,", 2, "occurred_at", "no date"),
        ("call,,Ana,,in,", 2, "occurred_at", "no date"),
        ("call,2026-02-30,Ana,,in,", 2, "occurred_at", "no date"),
        ("call,2027-05-06,Ana,,in,", 2, "occurred_at", "a day ahead"),
        ("call,1066-10-14,Ana,,in,", 2, "occurred_at", "before 1900"),
        ("meeting,2026-05-06,,chamber,,", 3, "with", "say with whom"),
        ("call,2026-05-06,email:ana,,in,", 3, "with[0].email", "no"),
        ("call,2026-05-06,ana@example.com;ANA@example.com,,in,", 3, "with[1]", "twice"),
        ("post,2026-05-06,Ana,,out,", 4, "channel", "say where"),
        ("post,2026-05-06,Ana,!!!,out,", 4, "channel", "letters or digits"),
        ("post,2026-05-06,Ana,site,,", 5, "direction", "say whether"),
        ("post,2026-05-06,Ana,site,sideways,", 5, "direction", "in, mutual, out"),
        (f"call,2026-05-06,Ana,,in,{'x' * 10_001}", 6, "note", "at most 10000"),
        ("call,2026-05-06,Ana,,in,a,b,c", 7, None, "8 fields, the header 6"),
    ],
)
def test_what_the_api_refuses_is_rejected_with_its_column(line: str, column: int, field: str | None, said: str):
    outcome = bad(line)
    assert (outcome.column, outcome.field) == (column, field)
    assert said in outcome.reason


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-05-06", "2026-05-06"), ("2026-05-06T08:15:00Z", "2026-05-06"), ("2026-05-06 08:15", "2026-05-06"),
        ("6.5.2026", "2026-05-06"), ("06.05.26 um 8.15 Uhr", "2026-05-06"), ("31/12/2025", "2025-12-31"),
        ("12/31/2025 2:30 PM", "2025-12-31"), ("5/5/2026", "2026-05-05"), ("2026/5/6", "2026-05-06"),
        ("6 May 2026", "2026-05-06"), ("May 6, 2026", "2026-05-06"), ("6. Mai 2026", "2026-05-06"),
        ("6 mai 2026", "2026-05-06"), ("6 de mayo de 2026", "2026-05-06"), ("6 mrt 2026", "2026-03-06"),
        ("1er févr. 2026", "2026-02-01"), ("6 août 2026", "2026-08-06"), ("6 Dez. 2025", "2025-12-06"),
    ],
)  # fmt: skip
def test_dates_as_people_write_them(written: str, day: str):
    assert one(f'call,"{written}",Ana,,in,').record.occurred_at.date().isoformat() == day


def test_a_time_without_an_offset_is_the_tenants():
    assert one("call,2026-05-06 08:15,Ana,,in,").record.occurred_at == datetime(2026, 5, 6, 15, 15, tzinfo=UTC)
    assert one("call,2026-05-06T08:15+02:00,Ana,,in,").record.occurred_at == datetime(2026, 5, 6, 6, 15, tzinfo=UTC)


def test_day_and_month_are_told_apart_by_the_whole_file():
    first, _ = recorded(rows(f"{HEADER}call,03/04/2026,Ana,,in,\ncall,25/12/2025,Ana,,in,\n", named="table"))
    assert first.record.occurred_at.date().isoformat() == "2026-04-03"
    first, _ = recorded(rows(f"{HEADER}call,03/04/2026,Ana,,in,\ncall,12/25/2025,Ana,,in,\n", named="table"))
    assert first.record.occurred_at.date().isoformat() == "2026-03-04"


@pytest.mark.parametrize("others", ["", "call,25/12/2025,Ana,,in,\ncall,12/25/2025,Ana,,in,\n"])
def test_day_and_month_that_nothing_tells_apart_are_refused_with_both_readings(others: str):
    outcome, *_ = outcomes(f"{HEADER}call,03/04/2026,Ana,,in,\n{others}", named="table")
    assert isinstance(outcome, Rejected)
    assert "2026-04-03 or 2026-03-04" in outcome.reason
    assert (outcome.column, outcome.field) == (2, "occurred_at")


def test_quotes_commas_and_new_lines_stand_in_fields():
    content = f'{HEADER}call,2026-05-06,"Lopez, Ana",,in,"said ""hello""\r\nand went"\r\ncall,2026-05-07,Bob,,in,\r\n'
    first, second = rows(content, named="table")
    assert (first.line, second.line) == (2, 4)
    [call, _] = recorded([first, second])
    assert call.record.note == 'said "hello"\nand went'
    assert call.people[0].reference.name == "Lopez, Ana"


@pytest.mark.parametrize(
    ("lines", "told_of"),
    [
        (['"call",2026-05-06,"Ana" Lopez,,in,', "call,2026-05-07,Bob,,in,"], ["a quoted field goes on", "T"]),
        (['call,2026-05-06,"Ana,,in,', "call,2026-05-07,Bob,,in,"], ["a quote opens here", "T"]),
        (['call,2026-05-06,"Ana,,in,', 'call,2026-05-07,"Bob",,in,', "call,2026-05-08,Cy,,in,"], ["a quote", "T", "T"]),
        (['call,2026-05-06,"Ana'], ["a quote opens here"]),
        (['"' * 7, "call,2026-05-08,Cy,,in,"], ["a quote", "T"]),
    ],
)
def test_a_wrong_quote_costs_its_row_and_no_other(lines: list[str], told_of: list[str]):
    found = rows(HEADER + "\n".join(lines) + "\n", named="table")
    assert [row.line for row in found] == list(range(2, 2 + len(lines)))
    for row, said in zip(found, told_of, strict=True):
        assert told(row.outcome).startswith("TouchpointRow" if said == "T" else said)
        assert isinstance(row.outcome, TouchpointRow) or row.outcome.column


def test_a_quote_that_never_closes_does_not_swallow_the_file():
    body = "".join(f"call,2026-05-06 08:{n % 60:02},Ana {n},,in,\n" for n in range(40_000))
    found = rows(f'{HEADER}call,2026-05-06,"open,,in,\n{body}', named="table")
    assert len(found) == 40_001
    assert isinstance(found[0].outcome, Rejected)
    assert len(recorded(found)) == 40_000


def test_equal_rows_are_two_and_stay_the_same_two():
    content = f"{HEADER}call,2026-05-06,Ana,,in,\ncall,2026-05-06,Ana,,in,\n"
    first, again = rows(content, named="table"), rows(content, named="table")
    ids = [made.record.source_id for made in recorded(first)]
    assert len(set(ids)) == 2
    assert ids == [made.record.source_id for made in recorded(again)]


def test_an_id_of_its_own_is_kept():
    assert one("A-17,call,2026-05-06,Ana,in", "id,kind,when,who,direction\n").record.source_id == "A-17"


def test_formulas_are_plain_text():
    record = one("""call,2026-05-06,"=HYPERLINK(""http://evil.example"")",,in,=cmd|' /C calc'!A0""").record
    assert record.note == "=cmd|' /C calc'!A0"
    assert record.people[0].name == '=HYPERLINK("http://evil.example")'


def test_blank_lines_are_no_rows_and_empty_ones_are_skipped():
    blank, call = rows(f"{HEADER}\n,,,,,\n\ncall,2026-05-06,Ana,,in,\n\n", named="table")
    assert (blank.line, blank.outcome) == (3, Skipped("nothing stands in this row"))
    assert call.line == 5


def test_rows_may_leave_out_what_is_empty_at_their_end():
    assert one("call,2026-05-06,Ana").record.people == (Reference(name="Ana"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_letters_survive_however_the_file_was_saved(encoding: str, end: str):
    content = f"{HEADER}call,2026-05-06,Jürgen Groß,,in,\ncall,2026-05-07,Zoë,,in,\n".replace("\n", end)
    made = recorded(rows(content.encode(encoding), named="table"))
    assert [one.record.people[0].name for one in made] == ["Jürgen Groß", "Zoë"]


def test_a_line_that_is_no_utf8_is_rejected_at_its_column():
    content = (
        f"{HEADER}call,2026-05-06,Jürgen,,in,\n".encode() + b"call,2026-05-06,J\xfcrgen,,in,\ncall,2026-05-07,Bob\n"
    )
    first, bad_one, last = rows(content, named="table")
    assert bad_one.outcome == Rejected("this is not UTF-8: save the file as UTF-8", column=18)
    assert bad_one.line == 3
    assert isinstance(first.outcome, TouchpointRow)
    assert isinstance(last.outcome, TouchpointRow)


def test_nul_is_rejected_at_its_column():
    [row] = rows(f"{HEADER}call,2026-05-06,A\0na,,in,\n", named="table")
    assert row.outcome == Rejected("a text may not hold NUL characters", column=18)


def test_a_line_without_end_is_rejected_and_the_next_one_read():
    content = f"{HEADER}call,2026-05-06,Ana,,in,{'x' * 3_000_000}\ncall,2026-05-07,Bob,,in,\n"
    long, call = rows(content, named="table")
    assert long.outcome == Rejected("this line is longer than 1,048,576 bytes", column=1_048_577)
    assert (long.line, call.line) == (2, 3)
    assert isinstance(call.outcome, TouchpointRow)


def test_what_is_shown_of_a_row_is_not_its_note():
    [row] = rows(f"{HEADER}call,2026-05-06,Ana,,in,a secret\n", named="table")
    assert row.excerpt == "call, 2026-05-06, Ana"
