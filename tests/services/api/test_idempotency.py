"""An Idempotency-Key on every POST: once, the same answer again, and a conflict for other content."""

import asyncio
from typing import Any

import httpx
import pytest

from services.api.examples import ANA, BODIES, MERGED_ANA, OTHER_ANA
from tests.road import Business, Road
from tests.services.api.told import FRIDAYS, MERGED_TOO, REFERRAL, ago, appointment, filled, one_of_each, touchpoint

BEN, ZOE = {"email": "ben@example.com"}, {"name": "Zoe"}
# For each POST: a body, and another one.
PAIRS: dict[str, tuple[Any, Any]] = {
    "record_touchpoints": (touchpoint(), touchpoint(minutes=5)),
    "strike_touchpoint": ({"why": "another Ana"}, {"why": "another Ben"}),
    "add_contact": ({"name": "Ana"}, {"name": "Ben"}),
    "merge_contacts": ({"contact_ids": [OTHER_ANA]}, {"contact_ids": [OTHER_ANA, MERGED_ANA]}),
    "merge_pairs": (
        {"pairs": [{"contact_id": ANA, "merged_id": OTHER_ANA}]},
        {"pairs": [{"contact_id": OTHER_ANA, "merged_id": ANA}]},
    ),
    "unmerge_contact": ({"contact_id": MERGED_ANA}, {"contact_id": MERGED_TOO}),
    "tell_apart": ({"contact_ids": [ANA, OTHER_ANA]}, {"contact_ids": [MERGED_ANA, OTHER_ANA]}),
    "describe_channel": ({"slug": "club", "name": "Club"}, {"slug": "club", "name": "The Club"}),
    "mute_nudges": (
        {"kind": "keep_the_rhythm", "until": ago(-5)},
        {"kind": "keep_the_rhythm", "until": ago(-6)},
    ),
    "accept_nudge": ({}, {"within_reach": "yes"}),
    "snooze_nudge": ({"until": ago(-5)}, {"until": ago(-6)}),
    "dismiss_nudge": ({"reason": "too far"}, {"reason": "too late"}),
    "finish_nudge": ({"minutes": 45}, {"minutes": 60}),
    "make_referral": (REFERRAL, REFERRAL | {"heat": 5}),
    "tell_outcome": (
        {"outcome": "won", "value": "5", "currency": "EUR"},
        {"outcome": "won", "value": "6", "currency": "EUR"},
    ),
    "make_introduction": ({"people": [BEN, ZOE], "channel": "x"}, {"people": [BEN, ZOE], "channel": "email"}),
    "note_tie": ({"between": [BEN, ZOE]}, {"between": [BEN, {"name": "Ed"}]}),
    "bring_import": (touchpoint(source="a", source_id="1"), touchpoint(source="a", source_id="2")),
    "say_own_identities": (
        {"own": [{"platform": "email", "handle": "us@example.com"}]},
        {"own": [{"platform": "email", "handle": "we@example.com"}]},
    ),
    "start_import": ({}, {"unsure": "private"}),
    "plan_appointment": (appointment(), appointment("ben@example.com")),
    "tell_happened": ({"minutes": 30}, {"minutes": 45}),
    "tell_missed": ({"by": "them"}, {"by": "us"}),
    "cancel_appointment": ({"by": "them"}, {"by": "us"}),
    "plan_gathering": (FRIDAYS, FRIDAYS | {"title": "Saturday patio"}),
    "cancel_gathering": ({"why": "rain"}, {"why": "snow"}),
    "change_gathering_link": ({"act": "open"}, {"act": "rotate"}),
    "note_attendance": (
        {"occurrence": "2026-05-08", "people": [{"who": ZOE}]},
        {"occurrence": "2026-05-08", "people": [{"who": ZOE, "met": True}]},
    ),
    "add_webhook_endpoint": ({"url": "https://example.com/a"}, {"url": "https://example.com/b"}),
    "rotate_webhook_secret": ({"overlap_hours": 1}, {"overlap_hours": 2}),
    "test_webhook_endpoint": ({}, {"type": "referral.won"}),
    "replay_webhooks": ({"after_position": 0}, {"after_position": 1}),
    "add_webhook_source": ({"name": "one", "adapter": "plain"}, {"name": "other", "adapter": "plain"}),
    "rotate_webhook_source": ({"what": "address"}, {"what": "address", "overlap_hours": 0}),
    "try_webhook_source": ({"payload": {"a": 1}}, {"payload": {"a": 2}}),
}
# They take no body, so that there is no other content.
BODILESS = (
    "redeliver_webhook", "undo_import", "cancel_import", "replay_webhook_source", "replay_webhook_message",
    "drop_webhook_message",
)  # fmt: skip
# Each item is judged by itself: the status of an answer none of whose items was taken.
BY_ITEM = {"record_touchpoints": 422, "merge_pairs": 422, "note_attendance": 200}

ASKING = ("preview_model",)  # changes nothing


def posts(road: Road) -> dict[str, str]:
    """The path of each POST, by the operation's id."""
    return {
        str(item.post.operation_id): path
        for path, item in (road.app.openapi_schema.paths or {}).items()
        if item.post is not None
    }


async def asked(road: Road, business: Business, operation: str, body: tuple[Any, Any]) -> tuple[str, Any, Any]:
    """Its path and both bodies, with ids of things that are there."""
    known = await one_of_each(business)
    one, other = (filled(each, known) for each in body)
    return posts(road)[operation].format(**known), one, other


