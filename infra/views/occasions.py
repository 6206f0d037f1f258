"""Occasions: days in channels where people gather, and what each led to."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from msgspec import Struct

from domain import occasions
from domain.occasions import Count, Guest, Led
from domain.relationships import day_of, day_start
from domain.touches import Weights
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections import merges, timeline
from infra.projections.relationships import weights_in_use
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.freshness import reached
from infra.views.pages import Page, cursor, cut, keys_of

READS = ("contacts", "timeline", "network", "relationships", "referrals")


class OccasionView(Struct, frozen=True, kw_only=True):
    """One UTC day in a channel. `came` had a touchpoint there, `met` more than an attendance: the rest is about these.

    `followed_up` within 72 hours, `alive` 90 days later (more likely than not, as the rhythm saw it then): of those of
    whom it can be said already. `referrals` of theirs to us within 365 days. `new_contacts` had no touchpoint before,
    `new_allies` are those of them who are allies by now.
    """

    slug: str
    name: str
    day: date
    came: int
    met: int
    followed_up: Count
    alive: Count
    referrals: int
    new_contacts: int
    new_allies: int


Occasion = tuple[str, int]


async def page(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 20,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[OccasionView]:
    """The latest first. Raises Invalid, Behind."""
    [last_day, last_slug] = keys_of(given_cursor, tuple[date, str]) or (None, None)
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    before = None if last_day is None else day_of(datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC))
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        described = await connection.fetch(queries("network").described, tenant.tenant_id)
        names = {row["slug"]: row["name"] for row in described}
        slugs = occasions.named(names, {row["slug"] for row in described if row["sensitive"]})
        rows = await connection.fetch(
            queries("network").occasions, tenant.tenant_id, slugs, day_of(now), before, last_slug, limit + 1
        )
        shown, last = cut([(row["slug"], row["day"]) for row in rows], limit)
        guests = await _guests(connection, tenant.tenant_id, shown, position)
        weights = await weights_in_use(connection, tenant.tenant_id)
    found = await asyncio.to_thread(_led, shown, guests, now, weights)
    items = [_view(one, names[one[0]], led) for one, led in zip(shown, found, strict=True)]
    return Page(items, None if last is None else cursor(_date(last[1]), last[0]), position)


async def _guests(
    connection: Connection, tenant_id: UUID, shown: Sequence[Occasion], position: int
) -> dict[Occasion, list[Guest]]:
    sql = queries("network")
    slugs, days = [slug for slug, _ in shown], [day for _, day in shown]
    rows = await connection.fetch(sql.guests, tenant_id, slugs, [day_start(day) for day in days], days)
    groups = await merges.members_of(connection, tenant_id, {row["contact_id"] for row in rows})
    standing = {member: who for who, members in groups.items() for member in members}
    touched = await timeline.experiences(connection, tenant_id, groups, through=position)
    referred: dict[UUID, list[datetime]] = {}
    for row in await connection.fetch(sql.referred_by, tenant_id, list(standing)):
        referred.setdefault(standing[row["referrer_id"]], []).append(row["made_at"])
    stages = {row["contact_id"]: row["stage"] for row in await connection.fetch(sql.stages, tenant_id, list(groups))}
    found: dict[Occasion, list[Guest]] = {}
    for row in rows:
        who = row["contact_id"]
        guest = Guest(who, touched[who], referred.get(who, ()), stages.get(who, 0))
        found.setdefault((row["channel"], row["day"]), []).append(guest)
    return found


def _led(
    shown: Sequence[Occasion], guests: Mapping[Occasion, Sequence[Guest]], now: datetime, weights: Weights
) -> list[Led]:
    return [occasions.led(guests.get(one, ()), *one, now=now, weights=weights) for one in shown]


def _view(one: Occasion, name: str, led: Led) -> OccasionView:
    return OccasionView(
        slug=one[0],
        name=name,
        day=_date(one[1]),
        came=led.came,
        met=led.met,
        followed_up=led.followed_up,
        alive=led.alive,
        referrals=led.referrals,
        new_contacts=led.new_contacts,
        new_allies=led.new_allies,
    )


def _date(day: int) -> date:
    return day_start(day).date()
