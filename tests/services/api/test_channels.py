"""Channels: described, listed, and what it does to people when a channel turns out to be of the other realm."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import ago, touchpoint


async def describe(business: Business, **told: Any) -> int:
    answer = await business.post("/v1/channels", told)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"position"}
    position: int = answer.json()["position"]
    await business.seen(position)
    return position


async def channel(business: Business, slug: str) -> dict[str, Any]:
    [found] = [one for one in (await business.get("/v1/channels"))["items"] if one["slug"] == slug]
    return dict(found)


async def test_a_channel_is_opened_as_described(bakery: Business, florist: Business):
    await describe(
        bakery, slug="thursday-club", name=" Thursday Club ", realm="physical", role="hub", access="members",
        topics=["trade", "bread"], sensitive=True,
    )  # fmt: skip
    assert await channel(bakery, "thursday-club") == {
        "slug": "thursday-club", "name": "Thursday Club", "realm": "physical", "role": "hub", "access": "members",
        "topics": ["trade", "bread"], "sensitive": True, "contacts": 0, "touchpoints": 0, "posts": 0, "reach": 0,
        "gives": 0, "promotes": 0,
    }  # fmt: skip
    assert (await florist.get("/v1/channels"))["items"] == []


async def test_what_is_left_out_comes_from_the_table_and_then_stays(bakery: Business):
    await describe(bakery, slug="corner-cafe")
    opened = await channel(bakery, "corner-cafe")
    assert (opened["name"], opened["realm"], opened["role"]) == ("Corner cafe", "physical", "outpost")
    await describe(bakery, slug="corner-cafe", name="The Corner")
    await describe(bakery, slug="corner-cafe", access="private")
    described = await channel(bakery, "corner-cafe")
    assert (described["name"], described["realm"], described["access"]) == ("The Corner", "physical", "private")


async def test_a_touchpoint_does_not_undo_a_description(bakery: Business):
    await describe(bakery, slug="linkedin", name="Our LinkedIn", realm="physical")
    await bakery.tell(touchpoint(channel="linkedin"))
    described = await channel(bakery, "linkedin")
    assert (described["name"], described["realm"], described["touchpoints"]) == ("Our LinkedIn", "physical", 1)
    opened = (await bakery.get("/v1/events", types="channel.opened"))["items"]
    assert len([item for item in opened if item["data"]["channel"]["slug"] == "linkedin"]) == 1


async def test_the_same_description_again_is_no_event(bakery: Business):
    await describe(bakery, slug="chamber", name="Chamber")
    before = (await bakery.get("/v1/events"))["position"]
    await describe(bakery, slug="chamber", name="Chamber", realm="physical")
    assert (await bakery.get("/v1/events"))["position"] == before


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_channels_have_pages_by_slug(bakery: Business, florist: Business, limit: int):
    await bakery.tell(*(touchpoint(channel=slug) for slug in ("web", "cafe", "a-b", "a.b", "bni")))
    await florist.tell(touchpoint(channel="shop"))
    seen, cursor = [], None
    while True:
        page = await bakery.get("/v1/channels", limit=limit, **({"cursor": cursor} if cursor else {}))
        assert set(page) == {"items", "next", "position"}
        seen += [one["slug"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == ["a-b", "a.b", "bni", "cafe", "web"]


async def test_a_channel_counts_what_was_done_there(bakery: Business):
    await bakery.tell(
        touchpoint("ana@example.com", "ben@example.com", act="give"),
        touchpoint("ana@example.com", direction="in", act="give"),
        touchpoint("ana@example.com", act="promote"),
        touchpoint(kind="post", audience=100, **{"with": []}),
        touchpoint(kind="attendance", direction="mutual", audience=30, **{"with": []}),
    )
    counts = await channel(bakery, "email")
    assert {name: counts[name] for name in ("contacts", "touchpoints", "posts", "reach", "gives", "promotes")} == {
        "contacts": 2, "touchpoints": 5, "posts": 2, "reach": 130, "gives": 1, "promotes": 1,
    }  # fmt: skip


async def test_a_channel_of_the_other_realm_moves_its_people_and_no_strength(bakery: Business, florist: Business):
    told = [
        touchpoint("ana@example.com", channel="club", kind="meeting", direction="mutual", occurred_at=ago(30)),
        touchpoint("ana@example.com", channel="club", kind="meeting", direction="mutual", occurred_at=ago(9)),
        touchpoint("ben@example.com", channel="club", occurred_at=ago(8)),
        touchpoint("ben@example.com", channel="email", occurred_at=ago(7)),
        touchpoint("cid@example.com", channel="email", occurred_at=ago(6)),
    ]
    await bakery.tell(*told)
    await florist.tell(*told)
    keys = ("half", "met_at", "strength", "stage")

    async def people(business: Business) -> dict[str, list[Any]]:
        contacts = (await business.get("/v1/contacts"))["items"]
        return {contact["identities"][0]["handle"][:3]: [contact[key] for key in keys] for contact in contacts}

    before = await people(bakery)
    assert {who: seen[0] for who, seen in before.items()} == {
        "ana": "in_person_only", "ben": "both", "cid": "online_only",
    }  # fmt: skip
    assert before["ana"][1] is not None

    await describe(bakery, slug="club", realm="virtual")
    virtual = await people(bakery)
    assert {who: seen[:2] for who, seen in virtual.items()} == {
        "ana": ["online_only", None], "ben": ["online_only", None], "cid": ["online_only", None],
    }  # fmt: skip
    assert {who: seen[2:] for who, seen in virtual.items()} == {who: seen[2:] for who, seen in before.items()}

    await describe(bakery, slug="club", realm="physical")
    assert await people(bakery) == before
    assert {who: seen[0] for who, seen in (await people(florist)).items()} == {
        "ana": "in_person_only", "ben": "both", "cid": "online_only",
    }  # fmt: skip
