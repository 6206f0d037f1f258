"""Calendars: meetings that took place, appointments to come, and everything that is neither."""

from datetime import UTC, datetime

import msgspec
import pytest

from domain.appointments import PlanAppointment, check_plan
from domain.errors import Invalid
from domain.imports import AppointmentRow, Rejected, Row, Skipped, TouchpointRow
from domain.touchpoints import Reference
from infra.imports.formats import FORMATS
from tests.infra.imports.formats.files import READING, file, only, recorded, rows

PEOPLE = (
    "ORGANIZER;CN=The Owner:mailto:owner@bakery.example\n"
    'ATTENDEE;CN="Lopez, Ana";PARTSTAT=ACCEPTED:mailto:ana@example.com\n'
)
PAST = "DTSTART:20260506T150000Z\nDTEND:20260506T160000Z\n"
FUTURE = "DTSTART:20270506T150000Z\nDTEND:20270506T160000Z\n"


def event(lines: str = "", *, when: str = PAST, people: str = PEOPLE, uid: str = "1@x") -> str:
    uid_line = f"UID:{uid}\n" if uid else ""
    return f"BEGIN:VEVENT\n{uid_line}{when}{people}{lines}END:VEVENT\n"


def calendar(*events: str, head: str = "") -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{head}{''.join(events)}END:VCALENDAR\n"


def one(lines: str = "", *, when: str = PAST, people: str = PEOPLE, head: str = "") -> object:
    return only(calendar(event(lines, when=when, people=people), head=head), named="ics")


def made(lines: str = "", *, when: str = PAST, people: str = PEOPLE, head: str = "") -> TouchpointRow:
    outcome = one(lines, when=when, people=people, head=head)
    assert isinstance(outcome, TouchpointRow), outcome
    return outcome


def test_a_past_entry_with_others_is_a_meeting():
    record = made("LOCATION:Café Central\n").record
    assert (record.kind, record.channel, record.direction, record.minutes) == ("meeting", "cafe", "mutual", 60)
    assert record.occurred_at == datetime(2026, 5, 6, 15, tzinfo=UTC)
    assert [(who.email, who.name) for who in record.people] == [("ana@example.com", "Lopez, Ana")]
    assert (record.source, record.source_id) == ("ics", "1@x")


def test_an_entry_to_come_is_an_appointment_and_no_touchpoint():
    outcome = one("LOCATION:Our office\n", when=FUTURE)
    assert isinstance(outcome, AppointmentRow)
    assert (outcome.starts_at, outcome.ends_at) == (
        datetime(2027, 5, 6, 15, tzinfo=UTC), datetime(2027, 5, 6, 16, tzinfo=UTC),
    )  # fmt: skip
    assert (outcome.channel, outcome.cancelled, outcome.source_id) == ("office", False, "1@x")
    assert [who.reference.email for who in outcome.people] == ["ana@example.com"]


@pytest.mark.parametrize(
    ("others", "when", "field"),
    [
        (500, FUTURE, None),
        (501, FUTURE, "with"),
        (1_000, FUTURE, "with"),
        (1, "DTSTART:20270506T150000Z\nDTEND:20270606T150000Z\n", None),
        (1, "DTSTART:20270506T150000Z\nDTEND:20270606T150100Z\n", "ends_at"),
        (1, "DTSTART:20380506T150000Z\nDTEND:20380506T160000Z\n", "starts_at"),
    ],
)
def test_an_entry_to_come_is_taken_or_refused_as_planning_it_would_be(others: int, when: str, field: str | None):
    people = "".join(f"ATTENDEE:mailto:p{n}@example.com\n" for n in range(others))
    starts_at, ends_at = (datetime.strptime(line.partition(":")[2], "%Y%m%dT%H%M%S%z") for line in when.splitlines())
    named = tuple(Reference(email=f"p{n}@example.com") for n in range(others))
    plan = PlanAppointment(starts_at, ends_at, "calendar", named, source="ics", source_id="1@x")
    judged = one(when=when, people=people)
    if field is None:
        check_plan(plan, now=READING.now)
        assert isinstance(judged, AppointmentRow)
    else:
        with pytest.raises(Invalid) as refused:
            check_plan(plan, now=READING.now)
        assert judged == Rejected(refused.value.reason, field=field)
        assert refused.value.field == field


