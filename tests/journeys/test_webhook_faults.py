"""Webhooks survive what kills processes: each event is told, each delivery is one row, a late result changes none."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.synchronize import Event
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiohttp import web
from redis.asyncio import Redis

from domain.deliveries import LEASE
from infra import tenants, webhooks
from infra.context import open_context
from infra.database import in_tenant, open_pool
from infra.tenants import NewTenant
from services.workers.main import catch_up
from tests.conftest import Servers
from tests.journeys.processes import Fleet, Up, fleet, own_valkey, started, until
from tests.receiver import Received, Receiver, receiving
from tests.road import MASTER_KEY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("webhook faults")]

DEAD_SECONDS = 60.0  # a minute, past every patience anybody has with Valkey
LOOPBACK = {"RAPPORT_WEBHOOKS_ALLOW_LOOPBACK": "1"}


class Told:
    """A business of a fleet, with an endpoint at a receiver."""

    def __init__(self, tenant_id: UUID, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.tenant_id = tenant_id
        self.client = client
        self.receiver = receiver
        self.endpoint = ""
        self.secret = ""
        self.sent = 0

    async def subscribe(self, **more: Any) -> None:
        wanted = {"url": self.receiver.url, "types": ["touchpoint.recorded"], **more}
        answer = await self.client.post("/v1/webhook-endpoints", json=wanted)
        assert answer.status_code == 201, answer.text
        self.endpoint, self.secret = answer.json()["id"], answer.json()["secret"]

    async def tell(self, number: int) -> None:
        """Touchpoints with ids of their own; sent again until the API answers."""
        batch = self._batch(number)
        while True:
            try:
                answer = await self.client.post("/v1/touchpoints", json=batch)
                if answer.status_code == 200:
                    assert {one["status"] for one in answer.json()["results"]} <= {"recorded", "duplicate"}
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)

    async def tell_at_once(self, number: int) -> None:
        """The API takes them when they are first sent."""
        answer = await self.client.post("/v1/touchpoints", json=self._batch(number))
        assert answer.status_code == 200, answer.text

    def _batch(self, number: int) -> list[dict[str, Any]]:
        batch = [
            {
                "kind": "chat", "occurred_at": "2026-05-06T08:15:00Z", "channel": "shop", "direction": "mutual",
                "with": [{"email": f"guest{n % 20}@example.com"}], "source": "till", "source_id": str(self.sent + n),
            }
            for n in range(number)
        ]  # fmt: skip
        self.sent += number
        return batch

    async def states(self) -> Counter[str]:
        found: Counter[str] = Counter()
        asked: dict[str, Any] | None = {"limit": 200}
        while asked:
            page = (await self.client.get("/v1/webhook-deliveries", params=asked)).json()
            found.update(one["state"] for one in page["items"])
            asked = page["next"] and {"limit": 200, "cursor": page["next"]}
        return found

    async def all_delivered(self) -> bool:
        return await self.states() == {"delivered": self.sent}

    async def health(self, status: str) -> bool:
        return (await self.client.get("/health/ready")).json() == {"status": status}

    def told_once_or_more(self) -> None:
        """Each event came, verified, under one id of its own and no other's."""
        ids: dict[str, set[str]] = {}
        for one in self.receiver.received:
            ids.setdefault(one.verified(self.secret)["data"]["source_id"], set()).add(one.webhook_id)
        assert ids.keys() == {str(n) for n in range(self.sent)}
        assert all(len(one) == 1 for one in ids.values())


@asynccontextmanager
async def told(ships: Fleet, address: str, name: str = "Bakery") -> AsyncIterator[Told]:
    redis_url = ships.environment["RAPPORT_REDIS_URL"]
    urls = {"database_url": ships.database.app_url, "redis_url": redis_url}
    async with open_context(**urls, master=MASTER_KEY, connections=2) as context:
        added = await tenants.add(context.pool, name=name, master=MASTER_KEY)
    async with told_of(added, address) as business:
        yield business


