"""Touchpoints as callers tell them, for the tests of the API."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from services.api import examples
from tests.road import Business

REFERRAL = {
    "direction": "received",
    "referrer": {"email": "ben@example.com"},
    "prospect": {"name": "Eve"},
    "by_way_of": "cafe",
    "occurred_at": "2026-05-09T09:00:00Z",
}
FRIDAYS = {
    "title": "Friday patio",
    "channel": "patio",
    "starts_at": "2026-05-08T17:00:00-07:00",
    "time_zone": "America/Los_Angeles",
}
MERGED_TOO = "01990000-0000-7000-8000-00000000000d"  # stands in bodies for another merged contact
NOBODY = "00000000-0000-7000-8000-000000000000"


def ago(days: float) -> str:
    """An instant so many days before now."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def touchpoint(*people: str, **more: Any) -> dict[str, Any]:
    """An e-mail to these addresses, or what else is said of it; `people` may stand as `with` too."""
    told = {
        "kind": "email",
        "occurred_at": "2026-05-06T08:15:00Z",
        "channel": "email",
        "direction": "out",
        "with": [{"email": address} for address in people or ("ana@example.com",)],
    }
    return told | more


def friendship(address: str, *, name: str | None = None) -> list[dict[str, Any]]:
    """Two months of talk online, both ways, up to today: enough for a nudge to meet."""
    who = {"email": address} | ({"name": name} if name else {})
    return [
        touchpoint(occurred_at=ago(day), direction=("in", "out")[day % 2], **{"with": [who]}) for day in range(1, 60, 3)
    ]


async def one_of_each(business: Business) -> dict[str, str]:
    """An id of the business's for each kind of id that a route takes."""
    await business.open_always()
    results = await business.tell(*friendship("ben@example.com", name="Ben"))
    await business.settled()
    [nudge] = (await business.get("/v1/nudges"))["items"]
    [contact_id] = results[0]["contact_ids"]
    return {
        "contact_id": contact_id,
        **await _duplicates(business, contact_id),
        "touchpoint_id": results[0]["event_id"],
        "nudge_id": nudge["id"],
        "referral_id": await _referral(business),
        "appointment_id": await planned(business, starts_at=ago(2), ends_at=ago(1.9)),
        "gathering_id": await gathering(business),
        "import_id": await dried(business, "kind,when,who,where\nmeeting,2026-05-06,Ana <ana@mill.example>,cafe\n"),
        **await _webhooks(business),
        **await _inbound(business),
    }


async def _duplicates(business: Business, contact_id: str) -> dict[str, str]:
    """Others who are the same person, two of them merged."""
    added = [await business.post("/v1/contacts", {"name": f"B{letter}"}) for letter in "abc"]
    merged_id, merged_too_id, other_id = [answer.json()["id"] for answer in added]
    both = {"contact_ids": [merged_id, merged_too_id]}
    merged = await business.post(f"/v1/contacts/{contact_id}/merge", both)
    await business.seen(merged.json()["position"])
    return {"merged_id": merged_id, "merged_too_id": merged_too_id, "other_id": other_id}


def filled(body: Any, known: dict[str, str]) -> Any:
    """An example with the ids of things that are there."""
    text = json.dumps(body)
    for example, what in (
        (examples.ANA, "contact_id"),
        (examples.OTHER_ANA, "other_id"),
        (examples.MERGED_ANA, "merged_id"),
        (MERGED_TOO, "merged_too_id"),
    ):
        text = text.replace(example, known[what])
    return json.loads(text)


async def dried(business: Business, content: str | bytes, **params: str) -> str:
    """The id of an import of this file, its dry run over."""
    brought = await business.client.post("/v1/imports", content=content, params=params)
    assert brought.status_code == 202, brought.text
    import_id: str = brought.json()["id"]
    await rested(business, import_id)
    return import_id


async def rested(business: Business, import_id: str) -> dict[str, Any]:
    """The import, once nobody works on it."""
    while True:
        found: dict[str, Any] = await business.get(f"/v1/imports/{import_id}")
        if found["state"] in ("needs_owner", "ready", "done", "undone", "cancelled", "failed"):
            return found
        await asyncio.sleep(0.02)


async def _referral(business: Business) -> str:
    made = await business.post("/v1/referrals", REFERRAL | {"by_way_of": "email"})
    await business.seen(made.json()["position"])
    referral_id: str = made.json()["id"]
    return referral_id


async def _webhooks(business: Business) -> dict[str, str]:
    """An endpoint where nobody listens, and a test that was tried on it."""
    url = {"url": "http://127.0.0.1:9/", "types": ["touchpoint.struck"]}
    endpoint_id = (await business.post("/v1/webhook-endpoints", url)).json()["id"]
    tried = await business.post(f"/v1/webhook-endpoints/{endpoint_id}/test")
    return {"endpoint_id": endpoint_id, "delivery_id": tried.json()["id"]}


async def _inbound(business: Business) -> dict[str, str]:
    """A source without a mapping, and a message of it that waits in the quarantine."""
    added = (
        await business.post("/v1/webhook-sources", {"name": "a shop", "adapter": "generic", "scheme": "none"})
    ).json()
    kept = await business.post(added["url"], {"at": 1778054100, "buyer": "ana@example.com"})
    return {"source_id": added["id"], "message_id": kept.json()["id"]}


async def gathering(business: Business, **more: Any) -> str:
    """The id of a weekly one since 8 May 2026, Fridays in Los Angeles, once the views show it."""
    answer = await business.post("/v1/gatherings", FRIDAYS | more)
    assert answer.status_code == 201, answer.text
    await business.seen(answer.json()["position"])
    return str(answer.json()["id"])


def appointment(*people: str, **more: Any) -> dict[str, Any]:
    """An hour tomorrow with these addresses, or what else is said of it."""
    told = {
        "starts_at": ago(-1),
        "ends_at": ago(-1 - 1 / 24),
        "channel": "cafe",
        "with": [{"email": address} for address in people or ("ana@example.com",)],
    }
    return told | more


async def planned(business: Business, *people: str, **more: Any) -> str:
    """Its id, once the views show it."""
    answer = await business.post("/v1/appointments", appointment(*people, **more))
    assert answer.status_code == 201, answer.text
    await business.seen(answer.json()["position"])
    return str(answer.json()["id"])
