"""What a reader remembers: counts, texts to many, versions."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.imports.formats.seen import MANY, WITHIN, Seen

BEGIN = datetime(2026, 5, 6, tzinfo=UTC)
DAY = int(WITHIN.total_seconds()) // 3600
TEXT, OTHER = b"t" * 16, b"o" * 16


def test_what_was_seen_is_counted():
    with Seen() as seen:
        assert [seen.times("a", "b"), seen.times("a", "b"), seen.times("ab")] == [1, 2, 1]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 7), st.sampled_from([TEXT, OTHER])), max_size=24))
def test_a_text_is_bulk_when_a_day_around_it_holds_many_people(told: list[tuple[int, int, bytes]]):
    """In whatever order they come, against the sentence itself."""
    with Seen() as seen:
        for hour, who, text in told:
            seen.told(text, BEGIN + timedelta(hours=hour), f"person {who}")
        seen.find_bulk()
        for hour, _, text in told:
            days = (
                range(begin, begin + int(WITHIN.total_seconds()) // 3600 + 1) for begin in range(hour - 24, hour + 1)
            )
            many = any(len({who for at, who, one in told if one == text and at in day}) >= MANY for day in days)
            assert seen.is_bulk(text, BEGIN + timedelta(hours=hour)) == many


def test_nothing_is_bulk_that_was_not_told():
    with Seen() as seen:
        seen.find_bulk()
        assert not seen.is_bulk(None, BEGIN)
        assert not seen.is_bulk(TEXT, BEGIN)


def test_the_best_version_is_the_highest_and_of_equals_the_first():
    with Seen() as seen:
        for rank, line in (("1", 10), ("2", 20), ("2", 30), ("0", 40)):
            seen.offer(("a",), rank, line)
        assert seen.best(("a",)) == ("2", 20)
        assert seen.best(("b",)) is None


def test_parts_are_those_of_the_best_versions():
    with Seen() as seen:
        for rank, line in (("1", 10), ("2", 20)):
            seen.offer(("whole", "part"), rank, line)
            seen.keep_part(("whole",), ("whole", "part"), line, f"text {line}")
        assert seen.parts(("whole",), most=9) == ["text 20"]
