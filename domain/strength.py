"""The strength of a relationship: a fold over a contact's days, and its reading at any day.

The components follow Granovetter's tie strength (time, intimacy, reciprocal services), with the number of shared places
(multiplexity) and what people do for us in front of others; constants are to be fitted, not to be believed.

A day's touches become one cell of integers, so their order cannot matter; cells are folded in day order with the same
float operations live and in a rebuild, so any order of arrival ends in the same bits as one clean replay.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import exp, fsum, log2
from operator import mul
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.touches import MILLION, STANDARD, Cell, Measure, Touch, Weights, day_cells, measure, merged, once

STAGES: tuple[str, ...] = ("named_only", "by_sight", "acquaintance", "familiar", "ally", "advocate")
PARTS: tuple[str, ...] = ("intensity", "reciprocity", "depth", "breadth", "tenure", "advocacy")
Fading = tuple[float, float, float]
UNFADED: Fading = (1.0, 1.0, 1.0)
ENTER = (0.0, 3.0, 15.0, 35.0, 55.0)
EXIT = (0.0, 0.0, 10.0, 28.0, 46.0)
ADVOCATE_ENTERS, ADVOCATE_STAYS = 0.5, 0.3
CONTACT_DAY = 400_000
ONE_SIDED, ONE_SIDED_CAP = 0.2, 34.0
WAITS = "waits for an answer"
MONTH_DAYS, YEAR_MONTHS = 30, 12
YEAR_DAYS = MONTH_DAYS * YEAR_MONTHS
YEAR_BITS, MONTH_BITS = (1 << YEAR_DAYS) - 1, (1 << MONTH_DAYS) - 1


class OutOfOrder(Exception):
    """The touch lies before the last day of this state: fold all touches of the contact again."""


class Sums(Struct, frozen=True, array_like=True):
    """Decayed sums as they stand at one day. In the design: A30, A180, A730, G, V, B, P, N, C and Bd."""

    fast: float = 0.0
    medium: float = 0.0
    slow: float = 0.0
    given: float = 0.0
    received: float = 0.0
    depth: float = 0.0
    advocacy: float = 0.0
    contact_days: float = 0.0
    contexts: dict[str, float] = {}
    acts: dict[str, float] = {}


class Record(Struct, frozen=True, array_like=True):
    """What is counted and never decays. Days with less than 0.4 points are not contact days.

    `recent` has a bit for each of the 360 days up to `last`, the lowest for `last` itself, as big-endian bytes;
    `months` one for each of the twelve 30-day periods these make, counted back from `last`: neither an older first
    day found later nor the calendar moves them, and in silence untouched periods are only added.
    """

    contact_days: int = 0
    deep_days: int = 0
    deepest: int = 0
    first: int | None = None
    last: int | None = None
    months: int = 0
    gaps_squared: int = 0
    recent: bytes = b""


class Strength(Struct, frozen=True, array_like=True):
    """The state of one contact: all days before the last one closed into sums, the last one still open.

    `through` is the day the sums, the record and the stage stand at.
    """

    through: int = 0
    sums: Sums = Sums()
    record: Record = Record()
    stage: int = 0
    cell: Cell | None = None


class Part(Struct, frozen=True):
    """One part of the score: its value 0..1, and its points to a tenth."""

    value: float
    points: float


class Assessment(Struct, frozen=True):
    """The strength of one contact at one UTC day.

    `score` is the sum of the parts' points. `given` and `received` (points, half-life 180 days), `frequency`
    (saturated points, half-lives 30, 180 and 730 days), `contexts` (points by channel) and `acts` (points we gave by
    act) are decayed to that day. `balance` is above 0 where we give more. `shared_contexts` is the effective number
    of places shared. `first` and `last` are contact days.
    """

    score: float
    stage: int
    held: str | None
    parts: dict[str, Part]
    given: float
    received: float
    balance: float
    frequency: tuple[float, float, float]
    depth_points: float
    advocacy_points: float
    shared_contexts: float
    contexts: dict[str, float]
    acts: dict[str, float]
    contact_days: int
    recent_contact_days: float
    deep_days: int
    gaps_squared: int
    first: int | None
    last: int | None


class Reading(Struct, frozen=True):
    """What a state says at one day: the six values, 0..1 in the order of PARTS, and their unrounded points.

    `raw` is their sum, `score` the same but no more than 34 where it is held for an answer.
    """

    record: Record
    values: tuple[float, float, float, float, float, float]
    shared_contexts: float
    both_sides: bool
    raw: float
    held: bool
    score: float


EMPTY = Strength()


def fold(touches: Iterable[Touch], *, weights: Weights = STANDARD) -> Strength:
    """From all unstruck touches of one contact, in any order, to its state; a touchpoint counts once."""
    return add(EMPTY, once(touches), weights=weights)


def add(state: Strength, touches: Iterable[Touch], *, weights: Weights = STANDARD) -> Strength:
    """Fold touches that are not in the state yet, at constant cost each.

    Raises OutOfOrder where one that weighs anything lies before the state's last day: then `fold` all of them again.
    """
    cells = day_cells(touches, weights=weights)
    if cells and state.cell is not None and cells[0].day < state.cell.day:
        raise OutOfOrder
    for cell in cells:
        state = _join(state, cell, weights)
    return state


def evaluate(state: Strength, day: int, *, weights: Weights = STANDARD) -> Assessment:
    """The strength at the end of a UTC day (days since 1970-01-01) that is not before the state's last day."""
    if state.cell is not None and day < state.cell.day:
        raise ValueError("this state knows later touches: fold those up to the day asked for")
    closed = settled(state, weights)
    stage = _stage_in_silence(closed, day, weights)
    fading = _fading(day - closed.through, weights.half_lives)
    return _assessment(closed, fading, read(closed, day, weights=weights), stage, weights)


