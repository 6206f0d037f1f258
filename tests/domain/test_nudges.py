"""When a nudge is suggested, what people answer, and how it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import choosing, nudges
from domain.contacts import ReachNoted
from domain.errors import Invalid, NotFound, Refused
from domain.event import Personal
from domain.examples import ANA, BEN, COFFEE, NUDGE
from domain.nudges import (
    AcceptNudge,
    Candidate,
    DismissNudge,
    FinishNudge,
    Nudge,
    NudgeAccepted,
    NudgeDismissed,
    NudgeDone,
    NudgeExpired,
    NudgeSnoozed,
    NudgeSuggested,
    SnoozeNudge,
    Surroundings,
)
from domain.policy import STANDARD, Place
from domain.touches import Touch

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TENANT = UUID(int=1)
PLACE = Place("US", "UTC")
AROUND = Surroundings(TENANT, "Portland", NOW, PLACE)


def candidate(contact_id: UUID = ANA, **more: Any) -> Candidate:
    known: dict[str, Any] = {
        "score": 40.0,
        "given": 3.0,
        "received": 3.0,
        "online": 6.0,
        "met_at": None,
        "locality": "portland",
        "within_reach": None,
        "closed": False,
        "shared_contacts": 0,
        "touchpoint_ids": (COFFEE,),
    }
    return Candidate(contact_id=contact_id, **known | more)


def nudge(**more: Any) -> Nudge:
    known: dict[str, Any] = {
        "nudge_id": NUDGE,
        "contact_id": ANA,
        "kind": "meet_in_person",
        "state": "suggested",
        "suggested_at": NOW - DAY,
        "expires_at": NOW + 20 * DAY,
    }
    return Nudge(**known | more)


def suggested(*candidates: Candidate, before: tuple[Nudge, ...] = ()) -> list[NudgeSuggested]:
    return choosing.suggest(candidates, before, AROUND)


def test_an_online_friend_within_reach_is_worth_a_meeting():
    [said] = suggested(candidate())
    assert said.contact_id == ANA
    assert said.kind == "meet_in_person"
    assert said.question is None
    assert said.numbers == {
        "score": 40.0, "online_points": 6.0, "given": 3.0, "received": 3.0, "shared_contacts": 0.0,
    }  # fmt: skip
    assert said.touchpoint_ids == (COFFEE,)
    assert said.expires_at == NOW + 21 * DAY
    assert said.propensity == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"score": 24.9},
        {"online": 1.4},
        {"given": 0.2},
        {"received": 0.1},
        {"met_at": NOW - DAY},
        {"closed": True},
        {"locality": "Berlin"},
        {"within_reach": "no"},
        {"within_reach": "unknown", "locality": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_the_trigger_is_needed(change: dict[str, Any]):
    assert suggested(candidate(**change)) == []


def test_the_thresholds_themselves_are_enough():
    assert suggested(candidate(score=25.0, online=1.5, given=0.21, received=0.21))


def test_what_somebody_told_stands_above_the_localities():
    assert suggested(candidate(locality="Berlin", within_reach="yes"))[0].question is None


def test_where_nobody_knows_the_nudge_asks_once():
    nobody_knows = candidate(locality=None)
    assert suggested(nobody_knows)[0].question == "within_reach"
    long_ago = nudge(state="expired", suggested_at=NOW - 200 * DAY, ended_at=NOW - 179 * DAY, asked=True)
    assert suggested(nobody_knows, before=(long_ago,)) == []


@pytest.mark.parametrize(
    ("before", "rested"),
    [
        (nudge(), False),
        (nudge(state="snoozed", suggested_at=NOW - 30 * DAY), False),
        (nudge(state="dismissed", suggested_at=NOW - 61 * DAY, ended_at=NOW - 59 * DAY), False),
        (nudge(state="dismissed", suggested_at=NOW - 80 * DAY, ended_at=NOW - 60 * DAY), True),
        (nudge(state="expired", suggested_at=NOW - 90 * DAY, ended_at=NOW - 61 * DAY), True),
    ],
)
def test_a_kind_rests_for_its_contact(before: Nudge, rested: bool):
    assert bool(suggested(candidate(), before=(before,))) is rested


def test_another_contact_has_a_rest_of_its_own():
    assert [one.contact_id for one in suggested(candidate(ANA), candidate(BEN), before=(nudge(),))] == [BEN]


def people(number: int) -> list[Candidate]:
    return [candidate(UUID(int=100 + n), score=30.0 + n) for n in range(number)]


def of_others(number: int, at: datetime) -> tuple[Nudge, ...]:
    return tuple(nudge(nudge_id=UUID(int=n), contact_id=UUID(int=n), suggested_at=at) for n in range(number))


def test_three_a_day_the_strongest_first():
    assert [one.numbers["score"] for one in suggested(*people(10))] == [39.0, 38.0, 37.0]


def test_who_shares_contacts_comes_before_who_is_stronger():
    weaker = candidate(BEN, score=26.0, shared_contacts=2)
    assert [one.contact_id for one in suggested(candidate(ANA), weaker)] == [BEN, ANA]


def test_what_was_suggested_today_counts_towards_the_day():
    assert len(suggested(*people(5), before=of_others(2, NOW - timedelta(hours=1)))) == 1
    assert suggested(*people(5), before=of_others(3, NOW - timedelta(hours=1))) == []


def test_nine_in_seven_days():
    assert len(suggested(*people(5), before=of_others(8, NOW - 3 * DAY))) == 1
    assert suggested(*people(5), before=of_others(9, NOW - 3 * DAY)) == []
    assert len(suggested(*people(5), before=of_others(9, NOW - 8 * DAY))) == 3


def test_thinking_twice_in_a_period_is_thinking_once():
    assert suggested(candidate())[0].nudge_id == suggested(candidate())[0].nudge_id


def test_two_tenants_have_two_nudges():
    other = choosing.suggest([candidate()], (), Surroundings(UUID(int=2), "Portland", NOW, PLACE))
    assert other[0].nudge_id != suggested(candidate())[0].nudge_id


def touch(direction: str = "mutual") -> Touch:
    return Touch(COFFEE, 20_579, "meeting", direction, "cafe")


def test_a_meeting_after_the_suggestion_is_the_nudge_done():
    done = NudgeDone(nudge_id=NUDGE, contact_id=ANA, touchpoint_id=COFFEE)
    assert nudges.seen_done(nudge(), touch(), NOW, "physical") == [done]
    assert nudges.seen_done(nudge(state="snoozed"), touch("out"), NOW, "physical") == [done]


def test_other_touches_do_not_end_it():
    assert nudges.seen_done(nudge(), touch(), NOW, "virtual") == []
    assert nudges.seen_done(nudge(), touch("in"), NOW, "physical") == []
    assert nudges.seen_done(nudge(), touch(), NOW - 2 * DAY, "physical") == []
    assert nudges.seen_done(nudge(state="dismissed"), touch(), NOW, "physical") == []


def test_what_nobody_did_expires():
    expired = [NudgeExpired(nudge_id=NUDGE, contact_id=ANA)]
    assert nudges.expire(nudge(), candidate(), STANDARD, NOW + 19 * DAY) == []
    assert nudges.expire(nudge(), candidate(), STANDARD, NOW + 20 * DAY) == expired
    assert nudges.expire(nudge(state="accepted"), candidate(), STANDARD, NOW + 20 * DAY) == expired
    assert nudges.expire(nudge(state="done"), candidate(), STANDARD, NOW + 20 * DAY) == []


def test_a_closed_relationship_ends_its_nudge_at_once():
    over = NudgeExpired(nudge_id=NUDGE, contact_id=ANA, because="closed")
    assert nudges.expire(nudge(), candidate(closed=True), STANDARD, NOW) == [over]


def decided(command: nudges.Command, state: Nudge | None) -> list[Any]:
    return list(nudges.decide(command, state, now=NOW))


ACCEPTED = NudgeAccepted(nudge_id=NUDGE, contact_id=ANA)
DISMISSED = NudgeDismissed(nudge_id=NUDGE, contact_id=ANA)


def test_accepting_is_a_fact_once():
    assert decided(AcceptNudge(), nudge()) == [ACCEPTED]
    assert decided(AcceptNudge(), nudge(state="accepted")) == []


def test_the_answer_within_reach_is_a_fact_of_the_contact():
    asked = nudge(asked=True)
    assert decided(AcceptNudge("yes"), asked) == [ReachNoted(contact_id=ANA, within_reach="yes"), ACCEPTED]
    assert decided(AcceptNudge("no"), asked) == [ReachNoted(contact_id=ANA, within_reach="no"), DISMISSED]
    assert decided(AcceptNudge("unknown"), asked) == [ReachNoted(contact_id=ANA, within_reach="unknown"), DISMISSED]


def test_dismissing_is_a_fact_once_with_its_reason_sealed():
    [said] = decided(DismissNudge("too far"), nudge())
    assert said == NudgeDismissed(nudge_id=NUDGE, contact_id=ANA, personal=Personal(note="too far"))
    assert decided(DismissNudge("too far"), nudge(state="dismissed")) == []


def test_a_snooze_ends_within_180_days():
    until = NOW + 180 * DAY
    assert decided(SnoozeNudge(until), nudge()) == [NudgeSnoozed(nudge_id=NUDGE, contact_id=ANA, until=until)]
    for wrong in (NOW, NOW - DAY, until + timedelta(seconds=1)):
        with pytest.raises(Invalid) as error:
            decided(SnoozeNudge(wrong), nudge())
        assert error.value.field == "until"


def test_a_snoozed_nudge_lasts_a_week_past_its_time():
    late = nudges.evolve(nudge(), NudgeSnoozed(nudge_id=NUDGE, contact_id=ANA, until=NOW + 60 * DAY), NOW)
    soon = nudges.evolve(nudge(), NudgeSnoozed(nudge_id=NUDGE, contact_id=ANA, until=NOW + DAY), NOW)
    assert late is not None
    assert soon is not None
    assert late.expires_at == NOW + 67 * DAY
    assert soon.expires_at == NOW + 20 * DAY


@pytest.mark.parametrize("state", ["done", "expired", "dismissed"])
def test_an_ended_nudge_takes_no_other_answer(state: str):
    others = {"done": DismissNudge(), "expired": DismissNudge(), "dismissed": FinishNudge(COFFEE)}
    for command in (AcceptNudge(), SnoozeNudge(NOW + DAY), others[state]):
        with pytest.raises(Refused, match=state):
            decided(command, nudge(state=state))


def test_done_is_done_once():
    assert decided(FinishNudge(COFFEE), nudge()) == [NudgeDone(nudge_id=NUDGE, contact_id=ANA, touchpoint_id=COFFEE)]
    assert decided(FinishNudge(COFFEE), nudge(state="done")) == []


@pytest.mark.parametrize("command", [AcceptNudge(), DismissNudge(), SnoozeNudge(NOW + DAY), FinishNudge(COFFEE)])
def test_there_is_no_answer_to_what_is_not_there(command: nudges.Command):
    with pytest.raises(NotFound):
        decided(command, None)


def test_a_nudge_is_what_its_events_say():
    [said] = suggested(candidate(locality=None))
    state = nudges.evolve(None, said, NOW)
    assert state == Nudge(said.nudge_id, ANA, "meet_in_person", "suggested", NOW, NOW + 21 * DAY, asked=True)
    for event, expected in ((ACCEPTED, "accepted"), (DISMISSED, "dismissed")):
        after = nudges.evolve(state, event, NOW + DAY)
        assert after is not None
        assert (after.state, after.ended_at) == (expected, None if expected == "accepted" else NOW + DAY)
    assert nudges.evolve(None, ACCEPTED, NOW) is None
