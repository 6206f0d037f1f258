"""The whole road in one process, for tests: the API over a real database, and the workers' work beside it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from domain.policy import WEEKDAYS
from infra import projector, tenants
from infra.context import Context
from infra.database import in_tenant
from infra.deliveries import Deliverer
from infra.egress import open_egress
from infra.inbox import Taker
from infra.settings import Settings
from services.api.app import create_app
from services.workers.main import catch_up
from tests.conftest import Database, Servers

MASTER_KEY = b"a master key of 32 bytes, for us"
LOOK_AGAIN = 0.02
SWEEP_SECONDS = 0.25  # for what falls due by time, and for what another process rang about
# A policy under which a nudge may come at any hour of any day, whatever day the tests run on.
ALWAYS_OPEN = {
    "quiet_hours": {"from": "00:00", "until": "00:00"},
    "opening_days": list(WEEKDAYS),
    "holidays": False,
}


BEHIND = """SELECT EXISTS (SELECT FROM checkpoint c JOIN tenant_head h USING (tenant_id)
                            WHERE c.position < least(h.position, c.ceiling))"""


class Business:
    """One tenant, seen through the API with its own key."""

    def __init__(self, tenant_id: UUID, api_key: str, client: httpx.AsyncClient, context: Context) -> None:
        self.tenant_id = tenant_id
        self.api_key = api_key
        self.client = client
        self.context = context

    async def get(self, path: str, **params: Any) -> Any:
        """The answer of a read that succeeds."""
        response = await self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers=headers)

    async def tell(self, *touchpoints: dict[str, Any]) -> list[dict[str, Any]]:
        """Record touchpoints, all of them taken, and wait until every view has them."""
        results: list[dict[str, Any]] = []
        for start in range(0, len(touchpoints), 1000):
            response = await self.client.post("/v1/touchpoints", json=list(touchpoints[start : start + 1000]))
            assert response.status_code == 200, response.text
            results += response.json()["results"]
        assert [one for one in results if one["status"] == "rejected"] == []
        await self.seen(max(one["position"] for one in results))
        return results

    async def open_always(self) -> None:
        """Nudges may come at any hour of any day."""
        answer = await self.client.put("/v1/nudge-policy", json=ALWAYS_OPEN)
        assert answer.status_code == 200, answer.text
        await self.seen(answer.json()["position"])

    async def seen(self, position: int) -> None:
        """Wait until every projection has this position."""
        await projector.reached(self.context, self.tenant_id, list(projector.PROJECTIONS), position, seconds=60)

    async def settled(self) -> None:
        """Wait until nothing is behind: projections and the nudge engine too."""
        while True:
            async with in_tenant(self.context.pool, self.tenant_id) as connection:
                if not await connection.fetchval(BEHIND):
                    return
            await asyncio.sleep(LOOK_AGAIN)


class Road:
    def __init__(self, app: Litestar, context: Context) -> None:
        self.app = app
        self.context = context

    @asynccontextmanager
    async def client(self, api_key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        transport = httpx.ASGITransport(app=self.app)
        client = httpx.AsyncClient(transport=transport, base_url="http://rapport", headers=headers, timeout=60)
        async with client:
            yield client

    @asynccontextmanager
    async def business(self, name: str = "Corner Bakery", **more: Any) -> AsyncIterator[Business]:
        added = await tenants.add(self.context.pool, name=name, master=self.context.master, **more)
        async with self.client(added.api_key) as client:
            yield Business(added.tenant_id, added.api_key, client, self.context)


@pytest.fixture(scope="session")
def configured(database: Database, servers: Servers) -> Settings:
    return settings_for(database, servers)


def settings_for(database: Database, servers: Servers) -> Settings:
    urls = {"database_url": database.app_url, "redis_url": servers.redis_url}
    return Settings(**urls, master_key=MASTER_KEY, log_level="error", webhooks_allow_loopback=True, import_limit_mb=5)


@pytest.fixture(scope="session")
async def road(configured: Settings) -> AsyncIterator[Road]:
    async with opened_road(configured) as road:
        yield road


@asynccontextmanager
async def opened_road(configured: Settings) -> AsyncIterator[Road]:
    """The API in this process, and the workers' work done beside it at each ring of the application's bell."""
    app = create_app(configured)
    opened, finished = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(_serve(app, opened, finished))
    await asyncio.wait([serving, asyncio.create_task(opened.wait())], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    try:
        yield Road(app, app.state["context"])
    finally:
        finished.set()
        await serving


async def _serve(app: Litestar, opened: asyncio.Event, finished: asyncio.Event) -> None:
    """The application's lifespan has to begin and end in one task."""
    async with app.lifespan(), open_egress(loopback=True) as egress:
        deliverer, taker = Deliverer(app.state["context"], egress), Taker(app.state["context"], egress)
        rung = _rings(app.state["context"])
        worker = asyncio.create_task(_work(app.state["context"], rung, deliverer, taker))
        delivering = asyncio.gather(deliverer.run(finished), taker.run(finished))
        opened.set()
        await finished.wait()
        worker.cancel()
        ended = await asyncio.gather(worker, delivering, return_exceptions=True)
        if failures := [one for one in ended if isinstance(one, Exception)]:
            raise ExceptionGroup("the work beside the tested API had ended", failures)


def _rings(context: Context) -> asyncio.Event:
    """Set whenever the application rings: the workers are in this process, and need not look into Valkey for it."""
    rung, ring = asyncio.Event(), context.bell.ring

    def ring_here_too() -> None:
        ring()
        rung.set()

    context.bell.ring = ring_here_too  # type: ignore[method-assign]
    return rung


async def _work(context: Context, rung: asyncio.Event, deliverer: Deliverer, taker: Taker) -> None:
    while True:
        rung.clear()
        await catch_up(context)
        deliverer.wake()
        taker.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await rung.wait()


@pytest.fixture
async def bakery(road: Road) -> AsyncIterator[Business]:
    async with road.business("Corner Bakery", locality="Portland", time_zone="America/Los_Angeles") as business:
        yield business


@pytest.fixture
async def florist(road: Road) -> AsyncIterator[Business]:
    """The other tenant."""
    async with road.business("Florist", locality="Berlin", country="DE", time_zone="Europe/Berlin") as business:
        yield business


def encoded_master_key() -> str:
    return base64.b64encode(MASTER_KEY).decode()
