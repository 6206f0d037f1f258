"""A relationship's rhythm over the road: in its own words, in lists by status, and as it was on an earlier day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.domain.worked_example import HISTORY
from tests.road import Business
from tests.services.api.told import ago, touchpoint

LAST = 121


def weekly(address: str, *, silent: float, weeks: int = 10) -> list[dict[str, Any]]:
    """A call a week, the last one so many days ago."""
    return [
        touchpoint(address, kind="call", direction="mutual", channel="phone", occurred_at=ago(silent + 7 * week))
        for week in range(weeks)
    ]


async def listed(business: Business, **params: Any) -> list[str]:
    page = await business.get("/v1/contacts", **params)
    return [contact["identities"][0]["handle"].partition("@")[0] for contact in page["items"]]


@pytest.fixture
async def people(bakery: Business, florist: Business) -> Business:
    for name, silent in {"ann": 3, "bob": 11, "cat": 14, "dan": 45, "eve": 80}.items():
        await bakery.tell(*weekly(f"{name}@example.com", silent=silent))
    await florist.tell(*weekly("zoe@example.com", silent=14))
    return bakery


@pytest.mark.parametrize(
    ("status", "who"),
    [("in_rhythm", ["ann"]), ("due", ["bob"]), ("overdue", ["cat"]), ("fading", ["dan"]), ("dormant", ["eve"])],
)
async def test_lists_by_status(people: Business, status: str, who: list[str]):
    assert await listed(people, status=status) == who


async def test_the_longest_silent_first_page_by_page(people: Business):
    assert await listed(people, sort="silence") == ["eve", "dan", "cat", "bob", "ann"]
    first = await people.get("/v1/contacts", sort="silence", limit=2)
    second = await people.get("/v1/contacts", sort="silence", limit=2, cursor=first["next"])
    handles = [one["identities"][0]["handle"] for one in first["items"] + second["items"]]
    assert handles == [f"{name}@example.com" for name in ("eve", "dan", "cat", "bob")]


async def test_an_unknown_status_is_refused_with_its_name(bakery: Business):
    answer = await bakery.client.get("/v1/contacts", params={"status": "late"})
    assert (answer.status_code, answer.json()["field"]) == (400, "status")


async def test_a_contact_says_its_rhythm_in_words_and_numbers(people: Business):
    [cat] = (await people.get("/v1/contacts", status="overdue"))["items"]
    shown = (await people.get(f"/v1/contacts/{cat['id']}"))["rhythm"]
    assert shown == cat["rhythm"]
    assert set(shown) == {
        "status", "in_words", "cadence_days", "basis", "silent_days", "still_alive", "trend", "course", "contact_days",
    }  # fmt: skip
    assert shown["in_words"] == "usually every week, now 14 days"
    assert (shown["cadence_days"], shown["silent_days"], shown["contact_days"]) == (7.0, 14, 10)
    assert (shown["basis"], shown["course"]) == ("own", "steady")
    explained = await people.get(f"/v1/contacts/{cat['id']}/strength")
    assert explained["rhythm"] == shown


async def test_the_worked_example_over_the_road(bakery: Business):
    begins = datetime(2024, 1, 1, 12, tzinfo=UTC)
    told = [
        touchpoint(
            kind=kind, direction=direction, channel=channel, occurred_at=(begins + timedelta(days=offset)).isoformat()
        )
        for offset, kind, direction, channel, _ in HISTORY
        if offset <= LAST
    ]
    [who, *_] = (await bakery.tell(*told))[0]["contact_ids"]
    then = (begins + timedelta(days=160)).isoformat()
    shown = (await bakery.get(f"/v1/contacts/{who}/strength", true_at=then))["rhythm"]
    assert shown["in_words"] == "usually every 2 weeks, now 39 days"
    assert (shown["status"], shown["course"]) == ("overdue", "cooling")
    assert (shown["cadence_days"], shown["still_alive"], shown["trend"]) == (14.5, 0.52, -0.55)


async def test_what_the_owner_told_counts_from_when_it_was_told(people: Business, florist: Business):
    [cat] = (await people.get("/v1/contacts", status="overdue"))["items"]
    answer = await people.client.patch(f"/v1/contacts/{cat['id']}", json={"stated": {"how_often": "monthly"}})
    after = answer.json()["position"]
    shown = (await people.get(f"/v1/contacts/{cat['id']}", after=after))["rhythm"]
    assert shown["in_words"] == "as you told us every month, now 14 days"
    assert (shown["status"], shown["basis"]) == ("in_rhythm", "told")
    path = f"/v1/contacts/{cat['id']}/strength"
    assert (await people.get(path))["rhythm"] == shown
    yesterday = (await people.get(path, true_at=ago(1)))["rhythm"]
    assert (yesterday["basis"], yesterday["silent_days"]) == ("own", 13)
    assert await listed(people, status="overdue", after=after) == []
    assert await listed(florist, status="overdue") == ["zoe"]


async def test_a_closed_relationship_has_no_rhythm(people: Business):
    [cat] = (await people.get("/v1/contacts", status="overdue"))["items"]
    answer = await people.client.patch(f"/v1/contacts/{cat['id']}", json={"closed": "moved"})
    after = answer.json()["position"]
    assert (await people.get(f"/v1/contacts/{cat['id']}", after=after))["rhythm"] is None
    assert (await people.get(f"/v1/contacts/{cat['id']}/strength", after=after))["rhythm"] is None
    assert await listed(people, status="overdue") == []
    assert (await listed(people, sort="silence"))[-1] == "cat"


async def test_nobody_in_touch_has_no_rhythm(bakery: Business):
    answer = await bakery.post("/v1/contacts", {"name": "Eve"})
    who = answer.json()["id"]
    assert (await bakery.get(f"/v1/contacts/{who}", after=answer.json()["position"]))["rhythm"] is None
    assert (await bakery.get(f"/v1/contacts/{who}/strength"))["rhythm"] is None


async def test_days_away_are_no_silence_in_the_list_nor_on_the_page(people: Business, florist: Business):
    assert await listed(people, quiet_days=10, sort="name") == ["bob", "cat", "dan", "eve"]
    today = datetime.now(UTC).date()
    away = [{"from": str(today - timedelta(days=9)), "until": str(today - timedelta(days=6))}]
    changed = await people.client.put("/v1/nudge-policy", json={"away": away})
    await people.seen(changed.json()["position"])
    await people.settled()
    assert await listed(people, quiet_days=10, sort="name") == ["cat", "dan", "eve"]
    assert await listed(people, quiet_days=11, sort="name") == ["dan", "eve"]
    assert await listed(florist, quiet_days=10) == ["zoe"]
    [cat] = (await people.get("/v1/contacts", q="cat@"))["items"]
    page = await people.get(f"/v1/contacts/{cat['id']}")
    explained = await people.get(f"/v1/contacts/{cat['id']}/strength")
    assert {one["rhythm"]["silent_days"] for one in (cat, page, explained)} == {10}
    assert {one["rhythm"]["status"] for one in (cat, page, explained)} == {"in_rhythm"}
