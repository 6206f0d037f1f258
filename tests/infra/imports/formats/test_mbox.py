"""Mailboxes as they really are."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from domain.imports import Rejected, Skipped, TouchpointRow
from infra.imports.formats import FORMATS
from tests.infra.imports.formats.files import READING, file, only, recorded, rows

FROM = "From ana@example.com Wed May  6 08:15:00 2026\n"
HEAD = {
    "From": "Ana Lopez <ana@example.com>", "To": "owner@bakery.example", "Date": "Wed, 06 May 2026 08:15:00 +0200",
    "Message-ID": "<1@example.com>", "Subject": "Bread",
}  # fmt: skip
OUT = {"From": "owner@bakery.example", "To": "Ana Lopez <ana@example.com>"}


def mail(body: str = "Hello.\n", *, begin: str = FROM, **fields: str | None) -> str:
    told = HEAD | {name.replace("_", "-"): value for name, value in fields.items()}
    return begin + "".join(f"{name}: {value}\n" for name, value in told.items() if value is not None) + f"\n{body}\n"


def one(body: str = "Hello.\n", **fields: str | None) -> object:
    return only(mail(body, **fields), named="mbox")


def made(body: str = "Hello.\n", **fields: str | None) -> TouchpointRow:
    outcome = one(body, **fields)
    assert isinstance(outcome, TouchpointRow), outcome
    return outcome


def test_a_mail_to_us_is_inbound():
    record = made().record
    assert (record.kind, record.channel, record.direction, record.audience) == ("email", "email", "in", None)
    assert record.occurred_at == datetime(2026, 5, 6, 6, 15, tzinfo=UTC)
    assert [(who.email, who.name) for who in record.people] == [("ana@example.com", "Ana Lopez")]
    assert (record.source, record.source_id) == ("mbox", "1@example.com")


def test_a_mail_of_ours_is_outbound_to_all_it_names_but_us():
    record = made(
        From=OUT["From"], To="Ana <ana@example.com>, bob@example.com", Cc="shop@bakery.example, ANA@example.com"
    ).record
    assert record.direction == "out"
    assert [who.email for who in record.people] == ["ana@example.com", "bob@example.com"]
    assert record.audience == 2


def test_above_twelve_it_counts_for_nobody_and_is_one_row():
    record = made(From=OUT["From"], To=", ".join(f"p{n}@example.com" for n in range(13))).record
    assert (record.people, record.audience) == ((), 13)


def test_nothing_of_subject_or_body_is_in_the_rows():
    secret = "the secret recipe of our bread, which nobody must ever know, whatever they say"
    [row] = rows(mail(secret, Subject=secret), named="mbox")
    assert isinstance(row.outcome, TouchpointRow)
    assert b"recipe" not in msgspec.json.encode(row)
    assert row.outcome.text_digest is not None
    assert row.excerpt == "ana@example.com, Wed, 06 May 2026 08:15:00 +0200, <1@example.com>"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"List-Id": "<bakers.example.org>"}, "a mailing list or a newsletter"),
        ({"List-Unsubscribe": "<mailto:x@example.org>"}, "a mailing list or a newsletter"),
        ({"Precedence": "bulk"}, "a mailing list or a newsletter"),
        ({"Precedence": "Junk"}, "a mailing list or a newsletter"),
        ({"Auto-Submitted": "auto-replied; owner-email=x"}, "an automatic mail"),
        ({"From": "No-Reply <no-reply@example.com>"}, "an automatic sender"),
        ({"From": "noreply@example.com"}, "an automatic sender"),
        ({"From": "MAILER-DAEMON@example.com"}, "an automatic sender"),
        ({"Return-Path": "<>"}, "a report of delivery"),
        ({"Content-Type": 'multipart/report; boundary="b"'}, "a report of delivery"),
        ({"X-Gmail-Labels": "Inbox,Spam"}, "marked as spam"),
        ({"X-Gmail-Labels": "=?UTF-8?Q?Drafts,Caf=C3=A9?="}, "a draft"),
        ({"From": "owner@bakery.example"}, "a message to oneself"),
        ({"From": "owner@bakery.example", "To": "Shop <SHOP@bakery.example>"}, "a message to oneself"),
        ({"From": "owner@bakery.example", "To": "undisclosed-recipients:;"}, "it went to nobody"),
        ({"To": "somebody@example.com"}, "neither from you nor to you"),
    ],
)  # fmt: skip
def test_what_no_person_wrote_to_us_or_we_to_others_is_skipped(fields: dict[str, str], reason: str):
    assert one(**fields) == Skipped(reason)  # type: ignore[arg-type]


def test_auto_submitted_no_is_a_person():
    assert made(**{"Auto-Submitted": "no"})


def test_a_mail_delivered_to_us_without_naming_us_is_inbound():
    assert made(To="undisclosed-recipients:;", Delivered_To="owner@bakery.example").record.direction == "in"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"Date": None}, "date", "no date"),
        ({"Date": "yesterday"}, "date", "no date of a mail"),
        ({"Date": "Wed, 06 May 1826 08:15:00 +0200"}, "date", "before 1900"),
        ({"Date": "Wed, 06 May 2126 08:15:00 +0200"}, "date", "a day ahead"),
        ({"Date": "Wed, 32 May 2026 08:15:00 +0200"}, "date", "no date of a mail"),
        ({"From": None}, "from", "no address of a sender"),
        ({"From": "Ana Lopez"}, "from", "no address of a sender"),
        ({"From": "owner@bakery.example", "To": "Ana Lopez </O=ORG/CN=ANA>"}, "to", "no address of a recipient"),
    ],
)
def test_what_is_not_understood_says_which_field(fields: dict[str, str | None], field: str, reason: str):
    outcome = one(**fields)
    assert isinstance(outcome, Rejected), outcome
    assert outcome.field == field
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("=?UTF-8?B?Sm9zw6kgR2FyY8OtYQ==?= <jose@example.com>", "José García", "jose@example.com"),
        ("=?ISO-8859-1?Q?Jos=E9?= =?ISO-8859-1?Q?_Garc=EDa?= <jose@example.com>", "José García", "jose@example.com"),
        ('"=?utf-8?Q?Garc=C3=ADa=2C_Jos=C3=A9?=" <jose@example.com>', "García, José", "jose@example.com"),
        ("José  García <JOSE@example.com>", "José García", "JOSE@example.com"),
        ("JosÃ© GarcÃ\xada <jose@example.com>", "José García", "jose@example.com"),
        ("=?nonsense?B?Sm9zZQ==?= <jose@example.com>", "Jose", "jose@example.com"),
        ("=?UTF-8?B?broken?= <jose@example.com>", None, "jose@example.com"),
        ("jose at example.com (Jose Garcia)", "Jose Garcia", "jose@example.com"),
        ("jose (at) example.com", None, "jose@example.com"),
        ("jose@example.com", None, "jose@example.com"),
        ('"jose@example.com" <jose@example.com>', None, "jose@example.com"),
    ],
)
def test_senders_in_all_their_forms(written: str, name: str | None, address: str):
    [who] = made(From=written).record.people
    assert who.email == address
    assert name is None or who.name == name


def test_letters_of_latin1_in_a_head_are_read():
    content = mail(From="Jos# <jose@example.com>").encode().replace(b"Jos#", b"Jos\xe9")
    assert only(content, named="mbox").record.people[0].name == "José"


def test_a_mail_without_an_id_gets_one_of_its_content():
    first, second = rows(mail(Message_ID=None) + mail(Message_ID=None, Subject="Cake"), named="mbox")
    ids = [outcome.record.source_id for outcome in recorded([first, second])]
    assert len(set(ids)) == 2
    again = recorded(rows(mail(Message_ID=None), named="mbox"))
    assert again[0].record.source_id == ids[0]


@pytest.mark.parametrize("message_id", ["<1@example.com>", None])
def test_exact_duplicates_are_one(message_id: str | None):
    first, second = rows(mail(Message_ID=message_id) * 2, named="mbox")
    assert isinstance(first.outcome, TouchpointRow)
    assert second.outcome == Skipped("this mail stands in this file already")


@pytest.mark.parametrize(
    "begin",
    [
        b"From ana@example.com Wed May  6 08:15:00 2026\n",
        b"From jos\xe9@example.com Wed May  6 08:15:00 2026\r\n",
        "From 日本@example.com Wed May  6 08:15:00 +0000 2026\n".encode(),
        b"From - Wed May 06 08:15:00 2026\n",
        b"From 1790@xxx Wed May 06 08:15:00 +0000 2026\n",
        b"From ana at example.com  Wed May  6 08:15:00 2026\n",
        b"From ana@example.com\n",
        b"From MAILER-DAEMON Wed May  6 08:15:00 2026\n",
    ],
)
def test_lines_that_begin_a_mail(begin: bytes):
    content = mail(begin="").encode()
    found = rows(begin + content + begin + content.replace(b"<1@", b"<2@"), named="mbox")
    assert [type(row.outcome) for row in found] == [TouchpointRow, TouchpointRow]
    assert [row.line for row in found] == [1, 10]


@pytest.mark.parametrize(
    "line",
    [
        ">From here on it is quoted",
        "From here on nothing is quoted.",
        "From: nobody@example.com",
        "From what I know it is so:\nNote: this is no head",
        "From Monday 10:00 to 12:00 in 2026 we are open\nand closed else",
    ],
)
def test_lines_of_a_body_that_look_like_it(line: str):
    found = rows(mail(f"Hello.\n\n{line}\n\nBye.\n") + mail(Message_ID="<2@x>"), named="mbox")
    assert [type(row.outcome) for row in found] == [TouchpointRow, TouchpointRow]


def test_what_stands_before_the_first_mail_is_a_row_too():
    given = file("some words\n\n" + mail())
    first, second = FORMATS["mbox"].read(given, READING)
    assert first.outcome == Rejected("this stands before the first mail")
    assert (second.line, type(second.outcome)) == (3, TouchpointRow)


def test_a_mail_of_nothing_is_a_row_too():
    first, second = rows(f"{FROM}\n{mail()}", named="mbox")
    assert isinstance(first.outcome, Rejected)
    assert (second.line, type(second.outcome)) == (3, TouchpointRow)


def test_a_head_without_end_is_rejected_and_the_next_mail_read():
    long, next_one = rows(mail(X_Long="x" * 3_000_000) + mail(), named="mbox")
    assert long.outcome == Rejected("this line is longer than 262,144 bytes", column=262_145)
    assert (next_one.line, type(next_one.outcome)) == (11, TouchpointRow)
    many, _ = rows(mail(**{f"X-{n}": "x" * 100 for n in range(5_000)}) + mail(), named="mbox")
    assert isinstance(many.outcome, Rejected)
    assert "the head of this mail is longer" in many.outcome.reason


TEXTS = {
    "plain": ("text/plain; charset=utf-8", "Café, could you send me the price list?"),
    "html": (
        "text/html; charset=utf-8",
        "<html><head><title>buy now 20% off</title><style>p{}</style></head><body><p>Caf&eacute;, could <b>you</b>\n"
        "send me the price list?</p></body></html>",
    ),
    "parts": (
        'multipart/mixed; boundary="b1"',
        '--b1\nContent-Type: multipart/alternative; boundary="b2"\n\n--b2\nContent-Type: text/html\n\n<p>20% off</p>\n'
        "--b2\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        "Caf=E9, could you send me the price=\n list?\n--b2--\n--b1\nContent-Type: text/plain\n"
        "Content-Disposition: attachment\n\n20% off\n--b1--\n",
    ),
    "answer": (
        "text/plain",
        "Could you send me the price list?\n\nOn Wed, 6 May 2026 at 08:15, Ana wrote:\n> only 5 EUR today, buy now\n",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_label_is_of_what_the_writer_wrote(name: str):
    kind, body = TEXTS[name]
    assert made(body, Content_Type=kind).record.act == "ask"


def test_a_packed_text_is_labelled_too():
    import base64

    body = base64.encodebytes("Vielen Dank für Ihre Hilfe".encode()).decode()
    assert (
        made(body, Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="base64").record.act == "thank"
    )


def test_a_link_to_our_own_site_promotes():
    link = "See https://www.bakery.example/cakes"
    assert made(link, **OUT).record.act == "promote"
    assert made(link).record.act == "neutral", "theirs is another site"


def mailing(people: int) -> Iterator[str]:
    for n in range(people):
        yield mail(
            f"Dear P{n},\nwe have moved to a larger kitchen and would love to show you around it.\n",
            From="owner@bakery.example", To=f"p{n}@example.com", Message_ID=f"<{n}@bakery.example>",
            Date=f"Wed, 06 May 2026 08:{n:02}:00 +0200",
        )  # fmt: skip


def test_one_text_to_five_people_in_a_day_is_automated():
    found = recorded(rows("".join(mailing(5)) + mail(), named="mbox"))
    assert [one.record.automated for one in found] == [True] * 5 + [False]
    assert not any(one.record.automated for one in recorded(rows("".join(mailing(4)), named="mbox")))


def test_one_mail_to_five_people_is_no_mailing():
    several = ", ".join(f"p{n}@example.com" for n in range(5))
    body = "we have moved to a larger kitchen and would love to show you around it.\n"
    assert not made(body, From="owner@bakery.example", To=several).record.automated


def test_owners_are_the_addresses_most_mails_are_from_or_to():
    content = mail() + mail(From="bob@example.com") + mail(From="The Owner <owner@bakery.example>", To="cy@example.com")
    first, *_ = FORMATS["mbox"].owners(file(content))
    assert (first.platform, first.handle, first.name, first.rows) == ("email", "owner@bakery.example", "The Owner", 3)


def test_lines_end_as_they_like():
    assert [type(row.outcome) for row in rows(mail().replace("\n", "\r\n") * 2, named="mbox")] == [
        TouchpointRow,
        Skipped,
    ]


def test_brackets_in_brackets_are_no_address_and_no_crash():
    assert isinstance(one(From="(" * 20_000), Rejected)
