"""How long after it is recorded something can be read: idle, and while a stranger's transaction is open."""

import asyncio
import statistics
import time

from domain.touchpoints import RecordTouchpoint
from infra import projector
from infra.context import Context
from infra.database import in_tenant
from infra.event_log import append_now
from infra.tenants import Tenant
from tests.benchmarks.place import Place, new_tenant, record, single, touch
from tests.benchmarks.table import Figure, at_most

STRANGER_SECONDS = 2.0


async def measure(place: Place) -> list[Figure]:
    async with place.database() as database, place.opened(database) as context:
        tenant = await new_tenant(context.pool)
        with place.process(database, "-m", "services.cli", "worker"):
            await seen(context, tenant, touch(0, 0))
            for number in range(10):
                await seen(context, tenant, touch(number, 0))
            taken = []
            for number in range(place.size.samples):
                await asyncio.sleep(0.05)
                taken.append(await seen(context, tenant, touch(100 + number, number % 10)))
        delay = await worst_delay(context)
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
    return [
        Figure("recorded -> in every read model, idle, p50", "", "ms", p50 * 1_000),
        Figure("recorded -> in every read model, idle, p99", "", "ms", p99 * 1_000, None, at_most(100)),
        Figure(
            f"reader delay, a stranger's transaction open {STRANGER_SECONDS:g} s", "", "s", delay, None, at_most(0.25)
        ),
    ]


async def seen(context: Context, tenant: Tenant, item: RecordTouchpoint) -> float:
    """Seconds from the answer to the time at which the contacts' page has it."""
    await record(context, tenant, [item])
    began = time.perf_counter()
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        position = await connection.fetchval("SELECT position FROM tenant_head")
    views = list(projector.PROJECTIONS)
    while await projector.reached(context, tenant.tenant_id, views, None) < position:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return time.perf_counter() - began


async def worst_delay(context: Context) -> float:
    """The longest from a commit to its being read, while another tenant's append is open and has its place already."""
    ours, stranger = await new_tenant(context.pool), await new_tenant(context.pool)
    worst, position = 0.0, 0
    async with in_tenant(context.pool, stranger.tenant_id) as connection:
        await append_now(connection, [single(stranger.tenant_id)], waits=False)
        until = time.perf_counter() + STRANGER_SECONDS
        while time.perf_counter() < until:
            verdict = await context.writer.append(single(ours.tenant_id))
            began = time.perf_counter()
            while position < (verdict.position or 0):
                async with in_tenant(context.pool, ours.tenant_id) as reading:
                    position = await reading.fetchval("SELECT max(position) FROM event")
            worst = max(worst, time.perf_counter() - began)
            await asyncio.sleep(0.01)
    return worst
