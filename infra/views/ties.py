"""Who knows whom: as somebody told, and as introductions, referrals and shared touchpoints show."""

from uuid import UUID

from msgspec import Struct

from domain.errors import NotFound
from infra.context import Context
from infra.database import queries, reading
from infra.projections import merges
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import READS, Person, names


class TieView(Struct, frozen=True, kw_only=True):
    """One whom the contact knows, and how we know that: null, or 0, where not so.

    `together`: touchpoints of no more than twelve people in which both stood.
    """

    contact: Person
    told_at: Instant | None
    introduced_at: Instant | None
    referred_at: Instant | None
    together: int
    last_together_at: Instant | None


async def page(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[TieView]:
    """Whom a contact knows, those known to us longest first. Raises NotFound, Invalid, Behind."""
    [last_id] = keys_of(given_cursor, tuple[UUID]) or (None,)
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        if not await connection.fetchval(queries("contacts").exists, tenant.tenant_id, group[0]):
            raise NotFound("there is no such contact")
        rows = await connection.fetch(queries("referrals").ties, tenant.tenant_id, group, last_id, limit + 1)
        shown, last = cut(rows, limit)
        known = await names(connection, tenant.tenant_id, (row["other_id"] for row in shown))
    items = [
        TieView(
            contact=known.get(row["other_id"], Person(row["other_id"], None)),
            told_at=row["told_at"],
            introduced_at=row["introduced_at"],
            referred_at=row["referred_at"],
            together=row["together"],
            last_together_at=row["last_together_at"],
        )
        for row in shown
    ]
    return Page(items, None if last is None else cursor(last["other_id"]), position)
