"""Decisions about gatherings, their guests and who was there, without any database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import attendance, gatherings, recurrence, touchpoints
from domain.attendance import Arrival, AttendanceStruck, Attended, CheckIn
from domain.errors import Invalid, NotFound, Refused
from domain.event import Event
from domain.gatherings import (
    MOST_GUESTS,
    CancelGathering,
    EnterGuest,
    Gathering,
    Link,
    PlanGathering,
    check_guest,
    close_link,
    enter,
    evolve,
    open_link,
)
from domain.touchpoints import Reference, TouchpointRecorded, TouchpointStruck

NOW = datetime(2026, 5, 8, 16, tzinfo=UTC)
GATHERING, ANA = UUID(int=1), UUID(int=2)
LINK = Link(UUID(int=3), "aa")
WROTE = EnterGuest(name="Ana", email="ana@example.com", consent=True)


def told(state: Gathering | None, *facts: Event) -> Gathering:
    for fact in facts:
        state = evolve(state, fact)
    assert state is not None
    return state


def weekly(**more: Any) -> Gathering:
    """Since yesterday, two hours each."""
    said: dict[str, Any] = {"title": "a", "channel": "cafe", "starts_at": NOW - timedelta(days=1), "minutes": 120}
    command = PlanGathering(**said | more)
    return told(None, *gatherings.plan(command, gathering_id=GATHERING, time_zone="UTC", currency=None, now=NOW))


def opened(**more: Any) -> Gathering:
    state = weekly(**more)
    return told(state, *open_link(state, link=LINK, anew=False, now=NOW))


def entered(state: Gathering | None, **more: Any) -> list[Event]:
    said: dict[str, Any] = {"contact_id": ANA, "entered": False, "guests": 0, "token_digest": "aa", "now": NOW}
    return enter(WROTE, state, **said | more)


def test_a_link_is_opened_once_rotated_and_closed():
    state = opened()
    assert open_link(state, link=Link(UUID(int=9), "bb"), anew=False, now=NOW) == []
    rotated = told(state, *open_link(state, link=Link(UUID(int=9), "bb"), anew=True, now=NOW))
    assert (rotated.shown_at("aa", now=NOW), rotated.shown_at("bb", now=NOW)) == (False, True)
    closed = told(rotated, *close_link(rotated))
    assert not closed.shown_at("bb", now=NOW)
    assert close_link(closed) == []


@pytest.mark.parametrize("more", [{"open": False}, {"repeats": None, "starts_at": NOW - timedelta(days=3)}])
def test_what_is_not_open_or_over_has_no_page(more: dict[str, Any]):
    with pytest.raises(Refused):
        open_link(weekly(**more), link=LINK, anew=False, now=NOW)


def test_a_guest_is_one_once_and_never_more_than_the_page_holds():
    [fact] = entered(opened())
    assert (fact.personal.name, fact.subjects) == ("Ana", (ANA,))
    assert entered(opened(), entered=True) == []
    assert entered(opened(), entered=True, guests=MOST_GUESTS) == [], "who is one stays one"
    with pytest.raises(Refused):
        entered(opened(), guests=MOST_GUESTS)
    for state in (None, weekly()):
        with pytest.raises(NotFound):
            entered(state)
    with pytest.raises(NotFound):
        entered(opened(), token_digest="bb")


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400), st.booleans())
def test_whatever_is_written_is_judged_in_sentences(name: str, email: str, handle: str, consent: bool):
    faults = check_guest(EnterGuest(name=name, email=email, handle=handle, consent=consent))
    assert all(sentence.endswith(".") for sentence in faults.values())
    assert ("consent" in faults) is not consent
    if not faults:
        assert 0 < len(name.strip()) <= 200
        assert len(handle.strip()) <= 200
        assert "\0" not in name + email + handle


def test_an_occurrence_somebody_was_at_is_not_called_off():
    one = CancelGathering(occurrence=(NOW - timedelta(days=1)).date())
    with pytest.raises(Refused):
        gatherings.cancel(one, weekly(), attended=[ANA], now=NOW)
    state = told(weekly(), *gatherings.cancel(one, weekly(), attended=[], now=NOW))
    assert gatherings.cancel(one, state, attended=[], now=NOW) == []
    with pytest.raises(Invalid):
        gatherings.cancel(CancelGathering(occurrence=date(2026, 5, 9)), state, attended=[], now=NOW)


def test_the_doors_open_three_hours_before():
    one = recurrence.occurrence(weekly().schedule, date(2026, 5, 14))
    assert one is not None
    assert attendance.check_begun(one, now=one.starts_at - timedelta(hours=3)) == one
    with pytest.raises(Refused):
        attendance.check_begun(one, now=one.starts_at - timedelta(hours=3, seconds=1))
    with pytest.raises(Invalid):
        attendance.check_begun(None, now=NOW)


SAID = st.lists(st.tuples(st.sampled_from(("met", "there", "gone")), st.booleans()), max_size=12)


@given(SAID)
def test_the_last_word_counts_and_is_one_touchpoint_or_none(said: list[tuple[str, bool]]):
    """Checked in, taken back, its touchpoint struck by itself in between: what is unstruck is what was said last."""
    one = recurrence.occurrence(weekly().schedule, date(2026, 5, 7))
    assert one is not None
    own: list[Event] = []
    known: dict[UUID, touchpoints.Touchpoint] = {}
    ids: list[UUID] = []
    for word, struck_after in said:
        arrival = Arrival(Reference(contact_id=ANA), met=word == "met", came=word != "gone")
        was: CheckIn | None = attendance.fold(own).get(ANA)
        touchpoint = None if was is None else known.get(was.touchpoint_id)
        facts = attendance.note(arrival, one, was, gathering_id=GATHERING, contact_id=ANA, touchpoint=touchpoint)
        for fact in facts:
            if isinstance(fact, TouchpointRecorded | TouchpointStruck):
                known[fact.touchpoint_id] = touchpoints.evolve(known.get(fact.touchpoint_id), fact)  # type: ignore[assignment]
                ids += [fact.touchpoint_id] if isinstance(fact, TouchpointRecorded) else []
            else:
                assert isinstance(fact, Attended | AttendanceStruck)
                own.append(fact)
        unstruck = [state.recorded.kind for state in known.values() if not state.struck]
        assert unstruck == {"met": ["handshake"], "there": ["attendance"], "gone": []}[word]
        if struck_after:
            known = {who: touchpoints.Touchpoint(state.recorded, struck=True) for who, state in known.items()}
    assert len(set(ids)) == len(ids), "each has an id of its own"


def test_a_person_is_found_as_whoever_they_were_checked_in():
    other, third = uuid4(), uuid4()
    there = {other: CheckIn(UUID(int=7), met=True, present=True, times=1)}
    assert attendance.as_checked_in(ANA, there, {other: ANA}) == other
    assert attendance.as_checked_in(third, there, {other: ANA, third: ANA}) == other
    assert attendance.as_checked_in(third, there, {other: ANA}) == third
    gone = there | {ANA: CheckIn(UUID(int=8), met=True, present=False, times=1)}
    assert attendance.as_checked_in(ANA, gone, {other: ANA}) == other, "who is there comes first"
