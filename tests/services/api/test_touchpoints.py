"""Recording touchpoints: one, several, line by line; and taking one back."""

import asyncio
import json

from tests.road import Business
from tests.services.api.told import NOBODY, touchpoint


async def test_one_object_is_recorded_with_its_person(bakery: Business, florist: Business):
    answer = await bakery.post("/v1/touchpoints", touchpoint())
    assert answer.status_code == 200
    assert set(answer.json()) == {"results", "position"}
    [result] = answer.json()["results"]
    assert set(result) == {"status", "event_id", "contact_ids", "position"}
    assert result["status"] == "recorded"
    assert result["position"] == answer.json()["position"]

    listed = await bakery.get("/v1/contacts", after=result["position"])
    assert [contact["id"] for contact in listed["items"]] == result["contact_ids"]
    assert (await florist.get("/v1/contacts"))["items"] == []


async def test_an_array_is_recorded_in_its_order(bakery: Business):
    answer = await bakery.post("/v1/touchpoints", [touchpoint(f"guest{n}@example.com") for n in range(5)])
    results = answer.json()["results"]
    positions = [result["position"] for result in results]
    assert [result["status"] for result in results] == ["recorded"] * 5
    assert positions == sorted(set(positions))
    assert answer.json()["position"] == positions[-1]
    assert len({result["contact_ids"][0] for result in results}) == 5


async def test_lines_are_recorded_one_by_one(bakery: Business):
    lines = "\n".join(json.dumps(touchpoint(f"guest{n}@example.com")) for n in range(3)) + "\n\n"
    for media_type in ("application/x-ndjson", "application/jsonl; charset=utf-8"):
        answer = await bakery.client.post("/v1/touchpoints", content=lines, headers={"Content-Type": media_type})
        assert [result["status"] for result in answer.json()["results"]] == ["recorded"] * 3


async def test_a_thousand_are_taken_at_once(bakery: Business):
    answer = await bakery.post("/v1/touchpoints", [touchpoint(f"guest{n % 40}@example.com") for n in range(1000)])
    assert {result["status"] for result in answer.json()["results"]} == {"recorded"}
    listed = await bakery.get("/v1/contacts", after=answer.json()["position"], limit=200)
    assert len(listed["items"]) == 40
    assert sum(contact["touchpoints"] for contact in listed["items"]) == 1000


async def test_each_item_is_judged_by_itself(bakery: Business, florist: Business):
    known = touchpoint(source="mailbox", source_id="1")
    await bakery.tell(known)
    answer = await bakery.post("/v1/touchpoints", [touchpoint(), known, touchpoint(kind="seance"), touchpoint()])
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["recorded", "duplicate", "rejected", "recorded"]
    rejected = results[2]
    assert (rejected["event_id"], rejected["contact_ids"], rejected["position"]) == (None, [], None)
    assert rejected["problem"]["type"] == "urn:rapport:problem:invalid"
    assert (rejected["problem"]["status"], rejected["problem"]["field"]) == (400, "kind")
    assert answer.json()["position"] == results[3]["position"]
    assert (await florist.get("/v1/events"))["items"] == []


async def test_nothing_recorded_is_422_with_the_results(bakery: Business):
    answer = await bakery.post("/v1/touchpoints", [touchpoint(kind="seance"), 5])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["position"] is None
    assert [result["status"] for result in answer.json()["results"]] == ["rejected"] * 2


async def test_nothing_but_known_ones_is_200_with_their_places(bakery: Business):
    known = [touchpoint(source="mailbox", source_id=str(n)) for n in range(3)]
    first = (await bakery.post("/v1/touchpoints", known)).json()
    again = await bakery.post("/v1/touchpoints", known)
    assert again.status_code == 200
    assert again.json()["position"] == first["position"]
    assert again.json()["results"] == [result | {"status": "duplicate"} for result in first["results"]]


async def test_the_same_source_id_with_other_content_is_a_conflict(bakery: Business, florist: Business):
    told = touchpoint(source="mailbox", source_id="1")
    await bakery.tell(told)
    answer = await bakery.post("/v1/touchpoints", [touchpoint(), told | {"minutes": 5}])
    [recorded, refused] = answer.json()["results"]
    assert recorded["status"] == "recorded"
    assert refused["status"] == "rejected"
    assert (refused["problem"]["status"], refused["problem"]["field"]) == (409, "source_id")
    assert refused["problem"]["type"] == "urn:rapport:problem:conflict"
    [result] = await florist.tell(told | {"minutes": 5})
    assert result["status"] == "recorded"


