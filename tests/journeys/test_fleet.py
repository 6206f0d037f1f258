"""Past one process: several APIs and workers on one database, some of them killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from infra import tenants
from infra.context import open_context
from tests.conftest import Servers
from tests.journeys.businesses import Business, check_log, check_projections, load, settled
from tests.journeys.processes import Fleet, fleet, until
from tests.road import ALWAYS_OPEN, MASTER_KEY

pytestmark = pytest.mark.slow


@asynccontextmanager
async def businesses(ships: Fleet, addresses: list[str], number: int) -> AsyncIterator[list[Business]]:
    """New ones that write to all of these APIs in turn."""
    given = {"database_url": ships.database.app_url, "redis_url": ships.environment["RAPPORT_REDIS_URL"]}
    async with open_context(**given, master=MASTER_KEY, connections=2) as context, AsyncExitStack() as stack:
        opened = []
        for seed in range(number):
            added = await tenants.add(context.pool, name=f"Business {seed}", master=MASTER_KEY)
            key = {"Authorization": f"Bearer {added.api_key}"}
            clients = [httpx.AsyncClient(base_url=address, headers=key, timeout=40) for address in addresses]
            for client in clients:
                await stack.enter_async_context(client)
            assert (await clients[0].put("/v1/nudge-policy", json=ALWAYS_OPEN)).is_success
            opened.append(Business(added, seed, *clients))
        yield opened


def friend_of(business: Business) -> list[dict[str, Any]]:
    """Two months of talk online, both ways, with one person: enough for a nudge to meet."""
    friend = {"channel": "linkedin", "with": [{"platform": "instagram", "handle": "@friend", "name": "A friend"}]}
    told = [{**one, **friend, "kind": "direct_message", "direction": "mutual"} for one in business.batch(60)]
    for day, one in enumerate(told):
        business.people[one["topics"][0]] = {"friend"}
        one["occurred_at"] = (datetime.now(UTC) - timedelta(days=60 - day)).isoformat()
    return told


async def suggestions(ships: Fleet, business: Business) -> Counter[Any]:
    """How often each contact was suggested."""
    async with ships.superuser() as connection:
        rows = await connection.fetch(
            "SELECT convert_from(body, 'UTF8')::json->>'contact_id' AS who FROM event"
            " WHERE tenant_id = $1 AND type = 'nudge.suggested'",
            business.tenant_id,
        )
    return Counter(row["who"] for row in rows)


async def test_two_apis_and_two_workers_share_one_database_and_two_of_them_are_killed(servers: Servers):
    async with fleet(servers) as ships:
        (doomed_api, first), (_, second) = await asyncio.gather(ships.start_api(), ships.start_api())
        doomed_worker, worker = ships.start("worker"), ships.start("worker")
        async with businesses(ships, [first, second], 2) as told:
            for one in told:  # the same unknown people through both APIs at once
                await asyncio.gather(*(one.tell(one.batch(20)) for _ in range(10)))
                await one.tell_twice_at_once(friend_of(one))
            async with load(told, clients=4):
                await until(lambda: all(len(one.acknowledged) > 600 for one in told))
                doomed_worker.kill()
                doomed_api.kill()
                lost = [len(one.acknowledged) for one in told]
                await until(
                    lambda: all(len(one.acknowledged) > then + 300 for one, then in zip(told, lost, strict=True))
                )
            assert any(answer.status is None for one in told for answer in one.answers), "nobody met the dead API"
            assert worker.poll() is None
            await settled(ships)
            assert await check_log(ships, told) >= 2 * 900
            await check_projections(ships)
            for one in told:
                times = await suggestions(ships, one)
                assert times
                assert set(times.values()) == {1}
