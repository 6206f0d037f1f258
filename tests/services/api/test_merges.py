"""Merged contacts as people see them: one person everywhere, at once, and two again after an unmerge."""

from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, REFERRAL, ago, dried, friendship, planned, rested, touchpoint


async def merge(business: Business, into: str, *who: str) -> int:
    answer = await business.post(f"/v1/contacts/{into}/merge", {"contact_ids": list(who)})
    assert answer.status_code == 200, answer.text
    position: int = answer.json()["position"]
    return position


async def unmerge(business: Business, into: str, who: str) -> int:
    answer = await business.post(f"/v1/contacts/{into}/unmerge", {"contact_id": who})
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == who
    position: int = answer.json()["position"]
    return position


async def known(business: Business, *items: dict[str, Any]) -> list[str]:
    """Who these touchpoints are with, once the views show them."""
    return [who for result in await business.tell(*items) for who in result["contact_ids"]]


async def patched(business: Business, contact_id: str, **what: Any) -> dict[str, Any]:
    answer = await business.client.patch(f"/v1/contacts/{contact_id}", json=what)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    await business.seen(found["position"])
    return found


async def pages(business: Business, contact_id: str, **params: Any) -> dict[str, Any]:
    """What is shown of a contact, without how far the views have come."""
    found = {
        part: await business.get(f"/v1/contacts/{contact_id}{part}", **params)
        for part in ("", "/timeline", "/strength", "/ties")
    }
    for page in found.values():
        for varies in ("position", "version", "scored_at"):
            page.pop(varies, None)
    return found


async def test_strength_is_right_at_once_after_a_merge_and_after_its_unmerge(bakery: Business, florist: Business):
    messages = friendship("ben@example.com", name="Ben Baker")
    meetings = [
        touchpoint("baker@example.com", occurred_at=ago(day), kind="meeting", channel="cafe", direction="mutual")
        for day in (3, 33)
    ]
    ben, baker = (await known(bakery, *messages))[0], (await known(bakery, *meetings))[0]
    theirs, _ = await known(florist, messages[0], meetings[0])
    before = [await pages(bakery, who) for who in (ben, baker)]
    other_tenants = await pages(florist, theirs)

    merged = await bakery.get(f"/v1/contacts/{ben}/strength", after=await merge(bakery, ben, baker))
    assert merged["score"] > before[0]["/strength"]["score"]
    assert merged["contexts"].keys() == {"email", "cafe"}
    row = await bakery.get(f"/v1/contacts/{ben}", after=merged["position"])
    assert (row["half"], row["touchpoints"]) == ("both", len(messages) + 2)
    assert [one["id"] for one in row["merged"]] == [baker]
    assert row["strength"] == pytest.approx(merged["score"], abs=0.5)

    back = await unmerge(bakery, ben, baker)
    assert [await pages(bakery, who, after=back) for who in (ben, baker)] == before
    assert await pages(florist, theirs) == other_tenants


async def test_every_page_of_a_merged_contact_is_that_of_the_one_that_stands_for_it(bakery: Business):
    ben, baker, ann = await known(
        bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"), touchpoint("ann@example.com")
    )
    await merge(bakery, baker, ann)
    position = await merge(bakery, ben, baker)
    mine = await pages(bakery, ben, after=position)
    assert mine[""]["id"] == ben
    assert [(one["id"], one["name"], one["into_id"]) for one in mine[""]["merged"]] == [
        (baker, "baker@example.com", ben),
        (ann, "ann@example.com", baker),
    ]
    assert mine["/strength"]["contact_id"] == ben
    for who in (baker, ann):
        assert await pages(bakery, who) == mine


