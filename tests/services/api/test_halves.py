"""The two halves over the API: what overlaps, where to be, and how it was; another business sees none of it."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.test_referrals import refer
from tests.services.api.told import ago, touchpoint


def coffee(address: str, day: float, **more: Any) -> dict[str, Any]:
    return touchpoint(
        address, kind="meeting", channel="cafe", direction="mutual", minutes=45, occurred_at=ago(day), **more
    )


def mails(address: str, *, since: float = 60, until: float = 0) -> list[dict[str, Any]]:
    """Both ways, every three days."""
    return [
        touchpoint(address, occurred_at=ago(day / 2), direction=("in", "out")[day % 2])
        for day in range(2 * int(until) + 1, 2 * int(since), 5)
    ]


async def patched(business: Business, told: dict[str, Any], **what: Any) -> None:
    answer = await business.client.patch(f"/v1/contacts/{told['contact_ids'][0]}", json=what)
    assert answer.status_code == 200, answer.text
    await business.seen(answer.json()["position"])


async def test_nothing_is_an_answer_of_every_view(bakery: Business):
    seen = await bakery.get("/v1/network/overlap")
    assert seen["headline"] == "You know nobody online yet."
    assert seen["met"] == {"met": 0, "online": 0, "share": None}
    assert seen["blended"] == {"blended": 0, "of": 0, "share": None}
    assert seen["trend"] == {"now": None, "before": None}
    assert set(seen["half"].values()) == set(seen["active_half"].values()) == {0}
    assert seen["next_to_move"] == seen["by_stage"] == seen["relations"]["gaps"] == []
    assert seen["depth_online"] == {"people": 0, "depth": None, "low": None, "high": None}
    assert seen["online_to_in_person"]["median"] is None
    assert seen["bridging"] == {
        "bridges": 0, "of": 0, "share": None, "communities": 0, "effective": 0.0, "alone": 0,
    }  # fmt: skip
    places = await bakery.get("/v1/network/outposts")
    assert [places[name] for name in ("missing", "idle", "channels", "feeding")] == [[], [], [], []]


async def test_where_the_halves_overlap(bakery: Business, florist: Business):
    """Ana is blended, Ben online only and in town, Cid met yesterday and never online, Dora named."""
    await bakery.tell(*mails("ana@example.com"), coffee("ana@example.com", 20), coffee("ana@example.com", 3))
    ben, *_ = await bakery.tell(*mails("ben@example.com"))
    cid = touchpoint(occurred_at=ago(1), kind="handshake", channel="chamber", direction="mutual")
    [cid] = await bakery.tell(cid | {"with": [{"name": "Cid"}]})
    await bakery.post("/v1/contacts", {"name": "Dora"})
    await patched(bakery, ben, locality="Portland")
    await florist.tell(*mails("zoe@example.com"))
    seen = await bakery.get("/v1/network/overlap")
    assert seen["headline"] == "You have met 50 % of the 2 people you know online."
    assert seen["half"] == {"online_only": 1, "in_person_only": 1, "both": 1, "named_only": 1}
    assert seen["active_half"] == {"blended": 1, "online_only": 1, "in_person_only": 1, "quiet": 1}
    assert seen["blended"] == {"blended": 1, "of": 2, "share": 0.5}
    moves = [(one["contact"]["id"], one["to"], one["fresh"], one["ask_reach"]) for one in seen["next_to_move"]]
    assert moves == [(cid["contact_ids"][0], "online", True, False), (ben["contact_ids"][0], "in_person", False, False)]
    lag = seen["online_to_in_person"]
    assert (lag["came_over"], lag["waiting"], lag["typical"]) == (1, 1, pytest.approx(37, abs=3))
    assert (seen["in_person_to_online"]["came_over"], seen["in_person_to_online"]["waiting"]) == (0, 1)
    assert (seen["depth_online"]["people"], seen["depth_in_person"]["people"]) == (2, 0)
    assert seen["trend"] == {"now": 0.333, "before": None}
    other = await florist.get("/v1/network/overlap")
    assert (other["half"]["online_only"], other["half"]["both"]) == (1, 0)


async def test_relations_are_counted_and_the_gaps_named(bakery: Business):
    for relation, count in (("customer", 4), ("supplier", 1)):
        for n in range(count):
            added = await bakery.post("/v1/contacts", {"name": f"{relation} {n}", "relation": relation})
            assert added.status_code == 201, added.text
    await bakery.seen(added.json()["position"])
    relations = (await bakery.get("/v1/network/overlap"))["relations"]
    assert relations == {
        "told": {"customer": 4, "supplier": 1}, "unknown": 0, "gaps": ["no partner", "no mentor", "only one supplier"],
    }  # fmt: skip


async def test_bridges_are_seen_where_people_know_each_other(bakery: Business):
    """Ana referred Ben, and sat at one table with Eve and Joe; that Kim and Joe met in the clinic says nothing.

    Of 41 people fewer than 2.05 is a bridge: Ben, Eve and Joe, not Ana, who knows three.
    """
    for who in ("ana", "ben", "eve", "joe", "kim"):
        await bakery.tell(*mails(f"{who}@example.com"))
    table = [{"email": f"{who}@example.com"} for who in ("ana", "eve", "joe")]
    await bakery.tell(coffee("ana@example.com", 3) | {"with": table})
    await refer(bakery, "ana", "ben", occurred_at=ago(20))
    private = {"slug": "clinic", "sensitive": True}
    await bakery.post("/v1/channels", private)
    waiting = [{"email": f"{who}@example.com"} for who in ("kim", "joe")]
    await bakery.tell(coffee("kim@example.com", 3) | {"with": waiting, "channel": "clinic"})
    await bakery.tell(*[touchpoint(f"guest{n}@example.com", occurred_at=ago(5)) for n in range(36)])
    found = (await bakery.get("/v1/network/overlap"))["bridging"]
    assert (found["bridges"], found["of"], found["communities"], found["alone"]) == (3, 4, 1, 37)


async def test_outposts_and_what_we_do_there(bakery: Business, florist: Business):
    """Six customers are on linkedin, where we are on one day of 30; in the chamber we are on ten, and nobody is new."""
    bought = {"kind": "purchase", "channel": "shop", "direction": "in"}
    wrote = {"channel": "linkedin", "direction": "in"}
    for business in (bakery, florist):
        for n in range(6):
            who = f"c{n}@example.com"
            await business.tell(
                touchpoint(who, occurred_at=ago(100 + n), **bought), touchpoint(who, occurred_at=ago(200 + n), **wrote)
            )
    chat = {"channel": "chamber", "kind": "chat"}
    await bakery.tell(
        touchpoint("c1@example.com", channel="linkedin", act="give", occurred_at=ago(4)),
        *(touchpoint("c1@example.com", act="give", occurred_at=ago(day), **chat) for day in range(10)),
        *(touchpoint("c1@example.com", act="promote", occurred_at=ago(day), **chat) for day in range(4)),
        touchpoint("c1@example.com", act="promote", direction="in", occurred_at=ago(1), **chat),
        {**touchpoint(channel="chamber", kind="post", act="promote", occurred_at=ago(12), audience=50), "with": []},
        touchpoint("c2@example.com", channel="chamber", act="give", automated=True, occurred_at=ago(20)),
        *mails("new@example.com", since=30),
    )
    seen = await bakery.get("/v1/network/outposts")
    assert seen["customers"] == 6
    [missing] = seen["missing"]
    assert (missing["slug"], missing["customers"], missing["days"]) == ("linkedin", 6, 1)
    assert missing["strength"] > 0
    assert seen["new_two_way"] == 1
    [idle] = seen["idle"]
    assert idle == {"slug": "chamber", "name": "Chamber", "days": 11, "born": 0}
    use = {one["slug"]: one for one in seen["channels"]}
    chamber = use["chamber"]
    assert (chamber["days"], chamber["gives"], chamber["promotes"], chamber["too_few"]) == (11, 11, 5, False)
    assert chamber["giving"] == pytest.approx(13 / 19, abs=0.001)
    assert chamber["giving_low"] < chamber["giving"] < chamber["giving_high"]
    assert (use["linkedin"]["too_few"], use["linkedin"]["giving"]) == (True, None)
    assert (use["linkedin"]["first_seen"], use["linkedin"]["to_hub"]) == (6, 0), "they came to the shop after 100 days"
    assert (use["shop"]["role"], use["shop"]["first_seen"], use["shop"]["customers"]) == ("hub", 0, 6)
    assert [(way["first"], way["second"], way["contacts"]) for way in seen["feeding"]] == [("linkedin", "shop", 6)]
    assert seen["feeding"][0]["days"] == pytest.approx(100, abs=0.1)
    short = await bakery.get("/v1/network/outposts", limit=1)
    assert (len(short["channels"]), short["more_channels"], short["more_ways"]) == (1, len(seen["channels"]) - 1, 0)
    elsewhere = await florist.get("/v1/network/outposts")
    assert "chamber" not in {one["slug"] for one in elsewhere["channels"]}
    assert [one["slug"] for one in elsewhere["missing"]] == ["linkedin"]


async def test_a_sensitive_channel_is_named_nowhere(bakery: Business):
    await bakery.post("/v1/channels", {"slug": "clinic", "sensitive": True, "role": "outpost"})
    for n in range(6):
        who = f"c{n}@example.com"
        await bakery.tell(
            touchpoint(who, kind="purchase", channel="shop", direction="in", occurred_at=ago(20)),
            touchpoint(who, kind="chat", channel="clinic", occurred_at=ago(50)),
        )
    assert "clinic" not in (await bakery.client.get("/v1/network/outposts")).text
    assert "clinic" not in (await bakery.client.get("/v1/network/overlap")).text
    assert (await bakery.get("/v1/network/outposts"))["missing"] == []


async def test_an_act_taken_back_counts_on_its_own_day_no_more(bakery: Business):
    """A strike happens today; what it takes back happened twenty days ago."""
    told = [touchpoint(channel="chamber", kind="chat", act="give", occurred_at=ago(20 - n)) for n in range(9)]
    first, *_ = await bakery.tell(*told)

    async def chamber() -> tuple[int, int]:
        [use] = (await bakery.get("/v1/network/outposts"))["channels"]
        return use["days"], use["gives"]

    assert await chamber() == (9, 9)
    struck = await bakery.post(f"/v1/touchpoints/{first['event_id']}/strike")
    await bakery.seen(struck.json()["position"])
    assert await chamber() == (8, 8)


async def test_the_blended_share_as_it_was(bakery: Business, florist: Business):
    """Ana was online only 90 days ago and is met since; Ben was blended all along; Cid is new."""
    for who, since, met in (("ana", 400, range(10, 80, 7)), ("ben", 400, (150, 160, 170)), ("cid", 60, (5, 15))):
        await bakery.tell(*mails(f"{who}@example.com", since=since))
        await bakery.tell(*(coffee(f"{who}@example.com", day) for day in met))
    await florist.tell(*mails("zoe@example.com", since=400))
    seen = await bakery.get("/v1/network/overlap")
    assert seen["blended"] == {"blended": 3, "of": 3, "share": 1.0}
    assert seen["trend"] == {"now": 1.0, "before": 0.5}
    then = await bakery.get("/v1/network/overlap", true_at=ago(90))
    assert then["blended"] == {"blended": 1, "of": 2, "share": 0.5}
    assert then["headline"] == "You have met 50 % of the 2 people you know online."
    assert (await bakery.get("/v1/network/outposts", true_at=ago(90)))["new_two_way"] == 0
    assert (await bakery.get("/v1/network/occasions", true_at=ago(90)))["items"] == []
    assert (await florist.get("/v1/network/overlap", true_at=ago(90)))["blended"]["of"] == 1


async def test_what_fairs_led_to(bakery: Business, florist: Business):
    """Two fairs and a sensitive party. At the first Ana was met, written to and referred Ben; Eve was only there."""
    there = {"channel": "fair", "direction": "mutual"}
    await bakery.post("/v1/channels", {"slug": "party", "sensitive": True})
    await bakery.tell(
        touchpoint("ana@example.com", kind="handshake", occurred_at=ago(120), **there),
        touchpoint("eve@example.com", kind="attendance", occurred_at=ago(120), **there),
        touchpoint("ana@example.com", occurred_at=ago(119)),
        touchpoint("ana@example.com", kind="chat", occurred_at=ago(1), **there),
        touchpoint("eve@example.com", kind="chat", channel="party", direction="mutual", occurred_at=ago(2)),
        touchpoint("joe@example.com", kind="chat", channel="cafe", direction="mutual", occurred_at=ago(2)),
    )
    await florist.tell(touchpoint("zoe@example.com", kind="handshake", occurred_at=ago(120), **there))
    await refer(bakery, "ana", "ben", occurred_at=ago(100))
    latest, first = (await bakery.get("/v1/network/occasions"))["items"]
    assert (latest["slug"], latest["met"], latest["new_contacts"]) == ("fair", 1, 0)
    assert latest["alive"] == {"count": 0, "of": 0}
    assert (first["came"], first["met"], first["new_contacts"], first["new_allies"]) == (2, 1, 1, 0)
    assert (first["followed_up"], first["referrals"]) == ({"count": 1, "of": 1}, 1)
    assert first["alive"]["of"] == 1
    page = await bakery.get("/v1/network/occasions", limit=1)
    rest = await bakery.get("/v1/network/occasions", limit=1, cursor=page["next"])
    assert page["items"] + rest["items"] == [latest, first]
    assert rest["next"] is None
    [other] = (await florist.get("/v1/network/occasions"))["items"]
    assert other["came"] == 1
    refused = await bakery.client.get("/v1/network/occasions", params={"cursor": "WyJ4Il0"})
    assert (refused.status_code, refused.json()["field"]) == (400, "cursor")


async def test_merged_contacts_are_one_person_in_every_view(bakery: Business):
    """Ana by e-mail and Ana of the cafe: one referred Ben, the other Cid, both vouched; merged she is blended."""
    vouch = {"kind": "vouch", "direction": "in"}
    online, *_ = await bakery.tell(
        *mails("ana@example.com"), touchpoint("ana@example.com", occurred_at=ago(5), **vouch)
    )
    cafe = [coffee("anna@example.com", day) for day in (3, 8, 15, 30)]
    in_person, *_ = await bakery.tell(
        *cafe, touchpoint("anna@example.com", channel="cafe", occurred_at=ago(6), **vouch)
    )
    await refer(bakery, "ana", "ben", occurred_at=ago(20), by_way_of="email")
    await refer(bakery, "anna", "cid", occurred_at=ago(10), by_way_of="cafe")
    before = await bakery.get("/v1/network/overlap")
    assert (before["half"]["both"], before["met"]["met"]) == (0, 0)
    kept, merged = online["contact_ids"][0], in_person["contact_ids"][0]
    answer = await bakery.post(f"/v1/contacts/{kept}/merge", {"contact_ids": [merged]})
    await bakery.seen(answer.json()["position"])
    seen = await bakery.get("/v1/network/overlap")
    assert seen["half"] == before["half"] | {"online_only": 0, "in_person_only": 0, "both": 1}
    assert seen["blended"]["blended"] == 1
    [referrer] = (await bakery.get("/v1/referrals/referrers"))["items"]
    assert (referrer["contact"]["id"], referrer["referrals"], referrer["vouches"]) == (kept, 2, 2)
    [supporter] = (await bakery.get("/v1/referrals/supporters"))["items"]
    assert (supporter["contact_id"], supporter["vouches"], supporter["referrals"]) == (kept, 2, 2)
    answer = await bakery.post(f"/v1/contacts/{kept}/unmerge", {"contact_id": merged})
    await bakery.seen(answer.json()["position"])
    after = await bakery.get("/v1/network/overlap")
    assert (after["half"], after["met"], after["bridging"]) == (before["half"], before["met"], before["bridging"])
