"""Occasions: what a day at a fair led to, worked out by hand."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain import occasions
from domain.examples import NOON
from domain.occasions import Count, Guest, Led
from domain.relationships import Experience, day_of
from domain.touches import Touch

DAY = timedelta(days=1)
FAIR = day_of(NOON)
LATER = NOON + 400 * DAY


def touched(
    number: int, kind: str, slug: str = "fair", *, day: float = 0, direction: str = "mutual", automated: bool = False
) -> Experience:
    at = NOON + day * DAY
    return Experience(Touch(UUID(int=number), day_of(at), kind, direction, slug, automated=automated), at)


def guest(number: int, *experiences: Experience, **more: int) -> Guest:
    return Guest(UUID(int=number), experiences, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slug", "is_one"), [("fair", True), ("city-fair", True), ("chamber", True), ("fairness", False), ("cafe", False)]
)
def test_a_channel_of_occasions_says_so(slug: str, is_one: bool):
    assert occasions.is_occasion(slug) is is_one


def test_sensitive_ones_are_not_named():
    assert occasions.named(["fair", "cafe", "party"], ["party"]) == ["fair"]


def test_what_a_fair_led_to():
    """1 was met and written to after two days, and is seen every month; 2 was met and never again; 3 was only there."""
    friend = [touched(100 + n, "meeting", "cafe", day=30 * n) for n in range(1, 12)]
    first = guest(1, touched(1, "handshake"), touched(2, "email", "email", day=2, direction="out"), *friend, stage=4)
    second = guest(2, touched(3, "handshake"), touched(4, "email", "email", day=1, direction="in"))
    third = guest(3, touched(5, "attendance"), touched(6, "email", "email", day=1, direction="out"))
    assert occasions.led([first, second, third], "fair", FAIR, now=LATER) == Led(
        came=3, met=2, followed_up=Count(1, 2), alive=Count(1, 2), referrals=0, new_contacts=2, new_allies=1
    )


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (touched(2, "email", "email", day=3, direction="out"), 1),
        (touched(2, "email", "email", day=3.01, direction="out"), 0),
        (touched(2, "email", "email", day=1, direction="in"), 0),
        (touched(2, "email", "email", day=1, direction="out", automated=True), 0),
        (touched(2, "chat", "fair", day=0.2), 0),
        (touched(2, "chat", "fair", day=1), 1),
    ],
)
def test_followed_up_is_a_word_of_ours_within_three_days_elsewhere(after: Experience, counts: int):
    found = occasions.led([guest(1, touched(1, "handshake"), after)], "fair", FAIR, now=LATER)
    assert found.followed_up == Count(counts, 1)


def test_what_cannot_be_said_yet_is_not_counted():
    who = guest(1, touched(1, "handshake"))
    assert occasions.led([who], "fair", FAIR, now=NOON + 2 * DAY).followed_up == Count(0, 0)
    assert occasions.led([who], "fair", FAIR, now=NOON + 3 * DAY).followed_up == Count(0, 1)
    assert occasions.led([who], "fair", FAIR, now=NOON + 89 * DAY).alive == Count(0, 0)
    assert occasions.led([who], "fair", FAIR, now=NOON + 90 * DAY).alive.of == 1


def test_what_came_before_makes_nobody_new_and_referrals_count_for_a_year():
    known = guest(1, touched(1, "email", "email", day=-9), touched(2, "handshake"), stage=5)
    known = Guest(known.contact_id, known.experiences, (NOON - DAY, NOON + DAY, NOON + 364 * DAY, NOON + 366 * DAY), 5)
    found = occasions.led([known], "fair", FAIR, now=LATER)
    assert (found.new_contacts, found.new_allies, found.referrals) == (0, 0, 2)


def test_an_occasion_without_guests_led_to_nothing():
    nothing = Count(0, 0)
    assert occasions.led([], "fair", FAIR, now=LATER) == Led(0, 0, nothing, nothing, 0, 0, 0)
