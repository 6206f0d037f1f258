"""The outlook over the road: the chance of contact soon, beside the strength and no part of it."""

from typing import Any

from tests.road import Business
from tests.services.api.told import ago, touchpoint


def weekly(address: str, *, silent: float, weeks: int = 10) -> list[dict[str, Any]]:
    """A call a week, the last one so many days ago."""
    return [
        touchpoint(address, kind="call", direction="mutual", channel="phone", occurred_at=ago(silent + 7 * week))
        for week in range(weeks)
    ]


async def explained(business: Business, who: str, **params: Any) -> Any:
    return await business.get(f"/v1/contacts/{who}/strength", **params)


async def test_who_is_silent_is_less_likely_to_be_in_touch_soon(bakery: Business, florist: Business):
    [ann, *_] = (await bakery.tell(*weekly("ann@example.com", silent=3)))[0]["contact_ids"]
    [eve, *_] = (await bakery.tell(*weekly("eve@example.com", silent=80)))[0]["contact_ids"]
    [theirs, *_] = (await florist.tell(*weekly("ann@example.com", silent=80)))[0]["contact_ids"]
    here, gone = [(await explained(bakery, who))["outlook"] for who in (ann, eve)]
    assert 0 < gone["days_14"] <= gone["days_30"] < here["days_14"] <= here["days_30"] < 1
    assert (await explained(florist, theirs))["outlook"] == gone
    earlier = (await explained(bakery, eve, true_at=ago(77)))["outlook"]
    assert earlier["days_14"] > gone["days_14"]


async def test_a_closed_relationship_and_one_that_never_was_have_none(bakery: Business):
    [ann, *_] = (await bakery.tell(*weekly("ann@example.com", silent=3)))[0]["contact_ids"]
    answer = await bakery.client.patch(f"/v1/contacts/{ann}", json={"closed": "moved"})
    assert (await explained(bakery, ann, after=answer.json()["position"]))["outlook"] is None
    added = (await bakery.post("/v1/contacts", {"name": "Bob"})).json()
    assert (await explained(bakery, added["id"], after=added["position"]))["outlook"] is None
