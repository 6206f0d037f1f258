"""What holds for any candidates and any past: the caps, the rests, and that the order they come in leaves no trace."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain import choosing, nudges
from domain.nudges import OPEN, Candidate, Nudge, Surroundings
from domain.policy import STANDARD, Place, day_began
from domain.touches import Touch

TENANT = UUID(int=7)
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
AROUND = Surroundings(TENANT, "Portland", NOW, Place("US", "UTC"))
BEGAN = day_began(NOW, "UTC")
REST = timedelta(days=60)

ids = st.integers(1, 12).map(lambda n: UUID(int=n))
points = st.sampled_from([0.0, 0.2, 0.21, 1.49, 1.5, 24.9, 25.0, 60.0])
candidates = st.lists(
    st.builds(
        Candidate,
        contact_id=ids,
        score=points,
        given=points,
        received=points,
        online=points,
        met_at=st.sampled_from([None, NOW]),
        locality=st.sampled_from([None, "Portland", "PORTLAND", "Berlin"]),
        within_reach=st.sampled_from([None, "yes", "no", "unknown"]),
        closed=st.booleans(),
        shared_contacts=st.integers(0, 3),
        touchpoint_ids=st.just((UUID(int=1),)),
    ),
    unique_by=lambda one: one.contact_id,
    max_size=12,
)
ages = st.sampled_from(
    [timedelta(0), timedelta(hours=13), timedelta(days=6), timedelta(days=8), timedelta(days=59), REST]
)


@st.composite
def one_before(draw: st.DrawFn) -> Nudge:
    state = draw(st.sampled_from(["suggested", "accepted", "snoozed", "dismissed", "done", "expired"]))
    at = NOW - draw(ages)
    return Nudge(
        nudge_id=UUID(int=draw(st.integers(1, 1_000))),
        contact_id=draw(ids),
        kind="meet_in_person",
        state=state,
        suggested_at=at,
        expires_at=at + timedelta(days=21),
        ended_at=None if state in OPEN else at + timedelta(hours=1),
        asked=draw(st.booleans()),
    )


befores = st.lists(one_before(), max_size=12)


@given(candidates, befores)
def test_never_more_than_the_caps_allow(who: list[Candidate], before: list[Nudge]):
    new = choosing.suggest(who, before, AROUND)
    today = sum(one.suggested_at >= BEGAN for one in before)
    week = sum(NOW - one.suggested_at < timedelta(days=7) for one in before)
    assert len(new) <= max(0, STANDARD.a_day - today)
    assert len(new) <= max(0, STANDARD.a_week - week)


@given(candidates, befores)
def test_a_contact_has_one_open_nudge_and_its_rest(who: list[Candidate], before: list[Nudge]):
    new = Counter(one.contact_id for one in choosing.suggest(who, before, AROUND))
    assert set(new.values()) <= {1}
    assert not new.keys() & {one.contact_id for one in before if one.state in OPEN}
    assert not new.keys() & {one.contact_id for one in before if NOW - one.suggested_at < REST}


@given(candidates, befores)
def test_only_who_may_be_met_is_suggested(who: list[Candidate], before: list[Nudge]):
    by_id = {one.contact_id: one for one in who}
    for nudge in choosing.suggest(who, before, AROUND):
        one = by_id[nudge.contact_id]
        assert not one.closed
        assert one.met_at is None
        assert one.score >= 25
        assert one.online >= 1.5
        assert min(one.given, one.received) > 0.2
        in_town = (one.locality or "").casefold() == "portland"
        assert one.within_reach in (None, "yes") or (one.within_reach == "unknown" and in_town)
        assert one.within_reach == "yes" or one.locality != "Berlin"
        assert (nudge.question is not None) == (one.within_reach is None and one.locality is None)
        assert nudge.propensity == 1.0
        assert nudge.numbers["score"] == one.score


@given(candidates, befores, st.randoms(use_true_random=False))
def test_the_order_they_come_in_leaves_no_trace(who: list[Candidate], before: list[Nudge], chance):
    expected = choosing.suggest(who, before, AROUND)
    chance.shuffle(who)
    chance.shuffle(before)
    assert choosing.suggest(who, before, AROUND) == expected


@given(candidates, befores)
def test_the_chosen_come_before_all_others(who: list[Candidate], before: list[Nudge]):
    """By shared contacts, then strength: among those a wider cap would let in."""
    chosen = choosing.suggest(who, before, AROUND)
    rank = {one.contact_id: (-one.shared_contacts, -one.score, one.contact_id) for one in who}
    chosen_ranks = [rank[one.contact_id] for one in chosen]
    assert chosen_ranks == sorted(chosen_ranks)
    left = [one for one in who if one.contact_id not in {nudge.contact_id for nudge in chosen}]
    for one in left:
        alone = choosing.suggest([one], before, AROUND)
        if alone and chosen:
            assert rank[one.contact_id] > chosen_ranks[-1]


@given(one_before(), st.sampled_from(["in", "out", "mutual"]), st.sampled_from(["virtual", "physical"]), ages)
def test_done_is_a_later_meeting_in_person_and_nothing_else(nudge: Nudge, direction: str, realm: str, ago: timedelta):
    touch = Touch(UUID(int=9), 0, "meeting", direction, "cafe")
    done = nudges.seen_done(nudge, touch, NOW - ago, realm)
    fits = nudge.state in OPEN and realm == "physical" and direction != "in" and NOW - ago > nudge.suggested_at
    assert [event.touchpoint_id for event in done] == ([UUID(int=9)] if fits else [])


@given(one_before(), ages)
def test_only_an_open_nudge_expires_and_only_after_its_time(nudge: Nudge, ahead: timedelta):
    over = nudge.state in OPEN and NOW + ahead >= nudge.expires_at
    assert bool(nudges.expire(nudge, None, STANDARD, NOW + ahead)) == over
