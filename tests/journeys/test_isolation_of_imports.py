"""One business brings the worst files there are: every other one goes on as if nothing were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from infra import tenants
from infra.context import open_context
from tests.hostile_files import FILES, ROWS, semicolons
from tests.infra.imports.bringing import meetings
from tests.journeys.bystander import Bystander
from tests.journeys.processes import Up, started, until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]

SIZE, SIZE_OF_ROWS = 12_000_000, 300_000
OVER = {"failed", "ready", "needs_owner", "done"}


class Bringer:
    """Somebody who brings files, one after the other, and looks what becomes of them."""

    def __init__(self, address: str, api_key: str) -> None:
        self.client = httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {api_key}"}, timeout=120)

    async def bring(self, content: bytes) -> str:
        answer = await self.client.post(
            "/v1/imports", content=content, headers={"Content-Type": "application/octet-stream"}
        )
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def state(self, import_id: str) -> str:
        answer = await self.client.get(f"/v1/imports/{import_id}")
        return str(answer.json()["state"])

    async def over(self, import_id: str) -> bool:
        return await self.state(import_id) in OVER


@asynccontextmanager
async def two_keys(up: Up) -> AsyncIterator[tuple[str, str]]:
    given = up.settings()
    async with open_context(
        database_url=given.database_url,
        writer_url=given.writer_url,
        redis_url=given.redis_url,
        master=given.master_key,
        connections=2,
    ) as context:
        added = [await tenants.add(context.pool, name=name, master=context.master) for name in ("Harm", "Bakery")]
    yield added[0].api_key, added[1].api_key


async def test_while_one_business_brings_hostile_files_another_writes_reads_and_imports():
    async with started() as up, two_keys(up) as (harm, bakery):
        bringer, neighbour = Bringer(up.address, harm), Bringer(up.address, bakery)
        bystander = Bystander(up.address, bakery)

        async def bring_all() -> list[str]:
            contents = [make(SIZE_OF_ROWS if name in ROWS else SIZE) for name, make in FILES.items()]
            contents += [semicolons(SIZE)] * 20
            return [await bringer.bring(content) for content in contents]

        bringing = asyncio.create_task(bring_all())
        await bystander.goes_on_beside(bringing)
        brought = await bringing
        own = await neighbour.bring(meetings(300))
        while not await neighbour.over(own):
            await bystander.goes_on()
        for import_id in brought:
            while not await bringer.over(import_id):
                await bystander.goes_on()
        begun = await neighbour.client.post(f"/v1/imports/{own}/start", json={"unsure": "business"})
        assert begun.is_success, begun.text
        await until(lambda: is_done(neighbour, own))
        for client in (bringer.client, neighbour.client):
            await client.aclose()
        await bystander.close()


async def is_done(bringer: Bringer, import_id: str) -> bool:
    return await bringer.state(import_id) == "done"
