"""The policy of nudges over the road, and the kinds that came with it: from what happened to the words."""

from typing import Any

import pytest

from tests.road import ALWAYS_OPEN, Business
from tests.services.api.told import NOBODY, ago, friendship, touchpoint

STANDARD = {
    "a_day": 3,
    "a_week": 9,
    "rest_days": 14,
    "quiet_hours": {"from": "19:00", "until": "08:00"},
    "opening_days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    "holidays": True,
    "region": None,
    "away": [],
    "kinds": {
        "thank_referrer": {"on": True, "rest_days": None},
        "meet_in_person": {"on": True, "rest_days": None},
        "keep_the_rhythm": {"on": True, "rest_days": None},
    },
}


def weekly(address: str, *, silent: float = 14, **more: Any) -> list[dict[str, Any]]:
    """A long call a week, by phone and in the shop, the last one so many days ago."""
    return [
        touchpoint(kind="call", direction="mutual", channel=("phone", "chamber")[week % 2], minutes=40,
                   occurred_at=ago(silent + 7 * week), **{"with": [{"email": address, "name": "Ana"}]}, **more)
        for week in range(14)
    ]  # fmt: skip


async def put(business: Business, body: Any) -> Any:
    return await business.client.put("/v1/nudge-policy", json=body)


async def nudges(business: Business, state: str = "open") -> list[dict[str, Any]]:
    await business.settled()
    return list((await business.get("/v1/nudges", state=state))["items"])


async def test_the_standard_policy_and_a_change_of_it(bakery: Business, florist: Business):
    before = await bakery.get("/v1/nudge-policy")
    assert set(before) == {"policy", "set_at", "open_now", "opens_at", "slowed", "position"}
    assert (before["policy"], before["set_at"], before["slowed"]) == (STANDARD, None, [])
    answer = await put(bakery, {"a_day": 1, "region": "OR", "kinds": {"meet_in_person": {"rest_days": 90}}})
    assert answer.status_code == 200, answer.text
    after = await bakery.get("/v1/nudge-policy", after=answer.json()["position"])
    kinds = STANDARD["kinds"] | {"meet_in_person": {"on": True, "rest_days": 90}}
    assert after["policy"] == STANDARD | {"a_day": 1, "region": "OR", "kinds": kinds}
    assert after["set_at"] is not None
    again = await put(bakery, {"a_day": 1, "region": "OR", "kinds": {"meet_in_person": {"rest_days": 90}}})
    assert again.json() == answer.json()
    [change] = (await bakery.get("/v1/events", types="nudge_policy.changed"))["items"]
    assert change["data"]["policy"]["quiet_hours"] == {"from": "19:00", "until": "08:00"}
    assert (await put(bakery, {})).json()["position"] == answer.json()["position"] + 1
    assert (await florist.get("/v1/nudge-policy"))["policy"] == STANDARD


