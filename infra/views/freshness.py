"""Read your writes: a view waits for the position it is asked for."""

from collections.abc import Sequence

from domain.errors import Invalid
from infra import projector
from infra.context import Context
from infra.database import queries, reading
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint
from infra.views import past


async def reached(
    context: Context, tenant: Tenant, projections: Sequence[str], after: int | None, seen: Viewpoint | None = None
) -> int:
    """How far these projections have read, at least `after`; seen from a viewpoint, its own position.

    Raises Invalid when the log itself has not got so far, Behind when the projections do not in time.
    """
    if seen is not None:
        return await past.ready(context, tenant, seen, projections)
    position = await projector.reached(context, tenant.tenant_id, projections, None)
    if after is None or position >= after:
        return position
    async with reading(context.pool, tenant.tenant_id) as connection:
        check_written(after, await connection.fetchval(queries("event_log").position, tenant.tenant_id))
    return await projector.reached(context, tenant.tenant_id, projections, after)


def check_written(after: int, head: int) -> None:
    """Invalid for a position nobody was ever answered: waiting for it is no use."""
    if after > head:
        raise Invalid(f"the log has no such position yet: its last is {head}", field="after")
