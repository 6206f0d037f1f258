"""Looking back through the API: what was known at an instant, and what had happened by one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import REFERRAL, ago, friendship, touchpoint

ROUTES = ("/v1/contacts", "/v1/network", "/v1/referrals", "/v1/referrals/tree")


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


async def all_of_it(business: Business, contact_id: str, **params: str) -> list[dict[str, Any]]:
    paths = (*ROUTES, f"/v1/contacts/{contact_id}", f"/v1/contacts/{contact_id}/strength")
    return [without(await business.get(path, **params), "scored_at") for path in paths]


async def test_what_was_known_then_is_what_was_answered_then(bakery: Business, florist: Business):
    results = await bakery.tell(*friendship("ana@example.com", name="Ana"))
    await bakery.post("/v1/referrals", REFERRAL)
    await florist.tell(touchpoint("flora@example.com"))
    await bakery.settled()
    ana = results[0]["contact_ids"][0]
    then, answered = datetime.now(UTC), await all_of_it(bakery, ana)
    await bakery.tell(
        *(touchpoint("ana@example.com", kind="meeting", channel="cafe", occurred_at=ago(n)) for n in (3, 5))
    )
    await bakery.post(f"/v1/touchpoints/{results[0]['event_id']}/strike", {})
    await bakery.client.patch(f"/v1/contacts/{ana}", json={"name": "Anastasia", "relation": "supplier"})
    await bakery.tell(touchpoint("ben@example.com"))
    await bakery.settled()
    assert await all_of_it(bakery, ana) != answered
    back = await all_of_it(bakery, ana, at=then.isoformat())
    for now, was in zip(back, answered, strict=True):
        hours = ("thanks", "items")  # waits go on by the hour
        assert without(now, *hours) == without(was, *hours)
    [anna] = [row for row in back[0]["items"] if row["id"] == ana]
    assert (anna["name"], anna["half"]) == ("Ana", "online_only")
    assert [row["id"] for row in (await florist.get("/v1/contacts", at=then.isoformat()))["items"]] != []


async def test_a_contact_of_later_was_not_there_then(bakery: Business):
    await bakery.tell(touchpoint("ana@example.com"))
    then = datetime.now(UTC).isoformat()
    [told] = await bakery.tell(touchpoint("ben@example.com"))
    ben = told["contact_ids"][0]
    for path in (f"/v1/contacts/{ben}", f"/v1/contacts/{ben}/strength"):
        answer = await bakery.client.get(path, params={"at": then})
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
    assert (await bakery.get("/v1/contacts", at="1990-01-01T00:00:00Z"))["items"] == []


async def test_what_had_happened_by_then_though_told_only_now(bakery: Business, florist: Business):
    whole = friendship("ana@example.com", name="Ana")
    late = touchpoint(kind="meeting", channel="cafe", occurred_at=ago(2), **{"with": [{"email": "ana@example.com"}]})
    results = await bakery.tell(*whole, late)
    await florist.tell(*whole[10:])
    ana = results[0]["contact_ids"][0]
    then = datetime.now(UTC) - timedelta(days=30.5)
    told = {"true_at": then.isoformat()}
    by_then = [one for one in whole if datetime.fromisoformat(one["occurred_at"]) <= then]
    seen = await bakery.get(f"/v1/contacts/{ana}", **told)
    assert (seen["touchpoints"], seen["half"]) == (len(by_then), "online_only")
    explained = await bakery.get(f"/v1/contacts/{ana}/strength", **told)
    assert (explained["score"], explained["stage"]) == (seen["strength"], seen["stage"])
    [listed] = (await bakery.get("/v1/contacts", **told))["items"]
    assert listed["strength"] == seen["strength"]
    assert (await bakery.get("/v1/network", **told))["both"]["count"] == 0
    assert (await bakery.get("/v1/network"))["both"]["count"] == 1
    [theirs] = (await florist.get("/v1/contacts", **told))["items"]
    assert theirs["touchpoints"] == len([one for one in whole[10:] if one in by_then])


@pytest.mark.parametrize("field", ["at", "true_at"])
@pytest.mark.parametrize(
    ("instant", "why"),
    [
        ("yesterday", "no time such as"),
        ("2026-05-06T08:15:00", "offset"),
        ("1850-01-01T00:00:00Z", "before 1900"),
        ("2999-01-01T00:00:00Z", "still to come"),
    ],
)
async def test_what_is_no_past_instant_is_refused(bakery: Business, field: str, instant: str, why: str):
    for path in ROUTES:
        answer = await bakery.client.get(path, params={field: instant})
        assert (answer.status_code, answer.json()["field"]) == (400, field)
        assert why in answer.json()["detail"]
