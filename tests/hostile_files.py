"""Files that cost whoever reads them carelessly minutes or gigabytes, as large as one asks for."""

from collections.abc import Callable

CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
MEETING = (
    "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250302T120000Z\r\nDTSTART{zone}:20250302T120000{z}\r\nDURATION:PT1H\r\n"
    "ORGANIZER:mailto:shop@bakery.example\r\nATTENDEE:mailto:ana@mill.example\r\n{more}END:VEVENT\r\n"
)


def mail(*fields: str) -> bytes:
    """A mailbox of one mail with these fields."""
    head = ["From ana@mill.example Mon Mar  3 10:00:00 2025", "From: Ana <ana@mill.example>"]
    head += ["Date: Mon, 03 Mar 2025 10:00:00 +0000", "Message-ID: <1@mill.example>", *fields, "", "Hello", ""]
    return "\n".join(head).encode()


def calendar(*entries: str) -> bytes:
    return (CALENDAR + "".join(entries) + "END:VCALENDAR\r\n").encode()


def meeting(uid: str, more: str = "", zone: str = "") -> str:
    return MEETING.format(uid=uid, more=more, zone=f";TZID={zone}" if zone else "", z="" if zone else "Z")


def semicolons(size: int) -> bytes:
    return mail("To: shop@bakery.example", 'Content-Type: text/plain; a="' + ";" * min(size, 250_000))


def quotes_in_cc(size: int) -> bytes:
    return mail("To: shop@bakery.example", "Cc: " + '"' * size)


def brackets_in_cc(size: int) -> bytes:
    return mail("To: shop@bakery.example", "Cc: " + "(<" * (size // 2))


def from_lines(size: int) -> bytes:
    return b"From \n" * (size // 6)


def quoted_cell(size: int) -> bytes:
    return b'kind,when,who,where\nmeeting,2025-03-02,"Ana' + b"\nx,y" * (size // 4)


def nested_quotes(size: int) -> bytes:
    return b"kind,when,who,where\n" + b'meeting,"2025-03-02,Ana,cafe\n' * (size // 29)


def changed_parts(size: int) -> bytes:
    """2,000 occurrences changed by themselves, each of them a series again."""
    number = min(2_000, size // 200)
    days = [f"2025{1 + n % 12:02}{1 + n % 28:02}T{n // 336 % 24:02}0000Z" for n in range(number)]
    parts = (meeting("one", f"RECURRENCE-ID:{day}\r\nRRULE:FREQ=DAILY\r\n") for day in days)
    return calendar(meeting("one", "RRULE:FREQ=DAILY\r\n"), *parts)


def zones_by_the_second(size: int) -> bytes:
    number = min(400, size // 200)
    zones = (
        f"BEGIN:VTIMEZONE\r\nTZID:Zone{n}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\n"
        f"TZOFFSETTO:+0{n % 10}00\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        for n in range(number)
    )
    return calendar(*zones, *(meeting(f"m{n}", zone=f"Zone{n}") for n in range(number)))


def never(size: int) -> bytes:
    rules = (
        "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=2", "FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=2,4,6",
    )  # fmt: skip
    return calendar(*(meeting(f"r{n}", f"RRULE:{rule}\r\n") for n, rule in enumerate(rules)))


def daily_for_ever(size: int) -> bytes:
    return calendar(*(meeting(f"d{n}", "RRULE:FREQ=DAILY\r\n") for n in range(min(5_000, size // 200))))


def many_people(size: int) -> bytes:
    """Series called off, each of 5,000 occurrences that name 500 people."""
    people = "".join(f"ATTENDEE:mailto:p{n}@mill.example\r\n" for n in range(min(500, size // 40)))
    lines = f"STATUS:CANCELLED\r\nRRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(13)))};COUNT=5000\r\n{people}"
    return calendar(*(meeting(f"p{n}", lines) for n in range(max(1, size // 20_000))))


# Files of so many rows cost the account of each row, which is bounded by their number and not by what a reader does.
ROWS = {"from_lines", "quoted_cell", "nested_quotes", "daily_for_ever"}
FILES: dict[str, Callable[[int], bytes]] = {
    one.__name__: one
    for one in (
        semicolons, quotes_in_cc, brackets_in_cc, from_lines, quoted_cell, nested_quotes, changed_parts,
        zones_by_the_second, never, daily_for_ever, many_people,
    )
}  # fmt: skip