@asynccontextmanager
async def told_of(added: NewTenant, address: str) -> AsyncIterator[Told]:
    headers = {"Authorization": f"Bearer {added.api_key}"}
    async with receiving() as receiver, httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        yield Told(added.tenant_id, client, receiver)


@pytest.fixture
async def ships(servers: Servers) -> AsyncIterator[Fleet]:
    async with fleet(servers) as found:
        found.environment.update(LOOPBACK)
        yield found


async def test_workers_and_apis_killed_at_random_points_lose_and_double_no_delivery(ships: Fleet, servers: Servers):
    chance = Random(5)
    api, address = await ships.start_api()
    async with told(ships, address) as bakery, told(ships, address, "Florist") as florist:
        await bakery.subscribe()
        await florist.subscribe()
        workers = [ships.start("worker"), ships.start("worker")]
        for round_ in range(8):
            await bakery.tell(25)
            await florist.tell(5)
            if round_ % 4 == 1:
                async with Redis.from_url(servers.redis_url) as valkey:
                    await valkey.flushall()
            await asyncio.sleep(chance.uniform(0, 0.5))
            victim = chance.randrange(2)
            workers[victim].send_signal(SIGKILL)
            workers[victim].wait()
            workers[victim] = ships.start("worker")
            if round_ == 4:
                api.send_signal(SIGKILL)
                api.wait()
                api = ships.start("api", RAPPORT_PORT=address.rpartition(":")[2])
        await until(bakery.all_delivered)
        await until(florist.all_delivered)
        bakery.told_once_or_more()
        florist.told_once_or_more()
        async with ships.superuser() as connection:
            leased = await connection.fetchval("SELECT count(*) FROM webhook_delivery WHERE lease IS NOT NULL")
            attempts = await connection.fetchval("SELECT count(*) FROM webhook_attempt")
            counted = await connection.fetchval("SELECT sum(attempts) FROM webhook_delivery")
        assert leased == 0
        assert attempts == counted


async def test_one_that_arrived_while_its_worker_died_is_sent_again_under_the_same_id(ships: Fleet):
    _, address = await ships.start_api()
    async with told(ships, address) as killed, told(ships, address, "Florist") as frozen:
        await killed.subscribe()
        await frozen.subscribe()
        held = [hold_first(killed.receiver), hold_first(frozen.receiver)]
        worker = ships.start("worker")
        await killed.tell(1)
        await frozen.tell(1)
        for business in (killed, frozen):
            await business.receiver.got(1, 60)
        worker.send_signal(SIGSTOP)
        for one in held:
            one.set()
        other = ships.start("worker")
        await until(killed.all_delivered)
        await until(frozen.all_delivered)
        before = await details(frozen)
        worker.send_signal(SIGCONT)
        await asyncio.sleep(3)
        assert await details(frozen) == before
        worker.send_signal(SIGKILL)
        other.send_signal(SIGKILL)
        for business in (killed, frozen):
            first, second = business.receiver.received
            assert (first.webhook_id, first.content) == (second.webhook_id, second.content)
            [delivery] = await details(business)
            assert [one["reason"] for one in delivery["attempts"]] == [
                "our worker was lost before it knew the answer: it may have arrived", "delivered",
            ]  # fmt: skip
            assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) <= (
                LEASE.total_seconds() + 10
            )


