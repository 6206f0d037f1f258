"""Touches: one touchpoint as one contact experienced it, and what it weighs.

A touch knows its channel but not the channel's realm: the same exchange weighs the same online and in person.
One point is one short addressed exchange, a message and its answer.
"""

from collections.abc import Collection, Iterable
from itertools import groupby
from math import log2, sqrt
from uuid import UUID

from msgspec import Struct, field, msgpack

MILLION = 1_000_000


class Touch(Struct, frozen=True):
    """One touchpoint as one contact experienced it.

    `day` is the UTC day it happened, counted from 1970-01-01. `direction` is "out" (from us), "in" (from the
    contact) or "mutual". `context` is the slug of the channel. `act` is give, ask, promote, thank or neutral.
    A stated `depth` (0 to 3) stands above the depth of the kind. `audience` counts the people other than us who
    took part or were addressed, at least 1.
    """

    touchpoint_id: UUID
    day: int
    kind: str
    direction: str
    context: str
    act: str | None = None
    depth: int | None = None
    minutes: int | None = None
    audience: int = 1
    automated: bool = False


class Quality(Struct, frozen=True):
    """What a kind of touch is worth: points, depth 0 to 3, and advocacy points where it was received.

    Of `spoken` touches the length decides, if it is known. `thinned` touches are worth less to each the more
    people they are addressed to; a public recommendation is not. Touches that are not `sided` are nobody's act and
    count for neither giving nor receiving.
    """

    points: float
    depth: int = 0
    advocacy: int = 0
    spoken: bool = False
    thinned: bool = True
    sided: bool = True


class Measure(Struct, frozen=True):
    """What one touch adds to its day: whole millionths of a point, the side they count for, depth, advocacy points."""

    points: int
    side: str
    depth: int
    advocacy: int


class Cell(Struct, frozen=True, array_like=True):
    """One UTC day of one contact, in millionths of a point; `depth` is its deepest touch, advocacy in whole points."""

    day: int
    given: int
    received: int
    mutual: int
    depth: int
    advocacy: int
    contexts: dict[str, int]
    acts: dict[str, int]


NOTHING = Quality(0.0)
AMBIENT = Quality(0.1)
SAME_ROOM = Quality(0.1, thinned=False, sided=False)
PRESENCE = Quality(0.5)
EXCHANGE = Quality(0.5, depth=1)
TRADE = Quality(0.4)
WRITTEN = Quality(0.7, depth=1)
CHAT = Quality(0.5, depth=1, spoken=True)
CONVERSATION = Quality(2.0, depth=2, spoken=True)
SHARED_TIME = Quality(3.0, depth=2, spoken=True)
COMMITMENT = Quality(2.0, depth=3)
JOINT_WORK = Quality(2.0, depth=2)

QUALITIES: dict[str, Quality] = {
    "post": NOTHING,
    "complaint": NOTHING,
    "dispute": NOTHING,
    "like": AMBIENT,
    "follow": AMBIENT,
    "attendance": SAME_ROOM,
    "connect": PRESENCE,
    "handshake": PRESENCE,
    "other": PRESENCE,
    "purchase": TRADE,
    "mention": EXCHANGE,
    "comment": EXCHANGE,
    "direct_message": EXCHANGE,
    "chat": CHAT,
    "email": WRITTEN,
    "call": CONVERSATION,
    "video_call": CONVERSATION,
    "meeting": SHARED_TIME,
    "help": COMMITMENT,
    "advice": COMMITMENT,
    "gift": JOINT_WORK,
    "collaboration": JOINT_WORK,
    "share": Quality(1.0, depth=1, advocacy=1, thinned=False),
    "review": Quality(1.0, depth=1, advocacy=1, thinned=False),
    "introduction": Quality(2.0, depth=3, advocacy=1, thinned=False),
    "vouch": Quality(2.0, depth=3, advocacy=2, thinned=False),
    "referral": Quality(3.0, depth=3, advocacy=3, thinned=False),
    "referral_converted": Quality(0.0, advocacy=2, thinned=False),
}
STRAINING = frozenset({"complaint", "dispute"})
MARKERS = frozenset({"referral_converted"})
KINDS: frozenset[str] = frozenset(QUALITIES) - MARKERS


