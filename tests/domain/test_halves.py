"""The two halves: each row of the overlap worked out by hand over a few people."""

from datetime import timedelta
from math import exp, log
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import halves
from domain.channels import Channel, Realm
from domain.estimates import Mean, Wait
from domain.examples import NOON
from domain.halves import Acts, Blend, Bridging, Feed, Mover, Onward, Somebody
from domain.nudges import Candidate, Surroundings
from domain.policy import Place
from domain.relationships import Experience, day_of, fold
from domain.touches import Touch

DAY = timedelta(days=1)
REALMS: dict[str, Realm] = {"email": "virtual", "linkedin": "virtual", "cafe": "physical", "chamber": "physical"}
AROUND = Surroundings(UUID(int=0), "Portland", NOON, Place("US", "America/Los_Angeles"))


def one(number: int = 1, **more: Any) -> Somebody:
    return Somebody(contact_id=UUID(int=number), **more)


def met(number: int, *ways: tuple[str, float], **more: Any) -> Somebody:
    """Met first in each of these channels, so many days ago."""
    return one(number, firsts={slug: NOON - ago * DAY for slug, ago in ways}, **more)


@pytest.mark.parametrize(
    ("online", "in_person", "half"),
    [
        (0, 0, "quiet"),
        (0.35, 0.35, "quiet"),
        (0.36, 0.35, "online_only"),
        (0.35, 0.36, "in_person_only"),
        (0.36, 9, "blended"),
    ],
)
def test_a_half_is_active_from_three_tenths_on(online: float, in_person: float, half: str):
    """1 - exp(-0.3567) is 0.3."""
    assert -log(0.7) == pytest.approx(0.3567, abs=1e-4)
    assert halves.active_half(online, in_person) == half


def test_what_a_state_says_of_both_halves():
    """A coffee (3 points, depth 2) and two mails (0.7 each), 180 days ago: half of the points is left."""
    day = day_of(NOON) - 180
    told = [("meeting", "cafe", "mutual"), ("email", "email", "out"), ("email", "email", "in")]
    touches = [Touch(UUID(int=n), day, kind, direction, slug) for n, (kind, slug, direction) in enumerate(told)]
    state = fold([Experience(touch, NOON - 180 * DAY) for touch in touches])
    seen = halves.standing(state.strength, REALMS, day_of(NOON))
    assert (seen.in_person, seen.online) == pytest.approx((1.5, 0.7))
    assert seen.depth == pytest.approx(1 - exp(-(2 ** (-180 / 730)) / 6))
    assert seen.two_way, "(1.5 + 0.7)/2 points each"
    assert not halves.standing(state.strength, REALMS, day_of(NOON) + 600).two_way


def test_the_blended_share_is_of_those_who_count():
    people = [
        one(1, score=15, stage=2, online=1, in_person=1),
        one(2, score=60, stage=4, online=1, in_person=0.1),
        one(3, score=14.9, stage=2, online=5, in_person=5),
        one(4, score=40, stage=2, online=2, in_person=2),
    ]
    assert halves.blend(people) == Blend(2, 3)
    assert halves.blend(people).share == pytest.approx(2 / 3)
    assert halves.blend_by_stage(people) == {2: Blend(2, 2), 4: Blend(0, 1)}
    assert halves.blend([]).share is None


def test_by_facts_both_were_met_by_then():
    people = [met(1, ("email", 200), ("cafe", 30)), met(2, ("email", 200)), met(3, ("cafe", 10)), one(4)]
    assert halves.both_by(people, REALMS, NOON) == Blend(1, 3)
    assert halves.both_by(people, REALMS, NOON - 90 * DAY) == Blend(0, 2)


def test_the_headline_is_the_share_met():
    people = [one(n, half="both") for n in range(16)] + [one(50 + n, half="online_only") for n in range(9)]
    found = halves.met([*people, one(90, half="in_person_only"), one(91)])
    assert halves.headline(found) == "You have met 64 % of the 25 people you know online."
    assert halves.headline(halves.met([])) == "You know nobody online yet."
    assert halves.headline(Blend(0, 1)) == "You have not met the one person you know online."


def who(number: int, **more: Any) -> Candidate:
    said = {"score": 40.0, "online": 2.0, "given": 1.0, "received": 1.0, **more}
    return Candidate(contact_id=UUID(int=number), **said)


