"""What a gathering led to: counted from the first meeting, said in words, no percentages of a handful."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.yields import Guest, Share, in_words, reckon

NOW = datetime(2026, 5, 8, tzinfo=UTC)


def guest(**more: Any) -> Guest:
    """Met half a year ago, and nothing followed."""
    said: dict[str, Any] = {
        "times": 1, "met_at": NOW - timedelta(days=180), "followed_up": False, "in_touch": False, "referrals": 0,
        "new": False, "stage": 1,
    }  # fmt: skip
    return Guest(**said | more)


def words(*guests: Guest, cost: Money | None = None, held: int = 1) -> list[str]:
    return in_words(reckon(guests, cost=cost, held=held, now=NOW))


def test_two_people_are_a_success():
    assert words(guest(), guest())[0] == "Two people came, and you met both: a success."


def test_small_numbers_are_words():
    assert words(guest())[0] == "One person came, and you met them."
    assert words(guest(met_at=None), guest(met_at=None))[0] == "Two people came; you noted nobody as met."
    assert words(*[guest()] * 5)[0] == "Five people came, and you met all of them."
    assert words(*[guest()] * 20, guest(met_at=None))[0] == "21 people came, and you met 20 of them."


def test_shares_of_few_are_said_as_one_says_them():
    assert words(guest(), held=1)[1:] == [
        "You did not follow up with the one you met within three days.",
        "About three months later you were not in touch with the one you met.",
    ]
    assert words(guest(followed_up=True, new=True))[1:] == [
        "You followed up with the one you met within three days.",
        "About three months later you were not in touch with the one you met.",
        "One person was new to you.",
    ]
    assert words(guest(followed_up=True), guest(followed_up=True))[1:] == [
        "You followed up with both of them within three days.",
        "About three months later you were in touch with neither of them.",
    ]
    assert words(*[guest(in_touch=True)] * 3, guest(followed_up=True))[1:] == [
        "You followed up with one of the four within three days.",
        "About three months later you were in touch with three of the four.",
    ]


def test_what_cannot_be_said_yet_is_not_counted_as_missed():
    found = reckon(
        [guest(met_at=NOW - timedelta(hours=5)), guest(), guest(followed_up=True)], cost=None, held=1, now=NOW
    )
    assert found.followed_up == Share(count=1, of=2, too_early=1)
    assert found.in_touch_at_90_days == Share(count=0, of=2, too_early=1)


def test_a_new_ally_has_a_price_where_a_cost_was_given():
    allies = [guest(new=True, stage=4), guest(new=True, stage=5), guest(stage=5)]
    found = reckon(allies, cost=Money("15.00", "USD"), held=5, now=NOW)
    assert (found.new_allies, found.cost, found.cost_per_new_ally) == (
        2, Money("75.00", "USD"), Money("37.50", "USD"),
    )  # fmt: skip
    assert "Two people became allies, at 37.50 USD each." in in_words(found)
    assert reckon([guest()], cost=Money("15.00", "USD"), held=5, now=NOW).cost_per_new_ally is None


@given(
    st.lists(
        st.builds(
            guest,
            times=st.integers(1, 50),
            met_at=st.none() | st.integers(0, 400).map(lambda days: NOW - timedelta(days=days)),
            followed_up=st.booleans(),
            in_touch=st.booleans(),
            referrals=st.integers(0, 3),
            new=st.booleans(),
            stage=st.integers(0, 5),
        ),
        max_size=40,
    ),
    st.integers(0, 60),
)
def test_no_share_is_of_more_than_were_met_and_words_can_always_be_found(guests: list[Guest], held: int):
    found = reckon(guests, cost=Money("15", "JPY"), held=held, now=NOW)
    for share in (found.followed_up, found.in_touch_at_90_days):
        assert 0 <= share.count <= share.of
        assert share.of + share.too_early == found.met
    assert found.met <= found.came
    told = in_words(found)
    assert told
    assert all(sentence.endswith((".", "success.")) and "%" not in sentence for sentence in told)