def history(touches: Iterable[Touch], days: Iterable[int], *, weights: Weights = STANDARD) -> list[Assessment]:
    """The strength at the end of each of these days, which rise: one fold, read on its way."""
    cells = deque(day_cells(once(touches), weights=weights))
    state, seen = EMPTY, []
    for day in days:
        while cells and cells[0].day <= day:
            state = _join(state, cells.popleft(), weights)
        seen.append(evaluate(state, day, weights=weights))
    return seen


def read(state: Strength, day: int, *, weights: Weights = STANDARD) -> Reading:
    """The unrounded components at the end of a UTC day that is not before the state's last day."""
    closed = settled(state, weights)
    return _read(closed.sums, closed.record, _fading(day - closed.through, weights.half_lives), day, weights)


def _join(state: Strength, cell: Cell, weights: Weights) -> Strength:
    if state.cell is None:
        return Strength(through=cell.day, cell=cell)
    if state.cell.day == cell.day:
        return replace(state, cell=merged(state.cell, cell))
    closed = settled(state, weights)
    return Strength(closed.through, closed.sums, closed.record, closed.stage, cell)


def settled(state: Strength, weights: Weights) -> Strength:
    """The open day folded into the sums, with the stage it ended in."""
    cell = state.cell
    if cell is None:
        return state
    points = sum(cell.contexts.values())
    fading = _fading(cell.day - state.through, weights.half_lives)
    sums = _with_cell(state.sums, fading, cell, points, weights)
    record = _with_day(state.record, cell, points)
    reading = _read(sums, record, UNFADED, cell.day, weights)
    return Strength(cell.day, sums, record, _stage_after(state, cell.day, reading, weights))


@lru_cache(maxsize=8192)
def _fading(days: int, half_lives: Fading) -> Fading:
    fast, medium, slow = half_lives
    return 2.0 ** (-days / fast), 2.0 ** (-days / medium), 2.0 ** (-days / slow)


def _with_cell(sums: Sums, fading: Fading, cell: Cell, points: int, weights: Weights) -> Sums:
    fast, medium, slow = fading
    saturated = log2(1 + points / MILLION)
    return Sums(
        sums.fast * fast + saturated,
        sums.medium * medium + saturated,
        sums.slow * slow + saturated,
        sums.given * medium + (cell.given + cell.mutual / 2) / MILLION,
        sums.received * medium + (cell.received + cell.mutual / 2) / MILLION,
        sums.depth * slow + weights.depth_points[cell.depth],
        sums.advocacy * slow + cell.advocacy,
        sums.contact_days * medium + (points >= CONTACT_DAY),
        _with_points(sums.contexts, medium, cell.contexts),
        _with_points(sums.acts, medium, cell.acts),
    )


def _with_points(sums: dict[str, float], fading: float, points: dict[str, int]) -> dict[str, float]:
    if not points and not sums:
        return sums
    faded = {key: value * fading for key, value in sums.items()}
    for key, new in points.items():
        faded[key] = faded.get(key, 0.0) + new / MILLION
    return faded if len(faded) == len(sums) else dict(sorted(faded.items()))


