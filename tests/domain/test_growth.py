"""Growth: each number worked out by hand, and what is missing in words where there is too little for it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import chains, growth
from domain.chains import Link
from domain.estimates import Share, Wait
from domain.examples import NOON
from domain.growth import Reproduction

DAY = timedelta(days=1)


def link(
    number: int, referrer: int, prospect: int, status: str = "open", *, ago: float = 400, took: float = 10, **more: Any
) -> Link:
    """Made so many days ago; decided, where it is, so many days later."""
    made_at = NOON - ago * DAY
    decided = {"decided_at": made_at + took * DAY} if status in ("won", "lost") else {}
    return Link(UUID(int=1000 + number), UUID(int=referrer), UUID(int=prospect), made_at, status, **decided, **more)  # type: ignore[arg-type]


def test_what_is_missing_is_said_in_words():
    assert growth.missing("R", 10, "observed parents", 3) == "R needs 10 observed parents; there are 3"
    assert growth.missing("R", 10, "observed parents", 1) == "R needs 10 observed parents; there is 1"
    assert growth.missing("R", 10, "observed parents", 0) == "R needs 10 observed parents; there is none"


def test_conversion_counts_what_was_open_for_long_as_not_won():
    """4 won, 2 lost, 2 open for 120 days: (4 + 2)/(8 + 8). Two younger ones say nothing yet."""
    links = [link(n, 1, 10 + n, status) for n, status in enumerate(["won"] * 4 + ["lost"] * 2 + ["open"] * 2)]
    found = growth.conversion([*links, link(20, 1, 50, ago=119), link(21, 1, 51, "met", ago=30)], now=NOON)
    assert isinstance(found, Share)
    assert found.value == 6 / 16
    assert 0.16 < found.low < found.value < found.high < 0.62
    few = growth.conversion(links[1:], now=NOON)
    assert few == "conversion needs 8 referrals won, lost, or open for 120 days; there are 7"


def test_won_by_a_day_leaves_nobody_out():
    """Ten decided: five won on day 20, one on day 50, four lost; two that came 40 days ago are still open.

    By day 30: 5 of 12. By day 60: of the 7 left, 2 are gone at day 40, so 1 of 5: 1 - 7/12 * 4/5 = 0.533. Had the
    lost been dropped it would look like 1 - 3/8 * 0.
    """
    links = [link(n, 1, 10 + n, "won", took=20) for n in range(5)]
    links += [link(5, 1, 15, "won", took=50), *(link(6 + n, 1, 20 + n, "lost") for n in range(4))]
    links += [link(12, 1, 30, ago=40), link(13, 1, 31, ago=40)]
    assert growth.won_by(links, now=NOON) == {30: 0.417, 60: 0.533, 90: 0.533, 180: 0.533}
    assert growth.won_by(links[1:], now=NOON) == "the share won by a day needs 10 referrals won or lost; there are 9"


def brought(children: list[int]) -> list[Link]:
    """Parents won 400 days ago by 1, each of whom brought so many clients."""
    links = [link(n, 1, 100 + n, "won") for n in range(len(children))]
    pairs = [(100 + n, 1000 + 50 * n + child) for n, many in enumerate(children) for child in range(many)]
    return links + [link(500 + n, who, whom, "won", ago=100) for n, (who, whom) in enumerate(pairs)]


def test_reproduction_is_children_by_parents():
    found = growth.reproduction(brought([3, 1, 0, 0, 0, 0, 0, 0, 1, 1]), now=NOON)
    assert isinstance(found, Reproduction)
    assert (found.parents, found.children, found.rate, found.tree) == (10, 6, 0.6, pytest.approx(2.5))
    assert found.top_share == pytest.approx(4 / 6)
    assert found.low < 0.6 < found.high


def test_one_tells_five_who_each_tell_ten_reaches_56():
    """R of the first generation is 5 where there are ten such; here only what is reached: 1 + 5 + 50."""
    links = [link(n, 1, 10 + n, "won") for n in range(5)]
    links += [link(100 + 10 * n + m, 10 + n, 100 + 10 * n + m, "won") for n in range(5) for m in range(10)]
    assert len(chains.chains(links).members) == 56
    found = growth.reproduction(links, now=NOON)
    assert isinstance(found, Reproduction)
    assert (found.parents, found.children) == (55, 50)


def test_reproduction_of_fewer_than_ten_is_no_number():
    assert growth.reproduction(brought([3, 0, 1]), now=NOON) == (
        "R needs 10 observed parents with 180 days of follow-up; there are 3"
    )


def test_young_parents_are_not_observed_yet():
    young = [link(800 + n, 1, 800 + n, "won", ago=150) for n in range(9)]
    assert growth.reproduction([*brought([1]), *young], now=NOON) == (
        "R needs 10 observed parents with 180 days of follow-up; there is 1"
    )


def test_a_client_two_parents_named_counts_once():
    links = [link(1, 1, 2, "won"), link(2, 1, 3, "won"), link(3, 2, 9, "won", ago=90), link(4, 3, 9, "won", ago=80)]
    assert chains.offspring(links, now=NOON) == {UUID(int=2): 1, UUID(int=3): 0}


def test_each_generation_has_a_rate_of_its_own():
    links = brought([1] * 10)
    members = chains.chains(links).members
    rates = growth.by_generation(links, members, now=NOON)
    first = rates[1]
    assert isinstance(first, Reproduction)
    assert first.rate == 1
    assert rates[2] == "R needs 10 observed parents with 180 days of follow-up; there is none"


def test_where_clients_bring_at_least_one_each_no_tree_comes_to_an_end():
    found = growth.reproduction(brought([2] * 10), now=NOON)
    assert isinstance(found, Reproduction)
    assert found.tree is None


def test_the_generation_time_is_from_won_to_won():
    """Parents won 390 days ago, children 90 days ago."""
    assert growth.generation_time(brought([1] * 6)) == Wait(6, 0, 300, 300, 300)
    assert growth.generation_time(brought([1] * 4)) == (
        "the generation time needs 5 clients won by a client won by referral; there are 4"
    )


def test_chain_credit_waits_for_chains():
    value = {"value": Decimal(100)}
    flat = [link(n, 1, 10 + n, "won", **value) for n in range(10)]
    assert growth.credit_missing(chains.chains(flat[:9]).members) == (
        "chain credit needs 10 referrals won with a value; there are 9"
    )
    assert growth.credit_missing(chains.chains(flat).members) == (
        "chain credit needs 3 of them in the second generation or later; there is none"
    )
    deeper = [link(50 + n, 10 + n, 60 + n, "won", **value) for n in range(3)]
    assert growth.credit_missing(chains.chains(flat + deeper).members) is None


def test_a_chain_is_in_danger_where_its_middle_fades():
    """1 brought 2, who brought 3 and 4, and 5, who brought 6. 2 and 5 fade; 1 is no middle, 3 brought nobody."""
    links = [link(1, 1, 2, "won"), link(2, 2, 3, "won", value=Decimal(7)), link(3, 2, 4), link(4, 1, 5), link(5, 5, 6)]
    alive = {UUID(int=n): 0.2 for n in (1, 2, 3)} | {UUID(int=5): 0.49}
    found = growth.in_danger(chains.chains(links).members, alive)
    assert [(one.contact_id.int, one.below) for one in found] == [(2, 2), (5, 1)]
    assert growth.in_danger(chains.chains(links).members, alive | {UUID(int=5): 0.5})[-1].contact_id.int == 2