def test_each_occurrence_to_come_with_too_many_is_refused_and_those_that_were_are_meetings():
    people = "".join(f"ATTENDEE:mailto:p{n}@example.com\n" for n in range(501))
    when = "DTSTART:20261120T150000Z\nDTEND:20261120T160000Z\n"
    found = rows(calendar(event("RRULE:FREQ=DAILY;COUNT=5\n", when=when, people=people)), named="ics")
    refused = Rejected("an appointment is with 1 to 500 people", field="with")
    assert [made.record.audience for made in recorded(found)] == [501, 501]
    assert [row.outcome for row in found[2:]] == [refused] * 3


@pytest.mark.parametrize("when", [PAST, FUTURE])
@pytest.mark.parametrize(("lines", "head"), [("STATUS:CANCELLED\n", ""), ("", "METHOD:CANCEL\n")])
def test_a_cancelled_entry_is_an_appointment_called_off(when: str, lines: str, head: str):
    outcome = one(lines, when=when, head=head)
    assert isinstance(outcome, AppointmentRow)
    assert outcome.cancelled


def test_nothing_of_title_and_description_is_in_the_rows():
    [row] = rows(calendar(event("SUMMARY:secret\nDESCRIPTION:secret\nCOMMENT:secret\n")), named="ics")
    assert isinstance(row.outcome, TouchpointRow)
    assert b"secret" not in msgspec.json.encode(row)


@pytest.mark.parametrize(
    ("lines", "kind", "channel"),
    [
        ("", "meeting", "calendar"),
        ("LOCATION:12 Main Street\n", "meeting", "street"),
        ("LOCATION:Acme Inc\\, 3rd floor\n", "meeting", "in-person"),
        ("LOCATION:Online\n", "meeting", "calendar"),
        ("LOCATION:https://us02web.zoom.us/j/123?pwd=x\n", "video_call", "zoom"),
        ("LOCATION:Microsoft Teams Meeting\n", "video_call", "teams"),
        ("LOCATION:https://calls.example.org/room\n", "video_call", "video"),
        ("DESCRIPTION:Join: https://teams.microsoft.com/l/meetup-join/19%3a\n", "video_call", "teams"),
        ("DESCRIPTION:See https://www.example.org/menu\n", "meeting", "calendar"),
        ("X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij\n", "video_call", "meet"),
        ("CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://chat.example.com/1\n", "video_call", "video"),
        ("LOCATION:Café Central\nX-GOOGLE-CONFERENCE:https://meet.google.com/abc\n", "meeting", "meet"),
        ("LOCATION:Café Central\nCONFERENCE;FEATURE=PHONE:tel:+1-412-555-0123\n", "meeting", "cafe"),
    ],
)
def test_where_it_was(lines: str, kind: str, channel: str):
    record = made(lines).record
    assert (record.kind, record.channel) == (kind, channel)


@pytest.mark.parametrize(
    ("lines", "when", "people", "reason"),
    [
        ("", PAST, "", "nobody else"),
        ("", PAST, "ATTENDEE:mailto:owner@bakery.example\n", "nobody else"),
        ("", PAST, "ATTENDEE;CN=Ana:urn:uuid:1\n", "nobody else"),
        ("", PAST, "ATTENDEE;CUTYPE=ROOM:mailto:room@example.com\n", "nobody else"),
        ("", PAST, "ATTENDEE:mailto:x@resource.calendar.google.com\n", "nobody else"),
        ("", PAST, PEOPLE + "ATTENDEE;PARTSTAT=DECLINED:mailto:shop@bakery.example\n", "you declined"),
        ("", PAST, "ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.com\n", "everybody else declined"),
        ("", "DTSTART;VALUE=DATE:20260506\n", PEOPLE, "whole days"),
        ("X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\n", PAST, PEOPLE, "whole days"),
    ],
)
def test_what_is_no_meeting_with_others_is_skipped(lines: str, when: str, people: str, reason: str):
    outcome = one(lines, when=when, people=people)
    assert isinstance(outcome, Skipped), outcome
    assert reason in outcome.reason


