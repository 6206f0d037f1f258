"""The model of strength through the API: shown, tried, changed."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from services.api.examples import MODEL
from tests.road import Business
from tests.services.api.told import friendship


def changed(**kinds: dict[str, Any]) -> dict[str, Any]:
    wanted = deepcopy(MODEL)
    wanted["kinds"] |= kinds
    return wanted


async def in_use(business: Business) -> dict[str, Any]:
    while True:
        shown: dict[str, Any] = await business.get("/v1/model")
        if shown["in_use"]:
            return shown
        await asyncio.sleep(0.02)


async def test_it_is_shown_tried_and_changed_as_a_whole(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.tell(*friendship("ana@example.com", name="Ana"))
    shown = await bakery.get("/v1/model")
    assert (shown["model"], shown["changed_at"], shown["in_use"], shown["progress"]) == (MODEL, None, True, None)
    wanted = changed(email={"points": 2.0, "depth": 2, "advocacy": 0})
    [before] = (await bakery.get("/v1/contacts"))["items"]
    preview = (await bakery.post("/v1/model/preview", wanted)).json()
    [mover] = preview["items"]
    assert (mover["name"], mover["before"]["score"], preview["moved"]) == ("Ana", before["strength"], 1)
    assert (await bakery.get("/v1/contacts"))["items"] == [before]
    answer = await bakery.client.put("/v1/model", json=wanted)
    assert answer.status_code == 200, answer.text
    shown = await in_use(bakery)
    assert (shown["model"], shown["progress"]) == (wanted, None)
    [after] = (await bakery.get("/v1/contacts"))["items"]
    assert after["strength"] == mover["after"]["score"] != before["strength"]
    explained = await bakery.get(f"/v1/contacts/{after['id']}/strength")
    assert explained["score"] == after["strength"]
    again = await bakery.client.put("/v1/model", json=wanted)
    assert again.json() == answer.json()
    assert (await florist.get("/v1/model"))["model"] == MODEL
    [theirs] = (await florist.get("/v1/contacts"))["items"]
    assert theirs["strength"] == before["strength"]
    [told] = (await bakery.get("/v1/events", types="model.changed"))["items"]
    assert told["data"]["model"] == wanted


def but(*path: str, value: Any) -> dict[str, Any]:
    """The standard model with one thing otherwise; left out where `value` is None."""
    wanted = deepcopy(MODEL)
    node = wanted
    for step in path[:-1]:
        node = node[step]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return wanted


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kinds"),
        (but("kinds", "email", value=None), "kinds.email"),
        (but("kinds", "telepathy", value=MODEL["kinds"]["email"]), "kinds.telepathy"),
        (but("kinds", "email", "points", value=-0.1), "kinds.email.points"),
        (but("kinds", "email", "points", value="much"), "kinds[...].points"),
        (but("kinds", "email", "depth", value=4), "kinds.email.depth"),
        (but("kinds", "email", "advocacy", value=-1), "kinds.email.advocacy"),
        (but("half_lives", "fast", value=0), "half_lives.fast"),
        (but("half_lives", "slow", value=None), "half_lives.slow"),
        (but("depth_points", value=[0, 1, 2]), "depth_points"),
        (but("depth_points", value=[0, 1, 2, -3]), "depth_points[3]"),
        (but("parts", "depth", value=21), "parts"),
        (but("parts", "depth", value=-20), "parts.depth"),
        (but("parts", "tenure", value=None), "parts.tenure"),
        (but("parts", "charm", value=1), "parts.charm"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_what_is_no_model_is_refused_with_its_field_and_changes_nothing(bakery: Business, body: Any, field: str):
    for answer in (await bakery.client.put("/v1/model", json=body), await bakery.post("/v1/model/preview", body)):
        assert (answer.status_code, answer.json().get("field")) == (400, field), answer.text
    assert (await bakery.get("/v1/model"))["model"] == MODEL
