"""Time zones that calendars define: each counts in its own calendar, and none without measure is followed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.imports import Rejected, TouchpointRow
from infra.imports.formats import FORMATS
from infra.imports.formats.zones import Zones, applied
from tests.infra.imports.formats.files import READING, file

YORK = (
    "BEGIN:STANDARD\nDTSTART:16010101T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11\n"
    "END:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n"
    "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\nEND:DAYLIGHT\n"
)


def fixed(offset: str, lines: str = "") -> str:
    return f"BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\n{lines}END:STANDARD\n"


def zone(changes: str, name: str = "Own") -> str:
    return f"BEGIN:VTIMEZONE\nTZID:{name}\n{changes}END:VTIMEZONE\n"


def calendar(changes: str, name: str = "Own", *, named: str | None = None, uid: object = 1) -> str:
    return (
        f"BEGIN:VCALENDAR\n{zone(changes, name)}BEGIN:VEVENT\nUID:{uid}\nDTSTART;TZID={named or name}:20260506T100000\n"
        "ATTENDEE:mailto:ana@example.com\nEND:VEVENT\nEND:VCALENDAR\n"
    )


def hours(content: str) -> list[int]:
    found = [row.outcome for row in FORMATS["ics"].read(file(content), READING)]
    return [outcome.record.occurred_at.hour for outcome in found if isinstance(outcome, TouchpointRow)]


def test_a_zone_counts_in_its_own_calendar_whatever_was_read_before():
    one, other = calendar(fixed("+0300")), calendar(fixed("-0400"), uid=2)
    assert [hours(one), hours(other), hours(one), hours(one + other)] == [[7], [14], [7], [7, 14]]


def test_two_files_read_in_turns_have_each_their_own():
    several = ["".join(calendar(fixed(f"+0{n}00"), uid=uid) for uid in range(3)) for n in (1, 5)]
    readers = [FORMATS["ics"].read(file(content), READING) for content in several]
    turns = [[next(reader).outcome for reader in readers] for _ in range(3)]
    told = [[one.record.occurred_at.hour for one in turn if isinstance(one, TouchpointRow)] for turn in turns]
    assert told == [[9, 5]] * 3


def test_a_zone_that_a_calendar_does_not_define_is_unknown_though_another_did():
    assert hours(calendar(fixed("+0300"))) == [7]
    [row] = FORMATS["ics"].read(file(calendar(fixed("+0300"), "Other", named="Own")), READING)
    assert row.outcome == Rejected("an unknown time zone: Own", field="DTSTART")


def test_a_zone_everybody_knows_is_that_whatever_a_calendar_says_of_it():
    assert hours(calendar(fixed("+0900"), "Europe/Berlin")) == [8]


@settings(deadline=None, max_examples=50)
@given(st.datetimes(datetime(2008, 1, 1), datetime(2036, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_zone_that_changes_twice_a_year_is_that_of_the_place(at: datetime):
    zones = Zones()
    zones.define(zone(YORK))
    with applied(zones):
        own = zones.timezone("Own")
    assert own is not None
    told = at.replace(tzinfo=UTC).astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert told.replace(tzinfo=own).utcoffset() == told.replace(tzinfo=ZoneInfo("America/New_York")).utcoffset()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (fixed("+0300", "RRULE:FREQ=SECONDLY\n"), "once a year"),
        (fixed("+0300", "RRULE:FREQ=MONTHLY\n"), "once a year"),
        (fixed("+0300", "RRULE:FREQ=YEARLY;INTERVAL=0\n"), "once a year"),
        (fixed("+0300", "RRULE:FREQ=YEARLY;BYWEEKNO=53\n"), "told by their month"),
        (fixed("+0300", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n"), "no month has"),
        (fixed("+0300", "RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=9MO\n"), "never comes"),
        (fixed("+0300", "RRULE:FREQ=YEARLY\n" * 2), "one rule at a time"),
        (fixed("+0300", "EXDATE:19710101T000000\n"), "exceptions"),
        (fixed("+0300") * 101, "more than 100 changes"),
        (fixed("+0300", f"RDATE:{','.join(['19710101T000000'] * 1_001)}\n"), "more than 1,000 dates"),
        (fixed("+0300", "RRULE:FREQ=YEARLY;BYMONTH=1\n") * 90 + YORK, None),
        ("BEGIN:STANDARD\nEND:STANDARD\n", "cannot be read"),
    ],
)
def test_a_zone_without_measure_costs_the_entries_that_name_it(changes: str, reason: str | None):
    [row] = FORMATS["ics"].read(file(calendar(changes)), READING)
    if reason is None:
        assert isinstance(row.outcome, TouchpointRow)
    else:
        assert isinstance(row.outcome, Rejected)
        assert reason in row.outcome.reason


def test_an_entry_may_name_a_zone_in_any_length_and_with_any_slashes_and_is_read_in_none():
    for name in ("x" * 5_000, "/a" * 300, "/" * 5_000):
        [row] = FORMATS["ics"].read(file(calendar(fixed("+0300"), named=name)), READING)
        assert isinstance(row.outcome, Rejected)
        assert "an unknown time zone" in row.outcome.reason