def test_an_answer_to_an_invitation_is_skipped():
    assert one(head="METHOD:REPLY\n") == Skipped("an answer to an invitation")


def test_who_declined_was_not_there():
    people = (
        PEOPLE
        + "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com\nATTENDEE;PARTSTAT=TENTATIVE:mailto:cy@example.com\n"
    )
    assert [who.email for who in made(people=people).record.people] == ["ana@example.com", "cy@example.com"]


def test_whoever_invited_us_was_there():
    people = "ORGANIZER;CN=Ana:MAILTO:ana@example.com\nATTENDEE:mailto:owner@bakery.example\n"
    assert [who.email for who in made(people=people).record.people] == ["ana@example.com"]


def test_above_twelve_it_counts_for_nobody_and_is_one_row():
    record = made(people="".join(f"ATTENDEE:mailto:p{n}@example.com\n" for n in range(13))).record
    assert (record.people, record.audience) == ((), 13)


@pytest.mark.parametrize("mark", ["PRIVATE", "CONFIDENTIAL"])
def test_a_private_entry_makes_its_people_private(mark: str):
    assert [who.signs for who in made(f"CLASS:{mark}\n").people] == [("calendar:private",)]


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ("DTSTART:20260506T081500\n", datetime(2026, 5, 6, 15, 15, tzinfo=UTC)),
        ("DTSTART;TZID=Europe/Berlin:20260506T081500\n", datetime(2026, 5, 6, 6, 15, tzinfo=UTC)),
        ("DTSTART;TZID=W. Europe Standard Time:20260506T081500\n", datetime(2026, 5, 6, 6, 15, tzinfo=UTC)),
        ("DTSTART;TZID=Our Own:20260506T081500\n", datetime(2026, 5, 6, 5, 15, tzinfo=UTC)),
    ],
)
def test_times_in_zones(when: str, at: datetime):
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Our Own\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\n"
        "END:STANDARD\nEND:VTIMEZONE\n"
    )
    assert made(when=when, head=zone).record.occurred_at == at