def outcome(answer: httpx.Response) -> Any:
    """What an answer says beside whether it is a repeat."""
    assert answer.is_success, answer.text
    told = answer.json()
    for result in told.get("results", ()):
        assert result.pop("status") in ("recorded", "duplicate")
    return told


def test_every_post_is_covered(road: Road):
    patches = {
        "change_contact",
        "change_nudge_policy",
        "change_model",
        "move_appointment",
        "change_gathering",
        "change_webhook_endpoint",
        "change_webhook_source",
    }
    assert PAIRS.keys() == posts(road).keys() - {*BODILESS, *ASKING} == BODIES.keys() - {*patches, *ASKING}


@pytest.fixture
def body(operation: str) -> tuple[Any, Any]:
    return PAIRS[operation]


@pytest.mark.parametrize("operation", PAIRS)
async def test_the_same_again_is_answered_the_same_and_done_once(
    road: Road, bakery: Business, florist: Business, operation: str, body: tuple[Any, Any]
):
    path, told, _ = await asked(road, bakery, operation, body)
    elsewhere, _, other = await asked(road, florist, operation, body)
    key = {"Idempotency-Key": "a key"}
    first = outcome(await bakery.post(path, told, **key))
    await bakery.settled()
    written = (await bakery.get("/v1/events", limit=1000))["position"]
    again = outcome(await bakery.post(path, told, **key))
    await bakery.settled()
    assert again == first
    assert (await bakery.get("/v1/events", limit=1000))["position"] == written
    assert outcome(await florist.post(elsewhere, other, **key))


@pytest.mark.parametrize("operation", list(PAIRS))
async def test_other_content_under_the_same_key_is_a_conflict(
    road: Road, bakery: Business, operation: str, body: tuple[Any, Any]
):
    path, told, other = await asked(road, bakery, operation, body)
    key = {"Idempotency-Key": "a key"}
    outcome(await bakery.post(path, told, **key))
    await bakery.settled()
    written = (await bakery.get("/v1/events", limit=1000))["position"]
    answer = await bakery.post(path, other, **key)
    problem = answer.json()["results"][0]["problem"] if operation in BY_ITEM else answer.json()
    assert answer.status_code == BY_ITEM.get(operation, 409), answer.text
    assert (problem["type"], problem["field"]) == ("urn:rapport:problem:conflict", "Idempotency-Key")
    await bakery.settled()
    assert (await bakery.get("/v1/events", limit=1000))["position"] == written


@pytest.mark.parametrize("operation", PAIRS)
async def test_twenty_at_once_are_done_once(road: Road, bakery: Business, operation: str, body: tuple[Any, Any]):
    path, told, _ = await asked(road, bakery, operation, body)
    before = (await bakery.get("/v1/events", limit=1000))["position"]
    answers = await asyncio.gather(*(bakery.post(path, told, **{"Idempotency-Key": "a key"}) for _ in range(20)))
    outcomes = [outcome(answer) for answer in answers]
    assert outcomes == [outcomes[0]] * 20
    await bakery.settled()
    happened = (await bakery.get("/v1/events", after=before, limit=1000))["items"]
    types = [item["type"] for item in happened]
    assert len(types) == len(set(types)), types


async def test_a_batch_is_known_item_by_item(bakery: Business):
    batch = [touchpoint(f"guest{n}@example.com") for n in range(3)]
    key = {"Idempotency-Key": "a key"}
    first = (await bakery.post("/v1/touchpoints", batch, **key)).json()
    again = (await bakery.post("/v1/touchpoints", batch, **key)).json()
    assert [result["status"] for result in again["results"]] == ["duplicate"] * 3
    assert [result["event_id"] for result in again["results"]] == [result["event_id"] for result in first["results"]]
    longer = (await bakery.post("/v1/touchpoints", [*batch, touchpoint("more@example.com")], **key)).json()
    assert [result["status"] for result in longer["results"]] == ["duplicate"] * 3 + ["recorded"]
    turned = (await bakery.post("/v1/touchpoints", batch[::-1], **key)).json()
    assert [result["status"] for result in turned["results"]] == ["rejected", "duplicate", "rejected"]


async def test_a_source_id_stands_above_the_key(bakery: Business):
    told = touchpoint(source="mailbox", source_id="1")
    [first] = (await bakery.post("/v1/touchpoints", told, **{"Idempotency-Key": "one"})).json()["results"]
    [again] = (await bakery.post("/v1/touchpoints", told, **{"Idempotency-Key": "two"})).json()["results"]
    assert (again["status"], again["event_id"]) == ("duplicate", first["event_id"])


async def test_one_key_serves_different_routes(bakery: Business):
    key = {"Idempotency-Key": "a key"}
    assert (await bakery.post("/v1/contacts", {"name": "Ana"}, **key)).status_code == 201
    assert (await bakery.post("/v1/channels", {"slug": "club"}, **key)).status_code == 201
    assert (await bakery.post("/v1/touchpoints", touchpoint(), **key)).status_code == 200


async def test_a_change_of_a_contact_takes_a_key_too(bakery: Business):
    added = await bakery.post("/v1/contacts", {"name": "Ana"})
    path, key = f"/v1/contacts/{added.json()['id']}", {"Idempotency-Key": "a key"}
    first = await bakery.client.patch(path, json={"name": "Anna"}, headers=key)
    await bakery.client.patch(path, json={"name": "Anne"})
    again = await bakery.client.patch(path, json={"name": "Anna"}, headers=key)
    assert again.json() == first.json()
    assert (await bakery.get(path, after=again.json()["position"]))["name"] in ("Anna", "Anne")
    other = await bakery.client.patch(path, json={"name": "Berta"}, headers=key)
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
