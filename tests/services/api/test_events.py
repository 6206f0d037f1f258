"""The feed: everything that happened, in order, without anything personal."""

import asyncio
import time

from domain import events
from tests.road import Business
from tests.services.api.told import friendship, touchpoint


async def test_the_feed_has_all_events_in_order(bakery: Business, florist: Business):
    [result] = await bakery.tell(touchpoint(note="a secret note"))
    await florist.tell(touchpoint("zoe@example.com"))
    feed = await bakery.get("/v1/events")
    assert set(feed) == {"items", "position"}
    assert [item["position"] for item in feed["items"]] == list(range(1, feed["position"] + 1))
    assert [item["type"] for item in feed["items"]] == [
        "channel.opened",
        "contact.added",
        "contact.identity_noted",
        "touchpoint.recorded",
    ]
    for item in feed["items"]:
        assert set(item) == {"position", "type", "event_id", "occurred_at", "recorded_at", "data"}
    recorded = feed["items"][-1]
    assert recorded["event_id"] == result["event_id"]
    assert recorded["data"] == {
        "touchpoint_id": result["event_id"],
        "kind": "email",
        "channel": "email",
        "direction": "out",
        "contact_ids": result["contact_ids"],
        "act": None,
        "about": None,
        "minutes": None,
        "depth": None,
        "audience": None,
        "automated": False,
        "topics": [],
        "source": None,
        "source_id": None,
    }


async def test_nothing_personal_is_in_the_feed(bakery: Business):
    secret = {"name": "Secret Ana", "locality": "Secretville", "hint": "secret hint"}
    await bakery.post(
        "/v1/contacts",
        {**secret, "identities": [{"platform": "x", "handle": "secret"}], "interests": [{"topic": "secret topic"}]},
    )
    [result] = await bakery.tell(
        touchpoint(note="a secret note", **{"with": [{"email": "secret@example.com", "name": "Secret Ben"}]})
    )
    await bakery.post(f"/v1/touchpoints/{result['event_id']}/strike", {"why": "a secret reason"})
    answer = await bakery.client.get("/v1/events")
    assert len(answer.json()["items"]) >= 8
    assert "secret" not in answer.text.lower()


async def test_the_feed_goes_on_where_it_was_left(bakery: Business):
    await bakery.tell(*(touchpoint(f"guest{n}@example.com") for n in range(10)))
    whole = (await bakery.get("/v1/events", limit=1000))["items"]
    for limit in (1, 7, 31):
        seen, after = [], 0
        while True:
            page = await bakery.get("/v1/events", after=after, limit=limit)
            seen += page["items"]
            if not page["items"]:
                assert page["position"] == after
                break
            after = page["position"]
        assert seen == whole


async def test_types_are_chosen_and_the_rest_counts_as_seen(bakery: Business):
    await bakery.tell(touchpoint(), touchpoint(channel="web"))
    types = "touchpoint.recorded, channel.opened"
    feed = await bakery.get("/v1/events", types=types)
    assert [item["type"] for item in feed["items"]] == ["channel.opened", "touchpoint.recorded"] * 2
    assert feed["position"] == (await bakery.get("/v1/events"))["position"]
    first = await bakery.get("/v1/events", types=types, limit=1)
    assert first["position"] == first["items"][-1]["position"]
    nothing = await bakery.get("/v1/events", types="nudge.done")
    assert nothing == {"items": [], "position": feed["position"]}


async def test_every_type_of_the_catalogue_can_be_asked_for(bakery: Business):
    assert (await bakery.get("/v1/events", types=",".join(events.TYPES)))["items"] == []
    assert (await bakery.get("/v1/events", types=""))["items"] == []


async def test_a_long_poll_answers_as_soon_as_something_happens(bakery: Business, florist: Business):
    began = time.monotonic()
    waiting = asyncio.create_task(bakery.get("/v1/events", wait=20))
    await asyncio.sleep(0.3)
    await florist.tell(touchpoint())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    [result] = await bakery.tell(touchpoint())
    feed = await waiting
    assert time.monotonic() - began < 5
    assert feed["items"][-1]["event_id"] == result["event_id"]


async def test_a_long_poll_for_a_type_waits_for_that_type(bakery: Business):
    waiting = asyncio.create_task(bakery.get("/v1/events", wait=20, types="touchpoint.struck"))
    [result] = await bakery.tell(touchpoint())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await bakery.post(f"/v1/touchpoints/{result['event_id']}/strike")
    [struck] = (await waiting)["items"]
    assert struck["data"]["touchpoint_id"] == result["event_id"]


async def test_a_long_poll_ends_with_nothing_when_nothing_happens(bakery: Business):
    began = time.monotonic()
    assert await bakery.get("/v1/events", wait=0.5) == {"items": [], "position": 0}
    assert 0.4 < time.monotonic() - began < 3


async def test_nothing_is_missed_and_nothing_comes_twice_while_events_arrive(bakery: Business):
    """Readers that follow with and without a choice of types, while twenty writers write."""

    async def follow(types: str) -> list[str]:
        seen: list[str] = []
        after = 0
        while seen.count("touchpoint.recorded") < 100:
            page = await bakery.get("/v1/events", after=after, types=types, limit=7, wait=10)
            positions = [item["position"] for item in page["items"]]
            assert positions == sorted(set(positions))
            assert all(after < position <= page["position"] for position in positions)
            seen += [item["type"] for item in page["items"]]
            after = page["position"]
        return seen

    async def write(writer: int) -> None:
        for n in range(5):
            await bakery.post("/v1/touchpoints", touchpoint(f"guest{writer}-{n}@example.com"))

    readers = [asyncio.create_task(follow(types)) for types in ("", "touchpoint.recorded", "touchpoint.recorded")]
    await asyncio.gather(*(write(n) for n in range(20)))
    every, *chosen = await asyncio.gather(*readers)
    assert every.count("touchpoint.recorded") == 100
    assert chosen == [["touchpoint.recorded"] * 100] * 2


async def test_a_suggestion_is_in_the_feed_with_its_numbers(bakery: Business):
    await bakery.open_always()
    await bakery.tell(*friendship("ben@example.com", name="Ben"))
    await bakery.settled()
    [item] = (await bakery.get("/v1/events", types="nudge.suggested"))["items"]
    [nudge] = (await bakery.get("/v1/nudges"))["items"]
    assert item["data"]["nudge_id"] == nudge["id"]
    assert item["data"]["numbers"] == nudge["numbers"]
