"""The network: the two halves and where they overlap, and the channels."""

from uuid import UUID

import asyncpg
from msgspec import Struct

from domain.channels import Access, Realm, Role
from infra.context import Context
from infra.database import queries, reading
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import Person, names

READS = ("contacts", "relationships", "network")


class Known(Struct, frozen=True):
    id: UUID
    name: str | None
    strength: float
    stage: Stage
    met_at: Instant | None
    last_touch_at: Instant | None


class HalfView(Struct, frozen=True):
    """How many contacts, and the strongest of them; the rest by GET /v1/contacts?half=..."""

    count: int
    items: list[Known]


class ChannelView(Struct, frozen=True):
    """A place. `posts` addressed nobody in particular and reached `reach` people; `gives`, `promotes`: our own acts."""

    slug: str
    name: str
    realm: Realm
    role: Role
    access: Access
    topics: list[str]
    sensitive: bool
    contacts: int
    touchpoints: int
    posts: int
    reach: int
    gives: int
    promotes: int


class NetworkView(Struct, frozen=True, kw_only=True):
    """Online only, in person only and both by facts ever; `named_only` were never touched. Channels by slug."""

    online_only: HalfView
    in_person_only: HalfView
    both: HalfView
    named_only: HalfView
    channels: list[ChannelView]
    position: int


async def whole(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 10,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> NetworkView:
    """The network with up to `limit` people of each half. Raises Behind."""
    position = await reached(context, tenant, READS, after, seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        counts = {
            row["half"]: row["contacts"] for row in await connection.fetch(queries("network").halves, tenant.tenant_id)
        }
        strongest = await connection.fetch(queries("network").strongest_of_halves, tenant.tenant_id, limit)
        people = await names(connection, tenant.tenant_id, [row["contact_id"] for row in strongest])
        channels = await connection.fetch(queries("network").channels, tenant.tenant_id, None, 1_000)

    def half(name: str) -> HalfView:
        return HalfView(counts.get(name, 0), [_known(row, people) for row in strongest if row["half"] == name])

    return NetworkView(
        online_only=half("online_only"),
        in_person_only=half("in_person_only"),
        both=half("both"),
        named_only=half("named_only"),
        channels=[ChannelView(**dict(row)) for row in channels],
        position=position,
    )


def _known(row: asyncpg.Record, people: dict[UUID, Person]) -> Known:
    who = people.get(row["contact_id"], Person(row["contact_id"], None))
    return Known(
        who.id,
        who.name,
        row["score"],
        stage_of(row["stage"]),
        row["met_at"],
        row["last_touch_at"],
    )


async def channels(
    context: Context, tenant: Tenant, *, limit: int = 50, given_cursor: str | None = None, after: int | None = None
) -> Page[ChannelView]:
    """The channels by slug. Raises Invalid, Behind."""
    [slug] = keys_of(given_cursor, tuple[str]) or (None,)
    position = await reached(context, tenant, ("network", "relationships"), after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("network").channels, tenant.tenant_id, slug, limit + 1)
    shown, last = cut(rows, limit)
    return Page([ChannelView(**dict(row)) for row in shown], None if last is None else cursor(last["slug"]), position)
