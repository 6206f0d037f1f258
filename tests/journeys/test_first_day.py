"""A first day with Rapport: people are met, the views show it, a nudge comes and is done."""

from typing import Any

from tests.road import Business


def talk(day: int, direction: str, who: dict[str, str], **more: Any) -> dict[str, Any]:
    at = f"2026-{9 + day // 28:02d}-{1 + day % 28:02d}T10:00:00Z"
    return {"kind": "email", "occurred_at": at, "channel": "email", "direction": direction, "with": [who], **more}


async def test_an_online_friend_is_met(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.open_always()
    ben = {"email": "Ben@Example.com", "name": "Ben"}
    await bakery.tell(*(talk(day, ("in", "out")[day % 2], ben) for day in range(0, 60, 3)))
    await florist.tell(talk(1, "in", {"email": "ben@example.com", "name": "Benjamin"}))

    [contact] = (await bakery.get("/v1/contacts"))["items"]
    assert contact["name"] == "Ben"
    assert contact["half"] == "online_only"
    assert contact["identities"] == [{"platform": "email", "handle": "ben@example.com"}]
    assert contact["strength"] >= 25

    await bakery.settled()
    [nudge] = (await bakery.get("/v1/nudges"))["items"]
    assert nudge["kind"] == "meet_in_person"
    assert nudge["question"] == "within reach?"
    assert "never met" in nudge["reason"]
    assert nudge["touchpoint_ids"]

    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/accept", {"within_reach": "yes"})
    assert answer.status_code == 200
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/done", {"channel": "cafe", "minutes": 45})
    assert answer.status_code == 200, answer.text
    await bakery.seen(answer.json()["position"])

    [done] = (await bakery.get("/v1/nudges", state="done"))["items"]
    met = await bakery.get(f"/v1/contacts/{contact['id']}")
    assert done["id"] == nudge["id"]
    assert met["half"] == "both"
    assert met["within_reach"] == "yes"
    assert met["met_at"] is not None
    assert (await florist.get("/v1/nudges", state="all"))["items"] == []
    assert [one["name"] for one in (await florist.get("/v1/contacts"))["items"]] == ["Benjamin"]
