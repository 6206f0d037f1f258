"""The model of strength as one business has it: which kind of touch is worth what, how fast it fades, what the parts
of the score are worth. It changes as a whole, and with it every score; two versions are never mixed."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from domain import touches
from domain.errors import Invalid
from domain.event import Event
from domain.strength import PARTS
from domain.touches import QUALITIES, Weights

STREAM = "model"
MOST = {"points": 100, "depth": 3, "advocacy": 100}
Points = Annotated[float, Meta(ge=0, le=100)]
HalfLife = Annotated[float, Meta(ge=1, le=36_500)]


class KindModel(Struct, frozen=True, forbid_unknown_fields=True):
    """What one touch of a kind is worth: points, depth 0 to 3, and points of advocacy where it is received.

    The length of what is spoken decides instead, where it is known.
    """

    points: float
    depth: int
    advocacy: int


class HalfLives(Struct, frozen=True, forbid_unknown_fields=True):
    """Days in which the fast, the medium and the slow memory lose half of what they hold."""

    fast: HalfLife
    medium: HalfLife
    slow: HalfLife


class PartPoints(Struct, frozen=True, forbid_unknown_fields=True):
    """The points each part of the score is worth at most; together 100."""

    intensity: Points
    reciprocity: Points
    depth: Points
    breadth: Points
    tenure: Points
    advocacy: Points


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """`kinds` has every kind of touchpoint and `referral_converted`, which a won referral is to who made it.

    `depth_points` are a day's points of depth by its deepest touch, from ambient (0) to a commitment (3).
    """

    kinds: dict[str, KindModel]
    half_lives: HalfLives
    depth_points: tuple[Points, Points, Points, Points]
    parts: PartPoints


class ModelChanged(Event, frozen=True, kw_only=True):
    """The whole model as it is from now on, once all is weighed anew by it."""

    TYPE: ClassVar[str] = "model.changed"
    model: Model

    @property
    def stream(self) -> str:
        return STREAM


STANDARD = Model(
    kinds={name: KindModel(kind.points, kind.depth, kind.advocacy) for name, kind in QUALITIES.items()},
    half_lives=HalfLives(*touches.STANDARD.half_lives),
    depth_points=touches.STANDARD.depth_points,
    parts=PartPoints(*touches.STANDARD.parts),
)


def change(wanted: Model, before: Model | None) -> list[Event]:
    """Nothing where it is so already. Raises Invalid with the field."""
    check(wanted)
    return [] if wanted == (before or STANDARD) else [ModelChanged(model=wanted)]


def check(model: Model) -> None:
    """Raises Invalid where a kind is missing or unknown, or where the score would leave 0 to 100."""
    for kind in QUALITIES:
        if kind not in model.kinds:
            raise Invalid(f"what {kind} is worth is missing", field=f"kinds.{kind}")
    for kind in model.kinds:
        if kind not in QUALITIES:
            raise Invalid(f"there is no kind {kind!r}", field=f"kinds.{kind[:100]}")
        for name, most in MOST.items():
            if not 0 <= getattr(model.kinds[kind], name) <= most:
                raise Invalid(f"this takes a number from 0 to {most}", field=f"kinds.{kind}.{name}")
    together = round(sum(asdict(model.parts).values()), 6)
    if together != 100:
        said = f"the parts add up to {together:g}: with anything but 100 the score would not be one of 0 to 100"
        raise Invalid(said, field="parts")


def weights(model: Model) -> Weights:
    """As the fold takes it. A kind that came later than the model is worth what it is by the standard."""
    return Weights(
        qualities={name: _quality(model.kinds, name) for name in QUALITIES},
        half_lives=(model.half_lives.fast, model.half_lives.medium, model.half_lives.slow),
        depth_points=model.depth_points,
        parts=tuple(getattr(model.parts, part) for part in PARTS),
    )


def _quality(kinds: Mapping[str, KindModel], name: str) -> touches.Quality:
    given = kinds.get(name)
    if given is None:
        return QUALITIES[name]
    return replace(QUALITIES[name], points=given.points, depth=given.depth, advocacy=given.advocacy)


@lru_cache(maxsize=256)
def weights_of(body: bytes | None) -> Weights:
    """The weights of a change of the model, as JSON; the standard's without one."""
    return touches.STANDARD if body is None else weights(_DECODER.decode(body).model)


def evolve(state: Model | None, event: Event) -> Model | None:
    return event.model if isinstance(event, ModelChanged) else state


_DECODER = msgspec.json.Decoder(ModelChanged)
