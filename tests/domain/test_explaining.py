"""What changed a strength, and the words for it."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from domain import explaining
from domain.explaining import WORDS, Shift, change, change_in_words, coverage_in_words, in_words
from domain.strength import EMPTY, PARTS, evaluate, fold, history
from domain.touches import Touch
from tests.domain.test_strength import HISTORIES
from tests.domain.worked_example import FIRST_DAY, touches

PRINTED = {10: 19.2, 60: 46.4, 100: 67.7, 130: 69.9, 220: 61.1, 400: 51.3, 700: 34.5}


def test_the_worked_example_in_words():
    seen = evaluate(fold(touches()), FIRST_DAY + 160)
    assert in_words(seen) == (
        "66.2 = 16.1 frequency + 13.9 give-and-take + 14.2 depth + 12.4 shared places + 2.6 time + 7.0 referrals"
    )
    assert coverage_in_words(seen.contact_days, len(seen.contexts)) == "12 contact days, 6 contexts"


def test_a_held_score_says_so():
    alone = [Touch(UUID(int=n), FIRST_DAY + n, "email", "out", "email") for n in range(300)]
    assert in_words(evaluate(fold(alone), FIRST_DAY + 300)).endswith("; held, as it waits for an answer")


@pytest.mark.parametrize(
    ("days", "contexts", "words"),
    [
        (0, 0, "0 contact days, 0 contexts; too early to tell"),
        (1, 1, "1 contact day, 1 context; too early to tell"),
        (3, 1, "3 contact days, 1 context"),
    ],
)
def test_what_a_score_rests_on_in_words(days: int, contexts: int, words: str):
    assert coverage_in_words(days, contexts) == words


def test_the_worked_example_from_the_sixtieth_to_the_hundredth_day():
    moved = change(touches(until=60), touches(until=100), FIRST_DAY + 60, FIRST_DAY + 100)
    assert (moved.score.before, moved.score.after, moved.score.difference) == (464, 677, 213)
    assert moved.score.faded < 0 < moved.score.came
    assert change_in_words(moved, 5, date(2024, 3, 1)) == (
        f"67.7, up 21.3 since 2024-03-01: +{moved.score.came / 10} by 5 touchpoints, {moved.score.faded / 10} faded;"
        " most of it depth +8.0"
    )


def test_a_silence_only_fades():
    moved = change(touches(), touches(), FIRST_DAY + 220, FIRST_DAY + 400)
    assert moved.score == Shift(611, -98, 0)
    assert change_in_words(moved, 0, date(2024, 8, 8)).startswith("51.3, down 9.8 since 2024-08-08: -9.8 faded; most")


def test_nothing_happened_to_somebody_unknown():
    moved = change([], [], FIRST_DAY, FIRST_DAY + 9)
    assert change_in_words(moved, 0, date(2024, 1, 1)) == "0.0, as on 2024-01-01"


@settings(deadline=None)
@given(HISTORIES, st.integers(0, 900), st.integers(0, 900))
def test_changes_add_up_to_the_printed_digit(told: list[Touch], since: int, more: int):
    since, day = FIRST_DAY + since, FIRST_DAY + since + more
    known = [touch for touch in told if touch.day <= day]
    earlier = [touch for touch in known if touch.day <= since]
    moved = change(earlier, known, since, day)
    for way in ("before", "faded", "came", "difference", "after"):
        assert sum(getattr(part, way) for part in moved.parts.values()) == getattr(moved.score, way)
    assert moved.score.before / 10 == evaluate(fold(earlier), since).score
    assert moved.score.after / 10 == evaluate(fold(known), day).score
    assert moved.score.faded <= 0
    assert earlier != known or moved.score.came == 0


def test_every_part_has_a_word():
    assert list(WORDS) == list(PARTS)
    assert explaining.ENOUGH_DAYS == 3


def test_the_history_of_the_worked_example_has_the_printed_scores():
    seen = history(reversed(touches()), [FIRST_DAY + offset for offset in PRINTED])
    assert [one.score for one in seen] == list(PRINTED.values())


@settings(deadline=None)
@given(HISTORIES, st.integers(0, 400))
def test_a_history_is_each_day_asked_by_itself_to_the_bit(told: list[Touch], begin: int):
    days = list(range(FIRST_DAY + begin, FIRST_DAY + 1_000, 7))
    for day, seen in zip(days, history(told, days), strict=True):
        assert seen == evaluate(fold(touch for touch in told if touch.day <= day), day)


def test_a_history_of_nobody_is_nothing_each_day():
    assert msgpack.encode(history([], [5, 6])) == msgpack.encode([evaluate(EMPTY, 5), evaluate(EMPTY, 6)])
