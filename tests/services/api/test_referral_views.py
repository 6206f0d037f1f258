"""Referral views: as a whole, who refers, who spoke for us, who leads; another business sees none of it."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.test_referrals import person, refer, tell
from tests.services.api.told import ago, touchpoint

VIEWS = ("/v1/referrals/overview", "/v1/referrals/referrers", "/v1/referrals/supporters", "/v1/referrals/balance")


def hour(day: float, hours: float) -> str:
    """So many hours after so many days ago."""
    return ago(day - hours / 24)


async def won(business: Business, by: str, whom: str, value: str, *, day: float, **more: Any) -> dict[str, Any]:
    made = await refer(business, by, whom, occurred_at=ago(day))
    await tell(business, made["id"], "won", value=value, currency="EUR", occurred_at=ago(day - 5), **more)
    return made


async def test_nothing_is_an_answer_of_every_view(bakery: Business):
    seen = await bakery.get("/v1/referrals/overview")
    nothing = {"ended": 0, "waiting": 0, "median": None, "low": None, "high": None, "in_time": None}
    assert (seen["currency"], seen["value"], seen["generations"], seen["in_danger"]) == (None, None, [], [])
    assert seen["thanks"] == nothing | {"target": 24}
    assert seen["loop_closed"] == nothing | {"target": 72}
    assert seen["first_contact"] == nothing | {"target": None}
    assert set(seen["fates"].values()) == set(seen["year"].values()) == set(seen["supporters"].values()) == {0}
    assert seen["conversion"]["missing"] == [
        "conversion needs 8 referrals won, lost, or open for 120 days; there is none",
        "the share won by a day needs 10 referrals won or lost; there is none",
    ]
    assert seen["reproduction"]["missing"].startswith(
        "R needs 10 observed parents with 180 days of follow-up; there is"
    )
    for path in VIEWS[1:]:
        assert await bakery.get(path) == {"items": [], "next": None, "position": 0}


async def test_the_overview_of_a_small_business(bakery: Business, florist: Business):
    """Ana named Ben (won, thanked after 12 hours, told after a day) and Cid; Ben named Dora (won, no word since)."""
    ben = await won(bakery, "ana", "ben", "1000.00", day=60)
    await tell(bakery, ben["id"], "thanked", occurred_at=hour(60, 12))
    await bakery.tell(touchpoint("ana@example.com", occurred_at=ago(54)))
    await refer(bakery, "ana", "cid", occurred_at=ago(10))
    await won(bakery, "ben", "dora", "200.00", day=30)
    await refer(bakery, "ben", "ana", occurred_at=ago(5))  # closes a circle
    await refer(bakery, "eve", "zoe", direction="given", occurred_at=ago(5))
    seen = await bakery.get("/v1/referrals/overview")
    assert (seen["currency"], seen["value"]) == ("EUR", "1200.00")
    assert seen["fates"] == {"open": 2, "contacted": 0, "met": 0, "won": 2, "lost": 0}
    assert seen["given"] == {"referrals": 1, "won": 0, "value": "0.00"}
    assert [(one["generation"], one["people"], one["won"], one["value"]) for one in seen["generations"]] == [
        (0, 1, 0, "0.00"), (1, 2, 1, "1000.00"), (2, 1, 1, "200.00"),
    ]  # fmt: skip
    thanks = seen["thanks"]
    assert (thanks["ended"], thanks["waiting"], thanks["median"], thanks["in_time"]) == (1, 3, None, 0.25)
    loop = seen["loop_closed"]
    assert (loop["ended"], loop["waiting"], loop["in_time"]) == (1, 1, 0.5)
    assert loop["median"] == 24.0
    assert (seen["first_contact"]["ended"], seen["first_contact"]["waiting"]) == (2, 2)
    assert seen["conversion"]["rate"] is None
    assert (seen["reproduction"]["parents"], seen["reproduction"]["rate"]) == (0, None)
    assert (seen["year"]["referred"], seen["year"]["won"]) == (4, 2)
    assert seen["credit_missing"] == "chain credit needs 10 referrals won with a value; there are 2"
    assert (await florist.get("/v1/referrals/overview"))["year"]["referred"] == 0


async def test_told_referred_and_won_stand_apart(bakery: Business, florist: Business):
    for business in (bakery, florist):
        told = [
            touchpoint(kind="mention", direction="in", channel="mastodon", audience=300, occurred_at=ago(3)),
            touchpoint(kind="vouch", direction="in", channel="chamber", audience=40, occurred_at=ago(3)),
            touchpoint(kind="share", direction="in", channel="mastodon", about="them", occurred_at=ago(3)),
            touchpoint(kind="share", direction="in", channel="mastodon", automated=True, occurred_at=ago(3)),
            touchpoint(kind="vouch", direction="out", channel="chamber", occurred_at=ago(3)),
            touchpoint(kind="review", direction="in", channel="site", occurred_at=ago(400)),
        ]
        await business.tell(*told)
    both = {"people": [person("ana"), person("ben")], "channel": "email", "occurred_at": ago(2)}
    made = await bakery.post("/v1/introductions", both)
    ours = {"people": [person("cid")], "introducer": person("ana"), "channel": "email", "occurred_at": ago(2)}
    by_ana = await bakery.post("/v1/introductions", ours)
    await bakery.seen(by_ana.json()["position"])
    year = {
        "told": 2, "reach": 340, "referred": 0, "won": 0, "introduced_by_us": 1, "introduced_us": 1,
        "vouches_received": 1, "vouches_given": 1,
    }  # fmt: skip
    assert (await bakery.get("/v1/referrals/overview"))["year"] == year
    assert (await florist.get("/v1/referrals/overview"))["year"] == year | {"introduced_by_us": 0, "introduced_us": 0}
    struck = await bakery.post(f"/v1/touchpoints/{made.json()['touchpoint_id']}/strike")
    await bakery.seen(struck.json()["position"])
    assert (await bakery.get("/v1/referrals/overview"))["year"] == year | {"introduced_by_us": 0}


async def test_several_referrers_of_one_client_share_the_value(bakery: Business):
    await refer(bakery, "ana", "ben", occurred_at=ago(70), heat=4)
    second = await refer(bakery, "eve", "ben", occurred_at=ago(10), heat=4)
    await tell(bakery, second["id"], "won", value="300.00", currency="EUR", occurred_at=ago(5))
    page = await bakery.get("/v1/referrals/referrers")
    assert [(one["contact"]["name"], one["value"], one["won"], one["referrals"]) for one in page["items"]] == [
        ("Eve", "200.00", 1, 1), ("Ana", "100.00", 0, 1),
    ]  # fmt: skip
    assert {one["credit"] for one in page["items"]} == {None}, "too few to say"
    assert all(float(one["low"]) < float(one["a_year"]) < float(one["high"]) for one in page["items"])


async def test_referrers_come_in_pages(bakery: Business, florist: Business):
    for n, who in enumerate(("ana", "eve", "joe")):
        await won(bakery, who, f"client{n}", f"{100 * (n + 1)}.00", day=50)
    first = await bakery.get("/v1/referrals/referrers", limit=2)
    rest = await bakery.get("/v1/referrals/referrers", limit=2, cursor=first["next"])
    assert [one["contact"]["name"] for one in first["items"] + rest["items"]] == ["Joe", "Eve", "Ana"]
    assert rest["next"] is None
    assert (await florist.get("/v1/referrals/referrers"))["items"] == []


async def test_supporters_are_of_any_stage_and_those_from_afar_stand_apart(bakery: Business, florist: Business):
    """The bakery is in Portland. A like is no support, nor what we said of them, nor what is more than a year old."""
    said = {"direction": "in", "channel": "mastodon"}
    near, _, far, *_ = await bakery.tell(
        touchpoint("near@example.com", kind="vouch", occurred_at=ago(3), **said),
        touchpoint("near@example.com", kind="share", occurred_at=ago(2), **said),
        touchpoint("far@example.com", kind="share", occurred_at=ago(1), **said),
        touchpoint("unknown@example.com", kind="review", occurred_at=ago(4), **said),
        touchpoint("liked@example.com", kind="like", occurred_at=ago(1), **said),
        touchpoint("past@example.com", kind="vouch", occurred_at=ago(370), **said),
        touchpoint("ours@example.com", kind="vouch", channel="chamber", direction="out", occurred_at=ago(1)),
    )
    await refer(bakery, "ana", "ben", occurred_at=ago(5))
    for told, town in ((near, "portland"), (far, "Boston")):
        placed = await bakery.client.patch(f"/v1/contacts/{told['contact_ids'][0]}", json={"locality": town})
        await bakery.seen(placed.json()["position"])
    everybody = (await bakery.get("/v1/referrals/supporters"))["items"]
    assert [(one["name"], one["from_afar"]) for one in everybody] == [
        ("far@example.com", True), ("near@example.com", False), ("unknown@example.com", False), ("Ana", False),
    ]  # fmt: skip
    assert (everybody[1]["vouches"], everybody[1]["shares"], everybody[3]["referrals"]) == (1, 1, 1)
    [afar] = (await bakery.get("/v1/referrals/supporters", from_afar=True))["items"]
    assert (afar["name"], afar["stage"]) == ("far@example.com", "by_sight")
    first = await bakery.get("/v1/referrals/supporters", limit=3)
    rest = await bakery.get("/v1/referrals/supporters", limit=3, cursor=first["next"])
    assert first["items"] + rest["items"] == everybody
    assert (await bakery.get("/v1/referrals/overview"))["supporters"] == {"people": 4, "from_afar": 1}
    assert (await florist.get("/v1/referrals/supporters"))["items"] == []


def friends(address: str) -> list[dict[str, Any]]:
    """Weekly coffees and mails for a year: an ally."""
    coffee = {"kind": "meeting", "channel": "cafe", "direction": "mutual", "minutes": 45}
    met = [touchpoint(address, occurred_at=ago(day), **coffee) for day in range(3, 360, 7)]
    return met + [touchpoint(address, occurred_at=ago(day), direction="in") for day in range(4, 360, 14)]


async def test_who_leads_is_told_in_words_of_allies_alone(bakery: Business, florist: Business):
    await bakery.tell(*friends("ana@example.com"), *friends("eve@example.com"), *friends("joe@example.com"))
    for n in range(3):
        await refer(bakery, "ana", f"a{n}", occurred_at=ago(20))
        await refer(bakery, "eve", f"e{n}", direction="given", occurred_at=ago(20))
        await refer(bakery, "stranger", f"s{n}", occurred_at=ago(20))
    await won(bakery, "joe", "jim", "90.00", day=20)
    items = (await bakery.get("/v1/referrals/balance"))["items"]
    words = {one["contact"]["name"] or "": (one["referrals"], one["value"]) for one in items}
    assert words == {
        "ana@example.com": ("they_lead", None),
        "eve@example.com": ("you_lead", None),
        "joe@example.com": ("even", "they_lead"),
    }
    assert all(set(one) == {"contact", "stage", "referrals", "value"} for one in items), "no number is shown"
    first = await bakery.get("/v1/referrals/balance", limit=2)
    rest = await bakery.get("/v1/referrals/balance", limit=2, cursor=first["next"])
    assert first["items"] + rest["items"] == items
    assert (await florist.get("/v1/referrals/balance"))["items"] == []


async def test_a_chain_whose_middle_fell_silent_is_in_danger(bakery: Business):
    """Ben was brought by Ana and brought Cid; a year ago he was seen every week, and never since."""
    await bakery.tell(*[touchpoint("ben@example.com", occurred_at=ago(day)) for day in range(365, 500, 7)])
    await refer(bakery, "ana", "ben", occurred_at=ago(480))
    cid = await refer(bakery, "ben", "cid", occurred_at=ago(400))
    await tell(bakery, cid["id"], "won", value="50.00", currency="EUR", occurred_at=ago(390))
    [danger] = (await bakery.get("/v1/referrals/overview"))["in_danger"]
    assert (danger["contact"]["name"], danger["below"], danger["chain_value"]) == ("ben@example.com", 1, "50.00")
    assert danger["still_alive"] < 0.5
    assert danger["silent_days"] == 365


@pytest.mark.parametrize("path", VIEWS[1:])
async def test_a_cursor_of_another_list_is_refused(bakery: Business, path: str):
    for cursor in ("x", "WzFd" * 9, "WyIwIiwgIjAiXQ", "Wy01XQ"):
        answer = await bakery.client.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["field"]) == (400, "cursor"), cursor
