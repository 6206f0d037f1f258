"""Contacts: the list with its filters, sorts and pages; adding, changing and reading one; its timeline."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, ago, friendship, touchpoint


async def add(business: Business, **told: Any) -> str:
    answer = await business.post("/v1/contacts", told)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"id", "position"}
    await business.seen(answer.json()["position"])
    contact_id: str = answer.json()["id"]
    return contact_id


async def names(business: Business, **params: Any) -> list[str]:
    """The names of the list, over all its pages."""
    found, cursor = [], None
    while True:
        page = await business.get("/v1/contacts", **params, **({"cursor": cursor} if cursor else {}))
        assert set(page) == {"items", "next", "position"}
        found += [contact["name"] for contact in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def with_(name: str, **more: Any) -> dict[str, Any]:
    return touchpoint(**{"with": [{"email": f"{name.lower()}@example.com", "name": name}]} | more)


@pytest.fixture
async def people(bakery: Business, florist: Business) -> Business:
    """Five of the bakery's: two online, one in person, one both, one never touched; and Ana of the florist's too."""
    await bakery.tell(
        with_("Ana", occurred_at=ago(1)),
        with_("Ana", occurred_at=ago(1), direction="in"),
        with_("Ben", occurred_at=ago(40), channel="linkedin"),
        with_("Cid", occurred_at=ago(10), kind="meeting", channel="cafe", direction="mutual"),
        with_("dora", occurred_at=ago(20), kind="meeting", channel="chamber", direction="mutual"),
        with_("dora", occurred_at=ago(2), channel="linkedin"),
    )
    await add(bakery, name="Eve")
    await florist.tell(with_("Ana", occurred_at=ago(1)), with_("Zoe", occurred_at=ago(1)))
    return bakery


async def test_a_contact_in_the_list_has_what_others_build_on(people: Business):
    page = await people.get("/v1/contacts")
    ana = next(contact for contact in page["items"] if contact["name"] == "Ana")
    assert set(ana) == {
        "id", "name", "hint", "identities", "locality", "relation", "strength", "stage", "half", "channels",
        "touchpoints", "met_at", "first_touch_at", "last_touch_at", "scored_at", "rhythm", "closed",
            "strained_until",
    }  # fmt: skip
    assert ana["identities"] == [{"platform": "email", "handle": "ana@example.com"}]
    assert (ana["half"], ana["channels"], ana["touchpoints"], ana["met_at"]) == ("online_only", ["email"], 2, None)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(ana["scored_at"]) == today


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["Ana", "Ben", "Cid", "dora", "Eve"]),
        ("last_touch", ["Ana", "dora", "Cid", "Ben", "Eve"]),
        ("strength", ["dora", "Cid", "Ana", "Ben", "Eve"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_each_sort_goes_through_all_pages(people: Business, sort: str, expected: list[str], limit: int):
    assert await names(people, sort=sort, limit=limit) == expected


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_the_longest_silence_comes_first_and_who_has_no_rhythm_last(people: Business, limit: int):
    [longest, next_, *without_rhythm] = await names(people, sort="silence", limit=limit)
    assert (longest, next_) == ("Cid", "dora")
    assert sorted(without_rhythm) == ["Ana", "Ben", "Eve"]  # in no order that is promised


@pytest.mark.parametrize("sort", ["name", "last_touch", "strength", "silence"])
async def test_many_alike_are_each_on_one_page(bakery: Business, sort: str):
    for _ in range(3):
        await bakery.tell(
            *(touchpoint(channel="cafe", occurred_at=ago(3), **{"with": [{"name": "Ana"}]}) for _ in range(3))
        )
    added = [await bakery.post("/v1/contacts", {"name": f"Untouched {n % 2}"}) for n in range(7)]
    await bakery.seen(added[-1].json()["position"])
    seen, cursor = [], None
    while True:
        page = await bakery.get("/v1/contacts", sort=sort, limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [contact["id"] for contact in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 16


async def test_names_in_other_alphabets_have_pages_too(bakery: Business):
    told = ["İnci", "Ördek", "ördek", "Ångström", "Жанна", "李雷", "Zoë", "ZOË"]
    for name in told:
        await bakery.post("/v1/contacts", {"name": name})
    await bakery.seen(len(told))
    assert sorted(await names(bakery, sort="name", limit=1)) == sorted(told)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"q": "AN"}, ["Ana"]),
        ({"q": "BEN@example.com"}, ["Ben"]),
        ({"q": "o"}, ["Ana", "Ben", "Cid", "dora"]),
        ({"q": "%"}, []),
        ({"q": "_"}, []),
        ({"q": "\\"}, []),
        ({"q": "Zoe"}, []),
        ({"half": "online_only"}, ["Ana", "Ben"]),
        ({"half": "in_person_only"}, ["Cid"]),
        ({"half": "both"}, ["dora"]),
        ({"half": "named_only"}, ["Eve"]),
        ({"channel": "linkedin"}, ["Ben", "dora"]),
        ({"channel": "nowhere"}, []),
        ({"quiet_days": 0}, ["Ana", "Ben", "Cid", "dora", "Eve"]),
        ({"quiet_days": 5}, ["Ben", "Cid", "Eve"]),
        ({"quiet_days": 39}, ["Ben", "Eve"]),
        ({"quiet_days": 41}, ["Eve"]),
        ({"min_strength": 0}, ["Ana", "Ben", "Cid", "dora", "Eve"]),
        ({"min_strength": 0.1}, ["Ana", "Ben", "Cid", "dora"]),
        ({"min_strength": 99.5}, []),
        ({"channel": "linkedin", "half": "both", "q": "dor"}, ["dora"]),
    ],
    ids=str,
)
async def test_each_filter_chooses(people: Business, params: dict[str, Any], expected: list[str]):
    assert await names(people, sort="name", limit=1, **params) == expected


async def test_stages_filter_the_same_as_they_show(people: Business):
    shown = {contact["name"]: contact["stage"] for contact in (await people.get("/v1/contacts"))["items"]}
    for stage in ("named_only", "by_sight", "acquaintance", "familiar", "ally", "advocate"):
        assert await names(people, sort="name", stage=stage) == [
            name for name in sorted(shown, key=str.lower) if shown[name] == stage
        ]


async def test_a_cursor_of_another_sort_is_refused(people: Business):
    page = await people.get("/v1/contacts", sort="name", limit=1)
    answer = await people.client.get("/v1/contacts", params={"sort": "strength", "cursor": page["next"]})
    assert (answer.status_code, answer.json()["field"]) == (400, "cursor")


async def test_a_cursor_of_another_tenant_shows_nobody_of_theirs(people: Business, florist: Business):
    page = await people.get("/v1/contacts", sort="name", limit=2)
    shown = await florist.get("/v1/contacts", sort="name", cursor=page["next"])
    assert [contact["name"] for contact in shown["items"]] == ["Zoe"]


async def test_all_that_is_known_at_once_is_shown(bakery: Business, florist: Business):
    contact_id = await add(
        bakery, name=" Ana Bakes ", hint="the baker's sister", locality="Portland", relation="supplier",
        identities=[
            {"platform": "Email", "handle": "ANA@example.com"}, {"platform": "x", "handle": "https://x.com/Ana"},
        ],
        interests=[{"topic": "flour", "learned_at": "chamber", "in_confidence": True}, {"topic": "bread"}],
        stated={"known_since": "2019-04-01", "how_often": "monthly", "how_close": "ally", "by": "the owner"},
    )  # fmt: skip
    contact = await bakery.get(f"/v1/contacts/{contact_id}")
    assert contact["name"] == "Ana Bakes"
    assert contact["hint"] == "the baker's sister"
    assert (contact["locality"], contact["relation"]) == ("Portland", "supplier")
    assert contact["identities"] == [
        {"platform": "email", "handle": "ana@example.com"},
        {"platform": "x", "handle": "ana"},
    ]
    told = [(one["topic"], one["learned_at"], one["in_confidence"]) for one in contact["interests"]]
    assert sorted(told) == [("bread", None, False), ("flour", "chamber", True)]
    stated_at = contact["stated"].pop("stated_at")
    assert datetime.fromisoformat(stated_at).tzinfo is not None
    assert contact["stated"] == {
        "known_since": "2019-04-01", "how_often": "monthly", "how_close": "ally", "by": "the owner",
    }  # fmt: skip
    assert (contact["strength"], contact["stage"], contact["half"]) == (0.0, "named_only", "named_only")
    assert (contact["within_reach"], contact["closed"]) == (None, None)
    assert (await florist.get("/v1/contacts"))["items"] == []


async def test_a_touchpoint_finds_the_contact_that_was_added(bakery: Business):
    contact_id = await add(bakery, identities=[{"platform": "email", "handle": "ana@example.com"}])
    [result] = await bakery.tell(touchpoint())
    assert result["contact_ids"] == [contact_id]


async def test_somebody_elses_identity_is_a_conflict(bakery: Business, florist: Business):
    identity = {"platform": "email", "handle": "Ana@example.com"}
    ana, ben = await add(bakery, identities=[identity]), await add(bakery, name="Ben")
    for answer in (
        await bakery.post("/v1/contacts", {"name": "Another", "identities": [identity]}),
        await bakery.client.patch(f"/v1/contacts/{ben}", json={"name": "Bert", "identities": [identity]}),
    ):
        assert answer.status_code == 409
        assert answer.json()["field"] == "identities"
        assert ana not in answer.text
    assert await names(bakery, sort="name") == [None, "Ben"]
    await add(florist, identities=[identity])


async def test_a_change_is_shown_from_its_position_on(bakery: Business, florist: Business):
    ana, other = await add(bakery, name="Ana", locality="Portland"), await add(florist, name="Ana")
    answer = await bakery.client.patch(
        f"/v1/contacts/{ana}",
        json={
            "name": "Anna", "identities": [{"platform": "x", "handle": "@anna"}], "locality": None,
            "relation": "partner", "interests": [{"topic": "rye"}], "stated": {"how_close": "ally"},
            "within_reach": "yes", "closed": "moved",
        },
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == ana
    contact = await bakery.get(f"/v1/contacts/{ana}", after=answer.json()["position"])
    assert (contact["name"], contact["locality"], contact["relation"]) == ("Anna", None, "partner")
    assert contact["identities"] == [{"platform": "x", "handle": "anna"}]
    assert [interest["topic"] for interest in contact["interests"]] == ["rye"]
    assert contact["stated"]["how_close"] == "ally"
    assert (contact["within_reach"], contact["closed"]) == ("yes", "moved")
    assert contact["version"] == answer.json()["position"]
    assert (await florist.get(f"/v1/contacts/{other}"))["name"] == "Ana"


async def test_lists_add_to_what_is_there(bakery: Business):
    ana = await add(bakery, name="Ana", interests=[{"topic": "rye"}], identities=[{"platform": "x", "handle": "ana"}])
    answer = await bakery.client.patch(
        f"/v1/contacts/{ana}",
        json={"interests": [{"topic": "flour"}], "identities": [{"platform": "threads", "handle": "ana"}]},
    )
    contact = await bakery.get(f"/v1/contacts/{ana}", after=answer.json()["position"])
    assert {interest["topic"] for interest in contact["interests"]} == {"rye", "flour"}
    assert {identity["platform"] for identity in contact["identities"]} == {"x", "threads"}


async def test_a_change_that_changes_nothing_is_no_event(bakery: Business):
    ana = await add(bakery, name="Ana", relation="partner")
    await bakery.client.patch(f"/v1/contacts/{ana}", json={"locality": None})
    before = (await bakery.get("/v1/events"))["position"]
    for change in ({}, {"name": "Ana"}, {"relation": "partner"}, {"locality": None}):
        assert (await bakery.client.patch(f"/v1/contacts/{ana}", json=change)).status_code == 200
    assert (await bakery.get("/v1/events"))["position"] == before


async def test_an_edit_made_on_a_stale_page_is_refused(bakery: Business, florist: Business):
    ana = await add(bakery, name="Ana")
    read = await bakery.client.get(f"/v1/contacts/{ana}")
    version = read.json()["version"]
    assert read.headers["etag"] == f'"{version}"'

    first = await bakery.client.patch(
        f"/v1/contacts/{ana}", json={"name": "Anna"}, headers={"If-Match": read.headers["etag"]}
    )
    assert first.status_code == 200
    second = await bakery.client.patch(f"/v1/contacts/{ana}", json={"name": "Anne"}, headers={"If-Match": str(version)})
    assert second.status_code == 412
    assert second.json()["type"] == "urn:rapport:problem:stale"
    now = await bakery.get(f"/v1/contacts/{ana}", after=first.json()["position"])
    assert now["name"] == "Anna"
    for match in (f'"{now["version"]}"', "*"):
        answer = await bakery.client.patch(
            f"/v1/contacts/{ana}", json={"name": f"Anne {match[0]}"}, headers={"If-Match": match}
        )
        assert answer.status_code == 200, match


async def test_what_others_do_with_a_contact_does_not_make_a_page_stale(bakery: Business):
    ana = await add(bakery, identities=[{"platform": "email", "handle": "ana@example.com"}])
    version = (await bakery.get(f"/v1/contacts/{ana}"))["version"]
    await bakery.tell(touchpoint())
    answer = await bakery.client.patch(
        f"/v1/contacts/{ana}", json={"name": "Ana"}, headers={"If-Match": f'"{version}"'}
    )
    assert answer.status_code == 200


async def test_the_timeline_has_the_newest_first_over_all_pages(bakery: Business, florist: Business):
    ana = with_("Ana")
    told = [ana | {"occurred_at": ago(day), "note": f"day {day}"} for day in (3, 1, 2, 5, 5, 5, 4)]
    results = await bakery.tell(*told, with_("Ben", occurred_at=ago(2)))
    await florist.tell(*told)
    who = results[0]["contact_ids"][0]
    for limit in (1, 2, 3, 7, 50):
        seen, cursor = [], None
        while True:
            params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = await bakery.get(f"/v1/contacts/{who}/timeline", **params)
            assert set(page) == {"items", "next", "position"}
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        assert [moment["note"] for moment in seen] == [f"day {day}" for day in (1, 2, 3, 4, 5, 5, 5)]
        assert {moment["event_id"] for moment in seen} == {result["event_id"] for result in results[:7]}
    assert set(seen[0]) == {
        "event_id", "position", "kind", "occurred_at", "recorded_at", "channel", "direction", "contact_ids", "act",
        "about", "minutes", "depth", "audience", "automated", "bulk", "topics", "note", "source",
        "source_id", "struck",
    }  # fmt: skip


async def test_a_note_shared_by_several_is_read_by_each(bakery: Business):
    [result] = await bakery.tell(touchpoint("a@example.com", "b@example.com", "c@example.com", note="all of us"))
    for who in result["contact_ids"]:
        [moment] = (await bakery.get(f"/v1/contacts/{who}/timeline"))["items"]
        assert moment["note"] == "all of us"


@pytest.mark.parametrize("path", ["", "/timeline", "/strength"])
async def test_nobody_is_not_found(bakery: Business, path: str):
    answer = await bakery.client.get(f"/v1/contacts/{NOBODY}{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no such contact"


async def test_a_read_waits_for_what_was_just_written(bakery: Business):
    for number in range(20):
        answer = await bakery.post("/v1/touchpoints", touchpoint(f"guest{number}@example.com"))
        position = answer.json()["position"]
        page = await bakery.get("/v1/contacts", after=position, limit=200)
        assert len(page["items"]) == number + 1
        assert page["position"] >= position


async def test_strength_in_the_list_is_the_strength_explained(bakery: Business, florist: Business):
    await bakery.tell(*friendship("ana@example.com"), *friendship("ben@example.com")[:4])
    await florist.tell(*friendship("ana@example.com")[:6])
    for business in (bakery, florist):
        for contact in (await business.get("/v1/contacts"))["items"]:
            explained = await business.get(f"/v1/contacts/{contact['id']}/strength")
            assert (explained["score"], explained["stage"]) == (contact["strength"], contact["stage"])
            one = await business.get(f"/v1/contacts/{contact['id']}")
            assert {field: one[field] for field in contact} == contact
