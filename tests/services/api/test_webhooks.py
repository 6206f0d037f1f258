"""Webhooks through the API, sent to a real receiver over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from infra import periodic, tenants
from infra.database import in_tenant
from tests.receiver import Receiver, receiving
from tests.road import Business

ENDPOINTS = "/v1/webhook-endpoints"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def endpoint(business: Business, receiver: Receiver, **more: Any) -> dict[str, Any]:
    response = await business.post(ENDPOINTS, {"url": receiver.url, **more})
    assert response.status_code == 201, response.text
    added: dict[str, Any] = response.json()
    return added


def touchpoint(name: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "meeting", "occurred_at": "2026-05-06T08:15:00Z", "channel": "cafe", "direction": "mutual",
        "with": [{"email": f"{name}@example.com", "name": name.title()}], "source": "test", "source_id": name, **more,
    }  # fmt: skip


async def ended(business: Business, number: int) -> list[dict[str, Any]]:
    """Deliveries that came to an end, waited for."""
    async with asyncio.timeout(20):
        while True:
            page = await business.get("/v1/webhook-deliveries", limit=200)
            done = [one for one in page["items"] if one["state"] not in ("waiting", "sending")]
            if len(done) >= number:
                return done
            await asyncio.sleep(0.02)


async def test_what_happens_is_told_signed_and_thin(bakery: Business, florist: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver, types=["touchpoint.*"], headers={"X-Ours": "1"})
    await florist.tell(touchpoint("flora"))
    await bakery.tell(touchpoint("ana", note="likes rye"))
    [one] = await receiver.got(1)
    body = one.verified(added["secret"])
    assert (body["type"], body["tenant"], one.headers["x-ours"]) == ("touchpoint.recorded", str(bakery.tenant_id), "1")
    assert body["data"]["channel"] == "cafe"
    assert b"Ana" not in one.content
    assert b"rye" not in one.content
    [told] = await ended(bakery, 1)
    assert (told["webhook_id"], told["state"], told["reason"], told["attempts"]) == (
        one.webhook_id, "delivered", "delivered", 1,
    )  # fmt: skip
    assert (await florist.get("/v1/webhook-deliveries"))["items"] == []
    assert len(receiver.received) == 1


async def test_a_full_body_has_the_names_the_event_itself_holds(bakery: Business, receiver: Receiver):
    await endpoint(bakery, receiver, types=["contact.added", "touchpoint.recorded"], body="full")
    await bakery.tell(touchpoint("ana", note="likes rye"))
    received = await receiver.got(2)
    told = {one.body["type"]: one.body["personal"] for one in received}
    assert told == {"contact.added": {"name": "Ana"}, "touchpoint.recorded": {"note": "likes rye"}}


async def test_a_rotated_secret_signs_beside_the_old_one_until_the_overlap_ends(bakery: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    response = await bakery.post(f"{ENDPOINTS}/{added['id']}/rotate", {"overlap_hours": 1})
    new = response.json()["secret"]
    await bakery.tell(touchpoint("ana"))
    [one] = await receiver.got(1)
    assert one.verified(added["secret"]) == one.verified(new)
    newer = (await bakery.post(f"{ENDPOINTS}/{added['id']}/rotate", {"overlap_hours": 0})).json()["secret"]
    await bakery.tell(touchpoint("ben"))
    _, two = await receiver.got(2)
    two.verified(newer)
    for old in (added["secret"], new):
        with pytest.raises(WebhookVerificationError):
            two.verified(old)


async def test_a_failed_one_is_tried_again_and_the_log_says_why(bakery: Business, receiver: Receiver):
    answers = [web.Response(status=503, text="not now", headers={"Retry-After": "1"}), web.Response(status=200)]
    receiver.answer = lambda _: answers.pop(0)
    await endpoint(bakery, receiver, types=["touchpoint.*"])
    await bakery.tell(touchpoint("ana"))
    first, second = await receiver.got(2)
    assert (first.webhook_id, first.content) == (second.webhook_id, second.content)
    [told] = await ended(bakery, 1)
    detail = await bakery.get(f"/v1/webhook-deliveries/{told['id']}")
    assert [(one["status"], one["reason"], one["answer"]) for one in detail["attempts"]] == [
        (503, "it answered 503", "not now"), (200, "delivered", None),
    ]  # fmt: skip
    assert detail["attempts"][0]["request"]["headers"]["webhook-id"] == told["webhook_id"]


async def test_everything_since_the_beginning_is_replayed_to_an_endpoint_of_today(bakery: Business, receiver: Receiver):
    names = [f"person{n}" for n in range(30)]
    await bakery.tell(*(touchpoint(name) for name in names))
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    response = await bakery.post(f"{ENDPOINTS}/{added['id']}/replay", {"after_position": 0})
    assert response.status_code == 202
    received = await receiver.got(30)
    assert {one.body["data"]["source_id"] for one in received} == set(names)
    await ended(bakery, 30)
    [replay] = (await bakery.get(f"{ENDPOINTS}/{added['id']}/replays"))["items"]
    assert (replay["done"], replay["queued"], replay["delivered"]) == (1.0, 30, 30)


async def test_an_ordered_endpoint_never_sees_a_later_one_first(bakery: Business, receiver: Receiver):
    failed: set[str] = set()

    def sometimes(one: Any) -> web.StreamResponse:
        fails = one.body["position"] % 3 == 0 and one.webhook_id not in failed
        failed.add(one.webhook_id)
        return web.Response(status=500 if fails else 204)

    receiver.answer = sometimes
    await endpoint(bakery, receiver, types=["touchpoint.*"], ordered=True)
    await bakery.tell(*(touchpoint(f"p{n}") for n in range(5)))
    await ended(bakery, 5)
    positions = [one.body["position"] for one in receiver.received]
    assert positions == sorted(positions)
    assert len(set(positions)) == 5


async def test_410_disables_at_once_and_only_this_endpoint(
    bakery: Business, receiver: Receiver, other_receiver: Receiver
):
    receiver.answer = lambda _: web.Response(status=410)
    gone = await endpoint(bakery, receiver, types=["touchpoint.*"])
    await endpoint(bakery, other_receiver, types=["touchpoint.*", "webhook_endpoint.*"])
    await bakery.tell(touchpoint("ana"))
    await other_receiver.got(2)
    shown = await bakery.get(f"{ENDPOINTS}/{gone['id']}")
    assert (shown["state"], shown["reason"]) == (
        "disabled", "it answered 410: it wants no more webhooks, and was disabled",
    )  # fmt: skip
    told = {one.body["type"]: one.body["data"] for one in other_receiver.received}
    assert told["webhook_endpoint.disabled"] == {"endpoint_id": gone["id"], "reason": "gone"}
    await bakery.tell(touchpoint("ben"))
    await other_receiver.got(3)
    assert len(receiver.received) == 1


async def test_the_other_business_finds_nothing_of_it(bakery: Business, florist: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver)
    await bakery.tell(touchpoint("ana"))
    [first, *_] = await ended(bakery, 1)
    at = f"{ENDPOINTS}/{added['id']}"
    for path in (at, f"{at}/replays", f"{at}/statistics", f"{at}/audit", f"/v1/webhook-deliveries/{first['id']}"):
        assert (await florist.client.get(path)).status_code == 404, path
    for path in (f"{at}/rotate", f"{at}/test", f"{at}/replay", f"/v1/webhook-deliveries/{first['id']}/redeliver"):
        body = {"after_position": 0} if path.endswith("replay") else {}
        assert (await florist.post(path, body)).status_code == 404, path
    assert (await florist.client.patch(at, json={"state": "paused"})).status_code == 404
    assert (await florist.client.delete(at)).status_code == 404


async def test_a_test_event_is_marked_sent_once_and_counted_nowhere(bakery: Business, receiver: Receiver):
    receiver.answer = lambda _: web.Response(status=500)
    added = await endpoint(bakery, receiver)
    assert (await bakery.post(f"{ENDPOINTS}/{added['id']}/test")).status_code == 202
    [one] = await receiver.got(1)
    assert one.verified(added["secret"])["test"] is True
    [told] = await ended(bakery, 1)
    assert (told["state"], told["test"], told["attempts"]) == ("exhausted", True, 1)
    shown = await bakery.get(f"{ENDPOINTS}/{added['id']}/statistics")
    assert sum(hour["failed"] for hour in shown["hours"]) == 0
    assert (await bakery.get(f"{ENDPOINTS}/{added['id']}"))["failures"] == 0


async def test_paused_it_waits_and_deleted_it_is_cancelled(bakery: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    at = f"{ENDPOINTS}/{added['id']}"
    await bakery.client.patch(at, json={"state": "paused"})
    await bakery.tell(touchpoint("ana"))
    await bakery.settled()
    assert (await bakery.get(at))["open"] == 1
    await bakery.client.patch(at, json={"state": "active"})
    await ended(bakery, 1)
    await bakery.client.patch(at, json={"state": "paused"})
    await bakery.tell(touchpoint("ben"))
    await bakery.settled()
    assert (await bakery.client.delete(at)).status_code == 204
    states = {one["type"] + one["state"] for one in await ended(bakery, 2)}
    assert states == {"touchpoint.recordeddelivered", "touchpoint.recordedcancelled"}
    assert (await bakery.get(ENDPOINTS))["items"] == []
    assert len(receiver.received) == 1


async def test_many_tries_at_once_beside_the_sending_all_go_out(bakery: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver)
    for _ in range(20):
        tried = await asyncio.gather(*(bakery.post(f"{ENDPOINTS}/{added['id']}/test") for _ in range(5)))
        assert {one.status_code for one in tried} == {202}
    await receiver.got(100)


async def test_each_redelivery_is_sent_once_under_the_same_id(bakery: Business, receiver: Receiver):
    await endpoint(bakery, receiver, types=["touchpoint.*"])
    await bakery.tell(touchpoint("ana"))
    [first] = await ended(bakery, 1)
    for _ in range(2):
        assert (await bakery.post(f"/v1/webhook-deliveries/{first['id']}/redeliver")).status_code == 202
    received = await receiver.got(3)
    assert len({one.webhook_id for one in received}) == 1
    assert sorted(one["replay"] for one in await ended(bakery, 3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://example.com/x"}, "url"),
        ({"url": "https://10.0.0.1/x"}, "url"),
        ({"url": "https://user@example.com/x"}, "url"),
        ({"url": "https://example.com:22/x"}, "url"),
        ({"url": "https://[::ffff:127.0.0.1]/x"}, "url"),
        ({"url": "https://example.com/", "types": ["no.such"]}, "types[0]"),
        ({"url": "https://example.com/", "types": []}, "types"),
        ({"url": "https://example.com/", "headers": {"webhook-id": "x"}}, "headers.webhook-id"),
        ({"url": "https://example.com/", "headers": {"X-A": "b\r\nc"}}, "headers.X-A"),
        ({"url": "https://example.com/", "at_once": 99}, "at_once"),
        ({}, "url"),
    ],
)
async def test_a_bad_endpoint_is_refused_by_its_field(bakery: Business, body: dict[str, Any], field: str):
    response = await bakery.post(ENDPOINTS, body)
    assert (response.status_code, response.json()["field"]) == (400, field)
    assert (await bakery.get(ENDPOINTS))["items"] == []


async def lane(business: Business, statement: str, *values: object) -> None:
    """Change how sending goes, as days that went by would have."""
    async with in_tenant(business.context.pool, business.tenant_id) as connection:
        await connection.execute(f"UPDATE webhook_lane SET {statement}", *values)  # noqa: S608 - our own words


async def until(
    business: Business, path: str, holds: Callable[[dict[str, Any]], bool], **params: Any
) -> dict[str, Any]:
    """What is shown there once it is so."""
    async with asyncio.timeout(20):
        while True:
            shown: dict[str, Any] = await business.get(path, **params)
            if holds(shown):
                return shown
            await asyncio.sleep(0.02)


async def test_the_last_failure_of_five_days_disables_and_the_feed_says_so(bakery: Business, receiver: Receiver):
    receiver.answer = lambda _: web.Response(status=500)
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    await lane(bakery, "failing_since = now() - interval '5 days', failures = 19, warned = true")
    await bakery.tell(touchpoint("ana"))
    await receiver.got(1)
    await bakery.settled()
    shown = await until(bakery, f"{ENDPOINTS}/{added['id']}", lambda one: one["state"] == "disabled")
    assert shown["reason"] == "it answered 500"
    feed = (await bakery.get("/v1/events", types="webhook_endpoint.disabled"))["items"]
    assert [one["data"] for one in feed] == [{"endpoint_id": added["id"], "reason": "only_failures"}]
    acts = [one["act"] for one in (await bakery.get(f"{ENDPOINTS}/{added['id']}/audit"))["items"]]
    assert acts == ["disabled: it answered 500", "added"]


async def test_half_way_there_the_feed_warns_once(bakery: Business, receiver: Receiver):
    receiver.answer = lambda _: web.Response(status=500)
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    await lane(bakery, "failing_since = now() - interval '3 days', failures = 9")
    await bakery.tell(touchpoint("ana"), touchpoint("ben"))
    await receiver.got(2)
    await until(bakery, f"{ENDPOINTS}/{added['id']}", lambda one: one["failures"] == 11)
    feed = (await bakery.get("/v1/events", types="webhook_endpoint.warned"))["items"]
    assert [one["data"]["failures"] for one in feed] == [10]


async def test_an_open_breaker_burns_nothing_sends_one_probe_and_drains_after_a_good_one(
    bakery: Business, receiver: Receiver
):
    receiver.answer = lambda _: web.Response(status=500)
    added = await endpoint(bakery, receiver, types=["touchpoint.*"], at_once=1)
    await bakery.tell(*(touchpoint(f"p{n}") for n in range(30)))
    await receiver.got(10)
    await until(bakery, f"{ENDPOINTS}/{added['id']}", lambda one: one["breaker_open_until"] is not None)
    await asyncio.sleep(0.5)
    assert len(receiver.received) == 10
    await lane(bakery, "probe_at = now()")
    await receiver.got(11)
    await asyncio.sleep(0.5)
    assert len(receiver.received) == 11
    untouched = (await bakery.get("/v1/webhook-deliveries", limit=200))["items"]
    assert sum(one["attempts"] for one in untouched) == 11
    receiver.answer = lambda _: web.Response(status=204)
    await lane(bakery, "probe_at = now()")
    await ended(bakery, 19)
    assert (await bakery.get(f"{ENDPOINTS}/{added['id']}"))["breaker_open_until"] is None


async def test_each_replay_sends_each_row_once(bakery: Business, receiver: Receiver):
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    await bakery.tell(touchpoint("ana"), touchpoint("ben"))
    await ended(bakery, 2)
    for _ in range(2):
        await bakery.post(f"{ENDPOINTS}/{added['id']}/replay", {"after_position": 0, "types": ["touchpoint.recorded"]})
    done = await ended(bakery, 6)
    assert sorted(one["replay"] for one in done) == [0, 0, 1, 1, 2, 2]
    assert len(receiver.received) == 6
    assert len({one.webhook_id for one in receiver.received}) == 2


async def test_all_that_failed_is_replayed_and_nothing_else(bakery: Business, receiver: Receiver):
    refused = {"ana", "cleo"}
    receiver.answer = lambda one: web.Response(status=500 if one.body["data"]["source_id"] in refused else 204)
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    since = datetime.now(UTC).isoformat()
    await bakery.tell(*(touchpoint(name) for name in ("ana", "ben", "cleo")))
    await receiver.got(3)
    async with in_tenant(bakery.context.pool, bakery.tenant_id) as connection:
        await asyncio.sleep(0.5)
        await connection.execute(
            "UPDATE webhook_delivery SET state = 'exhausted', ended_at = now() WHERE state = 'waiting'"
        )
    receiver.answer = lambda _: web.Response(status=204)
    for _ in range(2):  # the second time there is nothing left that failed
        await bakery.post(f"{ENDPOINTS}/{added['id']}/replay", {"failed_since": since})
        done = await ended(bakery, 5)
    assert sorted((one["replay"], one["state"]) for one in done) == [
        (0, "delivered"), (0, "exhausted"), (0, "exhausted"), (1, "delivered"), (1, "delivered"),
    ]  # fmt: skip


async def test_the_hours_and_latencies_are_counted(bakery: Business, receiver: Receiver):
    answers = [web.Response(status=500), web.Response(status=204), web.Response(status=204)]
    receiver.answer = lambda _: answers.pop()
    added = await endpoint(bakery, receiver, types=["touchpoint.*"])
    await bakery.tell(*(touchpoint(name) for name in ("ana", "ben", "cleo")))
    await receiver.got(3)
    shown = await until(bakery, f"{ENDPOINTS}/{added['id']}/statistics", lambda one: one["answered"] == 3, hours=3)
    assert [sum(hour[what] for hour in shown["hours"]) for what in ("delivered", "failed")] == [2, 1]
    assert len(shown["hours"]) == 3
    assert 0 <= shown["p50"] <= shown["p95"] <= shown["p99"]


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(bakery: Business, receiver: Receiver):
    await endpoint(bakery, receiver, types=["touchpoint.*"])
    await bakery.tell(touchpoint("ana"), touchpoint("ben"))
    old, new = await ended(bakery, 2)
    tenant = await tenants.load(bakery.context.pool, bakery.tenant_id, master=bakery.context.master)
    assert tenant is not None
    async with in_tenant(bakery.context.pool, bakery.tenant_id) as connection:
        await connection.execute(
            "UPDATE webhook_delivery SET queued_at = now() - interval '31 days', ended_at = now() - interval '31 days'"
            " WHERE delivery_id = $1",
            UUID(old["id"]),
        )
        await periodic.forget(connection, tenant)
    assert [one["id"] for one in (await bakery.get("/v1/webhook-deliveries"))["items"]] == [new["id"]]
