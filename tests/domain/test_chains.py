"""Chains of referrals: generations, circles, several referrers, value that counts once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain import chains
from domain.chains import Chains, Link, Reproduction
from domain.examples import NOON


def link(number: int, referrer: int, prospect: int, value: int | None = None, **more: Any) -> Link:
    """The number-th referral, a day after the one before it; won where it has a value."""
    said = {"made_at": NOON + timedelta(days=number), "status": "open" if value is None else "won", **more}
    amount = None if value is None else Decimal(value)
    return Link(UUID(int=1000 + number), UUID(int=referrer), UUID(int=prospect), value=amount, **said)


def told(found: Chains) -> list[tuple[int, int, int, int]]:
    """(who, generation, chain value, below) in the order shown."""
    return [(one.contact_id.int, one.generation, int(one.chain_value), one.below) for one in found.members]


def test_three_generations_with_a_circle_and_two_referrers():
    """1 brought 2 and 3; 2 brought 4, whom 3 named too; 4 brought 5; 5 named 1 in turn."""
    found = chains.chains(
        [link(1, 1, 2, 100), link(2, 1, 3), link(3, 2, 4, 50), link(4, 3, 4, 7), link(5, 4, 5, 20), link(6, 5, 1, 1000)]
    )
    assert told(found) == [(1, 0, 177, 4), (2, 1, 70, 2), (4, 2, 20, 1), (5, 3, 0, 0), (3, 1, 7, 0)]
    assert [one.referral_id.int - 1000 for one in found.also] == [4]
    assert [one.referral_id.int - 1000 for one in found.circles] == [6]
    assert [one.by.referral_id.int - 1000 if one.by else None for one in found.members] == [None, 1, 3, 5, 2]


def test_the_shorter_way_brought_somebody_also_where_it_was_told_later():
    found = chains.chains([link(1, 1, 2), link(2, 2, 3), link(3, 1, 3)])
    assert told(found) == [(1, 0, 0, 2), (2, 1, 0, 0), (3, 1, 0, 0)]


def test_the_richest_chain_comes_first():
    found = chains.chains([link(1, 1, 2, 5), link(2, 3, 4, 50), link(3, 5, 6)])
    assert [one.contact_id.int for one in found.members if one.generation == 0] == [3, 1, 5]


def test_somebody_referred_twice_by_the_same_person_is_there_once():
    found = chains.chains([link(1, 1, 2, 5), link(2, 1, 2, 6)])
    assert told(found) == [(1, 0, 11, 1), (2, 1, 0, 0)]
    assert len(found.also) == 1


def test_nobody_is_in_no_chain():
    assert chains.chains([]) == Chains((), (), ())


def test_a_long_chain_is_no_trouble():
    found = chains.chains([link(n, n, n + 1, 1) for n in range(1, 1500)])
    assert (found.members[0].below, found.members[-1].generation) == (1499, 1499)


LINKS = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7), st.none() | st.integers(0, 9)), max_size=20).map(
    lambda rows: [link(n, *row) for n, row in enumerate(rows)]
)


@given(LINKS, st.randoms(use_true_random=False))
def test_nothing_is_lost_and_nothing_counts_twice(links: list[Link], chance: Any):
    found = chains.chains(links)
    people = [one.contact_id for one in found.members]
    assert len(people) == len(set(people))
    counted = [one for one in links if one not in found.circles]
    assert set(people) == {who for one in counted for who in (one.referrer_id, one.prospect_id)}
    total = sum(one.value or 0 for one in counted)
    assert sum(one.chain_value for one in found.members if one.generation == 0) == total
    assert sum(one.value for one in found.members) == total
    assert sum(one.below + 1 for one in found.members if one.generation == 0) == len(people)
    generation = {one.contact_id: one.generation for one in found.members}
    for one in found.members:
        if one.by is not None:
            parents = [generation[each.referrer_id] for each in counted if each.prospect_id == one.contact_id]
            assert one.generation == 1 + generation[one.by.referrer_id] == 1 + min(parents)
    shuffled = list(links)
    chance.shuffle(shuffled)
    assert chains.chains(shuffled) == found


def test_a_rate_is_said_of_ten_parents_or_more():
    now = NOON + timedelta(days=400)
    early, late = NOON + timedelta(days=100), NOON + timedelta(days=350)
    brought = [link(n, 1, 100 + n, 5, decided_at=early) for n in range(10)]
    grand = [link(20 + n, 100, 200 + n, 5, decided_at=late) for n in range(6)]
    lost = [link(40, 101, 300, decided_at=early, status="lost")]
    assert chains.reproduction([*brought, *grand, *lost], now=now) == Reproduction(10, 6, 0.6)
    assert chains.reproduction([*brought[1:], *grand, *lost], now=now) == Reproduction(9, 0, None)
