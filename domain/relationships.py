"""What is kept of one relationship: the strength state and the facts by channel, folded from the same touches."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from domain import rhythm, strength
from domain.channels import Realm, by_table
from domain.contacts import Ending, Often
from domain.rhythm import Away, Rhythm
from domain.strength import Assessment, Strength
from domain.touches import MARKERS, STANDARD, STRAINING, Touch, Weights

Half = Literal["online_only", "in_person_only", "both", "named_only"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STRAIN = timedelta(days=90)


class Experience(Struct, frozen=True):
    """A touch with the instant it happened, which the facts keep and the strength model rounds to its day."""

    touch: Touch
    occurred_at: datetime


class Presence(Struct, frozen=True, array_like=True):
    """How often and since when a contact was met in one channel."""

    touchpoints: int
    first_at: datetime


class Relationship(Struct, frozen=True):
    """The fold's state for one contact. `strained_at` is the last complaint or dispute."""

    strength: Strength = strength.EMPTY
    channels: dict[str, Presence] = {}
    last_touch_at: datetime | None = None
    strained_at: datetime | None = None


class Told(Struct, frozen=True):
    """What the owner says of a relationship and no touch shows."""

    how_often: Often | None = None
    closed: Ending | None = None


class Picture(Struct, frozen=True):
    """A relationship as seen on a day: strength, rhythm, half by facts ever, and the decayed points online.

    No rhythm where there was no contact day, or where the relationship was closed.
    """

    assessment: Assessment
    rhythm: Rhythm | None
    half: Half
    met_at: datetime | None
    first_touch_at: datetime | None
    last_touch_at: datetime | None
    online_points: float
    touchpoints: int


NOBODY_YET = Relationship()
NOTHING_TOLD = Told()


def day_of(instant: datetime) -> int:
    """The UTC day, counted from 1970-01-01."""
    return (instant.astimezone(UTC) - EPOCH).days


def day_start(day: int) -> datetime:
    return EPOCH + timedelta(days=day)


def strained_until(strained_at: datetime | None, now: datetime) -> datetime | None:
    """When the strain of a last complaint or dispute ends; None where there is none any more."""
    if strained_at is None or strained_at + STRAIN <= now:
        return None
    return strained_at + STRAIN


def last_strain(experiences: Iterable[Experience]) -> datetime | None:
    return max((one.occurred_at for one in experiences if one.touch.kind in STRAINING), default=None)


def add(relationship: Relationship, experiences: Iterable[Experience], *, weights: Weights = STANDARD) -> Relationship:
    """With these touches too. Raises OutOfOrder when one lies before the last day: then fold all of them."""
    told = list(experiences)
    grown = strength.add(relationship.strength, (one.touch for one in told), weights=weights)
    return replace(_with_facts(relationship, told), strength=grown)


def fold(experiences: Iterable[Experience], *, weights: Weights = STANDARD) -> Relationship:
    """From all unstruck touches, in any order; one that comes twice counts once."""
    told = list({one.touch.touchpoint_id: one for one in experiences}.values())
    return replace(_with_facts(NOBODY_YET, told), strength=strength.fold((one.touch for one in told), weights=weights))


def _with_facts(relationship: Relationship, experiences: list[Experience]) -> Relationship:
    channels, last = dict(relationship.channels), relationship.last_touch_at
    for one in experiences:
        if one.touch.kind in MARKERS:
            continue
        slug, at = one.touch.context, one.occurred_at
        before = channels.get(slug, Presence(0, at))
        channels[slug] = Presence(before.touchpoints + 1, min(before.first_at, at))
        last = at if last is None else max(last, at)
    strains = [at for at in (relationship.strained_at, last_strain(experiences)) if at is not None]
    return replace(
        relationship,
        channels=dict(sorted(channels.items())),
        last_touch_at=last,
        strained_at=max(strains, default=None),
    )


def picture(
    relationship: Relationship,
    realms: Mapping[str, Realm],
    day: int,
    *,
    told: Told = NOTHING_TOLD,
    away: Away = (),
    weights: Weights = STANDARD,
) -> Picture:
    """As seen on a UTC day, or on the day of the last touch when that lies ahead. Unopened channels: by the table."""
    day = max(day, last_day(relationship))
    assessment = strength.evaluate(relationship.strength, day, weights=weights)
    firsts = {slug: presence.first_at for slug, presence in relationship.channels.items()}
    physical = [at for slug, at in firsts.items() if realm_of(slug, realms) == "physical"]
    virtual = [at for slug, at in firsts.items() if realm_of(slug, realms) == "virtual"]
    return Picture(
        assessment=assessment,
        rhythm=rhythm_at(relationship.strength, day, stage=assessment.stage, told=told, away=away, weights=weights),
        half=half_of(virtual=bool(virtual), physical=bool(physical)),
        met_at=min(physical, default=None),
        first_touch_at=min(firsts.values(), default=None),
        last_touch_at=relationship.last_touch_at,
        online_points=sum(
            points for slug, points in assessment.contexts.items() if realm_of(slug, realms) == "virtual"
        ),
        touchpoints=sum(presence.touchpoints for presence in relationship.channels.values()),
    )


def rhythm_at(
    state: Strength, day: int, *, stage: int, told: Told, away: Away = (), weights: Weights = STANDARD
) -> Rhythm | None:
    if told.closed is not None:
        return None
    return rhythm.at(state, day, stage=stage, often=told.how_often, away=away, weights=weights)


def last_day(relationship: Relationship) -> int:
    """The UTC day of the last touch, or of the last that strength knows; 0 where there is none."""
    touched = 0 if relationship.last_touch_at is None else day_of(relationship.last_touch_at)
    cell = relationship.strength.cell
    return touched if cell is None else max(touched, cell.day)


def half_of(*, virtual: bool, physical: bool) -> Half:
    """By facts ever: one unstruck touch there is enough."""
    if virtual and physical:
        return "both"
    if virtual or physical:
        return "online_only" if virtual else "in_person_only"
    return "named_only"


def realm_of(slug: str, realms: Mapping[str, Realm]) -> Realm:
    return realms[slug] if slug in realms else by_table(slug).realm
