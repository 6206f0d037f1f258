"""Supporters: who vouched for us, shared or reviewed something of ours, or referred somebody to us, at any stage."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from domain.nudges import reach
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, keys_of
from infra.views.referrals import Person, names

READS = ("contacts", "timeline", "referrals", "relationships")
YEAR = timedelta(days=365)


class Supporter(Struct, frozen=True, kw_only=True):
    """What somebody did for us in the last 365 days. `from_afar`: they are out of reach."""

    contact_id: UUID
    stage: Stage
    vouches: int
    shares: int
    reviews: int
    referrals: int
    last_at: Instant
    from_afar: bool


class SupporterView(Supporter, frozen=True, kw_only=True):
    name: str | None


async def page(
    context: Context,
    tenant: Tenant,
    *,
    from_afar: bool | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[SupporterView]:
    """The latest first. Raises Invalid, Behind."""
    [last_at, last_id] = keys_of(given_cursor, tuple[Instant, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        found = await supporters_between(connection, tenant, now - YEAR, now)
        left = [
            one
            for one in found
            if from_afar in (None, one.from_afar)
            and (last_at is None or last_id is None or (one.last_at, last_id) < (last_at, one.contact_id))
        ]
        shown = left[:limit]
        known = await names(connection, tenant.tenant_id, (one.contact_id for one in shown))
    following = cursor(shown[-1].last_at, shown[-1].contact_id) if len(left) > limit else None
    return Page([_view(one, known.get(one.contact_id)) for one in shown], following, position)


def _view(one: Supporter, person: Person | None) -> SupporterView:
    return SupporterView(
        contact_id=one.contact_id,
        name=None if person is None else person.name,
        stage=one.stage,
        vouches=one.vouches,
        shares=one.shares,
        reviews=one.reviews,
        referrals=one.referrals,
        last_at=one.last_at,
        from_afar=one.from_afar,
    )


async def supporters_between(
    connection: Connection, tenant: Tenant, since: datetime, until: datetime
) -> Sequence[Supporter]:
    """After one instant and up to another, the latest first."""
    rows = await connection.fetch(queries("referrals").supporters, tenant.tenant_id, since, until)
    return [
        Supporter(
            contact_id=row["contact_id"],
            stage=stage_of(row["stage"]),
            vouches=row["vouches"],
            shares=row["shares"],
            reviews=row["reviews"],
            referrals=row["referrals"],
            last_at=row["last_at"],
            from_afar=reach(row["within_reach"], row["locality"], tenant.locality) == "no",
        )
        for row in rows
    ]
