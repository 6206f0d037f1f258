"""The strength model: its worked example, its sanity figures, and what must hold of any history."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack
from msgspec.structs import replace

from domain.strength import (
    EMPTY,
    STAGES,
    WAITS,
    Assessment,
    OutOfOrder,
    Strength,
    add,
    evaluate,
    fold,
    next_stage,
    read,
    weigh_touches,
)
from domain.touches import KINDS, MARKERS, Touch, Weights, day_cells
from tests.domain.worked_example import FIRST_DAY, touches

Row = tuple[str, str, str]

unhurried = settings(deadline=None)

MESSAGE_OUT: Row = ("direct_message", "out", "linkedin")
MESSAGE_IN: Row = ("direct_message", "in", "linkedin")
COFFEE: Row = ("meeting", "mutual", "cafe")


def every(days: int, *rows: Row) -> list[Touch]:
    """Two years in which the same happens every so many days."""
    dated = [(offset, row) for offset in range(0, 731, days) for row in rows]
    return [Touch(UUID(int=i), FIRST_DAY + offset, *row) for i, (offset, row) in enumerate(dated)]


def bits(state: Strength) -> bytes:
    return msgpack.encode(state)


def example_at(offset: int) -> Assessment:
    return evaluate(fold(touches(until=offset)), FIRST_DAY + offset)


def test_the_worked_example_has_the_printed_sums():
    seen = example_at(160)
    assert [round(total, 3) for total in seen.frequency] == [2.386, 10.953, 14.358]
    assert round(0.61 * seen.frequency[0] + 0.26 * seen.frequency[1] + 0.13 * seen.frequency[2], 3) == 6.170
    assert (round(seen.given, 3), round(seen.received, 3)) == (7.057, 7.224)
    assert (round(seen.depth_points, 3), round(seen.advocacy_points, 3)) == (7.471, 4.770)
    assert {context: round(points, 3) for context, points in seen.contexts.items()} == {
        "cafe": 6.709,
        "chamber": 0.270,
        "email": 5.255,
        "linkedin": 0.544,
        "phone": 1.167,
        "twitter": 0.335,
    }
    assert (round(seen.shared_contexts, 3), round(seen.balance, 2)) == (3.623, -0.01)
    assert (seen.contact_days, seen.first, seen.last) == (12, FIRST_DAY, FIRST_DAY + 121)


def test_the_worked_example_has_the_printed_parts_and_score():
    seen = example_at(160)
    assert {name: (part.value, part.points) for name, part in seen.parts.items()} == {
        "intensity": (0.538, 16.1),
        "reciprocity": (0.924, 13.9),
        "depth": (0.712, 14.2),
        "breadth": (0.826, 12.4),
        "tenure": (0.259, 2.6),
        "advocacy": (0.697, 7.0),
    }
    assert (seen.score, seen.held, STAGES[seen.stage]) == (66.2, None, "advocate")


@pytest.mark.parametrize(
    ("offset", "score"), [(10, 19.2), (60, 46.4), (100, 67.7), (130, 69.9), (220, 61.1), (400, 51.3), (700, 34.5)]
)
def test_the_worked_example_has_the_printed_score_over_time(offset: int, score: float):
    assert example_at(offset).score == score


def test_the_worked_example_passes_through_the_printed_stages():
    stages = [STAGES[example_at(offset).stage] for offset in range(1_200)]
    changes = [(i, stage) for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    assert changes == [
        (0, "by_sight"),
        (9, "acquaintance"),
        (41, "familiar"),
        (97, "advocate"),
        (499, "familiar"),
        (818, "acquaintance"),
        (1086, "by_sight"),
    ]


@pytest.mark.parametrize(("offset", "stage"), [(490, "advocate"), (505, "familiar")])
def test_a_small_touch_keeps_a_stage_but_does_not_win_it_back(offset: int, stage: str):
    email = Touch(UUID(int=99), FIRST_DAY + offset, "email", "in", "email")
    seen = evaluate(fold([*touches(), email]), FIRST_DAY + offset)
    assert 46 < seen.score < 55
    assert STAGES[seen.stage] == stage


def test_the_worked_example_names_the_touches_that_weigh_most():
    weighed = weigh_touches(touches(), FIRST_DAY + 160)
    told = {part: [(t.day - FIRST_DAY, t.kind, round(w, 2)) for t, w in found] for part, found in weighed.items()}
    assert told == {
        "intensity": [(121, "meeting", 1.79), (97, "referral", 1.41), (83, "meeting", 1.25)],
        "reciprocity": [(121, "meeting", 2.58), (97, "referral", 2.35), (83, "meeting", 2.23)],
        "depth": [(97, "referral", 1.88), (70, "help", 1.84), (121, "meeting", 0.96)],
        "breadth": [(121, "meeting", 1.0), (97, "referral", 0.99), (20, "call", 0.69)],
        "tenure": [(121, "meeting", 121.0), (0, "handshake", 121.0)],
        "advocacy": [(97, "referral", 2.83), (130, "referral_converted", 1.94)],
    }


BUSY_MONTH = [
    Touch(
        UUID(int=i),
        FIRST_DAY + 701 + i // 4,
        "direct_message",
        "in" if i % 2 else "out",
        ("whatsapp", "slack")[i // 2 % 2],
    )
    for i in range(120)
]


@pytest.mark.parametrize(
    ("history", "score", "held"),
    [
        pytest.param(every(7, MESSAGE_OUT, MESSAGE_IN), 56.0, None, id="a message and its answer every week"),
        pytest.param(every(7, COFFEE), 73.4, None, id="weekly coffee"),
        pytest.param(every(30, COFFEE), 64.4, None, id="monthly coffee"),
        pytest.param(every(91, COFFEE), 45.9, None, id="quarterly coffee"),
        pytest.param(BUSY_MONTH, 54.5, None, id="one month of four messages a day on two platforms"),
        pytest.param(every(7, MESSAGE_OUT), 34.0, WAITS, id="a message every week and no answer"),
    ],
)
def test_two_years_are_worth_what_the_model_promises(history: list[Touch], score: float, held: str | None):
    seen = evaluate(fold(history), FIRST_DAY + 730)
    assert seen.score == score
    assert seen.held == held


def test_messages_every_week_are_shallow_and_in_one_place():
    seen = evaluate(fold(every(7, MESSAGE_OUT, MESSAGE_IN)), FIRST_DAY + 730)
    assert (seen.parts["depth"].points, seen.parts["breadth"].points) == (4.5, 0.0)


def test_one_place_is_enough_for_an_advocate():
    breakfasts = every(7, ("meeting", "mutual", "bni"))
    referrals = [Touch(UUID(int=1_000 + i), FIRST_DAY + 100 * i, "referral", "in", "bni") for i in range(1, 7)]
    assert STAGES[evaluate(fold(breakfasts + referrals), FIRST_DAY + 730).stage] == "advocate"


def test_somebody_never_touched_is_known_by_name_only():
    seen = evaluate(EMPTY, FIRST_DAY)
    assert (seen.score, STAGES[seen.stage], seen.first, seen.contexts) == (0.0, "named_only", None, {})


def test_an_earlier_touch_must_be_folded_with_all_the_others():
    state = fold(touches())
    with pytest.raises(OutOfOrder):
        add(state, touches(until=0))


def test_an_earlier_touch_that_weighs_nothing_disturbs_nobody():
    broadcast = replace(touches()[0], kind="post")
    assert add(fold(touches()), [broadcast]) == fold(touches())


def test_a_state_is_not_asked_about_days_before_its_last():
    with pytest.raises(ValueError, match="later touches"):
        evaluate(fold(touches()), FIRST_DAY + 100)


def test_a_state_takes_a_few_hundred_bytes():
    assert len(bits(fold(touches()))) < 400


def test_months_of_silence_do_not_outgrow_a_year_of_bits():
    far = replace(touches()[0], touchpoint_id=UUID(int=99), day=FIRST_DAY + 40_000)
    later = replace(far, touchpoint_id=UUID(int=100), day=far.day + 1)
    assert fold([*touches(), far, later]).record.months == 1


ROWS = st.builds(
    Touch,
    touchpoint_id=st.uuids(),
    day=st.one_of(st.integers(FIRST_DAY, FIRST_DAY + 12), st.integers(FIRST_DAY, FIRST_DAY + 900)),
    kind=st.sampled_from(sorted(KINDS | MARKERS)),
    direction=st.sampled_from(["in", "out", "mutual"]),
    context=st.sampled_from(["cafe", "chamber", "email", "linkedin", "phone"]),
    act=st.sampled_from([None, "give", "ask", "promote", "thank", "neutral"]),
    depth=st.one_of(st.none(), st.integers(0, 3)),
    minutes=st.one_of(st.none(), st.integers(0, 200)),
    audience=st.one_of(st.just(1), st.integers(1, 20)),
    automated=st.sampled_from([False, False, False, True]),
)
HISTORIES = st.lists(ROWS, max_size=40, unique_by=lambda touch: touch.touchpoint_id)
CONVERSATIONS = st.builds(
    Touch,
    touchpoint_id=st.uuids(),
    day=st.integers(FIRST_DAY - 800, FIRST_DAY + 900),
    kind=st.sampled_from(["call", "video_call", "meeting"]),
    direction=st.just("mutual"),
    context=st.sampled_from(["cafe", "phone", "zoom"]),
    minutes=st.one_of(st.none(), st.integers(10, 200)),
)
SILENCES = st.integers(0, 1_500)


def last_day(history: Sequence[Touch]) -> int:
    return max((touch.day for touch in history), default=FIRST_DAY)


class Book:
    """One contact as events arrive: folds at the end where it can, all again where it must."""

    def __init__(self) -> None:
        self.known: dict[UUID, Touch] = {}
        self.state = EMPTY

    def arrive(self, *new: Touch) -> None:
        fresh = [touch for touch in new if touch.touchpoint_id not in self.known]
        self.known |= {touch.touchpoint_id: touch for touch in fresh}
        try:
            self.state = add(self.state, fresh)
        except OutOfOrder:
            self.state = fold(self.known.values())

    def strike(self, touch: Touch) -> None:
        self.known.pop(touch.touchpoint_id, None)
        self.state = fold(self.known.values())


@unhurried
@given(HISTORIES, st.randoms(use_true_random=False))
def test_any_order_with_duplicates_folds_to_the_bits_of_a_clean_replay(history: list[Touch], random: Random):
    shuffled = history + random.sample(history, len(history) // 2)
    random.shuffle(shuffled)
    clean = sorted(history, key=lambda touch: touch.day)
    assert bits(fold(shuffled)) == bits(fold(clean)) == bits(add(EMPTY, clean))


@unhurried
@given(HISTORIES, st.randoms(use_true_random=False))
def test_late_touches_and_strikes_end_in_the_bits_of_a_clean_replay(history: list[Touch], random: Random):
    book = Book()
    struck = random.sample(history, len(history) // 3)
    arrivals: list[Callable[[], None]] = [partial(book.arrive, touch) for touch in [*history, *struck]]
    random.shuffle(arrivals)
    for arrive in arrivals:
        arrive()
    for touch in struck:
        book.strike(touch)
    assert bits(book.state) == bits(fold(touch for touch in history if touch not in struck))


@unhurried
@given(HISTORIES, HISTORIES)
def test_merging_two_contacts_does_not_depend_on_which_is_kept(one: list[Touch], other: list[Touch]):
    assert bits(fold(one + other)) == bits(fold(other + one)) == bits(fold(one + other + one))


@unhurried
@given(HISTORIES, st.data())
def test_a_state_stored_anywhere_goes_on_to_the_same_bits(history: list[Touch], data: st.DataObject):
    clean = sorted(history, key=lambda touch: touch.day)
    cut = data.draw(st.integers(0, len(clean)))
    stored = bits(fold(clean[:cut]))
    loaded = msgpack.decode(stored, type=Strength)
    assert bits(loaded) == stored
    assert bits(add(loaded, clean[cut:])) == bits(fold(clean))


@unhurried
@given(HISTORIES, SILENCES)
def test_the_parts_sum_to_a_score_between_0_and_100(history: list[Touch], silence: int):
    seen = evaluate(fold(history), last_day(history) + silence)
    assert 0 <= seen.score <= 100
    assert round(sum(part.points for part in seen.parts.values()), 1) == seen.score
    assert all(0 <= part.value <= 1 for part in seen.parts.values())
    assert seen.held is None or seen.score == 34.0


@unhurried
@given(HISTORIES, SILENCES, st.integers(0, 400))
def test_nothing_rises_without_a_touch(history: list[Touch], silence: int, more: int):
    state, day = fold(history), last_day(history) + silence
    before, after = read(state, day), read(state, day + more)
    assert after.score <= before.score
    assert all(late <= early for early, late in zip(before.values, after.values, strict=True))
    assert evaluate(state, day + more).score <= evaluate(state, day).score
    assert evaluate(state, day + more).stage <= evaluate(state, day).stage


@unhurried
@given(HISTORIES, CONVERSATIONS, SILENCES)
def test_one_more_conversation_never_lowers_the_score(history: list[Touch], conversation: Touch, silence: int):
    day = last_day([*history, conversation]) + silence
    before, after = evaluate(fold(history), day), evaluate(fold([*history, conversation]), day)
    assert after.score >= before.score


def ticked(history: Sequence[Touch], day: int, *, every: int) -> int:
    """The stage by looking at each touched day and each tick in turn."""
    touched = {cell.day for cell in day_cells(history)}
    stage = 0
    for today in range(min(touched, default=day), day + 1):
        if today in touched or today % every == 0:
            stage = next_stage(stage, read(fold(touch for touch in history if touch.day <= today), today))
    return stage


LIVELY = st.lists(
    st.builds(
        Touch,
        touchpoint_id=st.uuids(),
        day=st.integers(FIRST_DAY, FIRST_DAY + 300),
        kind=st.sampled_from(["referral", "meeting", "direct_message", "help", "email"]),
        direction=st.sampled_from(["in", "mutual", "out"]),
        context=st.sampled_from(["cafe", "email", "phone"]),
    ),
    max_size=12,
    unique_by=lambda touch: touch.touchpoint_id,
)


@pytest.mark.parametrize("every", [1, 7])
@unhurried
@given(history=LIVELY, silence=st.integers(0, 500))
def test_one_step_through_a_silence_is_the_same_as_tick_by_tick(every: int, history: list[Touch], silence: int):
    day = last_day(history) + silence
    weights = Weights(tick_days=every)
    assert evaluate(fold(history, weights=weights), day, weights=weights).stage == ticked(history, day, every=every)


@unhurried
@given(HISTORIES, SILENCES, st.randoms(use_true_random=False))
def test_the_touches_that_weigh_most_do_not_depend_on_the_order(history: list[Touch], silence: int, random: Random):
    day = last_day(history) + silence
    shuffled = random.sample(history, len(history))
    assert weigh_touches(shuffled, day) == weigh_touches(history, day)


@unhurried
@given(HISTORIES, SILENCES)
def test_a_part_has_points_where_touches_weigh_in_it(history: list[Touch], silence: int):
    day = last_day(history) + silence
    values = read(fold(history), day).values
    weighed = weigh_touches(history, day)
    for part, value in zip(weighed, values, strict=True):
        assert not value or weighed[part]
        assert len(weighed[part]) <= 3
