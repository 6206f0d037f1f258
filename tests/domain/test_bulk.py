"""The same words to many within a day."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bulk import FEW, MANY, SCHEDULERS, WITHIN, Sent, bulk, by_scheduler, words_of
from domain.touchpoints import RecordTouchpoint, record, words_to_mark

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def sent(number: int, *, contact: int | None = None, hours: float = 0) -> Sent:
    who = number if contact is None else contact
    return Sent(UUID(int=number), UUID(int=1_000 + who), NOON + timedelta(hours=hours))


def numbers(found: set[UUID]) -> list[int]:
    return sorted(one.int for one in found)


def test_five_people_within_a_day_are_bulk_and_four_are_not():
    assert bulk([sent(n, hours=n) for n in range(4)]) == set()
    assert numbers(bulk([sent(n, hours=n) for n in range(5)])) == [0, 1, 2, 3, 4]


def test_a_day_is_24_hours_whenever_it_begins():
    assert numbers(bulk([sent(n, hours=6 * n) for n in range(5)])) == [0, 1, 2, 3, 4]
    assert bulk([sent(n, hours=6.01 * n) for n in range(5)]) == set()


def test_the_same_to_one_person_again_and_again_is_no_bulk():
    assert bulk([sent(n, contact=n % 4) for n in range(40)]) == set()


def test_what_went_out_a_week_before_in_the_same_words_still_counts():
    assert numbers(bulk([sent(9, hours=-168), *(sent(n) for n in range(5))])) == [0, 1, 2, 3, 4]


def test_one_message_to_several_at_once_is_a_group_not_a_bulk():
    group = [sent(1, contact=n) for n in range(8)]
    assert bulk(group) == set()
    assert numbers(bulk([*group, sent(2, contact=9)])) == [1, 2]


def by_definition(told: list[Sent]) -> set[UUID]:
    """Every stretch of 24 hours looked at by itself."""
    found: set[UUID] = set()
    for first in told:
        window = [one for one in told if first.at <= one.at <= first.at + WITHIN]
        if len({one.contact_id for one in window}) >= MANY and len({one.touchpoint_id for one in window}) > 1:
            found |= {one.touchpoint_id for one in window}
    return found


MESSAGES = st.lists(
    st.builds(sent, st.integers(0, 30), contact=st.one_of(st.none(), st.integers(0, 9)), hours=st.integers(0, 200)),
    max_size=30,
)


@settings(deadline=None)
@given(MESSAGES, st.randoms(use_true_random=False))
def test_it_is_the_rule_in_any_order(told: list[Sent], random: Random):
    told = list({(one.touchpoint_id, one.contact_id): one for one in told}.values())
    shuffled = random.sample(told, len(told))
    assert bulk(shuffled) == bulk(told) == by_definition(told)


def test_texts_are_the_same_by_their_words_after_the_greeting():
    same = ["Dear Ana,\n\nOur new cakes are here!", "Hi Ben,\nour NEW cakes\tare here", "our new cakes are here..."]
    assert {words_of(text) for text in same} == {"our new cakes are here"}
    assert all(words_of(one) != words_of(other) for one, other in combinations(["a b c", "a b d", "c b a"], 2))


@pytest.mark.parametrize("text", ["", "  ", "!!!", "Happy birthday!", "Dear Ana,\nThank you"])
def test_a_few_words_are_equal_without_being_a_mailing(text: str):
    assert words_of(text) is None
    assert words_of("word " * FEW) is not None


def command(**said: object) -> RecordTouchpoint:
    what = {"kind": "email", "direction": "out", "note": "Our new cakes are here", **said}
    return RecordTouchpoint(occurred_at=NOON, channel="email", **what)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ({}, True),
        ({"kind": "direct_message"}, True),
        ({"direction": "in"}, False),
        ({"direction": "mutual"}, False),
        ({"kind": "meeting"}, False),
        ({"kind": "call"}, False),
        ({"automated": True}, False),
        ({"note": None}, False),
    ],
)
def test_only_what_we_wrote_to_somebody_has_words_to_compare(said: dict[str, object], marked: bool):
    assert (words_to_mark(command(**said)) is not None) == marked


@pytest.mark.parametrize(
    ("source", "automated"),
    [
        ("buffer", True),
        ("Hootsuite", True),
        ("Sprout Social", True),
        ("gmail", False),
        ("notebook", False),
        (None, False),
    ],
)
def test_what_a_scheduler_sent_for_us_is_automated(source: str | None, automated: bool):
    fact = record(command(source=source), touchpoint_id=UUID(int=1), contact_ids=[])
    answer = record(command(source=source, direction="in"), touchpoint_id=UUID(int=1), contact_ids=[])
    assert (fact.automated, answer.automated) == (automated, False)
    assert by_scheduler(source) == automated


def test_the_names_of_schedulers_are_written_as_they_are_compared():
    assert all(name == name.casefold() and not set(" _-") & set(name) for name in SCHEDULERS)
