"""Two tenants and every route that takes an id: the other's ids are as unknown as nobody's."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.api.examples import BODIES
from tests.road import Business, Road
from tests.services.api.told import NOBODY, one_of_each, touchpoint

METHODS = ("get", "post", "patch", "put", "delete")


@pytest.fixture
async def theirs(florist: Business) -> dict[str, str]:
    """An id of the florist's for each kind of id that a route takes."""
    return await one_of_each(florist)


def routes(road: Road) -> Iterator[tuple[str, str, Any]]:
    """Every method and path of the document that has an id in it, with a body that would be taken."""
    for path, item in (road.app.openapi_schema.paths or {}).items():
        for method in METHODS:
            operation = getattr(item, method)
            if "{" in path and operation is not None:
                yield method.upper(), path, BODIES.get(operation.operation_id)


async def test_every_route_that_takes_an_id_finds_nothing_of_another_tenant(
    road: Road, bakery: Business, florist: Business, theirs: dict[str, str]
):
    await bakery.tell(touchpoint())
    written = (await florist.get("/v1/events"))["position"]
    seen = list(routes(road))
    assert len(seen) >= 9
    for method, path, body in seen:
        answers = [
            await bakery.client.request(method, path.format(**ids), json=body)
            for ids in (theirs, dict.fromkeys(theirs, NOBODY))
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, path, answers[0].text)
        problems = [answer.json() for answer in answers]
        for problem in problems:
            problem.pop("request_id")
        assert problems[0] == problems[1], (method, path)
        headers = [set(answer.headers) for answer in answers]
        assert headers[0] == headers[1]
    assert (await florist.get("/v1/events"))["position"] == written


async def test_their_owner_finds_all_of_them(road: Road, florist: Business, theirs: dict[str, str]):
    for method, path, _ in routes(road):
        if method == "GET":
            assert (await florist.client.get(path.format(**theirs))).status_code == 200, path


async def test_a_touchpoint_cannot_be_with_another_tenants_contact(
    bakery: Business, florist: Business, theirs: dict[str, str]
):
    before = await florist.get(f"/v1/contacts/{theirs['contact_id']}")
    problems = []
    for contact_id in (theirs["contact_id"], NOBODY):
        answer = await bakery.post("/v1/touchpoints", touchpoint(**{"with": [{"contact_id": contact_id}]}))
        assert answer.status_code == 422
        problems.append(answer.json()["results"][0]["problem"])
    assert problems[0] == problems[1]
    assert (problems[0]["status"], problems[0]["field"]) == (404, "with[0].contact_id")
    assert (await bakery.get("/v1/events"))["items"] == []
    assert await florist.get(f"/v1/contacts/{theirs['contact_id']}") == before


async def test_the_same_source_id_of_two_tenants_is_two_touchpoints(bakery: Business, florist: Business):
    told = touchpoint(source="mailbox", source_id="1")
    [one] = await bakery.tell(told)
    [other] = await florist.tell(told)
    assert one["event_id"] != other["event_id"]
    assert (await bakery.post(f"/v1/touchpoints/{other['event_id']}/strike")).status_code == 404
    struck = await bakery.post(f"/v1/touchpoints/{one['event_id']}/strike")
    await bakery.seen(struck.json()["position"])
    [moment] = (await florist.get(f"/v1/contacts/{other['contact_ids'][0]}/timeline"))["items"]
    assert moment["struck"] is False


async def test_no_list_shows_anything_of_another_tenant(road: Road, bakery: Business, theirs: dict[str, str]):
    for path, item in (road.app.openapi_schema.paths or {}).items():
        if path.startswith("/v1/") and "{" not in path and item.get is not None:
            answer = await bakery.client.get(path)
            assert answer.status_code == 200, path
            shown = [value for value in theirs.values() if value in answer.text]
            assert shown == [], path
            assert answer.json()["position"] == 0, path