async def test_the_same_item_twice_in_one_batch_is_recorded_once(bakery: Business):
    told = touchpoint(source="mailbox", source_id="1")
    answer = await bakery.post("/v1/touchpoints", [told, told, told | {"minutes": 5}])
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["recorded", "duplicate", "rejected"]
    assert results[0]["contact_ids"] == results[1]["contact_ids"]


async def test_the_same_item_twenty_times_at_once_is_recorded_once(bakery: Business):
    told = touchpoint("new@example.com", source="mailbox", source_id="1")
    answers = await asyncio.gather(*(bakery.post("/v1/touchpoints", told) for _ in range(20)))
    results = [answer.json()["results"][0] for answer in answers]
    assert sorted(result["status"] for result in results) == ["duplicate"] * 19 + ["recorded"]
    assert len({(result["event_id"], result["position"], *result["contact_ids"]) for result in results}) == 1


async def test_twenty_strangers_who_write_at_once_are_one_contact(bakery: Business):
    answers = await asyncio.gather(*(bakery.post("/v1/touchpoints", touchpoint("new@example.com")) for _ in range(20)))
    assert len({answer.json()["results"][0]["contact_ids"][0] for answer in answers}) == 1


async def test_people_are_known_by_their_identities_however_they_are_written(bakery: Business, florist: Business):
    spellings = [{"email": "Ana@Example.com", "name": "Ana"}, {"email": " ana@example.COM"}]
    spellings += [
        {"platform": "email", "handle": "ANA@example.com"},
        {"platform": "Email", "handle": "ana@example.com"},
    ]
    results = await bakery.tell(*(touchpoint(**{"with": [who]}) for who in spellings))
    assert len({result["contact_ids"][0] for result in results}) == 1
    contact = await bakery.get(f"/v1/contacts/{results[0]['contact_ids'][0]}")
    assert contact["name"] == "Ana"
    assert contact["identities"] == [{"platform": "email", "handle": "ana@example.com"}]
    [elsewhere] = await florist.tell(touchpoint(**{"with": [spellings[0]]}))
    assert elsewhere["contact_ids"] != results[0]["contact_ids"]


async def test_handles_and_profile_addresses_are_one_person(bakery: Business):
    handles = ["@Ana-Bakes", "https://www.linkedin.com/in/ana-bakes/", "ana-bakes"]
    results = await bakery.tell(
        *(touchpoint(**{"with": [{"platform": "linkedin", "handle": handle}]}) for handle in handles)
    )
    assert len({result["contact_ids"][0] for result in results}) == 1


async def test_phone_numbers_are_read_in_the_tenants_country(bakery: Business, florist: Business):
    for business, numbers in ((bakery, ["(503) 555-0100", "+15035550100"]), (florist, ["030 901820", "+4930901820"])):
        results = await business.tell(*(touchpoint(**{"with": [{"phone": number}]}) for number in numbers))
        assert results[0]["contact_ids"] == results[1]["contact_ids"]
        contact = await business.get(f"/v1/contacts/{results[0]['contact_ids'][0]}")
        assert contact["identities"] == [{"platform": "phone", "handle": numbers[1]}]


async def test_a_name_alone_opens_a_new_contact_each_time(bakery: Business):
    ana = touchpoint(kind="handshake", channel="chamber", **{"with": [{"name": "Ana", "hint": "the baker's sister"}]})
    first, second = await bakery.tell(ana, ana)
    assert first["contact_ids"] != second["contact_ids"]
    contact = await bakery.get(f"/v1/contacts/{first['contact_ids'][0]}")
    assert (contact["name"], contact["hint"], contact["identities"]) == ("Ana", "the baker's sister", [])


async def test_a_contact_is_known_by_its_id(bakery: Business):
    [first] = await bakery.tell(touchpoint())
    [again] = await bakery.tell(touchpoint(**{"with": [{"contact_id": first["contact_ids"][0]}]}))
    assert again["contact_ids"] == first["contact_ids"]


async def test_people_are_answered_in_the_order_they_were_named(bakery: Business):
    one = await bakery.tell(touchpoint("a@example.com", "b@example.com", "c@example.com"))
    other = await bakery.tell(touchpoint("c@example.com", "a@example.com"))
    ids = one[0]["contact_ids"]
    assert other[0]["contact_ids"] == [ids[2], ids[0]]