async def test_lists_and_counts_have_a_person_once(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await known(business, *friendship("ben@example.com", name="Ben"), *friendship("baker@example.com", name="Zack"))
    both = {row["name"]: row["id"] for row in (await bakery.get("/v1/contacts"))["items"]}
    position = await merge(bakery, both["Ben"], both["Zack"])
    for params in ({}, {"q": "zack"}, {"q": "baker@"}, {"sort": "name"}, {"half": "online_only"}, {"channel": "email"}):
        page = await bakery.get("/v1/contacts", after=position, **params)
        assert [row["id"] for row in page["items"]] == [both["Ben"]], params
    [row] = page["items"]
    assert [one["handle"] for one in row["identities"]] == ["ben@example.com", "baker@example.com"]
    network = await bakery.get("/v1/network")
    assert network["online_only"]["count"] == 1
    assert [one["name"] for one in network["online_only"]["items"]] == ["Ben"]
    assert (await bakery.get("/v1/channels"))["items"][0]["contacts"] == 1
    assert len((await florist.get("/v1/contacts"))["items"]) == 2


async def test_a_touchpoint_with_both_counts_and_shows_once(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com", "baker@example.com"))
    await known(bakery, *(touchpoint("baker@example.com", occurred_at=ago(day)) for day in range(1, 4)))
    position = await merge(bakery, ben, baker)
    first = await bakery.get(f"/v1/contacts/{ben}/timeline", after=position, limit=3)
    rest = await bakery.get(f"/v1/contacts/{ben}/timeline", limit=3, cursor=first["next"])
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)
    assert rest["items"][0]["contact_ids"] == [ben, baker], "the facts stay as they were told"
    assert (await bakery.get(f"/v1/contacts/{ben}", after=position))["touchpoints"] == 4


async def test_of_two_words_that_of_the_one_who_stands_is_shown_and_what_it_lacks_is_the_others(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    await patched(bakery, ben, locality="Salem", interests=[{"topic": "flour"}])
    await patched(bakery, baker, name="Zack", locality="Portland", relation="mentor", leave_alone=True)
    await patched(bakery, baker, stated={"how_often": "weekly"}, interests=[{"topic": "flour"}, {"topic": "jazz"}])
    page = await bakery.get(f"/v1/contacts/{ben}", after=await merge(bakery, ben, baker))
    shown = [page[field] for field in ("name", "locality", "relation", "leave_alone")]
    assert shown == ["Zack", "Salem", "mentor", True]
    assert page["stated"]["how_often"] == "weekly"
    assert [one["topic"] for one in page["interests"]] == ["flour", "jazz"]
    [row] = (await bakery.get("/v1/contacts", sort="name", q="zack"))["items"]
    assert (row["name"], row["locality"], row["relation"]) == ("Zack", "Salem", "mentor")


async def test_what_is_said_of_a_merged_contact_is_said_of_the_person(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    await patched(bakery, baker, locality="Portland", relation="mentor", leave_alone=True)
    await merge(bakery, ben, baker)
    answer = await patched(bakery, baker, name="Ben", locality=None, relation=None, leave_alone=False)
    assert answer["id"] == ben
    page = await bakery.get(f"/v1/contacts/{baker}")
    shown = [page[field] for field in ("id", "name", "locality", "relation", "leave_alone")]
    assert shown == [ben, "Ben", None, None, False]
    known_already = {"platform": "email", "handle": "baker@example.com"}
    await patched(bakery, ben, identities=[known_already, {"platform": "phone", "handle": "+15035550100"}])
    await bakery.seen(await unmerge(bakery, ben, baker))
    page = await bakery.get(f"/v1/contacts/{baker}")
    shown = [page[field] for field in ("id", "name", "locality", "relation", "leave_alone")]
    assert shown == [baker, None, "Portland", "mentor", True]
    assert [one["handle"] for one in page["identities"]] == ["baker@example.com"]


async def test_the_same_change_sent_again_after_a_merge_is_a_repeat(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    key = {"Idempotency-Key": "a key"}
    first = await bakery.client.patch(f"/v1/contacts/{baker}", json={"name": "Zack"}, headers=key)
    await merge(bakery, ben, baker)
    again = await bakery.client.patch(f"/v1/contacts/{baker}", json={"name": "Zack"}, headers=key)
    assert again.json()["position"] == first.json()["position"]


async def test_mutes_of_both_hold_and_the_person_can_be_unmuted(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    mute = {"kind": "keep_the_rhythm", "until": ago(-30)}
    await bakery.post(f"/v1/contacts/{baker}/mute", mute)
    page = await bakery.get(f"/v1/contacts/{ben}", after=await merge(bakery, ben, baker))
    assert [one["kind"] for one in page["muted"]] == ["keep_the_rhythm"]
    answer = (await bakery.post(f"/v1/contacts/{baker}/mute", mute | {"until": None})).json()
    assert answer["id"] == ben
    assert (await bakery.get(f"/v1/contacts/{ben}", after=answer["position"]))["muted"] == []
    back = await unmerge(bakery, ben, baker)
    assert len((await bakery.get(f"/v1/contacts/{baker}", after=back))["muted"]) == 1


async def test_referrals_of_both_are_one_persons(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    for who, prospect in (("ben@example.com", "Eve"), ("baker@example.com", "Joe")):
        told = REFERRAL | {"referrer": {"email": who}, "prospect": {"name": prospect}}
        made = await bakery.post("/v1/referrals", told)
        assert made.status_code == 201, made.text
    position = await merge(bakery, ben, baker)
    for who in (ben, baker):
        page = await bakery.get("/v1/referrals", referrer=who, after=position)
        assert [row["referrer"]["id"] for row in page["items"]] == [ben, ben]
        assert (await bakery.get(f"/v1/contacts/{who}"))["referrals"]["received"]["referrals"] == 2
        tree = await bakery.get("/v1/referrals/tree", root=who)
        root, *brought = tree["members"]
        assert (root["contact"]["id"], root["referrals"], len(brought)) == (ben, 2, 2)
        ties = (await bakery.get(f"/v1/contacts/{who}/ties"))["items"]
        assert {one["contact"]["name"] for one in ties} == {"Eve", "Joe"}


async def test_a_referral_between_two_who_turn_out_to_be_one_makes_no_chain(bakery: Business):
    ben, eve = await known(bakery, touchpoint("ben@example.com"), touchpoint("eve@example.com"))
    told = REFERRAL | {"prospect": {"email": "eve@example.com"}}
    await bakery.post("/v1/referrals", told)
    tree = await bakery.get("/v1/referrals/tree", after=await merge(bakery, ben, eve))
    assert (tree["members"], tree["also"]) == ([], [])
    assert (await bakery.get(f"/v1/contacts/{ben}/ties"))["items"] == []


async def test_ties_lead_to_the_one_that_stands(bakery: Business):
    ben, baker, eve = await known(
        bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"), touchpoint("eve@example.com")
    )
    for who in (ben, baker):
        await bakery.post("/v1/ties", {"between": [{"contact_id": eve}, {"contact_id": who}]})
    await known(bakery, touchpoint("ben@example.com", "baker@example.com", "eve@example.com"))
    [tie] = (await bakery.get(f"/v1/contacts/{eve}/ties", after=await merge(bakery, ben, baker)))["items"]
    assert (tie["contact"]["id"], tie["together"]) == (ben, 1)


async def test_appointments_are_with_the_person(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    both = await planned(bakery, "ben@example.com", "baker@example.com")
    position = await merge(bakery, ben, baker)
    [shown] = (await bakery.get("/v1/appointments", after=position))["items"]
    assert (shown["id"], [one["contact_id"] for one in shown["people"]]) == (both, [ben])
    for who in (ben, baker):
        assert (await bakery.get(f"/v1/contacts/{who}", after=position))["next_appointment"]["id"] == both


async def test_nudges_of_a_merged_contact_are_the_persons_and_nothing_is_suggested_for_it(bakery: Business):
    await bakery.open_always()
    baker, *_ = await known(bakery, *friendship("baker@example.com", name="Zack"))
    await bakery.settled()
    [nudge] = (await bakery.get("/v1/nudges"))["items"]
    assert nudge["contact_id"] == baker
    [ben] = await known(bakery, touchpoint("ben@example.com", occurred_at=ago(3)))
    await patched(bakery, ben, name="Ben")
    await merge(bakery, ben, baker)
    await bakery.settled()
    [shown] = (await bakery.get("/v1/nudges"))["items"]
    assert (shown["id"], shown["contact_id"], shown["contact_name"]) == (nudge["id"], ben, "Ben")
    assert "You and Ben" in shown["reason"]
    await bakery.post(f"/v1/nudges/{nudge['id']}/dismiss")
    await known(bakery, touchpoint("baker@example.com", occurred_at=ago(0.01)))
    await bakery.settled()
    assert (await bakery.get("/v1/nudges"))["items"] == [], "a no to the one is a no to the other"


async def test_what_was_done_with_the_one_ends_the_nudges_of_both(bakery: Business):
    await bakery.open_always()
    people = await known(
        bakery, *friendship("ben@example.com", name="Ben"), *friendship("baker@example.com", name="Zack")
    )
    await bakery.settled()
    assert len((await bakery.get("/v1/nudges"))["items"]) == 2
    await merge(bakery, people[0], people[-1])
    await bakery.tell(
        touchpoint("baker@example.com", kind="meeting", channel="cafe", direction="mutual", occurred_at=ago(0))
    )
    await bakery.settled()
    assert {one["state"] for one in (await bakery.get("/v1/nudges", state="all"))["items"]} == {"done"}


async def test_the_feed_tells_who_was_merged_and_told_apart(bakery: Business, florist: Business):
    ben, baker, ann = await known(
        bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"), touchpoint("ann@example.com")
    )
    await merge(bakery, ben, baker)
    await unmerge(bakery, ben, baker)
    apart = await bakery.post("/v1/contacts/not-the-same", {"contact_ids": [ben, ann]})
    assert apart.status_code == 200
    feed = (await bakery.get("/v1/events"))["items"][-3:]
    both = {"contact_id": ben, "merged_id": baker}
    assert [(item["type"], item["data"]) for item in feed] == [
        ("contact.merged", both),
        ("contact.unmerged", both),
        ("contacts.told_apart", {"contact_ids": sorted([ben, ann])}),
    ]
    assert (await florist.get("/v1/events"))["items"] == []


async def test_webhooks_are_told_of_a_merge(bakery: Business, florist: Business):
    for business in (bakery, florist):
        wanted = {"url": "http://127.0.0.1:9/", "types": ["contact.merged", "contact.unmerged"]}
        assert (await business.post("/v1/webhook-endpoints", wanted)).status_code == 201
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    await merge(bakery, ben, baker)
    await unmerge(bakery, ben, baker)
    await bakery.settled()
    told = (await bakery.get("/v1/webhook-deliveries"))["items"]
    assert sorted(one["type"] for one in told) == ["contact.merged", "contact.unmerged"]
    assert (await florist.get("/v1/webhook-deliveries"))["items"] == []


async def test_looking_back_before_the_merge_there_were_two(bakery: Business):
    ben, baker = await known(bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"))
    await bakery.settled()
    before = (await bakery.get("/v1/events"))["items"][-1]["recorded_at"]
    position = await merge(bakery, ben, baker)
    assert [row["id"] for row in (await bakery.get("/v1/contacts", after=position))["items"]] == [ben]
    past = await bakery.get("/v1/contacts", at=before)
    assert {row["id"] for row in past["items"]} == {ben, baker}
    assert (await bakery.get(f"/v1/contacts/{baker}", at=before))["id"] == baker
    assert (await bakery.get(f"/v1/contacts/{baker}"))["id"] == ben


async def test_what_cannot_be_is_refused_and_nothing_is_changed(bakery: Business, florist: Business):
    ben, baker, ann = await known(
        bakery, touchpoint("ben@example.com"), touchpoint("baker@example.com"), touchpoint("ann@example.com")
    )
    [theirs] = await known(florist, touchpoint("joe@example.com"))
    await merge(bakery, ben, baker)
    log = (await bakery.get("/v1/events"))["position"]
    for path, body, status, detail in [
        (f"{ben}/merge", {"contact_ids": [ann, ben]}, 400, "itself"),
        (f"{ben}/merge", {"contact_ids": [ann, NOBODY]}, 404, "no such"),
        (f"{ben}/merge", {"contact_ids": [ann, theirs]}, 404, "no such"),
        (f"{theirs}/merge", {"contact_ids": [ann]}, 404, "no such"),
        (f"{baker}/merge", {"contact_ids": [ann, ben]}, 409, "circle"),
        (f"{ann}/merge", {"contact_ids": [baker]}, 409, f"into {ben}"),
        (f"{ben}/merge", {"contact_ids": []}, 400, ""),
        (f"{ben}/merge", {"contact_ids": ["ann"]}, 400, ""),
        (f"{ben}/merge", {"contact_ids": [ann], "force": True}, 400, "force"),
        (f"{ben}/unmerge", {"contact_id": ann}, 409, "not merged"),
        (f"{ann}/unmerge", {"contact_id": baker}, 409, f"into {ben}"),
        (f"{ben}/unmerge", {"contact_id": theirs}, 404, "no such"),
        (f"{ben}/unmerge", {}, 400, "contact_id"),
        ("not-the-same", {"contact_ids": [ben, baker]}, 409, "unmerge"),
        ("not-the-same", {"contact_ids": [ann, ann]}, 400, "two"),
        ("not-the-same", {"contact_ids": [ann]}, 400, ""),
        ("not-the-same", {"contact_ids": [ann, theirs]}, 404, "no such"),
        ("merges", {"pairs": []}, 400, ""),
        ("merges", {"pairs": [{"contact_id": ben}]}, 400, ""),
    ]:
        answer = await bakery.post(f"/v1/contacts/{path}", body)
        assert answer.status_code == status, (path, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert detail in answer.json()["detail"] + str(answer.json().get("field")), answer.text
    assert (await bakery.get("/v1/events"))["position"] == log


async def test_pairs_are_merged_each_by_itself(bakery: Business, florist: Business):
    ben, baker, ann, eve = await known(bakery, *(touchpoint(f"{who}@example.com") for who in "abcd"))
    [theirs] = await known(florist, touchpoint("joe@example.com"))
    pairs = [(ben, baker), (ben, theirs), (baker, ann), (ann, ben), (ben, baker), (eve, eve)]
    body = {"pairs": [{"contact_id": into, "merged_id": who} for into, who in pairs]}
    answer = await bakery.post("/v1/contacts/merges", body)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [
        "recorded", "rejected", "recorded", "rejected", "rejected", "rejected",
    ]  # fmt: skip
    assert [one.get("problem", {}).get("status") for one in results] == [None, 404, None, 409, 409, 400]
    page = await bakery.get(f"/v1/contacts/{ann}", after=answer.json()["position"])
    assert (page["id"], [one["id"] for one in page["merged"]]) == (ben, [baker, ann])
    again = await bakery.post("/v1/contacts/merges", {"pairs": body["pairs"][:1]})
    assert [one["status"] for one in again.json()["results"]] == ["duplicate"]
    refused = await bakery.post("/v1/contacts/merges", {"pairs": body["pairs"][1:2]})
    assert refused.status_code == 422


async def test_an_undone_import_leaves_those_who_were_merged(bakery: Business):
    met = (f"meeting,2026-05-06,{who},cafe\n" for who in ("Ana <ana@mill.example>", "Al <al@mill.example>"))
    imported = await dried(bakery, "kind,when,who,where\n" + "".join(met))
    await bakery.post(f"/v1/imports/{imported}/start", {"unsure": "business"})
    await rested(bakery, imported)
    await bakery.settled()
    both = {row["name"]: row["id"] for row in (await bakery.get("/v1/contacts"))["items"]}
    await bakery.seen(await merge(bakery, both["Ana"], both["Al"]))
    await bakery.post(f"/v1/imports/{imported}/undo")
    await rested(bakery, imported)
    await bakery.settled()
    [row] = (await bakery.get("/v1/contacts"))["items"]
    assert (row["id"], row["touchpoints"]) == (both["Ana"], 0)
