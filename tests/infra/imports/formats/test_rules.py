"""Rules of series: refused where they could be followed for ever, and counted in what a whole file may take."""

from datetime import date, datetime

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar.prop import vRecur

from domain.errors import Invalid
from domain.imports import AppointmentRow, Rejected, Skipped, TouchpointRow
from infra.imports.formats import rules
from infra.imports.formats.recurrences import Allowance
from tests.infra.imports.formats.files import rows

ANA = "ATTENDEE:mailto:ana@example.com\n"


def entry(lines: str, *, begins: str = "20250506T150000Z", uid: str = "1") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:{begins}\n{ANA}{lines}\nEND:VEVENT\n"


def calendar(*entries: str) -> str:
    return f"BEGIN:VCALENDAR\n{''.join(entries)}END:VCALENDAR\n"


@pytest.mark.parametrize(
    ("rule", "begins"),
    [
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6", "20250506T150000Z"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "20250506T150000Z"),
        ("FREQ=YEARLY;BYYEARDAY=366;INTERVAL=4", "20170506T150000Z"),
        ("FREQ=YEARLY;BYYEARDAY=100;BYMONTH=7", "20170506T150000Z"),
        ("FREQ=YEARLY;BYMONTH=6;BYDAY=6MO", "20250506T150000Z"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;INTERVAL=100", "20250506T150000Z"),
        ("FREQ=YEARLY;BYEASTER=0", "20250506T150000Z"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=300", "20250506T150000Z"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;BYSETPOS=2", "20250506T150000Z"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=2", "20250131T150000Z"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31", "20250206T150000Z"),
        ("FREQ=MONTHLY;BYMONTH=13", "20250506T150000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "20250506T150000Z"),
        (f"FREQ=YEARLY;BYDAY={','.join(['MO'] * 101)}", "20250506T150000Z"),
        (f"FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;BYSETPOS={','.join(['1'] * 101)}", "20250506T150000Z"),
    ],
)
def test_a_rule_that_meets_no_day_costs_its_entry_alone(rule: str, begins: str):
    bad, good = rows(calendar(entry(f"RRULE:{rule}", begins=begins), entry("", uid="2")), named="ics")
    assert isinstance(bad.outcome, Rejected), bad
    assert bad.outcome.field == "RRULE"
    assert (bad.line, isinstance(good.outcome, TouchpointRow)) == (2, True)


@pytest.mark.parametrize(
    ("rule", "begins", "count"),
    [
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "19961105T150000Z", 3),  # RFC 5545
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512T150000Z", 10),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "20000229T150000Z", 2),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "19970902T150000Z", 18),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "20260101T150000Z", 11),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=31", "20250131T150000Z", 6),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "20260131T150000Z", 10),
        ("FREQ=WEEKLY;UNTIL=99991231T000000Z", "20261001T150000Z", 8),
        ("FREQ=DAILY;COUNT=1000000000", "20261120T150000Z", 2),
    ],
)
def test_rules_that_people_have_are_followed(rule: str, begins: str, count: int):
    found = rows(calendar(entry(f"RRULE:{rule}", begins=begins)), named="ics")
    assert sum(isinstance(row.outcome, TouchpointRow) for row in found) == count, found
    assert not any(isinstance(row.outcome, Rejected) for row in found)


RULES = st.builds(
    lambda frequency, parts: ";".join([f"FREQ={frequency}", *parts]),
    st.sampled_from(["MONTHLY", "YEARLY", "WEEKLY"]),
    st.lists(
        st.one_of(
            st.integers(1, 12).map("BYMONTH={}".format),
            st.integers(-31, 31).filter(bool).map("BYMONTHDAY={}".format),
            st.sampled_from(["MO", "SU", "1MO", "5FR", "-1TU"]).map("BYDAY={}".format),
            st.integers(1, 5).map("BYSETPOS={}".format),
            st.integers(1, 30).map("INTERVAL={}".format),
        ),
        max_size=4,
        unique_by=lambda part: part.partition("=")[0],
    ),
)


@settings(deadline=None, max_examples=40)
@given(RULES, st.dates(date(1980, 1, 1), date(2027, 1, 1)))
def test_a_rule_meets_a_day_in_its_own_years_where_it_does_in_the_last_there_are(rule: str, begins: date):
    read = vRecur.from_ical(rule)
    try:
        rules.check(rules.told(read))
    except Invalid:
        return
    at = datetime(begins.year, begins.month, begins.day)  # noqa: DTZ001 - days, not moments
    first = next(iter(rrulestr(rule, dtstart=at)), None)
    if rules.meets_a_day(read, begins) is None:
        assert first is None or first.year - begins.year >= 12
    else:
        assert first is not None
        assert first.year - begins.year < 40


