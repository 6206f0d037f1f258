"""Events that another version of Rapport wrote, or that were broken: shown for what they are, never a 500."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conftest import Database
from tests.road import Business
from tests.services.api.told import ago, friendship, touchpoint

Spoil = Callable[[Business, str], Awaitable[None]]
WAYS = {
    "of another version": "version = 99",
    "of a type nobody knows": "type = 'touchpoint.dreamt'",
    "of another shape": """body = '{"touchpoint_id": 7}'""",
    "no JSON": "body = 'nonsense'",
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
async def spoil(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Spoil]:
    """Makes a stream's last event, after its views were made, one that this program cannot read."""
    connection = await asyncpg.connect(database.admin_url, server_settings={"search_path": "rapport"})

    async def run(business: Business, stream: str) -> None:
        done = await connection.execute(
            f"UPDATE event SET {request.param} WHERE tenant_id = $1 AND position ="  # noqa: S608
            " (SELECT max(position) FROM event WHERE tenant_id = $1 AND stream = $2)",
            business.tenant_id,
            stream,
        )
        assert done == "UPDATE 1"

    yield run
    await connection.close()


def check_not_understood(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:rapport:problem:not-understood"


async def test_the_feed_shows_that_there_is_one_and_goes_on(bakery: Business, florist: Business, spoil: Spoil):
    [first] = await bakery.tell(touchpoint())
    [told] = await florist.tell(touchpoint())
    before = (await bakery.get("/v1/events"))["items"]
    await spoil(bakery, f"touchpoint-{first['event_id']}")
    [last] = await bakery.tell(touchpoint("ben@example.com"))
    feed = await bakery.get("/v1/events")
    assert [item["position"] for item in feed["items"]] == list(range(1, feed["position"] + 1))
    assert feed["items"][-1]["event_id"] == last["event_id"]
    dark = feed["items"][len(before) - 1]
    assert dark["data"] is None
    assert "is not known here" in dark["unreadable"]
    assert {**dark, "type": "touchpoint.recorded", "data": before[-1]["data"]} == {
        **before[-1],
        "unreadable": dark["unreadable"],
    }
    assert [item for item in feed["items"] if "unreadable" in item] == [dark]
    assert (await florist.get("/v1/events"))["items"][-1]["data"]["touchpoint_id"] == told["event_id"]


async def test_a_decision_about_it_is_refused_and_about_all_else_is_made(
    bakery: Business, florist: Business, spoil: Spoil
):
    first, second = await bakery.tell(touchpoint(), touchpoint("ben@example.com"))
    ana, ben = first["contact_ids"][0], second["contact_ids"][0]
    await spoil(bakery, f"touchpoint-{first['event_id']}")
    await spoil(bakery, f"contact-{ana}")
    await spoil(bakery, "channel-email")
    check_not_understood(await bakery.post(f"/v1/touchpoints/{first['event_id']}/strike"))
    check_not_understood(await bakery.client.patch(f"/v1/contacts/{ana}", json={"name": "Ana"}))
    check_not_understood(await bakery.post("/v1/channels", {"slug": "email", "name": "E-mail"}))
    assert (await bakery.post(f"/v1/touchpoints/{second['event_id']}/strike")).is_success
    assert (await bakery.client.patch(f"/v1/contacts/{ben}", json={"name": "Ben"})).is_success
    assert (await florist.post("/v1/channels", {"slug": "email", "name": "E-mail"})).is_success


async def test_an_answer_to_a_nudge_that_cannot_be_read_is_refused(bakery: Business, spoil: Spoil):
    await bakery.open_always()
    await bakery.tell(*friendship("ben@example.com", name="Ben"))
    await bakery.settled()
    [nudge] = (await bakery.get("/v1/nudges"))["items"]
    await spoil(bakery, f"nudge-{nudge['id']}")
    before = (await bakery.get("/v1/events"))["position"]
    for answer, body in (("accept", {}), ("snooze", {"until": ago(-5)}), ("dismiss", {}), ("done", {"minutes": 30})):
        check_not_understood(await bakery.post(f"/v1/nudges/{nudge['id']}/{answer}", body))
    assert (await bakery.get("/v1/events"))["position"] == before


async def test_a_repeat_of_it_is_a_duplicate_whose_people_cannot_be_told(bakery: Business, spoil: Spoil):
    told = [touchpoint(f"guest{n}@example.com", source="till", source_id=str(n)) for n in range(2)]
    first, second = await bakery.tell(*told)
    await spoil(bakery, f"touchpoint-{first['event_id']}")
    answer = await bakery.post("/v1/touchpoints", told)
    assert answer.status_code == 200, answer.text
    expected: list[dict[str, Any]] = [
        {**first, "status": "duplicate", "contact_ids": []},
        {**second, "status": "duplicate"},
    ]
    assert answer.json()["results"] == expected


async def test_a_repeated_decision_answers_with_its_position_again(bakery: Business, spoil: Spoil):
    key = {"Idempotency-Key": "the same"}
    added = await bakery.post("/v1/contacts", {"name": "Ana"}, **key)
    contact = added.json()["id"]
    await spoil(bakery, f"contact-{contact}")
    again = await bakery.post("/v1/contacts", {"name": "Ana"}, **key)
    assert (again.status_code, again.json()) == (added.status_code, added.json())
