"""LinkedIn's messages.csv: who wrote to whom, and nothing of what."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from domain.imports import Reading, Rejected, Row, Skipped, TouchpointRow
from infra.imports.formats import FORMATS
from tests.infra.imports.formats.files import READING, file, only, outcomes, recorded, rows

NAME = "linkedin_messages"
COLUMNS = (
    "CONVERSATION ID", "CONVERSATION TITLE", "FROM", "SENDER PROFILE URL", "TO", "RECIPIENT PROFILE URLS", "DATE",
    "SUBJECT", "CONTENT", "FOLDER", "ATTACHMENTS", "IS MESSAGE DRAFT", "IS CONVERSATION ARCHIVED",
)  # fmt: skip
US, ANA, BOB = (f"https://www.linkedin.com/in/{who}" for who in ("the-baker", "ana", "bob"))
FROM_ANA = {
    "CONVERSATION ID": "c1", "FROM": "Ana Lopez", "SENDER PROFILE URL": ANA, "TO": "The Baker",
    "RECIPIENT PROFILE URLS": US, "DATE": "2026-08-01 02:00:00 UTC", "CONTENT": "Coffee,\n\"soon\"?", "FOLDER": "INBOX",
}  # fmt: skip
TO_ANA = FROM_ANA | {
    "FROM": "The Baker", "SENDER PROFILE URL": US, "TO": "Ana Lopez", "RECIPIENT PROFILE URLS": ANA,
    "CONTENT": "Thank you for the flowers",
}  # fmt: skip


def messages(*lines: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> str:
    held = io.StringIO()
    writer = csv.DictWriter(held, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(lines)
    return held.getvalue()


def one(line: dict[str, str], **other: Any) -> Any:
    return only(messages(line | other), named=NAME)


def test_a_message_to_us_is_inbound():
    made = one(FROM_ANA)
    record = made.record
    assert (record.kind, record.channel, record.direction) == ("direct_message", "linkedin", "in")
    assert record.occurred_at == datetime(2026, 8, 1, 2, tzinfo=UTC)
    assert [(who.handle, who.name) for who in record.people] == [(ANA, "Ana Lopez")]
    assert (record.audience, record.automated) == (None, False)


def test_a_message_of_ours_is_outbound_and_labelled():
    record = one(TO_ANA).record
    assert (record.direction, record.act, record.about) == ("out", "thank", "them")
    assert [(who.handle, who.name) for who in record.people] == [(ANA, "Ana Lopez")]


def test_nothing_of_the_text_is_in_the_rows():
    secret = "the secret recipe of our bread, which nobody must ever know, whatever they say"
    [row] = rows(messages(TO_ANA | {"CONTENT": secret, "SUBJECT": secret, "CONVERSATION TITLE": secret}), named=NAME)
    assert isinstance(row.outcome, TouchpointRow)
    assert b"recipe" not in msgspec.json.encode(row)
    assert row.outcome.text_digest is not None
    assert row.excerpt == "2026-08-01 02:00:00 UTC, The Baker, Ana Lopez"


def test_several_recipients_are_all_there():
    made = one(TO_ANA, **{"TO": "Ana Lopez; Bob Berg", "RECIPIENT PROFILE URLS": f"{ANA};{BOB}"})
    assert [who.name for who in made.record.people] == ["Ana Lopez", "Bob Berg"]
    assert made.record.audience == 2
    inbound = one(FROM_ANA, **{"TO": "The Baker,Bob Berg", "RECIPIENT PROFILE URLS": f"{US}, {BOB}"})
    assert [who.handle for who in inbound.record.people] == [ANA]
    assert inbound.record.audience == 2


def test_above_twelve_it_counts_for_nobody_and_is_one_row():
    urls = [f"https://www.linkedin.com/in/p{n}" for n in range(13)]
    made = one(TO_ANA, **{"TO": "", "RECIPIENT PROFILE URLS": ",".join(urls)})
    assert (made.record.people, made.record.audience) == ((), 13)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"IS MESSAGE DRAFT": "Yes"}, "a draft"),
        ({"FOLDER": "DRAFT"}, "a draft"),
        ({"FOLDER": "SPAM"}, "the folder for spam"),
        ({"CONTENT": "<spinmail-body><p>Hi %FIRSTNAME%</p>"}, "an advertisement"),
        ({"CONVERSATION TITLE": "Sponsored Conversation"}, "an advertisement"),
        ({"RECIPIENT PROFILE URLS": BOB}, "neither from you nor to you"),
        ({"SENDER PROFILE URL": US}, "a message to oneself"),
    ],
)
def test_what_is_no_message_between_us_and_others_is_skipped(other: dict[str, str], reason: str):
    outcome = one(FROM_ANA, **other)
    assert isinstance(outcome, Skipped), outcome
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("other", "column", "field"),
    [
        ({"SENDER PROFILE URL": ""}, 4, "sender_url"),
        ({"SENDER PROFILE URL": "not one"}, 4, "with[0].handle"),
        ({"DATE": ""}, 7, "occurred_at"),
        ({"DATE": "yesterday"}, 7, "occurred_at"),
        ({"FROM": "x" * 300}, 3, "with[0].name"),
    ],
)
def test_what_is_not_understood_says_where(other: dict[str, str], column: int, field: str):
    outcome = one(FROM_ANA, **other)
    assert isinstance(outcome, Rejected), outcome
    assert (outcome.column, outcome.field) == (column, field)


def test_who_we_are_has_to_be_said_first():
    reading = Reading(own=frozenset(), country="US", time_zone="UTC", now=READING.now)
    outcome = only(messages(FROM_ANA), named=NAME, reading=reading)
    assert outcome == Rejected("say first which LinkedIn profile is yours", column=4, field="own")


def test_the_same_message_twice_is_one():
    first, second, other = outcomes(messages(FROM_ANA, FROM_ANA, FROM_ANA | {"CONTENT": "Tea?"}), named=NAME)
    assert isinstance(first, TouchpointRow)
    assert second == Skipped("this message stands in this file already")
    assert isinstance(other, TouchpointRow)


def test_an_old_file_finds_recipients_by_the_names_of_senders():
    columns = (
        "CONVERSATION ID",
        "CONVERSATION TITLE",
        "FROM",
        "SENDER PROFILE URL",
        "TO",
        "DATE",
        "SUBJECT",
        "CONTENT",
    )
    unknown = TO_ANA | {"TO": "Somebody Else"}
    inbound, outbound, nobody = outcomes(messages(FROM_ANA, TO_ANA, unknown, columns=columns), named=NAME)
    assert inbound.record.direction == "in"
    assert [who.handle for who in outbound.record.people] == [ANA]
    assert nobody == Rejected("there is no profile of whom it went to", column=5, field="recipients")


def test_names_that_were_read_in_the_wrong_encoding_are_mended():
    assert one(FROM_ANA, FROM="JosÃ© GarcÃ\xada").record.people[0].name == "José García"


def test_a_row_of_other_width_is_rejected_by_its_line():
    *_, bad, good = rows(messages(FROM_ANA) + "BADROW\r\n" + messages(TO_ANA).partition("\r\n")[2], named=NAME)
    assert bad == Row(4, Rejected("this row has 1 fields, the header 13", column=1))
    assert (good.line, type(good.outcome)) == (5, TouchpointRow)


def mailing(people: int, *, hours: float = 1) -> list[dict[str, str]]:
    text = "we have moved to a larger kitchen and would love to show you around it"
    return [
        TO_ANA
        | {
            "TO": f"P {n}",
            "RECIPIENT PROFILE URLS": f"https://www.linkedin.com/in/p{n}",
            "CONTENT": f"Hi Name{n},\n{text}",
            "DATE": f"2026-08-{1 + int(n * hours) // 24:02} {int(n * hours) % 24:02}:00:00 UTC",
        }
        for n in range(people)
    ]


def test_one_text_to_five_people_in_a_day_is_automated_whatever_the_greeting():
    made = recorded(rows(messages(*mailing(5), TO_ANA, FROM_ANA), named=NAME))
    assert [one.record.automated for one in made] == [True] * 5 + [False, False]


def test_one_text_to_four_people_or_over_many_days_is_not():
    assert not any(made.record.automated for made in recorded(rows(messages(*mailing(4)), named=NAME)))
    assert not any(made.record.automated for made in recorded(rows(messages(*mailing(8, hours=10)), named=NAME)))


def test_the_owner_is_the_most_frequent_sender():
    found = FORMATS[NAME].owners(file(messages(FROM_ANA, TO_ANA, TO_ANA | {"CONTENT": "x"})))
    assert [(one.platform, one.handle, one.name, one.rows) for one in found] == [
        ("linkedin", "the-baker", "The Baker", 2), ("linkedin", "ana", "Ana Lopez", 1),
    ]  # fmt: skip
