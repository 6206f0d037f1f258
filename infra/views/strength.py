"""A relationship's strength, explained: its parts, the touchpoints that weigh most in each, what changed, and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain import explaining, outlook, strength
from domain.errors import Invalid, NotFound
from domain.explaining import Change, Shift
from domain.relationships import Experience, Told, day_of, day_start, last_strain, rhythm_at, strained_until
from domain.rhythm import Away, Rhythm
from domain.strength import Assessment, Strength
from domain.touches import Touch, Weights, measure
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections import merges, timeline
from infra.projections.nudges import policy_of
from infra.projections.relationships import away_of, weights_in_use
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Instant
from infra.views.rhythm import RhythmView, told

READS = ("contacts", "timeline", "nudges", "relationships")
MOST_WEEKS = 520
HEAVIEST = 3


class Weighing(Struct, frozen=True):
    """A touchpoint that weighs in a part, in the part's own unit: points, decayed to the day asked.

    The kind `referral_converted` is a referral that was won; its `event_id` is the referral's id.
    """

    event_id: UUID
    kind: str
    channel: str
    direction: str
    occurred_at: Instant
    weight: float


class PartView(Struct, frozen=True):
    """`value` 0 to 1; `points` of the score."""

    value: float
    points: float
    touchpoints: list[Weighing]


class OutlookView(Struct, frozen=True):
    """The chance, 0 to 1, of contact within so many days, where all goes on as it did. No part of the strength."""

    days_14: float
    days_30: float


class Coverage(Struct, frozen=True):
    """What the score rests on. What was never told is missing here, which is not the same as cold."""

    contact_days: int
    contexts: int
    in_words: str


class PartChange(Struct, frozen=True):
    """Points: `before` + `faded` + `came` = `after`. `touchpoints` are those since then that weigh most in it."""

    before: float
    after: float
    difference: float
    faded: float
    came: float
    touchpoints: list[Weighing]


class ChangeView(Struct, frozen=True, kw_only=True):
    """From what had happened by `since` to now, in points of the score: the parts' numbers add to the score's.

    `faded` is what silence alone would have made of it, `came` what the new touchpoints make of that; `touchpoints` is
    how many of these weigh anything.
    """

    since: Instant
    before: float
    after: float
    difference: float
    faded: float
    came: float
    touchpoints: int
    stage_before: Stage
    stage: Stage
    parts: dict[str, PartChange]
    in_words: str


class StrengthView(Struct, frozen=True, kw_only=True):
    """The points of the parts (intensity, reciprocity, depth, breadth, tenure, advocacy) add up to the score.

    `scored_at` is the instant asked; the model looks at its UTC day. `in_words` is the same sum as people read it.
    `held` says why the score may not rise yet. `early`: fewer than three contact days, too little to go by.
    `rhythm` and `outlook`, the chances of contact soon, are null for somebody never in touch and for a closed
    relationship. `usual_trend` is the median trend of the whole business today, where five relationships have one,
    `against_usual` this one's trend beside it: a quiet season is not this relationship's. `strained_until`: there was a
    complaint or dispute. `change` where `since` was asked.
    """

    contact_id: UUID
    score: float
    stage: Stage
    in_words: str
    held: str | UnsetType = UNSET
    parts: dict[str, PartView]
    scored_at: Instant
    contact_days: int
    contexts: dict[str, float]
    given: float
    received: float
    early: bool
    coverage: Coverage
    rhythm: RhythmView | None
    outlook: OutlookView | None
    usual_trend: float | None
    against_usual: float | None
    strained_until: Instant | None
    change: ChangeView | UnsetType = UNSET
    position: int


class Week(Struct, frozen=True):
    """The strength at the end of a UTC day, which begins `at`."""

    at: Instant
    score: float
    stage: Stage
    parts: dict[str, float]


class HistoryView(Struct, frozen=True):
    """A week each, the oldest first, the last of the day asked; weeks before the first touchpoint are left out."""

    contact_id: UUID
    items: list[Week]
    position: int


async def explained(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    *,
    true_at: datetime | None = None,
    since: datetime | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> StrengthView:
    """As of now, or of what had happened by `true_at`, as far as it is `seen`; what changed since then.

    Raises NotFound, Invalid, Behind.
    """
    at = true_at or now_of(seen)
    if since is not None and since > at:
        raise Invalid("this is later than the instant asked for", field="since")
    position = await reached(context, tenant, READS, after, seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        standing = await _standing(connection, tenant, group, at)
        away = away_of(await policy_of(connection, tenant.tenant_id))
        usual = None if true_at is not None else await _usual_trend(connection, tenant)
        weights = await weights_in_use(connection, tenant.tenant_id)
        experiences = await timeline.experiences_until(connection, tenant.tenant_id, group, true_at)
    touches = [one.touch for one in experiences]
    day = _last_day(at, touches)
    state = strength.fold(touches, weights=weights)
    assessed = strength.evaluate(state, day, weights=weights)
    beat = rhythm_at(state, day, stage=assessed.stage, told=standing, away=away, weights=weights)
    return StrengthView(
        contact_id=group[0],
        score=assessed.score,
        stage=stage_of(assessed.stage),
        in_words=explaining.in_words(assessed),
        held=assessed.held or UNSET,
        parts=_parts(assessed, experiences, day, weights),
        scored_at=at,
        contact_days=assessed.contact_days,
        contexts={slug: round(points, 3) for slug, points in assessed.contexts.items()},
        given=round(assessed.given, 3),
        received=round(assessed.received, 3),
        early=assessed.contact_days < explaining.ENOUGH_DAYS,
        coverage=_coverage(assessed),
        rhythm=told(beat),
        outlook=None if standing.closed else _outlook(state, experiences, at, away, weights),
        usual_trend=None if usual is None else round(usual, 2),
        against_usual=_against(beat, usual),
        strained_until=strained_until(last_strain(experiences), at),
        change=UNSET if since is None else _changed(experiences, since, day, assessed, weights),
        position=position,
    )


def _outlook(
    state: Strength, experiences: Sequence[Experience], at: datetime, away: Away, weights: Weights
) -> OutlookView | None:
    if not experiences:
        return None
    last = max(one.occurred_at for one in experiences)
    seen = outlook.at(state, last, max(at, last), away=away, weights=weights)
    return None if seen is None else OutlookView(round(seen.days_14, 2), round(seen.days_30, 2))


async def history(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    *,
    weeks: int = 104,
    true_at: datetime | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> HistoryView:
    """The strength week by week, up to now or to `true_at`, as far as it is `seen`. Raises NotFound, Behind."""
    at = true_at or now_of(seen)
    position = await reached(context, tenant, READS, after, seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        weights = await weights_in_use(connection, tenant.tenant_id)
        await _standing(connection, tenant, group, at)
        experiences = await timeline.experiences_until(connection, tenant.tenant_id, group, true_at)
    touches = [one.touch for one in experiences]
    day = _last_day(at, touches)
    first = min((touch.day for touch in touches), default=day + 1)
    days = [one for one in range(day - 7 * (weeks - 1), day + 1, 7) if one >= first]
    read = strength.history(touches, days, weights=weights)
    return HistoryView(group[0], [_week(*each) for each in zip(days, read, strict=True)], position)


async def _standing(connection: Connection, tenant: Tenant, group: Sequence[UUID], at: datetime) -> Told:
    """What the owner told of contacts that are one, in the order of whose word stands. Raises NotFound."""
    words = await connection.fetch(queries("contacts").words, tenant.tenant_id, group, at)
    if not words:
        raise NotFound("there is no such contact")
    return Told(
        next((row["how_often"] for row in words if row["how_often"]), None),
        next((row["closed"] for row in words if row["closed"]), None),
    )


async def _usual_trend(connection: Connection, tenant: Tenant) -> float | None:
    usual = await connection.fetchrow(queries("nudges").usual_trend, tenant.tenant_id)
    return None if usual is None else usual["usual_trend"]


def _against(beat: Rhythm | None, usual: float | None) -> float | None:
    return None if beat is None or usual is None else round(beat.trend - usual, 2)


def _last_day(at: datetime, touches: Sequence[Touch]) -> int:
    """The day asked, or that of a touch up to a day ahead of it."""
    return max([day_of(at), *(touch.day for touch in touches)])


def _coverage(seen: Assessment) -> Coverage:
    days, contexts = seen.contact_days, len(seen.contexts)
    return Coverage(days, contexts, explaining.coverage_in_words(days, contexts))


def _parts(seen: Assessment, experiences: Sequence[Experience], day: int, weights: Weights) -> dict[str, PartView]:
    happened = {one.touch.touchpoint_id: one.occurred_at for one in experiences}
    weighing = strength.weigh_touches((one.touch for one in experiences), day, weights=weights, most=HEAVIEST)
    return {
        name: PartView(part.value, part.points, [_weighing(*one, happened) for one in weighing[name]])
        for name, part in seen.parts.items()
    }


def _changed(
    experiences: Sequence[Experience], since: datetime, day: int, seen: Assessment, weights: Weights
) -> ChangeView:
    earlier = [one.touch for one in experiences if one.occurred_at <= since]
    touches = [one.touch for one in experiences]
    new = {one.touch.touchpoint_id: one.occurred_at for one in experiences if one.occurred_at > since}
    changed = explaining.change(earlier, touches, day_of(since), day, weights=weights)
    weighing = strength.weigh_touches(touches, day, weights=weights, most=None)
    came = {
        name: [_weighing(*one, new) for one in found if one[0].touchpoint_id in new][:HEAVIEST]
        for name, found in weighing.items()
    }
    weighed = sum(measure(touch, weights=weights) is not None for touch in touches if touch.touchpoint_id in new)
    score = changed.score
    return ChangeView(
        since=since,
        before=score.before / 10,
        after=score.after / 10,
        difference=score.difference / 10,
        faded=score.faded / 10,
        came=score.came / 10,
        touchpoints=weighed,
        stage_before=stage_of(changed.stage_before),
        stage=stage_of(seen.stage),
        parts=_part_changes(changed, came),
        in_words=explaining.change_in_words(changed, weighed, since.date()),
    )


def _part_changes(changed: Change, came: Mapping[str, list[Weighing]]) -> dict[str, PartChange]:
    return {name: _part_change(shift, came[name]) for name, shift in changed.parts.items()}


def _part_change(shift: Shift, touchpoints: list[Weighing]) -> PartChange:
    return PartChange(
        before=shift.before / 10,
        after=shift.after / 10,
        difference=shift.difference / 10,
        faded=shift.faded / 10,
        came=shift.came / 10,
        touchpoints=touchpoints,
    )


def _week(day: int, seen: Assessment) -> Week:
    parts = {name: part.points for name, part in seen.parts.items()}
    return Week(day_start(day), seen.score, stage_of(seen.stage), parts)


def _weighing(touch: Touch, weight: float, happened: Mapping[UUID, datetime]) -> Weighing:
    at = happened[touch.touchpoint_id]
    return Weighing(touch.touchpoint_id, touch.kind, touch.context, touch.direction, at, round(weight, 3))