async def test_a_fan_out_killed_forty_times_makes_one_delivery_of_each_event_for_each_endpoint(
    ships: Fleet, servers: Servers
):
    chance, spawning = Random(3), multiprocessing.get_context("forkserver")
    spawning.set_forkserver_preload([__name__])
    _, address = await ships.start_api()
    async with told(ships, address) as bakery, told(ships, address, "Florist") as florist:
        for business in (bakery, bakery, florist):
            await business.subscribe()
        async with ships.superuser() as connection:

            async def queued() -> int:
                return int(await connection.fetchval("SELECT count(*) FROM webhook_delivery"))

            for round_ in range(40):
                await bakery.tell(60)
                await florist.tell(5)
                begun, before = spawning.Event(), await queued()
                told_ids = [bakery.tenant_id, florist.tenant_id]
                worker = spawning.Process(target=fan_out_for_ever, args=(ships.database.app_url, told_ids, begun))
                worker.start()
                await asyncio.to_thread(begun.wait)
                while round_ % 4 == 0 and await queued() == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
                await asyncio.sleep(chance.uniform(0, 0.03))
                assert worker.is_alive()
                worker.kill()
                await asyncio.to_thread(worker.join)
            urls = {"database_url": ships.database.app_url, "redis_url": servers.redis_url}
            async with open_context(**urls, master=MASTER_KEY, connections=2) as context:
                await catch_up(context)
            rows = await connection.fetch(QUEUED)
        assert sorted(row["queued"] for row in rows) == [florist.sent, bakery.sent, bakery.sent]
        assert all(row["events"] == row["queued"] for row in rows)


def fan_out_for_ever(database_url: str, tenant_ids: list[UUID], begun: Event) -> None:
    asyncio.run(_fan_out_for_ever(database_url, tenant_ids, begun))


async def _fan_out_for_ever(database_url: str, tenant_ids: list[UUID], begun: Event) -> None:
    """As a worker does when it has claimed this work, and nothing else besides."""
    pool = await open_pool(database_url, most=1)
    begun.set()
    while True:
        for tenant_id in tenant_ids:
            async with in_tenant(pool, tenant_id) as connection:
                at = await connection.fetchval(HELD_CHECKPOINT, tenant_id)
                head = await connection.fetchval("SELECT position FROM tenant_head WHERE tenant_id = $1", tenant_id)
                await webhooks.advance(connection, tenant_id, at, head)


HELD_CHECKPOINT = "SELECT position FROM checkpoint WHERE tenant_id = $1 AND process = 'webhooks' FOR UPDATE"
QUEUED = """
SELECT endpoint_id, count(*) AS queued, count(DISTINCT event_id) AS events
  FROM webhook_delivery GROUP BY tenant_id, endpoint_id
"""


def hold_first(receiver: Receiver) -> asyncio.Event:
    """The first webhook is answered when the event is set; those after it at once."""
    let_go = asyncio.Event()
    answered: list[Received] = []

    async def answer(one: Received) -> web.StreamResponse:
        answered.append(one)
        if len(answered) == 1:
            await let_go.wait()
        return web.Response(status=204)

    receiver.slow_answer = answer
    return let_go


async def details(business: Told) -> list[Any]:
    page = (await business.client.get("/v1/webhook-deliveries")).json()
    return [(await business.client.get(f"/v1/webhook-deliveries/{one['id']}")).json() for one in page["items"]]


async def test_thousands_that_wait_are_told_though_valkey_forgets_and_takes_nothing_more(
    ships: Fleet, servers: Servers
):
    _, address = await ships.start_api()
    ships.start("worker")
    async with told(ships, address) as bakery, Redis.from_url(servers.redis_url) as valkey:
        await bakery.subscribe(at_once=16)
        await bakery.client.patch(f"/v1/webhook-endpoints/{bakery.endpoint}", json={"state": "paused"})
        for _ in range(10):
            await bakery.tell(500)
        most = (await valkey.config_get("maxmemory"))["maxmemory"]
        try:
            await valkey.config_set("maxmemory", 1)
            await bakery.tell(10)
            await until(lambda: bakery.health("degraded"))
            await bakery.client.patch(f"/v1/webhook-endpoints/{bakery.endpoint}", json={"state": "active"})
            await valkey.flushall()
            await until(bakery.all_delivered)
        finally:
            await valkey.config_set("maxmemory", most)
        bakery.told_once_or_more()


