"""Whose public page it is that a guest opened, and what stands on it. A wrong address is as much work."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import recurrence
from domain.errors import NotFound, Refused
from domain.gatherings import EnterGuest
from domain.recurrence import GatheringPlan, Occurrence
from infra import commands, tenants
from infra.context import Context
from infra.database import in_tenant, queries
from infra.links import digest_of
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views.gatherings import schedule_of

SHOWN = 4
SPAN = timedelta(minutes=10)
MOST_ENTRIES = 60
NOBODY = uuid_utils.uuid7()


class TooMany(Refused):
    """too many people fill in this page at once"""


class PublicPage(Struct, frozen=True):
    """What a guest sees: whose gathering it is, what, and the next occurrences, cancelled ones too. `guests` not."""

    tenant: Tenant
    gathering_id: UUID
    plan: GatheringPlan
    coming: Sequence[Occurrence]
    guests: int


async def page_at(context: Context, token: str) -> PublicPage:
    """Raises NotFound, the same for an address that never was, is closed, or of what is over or suspended."""
    now = datetime.now(UTC)
    async with context.pool.acquire() as connection:
        found = await connection.fetchrow(queries("gatherings").gathering_of_token, digest_of(token))
    tenant_id, gathering_id = found or (NOBODY, NOBODY)
    async with in_tenant(context.pool, tenant_id) as connection:
        row = await connection.fetchrow(queries("gatherings").one, tenant_id, gathering_id)
        try:
            tenant = await tenants.load_in(connection, tenant_id, master=context.master)
        except NotFound:
            tenant = None
    if row is None or tenant is None or tenant.suspended:
        raise NotFound("there is no such page")
    schedule = schedule_of(row)
    coming = recurrence.occurrences(schedule, since=now, until=now + recurrence.AHEAD)
    if not schedule.plan.open or all(one.cancelled for one in coming):
        raise NotFound("there is no such page")
    return PublicPage(tenant, gathering_id, schedule.plan, coming[:SHOWN], row["guests"])


async def enter(context: Context, page: PublicPage, command: EnterGuest, *, token: str, request_id: str) -> None:
    """What a guest wrote, noted once. Raises NotFound, Refused."""
    origin = Origin(actor="guest", source="page", correlation=request_id)
    await commands.enter_guest(
        context, page.tenant, page.gathering_id, command, token=token, guests=page.guests, origin=origin
    )


async def count_entry(context: Context, page: PublicPage) -> None:
    """Raises TooMany for more than 60 in ten minutes."""
    tenant_id = page.tenant.tenant_id
    async with in_tenant(context.pool, tenant_id) as connection:
        entries = await connection.fetchval(
            queries("gatherings").count_entry, tenant_id, page.gathering_id, datetime.now(UTC), SPAN
        )
    if entries > MOST_ENTRIES:
        raise TooMany
