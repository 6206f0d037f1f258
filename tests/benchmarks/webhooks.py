"""Webhooks: deliveries a second beside a bare loop of the same client, how soon the first attempt, how long a claim."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg

from domain.webhooks import AT_ONCE, AddEndpoint
from infra.commands.webhooks import add_endpoint
from infra.context import Context
from infra.database import enter, in_tenant, queries
from infra.deliveries import Deliverer, claim
from infra.egress import Egress, open_egress
from infra.tenants import Tenant
from infra.webhooks import wake
from tests.benchmarks.place import ORIGIN, Place, new_tenant, record, superuser, touch
from tests.benchmarks.table import Figure, at_most, in_turns
from tests.journeys.processes import free_port
from tests.receiver import receiving

CONTENT = b'{"type":"touchpoint.recorded","data":"' + b"x" * 500 + b'"}'
LOOPBACK = {"RAPPORT_WEBHOOKS_ALLOW_LOOPBACK": "1"}
QUEUE = """
INSERT INTO webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id, position, type, state, due_at)
SELECT $1, gen_random_uuid(), $2, gen_random_uuid(), $3, 'touchpoint.recorded', 'waiting', now()
  FROM generate_series(1, $4)
"""


async def measure(place: Place) -> list[Figure]:
    return [*await rate(place), *await delay(place), *await claims(place)]


@asynccontextmanager
async def receiver(place: Place) -> AsyncIterator[str]:
    port = free_port()
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.benchmarks.plain_receiver", str(port))
    url = f"http://127.0.0.1:{port}/"
    try:
        async with open_egress(loopback=True) as egress:
            while not (await egress.post(url, b"{}", {})).answer.good:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield url
    finally:
        running.kill()
        await running.wait()


async def endpoint(context: Context, tenant: Tenant, url: str) -> UUID:
    wanted = AddEndpoint(url=url, types=("touchpoint.recorded",), at_once=AT_ONCE)
    return (await add_endpoint(context, tenant, wanted, origin=ORIGIN, loopback=True)).endpoint_id


async def rate(place: Place) -> list[Figure]:
    """One endpoint, as many at once on both sides."""
    async with (
        place.database() as database,
        place.opened(database) as context,
        superuser(database) as admin,
        receiver(place) as url,
        open_egress(loopback=True) as egress,
    ):
        tenant = await new_tenant(context.pool)
        await record(context, tenant, [touch(0, 0)])
        endpoint_id = await endpoint(context, tenant, url)
        number = place.size.delivered
        told = await in_turns(
            place.size.rounds,
            ours=partial(_delivered, context, egress, admin, tenant, endpoint_id, number),
            theirs=partial(_posted, egress, url, number),
        )
    return [
        Figure(
            "webhooks delivered, 16 at once, one endpoint",
            "the same client in a bare loop",
            "1/s",
            told["ours"],
            told["theirs"],
        )
    ]


async def _delivered(
    context: Context,
    egress: Egress,
    admin: "asyncpg.Connection[asyncpg.Record]",
    tenant: Tenant,
    endpoint_id: UUID,
    number: int,
) -> float:
    position = await admin.fetchval("SELECT position FROM tenant_head WHERE tenant_id = $1", tenant.tenant_id)
    await admin.execute(QUEUE, tenant.tenant_id, endpoint_id, position, number)
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await wake(connection, tenant.tenant_id, [endpoint_id])
    deliverer, stop = Deliverer(context, egress), asyncio.Event()
    began = time.perf_counter()
    running = asyncio.create_task(deliverer.run(stop))
    open_rows = "SELECT EXISTS (SELECT FROM webhook_delivery WHERE state IN ('waiting', 'sending'))"
    while await admin.fetchval(open_rows):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    stop.set()
    await running
    return number / seconds


async def _posted(egress: Egress, url: str, number: int) -> float:
    left = iter(range(number))

    async def one_after_another() -> None:
        for _ in left:
            assert (await egress.post(url, CONTENT, {"Content-Type": "application/json"})).answer.good

    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return number / (time.perf_counter() - began)


async def delay(place: Place) -> list[Figure]:
    """From the answer to a touchpoint to the first attempt at its receiver, an idle system."""
    async with place.database() as database, place.opened(database) as context, receiving() as told:
        tenant = await new_tenant(context.pool)
        await endpoint(context, tenant, told.url)
        with place.process(database, "-m", "services.cli", "worker", **LOOPBACK):
            taken = []
            for number in range(place.size.samples + 5):
                await record(context, tenant, [touch(number, 0)])
                began = time.perf_counter()
                await told.got(number + 1, 60)
                taken.append(time.perf_counter() - began)
                await asyncio.sleep(0.05)
    p50, p99 = statistics.median(taken[5:]), statistics.quantiles(taken[5:], n=100)[98]
    return [
        Figure("recorded -> first attempt of a webhook, idle, p50", "", "ms", p50 * 1_000, None, at_most(200)),
        Figure("recorded -> first attempt of a webhook, idle, p99", "", "ms", p99 * 1_000, None, at_most(2_000)),
    ]


async def claims(place: Place) -> list[Figure]:
    """What one claim takes with so many rows queued on 20 endpoints of one tenant, beside 200 tenants with one."""
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        noisy = await new_tenant(context.pool, "Noisy")
        await record(context, noisy, [touch(0, 0)])
        for _ in range(20):
            endpoint_id = await endpoint(context, noisy, "http://127.0.0.1:9/")
            await admin.execute(QUEUE, noisy.tenant_id, endpoint_id, 1, place.size.queued // 20)
        for _ in range(min(200, place.size.tenants)):
            quiet = await new_tenant(context.pool)
            await record(context, quiet, [touch(0, 0)])
            await admin.execute(QUEUE, quiet.tenant_id, await endpoint(context, quiet, "http://127.0.0.1:9/"), 1, 1)
        await admin.execute("UPDATE webhook_lane SET next_due = now(); ANALYZE webhook_delivery, webhook_lane")
        taken = [await _claimed(context, noisy) for _ in range(place.size.samples)]
    what = f"one claim of webhooks, {place.size.queued:,} queued"
    return [
        Figure(f"{what}, p50", "", "ms", statistics.median(taken) * 1_000),
        Figure(f"{what}, p99", "", "ms", statistics.quantiles(taken, n=100)[98] * 1_000),
    ]


async def _claimed(context: Context, tenant: Tenant) -> float:
    began = time.perf_counter()
    async with context.pool.acquire() as connection, connection.transaction():
        lane = await connection.fetchrow(queries("webhooks").claim_lane, [])
        assert lane is not None
        await enter(connection, lane["tenant_id"], seconds=30)
        await claim(context, connection, tenant, lane["endpoint_id"]) if lane["tenant_id"] == tenant.tenant_id else None
        await connection.execute(queries("webhooks").stall_lane, lane["tenant_id"], lane["endpoint_id"])
    return time.perf_counter() - began