async def test_a_policy_without_quiet_hours_is_open_now(bakery: Business):
    await bakery.open_always()
    shown = await bakery.get("/v1/nudge-policy")
    assert shown["policy"] == STANDARD | ALWAYS_OPEN
    assert shown["open_now"]
    assert shown["opens_at"] is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"a_day": 21}, "a_day"),
        ({"a_day": "3"}, "a_day"),
        ({"a_week": -1}, "a_week"),
        ({"rest_days": 0}, "rest_days"),
        ({"quiet_hours": {"from": "24:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"to": "08:00"}}, "quiet_hours.to"),
        ({"opening_days": []}, "opening_days"),
        ({"opening_days": ["monday", "Tuesday"]}, "opening_days[1]"),
        ({"opening_days": ["monday", "monday"]}, "opening_days"),
        ({"region": "ZZ"}, "region"),
        ({"away": [{"from": "2026-08-03", "until": "2026-08-02"}]}, "away[0].until"),
        ({"away": [{"from": "2026-08-03"}]}, "away[0].until"),
        ({"kinds": {"spam": {}}}, "kinds.spam"),
        ({"kinds": {"meet_in_person": {"on": "no"}}}, "kinds.meet_in_person.on"),
        ({"nights": True}, "nights"),
    ],
    ids=str,
)
async def test_a_bad_policy_is_refused_with_its_field(bakery: Business, body: Any, field: str):
    answer = await put(bakery, body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert (await bakery.get("/v1/nudge-policy"))["policy"] == STANDARD


async def test_the_rhythm_from_the_silence_to_the_call(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.open_always()
    await bakery.tell(*weekly("ana@example.com", topics=["flour", "divorce"]))
    await florist.tell(*weekly("ana@example.com", silent=3))
    [ana] = (await bakery.get("/v1/contacts"))["items"]
    told = {"interests": [{"topic": "Divorce", "in_confidence": True}, {"topic": "flour"}]}
    await bakery.client.patch(f"/v1/contacts/{ana['id']}", json=told)
    [nudge] = await nudges(bakery)
    assert (nudge["kind"], nudge["title"], nudge["contact_name"]) == ("keep_the_rhythm", "Get in touch again", "Ana")
    assert nudge["reason"] == (
        "Usually every week, now 14 days. Last time: a call, about flour. A call or a few lines are enough."
    )
    assert "divorce" not in str(nudge).lower()
    assert (nudge["numbers"]["cadence_days"], nudge["numbers"]["silent_days"]) == (7.0, 14.0)
    assert f"Strength {nudge['numbers']['score']:g} of 100" in nudge["why"]
    timeline = (await bakery.get(f"/v1/contacts/{ana['id']}/timeline"))["items"]
    assert nudge["touchpoint_ids"] == [moment["event_id"] for moment in timeline[:5]]
    [called] = await bakery.tell(
        touchpoint("ana@example.com", kind="call", direction="out", channel="phone", occurred_at=ago(-0.001))
    )
    [done] = await nudges(bakery, "done")
    assert (done["id"], done["done_by"], done["because"]) == (nudge["id"], called["event_id"], None)
    assert await nudges(florist, "all") == []


async def test_thanks_from_the_referral_to_the_word(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.open_always()
    referral = {
        "direction": "received",
        "referrer": {"email": "ana@example.com", "name": "Ana"},
        "prospect": {"name": "Joe Rivers"},
        "by_way_of": "chamber",
        "occurred_at": ago(2),
    }
    made = (await bakery.post("/v1/referrals", referral)).json()
    await florist.post("/v1/referrals", referral | {"occurred_at": ago(0.1)})
    await bakery.post(f"/v1/referrals/{made['id']}/outcome", {"outcome": "lost"})
    [nudge] = await nudges(bakery)
    assert (nudge["kind"], nudge["priority"], nudge["referral_id"]) == ("thank_referrer", 1, made["id"])
    assert nudge["reason"].startswith("Ana sent you Joe Rivers on ")
    assert "it came to nothing, and thanks are due all the same" in nudge["reason"]
    assert nudge["why"] == "48 hours after the referral nobody had said thanks for it."
    await bakery.post(f"/v1/referrals/{made['id']}/outcome", {"outcome": "thanked"})
    assert [one["id"] for one in await nudges(bakery, "done")] == [nudge["id"]]
    assert await nudges(florist, "all") == []


async def test_a_contact_shows_what_is_muted_and_whether_it_is_left_alone(bakery: Business, florist: Business):
    for business in (bakery, florist):
        await business.open_always()
        await business.tell(*friendship("ben@example.com"))
    [nudge] = await nudges(bakery)
    path = f"/v1/contacts/{nudge['contact_id']}"
    until = ago(-30)
    muted = await bakery.post(f"{path}/mute", {"kind": "meet_in_person", "until": until})
    assert (muted.status_code, muted.json()["id"]) == (200, nudge["contact_id"])
    shown = await bakery.get(path, after=muted.json()["position"])
    assert [one["kind"] for one in shown["muted"]] == ["meet_in_person"]
    assert shown["leave_alone"] is False
    [over] = await nudges(bakery, "expired")
    assert over["because"] == "muted"
    again = await bakery.post(f"{path}/mute", {"kind": "meet_in_person", "until": None})
    assert (await bakery.get(path, after=again.json()["position"]))["muted"] == []
    alone = await bakery.client.patch(path, json={"leave_alone": True})
    assert (await bakery.get(path, after=alone.json()["position"]))["leave_alone"] is True
    assert len(await nudges(florist)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "meet_in_person"}, "until"),
        ({"kind": "spam", "until": None}, "kind"),
        ({"kind": "meet_in_person", "until": ago(1)}, "until"),
        ({"kind": "meet_in_person", "until": ago(-4_000)}, "until"),
        ({"kind": "meet_in_person", "until": "2026-05-06T08:15:00"}, "until"),
    ],
    ids=["no time", "no kind", "past", "far", "no offset"],
)
async def test_a_bad_mute_is_refused_with_its_field(bakery: Business, body: Any, field: str):
    made = (await bakery.post("/v1/contacts", {"name": "Ana"})).json()
    answer = await bakery.post(f"/v1/contacts/{made['id']}/mute", body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_nobody_unknown_is_muted(bakery: Business):
    answer = await bakery.post(f"/v1/contacts/{NOBODY}/mute", {"kind": "meet_in_person", "until": None})
    assert answer.status_code == 404
