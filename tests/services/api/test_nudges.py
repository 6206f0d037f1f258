"""Nudges: suggested with their reasons, and what people answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, ago, friendship, touchpoint


async def nudged(business: Business, *addresses: str) -> list[dict[str, Any]]:
    """The open nudges, once each of these is an online friend."""
    await business.open_always()
    for address in addresses:
        await business.tell(*friendship(address, name=address.partition("@")[0].title()))
    await business.settled()
    return list((await business.get("/v1/nudges"))["items"])


async def state(business: Business, nudge: dict[str, Any], position: int | None = None) -> str:
    after = {} if position is None else {"after": position}
    listed = (await business.get("/v1/nudges", state="all", **after))["items"]
    return next(str(one["state"]) for one in listed if one["id"] == nudge["id"])


async def test_an_online_friend_who_was_never_met_is_worth_a_nudge(bakery: Business, florist: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    assert set(nudge) == {
        "id", "kind", "state", "priority", "contact_id", "contact_name", "title", "reason", "why", "numbers",
        "touchpoint_ids", "referral_id", "question", "suggested_at", "expires_at", "snoozed_until", "ended_at",
        "because", "done_by",
    }  # fmt: skip
    assert (nudge["kind"], nudge["state"], nudge["contact_name"]) == ("meet_in_person", "suggested", "Ben")
    assert nudge["question"] == "within reach?"
    strength = await bakery.get(f"/v1/contacts/{nudge['contact_id']}/strength")
    assert nudge["numbers"]["score"] == strength["score"]
    assert f"strength {strength['score']:g}" in nudge["reason"]
    assert "Ben" in nudge["reason"]
    timeline = (await bakery.get(f"/v1/contacts/{nudge['contact_id']}/timeline"))["items"]
    assert set(nudge["touchpoint_ids"]) <= {moment["event_id"] for moment in timeline}
    lasts = datetime.fromisoformat(nudge["expires_at"]) - datetime.fromisoformat(nudge["suggested_at"])
    assert lasts == timedelta(days=21)
    assert (await florist.get("/v1/nudges", state="all"))["items"] == []


async def test_who_lives_near_needs_no_question(bakery: Business):
    await bakery.post(
        "/v1/contacts",
        {"name": "Ben", "identities": [{"platform": "email", "handle": "ben@example.com"}], "locality": "portland"},
    )
    [nudge] = await nudged(bakery, "ben@example.com")
    assert nudge["question"] is None


async def test_whom_our_people_know_as_we_were_told_is_a_shared_contact(bakery: Business, florist: Business):
    """By ties and in shared touchpoints, each once; another business's ties are its own."""
    await bakery.tell(
        touchpoint("ben@example.com", "joe@example.com", occurred_at=ago(2)), touchpoint("zoe@example.com")
    )
    for business, others in ((bakery, ("joe", "zoe")), (florist, ("ann", "eve", "pat"))):
        for other in others:
            between = [{"email": "ben@example.com"}, {"email": f"{other}@example.com"}]
            assert (await business.post("/v1/ties", {"between": between})).is_success
    [nudge] = await nudged(bakery, "ben@example.com")
    assert nudge["numbers"]["shared_contacts"] == 2
    assert "You share 2 contacts." in nudge["reason"]


async def test_who_lives_far_away_is_left_alone(bakery: Business):
    await bakery.post(
        "/v1/contacts",
        {"name": "Ben", "identities": [{"platform": "email", "handle": "ben@example.com"}], "locality": "Berlin"},
    )
    assert await nudged(bakery, "ben@example.com") == []


@pytest.mark.parametrize(
    ("act", "body", "then"),
    [
        ("accept", {"within_reach": "yes"}, "accepted"),
        ("accept", None, "accepted"),
        ("accept", {"within_reach": "no"}, "dismissed"),
        ("accept", {"within_reach": "unknown"}, "dismissed"),
        ("snooze", {"until": ago(-10)}, "snoozed"),
        ("dismiss", None, "dismissed"),
        ("dismiss", {"reason": "we talked"}, "dismissed"),
        ("done", None, "done"),
        ("done", {"channel": "cafe", "minutes": 45, "note": "good coffee"}, "done"),
    ],
    ids=lambda part: str(part)[:20],
)
async def test_each_answer_is_taken_once(
    bakery: Business, florist: Business, act: str, body: dict[str, Any] | None, then: str
):
    [nudge] = await nudged(bakery, "ben@example.com")
    [other] = await nudged(florist, "ben@example.com")
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/{act}", body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"id", "position"}
    assert answer.json()["id"] == nudge["id"]
    assert await state(bakery, nudge, answer.json()["position"]) == then
    await bakery.settled()
    written = (await bakery.get("/v1/events"))["position"]
    again = await bakery.post(f"/v1/nudges/{nudge['id']}/{act}", body)
    assert again.status_code == (409 if (act, then) == ("accept", "dismissed") else 200)
    await bakery.settled()
    assert (await bakery.get("/v1/events"))["position"] == written + (act == "snooze")
    assert await state(florist, other) == "suggested"