def test_the_next_to_move_by_the_triggers_of_the_nudges():
    near, nobody_knows = {"within_reach": "yes"}, {"within_reach": None}
    candidates = [
        (who(1, **near), "online_only"),
        (who(2, **nobody_knows), "online_only"),
        (who(3, within_reach="no"), "online_only"),
        (who(4, **near, score=24.9), "online_only"),
        (who(5, **near, received=0.1), "online_only"),
        (who(6, **near, booked=True), "online_only"),
        (who(7, met_at=NOON - 2 * DAY, score=2.0), "in_person_only"),
        (who(8, met_at=NOON - 30 * DAY, score=2.0), "in_person_only"),
        (who(9, met_at=NOON - 30 * DAY, shared_contacts=4), "in_person_only"),
        (who(10, **near, closed=True), "online_only"),
        (who(11, **near, left_alone=True), "online_only"),
        (who(12, **near, met_at=NOON), "both"),
    ]
    found = halves.movers(candidates, AROUND)  # type: ignore[arg-type]
    assert [(mover.contact_id.int, mover.to, mover.fresh, mover.ask_reach) for mover in found] == [
        (7, "online", True, False),
        (9, "online", False, False),
        (1, "in_person", False, False),
        (2, "in_person", False, True),
    ]
    assert halves.movers(candidates, AROUND, most=1) == [Mover(UUID(int=7), "online", 2.0, 0, fresh=True)]  # type: ignore[arg-type]


def test_an_outpost_with_many_customers_and_hardly_us_is_missing():
    """Of 60 customers six is a tenth: linkedin has six, told or met there, the chamber five, the cafe six."""
    there = [met(n, ("linkedin", 5), customer=True, score=10.0) for n in range(5)]
    told = one(5, customer=True, score=40.0, told_at=frozenset({"linkedin"}))
    chamber = [met(10 + n, ("chamber", 5), customer=True) for n in range(5)]
    cafe = [met(20 + n, ("cafe", 5), customer=True, score=90.0) for n in range(6)]
    others = [one(30 + n, customer=True) for n in range(43)]
    people = [*there, told, *chamber, *cafe, *others, met(99, ("chamber", 5))]
    acts = {"cafe": Acts(days=2), "linkedin": Acts(days=2), "chamber": Acts()}
    found = halves.missing_outposts(people, ["cafe", "chamber", "linkedin"], acts)
    assert found == [("cafe", 6, 90.0), ("linkedin", 6, 15.0)]
    assert halves.missing_outposts(people, ["cafe", "linkedin"], acts | {"cafe": Acts(days=3)}) == [
        ("linkedin", 6, 15.0)
    ]
    few = [met(n, ("cafe", 5), customer=True) for n in range(4)]
    assert halves.missing_outposts(few, ["cafe"], {}) == [], "four are not many"


def test_an_outpost_where_we_are_and_nobody_new_comes_from_is_idle():
    """Fifty new two-way ties: one of them from linkedin is 2 %, none from the chamber."""
    fresh = [met(n, ("cafe", 10), two_way=True) for n in range(49)] + [met(50, ("linkedin", 10), two_way=True)]
    old = met(60, ("chamber", 91), two_way=True)
    one_way = met(61, ("chamber", 5))
    assert halves.new_two_way([*fresh, old, one_way], NOON) == fresh
    acts = {"chamber": Acts(days=9), "linkedin": Acts(days=20), "email": Acts(days=8)}
    assert halves.idle_outposts(fresh, ["chamber", "linkedin", "email"], acts) == [("chamber", 0)]
    assert halves.idle_outposts([], ["chamber"], acts) == [], "nobody can tell while nobody is new"


def test_giving_has_an_interval_and_needs_eight_acts():
    assert halves.giving(Acts(gives=7)) is None
    found = halves.giving(Acts(gives=6, promotes=2))
    assert found is not None
    assert found.value == pytest.approx(8 / 11)
    assert 0.3 < found.low < found.value < found.high < 0.95


def test_onward_is_who_came_to_a_hub_within_90_days():
    people = [
        met(1, ("linkedin", 300), ("shop", 250)),
        met(2, ("linkedin", 300), ("shop", 200)),
        met(3, ("linkedin", 300)),
        met(4, ("linkedin", 80), ("shop", 79)),
        met(5, ("shop", 300), ("linkedin", 200)),
    ]
    assert halves.onward(people, ["shop"], NOON) == {"linkedin": Onward(1, 3), "shop": Onward(1, 1)}


def test_ties_born_in_one_channel_go_on_in_another():
    people = [
        met(1, ("chamber", 100), ("email", 90), ("cafe", 80)),
        met(2, ("chamber", 100), ("email", 80)),
        met(3, ("email", 100), ("chamber", 60)),
        met(4, ("clinic", 100), ("email", 90)),
        met(5, ("email", 100), ("clinic", 90)),
        met(6, ("chamber", 100)),
    ]
    assert halves.feeding(people, ["clinic"]) == [Feed("chamber", "email", 2, 15.0), Feed("email", "chamber", 1, 40.0)]


def test_the_lag_counts_who_did_not_come_over_yet():
    """Online first: over after 10 and 30 days, one waits since 20 days ago. In person first: one waits for 5."""
    people = [
        met(1, ("email", 100), ("cafe", 90)),
        met(2, ("email", 100), ("linkedin", 90), ("cafe", 70)),
        met(3, ("linkedin", 20)),
        met(4, ("cafe", 5)),
        one(5),
    ]
    found = halves.lags(people, REALMS, NOON)
    assert found["virtual"].wait == Wait(2, 1, 30.0)
    assert found["virtual"].typical == 20.0
    assert found["physical"].wait == Wait(0, 1, None)
    assert found["physical"].typical is None


