"""The network: who is online only, in person only, both, and the channels."""

from tests.road import Business
from tests.services.api.told import ago, touchpoint


async def test_the_network_has_what_others_build_on(bakery: Business, florist: Business):
    await bakery.tell(
        touchpoint("ana@example.com", occurred_at=ago(1)),
        touchpoint("ben@example.com", occurred_at=ago(2), direction="in"),
        touchpoint("ben@example.com", occurred_at=ago(1)),
        touchpoint("cid@example.com", occurred_at=ago(1), kind="meeting", channel="cafe", direction="mutual"),
        touchpoint("dora@example.com", occurred_at=ago(2), kind="meeting", channel="cafe", direction="mutual"),
        touchpoint("dora@example.com", occurred_at=ago(1)),
    )
    added = await bakery.post("/v1/contacts", {"name": "Eve"})
    await florist.tell(touchpoint("zoe@example.com", channel="shop"))
    seen = await bakery.get("/v1/network", after=added.json()["position"])
    assert set(seen) == {"online_only", "in_person_only", "both", "named_only", "channels", "position"}
    halves = {name: (seen[name]["count"], [one["name"] for one in seen[name]["items"]]) for name in seen if "_" in name}
    assert halves == {
        "online_only": (2, ["ben@example.com", "ana@example.com"]),
        "in_person_only": (1, ["cid@example.com"]),
        "named_only": (1, ["Eve"]),
    }
    [dora] = seen["both"]["items"]
    assert set(dora) == {"id", "name", "strength", "stage", "met_at", "last_touch_at"}
    assert dora["strength"] > 0
    assert [channel["slug"] for channel in seen["channels"]] == ["cafe", "email"]
    listed = (await bakery.get("/v1/channels"))["items"]
    assert seen["channels"] == listed
    elsewhere = await florist.get("/v1/network")
    assert elsewhere["in_person_only"]["items"][0]["name"] == "zoe@example.com"
    assert elsewhere["online_only"] == {"count": 0, "items": []}


async def test_the_counts_are_whole_and_the_lists_as_long_as_asked(bakery: Business):
    await bakery.tell(*(touchpoint(f"guest{n}@example.com") for n in range(15)))
    for limit, shown in ((0, 0), (3, 3), (200, 15)):
        half = (await bakery.get("/v1/network", limit=limit))["online_only"]
        assert (half["count"], len(half["items"])) == (15, shown)
    assert len((await bakery.get("/v1/network"))["online_only"]["items"]) == 10


async def test_an_empty_network_is_an_answer(bakery: Business):
    nothing = {"count": 0, "items": []}
    assert await bakery.get("/v1/network") == {
        "online_only": nothing, "in_person_only": nothing, "both": nothing, "named_only": nothing, "channels": [],
        "position": 0,
    }  # fmt: skip
