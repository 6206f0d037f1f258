"""Likely duplicates over the API: suggested with reasons, until they are merged or told apart."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import ago, dried, rested, touchpoint


async def add(business: Business, name: str | None, *emails: str, **more: Any) -> str:
    identities = [{"platform": "email", "handle": email} for email in emails]
    answer = await business.post("/v1/contacts", {"name": name, "identities": identities} | more)
    assert answer.status_code == 201, answer.text
    await business.seen(answer.json()["position"])
    return str(answer.json()["id"])


async def duplicates(business: Business, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await business.get("/v1/contacts/duplicates", **params))["items"]
    return items


def pairs(items: list[dict[str, Any]]) -> list[set[str]]:
    return [{one["id"] for one in item["contacts"]} for item in items]


async def test_a_likely_pair_is_suggested_with_score_and_reasons_the_one_to_keep_first(
    bakery: Business, florist: Business
):
    ana = await add(bakery, "Ana Bakes", "ana@mill.example", locality="Salem")
    other = await add(bakery, "Bakes Ana", "bakes@mill.example", locality="Salem")
    await bakery.tell(touchpoint("bakes@mill.example"))
    await add(bakery, "Joe Rivers", "joe@mill.example")
    await add(florist, "Ana Bakes", "ana@mill.example")
    await bakery.settled()
    [item] = await duplicates(bakery)
    assert [one["id"] for one in item["contacts"]] == [other, ana]
    assert item["reasons"] == ["the same name", "addresses of the same company: mill.example", "both in Salem"]
    assert 0.6 < item["score"] < 1
    assert await duplicates(florist) == []
    assert await duplicates(bakery, min_score=0.99) == []


async def test_a_merged_pair_is_gone_and_comes_back_with_the_unmerge(bakery: Business):
    ana, other = await add(bakery, "Ana Bakes", "a@gmail.com"), await add(bakery, "Ana Bakes", "b@gmail.com")
    merged = await bakery.post(f"/v1/contacts/{ana}/merge", {"contact_ids": [other]})
    assert await duplicates(bakery, after=merged.json()["position"]) == []
    third = await add(bakery, "Bakes Ana", "c@gmail.com")
    assert pairs(await duplicates(bakery)) == [{ana, third}], "with what both were called"
    back = await bakery.post(f"/v1/contacts/{ana}/unmerge", {"contact_id": other})
    assert len(await duplicates(bakery, after=back.json()["position"])) == 3


async def test_a_pair_told_apart_stays_so_also_for_those_they_are_merged_with(bakery: Business):
    ana, other, third = [await add(bakery, "Ana Bakes", f"{letter}@gmail.com") for letter in "abc"]
    apart = await bakery.post("/v1/contacts/not-the-same", {"contact_ids": [other, ana]})
    found = pairs(await duplicates(bakery, after=apart.json()["position"]))
    assert {frozenset(pair) for pair in found} == {frozenset([ana, third]), frozenset([other, third])}
    merged = await bakery.post(f"/v1/contacts/{third}/merge", {"contact_ids": [other]})
    assert await duplicates(bakery, after=merged.json()["position"]) == []


async def test_two_people_of_one_file_are_never_suggested(bakery: Business):
    met = (f"meeting,2026-05-06,Ana Bakes <{who}@mill.example>,cafe\n" for who in ("ana", "bakes"))
    imported = await dried(bakery, "kind,when,who,where\n" + "".join(met))
    await bakery.post(f"/v1/imports/{imported}/start", {"unsure": "business"})
    await rested(bakery, imported)
    await bakery.settled()
    assert len((await bakery.get("/v1/contacts"))["items"]) == 2
    assert await duplicates(bakery) == []
    third = await add(bakery, "Ana Bakes", "c@gmail.com")
    found = pairs(await duplicates(bakery))
    assert len(found) == 2
    assert all(third in pair for pair in found)


async def test_people_both_were_met_with_speak_for_it(bakery: Business):
    ana, other = await add(bakery, "Ana Bakes", "a@gmail.com"), await add(bakery, "Ana Bakes", "b@gmail.com")
    [before] = await duplicates(bakery)
    await bakery.tell(
        *(touchpoint(who, "joe@mill.example", "eve@mill.example") for who in ("a@gmail.com", "b@gmail.com"))
    )
    await bakery.settled()
    [after] = await duplicates(bakery)
    assert pairs([after]) == [{ana, other}]
    assert after["score"] > before["score"]
    assert "both were met with 2 other people you know" in after["reasons"]
    await bakery.tell(touchpoint("a@gmail.com", "b@gmail.com", occurred_at=ago(1)))
    await bakery.settled()
    assert await duplicates(bakery) == [], "they stood beside each other"


async def test_pages_have_each_pair_once(bakery: Business):
    for n in range(4):
        for letter in "ab":
            await add(bakery, f"Ana Bakes{'abcd'[n] * 4}", f"{letter}{n}@gmail.com")
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = await bakery.get("/v1/contacts/duplicates", limit=3, **more)
        found += pairs(page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    assert found == pairs(await duplicates(bakery))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"min_score": 2}, "min_score"),
        ({"min_score": "high"}, "min_score"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 0}, "limit"),
    ],
)
async def test_what_cannot_be_asked_is_refused(bakery: Business, params: dict[str, Any], field: str):
    answer = await bakery.client.get("/v1/contacts/duplicates", params=params)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
