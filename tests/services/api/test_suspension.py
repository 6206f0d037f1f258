"""A suspended business: its keys are refused, what goes out waits, what comes in is kept, and nothing of it is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from domain.errors import NotFound
from domain.touchpoints import RecordTouchpoint
from infra import tenants
from infra.commands.touchpoints import record_touchpoints
from infra.database import in_tenant
from infra.stored_events import Origin
from tests.receiver import Receiver, receiving
from tests.road import Business, Road
from tests.services.api.told import friendship, touchpoint

SUSPENDED = {
    "type": "urn:rapport:problem:suspended",
    "title": "Suspended",
    "status": 403,
    "detail": "this business is suspended: ask those who run this installation. Nothing is lost",
}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def stranger(road: Road) -> AsyncIterator[httpx.AsyncClient]:
    async with road.client() as client:
        yield client


async def suspended(business: Business) -> None:
    """Until its key is refused."""
    await tenants.suspend(business.context.pool, business.tenant_id)
    await answered(business, 403)


async def resumed(business: Business) -> None:
    await tenants.resume(business.context.pool, business.tenant_id)
    await answered(business, 200)


async def answered(business: Business, status: int) -> None:
    async with asyncio.timeout(20):
        while (await business.client.get("/v1/contacts")).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def record(business: Business, *told: dict[str, Any]) -> None:
    """As what is under way does, without a key."""
    tenant = await tenants.load(business.context.pool, business.tenant_id, master=business.context.master)
    assert tenant is not None
    assert tenant.suspended
    commands = [msgspec.convert(one, RecordTouchpoint) for one in told]
    done = await record_touchpoints(business.context, tenant, commands, origin=Origin("import", "test"))
    assert {one.problem for one in done} == {None}


async def waiting(business: Business, query: str) -> None:
    """Until it is so in the database: the view is closed to its own key."""
    async with asyncio.timeout(20):
        while True:
            async with in_tenant(business.context.pool, business.tenant_id) as connection:
                if await connection.fetchval(query):
                    return
            await asyncio.sleep(0.02)


async def subscribe(business: Business, receiver: Receiver) -> None:
    body = {"url": receiver.url, "types": ["touchpoint.recorded"]}
    assert (await business.post("/v1/webhook-endpoints", body)).status_code == 201


CLOSED = """SELECT bool_and(d.state = 'waiting') AND bool_and(NOT l.open)
              FROM webhook_delivery d JOIN webhook_lane l USING (tenant_id, endpoint_id)"""
KEPT = "SELECT bool_and(state = 'received' AND due_at = 'infinity') FROM inbox"
SUGGESTED = "SELECT count(*) FROM event WHERE type = 'nudge.suggested'"


async def test_its_keys_are_refused_and_nobody_elses(bakery: Business, florist: Business):
    await suspended(bakery)
    for method, path in (("GET", "/v1/contacts"), ("POST", "/v1/touchpoints"), ("GET", "/v1/events")):
        answer = await bakery.client.request(method, path)
        problem = answer.json()
        del problem["request_id"]
        assert (answer.headers["content-type"], problem) == ("application/problem+json", SUSPENDED)
    assert (await florist.client.get("/v1/contacts")).status_code == 200
    await resumed(bakery)
    await bakery.tell(touchpoint())


async def test_its_webhooks_wait_and_all_of_them_go_out_when_it_is_resumed(
    bakery: Business, florist: Business, receiver: Receiver
):
    async with receiving() as other:
        await subscribe(bakery, receiver)
        await subscribe(florist, other)
        await suspended(bakery)
        await record(bakery, touchpoint("ana@example.com"), touchpoint("ben@example.com"))
        await florist.tell(touchpoint())
        await other.got(1)
        await waiting(bakery, CLOSED)
        assert receiver.received == []
        await resumed(bakery)
        await receiver.got(2)


async def test_a_paused_endpoint_of_it_stays_paused(bakery: Business, receiver: Receiver):
    await subscribe(bakery, receiver)
    [endpoint] = (await bakery.get("/v1/webhook-endpoints"))["items"]
    await bakery.client.patch(f"/v1/webhook-endpoints/{endpoint['id']}", json={"state": "paused"})
    await suspended(bakery)
    await resumed(bakery)
    async with in_tenant(bakery.context.pool, bakery.tenant_id) as connection:
        assert await connection.fetchval("SELECT open FROM webhook_lane") is False


async def test_what_other_systems_tell_it_is_kept_and_recorded_later(bakery: Business, stranger: httpx.AsyncClient):
    added = (await bakery.post("/v1/webhook-sources", {"name": "a sender", "adapter": "plain"})).json()
    await suspended(bakery)
    kept = await stranger.post(added["url"], json=touchpoint())
    assert (kept.status_code, kept.json()["state"]) == (202, "received")
    await waiting(bakery, KEPT)
    await resumed(bakery)
    async with asyncio.timeout(20):
        while (await bakery.get("/v1/webhook-messages"))["items"][0]["state"] != "recorded":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_nothing_is_suggested_to_it_until_it_is_resumed(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.open_always()
    await suspended(bakery)
    await record(bakery, *friendship("ben@example.com", name="Ben"))
    await florist.tell(*friendship("ben@example.com", name="Ben"))
    await bakery.settled()
    await florist.settled()
    assert len((await florist.get("/v1/nudges"))["items"]) == 1
    async with in_tenant(bakery.context.pool, bakery.tenant_id) as connection:
        assert await connection.fetchval(SUGGESTED) == 0
    await resumed(bakery)
    await waiting(bakery, f"{SUGGESTED} HAVING count(*) = 1")


async def test_a_business_that_is_not_there_is_not_suspended(road: Road):
    for act in (tenants.suspend, tenants.resume):
        with pytest.raises(NotFound):
            await act(road.context.pool, uuid4())
