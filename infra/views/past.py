"""Looking back: the viewpoint of a past instant, found or asked for, and waited for."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
from msgspec import Struct

from domain.errors import Invalid
from domain.relationships import day_of
from infra.context import Context
from infra.database import Connection, in_tenant, queries, reading
from infra.projector import PROJECTIONS, WAIT_SECONDS, Behind
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint

KEPT = timedelta(minutes=5)


class Trial(Struct, frozen=True):
    """A model that is tried, as the body of the event that would tell it."""

    model: bytes

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.model).digest()


async def viewpoint(
    context: Context, tenant: Tenant, *, at: datetime | None, true_at: datetime | None
) -> Viewpoint | None:
    """From where to look: `at` as of what had been recorded by then, `true_at` as of what had happened by then.

    None for now. Raises Invalid for an instant to come.
    """
    if at is None and true_at is None:
        return None
    now = datetime.now(UTC)
    for field, instant in (("at", at), ("true_at", true_at)):
        if instant is not None and instant > now:
            raise Invalid("this is still to come", field=field)
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        position = await connection.fetchval(queries("viewpoints").recorded_by, tenant.tenant_id, at or now)
        seen_from = min(instant for instant in (at, true_at) if instant is not None)
        wanted = Viewpoint(0, position, seen_from, true_at)
        build = await found(connection, tenant, wanted, processes=list(PROJECTIONS))
    context.bell.ring()
    return Viewpoint(build, position, seen_from, true_at)


async def found(
    connection: Connection, tenant: Tenant, wanted: Viewpoint, *, processes: Sequence[str], trial: Trial | None = None
) -> int:
    """The build of this viewpoint, begun now where there is none."""
    sql = queries("viewpoints")
    what = wanted.position, day_of(wanted.seen_from)
    model, digest = (None, None) if trial is None else (trial.model, trial.digest)
    while True:
        known = await connection.fetchval(sql.find, tenant.tenant_id, *what, wanted.true_at, digest)
        if known is not None:
            return int(known)
        build = await connection.fetchval(
            sql.add, tenant.tenant_id, *what, wanted.seen_from, wanted.true_at, model, digest
        )
        if build is not None:
            break
    await connection.execute(sql.add_builds, tenant.tenant_id, build, wanted.position, list(processes))
    await connection.execute(sql.look_after, tenant.tenant_id, KEPT)
    return int(build)


async def ready(context: Context, tenant: Tenant, seen: Viewpoint, processes: Sequence[str]) -> int:
    """Its position, once these processes have come there. Raises Behind when they do not in time."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    pause = 0.005
    while (position := await read_to(context, tenant, seen, processes)) < seen.position:
        if asyncio.get_running_loop().time() > deadline:
            raise Behind(max(0, position))
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return seen.position


async def read_to(context: Context, tenant: Tenant, seen: Viewpoint, processes: Sequence[str]) -> int:
    """How far all of these processes have come; -1 for a viewpoint that was given up."""
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows: list[asyncpg.Record] = await connection.fetch(
            queries("viewpoints").positions, tenant.tenant_id, seen.build, list(processes)
        )
    return min(row["position"] for row in rows) if len(rows) == len(set(processes)) else -1
