"""Referrals: made once, their fate folded by when things happened, whatever order they were told in."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import referrals
from domain.errors import Invalid, NotFound, Refused
from domain.examples import ANA, BEN, NOON, REFERRAL
from domain.money import CurrencySettled, Money
from domain.referrals import Fact, Fate, MakeReferral, Referral, ReferralMade, ReferralThanked, ReferralWon, TellOutcome
from domain.touches import measure
from domain.touchpoints import Reference, TouchpointRecorded


def made(**more: Any) -> ReferralMade:
    command = MakeReferral(
        **{
            "direction": "received",
            "referrer": Reference(contact_id=ANA),
            "prospect": Reference(contact_id=BEN),
            "by_way_of": "chamber",
            "heat": 4,
            **more,
        }
    )
    *_, fact = referrals.make(command, referral_id=REFERRAL, referrer_id=ANA, prospect_id=BEN)
    assert isinstance(fact, ReferralMade)
    return fact


def at(day: float) -> datetime:
    return NOON + timedelta(days=day)


def facts(*told: tuple[Any, ...]) -> list[Fact]:
    """(outcome, day, value), in the order they were told."""
    return [
        Fact(outcome, at(day), order, value=Money(f"{value[0]}.00", "EUR") if value else None)
        for order, (outcome, day, *value) in enumerate(told)
    ]


def tell(outcome: str, referral: Referral | None, *, day: float = 1, **more: Any) -> list[Any]:
    rules = {"struck": more.pop("struck", ()), "currency": more.pop("counts_in", None)}
    command = TellOutcome(outcome=outcome, **more)  # type: ignore[arg-type]
    referrals.check_outcome(command, now=at(100))
    return list(referrals.tell(command, referral, outcome_id=uuid4(), occurred_at=at(day), **rules))


def after(*told: tuple[Any, ...], **more: Any) -> Referral:
    return Referral(made(**more), NOON, tuple(facts(*told)))


def test_making_one_is_a_touchpoint_with_the_referrer():
    command = MakeReferral(
        "received", Reference(contact_id=ANA), Reference(contact_id=BEN), "chamber", note="needs bread"
    )
    touchpoint, fact = referrals.make(command, referral_id=REFERRAL, referrer_id=ANA, prospect_id=BEN)
    assert isinstance(touchpoint, TouchpointRecorded)
    assert (touchpoint.kind, touchpoint.direction, touchpoint.contact_ids, touchpoint.act) == (
        "referral", "in", (ANA,), None,
    )  # fmt: skip
    assert isinstance(fact, ReferralMade)
    assert fact.touchpoint_id == touchpoint.touchpoint_id
    assert fact.subjects == (ANA, BEN), "what is said of the prospect goes with either of them"
    assert (fact.personal.note, touchpoint.personal.note) == ("needs bread", None)


def test_one_we_gave_is_an_act_of_giving():
    command = MakeReferral("given", Reference(contact_id=ANA), Reference(contact_id=BEN), "chamber")
    [touchpoint, _] = referrals.make(command, referral_id=REFERRAL, referrer_id=ANA, prospect_id=BEN)
    assert isinstance(touchpoint, TouchpointRecorded)
    assert (touchpoint.direction, touchpoint.act) == ("out", "give")


def test_nobody_refers_themselves():
    command = MakeReferral("received", Reference(contact_id=ANA), Reference(email="ana@example.com"), "chamber")
    with pytest.raises(Invalid) as refused:
        referrals.make(command, referral_id=REFERRAL, referrer_id=ANA, prospect_id=ANA)
    assert refused.value.field == "prospect"


@pytest.mark.parametrize(
    ("told", "status", "since", "value"),
    [
        ([], "open", None, None),
        ([("contacted", 1)], "contacted", None, None),
        ([("met", 3), ("contacted", 1)], "met", None, None),
        ([("met", 1), ("contacted", 3)], "met", None, None),
        ([("won", 5, 100)], "won", 5, 100),
        ([("won", 5, 100), ("met", 7)], "won", 5, 100),
        ([("won", 5, 100), ("won", 9, 80)], "won", 5, 80),
        ([("won", 9, 100), ("won", 5, 80)], "won", 5, 80),
        ([("won", 5, 100), ("won", 9)], "won", 5, 100),
        ([("won", 5), ("won", 9, 80)], "won", 5, 80),
        ([("won", 5, 100), ("lost", 6)], "lost", 6, None),
        ([("lost", 6), ("won", 5, 100)], "lost", 6, None),
        ([("lost", 5), ("won", 5, 100)], "won", 5, 100),
        ([("won", 5, 100), ("lost", 5)], "lost", 5, None),
        ([("won", 5, 100), ("lost", 6), ("won", 7, 90)], "won", 7, 90),
        ([("lost", 5), ("lost", 7)], "lost", 5, None),
    ],
)
def test_its_fate(told: list[tuple[Any, ...]], status: str, since: int | None, value: int | None):
    came = referrals.fate(facts(*told))
    assert came.status == status
    assert came.decided_at == (None if since is None else at(since))
    assert came.value == (None if value is None else Money(f"{value}.00", "EUR"))


def test_winning_is_contact_and_thanks_are_a_matter_of_their_own():
    came = referrals.fate(facts(("thanked", 1), ("won", 3, 5)))
    assert (came.status, came.contacted_at, came.met_at, came.thanked_at) == ("won", at(3), None, at(1))


def test_struck_thanks_are_no_thanks():
    fact = Fact("thanked", at(2), 1, touchpoint_id=REFERRAL)
    assert referrals.fate([fact]).thanked_at == at(2)
    assert referrals.fate([fact], struck={REFERRAL}) == Fate()


OUTCOMES = st.lists(
    st.builds(
        Fact,
        outcome=st.sampled_from(["contacted", "met", "won", "lost", "thanked"]),
        occurred_at=st.integers(0, 4).map(at),
        order=st.just(0),
        value=st.none() | st.sampled_from([Money("1.00", "EUR"), Money("2.00", "EUR")]),
    ),
    max_size=8,
)


@given(OUTCOMES, st.randoms(use_true_random=False))
def test_any_order_of_arrival_ends_in_the_same_fate(told: list[Fact], chance: Any):
    numbered = [
        Fact(fact.outcome, fact.occurred_at, order, fact.value if fact.outcome == "won" else None)
        for order, fact in enumerate(told)
    ]
    shuffled = list(numbered)
    chance.shuffle(shuffled)
    assert referrals.fate(shuffled) == referrals.fate(numbered)
    assert referrals.conversion(REFERRAL, "chamber", shuffled) == referrals.conversion(REFERRAL, "chamber", numbered)


@given(OUTCOMES)
def test_what_was_told_twice_changes_nothing(told: list[Fact]):
    referral = after()
    for fact in told:
        more = {"value": "1.00", "currency": "EUR"} if fact.outcome == "won" and fact.value else {}
        command = TellOutcome(outcome=fact.outcome, **more)
        for again in (False, True):
            said = referrals.tell(command, referral, outcome_id=uuid4(), occurred_at=fact.occurred_at, currency="EUR")
            assert not (again and said)
            for event in said:
                referral = (
                    referrals.evolve(referral, event, fact.occurred_at, order=len(referral.facts) + 1) or referral
                )


def test_won_is_told_with_its_value_and_settles_the_currency():
    settled, won = tell("won", after(), value="1250", currency="EUR")
    assert settled == CurrencySettled(currency="EUR")
    assert isinstance(won, ReferralWon)
    assert won.value == Money("1250.00", "EUR")
    [again] = tell("won", after(("won", 1, 10)), value="20", currency="EUR", counts_in="EUR")
    assert again.value == Money("20.00", "EUR")
    with pytest.raises(Refused, match="counts in EUR"):
        tell("won", after(), value="5", currency="USD", counts_in="EUR")


def test_thanking_is_a_touchpoint_of_the_given_kind():
    touchpoint, thanked = tell("thanked", after(), kind="call", minutes=10, note="so kind")
    assert isinstance(thanked, ReferralThanked)
    assert (touchpoint.kind, touchpoint.act, touchpoint.direction, touchpoint.channel, touchpoint.minutes) == (
        "call", "thank", "out", "chamber", 10,
    )  # fmt: skip
    assert touchpoint.contact_ids == thanked.subjects == (ANA,)
    assert touchpoint.personal.note == "so kind"
    assert thanked.touchpoint_id == touchpoint.touchpoint_id
    [plain, _] = tell("thanked", after(direction="given"), channel="cafe")
    assert (plain.kind, plain.direction, plain.channel) == ("chat", "in", "cafe"), "they thanked us"


def test_what_is_not_there_or_was_taken_back_takes_no_outcome():
    with pytest.raises(NotFound):
        tell("won", None)
    with pytest.raises(Refused, match="taken back"):
        tell("won", after(), struck={made().touchpoint_id})


def test_no_outcome_lies_before_the_day_of_the_referral():
    assert tell("contacted", after(), day=-0.4)
    with pytest.raises(Invalid) as refused:
        tell("contacted", after(), day=-1)
    assert refused.value.field == "occurred_at"


@pytest.mark.parametrize(
    ("outcome", "more", "field"),
    [
        ("met", {"value": "5", "currency": "EUR"}, "value"),
        ("lost", {"currency": "EUR"}, "currency"),
        ("won", {"value": "-5", "currency": "EUR"}, "value"),
        ("won", {"value": "5"}, "currency"),
        ("won", {"kind": "call"}, "kind"),
        ("met", {"minutes": 5}, "minutes"),
        ("contacted", {"channel": "cafe"}, "channel"),
        ("thanked", {"channel": "In The Café"}, "channel"),
        ("thanked", {"kind": "complaint"}, "kind"),
        ("won", {"occurred_at": at(200)}, "occurred_at"),
    ],
)
def test_each_outcome_takes_its_own_fields(outcome: Any, more: dict[str, Any], field: str):
    with pytest.raises(Invalid) as refused:
        referrals.check_outcome(TellOutcome(outcome=outcome, **more), now=at(100))
    assert refused.value.field == field


def test_a_won_one_adds_advocacy_and_no_points():
    found = referrals.conversion(REFERRAL, "chamber", facts(("won", 5, 100), ("won", 9, 80)))
    assert found is not None
    worth = measure(found.touch)
    assert worth is not None
    assert (worth.points, worth.advocacy, found.occurred_at) == (0, 2, at(5))
    assert referrals.conversion(REFERRAL, "chamber", facts(("won", 5), ("lost", 6))) is None


def test_ids_of_touchpoints_are_known_from_the_referral():
    assert referrals.touchpoint_of(REFERRAL) == referrals.touchpoint_of(UUID(str(REFERRAL)))
    assert referrals.touchpoint_of(REFERRAL) != REFERRAL