def _with_day(record: Record, cell: Cell, points: int) -> Record:
    deepest = max(record.deepest, cell.depth)
    if points < CONTACT_DAY:
        return record if deepest == record.deepest else replace(record, deepest=deepest)
    last = cell.day if record.last is None else record.last
    recent = (int.from_bytes(record.recent) << min(cell.day - last, YEAR_DAYS) | 1) & YEAR_BITS
    return Record(
        record.contact_days + 1,
        record.deep_days + (cell.depth >= 2),
        deepest,
        cell.day if record.first is None else record.first,
        cell.day,
        _months(recent),
        record.gaps_squared + (cell.day - last) ** 2,
        recent.to_bytes((recent.bit_length() + 7) // 8),
    )


def _months(recent: int) -> int:
    return sum(1 << month for month in range(YEAR_MONTHS) if recent >> month * MONTH_DAYS & MONTH_BITS)


def _read(sums: Sums, record: Record, fading: Fading, day: int, weights: Weights) -> Reading:
    """The six components of the model, each 0..1. None of them rises with `day` while there is no touch."""
    fast, medium, slow = fading
    frequency = _mixed(sums.fast * fast, sums.medium * medium, sums.slow * slow)
    given, received = sums.given * medium, sums.received * medium
    less = given if given < received else received
    shared = fsum([1 - exp(-points * medium) for points in sums.contexts.values()])
    values = (
        1 - exp(-frequency / 8),
        2 * less / (given + received + 1),
        1 - exp(-sums.depth * slow / 6),
        1 - exp((1 - shared) / 1.5) if shared > 1 else 0.0,
        _tenure(record, day),
        1 - exp(-sums.advocacy * slow / 4),
    )
    raw = fsum(map(mul, weights.parts, values))
    held = less < ONE_SIDED and raw > ONE_SIDED_CAP
    return Reading(record, values, shared, less > ONE_SIDED, raw, held, ONE_SIDED_CAP if held else raw)


def _mixed(fast: float, medium: float, slow: float) -> float:
    """A memory like 1/(1 + age/60 days), within 0.021 over four years."""
    return 0.61 * fast + 0.26 * medium + 0.13 * slow


def _tenure(record: Record, day: int) -> float:
    if record.first is None or record.last is None:
        return 0.0
    silent = (day - record.last) // MONTH_DAYS
    age = (record.last - record.first) // MONTH_DAYS + 1 + silent
    months = (record.months & (1 << max(0, YEAR_MONTHS - silent)) - 1).bit_count()
    share = months / min(age, YEAR_MONTHS)
    return (1 - exp((record.first - record.last) / 365)) * (0.5 + 0.5 * share)


def _stage_after(state: Strength, day: int, reading: Reading, weights: Weights) -> int:
    """The stage at the end of a day with touches, after whatever was lost in the silence before it.

    The silence matters only where the reading lets a contact stay but not enter.
    """
    stage = next_stage(state.stage, reading)
    if stage <= 1 or stage == next_stage(0, reading):
        return stage
    return next_stage(_stage_in_silence(state, day - 1, weights), reading)


def _stage_in_silence(state: Strength, day: int, weights: Weights) -> int:
    """The stage at the last tick up to `day`, where there was no touch since `state.through`.

    Without a touch every component, and with it the score and each gate, only falls. What fails at one tick fails at
    all later ones, so the last tick alone gives what looking at each of them in turn would give.
    """
    tick = day - day % weights.tick_days
    if tick <= state.through or state.stage <= 1:
        return state.stage
    fading = _fading(tick - state.through, weights.half_lives)
    return next_stage(state.stage, _read(state.sums, state.record, fading, tick, weights))


def next_stage(stage: int, reading: Reading) -> int:
    """The highest stage whose bar and gate hold: the lower bar for those already reached, the higher for the others.

    Index into STAGES. The bars stand against the unrounded score.
    """
    for rung in (4, 3, 2, 1):
        bar = EXIT if rung <= stage else ENTER
        if reading.score >= bar[rung] and _gate(rung, reading):
            break
    else:
        return 0
    advocacy = reading.values[5]
    is_advocate = rung == 4 and advocacy >= (ADVOCATE_STAYS if stage == 5 else ADVOCATE_ENTERS)
    return 5 if is_advocate else rung


def _gate(rung: int, reading: Reading) -> bool:
    record = reading.record
    if rung == 4:
        is_broad_or_deep = reading.shared_contexts >= 1.5 or record.deep_days >= 4
        return is_broad_or_deep and _span(record) >= 90 and reading.both_sides
    if rung == 3:
        return record.deepest >= 2 and record.contact_days >= 3
    return rung == 1 or reading.both_sides


def _span(record: Record) -> int:
    return 0 if record.first is None or record.last is None else record.last - record.first


def _assessment(closed: Strength, fading: Fading, reading: Reading, stage: int, weights: Weights) -> Assessment:
    sums, record = closed.sums, closed.record
    fast, medium, slow = fading
    given, received = sums.given * medium, sums.received * medium
    tenths = _tenths(reading, weights)
    return Assessment(
        score=sum(tenths) / 10,
        stage=stage,
        held=WAITS if reading.held else None,
        parts={
            name: Part(round(value, 3), points / 10)
            for name, value, points in zip(PARTS, reading.values, tenths, strict=True)
        },
        given=given,
        received=received,
        balance=(given - received) / (given + received + 2),
        frequency=(sums.fast * fast, sums.medium * medium, sums.slow * slow),
        depth_points=sums.depth * slow,
        advocacy_points=sums.advocacy * slow,
        shared_contexts=reading.shared_contexts,
        contexts={context: points * medium for context, points in sums.contexts.items()},
        acts={act: points * medium for act, points in sums.acts.items()},
        contact_days=record.contact_days,
        recent_contact_days=sums.contact_days * medium,
        deep_days=record.deep_days,
        gaps_squared=record.gaps_squared,
        first=record.first,
        last=record.last,
    )


def _tenths(reading: Reading, weights: Weights) -> list[int]:
    """Points in tenths that sum to the score in tenths: each rounded down or up, up those with the most to lose.

    Rounded one by one they could sum to more than a held score may be, and rise from one silent day to the next.
    """
    scale = reading.score / reading.raw if reading.held else 1.0
    exact = [10 * most * value * scale for most, value in zip(weights.parts, reading.values, strict=True)]
    tenths = [int(points) for points in exact]
    short = round(10 * reading.score) - sum(tenths)
    for i in sorted(range(len(exact)), key=lambda i: tenths[i] - exact[i])[:short]:
        tenths[i] += 1
    return tenths


class Evidence(Struct, frozen=True):
    """One touch, what it was worth, and the share of it left in the fast, the medium and the slow memory."""

    touch: Touch
    worth: Measure
    left: Fading

    @property
    def points(self) -> float:
        return self.worth.points / MILLION * self.left[1]


def weigh_touches(
    touches: Iterable[Touch], day: int, *, weights: Weights = STANDARD, most: int | None = 3
) -> dict[str, list[tuple[Touch, float]]]:
    """The touches up to `day` that weigh most in each part at that day, the heaviest first, at most `most` a part.

    The numbers compare the touches within one part. Intensity: points in the mixed memory; reciprocity: points decayed
    with 180 days. Depth: the decayed depth points of a day, told by its deepest touch. Breadth: what a channel adds to
    the number of shared contexts, told by its heaviest touch. Tenure: the days from the first to the last contact day,
    told by the heaviest touch of each. Advocacy: decayed advocacy points.
    """
    known = [
        Evidence(touch, worth, _fading(day - touch.day, weights.half_lives))
        for touch in once(touches)
        if touch.day <= day and (worth := measure(touch, weights=weights))
    ]
    by_part = {
        "intensity": [(one, one.worth.points / MILLION * _mixed(*one.left)) for one in known],
        "reciprocity": [(one, one.points) for one in known if one.worth.side != "neither"],
        "depth": [(one, weights.depth_points[one.worth.depth] * one.left[2]) for one in _deepest_by_day(known)],
        "breadth": _shared_places(known),
        "tenure": _first_and_last(known),
        "advocacy": [(one, one.worth.advocacy * one.left[2]) for one in known],
    }
    return {part: _heaviest(weighed)[:most] for part, weighed in by_part.items()}


def _heaviest(weighed: Iterable[tuple[Evidence, float]]) -> list[tuple[Touch, float]]:
    found = [(one.touch, weight) for one, weight in weighed if weight > 0]
    return sorted(found, key=lambda each: (-each[1], -each[0].day, each[0].touchpoint_id))


def _deepest_by_day(known: list[Evidence]) -> list[Evidence]:
    return [max(day, key=lambda one: (one.worth.depth, *_size(one))) for day in _grouped(known, lambda t: t.day)]


def _shared_places(known: list[Evidence]) -> list[tuple[Evidence, float]]:
    places = _grouped(known, lambda touch: touch.context)
    return [(max(place, key=_size), 1 - exp(-fsum(one.points for one in place))) for place in places]


def _first_and_last(known: list[Evidence]) -> list[tuple[Evidence, float]]:
    days = _grouped(known, lambda touch: touch.day)
    ends = sorted(
        (max(day, key=_size) for day in days if sum(one.worth.points for one in day) >= CONTACT_DAY),
        key=lambda one: one.touch.day,
    )
    return [(one, float(ends[-1].touch.day - ends[0].touch.day)) for one in (ends[0], ends[-1])] if ends else []


def _grouped(known: list[Evidence], key: Callable[[Touch], int | str]) -> Iterable[list[Evidence]]:
    groups: dict[int | str, list[Evidence]] = {}
    for one in known:
        groups.setdefault(key(one.touch), []).append(one)
    return groups.values()


def _size(one: Evidence) -> tuple[float, UUID]:
    return one.points, one.touch.touchpoint_id
