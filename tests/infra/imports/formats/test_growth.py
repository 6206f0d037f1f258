"""Twice the file takes at most three times the time and the memory, whatever stands in it. What is refused says so."""

import io
import tracemalloc
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.imports import Row
from infra.imports.formats import FORMATS
from tests import measuring
from tests.infra.imports.formats.files import READING

NOISE = 0.15  # seconds; below it a ratio says nothing
ROOM = 2 * 1024**2
HEAD = (
    "From ana@example.com Wed May  6 08:15:00 2026\nFrom: owner@bakery.example\nTo: p@example.com\n"
    "Date: Wed, 06 May 2026 08:15:00 +0200\n"
)
TABLE = "kind,when,who,where,direction,note\n"
MESSAGES = "CONVERSATION ID,FROM,SENDER PROFILE URL,DATE,TO,RECIPIENT PROFILE URLS,CONTENT\n"
MARKS = "\u0315\u0300"
ANA = "ATTENDEE:mailto:ana@example.com\n"


def mail(fields: str = "", body: str = "Hello") -> str:
    return f"{HEAD}{fields}\n{body}\n\n"


MIXED = "Content-Type: multipart/mixed; boundary=b\n"
PAGE = "Content-Type: text/html\n"
CELL = f'{TABLE}call,2026-05-06,Ana,phone,in,"'


def mails(n: int, fields: str = "", body: str = "Hello") -> str:
    return "".join(mail(f"Message-ID: <{number}@x>\n{fields}", body) for number in range(n))


def broadcast(n: int) -> str:
    """One of the mails of the same words, to five people on each of many days."""
    day = f"{1 + n // 5 % 28} {('Jan', 'Mar', 'May')[n // 140 % 3]} {1990 + n // 420}"
    head = HEAD.replace("06 May 2026", day).replace("p@example.com", f"p{n % 5}@example.com")
    return f"{head}Message-ID: <{n}>\n\nThe very same words to everybody we know, as ever\n\n"


def people(n: int) -> str:
    return "".join(f"ATTENDEE:mailto:p{number}@example.com\n" for number in range(n))


def thrice(n: int) -> str:
    """Series of one id, that begin at different times."""
    begins = (f"2020{1 + number // 28:02}{1 + number % 28:02}T150000Z" for number in range(n))
    return "".join(entry("RRULE:FREQ=DAILY;COUNT=3", begins=one) for one in begins)


OFTEN = f"RRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(13)))}"
YEARLY = "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=1SU\n"


def in_its_zone(n: int, rule: str) -> str:
    return zone(n, rule) + entry(f"DTEND;TZID=Own{n}:20160506T190000", uid=n)


def entry(lines: str, *, uid: object = 1, begins: str = "20160506T150000Z", people: str = ANA) -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:{begins}\n{people}{lines}\nEND:VEVENT\n"


def entries(n: int, lines: str, *, begins: str = "20160506T150000Z", people: str = ANA) -> str:
    return "".join(entry(lines, uid=number, begins=begins, people=people) for number in range(n))


def calendar(*held: str) -> str:
    return f"BEGIN:VCALENDAR\n{''.join(held)}END:VCALENDAR\n"


def zone(name: object, rule: str, *, times: int = 1, begins: str = "19700101T000000") -> str:
    change = f"BEGIN:STANDARD\nDTSTART:{begins}\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\n{rule}END:STANDARD\n"
    return f"BEGIN:VTIMEZONE\nTZID:Own{name}\n{change * times}END:VTIMEZONE\n"


def days(n: int) -> str:
    return ",".join(
        f"20{16 + number // 1_000:02}{1 + number % 12:02}{1 + number % 28:02}T150000Z" for number in range(n)
    )


def changed(n: int, lines: str = "", mark: str = "") -> str:
    """Parts of one series that are changed by themselves."""
    return "".join(
        f"BEGIN:VEVENT\nUID:1\nRECURRENCE-ID{mark}:20{17 + n // 336:02}{1 + n // 28 % 12:02}{1 + n % 28:02}T150000Z\n"
        f"DTSTART:2017{1 + n // 28 % 12:02}{1 + n % 28:02}T160000Z\n{ANA}{lines}END:VEVENT\n"
        for n in range(n)
    )


