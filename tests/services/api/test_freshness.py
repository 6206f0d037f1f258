"""Read your writes: a read waits for the position it is asked for, says so when it cannot, and nobody else waits."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.conftest import Database
from tests.road import Business
from tests.services.api.told import touchpoint

VIEWS = [
    "/v1/contacts",
    "/v1/channels",
    "/v1/network",
    "/v1/nudges",
    "/v1/appointments",
    "/v1/referrals/overview",
    "/v1/referrals/referrers",
    "/v1/referrals/supporters",
    "/v1/referrals/balance",
    "/v1/network/overlap",
    "/v1/network/outposts",
    "/v1/network/occasions",
]


@asynccontextmanager
async def stuck(database: Database, business: Business) -> AsyncIterator[None]:
    """Nothing of this tenant is projected meanwhile: somebody holds its checkpoints."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM rapport.checkpoint WHERE tenant_id = $1 FOR UPDATE", business.tenant_id
            )
            yield
    finally:
        await connection.close()


async def test_a_view_that_stays_behind_says_how_far_it_is(database: Database, bakery: Business, florist: Business):
    await bakery.tell(touchpoint())
    async with stuck(database, bakery):
        written = (await bakery.post("/v1/touchpoints", touchpoint("ben@example.com"))).json()["position"]
        began = time.monotonic()
        answers = await asyncio.gather(*(bakery.client.get(path, params={"after": written}) for path in VIEWS))
        assert 4 < time.monotonic() - began < 8
        for answer in answers:
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            problem = answer.json()
            assert (problem["type"], problem["field"]) == ("urn:rapport:problem:behind", "after")
            assert problem["position"] < written
            again = await bakery.client.get(answer.request.url.path, params={"after": problem["position"]})
            assert again.status_code == 200
        [elsewhere] = await florist.tell(touchpoint())
        assert len((await florist.get("/v1/contacts", after=elsewhere["position"]))["items"]) == 1
    assert len((await bakery.get("/v1/contacts", after=written))["items"]) == 2


async def test_a_read_that_waits_answers_when_the_view_is_there(database: Database, bakery: Business):
    async with stuck(database, bakery):
        written = (await bakery.post("/v1/touchpoints", touchpoint())).json()["position"]
        reading = asyncio.create_task(bakery.get("/v1/contacts", after=written))
        await asyncio.sleep(0.5)
        assert not reading.done()
        assert (await bakery.get("/v1/contacts"))["items"] == []
        assert (await bakery.get("/v1/events", after=written - 1))["items"][0]["position"] == written
    assert len((await reading)["items"]) == 1


async def test_an_edit_is_guarded_by_the_version_that_was_shown(database: Database, bakery: Business):
    """A page that does not show the last change yet must not let it be overwritten."""
    added = await bakery.post("/v1/contacts", {"name": "Ana"})
    path = f"/v1/contacts/{added.json()['id']}"
    await bakery.seen(added.json()["position"])
    async with stuck(database, bakery):
        changed = await bakery.client.patch(path, json={"name": "Anna"})
        shown = await bakery.client.get(path)
        assert (shown.json()["name"], shown.json()["version"]) == ("Ana", added.json()["position"])
        answer = await bakery.client.patch(path, json={"name": "Anne"}, headers={"If-Match": shown.headers["etag"]})
        assert answer.status_code == 412
    assert (await bakery.get(path, after=changed.json()["position"]))["name"] == "Anna"


@pytest.mark.parametrize("path", [*VIEWS, "/v1/events"])
async def test_a_position_that_was_never_answered_is_refused_at_once(bakery: Business, florist: Business, path: str):
    [result] = await florist.tell(touchpoint())
    began = time.monotonic()
    answer = await bakery.client.get(path, params={"after": result["position"]})
    assert (answer.status_code, answer.json()["field"]) == (400, "after")
    assert answer.json()["detail"] == "the log has no such position yet: its last is 0"
    assert time.monotonic() - began < 1
