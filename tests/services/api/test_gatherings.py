"""Gatherings through the API: planned, opened, entered, attended, taken back, and what they led to."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.merges import MergeContacts
from infra import commands, tenants
from infra.stored_events import Origin
from infra.verification import verify
from tests.road import Business, Road
from tests.services.api.told import FRIDAYS, gathering, touchpoint

FRIDAY = "2026-05-08"
ANA = {"email": "ana@example.com", "name": "Ana"}
BEN = {"email": "ben@example.com", "name": "Ben"}


async def opened(business: Business, gathering_id: str, act: str = "open") -> str:
    """The path of the public page, once the views know it."""
    answer = await business.post(f"/v1/gatherings/{gathering_id}/link", {"act": act})
    assert answer.status_code == 200, answer.text
    await business.seen(answer.json()["position"])
    link: str | None = answer.json()["link"]
    return "" if link is None else link[link.index("/g/") :]


async def noted(
    business: Business, gathering_id: str, *people: dict[str, Any], day: str = FRIDAY, **headers: str
) -> Any:
    """The results of a check-in, once the views show it."""
    body = {"occurrence": day, "people": list(people)}
    answer = await business.post(f"/v1/gatherings/{gathering_id}/attendance", body)
    assert answer.status_code == 200, answer.text
    if answer.json()["position"] is not None:
        await business.seen(answer.json()["position"])
    return answer.json()["results"]


def form(**fields: str) -> dict[str, str]:
    return {"name": "Ana Bakes", "email": "ana@example.com", "handle": "", "website": "", "consent": "yes"} | fields


async def enter(road: Road, path: str, **fields: str) -> httpx.Response:
    async with road.client() as client:
        return await client.post(path, data=form(**fields))


async def seen(road: Road, path: str) -> httpx.Response:
    async with road.client() as client:
        return await client.get(path)


async def guests(business: Business, gathering_id: str) -> list[dict[str, Any]]:
    position = (await business.get("/v1/events"))["position"]
    found: list[dict[str, Any]] = (await business.get(f"/v1/gatherings/{gathering_id}/guests", after=position))["items"]
    return found


async def types(business: Business) -> list[str]:
    return [item["type"] for item in (await business.get("/v1/events", limit=1000))["items"]]


async def test_it_is_open_and_weekly_unless_said_otherwise(bakery: Business, florist: Business):
    gathering_id = await gathering(bakery)
    found = await bakery.get(f"/v1/gatherings/{gathering_id}")
    assert (found["open"], found["repeats"], found["until"], found["link"]) == (True, "FREQ=WEEKLY", None, None)
    assert found["state"] == "planned"
    starts = datetime.fromisoformat(found["next"]["starts_at"])
    assert timedelta(0) < starts - datetime.now(UTC) <= timedelta(days=7, hours=1)
    assert found["next"]["when"].startswith("Friday ")
    assert (await florist.get("/v1/gatherings"))["items"] == []
    assert (await florist.client.get(f"/v1/gatherings/{gathering_id}")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"channel": "No Slug"}, "channel"),
        ({"minutes": 0}, "minutes"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"starts_at": "1900-01-01T00:00:00Z"}, "starts_at"),
        ({"repeats": "FREQ=SECONDLY"}, "repeats"),
        ({"repeats": "FREQ=WEEKLY;COUNT=3"}, "repeats"),
        ({"repeats": "FREQ=WEEKLY;BYDAY=MO"}, "starts_at"),
        ({"repeats": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "repeats"),
        ({"until": "2026-05-07"}, "until"),
        ({"until": "9999-01-01"}, "until"),
        ({"repeats": None, "until": "2026-06-01"}, "until"),
        ({"cost": "12.345", "currency": "USD"}, "cost"),
        ({"cost": "12"}, "currency"),
        ({"about": "x" * 1001}, "about"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
async def test_what_cannot_be_planned_is_refused(bakery: Business, wrong: dict[str, Any], field: str):
    answer = await bakery.post("/v1/gatherings", FRIDAYS | wrong)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    assert await types(bakery) == []


async def test_a_change_holds_for_what_is_to_come(bakery: Business):
    gathering_id = await gathering(bakery)
    path = f"/v1/gatherings/{gathering_id}"
    before = (await bakery.get(f"{path}/occurrences", when="past", limit=200))["items"]
    assert before[-1]["occurrence"] == FRIDAY
    version = (await bakery.get(path))["version"]
    change = {"title": "Friday garden", "minutes": 90}
    changed = await bakery.client.patch(path, json=change, headers={"If-Match": f'"{version}"'})
    assert changed.status_code == 200, changed.text
    stale = await bakery.client.patch(path, json={"title": "Other"}, headers={"If-Match": f'"{version}"'})
    assert stale.status_code == 412
    position = changed.json()["position"]
    assert (await bakery.get(f"{path}/occurrences", when="past", limit=200, after=position))["items"] == before
    coming = (await bakery.get(f"{path}/occurrences"))["items"]
    assert {one["title"] for one in coming} == {"Friday garden"}
    again = await bakery.client.patch(path, json=change)
    assert again.json()["position"] == position, "what is so already is no news"


async def test_one_occurrence_is_moved_called_off_and_takes_place_after_all(bakery: Business):
    gathering_id = await gathering(bakery)
    path = f"/v1/gatherings/{gathering_id}"
    first, second, *_ = (await bakery.get(f"{path}/occurrences"))["items"]
    called_off = await bakery.post(f"{path}/cancel", {"occurrence": first["occurrence"], "why": "rain"})
    assert called_off.status_code == 200, called_off.text
    later = (datetime.fromisoformat(second["starts_at"]) + timedelta(hours=25)).isoformat()
    moved = await bakery.client.patch(
        path, json={"occurrence": second["occurrence"], "starts_at": later, "place": "in"}
    )
    shown = (await bakery.get(f"{path}/occurrences", after=moved.json()["position"]))["items"]
    assert (shown[0]["cancelled"], shown[0]["why"]) == (True, "rain")
    assert (shown[1]["occurrence"], shown[1]["place"]) == (second["occurrence"], "in")
    assert datetime.fromisoformat(shown[1]["starts_at"]) == datetime.fromisoformat(later)
    assert (await bakery.get(path))["next"]["occurrence"] == second["occurrence"]
    on = await bakery.client.patch(path, json={"occurrence": first["occurrence"]})
    assert (await bakery.get(path, after=on.json()["position"]))["next"]["occurrence"] == first["occurrence"]
    for wrong, field in (
        ({"occurrence": "2026-05-09"}, "occurrence"),
        ({"occurrence": first["occurrence"], "title": "x"}, "title"),
        ({"occurrence": first["occurrence"], "starts_at": "2026-05-09T00:00:00Z"}, "starts_at"),
    ):
        answer = await bakery.client.patch(path, json=wrong)
        assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_called_off_there_is_none_to_come_and_the_past_stays(bakery: Business):
    gathering_id = await gathering(bakery)
    path = f"/v1/gatherings/{gathering_id}"
    done = await bakery.post(f"{path}/cancel")
    await bakery.seen(done.json()["position"])
    assert (await bakery.get(path))["state"] == "cancelled"
    assert (await bakery.get(f"{path}/occurrences"))["items"] == []
    assert (await bakery.get(f"{path}/occurrences", when="past"))["items"]
    assert (await bakery.get("/v1/gatherings"))["items"] == []
    assert len((await bakery.get("/v1/gatherings", state="all"))["items"]) == 1
    assert (await bakery.client.patch(path, json={"title": "x"})).status_code == 409
    assert (await bakery.post(f"{path}/link", {"act": "open"})).status_code == 409
    assert (await bakery.post(f"{path}/cancel")).json()["position"] == done.json()["position"]


async def test_pages_of_occurrences_follow_each_other(bakery: Business):
    gathering_id = await gathering(bakery)
    path = f"/v1/gatherings/{gathering_id}/occurrences"
    for when in ("coming", "past"):
        whole = (await bakery.get(path, when=when, limit=21))["items"]
        first = await bakery.get(path, when=when, limit=10)
        second = await bakery.get(path, when=when, limit=10, cursor=first["next"])
        assert first["items"] + second["items"] == whole[:20]


async def test_a_check_in_is_a_touchpoint_once(bakery: Business, florist: Business):
    gathering_id = await gathering(bakery)
    first = await noted(bakery, gathering_id, {"who": ANA, "met": True}, {"who": BEN}, {"who": {"name": "Zoe"}})
    assert [one["status"] for one in first] == ["recorded"] * 3
    again = await noted(
        bakery, gathering_id, {"who": ANA, "met": True}, {"who": {"contact_id": first[1]["contact_id"]}}
    )
    assert [one["status"] for one in again] == ["duplicate"] * 2
    assert [one["touchpoint_id"] for one in again] == [one["touchpoint_id"] for one in first[:2]]
    [ana] = (await bakery.get(f"/v1/contacts/{first[0]['contact_id']}/timeline"))["items"]
    [ben] = (await bakery.get(f"/v1/contacts/{first[1]['contact_id']}/timeline"))["items"]
    assert (ana["kind"], ana["channel"], ana["direction"]) == ("handshake", "patio", "mutual")
    assert ben["kind"] == "attendance"
    assert datetime.fromisoformat(ana["occurred_at"]) == datetime(2026, 5, 9, 0, 0, tzinfo=UTC)
    there = (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"]
    assert {(one["name"], one["met"]) for one in there} == {("Ana", True), ("Ben", False), ("Zoe", False)}
    [past] = [
        one
        for one in (await bakery.get(f"/v1/gatherings/{gathering_id}/occurrences", when="past", limit=200))["items"]
        if one["occurrence"] == FRIDAY
    ]
    assert (past["came"], past["met"]) == (3, 1)
    assert await types(florist) == []


async def test_each_arrival_is_judged_by_itself(bakery: Business, florist: Business):
    [theirs] = await florist.tell(touchpoint())
    gathering_id = await gathering(bakery)
    results = await noted(
        bakery,
        gathering_id,
        {"who": {"contact_id": theirs["contact_ids"][0]}},
        {"who": {"email": "no address"}},
        {"who": {"name": " "}},
        {"who": {"name": "Zoe"}, "came": False},
        {"who": ANA, "came": False, "met": True},
        {"who": {"email": "nobody@example.com"}, "came": False},
        {"who": ANA},
    )
    assert [one["status"] for one in results] == ["rejected"] * 5 + ["duplicate", "recorded"]
    assert [one["problem"]["field"] for one in results[:5]] == [
        "people[0].who.contact_id", "people[1].who.email", "people[2].who", "people[3].who", "people[4].met",
    ]  # fmt: skip
    assert (await types(bakery)).count("contact.added") == 1, "nobody was opened who was not there"


async def test_taken_back_its_touchpoint_is_struck_and_checked_in_again_there_is_another(bakery: Business):
    gathering_id = await gathering(bakery)
    ids = set()
    for _ in range(3):
        [came] = await noted(bakery, gathering_id, {"who": ANA, "met": True})
        ids.add(came["touchpoint_id"])
        [gone] = await noted(bakery, gathering_id, {"who": ANA, "came": False})
        assert (gone["status"], gone["touchpoint_id"]) == ("recorded", came["touchpoint_id"])
        assert [one["status"] for one in await noted(bakery, gathering_id, {"who": ANA, "came": False})] == [
            "duplicate"
        ]
        assert (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"] == []
    assert len(ids) == 3
    moments = (await bakery.get(f"/v1/contacts/{came['contact_id']}/timeline"))["items"]
    assert [one["struck"] for one in moments] == [True] * 3


async def test_who_was_only_there_turns_out_to_have_been_met(bakery: Business):
    gathering_id = await gathering(bakery)
    [there] = await noted(bakery, gathering_id, {"who": ANA})
    [met] = await noted(bakery, gathering_id, {"who": ANA, "met": True})
    assert met["touchpoint_id"] != there["touchpoint_id"]
    moments = (await bakery.get(f"/v1/contacts/{met['contact_id']}/timeline"))["items"]
    assert {(one["kind"], one["struck"]) for one in moments} == {("attendance", True), ("handshake", False)}
    [one] = (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"]
    assert (one["met"], one["touchpoint_id"]) == (True, met["touchpoint_id"])


async def test_a_touchpoint_struck_by_itself_takes_the_check_in_back(bakery: Business):
    gathering_id = await gathering(bakery)
    [came] = await noted(bakery, gathering_id, {"who": ANA, "met": True})
    struck = await bakery.post(f"/v1/touchpoints/{came['touchpoint_id']}/strike")
    await bakery.seen(struck.json()["position"])
    assert (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"] == []
    [again] = await noted(bakery, gathering_id, {"who": ANA, "met": True})
    assert again["touchpoint_id"] != came["touchpoint_id"]
    assert len((await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"]) == 1


async def test_checked_in_by_many_at_once_is_checked_in_once(bakery: Business):
    gathering_id = await gathering(bakery)
    results = await asyncio.gather(*(noted(bakery, gathering_id, {"who": ANA, "met": True}) for _ in range(8)))
    assert sorted(one["status"] for [one] in results) == ["duplicate"] * 7 + ["recorded"]
    assert (await types(bakery)).count("touchpoint.recorded") == 1


async def test_nobody_is_there_before_it_begins_nor_on_another_day(bakery: Business):
    gathering_id = await gathering(bakery)
    path = f"/v1/gatherings/{gathering_id}"
    [*_, last] = (await bakery.get(f"{path}/occurrences", limit=3))["items"]
    people = [{"who": ANA}]
    early = await bakery.post(f"{path}/attendance", {"occurrence": last["occurrence"], "people": people})
    assert early.status_code == 409
    none = await bakery.post(f"{path}/attendance", {"occurrence": "2026-05-09", "people": people})
    assert (none.status_code, none.json()["field"]) == (400, "occurrence")
    await noted(bakery, gathering_id, {"who": ANA})
    kept = await bakery.post(f"{path}/cancel", {"occurrence": FRIDAY})
    assert kept.status_code == 409, "somebody was there"
    for wrong in ([], [{"who": ANA}] * 101):
        assert (await bakery.post(f"{path}/attendance", {"occurrence": FRIDAY, "people": wrong})).status_code == 400


async def test_a_guest_enters_once_and_is_no_touchpoint(road: Road, bakery: Business, florist: Business):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    answers = [await enter(road, path, email=address) for address in ("ana@example.com", " ANA@Example.com ")]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert {answer.headers["location"] for answer in answers} == {f"{path}/thanks"}
    thanks = await seen(road, f"{path}/thanks")
    assert "Thank you" in thanks.text
    [guest] = await guests(bakery, gathering_id)
    assert guest["wrote"] == "Ana Bakes"
    contact = await bakery.get(f"/v1/contacts/{guest['contact_id']}")
    assert contact["name"] == "Ana Bakes"
    assert (await bakery.get(f"/v1/contacts/{guest['contact_id']}/timeline"))["items"] == []
    assert "touchpoint.recorded" not in await types(bakery)
    assert await types(florist) == []
    assert (await bakery.get(f"/v1/gatherings/{gathering_id}"))["guests"] == 1


async def test_whom_we_know_joins_and_keeps_their_name(road: Road, bakery: Business):
    [known] = await bakery.tell(touchpoint(**{"with": [{"email": "ana@example.com", "name": "Ana"}]}))
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    fresh = await enter(road, path, email="zoe@example.com")
    joined = await enter(road, path, name="Somebody Else", handle="@ana on Mastodon")
    told = [dict(answer.headers) for answer in (fresh, joined)]
    for headers in told:
        headers.pop("x-request-id")
    assert (fresh.status_code, fresh.content, told[0]) == (joined.status_code, joined.content, told[1])
    found = {guest["contact_id"]: guest for guest in await guests(bakery, gathering_id)}
    assert len(found) == 2
    ana = found[known["contact_ids"][0]]
    assert (ana["name"], ana["wrote"], ana["handle"]) == ("Ana", "Somebody Else", "@ana on Mastodon")
    contact = await bakery.get(f"/v1/contacts/{ana['contact_id']}")
    assert [one["platform"] for one in contact["identities"]] == ["email"], "a stranger adds no identity to anybody"


async def test_guests_at_once_with_one_address_are_one_guest(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    answers = await asyncio.gather(*(enter(road, path) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [303] * 6
    assert len(await guests(bakery, gathering_id)) == 1
    assert (await types(bakery)).count("contact.added") == 1


async def test_faults_stand_beside_their_field_and_what_was_typed_is_kept(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    answer = await enter(road, path, name="", email='bad"><b>', handle="@ana", consent="")
    assert answer.status_code == 422
    for name in ("name", "email", "consent"):
        assert f'id="{name}-fault"' in answer.text
        assert f'aria-describedby="{name}-fault"' in answer.text
    assert 'value="bad&#34;&gt;&lt;b&gt;"' in answer.text
    assert 'value="@ana"' in answer.text
    assert 'id="handle-fault"' not in answer.text
    assert await guests(bakery, gathering_id) == []


@pytest.mark.parametrize(
    "wrote",
    [
        {"name": "a\0b"},
        {"name": "x" * 201},
        {"name": "\u202eevil"},
        {"email": "a\0@example.com"},
        {"email": "x" * 400 + "@example.com"},
        {"handle": "y" * 201},
        {"consent": "no"},
    ],
)
async def test_what_a_form_may_not_hold_is_a_sentence(road: Road, bakery: Business, wrote: dict[str, str]):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    answer = await enter(road, path, **wrote)
    assert answer.status_code == 422
    assert "-fault" in answer.text
    assert await guests(bakery, gathering_id) == []


async def test_a_form_of_another_kind_or_size_is_refused(road: Road, bakery: Business):
    path = await opened(bakery, await gathering(bakery))
    async with road.client() as client:
        large = await client.post(path, data=form(name="x" * 20_000))
        huge = await client.post(path, data=form(name="x" * 2_000_000))
        many = await client.post(path, data={f"f{n}": "x" for n in range(30)})
        other = await client.post(path, json=form())
        broken = await client.post(
            path, content=b"name=%ff%fe&email=%00", headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        empty = await client.post(path, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert [one.status_code for one in (large, huge, many, other, broken, empty)] == [413, 413, 413, 415, 422, 422]
    for answer in (large, huge, many, other, broken, empty):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_nothing_that_was_written_runs_on_the_page(road: Road, bakery: Business):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    gathering_id = await gathering(bakery, title=evil, place=evil, about=evil)
    path = await opened(bakery, gathering_id)
    first = (await bakery.get(f"/v1/gatherings/{gathering_id}/occurrences"))["items"][0]["occurrence"]
    off = await bakery.post(f"/v1/gatherings/{gathering_id}/cancel", {"occurrence": first, "why": evil})
    await bakery.seen(off.json()["position"])
    async with road.client() as client:
        pages = [await client.get(path), await client.get(f"{path}/thanks")]
        pages.append(await client.post(path, data=form(name=evil, email=evil, handle=evil, consent="")))
    for page in pages:
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "49" not in re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL).replace(path, "")
        assert "&lt;script&gt;" in page.text


async def test_the_page_is_closed_to_everything_from_elsewhere(road: Road, bakery: Business):
    path = await opened(bakery, await gathering(bakery, place="behind the bakery", about="Coffee."))
    page = await seen(road, path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")
    assert page.headers["x-robots-tag"].startswith("noindex")
    assert "set-cookie" not in page.headers
    assert "noindex" in page.text
    assert re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?(?:https?:)?//""", page.text) == []
    assert re.findall(r"\son\w+=|\sstyle=", page.text) == []
    for shown in ("Corner Bakery", "Friday patio", "behind the bakery", "Coffee.", "Friday "):
        assert shown in page.text


