"""The key that a request shows: right, wrong, revoked; each tenant's opens its own door only."""

import asyncio
import re

import httpx
import pytest

from infra import tenants
from infra.context import Context
from tests.road import Business, Road
from tests.services.api.told import touchpoint


def refused(answer: httpx.Response) -> dict[str, object]:
    """The problem without what is each request's own."""
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    problem: dict[str, object] = answer.json()
    problem.pop("request_id")
    return problem


async def test_a_key_opens_its_tenants_door(bakery: Business, florist: Business):
    await bakery.tell(touchpoint())
    assert len((await bakery.get("/v1/contacts"))["items"]) == 1
    assert (await florist.get("/v1/contacts"))["items"] == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(road: Road, bakery: Business, scheme: str):
    async with road.client() as client:
        answer = await client.get("/v1/contacts", headers={"Authorization": f"{scheme}  {bakery.api_key} "})
    assert answer.status_code == 200


async def test_every_wrong_key_is_refused_in_the_same_words(road: Road, bakery: Business, florist: Business):
    key = bakery.api_key
    unknown = tenants.new_api_key()
    mixed = florist.api_key[:25] + key[25:]
    wrong = [
        None, "", "Bearer", "Bearer ", f"Basic {key}", key, f"Bearer {key[:-1]}", f"Bearer {key}x",
        f"Bearer {key.lower()}", f"Bearer {unknown}", f"Bearer {mixed}", f"Bearer {key} {key}", "Bearer " + "x" * 5_000,
        "Bearer ' OR 1=1 --", "Bearer rapport_live_\u00e9".encode("latin-1"),
    ]  # fmt: skip
    async with road.client() as client:
        said = []
        for header in wrong:
            headers = {} if header is None else {"Authorization": header}
            said.append(refused(await client.get("/v1/contacts", headers=headers)))
    assert said[0] == {
        "type": "urn:rapport:problem:unauthorized",
        "title": "Not authorised",
        "status": 401,
        "detail": "show a valid API key: Authorization: Bearer rapport_live_...",
        "field": "Authorization",
    }
    assert said == [said[0]] * len(said)


async def test_every_route_under_v1_wants_a_key(road: Road):
    async with road.client() as client:
        for path, operations in (road.app.openapi_schema.paths or {}).items():
            if not path.startswith("/v1/"):
                continue
            for method in ("get", "post", "patch"):
                if getattr(operations, method) is not None:
                    filled = re.sub(r"\{\w+\}", "00000000-0000-7000-8000-000000000000", path)
                    refused(await client.request(method, filled))


async def test_a_key_is_refused_before_the_body_is_read(road: Road):
    async with road.client() as client:
        refused(await client.post("/v1/touchpoints", content=b"{" * 2_000_000))


async def test_a_revoked_key_ends_within_about_a_second(road: Road, bakery: Business):
    context: Context = road.context
    second = await tenants.add_key(context.pool, bakery.tenant_id)
    shown = tenants.shown(second)
    assert shown is not None
    async with road.client(second) as client:
        assert (await client.get("/v1/contacts")).status_code == 200
        assert await tenants.revoke_key(context.pool, bakery.tenant_id, shown.key_id)
        await asyncio.sleep(1.1)
        refused(await client.get("/v1/contacts"))
        assert (await bakery.client.get("/v1/contacts")).status_code == 200


async def test_another_tenant_cannot_revoke_a_key(road: Road, bakery: Business, florist: Business):
    shown = tenants.shown(bakery.api_key)
    assert shown is not None
    assert not await tenants.revoke_key(road.context.pool, florist.tenant_id, shown.key_id)
    await asyncio.sleep(1.1)
    assert (await bakery.client.get("/v1/contacts")).status_code == 200