def test_depth_by_where_it_began_checks_the_medium():
    people = [
        met(1, ("email", 9), ("cafe", 2), score=20, depth=0.4),
        met(2, ("email", 9), score=20, depth=0.2),
        met(3, ("cafe", 9), score=20, depth=0.5),
        met(4, ("cafe", 9), score=14, depth=0.9),
    ]
    found = halves.depth_by_origin(people, REALMS)
    assert found == {"virtual": Mean(2, pytest.approx(0.3), None, None), "physical": Mean(1, 0.5, None, None)}


def test_the_gaps_around_a_business_are_named():
    assert halves.relation_gaps({"customer": 4}) == [], "too little is told"
    assert halves.relation_gaps({"customer": 4, "supplier": 1}) == ["no partner", "no mentor", "only one supplier"]
    assert halves.relation_gaps({"customer": 9, "supplier": 2, "partner": 1, "mentor": 1}) == []


def test_who_knows_whom_by_word_and_by_touchpoint():
    a, b, c, d = (UUID(int=n) for n in range(4))
    known = halves.knowing([(a, b)], [[b, c, d], [a, a]])
    assert known == {a: {b}, b: {a, c, d}, c: {b, d}, d: {b, c}}


def test_bridges_and_communities():
    """Forty people. 0, 1 and 2 know each other, so do 3 and 4; 5 knows three others, all the rest nobody.

    Who shares fewer than two, one in twenty of 40, is a bridge: 3, 4, 6, 7 and 8. Communities of 4, 3 and 2.
    """
    people = [met(n, ("email", 9), score=20) for n in range(40)]
    ids = [person.contact_id for person in people]
    pairs = [(0, 1), (1, 2), (0, 2), (3, 4), (5, 6), (5, 7), (5, 8)]
    known = halves.knowing([(ids[one], ids[other]) for one, other in pairs], [])
    found = halves.bridging(people, known)
    assert (found.bridges, found.of, found.communities, found.alone) == (5, 9, 3, 31)
    sizes = [4 / 9, 3 / 9, 2 / 9]
    assert found.effective == pytest.approx(exp(-sum(size * log(size) for size in sizes)))
    assert halves.communities(ids, known) == [4, 3, 2]
    assert halves.bridging([], {}) == Bridging(0, 0, 0, 0.0, 0)


def test_sensitive_places_are_no_outposts():
    channels = {
        slug: Channel(slug, slug.title(), "physical", role, sensitive=sensitive)  # type: ignore[arg-type]
        for slug, role, sensitive in (
            ("chamber", "outpost", False),
            ("clinic", "outpost", True),
            ("shop", "hub", False),
        )
    }
    assert halves.outposts(channels) == ["chamber"]
    assert halves.hubs(channels) == ["shop"]


WAYS = st.dictionaries(st.sampled_from(["email", "linkedin", "cafe", "chamber"]), st.integers(0, 400), max_size=4)
PEOPLE = st.lists(
    st.tuples(WAYS, st.floats(0, 100), st.floats(0, 9), st.floats(0, 9), st.booleans(), st.booleans()), max_size=25
).map(
    lambda rows: [
        met(n, *ways.items(), score=score, online=online, in_person=seen, two_way=two_way, customer=customer)
        for n, (ways, score, online, seen, two_way, customer) in enumerate(rows)
    ]
)


@given(PEOPLE)
def test_nobody_counts_twice_and_every_share_is_one(people: list[Somebody]):
    blended = halves.blend(people)
    assert 0 <= blended.blended <= blended.of <= len(people)
    stages = halves.blend_by_stage(people).values()
    assert (sum(one.blended for one in stages), sum(one.of for one in stages)) == (blended.blended, blended.of)
    touched = sum(bool(person.firsts) for person in people)
    found = halves.lags(people, REALMS, NOON)
    assert sum(lag.wait.ended + lag.wait.going_on for lag in found.values()) == touched
    assert sum(lag.wait.ended for lag in found.values()) == halves.both_by(people, REALMS, NOON).blended
    ways = halves.feeding(people, [])
    assert sum(way.contacts for way in ways) == sum(len(person.firsts) >= 2 for person in people)
    onward = halves.onward(people, ["cafe"], NOON)
    assert all(0 <= one.came <= one.of for one in onward.values())
    assert sum(one.of for one in onward.values()) <= touched


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_communities_part_the_people(pairs: list[tuple[int, int]]):
    ids = [UUID(int=n) for n in range(21)]
    known = halves.knowing([(ids[one], ids[other]) for one, other in pairs], [])
    sizes = halves.communities(ids, known)
    assert all(size >= 2 for size in sizes)
    assert sum(sizes) == sum(bool(known.get(who)) for who in ids)
    for who, others in known.items():
        assert all(who in known[other] for other in others)