async def test_a_page_that_is_gone_looks_like_one_that_never_was(road: Road, bakery: Business, florist: Business):
    gathering_id = await gathering(bakery)
    first = await opened(bakery, gathering_id)
    assert await opened(bakery, gathering_id) == first, "open again is the same address"
    second = await opened(bakery, gathering_id, "rotate")
    assert second != first
    assert (await bakery.get(f"/v1/gatherings/{gathering_id}"))["link"].endswith(second)
    other = await opened(florist, await gathering(florist))
    assert (await seen(road, second)).status_code == 200
    unknown = await seen(road, "/g/" + "A" * 43)
    closed_id = await gathering(bakery, open=False)
    assert (await bakery.post(f"/v1/gatherings/{closed_id}/link", {"act": "open"})).status_code == 409
    gone = [await seen(road, first), await seen(road, f"{first}/thanks"), await enter(road, first)]
    await opened(bakery, gathering_id, "close")
    gone += [await seen(road, second), await enter(road, second)]
    third = await opened(bakery, gathering_id)
    shut = await bakery.client.patch(f"/v1/gatherings/{gathering_id}", json={"open": False})
    await bakery.seen(shut.json()["position"])
    gone += [await seen(road, third), await enter(road, third)]
    assert unknown.status_code == 404
    for answer in gone:
        assert (answer.status_code, answer.text) == (404, unknown.text)
    assert (await seen(road, other)).status_code == 200
    assert await guests(bakery, gathering_id) == []
    again = await bakery.client.patch(f"/v1/gatherings/{gathering_id}", json={"open": True})
    await bakery.seen(again.json()["position"])
    await bakery.seen((await bakery.post(f"/v1/gatherings/{gathering_id}/cancel")).json()["position"])
    assert (await seen(road, third)).status_code == 404