async def test_the_answer_within_reach_is_kept_with_the_contact(bakery: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/accept", {"within_reach": "no"})
    contact = await bakery.get(f"/v1/contacts/{nudge['contact_id']}", after=answer.json()["position"])
    assert contact["within_reach"] == "no"


async def test_done_records_what_was_done(bakery: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    told = {"kind": "meeting", "channel": "cafe", "minutes": 45, "note": "good coffee", "occurred_at": ago(-0.01)}
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/done", told)
    position = answer.json()["position"]
    [done] = (await bakery.get("/v1/nudges", state="done", after=position))["items"]
    newest = (await bakery.get(f"/v1/contacts/{nudge['contact_id']}/timeline", after=position))["items"][0]
    assert done["done_by"] == newest["event_id"]
    assert (newest["kind"], newest["minutes"], newest["note"]) == ("meeting", 45, "good coffee")
    contact = await bakery.get(f"/v1/contacts/{nudge['contact_id']}", after=position)
    assert (contact["half"], contact["met_at"]) == ("both", newest["occurred_at"])
    await bakery.settled()
    assert len((await bakery.get("/v1/events", types="nudge.done"))["items"]) == 1


async def test_a_meeting_told_as_a_touchpoint_is_seen_as_done(bakery: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    [met] = await bakery.tell(
        touchpoint("ben@example.com", kind="meeting", channel="cafe", direction="mutual", occurred_at=ago(-0.01))
    )
    await bakery.settled()
    [done] = (await bakery.get("/v1/nudges", state="done"))["items"]
    assert (done["id"], done["done_by"]) == (nudge["id"], met["event_id"])


async def test_an_ended_nudge_takes_no_other_answer(bakery: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    await bakery.post(f"/v1/nudges/{nudge['id']}/dismiss")
    for act, body in (("accept", None), ("snooze", {"until": ago(-1)}), ("done", None)):
        answer = await bakery.post(f"/v1/nudges/{nudge['id']}/{act}", body)
        assert answer.status_code == 409, act
        assert answer.json()["type"] == "urn:rapport:problem:refused"
        assert answer.json()["detail"] == "this nudge is dismissed"


async def test_a_snoozed_nudge_is_out_of_sight_until_its_time(bakery: Business):
    [nudge] = await nudged(bakery, "ben@example.com")
    until = datetime.now(UTC) + timedelta(seconds=1.5)
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/snooze", {"until": until.isoformat()})
    await bakery.seen(answer.json()["position"])
    assert (await bakery.get("/v1/nudges"))["items"] == []
    [snoozed] = (await bakery.get("/v1/nudges", state="snoozed"))["items"]
    assert datetime.fromisoformat(snoozed["snoozed_until"]) == until
    while datetime.now(UTC) < until:
        [_] = (await bakery.get("/v1/nudges", state="snoozed"))["items"]
    [back] = (await bakery.get("/v1/nudges"))["items"]
    assert back["id"] == nudge["id"]


@pytest.mark.parametrize("days_ago", [1, -181])
async def test_a_snooze_is_to_a_time_within_180_days(bakery: Business, days_ago: int):
    [nudge] = await nudged(bakery, "ben@example.com")
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/snooze", {"until": ago(days_ago)})
    assert (answer.status_code, answer.json()["field"]) == (400, "until")


@pytest.mark.parametrize(
    "change", [{"channel": "The Café"}, {"occurred_at": ago(-2)}, {"occurred_at": "1899-01-01T00:00:00Z"}]
)
async def test_what_cannot_be_recorded_does_not_end_a_nudge(bakery: Business, change: dict[str, str]):
    [nudge] = await nudged(bakery, "ben@example.com")
    answer = await bakery.post(f"/v1/nudges/{nudge['id']}/done", change)
    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(change)))
    assert await state(bakery, nudge) == "suggested"


async def test_three_a_day_over_as_many_pages_as_asked(bakery: Business, florist: Business):
    shown = await nudged(bakery, *(f"friend{n}@example.com" for n in range(5)))
    assert len(shown) == 3
    await nudged(florist, "friend0@example.com")
    for limit in (1, 2, 3):
        seen, cursor = [], None
        while True:
            page = await bakery.get("/v1/nudges", limit=limit, **({"cursor": cursor} if cursor else {}))
            assert set(page) == {"items", "next", "position"}
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == shown


@pytest.mark.parametrize("act", ["accept", "snooze", "dismiss", "done"])
async def test_nothing_is_answered_to_no_nudge(bakery: Business, act: str):
    answer = await bakery.post(f"/v1/nudges/{NOBODY}/{act}", {"until": ago(-1)} if act == "snooze" else {})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no such nudge"
