"""Webhooks in through real processes: an API killed while messages come in, a worker that takes up what it left."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from infra import tenants
from infra.database import open_pool
from tests.conftest import Servers
from tests.journeys.processes import fleet, until
from tests.road import MASTER_KEY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("inbound")]
NUMBER = 150


def visit(n: int) -> dict[str, Any]:
    return {
        "kind": "meeting", "occurred_at": "2026-05-06T08:15:00Z", "channel": "cafe", "direction": "mutual",
        "with": [{"email": f"guest{n % 20}@example.com"}], "minutes": n,
    }  # fmt: skip


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """Sent chunk by chunk, without a length."""
    yield content[:10]
    yield content[10:]


async def too_much() -> AsyncIterator[bytes]:
    for _ in range(7):
        yield b" " * 10_000


async def test_an_api_killed_between_keeping_and_recording_leaves_nothing_undone_or_twice(servers: Servers):
    async with fleet(servers) as ships:
        pool = await open_pool(ships.database.app_url, most=2)
        added = await tenants.add(pool, name="Corner Bakery", master=MASTER_KEY)
        await pool.close()
        api, address = await ships.start_api()
        key = {"Authorization": f"Bearer {added.api_key}"}
        async with httpx.AsyncClient(timeout=20) as client:
            told = {"name": "a sender", "adapter": "plain"}
            source = (await client.post(f"{address}/v1/webhook-sources", json=told, headers=key)).json()
            path = source["url"].removeprefix(address)

            async def send(n: int, at: str) -> int:
                try:
                    content = pieces(json.dumps(visit(n)).encode())
                    sent = await client.post(at + path, content=content, headers={"webhook-id": f"m{n}"})
                except httpx.TransportError:
                    return 0
                return sent.status_code

            assert (await client.post(address + path, content=too_much())).status_code == 413
            sending = [asyncio.create_task(send(n, address)) for n in range(NUMBER)]
            for _, one in zip(range(NUMBER // 3), asyncio.as_completed(sending), strict=False):
                await one
            api.kill()
            first = await asyncio.gather(*sending)
            assert set(first) == {0, 202}
            _, address = await ships.start_api()
            ships.start("worker")
            assert {await send(n, address) for n in range(NUMBER)} == {202}

            async with ships.superuser() as admin:

                async def all_recorded() -> bool:
                    await admin.execute("UPDATE inbox SET due_at = now() WHERE state = 'received'")
                    count = await admin.fetchval("SELECT count(*) FROM inbox WHERE state = 'recorded'")
                    return bool(count == NUMBER)

                await until(all_recorded)
                recorded = "SELECT count(*) FROM event WHERE type = 'touchpoint.recorded'"
                assert await admin.fetchval(recorded) == NUMBER
                assert await admin.fetchval("SELECT count(*) FROM inbox") == NUMBER
