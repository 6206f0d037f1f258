"""A time that cannot be is refused, rejected or quarantined with its reason, on every road; never folded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import REFERRAL, ago, dried, rested, touchpoint

WHEN = {
    "a typing error": (datetime.now(UTC) + timedelta(days=400)).isoformat(),
    "the end of the world": "9999-12-31T23:59:59Z",
    "a spreadsheet's zero": "1899-12-30T00:00:00Z",
    "the year one": "0001-01-01T00:00:00Z",
}


async def unmoved(business: Business, who: str, before: dict[str, Any]) -> None:
    """The contact is as before, but for the day going on."""
    await business.settled()
    after = await business.get(f"/v1/contacts/{who}/strength")
    kept = ("score", "stage", "contact_days", "contexts", "coverage", "given", "received")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}


@pytest.mark.parametrize("at", WHEN.values(), ids=WHEN)
async def test_no_road_folds_it(bakery: Business, florist: Business, at: str):
    [told] = await bakery.tell(touchpoint("ann@example.com", occurred_at=ago(3)))
    await florist.tell(touchpoint("ann@example.com", occurred_at=ago(3)))
    who = told["contact_ids"][0]
    before = await bakery.get(f"/v1/contacts/{who}/strength")
    wrong = touchpoint("ann@example.com", kind="meeting", direction="mutual", occurred_at=at)

    answer = await bakery.client.post("/v1/touchpoints", json=[wrong])
    [result] = answer.json()["results"]
    assert (answer.status_code, result["status"], result["problem"]["field"]) == (422, "rejected", "occurred_at")
    referred = await bakery.post("/v1/referrals", REFERRAL | {"referrer": {"contact_id": who}, "occurred_at": at})
    assert (referred.status_code, referred.json()["field"]) == (400, "occurred_at")
    source = (await bakery.post("/v1/webhook-sources", {"name": "a till", "adapter": "plain", "scheme": "none"})).json()
    message = (await bakery.post(source["url"], wrong)).json()
    found = (await bakery.get(f"/v1/webhook-messages/{message['id']}"))["message"]
    assert (found["state"], "occurred_at" in found["reason"]) == ("quarantined", True)
    brought = await dried(bakery, f"kind,when,who,where\nmeeting,{at},Ann <ann@example.com>,cafe\n")
    await bakery.post(f"/v1/imports/{brought}/start")
    counts = (await rested(bakery, brought))["counts"]
    assert {outcome for outcome, number in counts.items() if number} == {"rejected"}
    await unmoved(bakery, who, before)


@pytest.mark.parametrize("days", [400, 9_000])
async def test_a_conversion_told_for_the_future_is_none(bakery: Business, florist: Business, days: int):
    made = (await bakery.post("/v1/referrals", REFERRAL | {"by_way_of": "email"})).json()
    await florist.post("/v1/referrals", REFERRAL | {"by_way_of": "email"})
    outcome = {"outcome": "won", "occurred_at": ago(-days)}
    answer = await bakery.post(f"/v1/referrals/{made['id']}/outcome", outcome)
    assert (answer.status_code, answer.json()["field"]) == (400, "occurred_at")
    await bakery.settled()
    assert (await bakery.get(f"/v1/referrals/{made['id']}"))["status"] == "open"
