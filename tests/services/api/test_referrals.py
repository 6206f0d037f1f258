"""Referrals over the API: told, what became of them, chains, ties; another business sees none of it."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, ago, touchpoint


def person(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "name": name.title()}


def referral(by: str = "ana", whom: str = "ben", **more: Any) -> dict[str, Any]:
    told = {
        "direction": "received",
        "referrer": person(by),
        "prospect": person(whom),
        "by_way_of": "chamber",
        "heat": 4,
        "occurred_at": ago(20),
    }
    return told | more


async def refer(business: Business, by: str = "ana", whom: str = "ben", **more: Any) -> dict[str, Any]:
    answer = await business.post("/v1/referrals", referral(by, whom, **more))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    await business.seen(made["position"])
    return made


async def tell(business: Business, referral_id: str, outcome: str, **more: Any) -> None:
    answer = await business.post(f"/v1/referrals/{referral_id}/outcome", {"outcome": outcome, **more})
    assert answer.status_code == 200, answer.text
    await business.seen(answer.json()["position"])


async def refused(business: Business, path: str, body: Any, **headers: str) -> tuple[int, str | None, str]:
    answer = await business.post(path, body, **headers)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    return answer.status_code, problem.get("field"), problem["detail"]


async def test_a_referral_is_told_and_seen(bakery: Business, florist: Business):
    made = await refer(bakery, note="wants bread daily", source="bni", source_id="7")
    [row] = (await bakery.get("/v1/referrals"))["items"]
    assert row["id"] == made["id"]
    assert row["referrer"] == {"id": made["referrer_id"], "name": "Ana"}
    assert row["prospect"] == {"id": made["prospect_id"], "name": "Ben"}
    assert (row["status"], row["heat"], row["by_way_of"], row["direction"]) == ("open", 4, "chamber", "received")
    assert (row["thanked"], row["hours_to_contact"], row["value"], row["age_days"]) == (False, None, None, 20)
    assert 479 < row["hours_to_thank"] < 481, "so far"
    seen = await bakery.get(f"/v1/referrals/{made['id']}")
    assert (seen["note"], seen["source"], seen["source_id"], seen["outcomes"]) == ("wants bread daily", "bni", "7", [])
    [moment] = (await bakery.get(f"/v1/contacts/{made['referrer_id']}/timeline"))["items"]
    assert (moment["kind"], moment["direction"], moment["event_id"]) == ("referral", "in", made["touchpoint_id"])
    assert (await florist.get("/v1/referrals"))["items"] == []
    assert (await florist.client.get(f"/v1/referrals/{made['id']}")).status_code == 404
    assert (await refused(florist, f"/v1/referrals/{made['id']}/outcome", {"outcome": "won"}))[0] == 404


async def test_its_outcomes_count_by_when_they_happened(bakery: Business):
    made = await refer(bakery)
    await tell(bakery, made["id"], "won", value="1250.5", currency="EUR", occurred_at=ago(5), note="daily bread")
    await tell(bakery, made["id"], "contacted", occurred_at=ago(19))
    await tell(
        bakery, made["id"], "thanked", kind="call", channel="phone", minutes=5, note="so kind", occurred_at=ago(18)
    )
    seen = await bakery.get(f"/v1/referrals/{made['id']}")
    assert (seen["status"], seen["value"], seen["currency"], seen["thanked"]) == ("won", "1250.50", "EUR", True)
    assert (seen["hours_to_contact"], seen["hours_to_thank"]) == (24.0, 48.0)
    assert [(one["outcome"], one["note"], one["value"]) for one in seen["outcomes"]] == [
        ("won", "daily bread", "1250.50"),
        ("contacted", None, None),
        ("thanked", None, None),
    ]
    [thanks, _] = (await bakery.get(f"/v1/contacts/{made['referrer_id']}/timeline"))["items"]
    assert (thanks["kind"], thanks["act"], thanks["direction"], thanks["minutes"], thanks["note"]) == (
        "call", "thank", "out", 5, "so kind",
    )  # fmt: skip
    assert seen["outcomes"][2]["touchpoint_id"] == thanks["event_id"]
    await tell(bakery, made["id"], "lost")
    assert (await bakery.get(f"/v1/referrals/{made['id']}"))["value"] is None


async def test_the_strength_of_who_made_it_says_that_it_was_won(bakery: Business):
    made = await refer(bakery)
    path = f"/v1/contacts/{made['referrer_id']}/strength"
    before = await bakery.get(path)
    await tell(bakery, made["id"], "won", occurred_at=ago(5))
    won = await bakery.get(path)
    assert won["parts"]["advocacy"]["points"] > before["parts"]["advocacy"]["points"]
    assert won["contact_days"] == before["contact_days"] == 1
    assert [one["kind"] for one in won["parts"]["advocacy"]["touchpoints"]] == ["referral", "referral_converted"]
    assert won["parts"]["advocacy"]["touchpoints"][1]["event_id"] == made["id"]
    then = await bakery.get(path, true_at=ago(6))
    assert [one["kind"] for one in then["parts"]["advocacy"]["touchpoints"]] == ["referral"]
    await tell(bakery, made["id"], "lost")
    lost = await bakery.get(path)
    assert lost["parts"] == before["parts"]
    [listed] = (await bakery.get("/v1/contacts", q="ana"))["items"]
    assert listed["strength"] == lost["score"]


async def test_one_whose_touchpoint_is_struck_is_taken_back(bakery: Business):
    made = await refer(bakery)
    struck = await bakery.post(f"/v1/touchpoints/{made['touchpoint_id']}/strike")
    await bakery.seen(struck.json()["position"])
    assert (await bakery.get("/v1/referrals"))["items"] == []
    [row] = (await bakery.get("/v1/referrals", withdrawn=True))["items"]
    assert row["withdrawn"] is True
    assert (await bakery.get("/v1/referrals/tree"))["members"] == []
    assert (await bakery.get(f"/v1/contacts/{made['referrer_id']}/ties"))["items"] == []
    status, _, detail = await refused(bakery, f"/v1/referrals/{made['id']}/outcome", {"outcome": "won"})
    assert (status, detail) == (409, "this referral was taken back")


async def test_the_list_by_what_is_asked(bakery: Business):
    ana_ben = await refer(bakery, "ana", "ben", occurred_at=ago(9))
    eve_joe = await refer(bakery, "eve", "joe", occurred_at=ago(8))
    given = await refer(bakery, "ana", "zoe", direction="given", occurred_at=ago(7))
    await tell(bakery, ana_ben["id"], "thanked")
    await tell(bakery, eve_joe["id"], "met")
    asked: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({}, [given, eve_joe, ana_ben]),
        ({"direction": "given"}, [given]),
        ({"status": "met"}, [eve_joe]),
        ({"referrer": ana_ben["referrer_id"]}, [given, ana_ben]),
        ({"prospect": eve_joe["prospect_id"]}, [eve_joe]),
        ({"unthanked": "true"}, [eve_joe]),
        ({"unthanked": "false"}, [given, ana_ben]),
        ({"since": ago(8.5)}, [given, eve_joe]),
        ({"referrer": NOBODY}, []),
    ]
    for which, expected in asked:
        found = (await bakery.get("/v1/referrals", **which))["items"]
        assert [row["id"] for row in found] == [one["id"] for one in expected], which
    first = await bakery.get("/v1/referrals", limit=2)
    rest = await bakery.get("/v1/referrals", limit=2, cursor=first["next"])
    assert [row["id"] for row in first["items"] + rest["items"]] == [given["id"], eve_joe["id"], ana_ben["id"]]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "direction"),
        (referral(direction="sideways"), 400, "direction"),
        (referral(heat=0), 400, "heat"),
        (referral(heat=6), 400, "heat"),
        (referral(heat="4"), 400, "heat"),
        (referral(referrer={}), 400, "referrer"),
        (referral(prospect={"email": "nowhere"}), 400, "prospect.email"),
        (referral(prospect={"email": "b@example.com", "phone": "+15035550100"}), 400, "prospect.phone"),
        (referral(prospect={"contact_id": NOBODY}), 404, "prospect.contact_id"),
        (referral("ana", "ana"), 400, "prospect"),
        (referral(referrer={"name": "Ana"}, prospect={"name": " "}), 400, "prospect"),
        (referral(by_way_of="In The Café"), 400, "by_way_of"),
        (referral(occurred_at="2090-01-01T00:00:00Z"), 400, "occurred_at"),
        (referral(occurred_at="2026-01-01T00:00:00"), 400, "occurred_at"),
        (referral(source_id="7"), 400, "source"),
        (referral(colour="red"), 400, "colour"),
    ],
)
async def test_a_bad_referral_names_what_is_wrong_and_nothing_is_stored(
    bakery: Business, body: dict[str, Any], status: int, field: str
):
    assert (await refused(bakery, "/v1/referrals", body))[:2] == (status, field)
    assert (await bakery.get("/v1/events"))["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "outcome"),
        ({"outcome": "forgotten"}, 400, "outcome"),
        ({"outcome": "won", "value": "-5", "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "value": -5, "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "value": 12.5, "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "value": "5.001", "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "value": "5.5", "currency": "JPY"}, 400, "value"),
        ({"outcome": "won", "value": "5"}, 400, "currency"),
        ({"outcome": "won", "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "value": "5", "currency": "XYZ"}, 400, "currency"),
        ({"outcome": "won", "value": "5", "currency": "USD"}, 409, "currency"),
        ({"outcome": "met", "value": "5", "currency": "EUR"}, 400, "value"),
        ({"outcome": "won", "kind": "call"}, 400, "kind"),
        ({"outcome": "thanked", "kind": "complaint"}, 400, "kind"),
        ({"outcome": "thanked", "kind": "prayer"}, 400, "kind"),
        ({"outcome": "thanked", "channel": "In The Café"}, 400, "channel"),
        ({"outcome": "met", "occurred_at": "2020-01-01T00:00:00Z"}, 400, "occurred_at"),
        ({"outcome": "met", "occurred_at": "2090-01-01T00:00:00Z"}, 400, "occurred_at"),
    ],
)
async def test_a_bad_outcome_names_what_is_wrong_and_changes_nothing(
    bakery: Business, body: dict[str, Any], status: int, field: str
):
    made, other = await refer(bakery), await refer(bakery, "eve", "joe")
    await tell(bakery, other["id"], "won", value=10, currency="EUR")
    before = await bakery.get("/v1/events")
    assert (await refused(bakery, f"/v1/referrals/{made['id']}/outcome", body))[:2] == (status, field)
    assert await bakery.get("/v1/events") == before


async def test_there_is_no_outcome_for_what_is_not_there(bakery: Business):
    assert (await refused(bakery, f"/v1/referrals/{NOBODY}/outcome", {"outcome": "won"}))[0] == 404
    assert (await bakery.client.get(f"/v1/referrals/{NOBODY}")).status_code == 404
    assert (await bakery.client.get("/v1/referrals/tree", params={"root": NOBODY})).status_code == 404


async def test_each_business_counts_in_a_currency_of_its_own(bakery: Business, florist: Business):
    for who, currency in ((bakery, "USD"), (florist, "EUR")):
        made = await refer(who)
        await tell(who, made["id"], "won", value="10", currency=currency)
        assert (await who.get("/v1/referrals/tree"))["currency"] == currency


async def test_sent_twice_it_is_told_once(bakery: Business):
    said = {"occurred_at": ago(3)}
    first = await bakery.post("/v1/referrals", referral(**said), **{"Idempotency-Key": "k"})
    again = await bakery.post("/v1/referrals", referral(**said), **{"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert (await refused(bakery, "/v1/referrals", referral(heat=1, **said), **{"Idempotency-Key": "k"}))[:2] == (
        409, "Idempotency-Key",
    )  # fmt: skip
    known = referral("eve", "joe", source="bni", source_id="7", **said)
    assert (await bakery.post("/v1/referrals", known)).json() == (await bakery.post("/v1/referrals", known)).json()
    assert (await refused(bakery, "/v1/referrals", known | {"heat": 1}))[:2] == (409, "source_id")
    path, outcome = f"/v1/referrals/{first.json()['id']}/outcome", {"outcome": "won", "occurred_at": ago(1)}
    one = await bakery.post(path, outcome, **{"Idempotency-Key": "k"})
    assert (await bakery.post(path, outcome, **{"Idempotency-Key": "k"})).json() == one.json()
    assert (await refused(bakery, path, outcome | {"note": "x"}, **{"Idempotency-Key": "k"}))[0] == 409
    types = [one["type"] for one in (await bakery.get("/v1/events"))["items"]]
    assert (types.count("referral.made"), types.count("referral.won"), types.count("touchpoint.recorded")) == (2, 1, 2)


async def test_chains_in_generations_with_a_circle_and_two_referrers(bakery: Business, florist: Business):
    """Ana brought Ben and Eve; Ben brought Joe, whom Eve named too; Joe brought Zoe; Zoe named Ana."""
    told = [("ana", "ben"), ("ana", "eve"), ("ben", "joe"), ("eve", "joe"), ("joe", "zoe"), ("zoe", "ana")]
    made = {pair: await refer(bakery, *pair, occurred_at=ago(30 - n)) for n, pair in enumerate(told)}
    await refer(florist, "ana", "ben")
    for pair, value in {
        ("ana", "ben"): "100",
        ("ben", "joe"): "50.5",
        ("joe", "zoe"): "20",
        ("zoe", "ana"): "9",
    }.items():
        await tell(bakery, made[pair]["id"], "won", value=value, currency="EUR")
    await tell(bakery, made["ana", "ben"]["id"], "thanked", occurred_at=ago(29))
    tree = await bakery.get("/v1/referrals/tree")
    members = [(one["contact"]["name"], one["generation"], one["chain_value"], one["below"]) for one in tree["members"]]
    assert members == [
        ("Ana", 0, "170.50", 4), ("Ben", 1, "70.50", 2), ("Joe", 2, "20.00", 1), ("Zoe", 3, "0.00", 0),
        ("Eve", 1, "0.00", 0),
    ]  # fmt: skip
    assert tree["members"][2]["parent_id"] == made["ben", "joe"]["referrer_id"]
    assert tree["members"][2]["referral_id"] == made["ben", "joe"]["id"]
    assert [(one["referrer"]["name"], one["prospect"]["name"], one["circle"]) for one in tree["also"]] == [
        ("Eve", "Joe", False), ("Zoe", "Ana", True),
    ]  # fmt: skip
    assert [(one["generation"], one["people"], one["won"], one["value"]) for one in tree["generations"]] == [
        (0, 1, 0, "0.00"), (1, 2, 1, "100.00"), (2, 1, 1, "50.50"), (3, 1, 1, "20.00"),
    ]  # fmt: skip
    assert (tree["value"], tree["currency"], tree["more"]) == ("170.50", "EUR", 0)
    assert tree["thanks"] == {"thanked": 1, "unthanked": 5, "median_hours": None}
    assert tree["growth"] == {"parents": 0, "children": 0, "rate": None}
    near = await bakery.get("/v1/referrals/tree", depth=1)
    assert ([one["contact"]["name"] for one in near["members"]], near["more"]) == (["Ana", "Ben", "Eve"], 2)
    few = await bakery.get("/v1/referrals/tree", limit=2)
    assert ([one["contact"]["name"] for one in few["members"]], few["more"]) == (["Ana", "Ben"], 3)
    below = await bakery.get("/v1/referrals/tree", root=made["ben", "joe"]["referrer_id"])
    assert ([one["contact"]["name"] for one in below["members"]], below["value"]) == (["Ben", "Joe", "Zoe"], "70.50")
    assert len((await florist.get("/v1/referrals/tree"))["members"]) == 2
    assert (
        await florist.client.get("/v1/referrals/tree", params={"root": made["ben", "joe"]["referrer_id"]})
    ).status_code == 404


async def test_a_contact_shows_referrals_and_vouches(bakery: Business, florist: Business):
    first = await refer(bakery, "ana", "ben")
    await refer(bakery, "ana", "joe", direction="given")
    await refer(bakery, "ben", "eve")
    await tell(bakery, first["id"], "won", value="10", currency="EUR")
    await bakery.tell(
        touchpoint("ana@example.com", kind="vouch", direction="in", channel="google"),
        touchpoint("ana@example.com", kind="vouch", direction="out", channel="linkedin"),
    )
    ana = await bakery.get(f"/v1/contacts/{first['referrer_id']}")
    assert ana["referrals"]["received"] == {"referrals": 1, "won": 1, "value": "10.00", "currency": "EUR"}
    assert ana["referrals"]["given"] == {"referrals": 1, "won": 0, "value": None, "currency": None}
    assert ana["referrals"]["referred_by"] == []
    assert (ana["vouches"]["received"], ana["vouches"]["given"]) == (1, 1)
    ben = await bakery.get(f"/v1/contacts/{first['prospect_id']}")
    [by] = ben["referrals"]["referred_by"]
    assert (by["referral_id"], by["referrer"]["name"], by["status"]) == (first["id"], "Ana", "won")
    assert ben["vouches"] == {"received": 0, "given": 0, "last_at": None}


async def test_who_knows_whom(bakery: Business, florist: Business):
    made = await refer(bakery, "ana", "ben")
    introduced = await bakery.post(
        "/v1/introductions", {"people": [person("ana"), person("eve")], "channel": "email", "note": "both bake"}
    )
    assert introduced.status_code == 201, introduced.text
    [ana, eve] = introduced.json()["contact_ids"]
    assert ana == made["referrer_id"]
    for _ in range(2):
        told = await bakery.post("/v1/ties", {"between": [person("zoe"), person("ana")]})
        assert told.status_code == 201, told.text
    await florist.post("/v1/ties", {"between": [person("zoe"), person("ana")]})
    await bakery.tell(touchpoint("ana@example.com", "joe@example.com", kind="meeting", channel="cafe"))
    found = (await bakery.get(f"/v1/contacts/{ana}/ties"))["items"]
    known = {row["contact"]["name"]: row for row in found}
    assert set(known) == {"Ben", "Eve", "Zoe", "joe@example.com"}
    assert None not in (known["Ben"]["referred_at"], known["Eve"]["introduced_at"], known["Zoe"]["told_at"])
    assert (known["joe@example.com"]["together"], known["Eve"]["together"], known["Zoe"]["together"]) == (1, 1, 0)
    first = await bakery.get(f"/v1/contacts/{ana}/ties", limit=3)
    rest = await bakery.get(f"/v1/contacts/{ana}/ties", limit=3, cursor=first["next"])
    assert (first["items"] + rest["items"], rest["next"]) == (found, None)
    [back] = (await bakery.get(f"/v1/contacts/{eve}/ties"))["items"]
    assert back["contact"] == {"id": ana, "name": "Ana"}
    assert (await florist.client.get(f"/v1/contacts/{ana}/ties")).status_code == 404


async def test_an_introduction_by_a_contact_is_theirs(bakery: Business):
    answer = await bakery.post(
        "/v1/introductions", {"people": [person("ben")], "introducer": person("ana"), "channel": "chamber"}
    )
    made = answer.json()
    await bakery.seen(made["position"])
    [moment] = (await bakery.get(f"/v1/contacts/{made['introducer_id']}/timeline"))["items"]
    assert (moment["kind"], moment["direction"]) == ("introduction", "in")
    assert (await bakery.get(f"/v1/contacts/{made['contact_ids'][0]}/timeline"))["items"] == []
    [tie] = (await bakery.get(f"/v1/contacts/{made['contact_ids'][0]}/ties"))["items"]
    assert tie["contact"]["name"] == "Ana"


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("introductions", {"people": [], "channel": "email"}, 400, "people"),
        ("introductions", {"people": [person("ana")], "channel": "email"}, 400, "people"),
        ("introductions", {"people": [person("ana")] * 2, "channel": "email"}, 400, "people[1]"),
        (
            "introductions",
            {"people": [person("ana")], "introducer": person("ana"), "channel": "email"},
            400,
            "people[0]",
        ),
        ("introductions", {"people": [person("ana"), {}], "channel": "email"}, 400, "people[1]"),
        (
            "introductions",
            {"people": [person("ana"), {"contact_id": NOBODY}], "channel": "x"},
            404,
            "people[1].contact_id",
        ),
        ("introductions", {"people": [person("ana"), person("ben")], "channel": "E Mail"}, 400, "channel"),
        ("ties", {"between": [person("ana")]}, 400, "between"),
        ("ties", {"between": [person("ana")] * 3}, 400, "between"),
        ("ties", {"between": [person("ana")] * 2}, 400, "between[1]"),
        ("ties", {"between": [person("ana"), {"contact_id": NOBODY}]}, 404, "between[1].contact_id"),
    ],
)
async def test_bad_introductions_and_ties_name_what_is_wrong(
    bakery: Business, path: str, body: dict[str, Any], status: int, field: str
):
    assert (await refused(bakery, f"/v1/{path}", body))[:2] == (status, field)
    assert (await bakery.get("/v1/events"))["items"] == []


async def test_a_read_waits_for_what_was_written(bakery: Business):
    made = (await bakery.post("/v1/referrals", referral())).json()
    for path in ("/v1/referrals", "/v1/referrals/tree"):
        seen = await bakery.get(path, after=made["position"])
        assert seen["position"] >= made["position"]
        assert seen.get("items") or seen.get("members")