# A file of a size, by what was found in it or would be: each took the square of it, or seconds for each line.
FILES: dict[str, tuple[str, Callable[[int], str], int]] = {
    "semicolons in a quote of a content type": (
        "mbox",
        lambda n: mail(f'Content-Type: text/plain; a="{";" * n}\n'),
        30_000,
    ),
    "such a content type in each mail": (
        "mbox",
        lambda n: mails(n, f'Content-Type: text/plain; a="{";" * 500}\n'),
        150,
    ),
    "such a content type in a part": (
        "mbox",
        lambda n: mails(2, MIXED, f'--b\nContent-Type: a/b; a="{";" * n}\n\nx'),
        20_000,
    ),
    "parts in parts": (
        "mbox",
        lambda n: mails(20, MIXED, f"--b\n{MIXED}\n" * n),
        600,
    ),
    "parts": ("mbox", lambda n: mails(20, MIXED, "--b\n\n" * n), 2_500),
    "From lines": ("mbox", lambda n: "From \n" * n, 30_000),
    "From lines full of days": ("mbox", lambda n: f"From {'Jan 1 ' * 48}\nA:\n" * n, 2_000),
    "mails of a few bytes": ("mbox", lambda n: "From a@b.c\nA:\n\n" * n, 5_000),
    "heads of many fields": ("mbox", lambda n: mails(2, "A:\n" * n), 20_000),
    "quotes in Cc": ("mbox", lambda n: mails(4, f"Cc: {chr(34) * n}\n"), 20_000),
    "escaped quotes in Cc": ("mbox", lambda n: mails(4, "Cc: " + '"\\' * n + "\n"), 15_000),
    "a group in Cc": ("mbox", lambda n: mails(4, f"Cc: x:{'a,' * n}\n"), 15_000),
    "comments in Cc": ("mbox", lambda n: mails(4, f"Cc: {'(a)' * n}\n"), 10_000),
    "open comments in Cc": ("mbox", lambda n: mails(4, f"Cc: {'(' * n}\n"), 15_000),
    "brackets in Cc": ("mbox", lambda n: mails(4, f"Cc: {'<[' * n}\n"), 15_000),
    "addresses in Cc": ("mbox", lambda n: mails(4, f"Cc: {'a@b.cc,' * n}\n"), 4_000),
    "words around at in Cc": ("mbox", lambda n: mails(4, f"Cc: {'a at ' * n}\n"), 6_000),
    "encoded words that do not end": ("mbox", lambda n: mails(30, f"Subject: {'=?a?q? ' * n}\n"), 140),
    "a date of digits": ("mbox", lambda n: mail().replace("06 May 2026", "9" * n), 30_000),
    "numbers of letters in a page": ("mbox", lambda n: mails(4, PAGE, f"&#{'9' * n};"), 30_000),
    "heads in a page": ("mbox", lambda n: mails(4, PAGE, "<head" * n), 6_000),
    "marks on a letter of a mail": ("mbox", lambda n: mails(1, "", f"a{MARKS * n}"), 7_000),
    "one text to many, over years": (
        "mbox",
        lambda n: "".join(map(broadcast, range(n))),
        400,
    ),
    "a quoted cell": ("table", lambda n: CELL + f"{'x' * 79}\n" * n, 10_000),
    "a quoted cell of short lines": ("table", lambda n: CELL + "x\n" * n, 12_000),
    "a quoted cell of quotes": ("table", lambda n: CELL + '""\n' * n, 12_000),
    "quotes that open in each line": ("table", lambda n: TABLE + 'x,"y\n' * n, 6_000),
    "marks on a letter of a cell": ("table", lambda n: f"{TABLE}call,2026-05-06,a{MARKS * n},phone,in,\n", 8_000),
    "mojibake": ("table", lambda n: f"{TABLE}call,2026-05-06,Ana,phone,in,{'JosÃ©' * n}\n", 30_000),
    "digits of a number": ("table", lambda n: f"{TABLE}call,2026-05-06,{'1 ' * n},phone,in,\n", 100_000),
    "people in a cell": ("table", lambda n: f"{TABLE}call,2026-05-06,{'a;' * n},phone,in,\n", 100_000),
    "spaces in a date": ("table", lambda n: f"{TABLE}call,1.1.2020 14:00{' ' * n}x,Ana,phone,in,\n", 200_000),
    "topics in a cell": ("table", lambda n: f"kind,when,who,topics\ncall,2026-05-06,Ana,{'a;' * n}\n", 100_000),
    "columns of a header": ("table", lambda n: f"{'kind,' * n}when,who\n" + TABLE, 3_000),
    "recipients of a message": (
        "linkedin_messages",
        lambda n: f"{MESSAGES}c,Ana,https://www.linkedin.com/in/the-baker,2026-05-06 08:00:00 UTC,x,{'u;' * n},hi\n",
        100_000,
    ),
    "series": ("ics", lambda n: calendar(entries(n, "RRULE:FREQ=DAILY;COUNT=100", begins="20250106T150000Z")), 6),
    "series of many people": (
        "ics",
        lambda n: calendar(entries(1, "RRULE:FREQ=DAILY;COUNT=200", people=people(n))),
        300,
    ),
    "series of many people to come": (
        "ics",
        lambda n: calendar(entries(1, "RRULE:FREQ=DAILY;COUNT=200", begins="20261201T150000Z", people=people(n))),
        240,
    ),
    "series of more people than they may name": (
        "ics",
        lambda n: calendar(entries(1, f"STATUS:CANCELLED\n{OFTEN};COUNT=1500", people=people(n))),
        400,
    ),
    "series of many people, one after the other": (
        "ics",
        lambda n: calendar(entries(n, f"STATUS:CANCELLED\n{OFTEN};COUNT=1000", people=people(100))),
        3,
    ),
    "parts of a series with rules": ("ics", lambda n: calendar(changed(n, "RRULE:FREQ=DAILY;COUNT=100\n")), 6),
    "parts of a series": ("ics", lambda n: calendar(entry("RRULE:FREQ=DAILY;COUNT=5"), changed(n)), 400),
    "parts of a series from one day on": (
        "ics",
        lambda n: calendar(entry("RRULE:FREQ=WEEKLY"), changed(n, mark=";RANGE=THISANDFUTURE")),
        40,
    ),
    "series and parts of one id": (
        "ics",
        lambda n: calendar(thrice(n), changed(n)),
        100,
    ),
    "exceptions": ("ics", lambda n: calendar(entry(f"RRULE:FREQ=YEARLY\nEXDATE:{days(n)}")), 2_000),
    "dates": ("ics", lambda n: calendar(entry(f"RDATE:{days(n)}")), 1_000),
    "periods": ("ics", lambda n: calendar(entry(f"RDATE;VALUE=PERIOD:{days(n).replace(',', '/PT1H,')}/PT1H")), 1_000),
    "zones that entries do not name": (
        "ics",
        lambda n: calendar(*(zone(k, "") for k in range(n)), entries(n, "X:1")),
        200,
    ),
    "zones between entries": ("ics", lambda n: calendar(*(in_its_zone(k, "") for k in range(n))), 100),
    "calendars with zones of their own": (
        "ics",
        lambda n: "".join(calendar(in_its_zone(k, YEARLY)) for k in range(n)),
        15,
    ),
    "slashes in the name of a zone": (
        "ics",
        lambda n: calendar(entry(f"DTEND;TZID=/{'a/' * n}:20160506T160000")),
        10_000,
    ),
    "folds of a line": ("ics", lambda n: calendar(entries(2, "LOCATION:x" + "\n " * n)), 12_000),
    "parameters of a line": ("ics", lambda n: calendar(entries(2, f"ATTENDEE{';X=1' * n}:mailto:a@b.cc")), 8_000),
    "parts that do not end": ("ics", lambda n: calendar("BEGIN:VEVENT\n", "BEGIN:X\n" * n), 15_000),
    "addresses of calls": ("ics", lambda n: calendar(entries(2, f"LOCATION:{'https://a.b.c.d/x ' * n}")), 3_000),
    "lines of another kind": ("ics", lambda n: calendar(entries(1, "X-A:\n" * n)), 10_000),
}