@pytest.mark.parametrize(
    ("when", "lines", "field", "reason"),
    [
        ("", "", "DTSTART", "no time"),
        ("DTSTART:2026\n", "", "DTSTART", "cannot be read"),
        ("DTSTART;TZID=Nowhere/City:20260506T081500\n", "", "DTSTART", "an unknown time zone: Nowhere/City"),
        ("DTSTART:18260506T081500Z\n", "", "DTSTART", "before 1900"),
        ("DTSTART:99990506T081500Z\n", "", "DTSTART", "too far ahead"),
        ("DTSTART:20260506T150000Z\nDTEND:20260506T140000Z\n", "", "DTEND", "ends before"),
        (PAST, "RRULE:FREQ=SECONDLY\n", "RRULE", "not oftener"),
        (PAST, "RRULE:FREQ=YEARLY\n" * 4, "RRULE", "more than 3 rules"),
        (PAST, "RRULE:FREQ=HOURLY;COUNT=3\n", "RRULE", "not oftener"),
        (PAST, "RRULE:FREQ=DAILY;INTERVAL=0\n", "RRULE", "interval"),
        (PAST, "RRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5\n", "RRULE", "24 times a day"),
        (PAST, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n", "RRULE", "no month has"),
        ("DTSTART:20160506T150000Z\n", "RRULE:FREQ=DAILY;BYHOUR=8,9\n", "RRULE", "5,000 occurrences"),
    ],
)
def test_what_is_not_understood_costs_its_entry_alone(when: str, lines: str, field: str, reason: str):
    bad, good = rows(calendar(event(lines, when=when), event(uid="2@x")), named="ics")
    assert isinstance(bad.outcome, Rejected), bad
    assert bad.outcome.field == field
    assert reason in bad.outcome.reason
    assert isinstance(good.outcome, TouchpointRow)


def test_entries_that_do_not_end_or_are_no_text_cost_themselves_alone():
    begun = "BEGIN:VEVENT\nUID:3@x\nDTSTART:20260506T150000Z\n"
    nul = event("LOCATION:a\0b\n", uid="4@x")
    content = calendar(begun, event(), nul, event(uid="5@x"), begun)
    found = rows(content, named="ics")
    assert [row.line for row in found] == [3, 6, 13, 21, 28]
    assert found[0].outcome == Rejected("this entry does not end")
    assert found[2].outcome == Rejected("line 19: a text may not hold NUL characters", column=11)
    assert found[4].outcome == Rejected("this entry does not end")
    assert len(recorded(found)) == 2


def test_an_entry_without_measure_is_rejected():
    people = "".join(f"ATTENDEE;CN={'x' * 900}:mailto:p{n}@example.com\n" for n in range(200))
    long, good = rows(calendar(event(people=people), event(uid="2@x")), named="ics")
    assert isinstance(long.outcome, Rejected)
    assert "longer than 131,072" in long.outcome.reason
    assert isinstance(good.outcome, TouchpointRow)


def test_attachments_and_alarms_are_passed_over():
    attached = "ATTACH;ENCODING=BASE64:" + "A" * 900_000 + "\n " + "A" * 900_000 + "\n"
    alarm = "BEGIN:VALARM\nDTSTART:never\nATTENDEE:mailto:alarm@example.com\nEND:VALARM\n"
    assert [who.email for who in made(attached + alarm).record.people] == ["ana@example.com"]


def test_folded_lines_and_their_ends():
    folded = 'ATTENDEE;CN="Ana\n  Lopez":mailto:ana@exam\n ple.com\n'
    content = calendar(event(people=folded)).replace("\n", "\r\n")
    assert only(content, named="ics").record.people[0].name == "Ana Lopez"


def test_the_highest_sequence_counts_wherever_it_stands():
    new = event("SEQUENCE:2\n", when="DTSTART:20260507T150000Z\n")
    for versions in ([event("SEQUENCE:1\n"), new, event()], [new, event(), event("SEQUENCE:1\n")]):
        found = rows(calendar(*versions), named="ics")
        assert [made.record.occurred_at.day for made in recorded(found)] == [7]
        assert [row.outcome for row in found if isinstance(row.outcome, Skipped)] == [
            Skipped("a later version of this entry stands in this file")
        ] * 2


def test_the_same_entry_twice_is_one_and_two_under_one_id_are_two():
    same, again, other = rows(calendar(event(), event(), event(when="DTSTART:20260508T150000Z\n")), named="ics")
    assert isinstance(same.outcome, TouchpointRow)
    assert again.outcome == Skipped("this entry stands in this file already")
    assert isinstance(other.outcome, TouchpointRow)
    assert other.outcome.record.source_id != same.outcome.record.source_id


def test_several_calendars_in_one_file_have_each_their_own():
    content = calendar(event(), head="METHOD:CANCEL\n") + calendar(event(uid="2@x"))
    first, second = rows(content, named="ics")
    assert isinstance(first.outcome, AppointmentRow)
    assert isinstance(second.outcome, TouchpointRow)


def test_tasks_notes_and_busy_times_are_skipped():
    kinds = ("VTODO", "VJOURNAL", "VFREEBUSY")
    found = rows(calendar(*(f"BEGIN:{kind}\nUID:{kind}\nEND:{kind}\n" for kind in kinds)), named="ics")
    assert [row.line for row in found] == [3, 6, 9]
    assert all(isinstance(row.outcome, Skipped) for row in found)


WEEKLY = (
    "DTSTART;TZID=Europe/Berlin:20261102T100000\nDTEND;TZID=Europe/Berlin:20261102T110000\nRRULE:FREQ=WEEKLY;COUNT=6\n"
)


def days(found: list[Row], kind: type) -> list[str]:
    told = []
    for row in found:
        if isinstance(row.outcome, TouchpointRow) and kind is TouchpointRow:
            told.append(f"{row.outcome.record.occurred_at:%m%d}")
        elif isinstance(row.outcome, AppointmentRow) and kind is AppointmentRow:
            told.append(f"{row.outcome.starts_at:%m%d}")
    return told


def test_a_series_is_its_occurrences_past_and_to_come():
    found = rows(calendar(event("EXDATE;TZID=Europe/Berlin:20261109T100000\n", when=WEEKLY)), named="ics")
    assert days(found, TouchpointRow) == ["1102", "1116"]
    assert days(found, AppointmentRow) == ["1123", "1130", "1207"]
    assert {row.line for row in found} == {3}
    ids = [row.outcome.record.source_id for row in found if isinstance(row.outcome, TouchpointRow)]
    assert ids == ["1@x/20261102T090000Z", "1@x/20261116T090000Z"]


def test_a_changed_occurrence_comes_with_its_own_line():
    changed = event(
        when="RECURRENCE-ID;TZID=Europe/Berlin:20261109T100000\nDTSTART;TZID=Europe/Berlin:20261110T120000\n"
    )
    called_off = event("STATUS:CANCELLED\n", when="RECURRENCE-ID:20261116T090000Z\nDTSTART:20261116T090000Z\n")
    found = rows(calendar(event(when=WEEKLY), changed, called_off), named="ics")
    assert days(found, TouchpointRow) == ["1102", "1110"]
    assert days(found, AppointmentRow) == ["1123", "1130", "1207", "1116"]
    assert [row.line for row in found] == [3, 3, 3, 3, 11, 18]
    moved = found[4].outcome
    assert isinstance(moved, TouchpointRow)
    assert moved.record.source_id == "1@x/20261109T090000Z"


def test_a_series_changed_from_one_day_on_goes_on_as_changed():
    later = event(when="RECURRENCE-ID;RANGE=THISANDFUTURE:20261116T090000Z\nDTSTART:20261116T150000Z\n")
    found = rows(calendar(event(when=WEEKLY), later), named="ics")
    assert days(found, TouchpointRow) == ["1102", "1109", "1116"]
    assert days(found, AppointmentRow) == ["1123", "1130", "1207"]
    ids = [row.outcome.record.source_id for row in found if isinstance(row.outcome, TouchpointRow)]
    assert len(set(ids)) == 3


def test_a_series_long_over_or_far_ahead_is_skipped():
    outcome = one(when="DTSTART:20010506T150000Z\nRRULE:FREQ=WEEKLY;COUNT=6\n")
    assert outcome == Skipped("a series without an occurrence in the last ten years or the next")


def test_a_series_without_end_ends_a_year_ahead():
    found = rows(calendar(event(when="DTSTART:20200106T150000Z\nRRULE:FREQ=MONTHLY;BYDAY=1MO\n")), named="ics")
    assert len(days(found, TouchpointRow)) == 83
    assert 11 <= len(days(found, AppointmentRow)) <= 13


def test_owners_are_who_stands_in_most_entries():
    first, *_ = FORMATS["ics"].owners(file(calendar(event(), event(uid="2", people=PEOPLE.replace("ana@", "bob@")))))
    assert (first.platform, first.handle, first.name, first.rows) == ("email", "owner@bakery.example", "The Owner", 2)


def test_an_entry_without_its_calendar_is_read():
    assert isinstance(only(event(), named="ics"), TouchpointRow)
    assert list(FORMATS["ics"].read(file(""), READING)) == []


@pytest.mark.parametrize("name", ["DTSTART", "DTEND", "STATUS", "LOCATION", "UID", "SEQUENCE"])
def test_what_an_entry_may_say_once_and_says_twice_costs_that_entry_alone(name: str):
    twice = {"DTSTART": "DTSTART:20260507T150000Z", "DTEND": "DTEND:20260506T170000Z", "UID": "UID:2@x"}
    lines = twice.get(name) or f"{name}:1\n{name}:2"
    spoilt, whole = rows(calendar(event(f"{lines}\n"), event(uid="3@x")), named="ics")
    assert spoilt.outcome == Rejected("an entry says this once", field=name)
    assert isinstance(whole.outcome, TouchpointRow)
