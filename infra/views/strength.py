"""A relationship's strength, explained: its parts and the touchpoints that weigh most in each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain import outlook, strength
from domain.errors import NotFound
from domain.relationships import Experience, Told, day_of, rhythm_at
from domain.rhythm import Away
from domain.strength import Strength
from domain.touches import Touch
from infra.context import Context
from infra.database import queries, reading
from infra.projections import merges, timeline
from infra.projections.nudges import policy_of
from infra.projections.relationships import away_of
from infra.tenants import Tenant
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Instant
from infra.views.rhythm import RhythmView, told

TOO_EARLY = 3


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


class StrengthView(Struct, frozen=True, kw_only=True):
    """The points of the parts (intensity, reciprocity, depth, breadth, tenure, advocacy) add up to the score.

    `scored_at` is the instant asked; the model looks at its UTC day.
    `held` says why the score may not rise yet. `early`: fewer than three contact days, too little to go by.
    `rhythm` and `outlook`, the chances of contact soon, are null for somebody never in touch and for a closed
    relationship.
    """

    contact_id: UUID
    score: float
    stage: Stage
    held: str | UnsetType = UNSET
    parts: dict[str, PartView]
    scored_at: Instant
    contact_days: int
    contexts: dict[str, float]
    given: float
    received: float
    early: bool
    rhythm: RhythmView | None
    outlook: OutlookView | None
    position: int


async def explained(
    context: Context, tenant: Tenant, contact_id: UUID, *, true_at: datetime | None = None, after: int | None = None
) -> StrengthView:
    """As of now, or of what had happened by `true_at`. Raises NotFound, Behind."""
    at = true_at or datetime.now(UTC)
    position = await reached(context, tenant, ("contacts", "timeline"), after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        words = await connection.fetch(queries("contacts").words, tenant.tenant_id, group, at)
        if not words:
            raise NotFound("there is no such contact")
        away = away_of(await policy_of(connection, tenant.tenant_id))
        experiences = await timeline.experiences_until(connection, tenant.tenant_id, group, true_at)
    touches = [one.touch for one in experiences]
    day = max([day_of(at), *(touch.day for touch in touches)])
    state = strength.fold(touches)
    seen = strength.evaluate(state, day)
    standing = Told(
        next((row["how_often"] for row in words if row["how_often"]), None),
        next((row["closed"] for row in words if row["closed"]), None),
    )
    weighing = strength.weigh_touches(touches, day)
    happened = {one.touch.touchpoint_id: one.occurred_at for one in experiences}
    return StrengthView(
        contact_id=group[0],
        score=seen.score,
        stage=stage_of(seen.stage),
        held=seen.held or UNSET,
        parts={
            name: PartView(part.value, part.points, [_weighing(*one, happened) for one in weighing[name]])
            for name, part in seen.parts.items()
        },
        scored_at=at,
        contact_days=seen.contact_days,
        contexts={slug: round(points, 3) for slug, points in seen.contexts.items()},
        given=round(seen.given, 3),
        received=round(seen.received, 3),
        early=seen.contact_days < TOO_EARLY,
        rhythm=told(rhythm_at(state, day, stage=seen.stage, told=standing, away=away)),
        outlook=None if standing.closed else _outlook(state, experiences, at, away),
        position=position,
    )


def _outlook(state: Strength, experiences: Sequence[Experience], at: datetime, away: Away) -> OutlookView | None:
    if not experiences:
        return None
    last = max(one.occurred_at for one in experiences)
    seen = outlook.at(state, last, max(at, last), away=away)
    return None if seen is None else OutlookView(round(seen.days_14, 2), round(seen.days_30, 2))


def _weighing(touch: Touch, weight: float, happened: dict[UUID, datetime]) -> Weighing:
    at = happened[touch.touchpoint_id]
    return Weighing(touch.touchpoint_id, touch.kind, touch.context, touch.direction, at, round(weight, 3))
