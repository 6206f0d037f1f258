"""What a worker grows by while it catches up with a long log."""

import asyncio
import subprocess

import psutil

from infra.context import Context
from infra.tenants import Tenant
from tests.benchmarks.place import Place, append_touches, new_tenant, record, touch
from tests.benchmarks.table import Figure, at_most

MEGABYTE = 1_000_000


async def measure(place: Place) -> list[Figure]:
    size = place.size
    async with place.database() as database, place.opened(database) as context:
        with place.process(database, "-m", "services.cli", "worker") as worker:
            await behind(context, size.few_memory_events)
            few = await caught_up(context, worker)
            await behind(context, size.memory_events)
            many = await caught_up(context, worker)
    what = f"growth of a worker that catches up {size.memory_events:,} events"
    beside = f"after {size.few_memory_events:,} events"
    return [Figure(what, beside, "MB", (many - few) / MEGABYTE, None, at_most(50))]


async def behind(context: Context, events: int) -> Tenant:
    tenant = await new_tenant(context.pool)
    people = await record(context, tenant, [touch(n, n) for n in range(200)])
    await append_touches(context, tenant, people, events)
    return tenant


async def caught_up(context: Context, worker: subprocess.Popen[bytes]) -> int:
    """The most it had in memory on the way, in bytes."""
    process, most, rests = psutil.Process(worker.pid), 0, 0
    while rests < 3:
        most = max(most, process.memory_info().rss)
        await asyncio.sleep(0.25)
        async with context.pool.acquire() as connection:
            lag = await connection.fetchval("SELECT sum(lag) FROM work_lags() WHERE process <> 'nudge_engine'")
        rests = 0 if lag else rests + 1
    return most
