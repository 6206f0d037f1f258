"""Attribution: a value is shared, never multiplied; what a referrer is worth a year; who leads, in a word."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import attribution, chains, money
from domain.chains import Link
from domain.examples import NOON

DAY = timedelta(days=1)
START = NOON - 1000 * DAY
LONG_AGO = NOON - timedelta(days=120)


def link(number: int, referrer: int, prospect: int, value: str | None = None, *, day: int = 0, **more: Any) -> Link:
    """Made on that day; won 100 days later where it has a value."""
    made_at = START + day * DAY
    won = {} if value is None else {"status": "won", "value": Decimal(value), "decided_at": made_at + 100 * DAY}
    return Link(UUID(int=1000 + number), UUID(int=referrer), UUID(int=prospect), made_at, **won, **more)


def amounts(found: dict[UUID, Decimal]) -> dict[int, str]:
    return {who.int: f"{value:f}" for who, value in found.items()}


def test_a_client_of_one_referrer_is_all_theirs():
    assert amounts(attribution.direct([link(1, 1, 2, "99.90"), link(2, 1, 3)], "EUR")) == {1: "99.90"}


def test_several_referrers_share_by_how_lately_they_spoke():
    """60 days earlier is half as much: a third and two thirds."""
    links = [link(1, 1, 9, day=0), link(2, 2, 9, "300.00", day=60)]
    assert amounts(attribution.direct(links, "EUR")) == {1: "100.00", 2: "200.00"}


def test_and_by_how_warm_it_was():
    """Heat 5 and heat 1 on one day; unknown heat counts as 3."""
    hot, cold = link(1, 1, 9, heat=5), link(2, 2, 9, "60.00", heat=1)
    assert amounts(attribution.direct([hot, cold], "EUR")) == {1: "50.00", 2: "10.00"}
    assert amounts(attribution.direct([link(1, 1, 9), link(2, 2, 9, "60.00", heat=3)], "EUR")) == {
        1: "30.00",
        2: "30.00",
    }


def test_who_spoke_after_it_was_won_has_no_part_in_it():
    assert amounts(attribution.direct([link(1, 1, 9, "10.00"), link(2, 2, 9, day=101)], "EUR")) == {1: "10.00"}


def test_a_coin_that_cannot_be_split_goes_to_one():
    links = [link(1, 1, 9), link(2, 2, 9), link(3, 3, 9, "0.10")]
    assert sorted(amounts(attribution.direct(links, "EUR")).values()) == ["0.03", "0.03", "0.04"]
    assert sorted(amounts(attribution.direct([link(1, 1, 9), link(2, 2, 9, "3")], "JPY")).values()) == ["1", "2"]


def test_a_chain_of_three_is_credited_571_286_143():
    links = [link(1, 1, 2), link(2, 2, 3), link(3, 3, 4, "1000.00")]
    assert amounts(attribution.chain(links, "EUR")) == {3: "571.43", 2: "285.71", 1: "142.86"}
    assert amounts(attribution.direct(links, "EUR")) == {3: "1000.00"}


def test_credit_through_several_referrers_is_one_whole_too():
    """1 and 2 handed over 4 on one day, and 3 had handed over 2: 0.5, 0.5 and a quarter, of 1.25."""
    links = [link(1, 3, 2), link(2, 1, 4), link(3, 2, 4, "125.00")]
    assert amounts(attribution.chain(links, "EUR")) == {1: "50.00", 2: "50.00", 3: "25.00"}


LINKS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.none() | st.integers(0, 10**6), st.integers(0, 300)), max_size=15
).map(
    lambda rows: [
        link(n, who, whom, None if coins is None else f"{coins / 100:.2f}", day=day)
        for n, (who, whom, coins, day) in enumerate(rows)
    ]
)


@given(LINKS)
def test_nothing_counts_twice_and_nothing_is_lost(links: list[Link]):
    circles = set(chains.chains(links).circles)
    counted = [one for one in links if one not in circles]
    total = sum((one.value or Decimal(0) for one in counted), Decimal(0))
    for found in (attribution.direct(counted, "EUR"), attribution.chain(counted, "EUR")):
        assert sum(found.values(), Decimal(0)) == total
        assert all(value >= 0 for value in found.values())


@given(
    st.integers(0, 10**9),
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_parts_of_an_amount_sum_to_it_and_are_off_by_less_than_a_coin(coins: int, weights: list[float], currency: str):
    coin = {"EUR": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}[currency]
    parts = money.split(coins * coin, weights, currency)
    assert sum(parts) == coins * coin
    for part, weight in zip(parts, weights, strict=True):
        assert abs(float(part / coin) - coins * weight / sum(weights)) < 1 + coins * 1e-12


def ranked(links: list[Link], **more: Any) -> list[attribution.Referrer]:
    said = {"since": {}, "vouches": {}, "overdue": LONG_AGO, "now": START + 730.5 * DAY, **more}
    return attribution.referrers(links, "EUR", **said)


def test_what_a_referrer_is_worth_a_year():
    """Two referrers over two years each won 1 and 0: the mean of the four years is 100 in value and 0.25 in clients.

    Who brought 400 in two years: (400 + 100)/(2 + 1) a year. Who brought nothing: (0 + 100)/(2 + 1).
    """
    [rich, poor] = ranked([link(1, 1, 2, "400.00"), link(2, 3, 4)])
    assert (rich.contact_id.int, rich.won, rich.a_year) == (1, 1, pytest.approx(500 / 3))
    assert (poor.contact_id.int, poor.won, poor.a_year) == (3, 0, pytest.approx(100 / 3))
    assert rich.low is not None
    assert rich.high is not None
    assert 0 < rich.low < 500 / 3 < rich.high
    assert rich.conversion.value == pytest.approx(3 / 9)
    assert poor.conversion.value == pytest.approx(2 / 9), "open for long counts as not won"


def test_somebody_known_for_longer_is_worth_less_a_year():
    links = [link(1, 1, 2, "100.00"), link(2, 3, 4, "100.00")]
    assert [one.contact_id.int for one in ranked(links, since={UUID(int=1): START - 3000 * DAY})] == [3, 1]


def test_of_equals_who_vouched_more_comes_first():
    links = [link(1, 1, 2, "100.00"), link(2, 3, 4, "100.00")]
    assert [one.contact_id.int for one in ranked(links)] == [1, 3]
    assert [one.contact_id.int for one in ranked(links, vouches={UUID(int=3): 2})] == [3, 1]


def test_where_nothing_was_ever_won_nobody_is_worth_anything_yet():
    [one] = ranked([link(1, 1, 2)])
    assert (one.a_year, one.low, one.high, one.value) == (None, None, None, 0)
    assert attribution.referrers([], None, since={}, vouches={}, overdue=NOON, now=NOON) == []


@pytest.mark.parametrize(
    ("values", "shape"), [(("10", "90"), None), (("30", "30", "40"), "many_small"), (("10", "10", "90"), "few_large")]
)
def test_many_small_or_few_large(values: tuple[str, ...], shape: str | None):
    [one] = ranked([link(n, 1, 10 + n, value) for n, value in enumerate(values)])
    assert one.shape == shape


@pytest.mark.parametrize(
    ("given_", "received", "word"),
    [
        (0, 0, None),
        (1, 0, "even"),
        (0, 1, "even"),
        (2, 0, "you_lead"),
        (0, 2, "they_lead"),
        (5, 4, "even"),
        (9, 3, "you_lead"),
    ],
)
def test_balance_is_a_word_and_one_alone_is_no_lead(given_: float, received: float, word: str | None):
    assert attribution.balance(given_, received, prior=attribution.ONE_ALONE) == word


def test_the_balance_forgets_half_in_two_years():
    assert attribution.faded(timedelta(days=730)) == 0.5
    assert attribution.faded(timedelta(days=-1)) == 1