async def test_with_valkey_dead_all_goes_out_by_the_sweep_and_soon_again_once_it_is_back_and_empty(ships: Fleet):
    async with own_valkey() as valkey:
        ships.environment["RAPPORT_REDIS_URL"] = valkey.url
        _, address = await ships.start_api()
        workers = [ships.start("worker"), ships.start("worker")]
        async with told(ships, address) as bakery, told(ships, address, "Florist") as florist:
            await bakery.subscribe()
            await florist.subscribe()
            await bakery.tell(5)
            await bakery.receiver.got(5, 60)
            valkey.kill()
            gone = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < gone + DEAD_SECONDS:
                await bakery.tell_at_once(10)
                await florist.tell_at_once(1)
                await asyncio.sleep(3)
            await until(bakery.all_delivered, 20)
            await until(florist.all_delivered, 20)
            await valkey.start()
            await asyncio.sleep(3)  # its listeners look for it every second
            await florist.tell_at_once(1)
            await until(florist.all_delivered, 20)
            bakery.told_once_or_more()
            florist.told_once_or_more()
            assert len(bakery.receiver.received) == bakery.sent
            assert [one.poll() for one in workers] == [None, None]


async def test_a_postmaster_killed_under_way_loses_no_delivery_of_what_was_acknowledged():
    async with started(**LOOPBACK) as up, told_of(await another(up), up.address) as bakery:
        async with told_of(await another(up), up.address) as florist:
            await bakery.subscribe()
            await florist.subscribe()
            chance = Random(8)
            for _ in range(2):
                telling = [asyncio.create_task(one.tell(25)) for one in (bakery, florist) for _ in range(4)]
                await asyncio.sleep(chance.uniform(0, 0.6))
                await up.kill("postgres")
                await asyncio.gather(*telling)
                await up.ready()
            await until(bakery.all_delivered)
            await until(florist.all_delivered)
            bakery.told_once_or_more()
            florist.told_once_or_more()
        async with up.superuser() as connection:
            left = await connection.fetchval("SELECT count(*) FROM webhook_delivery WHERE lease IS NOT NULL")
            unlogged = await connection.fetchval(UNLOGGED)
        assert (left, unlogged) == (0, 0)


async def another(up: Up) -> NewTenant:
    """One more business of an installation."""
    given = up.settings()
    urls = {"database_url": given.database_url, "redis_url": given.redis_url}
    async with open_context(**urls, master=given.master_key, connections=2) as context:
        return await tenants.add(context.pool, name="A business", master=given.master_key)


UNLOGGED = """
SELECT count(*) FROM webhook_delivery d
 WHERE d.attempts <> (SELECT count(*) FROM webhook_attempt a
                       WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.delivery_id)
"""


async def test_a_backlog_of_200_000_that_stalls_delays_nobody_elses_single_delivery(ships: Fleet):
    _, address = await ships.start_api()
    async with told(ships, address) as noisy, told(ships, address, "Florist") as quiet:
        noisy.receiver.slow_answer = stall
        for _ in range(5):
            await noisy.subscribe(at_once=16)
        await noisy.tell(1)
        await quiet.subscribe()
        async with ships.superuser() as connection:
            await connection.execute(BACKLOG)
            await connection.execute("ANALYZE webhook_delivery")
        ships.start("worker")
        await noisy.receiver.got(40, 60)
        delays = []
        for n in range(5):
            began = asyncio.get_running_loop().time()
            await quiet.tell(1)
            await quiet.receiver.got(n + 1, 30)
            delays.append(asyncio.get_running_loop().time() - began)
        assert sorted(delays)[2] < 2, delays


async def stall(_: Received) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response(status=204)


BACKLOG = """
INSERT INTO rapport.webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id, position, type, state, due_at)
SELECT e.tenant_id, gen_random_uuid(), e.endpoint_id, gen_random_uuid(), 3, 'touchpoint.recorded', 'waiting', now()
  FROM generate_series(1, 40000),
       (SELECT tenant_id, endpoint_id FROM rapport.webhook_endpoint WHERE at_once = 16) e;
"""
