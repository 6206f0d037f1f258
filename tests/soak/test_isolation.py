"""`make soak`: the largest files there may be, and what everybody else notices of them. On a quiet machine only."""

import asyncio
import os
from collections.abc import Callable, Coroutine

import httpx
import pytest

from tests.conftest import Servers
from tests.hostile_files import FILES
from tests.journeys.bystander import Bystander
from tests.journeys.processes import started
from tests.journeys.test_bystanders import ATTACKS, api_of_two
from tests.journeys.test_isolation_of_imports import Bringer, two_keys

pytestmark = pytest.mark.soak

SIZE = int(os.environ.get("SOAK_MB", "100")) * 1_000_000
P99 = 0.5  # seconds


@pytest.mark.parametrize("name", FILES)
async def test_nobody_notices_the_largest_hostile_file(name: str):
    async with started() as up, two_keys(up) as (harm, bakery):
        bringer, bystander = Bringer(up.address, harm), Bystander(up.address, bakery)
        for _ in range(20):  # the first requests of a process are slower, whatever it does
            await bystander.goes_on()
        bystander.seconds.clear()
        bringing = asyncio.create_task(bringer.bring(FILES[name](SIZE)))
        await bystander.goes_on_beside(bringing)
        import_id = await bringing
        while not await bringer.over(import_id) or len(bystander.seconds) < 200:
            await bystander.goes_on()
        told = (await bringer.client.get(f"/v1/imports/{import_id}")).json()
        print(
            f"{name} of {SIZE // 1_000_000} MB: {told['state']} ({told.get('error') or told['counts']}); "
            f"{bystander.told()}"
        )
        await bringer.client.aclose()
        await bystander.close()
        assert bystander.percentile(0.99) < P99


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nobody_notices_the_dearest_requests(
    servers: Servers, attack: Callable[[httpx.AsyncClient], Coroutine[None, None, None]]
):
    async with api_of_two(servers) as (_, hostile, bystander):
        for _ in range(20):
            await bystander.goes_on()
        bystander.seconds.clear()
        while len(bystander.seconds) < 400:
            async with asyncio.TaskGroup() as group:
                await bystander.goes_on_beside(group.create_task(attack(hostile)))
        print(f"{attack.__name__}: {bystander.told()}")
        assert bystander.percentile(0.99) < P99