def read(name: str, content: bytes) -> list[Row]:
    """All rows, and who may be us, as a worker reads them."""
    kind = FORMATS[name]
    with suppress(Invalid):  # a file that is none of this kind, as it says
        kind.owners(io.BytesIO(content))
        return list(kind.read(io.BytesIO(content), READING))
    return []


def seconds(name: str, content: bytes) -> float:
    return measuring.seconds(lambda: read(name, content))


def peak(name: str, content: bytes) -> int:
    """Bytes, without the rows."""
    tracemalloc.start()
    kind = FORMATS[name]
    with suppress(Invalid):
        kind.owners(io.BytesIO(content))
        deque(kind.read(io.BytesIO(content), READING), maxlen=0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("what", FILES)
def test_twice_the_file_takes_at_most_three_times_the_time(what: str):
    name, make, n = FILES[what]
    once, twice = (seconds(name, make(size).encode()) for size in (n, 2 * n))
    assert twice <= 3 * once + NOISE


@pytest.mark.parametrize("what", FILES)
def test_twice_the_file_takes_at_most_three_times_the_memory(what: str):
    name, make, n = FILES[what]
    once, twice = (peak(name, make(size // 4 + 1).encode()) for size in (n, 2 * n))
    assert twice <= 3 * once + ROOM


# Pieces of which what costs is made, and how often each of them is said.
HEADS = [
    "Content-Type: text/plain; a=",
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    "Cc: ",
    "Subject: ",
    "From: ",
    "Date: ",
    ";",
    '"',
    "\\",
    "(",
    ")",
    "<",
    ">",
    "[",
    ":",
    ",",
    "=?",
    "?q?",
    "?=",
    " at ",
    "a@b.cc",
    "\n ",
    "\n\n",
    "&#",
    "9",
    "<head",
    "</head",
    "\u0300",
    "From a@b.cc Wed May  6 08:15:00 2026\n",
    "=\n",
    "-",
    "on ",
    " wrote:",
]
ENTRIES = [
    "RRULE:FREQ=YEARLY",
    "RRULE:FREQ=MONTHLY",
    ";BYMONTH=2",
    ";BYMONTHDAY=30",
    ";BYDAY=5MO",
    ";BYWEEKNO=53",
    ";BYSETPOS=300",
    ";INTERVAL=7",
    ";COUNT=1000000000",
    ";UNTIL=99990101T000000Z",
    "EXDATE:",
    "RDATE:",
    "20260506T150000Z",
    ",",
    "\n",
    "\n ",
    "ATTENDEE;CN=",
    ":mailto:a@b.cc",
    '"',
    "LOCATION:https://a.b/",
    "BEGIN:X\n",
    "END:VEVENT\nBEGIN:VEVENT\nUID:1\nDTSTART:20200101T100000Z\n",
    "RECURRENCE-ID:20260506T150000Z\n",
    "DURATION:P900000D",
    "TZID=/a",
    "DTSTART;TZID=Own:20260506T150000",
    "\u0300",
]
CELLS = [
    '"',
    '""',
    ",",
    ";",
    "\n",
    "a",
    "1",
    " ",
    "call,2026-05-06,",
    "é",
    "Ã©",
    "\u0315\u0300",
    "http://a.",
    "@",
    "+1 ",
    "<",
    "|",
    "\x85",
]
MADE_OF = {
    "mbox": (HEADS, HEAD),
    "ics": (ENTRIES, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20200106T100000Z\n"),
    "table": (CELLS, TABLE),
}


@st.composite
def hostile(draw: st.DrawFn, name: str) -> tuple[str, str]:
    """A head, and a body of few pieces that are said hundreds of times, each alone or with the next."""
    pieces, head = MADE_OF[name]
    said = draw(
        st.lists(
            st.tuples(st.lists(st.sampled_from(pieces), min_size=1, max_size=3), st.integers(1, 300)),
            min_size=1,
            max_size=5,
        )
    )
    return head, "".join("".join(several) * times for several, times in said)


@pytest.mark.parametrize("name", MADE_OF)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_file_is_made_of_it_takes_no_more_than_a_share_of_its_size(name: str, data: st.DataObject):
    """A share so large that only what grows out of measure exceeds it, whatever machine it is."""
    head, body = data.draw(hostile(name))
    content = f"{head}{body}\n".encode(errors="surrogatepass")
    rows = read(name, content)
    assert measuring.seconds(lambda: read(name, content), enough=0) <= 2 + 0.001 * len(rows) + len(content) / 10_000
    assert all(row.line >= 1 for row in rows)