class Weights(Struct, frozen=True):
    """One version of the model's constants; another version means a rebuild, never a mixture.

    `half_lives` are days: the fast, the medium and the slow memory. `depth_points` are the points of a day by its
    deepest touch. `parts` are the points each part of the score is worth at most, 100 in all. `tick_days` is how often
    a stage is looked at between touches.
    """

    qualities: dict[str, Quality] = field(default_factory=lambda: QUALITIES)
    half_lives: tuple[float, float, float] = (30.0, 180.0, 730.0)
    depth_points: tuple[float, float, float, float] = (0.0, 0.02, 1.0, 2.0)
    parts: tuple[float, float, float, float, float, float] = (30.0, 15.0, 20.0, 15.0, 10.0, 10.0)
    tick_days: int = 1


STANDARD = Weights()


def measure(touch: Touch, *, weights: Weights = STANDARD) -> Measure | None:
    """What the touch adds to its day, or None where it adds nothing (automated, a broadcast, a complaint or dispute).

    Points are rounded once, to whole millionths. Only what we received, or did together, is advocacy.
    """
    if touch.automated:
        return None
    quality = weights.qualities[touch.kind]
    points = _points(touch, quality)
    advocacy = quality.advocacy if touch.direction != "out" else 0
    if not points and not advocacy:
        return None
    return Measure(points, touch.direction if quality.sided else "neither", _depth(touch, quality), advocacy)


def _points(touch: Touch, quality: Quality) -> int:
    points = quality.points
    if quality.spoken and touch.minutes is not None:
        points = spoken_points(touch.minutes)
    if quality.thinned and touch.audience > 2:
        points *= attention(touch.audience)
    return round(points * MILLION)


def _depth(touch: Touch, quality: Quality) -> int:
    if touch.depth is not None:
        return touch.depth
    if quality.spoken and touch.minutes is not None:
        return 2 if touch.minutes >= 10 else 1
    return quality.depth


def spoken_points(minutes: int) -> float:
    """Points of a chat, call, video call or meeting whose length is known: 0.5 log2(1 + minutes/5) + 0.5, in 0.5..3.

    From ten minutes on it is a conversation (depth 2), below that a few words (depth 1), whatever its kind; so half
    an hour on video is shared time just as half an hour over coffee is.
    """
    return min(3.0, max(0.5, 0.5 * log2(1 + minutes / 5) + 0.5))


def attention(audience: int) -> float:
    """The share of a touch that reaches each: all of it up to 2 people, 1/sqrt(A-1) up to 12, none above."""
    if audience <= 2:
        return 1.0
    return 1 / sqrt(audience - 1) if audience <= 12 else 0.0


def once(touches: Iterable[Touch]) -> Collection[Touch]:
    """Each touchpoint once; of two accounts of the same one, the same is kept in whatever order they come."""
    kept: dict[UUID, Touch] = {}
    for touch in touches:
        other = kept.setdefault(touch.touchpoint_id, touch)
        if other is not touch and other != touch:
            kept[touch.touchpoint_id] = min(other, touch, key=msgpack.encode)
    return kept.values()


def day_cells(touches: Iterable[Touch], *, weights: Weights = STANDARD) -> list[Cell]:
    """The days on which anything weighed, in order. Integers only, so the order within a day leaves no trace."""
    weighed = [(touch, worth) for touch in touches if (worth := measure(touch, weights=weights))]
    weighed.sort(key=_day)
    return [_cell(day, group) for day, group in groupby(weighed, key=_day)]


def _day(weighed: tuple[Touch, Measure]) -> int:
    return weighed[0].day


def _cell(day: int, weighed: Iterable[tuple[Touch, Measure]]) -> Cell:
    sides = {"out": 0, "in": 0, "mutual": 0, "neither": 0}
    contexts: dict[str, int] = {}
    acts: dict[str, int] = {}
    depth = advocacy = 0
    for touch, worth in weighed:
        sides[worth.side] += worth.points
        if worth.points:
            contexts[touch.context] = contexts.get(touch.context, 0) + worth.points
        if touch.act is not None and touch.act != "neutral" and touch.direction == "out":
            acts[touch.act] = acts.get(touch.act, 0) + worth.points
        depth = max(depth, worth.depth)
        advocacy += worth.advocacy
    return Cell(day, sides["out"], sides["in"], sides["mutual"], depth, advocacy, _in_order(contexts), _in_order(acts))


def merged(one: Cell, other: Cell) -> Cell:
    """Two cells of the same day as one."""
    return Cell(
        one.day,
        one.given + other.given,
        one.received + other.received,
        one.mutual + other.mutual,
        max(one.depth, other.depth),
        one.advocacy + other.advocacy,
        _added(one.contexts, other.contexts),
        _added(one.acts, other.acts),
    )


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return _in_order({key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()})


def _in_order(table: dict[str, int]) -> dict[str, int]:
    return dict(sorted(table.items())) if len(table) > 1 else table