async def test_all_that_was_told_comes_back_in_the_timeline(bakery: Business):
    told = touchpoint(
        "ana@example.com", "ben@example.com", kind="meeting", channel="cafe", direction="mutual", act="give",
        about="them", minutes=45, depth=2, audience=2, automated=False, topics=["flour", "rye"], note="rye ☕",
        source="notebook", source_id="17", occurred_at="2026-05-06T10:15:00+02:00",
    )  # fmt: skip
    [result] = await bakery.tell(told)
    for who in result["contact_ids"]:
        [moment] = (await bakery.get(f"/v1/contacts/{who}/timeline"))["items"]
        for field in told.keys() - {"with", "occurred_at"}:
            assert moment[field] == told[field], field
        assert moment["occurred_at"] == "2026-05-06T08:15:00Z"
        assert moment["event_id"] == result["event_id"]
        assert moment["contact_ids"] == result["contact_ids"]
        assert moment["position"] == result["position"]
        assert moment["struck"] is False


async def test_a_post_to_nobody_is_a_touchpoint_of_its_channel(bakery: Business, florist: Business):
    post = touchpoint(kind="post", channel="newsletter", act="give", audience=240, **{"with": []})
    del post["with"]
    [result] = await bakery.tell(post)
    assert result["contact_ids"] == []
    assert (await bakery.get("/v1/contacts"))["items"] == []
    [channel] = (await bakery.get("/v1/channels"))["items"]
    counts = {
        name: channel[name] for name in ("slug", "contacts", "touchpoints", "posts", "reach", "gives", "promotes")
    }
    assert counts == {
        "slug": "newsletter", "contacts": 0, "touchpoints": 1, "posts": 1, "reach": 240, "gives": 1, "promotes": 0,
    }  # fmt: skip
    assert (await florist.get("/v1/channels"))["items"] == []


async def test_unknown_channels_are_opened_by_the_table(bakery: Business):
    await bakery.tell(
        touchpoint(channel="rotary-club"), touchpoint(channel="linkedin"), touchpoint(channel="somewhere")
    )
    channels = (await bakery.get("/v1/channels"))["items"]
    assert {channel["slug"]: channel["realm"] for channel in channels} == {
        "linkedin": "virtual",
        "rotary-club": "physical",
        "somewhere": "virtual",
    }


async def test_a_struck_touchpoint_counts_no_more_and_stays_in_sight(bakery: Business, florist: Business):
    told = touchpoint(kind="meeting", channel="cafe", direction="mutual")
    [kept, wrong] = await bakery.tell(touchpoint(), told)
    [other] = await florist.tell(told)
    who = kept["contact_ids"][0]
    before = await bakery.get(f"/v1/contacts/{who}/strength")
    assert (await bakery.get(f"/v1/contacts/{who}"))["half"] == "both"

    answer = await bakery.post(f"/v1/touchpoints/{wrong['event_id']}/strike", {"why": "it was another Ana"})
    assert answer.status_code == 200
    position = answer.json()["position"]
    contact = await bakery.get(f"/v1/contacts/{who}", after=position)
    assert (contact["half"], contact["met_at"], contact["touchpoints"]) == ("online_only", None, 1)
    assert (await bakery.get(f"/v1/contacts/{who}/strength"))["score"] < before["score"]
    timeline = (await bakery.get(f"/v1/contacts/{who}/timeline"))["items"]
    assert {moment["event_id"]: moment["struck"] for moment in timeline} == {
        kept["event_id"]: False,
        wrong["event_id"]: True,
    }
    channels = (await bakery.get("/v1/channels", after=position))["items"]
    assert {channel["slug"]: channel["touchpoints"] for channel in channels} == {"cafe": 0, "email": 1}
    [elsewhere] = (await florist.get("/v1/contacts"))["items"]
    assert (elsewhere["half"], elsewhere["id"]) == ("in_person_only", other["contact_ids"][0])


async def test_a_second_strike_changes_nothing(bakery: Business):
    [result] = await bakery.tell(touchpoint())
    first = await bakery.post(f"/v1/touchpoints/{result['event_id']}/strike")
    again = await bakery.post(f"/v1/touchpoints/{result['event_id']}/strike", {"why": "again"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert [item["type"] for item in (await bakery.get("/v1/events", types="touchpoint.struck"))["items"]] == [
        "touchpoint.struck"
    ]


async def test_what_is_not_there_cannot_be_struck(bakery: Business):
    answer = await bakery.post(f"/v1/touchpoints/{NOBODY}/strike", {})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no such touchpoint"