async def test_what_fills_the_trap_is_thanked_and_forgotten(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    person, machine = await enter(road, path, email="zoe@example.com"), await enter(road, path, website="http://spam")
    assert (machine.status_code, machine.content) == (person.status_code, person.content)
    assert len(await guests(bakery, gathering_id)) == 1


async def test_a_page_takes_sixty_entries_in_ten_minutes(road: Road, bakery: Business, florist: Business):
    gathering_id = await gathering(bakery)
    path, elsewhere = await opened(bakery, gathering_id), await opened(florist, await gathering(florist))
    async with road.client() as client:
        answers = [await client.post(path, data=form(website="x")) for _ in range(61)]
    assert [answer.status_code for answer in answers] == [303] * 60 + [429]
    assert answers[-1].headers["retry-after"] == "600"
    refused = await enter(road, path, name="Zoe")
    assert refused.status_code == 429
    assert 'value="Zoe"' in refused.text
    assert (await enter(road, elsewhere)).status_code == 303
    assert await guests(bakery, gathering_id) == []


async def test_what_it_led_to(bakery: Business):
    def days_on(days: float) -> str:
        return (datetime(2026, 5, 9, tzinfo=UTC) + timedelta(days=days)).isoformat()

    gathering_id = await gathering(bakery, cost="15.00", currency="USD")
    nothing = await bakery.get(f"/v1/gatherings/{gathering_id}/yield")
    assert nothing["came"] == 0
    assert nothing["in_words"] == ["Nobody has been checked in yet. Two people are a success."]
    await bakery.tell(touchpoint("ben@example.com", occurred_at=days_on(-30)))
    await noted(bakery, gathering_id, {"who": ANA, "met": True}, {"who": BEN, "met": True}, {"who": {"name": "Zoe"}})
    await noted(bakery, gathering_id, {"who": ANA, "met": True}, day="2026-05-15")
    await bakery.tell(
        touchpoint("ana@example.com", occurred_at=days_on(2)),
        touchpoint("ben@example.com", occurred_at=days_on(4)),
        touchpoint("ana@example.com", occurred_at=days_on(90), direction="in"),
    )
    referral = {
        "direction": "received", "referrer": ANA, "prospect": {"name": "Eve"}, "by_way_of": "patio",
        "occurred_at": days_on(20),
    }  # fmt: skip
    made = await bakery.post("/v1/referrals", referral)
    await bakery.seen(made.json()["position"])
    found = await bakery.get(f"/v1/gatherings/{gathering_id}/yield")
    assert (found["came"], found["met"], found["came_again"], found["occurrences"]) == (3, 2, 1, 2)
    assert found["followed_up"] == {"count": 1, "of": 2, "too_early": 0}
    assert found["in_touch_at_90_days"] == {"count": 1, "of": 2, "too_early": 0}
    assert (found["referrals"], found["new_contacts"], found["new_allies"]) == (1, 2, 0)
    assert found["cost"] == {"amount": "30.00", "currency": "USD"}
    assert found["cost_per_new_ally"] is None
    assert found["in_words"][:3] == [
        "Three people came, and you met two of them.",
        "One person came again.",
        "You followed up with one of the two within three days.",
    ]


async def test_people_who_are_one_are_counted_once(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    one, other = await noted(bakery, gathering_id, {"who": ANA, "met": True}, {"who": {"name": "Anna"}})
    tenant = await tenants.load(road.context.pool, bakery.tenant_id, master=road.context.master)
    assert tenant is not None
    merge = MergeContacts((UUID(other["contact_id"]),))
    done = await commands.merge_contacts(
        road.context, tenant, UUID(one["contact_id"]), merge, origin=Origin("test", "cli")
    )
    await bakery.seen(done.position)
    found = await bakery.get(f"/v1/gatherings/{gathering_id}/yield")
    assert (found["came"], found["met"], found["came_again"]) == (1, 1, 0)
    there = (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"]
    assert [(row["contact_id"], row["met"], row["name"]) for row in there] == [(one["contact_id"], True, "Ana")]


async def test_whoever_they_are_called_a_person_is_checked_in_once(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    [one] = await bakery.tell(touchpoint("ana@example.com"))
    [other] = await noted(bakery, gathering_id, {"who": {"email": "anna@example.org"}, "met": True})
    merge = {"contact_ids": [other["contact_id"]]}
    merged = await bakery.post(f"/v1/contacts/{one['contact_ids'][0]}/merge", merge)
    assert merged.status_code == 200, merged.text
    await bakery.seen(merged.json()["position"])
    for address in ("ana@example.com", "anna@example.org"):
        [again] = await noted(bakery, gathering_id, {"who": {"email": address}, "met": True})
        assert (again["status"], again["touchpoint_id"]) == ("duplicate", other["touchpoint_id"])
    [gone] = await noted(bakery, gathering_id, {"who": {"email": "ana@example.com"}, "came": False})
    assert (gone["status"], gone["touchpoint_id"]) == ("recorded", other["touchpoint_id"])
    assert (await bakery.get(f"/v1/gatherings/{gathering_id}/attendance"))["items"] == []


async def test_a_suspended_business_has_no_public_page(road: Road, bakery: Business):
    path = await opened(bakery, await gathering(bakery))
    await tenants.suspend(road.context.pool, bakery.tenant_id)
    assert (await seen(road, path)).status_code == 404
    await tenants.resume(road.context.pool, bakery.tenant_id)
    assert (await seen(road, path)).status_code == 200


async def test_a_cost_is_in_what_the_business_counts_in(bakery: Business):
    await gathering(bakery, cost="15.00", currency="USD")
    answer = await bakery.post("/v1/gatherings", FRIDAYS | {"cost": "15.00", "currency": "EUR"})
    assert (answer.status_code, answer.json()["field"]) == (409, "currency")


async def test_the_log_of_it_all_is_whole(road: Road, bakery: Business):
    gathering_id = await gathering(bakery)
    path = await opened(bakery, gathering_id)
    await enter(road, path)
    await noted(bakery, gathering_id, {"who": ANA, "met": True}, {"who": BEN})
    await noted(bakery, gathering_id, {"who": BEN, "came": False})
    told = await types(bakery)
    assert {name for name in told if name.startswith("gathering.")} == {
        "gathering.planned", "gathering.link_opened", "gathering.guest_entered", "gathering.attended",
        "gathering.attendance_struck",
    }  # fmt: skip
    assert (await verify(road.context, bakery.tenant_id)).broken_at is None