def test_what_the_series_of_a_file_take_together_has_an_end():
    allowance = Allowance(occurrences=10, cost=1_000)
    allowance.take(occurrences=10, cost=1_000)
    with pytest.raises(Invalid, match="have together more than"):
        allowance.take(occurrences=1)
    with pytest.raises(Invalid, match="have together more than"):
        allowance.check()
    with pytest.raises(Invalid, match="more work"):
        Allowance(occurrences=10, cost=1).take(cost=2)


def of_many(people: int, *, count: int, uid: str) -> str:
    """A series called off: each of its rows names all of its people."""
    named = "".join(f"ATTENDEE:mailto:p{n}@example.com\n" for n in range(people - 1))
    return entry(f"STATUS:CANCELLED\nRRULE:FREQ=DAILY;COUNT={count}\n{named}", begins="20170506T150000Z", uid=uid)


def test_a_series_whose_rows_name_too_many_people_costs_itself_alone():
    bad, *good = rows(
        calendar(of_many(500, count=1_001, uid="1"), of_many(500, count=1_000, uid="2"), entry("", uid="3")),
        named="ics",
    )
    assert bad.outcome == Rejected(
        "the occurrences of this series name together more than 500,000 people", field="RRULE"
    )
    assert [type(row.outcome) for row in good] == [AppointmentRow] * 1_000 + [TouchpointRow]


def test_an_occurrence_of_many_people_is_several_of_those_a_file_may_have():
    several = [of_many(400, count=1_000, uid=str(n)) for n in range(3)]
    *good, bad = rows(calendar(*several), named="ics")
    assert [type(row.outcome) for row in good] == [AppointmentRow] * 2_000
    assert isinstance(bad.outcome, Rejected)
    assert "more than 100,000 occurrences; one with many people counts once for each 10 of them" in bad.outcome.reason


@pytest.mark.parametrize(
    ("lines", "field", "reason"),
    [
        (f"RDATE:{','.join(['20260506T150000Z'] * 5_001)}", "RDATE", "more than 5,000 dates"),
        ("RRULE:FREQ=DAILY\nDURATION:P900000D", "RRULE", "longer than a year"),
        ("RRULE:FREQ=DAILY\nDTEND:20990101T000000Z", "RRULE", "longer than a year"),
    ],
)
def test_a_series_without_measure_costs_its_entry_alone(lines: str, field: str, reason: str):
    bad, good = rows(calendar(entry(lines), entry("", uid="2")), named="ics")
    assert isinstance(bad.outcome, Rejected), bad
    assert (bad.outcome.field, isinstance(good.outcome, TouchpointRow)) == (field, True)
    assert reason in bad.outcome.reason


def test_a_series_that_begins_after_the_window_or_ended_before_it_is_not_followed():
    for lines, begins in (
        ("RRULE:FREQ=DAILY", "21500101T000000Z"),
        ("RRULE:FREQ=DAILY;UNTIL=19500101T000000Z", "19100101T000000Z"),
    ):
        [row] = rows(calendar(entry(lines, begins=begins)), named="ics")
        assert row.outcome == Skipped("a series without an occurrence in the last ten years or the next")


def test_more_parts_than_a_series_can_have_cost_the_series_and_not_the_parts():
    parts = "".join(entry(f"RECURRENCE-ID:20250506T{n // 60:02}{n % 60:02}00Z") for n in range(1_001))
    series, *changed = rows(calendar(entry("RRULE:FREQ=DAILY;COUNT=3"), parts), named="ics")
    assert series.outcome == Rejected("more than 1,000 occurrences of this series are changed by themselves")
    assert len([row for row in changed if isinstance(row.outcome, TouchpointRow)]) == 1_001


def test_a_series_of_whole_days_is_one_row_however_many_there_are():
    birthdays = [entry("RRULE:FREQ=YEARLY", uid=str(n)) for n in range(1_200)]
    birthdays = [one.replace("DTSTART:20250506T150000Z", "DTSTART;VALUE=DATE:19500506") for one in birthdays]
    *skipped, series = rows(calendar(*birthdays, entry("RRULE:FREQ=DAILY;COUNT=1", uid="x")), named="ics")
    assert {row.outcome for row in skipped} == {Skipped("an entry for whole days, no meeting")}
    assert (len(skipped), isinstance(series.outcome, TouchpointRow)) == (1_200, True)
