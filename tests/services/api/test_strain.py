"""What a complaint does to a contact, and what the same words to many weigh, as the API shows it."""

from datetime import datetime, timedelta

from tests.road import Business
from tests.services.api.told import ago, touchpoint


async def test_a_complaint_shows_until_when_it_strains_and_in_a_list(bakery: Business, florist: Business):
    await florist.tell(touchpoint("cy@example.com", kind="dispute", direction="in", occurred_at=ago(3)))
    told = await bakery.tell(
        touchpoint("ann@example.com"),
        touchpoint("bob@example.com", kind="complaint", direction="in", occurred_at=ago(30)),
        touchpoint("cat@example.com", kind="dispute", direction="mutual", occurred_at=ago(91)),
    )
    ann, bob, cat = (one["contact_ids"][0] for one in told)
    until = (await bakery.get(f"/v1/contacts/{bob}"))["strained_until"]
    ends_in = datetime.fromisoformat(until) - datetime.fromisoformat(ago(0))
    assert timedelta(days=59.9) < ends_in < timedelta(days=60.1)
    assert (await bakery.get(f"/v1/contacts/{cat}"))["strained_until"] is None
    assert [one["id"] for one in (await bakery.get("/v1/contacts", strained=True))["items"]] == [bob]
    assert {one["id"] for one in (await bakery.get("/v1/contacts", strained=False))["items"]} == {ann, cat}

    struck = await bakery.post(f"/v1/touchpoints/{told[1]['event_id']}/strike", {"why": "it was somebody else"})
    await bakery.seen(struck.json()["position"])
    assert (await bakery.get(f"/v1/contacts/{bob}"))["strained_until"] is None
    assert (await bakery.get("/v1/contacts", strained=True))["items"] == []
    assert len((await florist.get("/v1/contacts", strained=True))["items"]) == 1


async def test_strain_as_of_a_day_is_of_what_had_happened_by_then(bakery: Business):
    told = await bakery.tell(
        touchpoint("bob@example.com", kind="complaint", direction="in", occurred_at=ago(100)),
        touchpoint("bob@example.com", occurred_at=ago(200)),
    )
    path = f"/v1/contacts/{told[0]['contact_ids'][0]}/strength"
    for days, strained in ((0, False), (20, True), (99, True), (101, False)):
        assert ((await bakery.get(path, true_at=ago(days)))["strained_until"] is not None) == strained, days


async def test_the_same_words_to_five_are_marked_and_weigh_nothing(bakery: Business, florist: Business):
    note = "Dear customer, our new cakes are here, come and try them."
    people = [f"{name}@example.com" for name in ("ann", "bob", "cat", "dan", "eve")]
    told = await bakery.tell(*(touchpoint(who, note=note, occurred_at=ago(3)) for who in people))
    own = await bakery.tell(touchpoint(people[0], note="Dear Ann, did the cake arrive in one piece?"))
    few = await florist.tell(*(touchpoint(who, note=note, occurred_at=ago(3)) for who in people[:4]))
    ann = told[0]["contact_ids"][0]
    moments = (await bakery.get(f"/v1/contacts/{ann}/timeline"))["items"]
    assert {one["event_id"]: one["bulk"] for one in moments} == {told[0]["event_id"]: True, own[0]["event_id"]: False}
    assert (await bakery.get(f"/v1/contacts/{ann}/strength"))["contact_days"] == 1
    bob = await bakery.get(f"/v1/contacts/{told[1]['contact_ids'][0]}/strength")
    assert (bob["score"], bob["stage"], bob["contact_days"]) == (0, "named_only", 0)
    assert (await florist.get(f"/v1/contacts/{few[0]['contact_ids'][0]}/strength"))["contact_days"] == 1


async def test_what_was_known_then_knew_of_no_mailing_and_no_complaint(bakery: Business, florist: Business):
    note = "Dear customer, our new cakes are here, come and try them."
    people = [f"{name}@example.com" for name in ("ann", "bob", "cat", "dan", "eve")]
    told = await bakery.tell(*(touchpoint(who, note=note, occurred_at=ago(3)) for who in people[:4]))
    await florist.tell(touchpoint(people[4], note=note, occurred_at=ago(3)))
    who = told[0]["contact_ids"][0]
    then = ago(0)
    await bakery.tell(
        touchpoint(people[4], note=note, occurred_at=ago(3)),
        touchpoint(people[0], kind="complaint", direction="in", occurred_at=ago(1)),
    )
    now = await bakery.get(f"/v1/contacts/{who}/strength")
    known = await bakery.get(f"/v1/contacts/{who}/strength", at=then)
    assert (now["contact_days"], known["contact_days"]) == (0, 1)
    assert (now["strained_until"] is not None, known["strained_until"]) == (True, None)
    assert (await bakery.get(f"/v1/contacts/{who}", at=then))["strained_until"] is None
    weeks = (await bakery.get(f"/v1/contacts/{who}/strength/history", at=then))["items"]
    assert weeks[-1]["score"] == known["score"] > now["score"]
