"""Choosing: each clause of the policy, each sign that it is enough, and each rule's trigger, as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import choosing, nudges
from domain.contacts import Contact
from domain.errors import Invalid, NotFound
from domain.examples import ANA, BEN, COFFEE, NUDGE
from domain.nudges import (
    RULES,
    Because,
    Candidate,
    Handed,
    MuteNudges,
    Nudge,
    NudgeExpired,
    NudgeMuted,
    NudgeSuggested,
    Surroundings,
)
from domain.policy import KindPolicies, KindPolicy, NudgeKind, Place, Policy
from domain.rhythm import Rhythm
from domain.touches import Touch

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
REFERRAL = UUID(int=77)


def around(**more: Any) -> Surroundings:
    said = {"tenant_id": UUID(int=1), "locality": "Portland", "now": NOW, "place": Place("US", "UTC"), **more}
    return Surroundings(**said)


def beat(**more: Any) -> Rhythm:
    said = {
        "contact_days": 12, "cadence": 14.5, "basis": "own", "silence": 39, "ratio": 2.7, "survival": 0.093,
        "alive": 0.52, "trend": -0.55, "course": "cooling", "status": "overdue",
    }  # fmt: skip
    return Rhythm(**{**said, **more})


def friend(contact_id: UUID = ANA, **more: Any) -> Candidate:
    """Worth meeting, and nothing else."""
    said: dict[str, Any] = {
        "score": 40.0, "stage": 3, "given": 3.0, "received": 3.0, "online": 6.0, "within_reach": "yes",
        "touchpoint_ids": (COFFEE,),
    }  # fmt: skip
    return Candidate(contact_id=contact_id, **said | more)


def silent(contact_id: UUID = ANA, **more: Any) -> Candidate:
    """Worth getting in touch with again, and nothing else."""
    said: dict[str, Any] = {"score": 66.2, "stage": 5, "met_at": NOW - 90 * DAY, "rhythm": beat()}
    return Candidate(contact_id=contact_id, touchpoint_ids=(COFFEE,), **said | more)


def referrer(contact_id: UUID = ANA, *, hours: float = 25, **more: Any) -> Candidate:
    one = Handed(REFERRAL, NOW - timedelta(hours=hours), COFFEE)
    return Candidate(contact_id=contact_id, met_at=NOW - DAY, unthanked=(one,), **more)


def before(**more: Any) -> Nudge:
    said: dict[str, Any] = {
        "nudge_id": NUDGE, "contact_id": ANA, "kind": "meet_in_person", "state": "expired",
        "suggested_at": NOW - 100 * DAY, "expires_at": NOW - 79 * DAY, "ended_at": NOW - 79 * DAY,
    }  # fmt: skip
    return Nudge(**said | more)


def told(*who: Candidate, past: Any = (), **more: Any) -> list[NudgeSuggested]:
    return choosing.suggest(who, past, around(**more))


def kinds(*who: Candidate, past: Any = (), **more: Any) -> list[NudgeKind]:
    return [one.kind for one in told(*who, past=past, **more)]


def test_the_worked_example_is_worth_a_nudge_with_its_numbers():
    [said] = told(silent(), usual_trend=-0.1)
    assert (said.kind, said.priority, said.expires_at) == ("keep_the_rhythm", 2, NOW + 14 * DAY)
    assert said.numbers == {
        "score": 66.2, "cadence_days": 14.5, "silent_days": 39.0, "gaps_as_long": 0.093, "still_alive": 0.52,
        "trend": -0.55, "shared_contacts": 0.0, "usual_trend": -0.1,
    }  # fmt: skip
    assert said.touchpoint_ids == (COFFEE,)
    [as_told] = told(silent(rhythm=beat(basis="told")))
    assert as_told.numbers["as_told"] == 1.0


@pytest.mark.parametrize(
    ("change", "comes"),
    [
        ({}, True),
        ({"score": 35.0}, True),
        ({"score": 34.9}, False),
        ({"rhythm": None}, False),
        ({"rhythm": beat(status="due")}, False),
        ({"rhythm": beat(status="fading")}, False),
        ({"rhythm": beat(status="dormant")}, False),
        ({"rhythm": beat(alive=0.3)}, True),
        ({"rhythm": beat(alive=0.29)}, False),
        ({"booked": True}, False),
        ({"closed": True}, False),
        ({"left_alone": True}, False),
        ({"muted": frozenset({"keep_the_rhythm"})}, False),
        ({"muted": frozenset({"meet_in_person"})}, True),
        ({"strained_at": NOW - 89 * DAY}, False),
        ({"strained_at": NOW - 90 * DAY}, True),
    ],
    ids=str,
)
def test_each_part_of_the_rhythms_trigger_is_needed(change: dict[str, Any], comes: bool):
    assert bool(told(silent(**change))) is comes


@pytest.mark.parametrize(
    ("trend", "usual", "seasonal"),
    [
        (-0.55, None, False),
        (-0.55, -0.1, False),
        (-0.55, -0.5, True),
        (-0.9, -0.5, True),
        (-1.1, -0.5, False),
        (-0.2, -2.0, True),
    ],
)
def test_a_quiet_season_is_no_reason(trend: float, usual: float | None, seasonal: bool):
    """The whole business is quiet, and this relationship hardly quieter than that."""
    assert nudges.is_seasonal(beat(trend=trend), usual) is seasonal
    assert bool(told(silent(rhythm=beat(trend=trend)), usual_trend=usual)) is not seasonal


@pytest.mark.parametrize(
    ("hours", "comes"), [(23.9, False), (24, True), (25, True), (30 * 24, True), (30 * 24 + 1, False)]
)
def test_thanks_are_due_after_a_day_and_no_more_after_a_month(hours: float, comes: bool):
    assert kinds(referrer(hours=hours)) == (["thank_referrer"] if comes else [])


def test_thanks_say_for_which_referral_and_come_once():
    [said] = told(referrer())
    assert (said.referral_id, said.priority, said.expires_at) == (REFERRAL, 1, NOW + 7 * DAY)
    assert (said.numbers, said.touchpoint_ids) == ({"hours": 25.0}, (COFFEE,))
    once = before(kind="thank_referrer", referral_id=REFERRAL, suggested_at=NOW - 20 * DAY, ended_at=NOW - 15 * DAY)
    assert told(referrer(hours=21 * 24), past=[once]) == []
    other = Handed(UUID(int=78), NOW - 2 * DAY, BEN)
    two = Candidate(contact_id=ANA, unthanked=(*referrer(hours=21 * 24).unthanked, other))
    [again] = told(two, past=[once])
    assert again.referral_id == other.referral_id
    assert [one.referral_id for one in told(two)] == [REFERRAL], "the oldest first, one at a time"


def test_an_event_to_which_both_go_is_an_occasion():
    friday = NOW + 9 * DAY
    [said] = told(friend(within_reach=None, occasion_at=friday))
    assert (said.question, said.expires_at) == (None, friday)
    assert told(friend(within_reach=None, occasion_at=NOW + 22 * DAY))[0].question == "within_reach"
    assert [one.contact_id for one in told(friend(ANA, score=80.0), friend(BEN, occasion_at=friday))] == [BEN, ANA]


def test_who_has_an_appointment_ahead_needs_no_nudge_to_meet():
    assert told(friend(booked=True)) == []


def people(number: int, **more: Any) -> list[Candidate]:
    return [friend(UUID(int=100 + n), score=90.0 - n, **more) for n in range(number)]


def sent(number: int, at: datetime, **more: Any) -> list[Nudge]:
    return [
        before(nudge_id=UUID(int=n), contact_id=UUID(int=n), suggested_at=at, state="suggested", ended_at=None, **more)
        for n in range(1, number + 1)
    ]


@pytest.mark.parametrize(
    ("policy", "past", "number"),
    [
        (Policy(), [], 3),
        (Policy(a_day=5), [], 5),
        (Policy(a_day=0), [], 0),
        (Policy(a_week=2), [], 2),
        (Policy(a_week=0), [], 0),
        (Policy(a_day=5), sent(7, NOW - 3 * DAY), 2),
        (Policy(a_day=5), sent(9, NOW - 7 * DAY), 5),
        (Policy(), sent(2, NOW - timedelta(hours=11)), 1),
        (Policy(), sent(2, NOW - timedelta(hours=13)), 3),
    ],
)
def test_the_days_and_the_weeks_cap(policy: Policy, past: list[Nudge], number: int):
    assert len(told(*people(9), past=past, policy=policy)) == number


def test_thanks_may_exceed_the_week_but_not_the_day():
    full = sent(9, NOW - 3 * DAY)
    assert kinds(*people(3), referrer(BEN), past=full) == ["thank_referrer"]
    assert kinds(referrer(BEN), past=sent(3, NOW - timedelta(hours=1))) == []


def test_a_day_is_the_tenants_own():
    """It is nine in the evening before in Honolulu: what was sent after ten the evening before that is of today."""
    midnight = Place("US", "Pacific/Honolulu")
    past = sent(3, NOW - timedelta(hours=3))
    assert told(*people(3), past=past, place=midnight) != []
    assert told(*people(3), past=sent(3, NOW - timedelta(hours=1)), place=midnight) == []


@pytest.mark.parametrize(
    ("past", "comes"),
    [
        (before(state="suggested", ended_at=None), False),
        (before(kind="keep_the_rhythm", suggested_at=NOW - 13.9 * DAY, ended_at=NOW - 13 * DAY), False),
        (before(kind="keep_the_rhythm", suggested_at=NOW - 14 * DAY, ended_at=NOW - 13 * DAY), True),
        (before(suggested_at=NOW - 70 * DAY, ended_at=NOW - 59.9 * DAY), False),
        (before(suggested_at=NOW - 70 * DAY, ended_at=NOW - 60 * DAY), True),
        (before(contact_id=BEN, state="suggested", ended_at=None), True),
    ],
)
def test_one_open_per_contact_one_in_14_days_and_the_kinds_own_rest(past: Nudge, comes: bool):
    assert bool(told(friend(), past=[past])) is comes


@pytest.mark.parametrize(("cadence", "rest"), [(7.0, 14), (14.5, 14.5), (40.0, 40)])
def test_the_rhythms_rest_is_a_cadence_or_14_days(cadence: float, rest: float):
    who = silent(rhythm=beat(cadence=cadence))
    ended = before(kind="keep_the_rhythm", suggested_at=NOW - 60 * DAY, ended_at=NOW - (rest - 0.1) * DAY)
    assert told(who, past=[ended]) == []
    assert told(who, past=[before(kind="keep_the_rhythm", ended_at=NOW - rest * DAY)])


def test_own_rests_and_kinds_switched_off():
    calmer = Policy(rest_days=30, kinds=KindPolicies(meet_in_person=KindPolicy(rest_days=90)))
    assert told(friend(), past=[before(ended_at=NOW - 89 * DAY)], policy=calmer) == []
    assert told(friend(), past=[before(ended_at=NOW - 90 * DAY)], policy=calmer)
    other = before(kind="keep_the_rhythm", suggested_at=NOW - 29 * DAY, ended_at=NOW - 20 * DAY)
    assert told(friend(), past=[other], policy=calmer) == []
    off = Policy(kinds=KindPolicies(meet_in_person=KindPolicy(on=False)))
    assert told(friend(), policy=off) == []
    assert kinds(friend(rhythm=beat()), policy=off) == ["keep_the_rhythm"]


def no(days: float, **more: Any) -> Nudge:
    return before(nudge_id=UUID(int=int(days)), state="dismissed", suggested_at=NOW - (days + 1) * DAY,
                  ended_at=NOW - days * DAY, **more)  # fmt: skip


@pytest.mark.parametrize(
    ("past", "comes"),
    [
        ([no(100)], True),
        ([no(300), no(179)], False),
        ([no(300), no(180)], True),
        ([no(300, kind="keep_the_rhythm"), no(179)], True),
        ([no(300, contact_id=BEN), no(179)], True),
        ([no(300), before(ended_at=NOW - 70 * DAY)], True),
    ],
)
def test_twice_no_to_the_same_is_half_a_year_of_peace(past: list[Nudge], comes: bool):
    assert bool(told(friend(), past=past)) is comes


def answers(dismissed: int, done: int, *, kind: NudgeKind = "meet_in_person") -> list[Nudge]:
    """To other people, long ago, in this order."""
    states = ["dismissed"] * dismissed + ["done"] * done
    return [
        before(
            nudge_id=UUID(int=500 + n), contact_id=UUID(int=500 + n), kind=kind, state=state,
            suggested_at=NOW - (300 - n) * DAY, ended_at=NOW - (299 - n) * DAY,
        )
        for n, state in enumerate(states)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("past", "slow"),
    [
        (answers(9, 0), False),
        (answers(10, 0), True),
        (answers(5, 5), False),
        (answers(6, 4), True),
        (answers(20, 10), False),
        (answers(4, 6), False),
    ],
)
def test_a_kind_of_which_most_are_dismissed_comes_half_as_often(past: list[Nudge], slow: bool):
    assert (choosing.slowed(past) == {"meet_in_person"}) is slow
    said = told(*people(9), past=past, policy=Policy(a_day=9))
    assert len(said) == (5 if slow else 9)
    assert {one.numbers.get("slowed") for one in said} == {1.0 if slow else None}
    rest = choosing.rest_of(RULES["meet_in_person"], friend(), around(), choosing.slowed(past))
    assert rest == (120 if slow else 60) * DAY


def test_another_kind_is_not_slowed_with_it():
    assert kinds(silent(), past=answers(10, 0)) == ["keep_the_rhythm"]


def test_fatigue_counts_halves_and_forgives():
    assert choosing.fatigue([], NOW) == 0
    assert choosing.fatigue(sent(4, NOW), NOW) == 4
    assert choosing.fatigue(sent(4, NOW - 7 * DAY), NOW) == 2
    dismissed = before(state="dismissed", suggested_at=NOW - 7 * DAY, ended_at=NOW)
    done = before(state="done", suggested_at=NOW - 7 * DAY, ended_at=NOW)
    assert choosing.fatigue([dismissed], NOW) == 1.5
    assert choosing.fatigue([done], NOW) == 0, "never below"
    assert choosing.fatigue([*sent(4, NOW - 7 * DAY), done], NOW) == 1.5


def test_who_is_tired_gets_what_is_worth_it():
    """Thirteen dismissed at once weigh more than a meeting is worth, and less than thanks."""
    tired = [
        before(nudge_id=UUID(int=n), contact_id=UUID(int=900 + n), state="dismissed", suggested_at=NOW - DAY,
               ended_at=NOW)
        for n in range(13)
    ]  # fmt: skip
    policy = Policy(a_week=100)
    assert 2.0 < 0.1 * choosing.fatigue(tired, NOW) < 2.5
    assert told(friend(), past=tired, policy=policy) == []
    assert kinds(referrer(), past=tired, policy=policy) == ["thank_referrer"]
    assert kinds(friend(shared_contacts=4), past=tired, policy=policy) == ["meet_in_person"]


def test_a_share_of_the_week_is_for_those_easily_passed_over():
    strong = people(20)
    weak = [friend(UUID(int=300 + n), score=26.0, stage=2) for n in range(5)]
    past: list[Nudge] = []
    for day in range(7):
        now = NOW + day * DAY
        said = told(*strong, *weak, past=past, now=now)
        past += [
            Nudge(
                one.nudge_id, one.contact_id, one.kind, "suggested", now, one.expires_at,
                for_weak="for_weak" in one.numbers,
            )
            for one in said
        ]  # fmt: skip
    assert len(past) == 9
    assert sum(nudge.for_weak for nudge in past) == 3
    assert [nudge.for_weak for nudge in past] == [False] * 6 + [True] * 3


def test_nothing_is_kept_where_nobody_weak_waits():
    assert len(told(*people(20), policy=Policy(a_day=9))) == 9
    one = friend(UUID(int=300), score=26.0, stage=1)
    assert len(told(*people(20), one, policy=Policy(a_day=9))) == 9


@pytest.mark.parametrize(
    ("stage", "shared", "weak"),
    [(0, 0, False), (1, 0, True), (2, 0, True), (3, 0, False), (3, 1, True), (5, 4, True), (5, 5, False)],
)
def test_the_weak_are_those_known_a_little_and_the_bridges(stage: int, shared: int, weak: bool):
    assert choosing.is_weak(friend(stage=stage, shared_contacts=shared), around(people=100)) is weak


def test_two_kinds_about_one_contact_are_one_nudge():
    both = friend(rhythm=beat(), unthanked=referrer().unthanked)
    assert kinds(both) == ["thank_referrer"]


OUT = {"direction": "out", "kind": "email"}


@pytest.mark.parametrize(
    ("kind", "touch", "done"),
    [
        ("keep_the_rhythm", OUT, True),
        ("keep_the_rhythm", {"direction": "mutual", "kind": "meeting"}, True),
        ("keep_the_rhythm", {"direction": "in", "kind": "email"}, False),
        ("keep_the_rhythm", {"direction": "out", "kind": "like"}, False),
        ("keep_the_rhythm", {"direction": "out", "kind": "handshake"}, False),
        ("keep_the_rhythm", OUT | {"automated": True}, False),
        ("thank_referrer", OUT, False),
        ("thank_referrer", OUT | {"act": "thank"}, True),
        ("thank_referrer", {"direction": "in", "kind": "email", "act": "thank"}, False),
        ("thank_referrer", {"direction": "mutual", "kind": "meeting"}, True),
        ("thank_referrer", {"direction": "out", "kind": "call"}, True),
        ("thank_referrer", {"direction": "in", "kind": "call"}, False),
    ],
    ids=str,
)
def test_what_counts_as_done(kind: NudgeKind, touch: dict[str, Any], done: bool):
    open_ = before(kind=kind, state="suggested", suggested_at=NOW - DAY, ended_at=None)
    deed = Touch(COFFEE, 20_579, context="email", **touch)
    assert bool(nudges.seen_done(open_, deed, NOW, "virtual")) is done
    assert nudges.seen_done(open_, deed, NOW - 2 * DAY, "virtual") == [], "before the suggestion"


@pytest.mark.parametrize(
    ("kind", "who", "policy", "because"),
    [
        ("meet_in_person", friend(), Policy(), None),
        ("meet_in_person", friend(met_at=NOW - 9 * DAY), Policy(), "no_longer_needed"),
        ("meet_in_person", friend(closed=True), Policy(), "closed"),
        ("meet_in_person", friend(left_alone=True), Policy(), "left_alone"),
        ("meet_in_person", friend(muted=frozenset({"meet_in_person"})), Policy(), "muted"),
        ("meet_in_person", friend(muted=frozenset({"keep_the_rhythm"})), Policy(), None),
        ("meet_in_person", friend(), Policy(kinds=KindPolicies(meet_in_person=KindPolicy(on=False))), "switched_off"),
        ("keep_the_rhythm", silent(), Policy(), None),
        ("keep_the_rhythm", silent(rhythm=beat(status="dormant")), Policy(), None),
        ("keep_the_rhythm", silent(rhythm=beat(status="in_rhythm")), Policy(), "no_longer_needed"),
        ("keep_the_rhythm", silent(booked=True), Policy(), "no_longer_needed"),
        ("keep_the_rhythm", silent(rhythm=None), Policy(), "no_longer_needed"),
        ("keep_the_rhythm", silent(strained_at=NOW - 89 * DAY), Policy(), "strained"),
        ("keep_the_rhythm", silent(strained_at=NOW - 90 * DAY), Policy(), None),
        ("meet_in_person", friend(strained_at=NOW - DAY), Policy(), None),
        ("thank_referrer", referrer(strained_at=NOW - DAY), Policy(), None),
        ("thank_referrer", referrer(), Policy(), None),
        ("thank_referrer", referrer(hours=800), Policy(), None),
        ("thank_referrer", friend(), Policy(), "no_longer_needed"),
    ],
)
def test_a_nudge_nobody_needs_any_more_ends(kind: NudgeKind, who: Candidate, policy: Policy, because: Because | None):
    open_ = before(
        kind=kind, state="accepted", suggested_at=NOW - DAY, expires_at=NOW + DAY, ended_at=None, referral_id=REFERRAL
    )
    over = [] if because is None else [NudgeExpired(nudge_id=NUDGE, contact_id=ANA, because=because)]
    assert nudges.expire(open_, who, policy, NOW) == over
    assert nudges.expire(open_, None, policy, NOW) == [], "nothing is known of the contact"


def test_muting_is_a_fact_once_and_ends():
    ana, until = Contact(ANA), NOW + 30 * DAY
    fact = NudgeMuted(contact_id=ANA, kind="meet_in_person", until=until)
    assert nudges.mute(MuteNudges("meet_in_person", until), ana, [], now=NOW) == [fact]
    assert nudges.mute(MuteNudges("meet_in_person", until), ana, [fact], now=NOW) == []
    may_come = NudgeMuted(contact_id=ANA, kind="keep_the_rhythm", until=None)
    assert nudges.mute(MuteNudges("keep_the_rhythm", None), ana, [fact], now=NOW) == [may_come]
    assert nudges.mute(MuteNudges("keep_the_rhythm", None), ana, [fact, may_come], now=NOW) == []
    [again] = nudges.mute(MuteNudges("meet_in_person", None), ana, [fact], now=NOW)
    assert again == NudgeMuted(contact_id=ANA, kind="meet_in_person")
    assert nudges.mute(MuteNudges("meet_in_person", until), ana, [fact, again], now=NOW) == [fact]


@pytest.mark.parametrize("until", [NOW, NOW - DAY, NOW + 3_661 * DAY])
def test_a_mute_ends_within_ten_years(until: datetime):
    with pytest.raises(Invalid) as refused:
        nudges.mute(MuteNudges("meet_in_person", until), Contact(ANA), [], now=NOW)
    assert refused.value.field == "until"


def test_nobody_unknown_is_muted():
    with pytest.raises(NotFound):
        nudges.mute(MuteNudges("meet_in_person", None), None, [], now=NOW)


def test_the_urgent_are_those_of_the_catalogue():
    assert {kind for kind, rule in RULES.items() if rule.urgent} == {"thank_referrer"}
    assert {kind: rule.lasts.days for kind, rule in RULES.items()} == {
        "thank_referrer": 7, "meet_in_person": 21, "keep_the_rhythm": 14,
    }  # fmt: skip


def test_two_suggestions_a_rest_apart_are_two_nudges():
    ids = set()
    for days in range(0, 365, 14):
        ids |= {told(silent(), now=NOW + days * DAY)[0].nudge_id}
    assert len(ids) == 27
    assert told(silent())[0].nudge_id == told(silent())[0].nudge_id


def test_who_is_likelier_to_be_met_comes_first():
    """Shared contacts, then an occasion, then the same place; strength only between equals."""
    likely = [
        choosing.promise(5, occasion=False, near=False),
        choosing.promise(1, occasion=True, near=False),
        choosing.promise(1, occasion=False, near=True),
        choosing.promise(1, occasion=False, near=False),
        choosing.promise(0, occasion=False, near=True),
        choosing.promise(0, occasion=False, near=False),
    ]
    assert likely == sorted(likely, reverse=True)
    assert len(set(likely)) == len(likely)


def test_of_two_online_friends_the_one_of_our_town_is_asked_for_first():
    here = friend(contact_id=UUID(int=2), locality="Barcelona", within_reach="yes", score=40.0)
    elsewhere = friend(contact_id=UUID(int=1), locality="Girona", within_reach="yes", score=60.0)
    suggested = choosing.suggest([elsewhere, here], [], around(locality="barcelona"))
    assert suggested[0].contact_id == here.contact_id
