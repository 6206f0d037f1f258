"""Appointments through the API: planned, asked about after their end, and what people answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.conftest import Database
from tests.road import Business
from tests.services.api.told import NOBODY, ago, appointment, planned, touchpoint

OVER = {"starts_at": ago(1), "ends_at": ago(0.95)}


async def shown(business: Business, appointment_id: str, **params: Any) -> Any:
    return await business.get(f"/v1/appointments/{appointment_id}", **params)


async def say(business: Business, appointment_id: str, act: str, body: Any = None, **headers: str) -> Any:
    """What is answered is taken, and the appointment then."""
    answer = await business.post(f"/v1/appointments/{appointment_id}/{act}", body, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == appointment_id
    await business.seen(answer.json()["position"])
    return await shown(business, appointment_id)


async def listed(business: Business, **params: Any) -> list[str]:
    return [one["id"] for one in (await business.get("/v1/appointments", **params))["items"]]


async def contact_of(business: Business, address: str) -> str:
    found = (await business.get("/v1/contacts", q=address))["items"]
    return str(found[0]["id"])


async def test_what_is_planned_is_no_touchpoint(bakery: Business, florist: Business):
    appointment_id = await planned(
        bakery, note="the flour for summer", **{"with": [{"email": "ana@example.com", "name": "Ana"}]}
    )
    one = await shown(bakery, appointment_id)
    assert set(one) == {
        "id", "state", "starts_at", "ends_at", "when", "channel", "kind", "people", "note", "question", "answers",
        "by", "touchpoint_id", "source", "source_id", "version", "position",
    }  # fmt: skip
    assert (one["state"], one["kind"], one["question"], one["answers"]) == ("planned", "meeting", None, [])
    assert one["note"] == "the flour for summer"
    [person] = one["people"]
    assert (person["name"], person["came"]) == ("Ana", None)
    assert await listed(bakery) == [appointment_id]
    contact = await bakery.get(f"/v1/contacts/{person['contact_id']}")
    assert (contact["touchpoints"], contact["half"], contact["stage"]) == (0, "named_only", "named_only")
    assert (await bakery.get("/v1/network"))["channels"] == []
    assert await listed(florist, state="all") == []


async def test_after_its_end_somebody_asks_and_the_answer_becomes_a_touchpoint(bakery: Business, florist: Business):
    appointment_id = await planned(bakery, "ana@example.com", "ben@example.com", **OVER)
    theirs = await planned(florist, "ana@example.com", **OVER)
    one = await shown(bakery, appointment_id)
    assert one["state"] == "to_confirm"
    assert one["question"].startswith("Did it happen? You were to meet ana@example.com and ben@example.com on ")
    assert one["question"].endswith((" PST.", " PDT."))
    assert one["answers"] == ["happened", "missed", "cancel"]
    done = await say(bakery, appointment_id, "happened", {"with": [{"email": "ana@example.com"}], "minutes": 50})
    assert (done["state"], done["question"], done["answers"]) == ("happened", None, [])
    assert [person["came"] for person in done["people"]] == [True, False]
    ana = await contact_of(bakery, "ana@example.com")
    [moment] = (await bakery.get(f"/v1/contacts/{ana}/timeline"))["items"]
    assert (moment["event_id"], moment["kind"], moment["minutes"]) == (done["touchpoint_id"], "meeting", 50)
    assert moment["occurred_at"] == done["starts_at"]
    assert (await bakery.get(f"/v1/contacts/{ana}"))["met_at"] == done["starts_at"]
    assert (await bakery.get(f"/v1/contacts/{await contact_of(bakery, 'ben@')}"))["touchpoints"] == 0
    assert (await shown(florist, theirs))["state"] == "to_confirm"


async def test_who_did_not_come_is_kept_and_counts_for_nothing(bakery: Business):
    appointment_id = await planned(bakery, "ana@example.com", "ben@example.com", **OVER)
    ana = await contact_of(bakery, "ana@example.com")
    done = await say(bakery, appointment_id, "missed", {"absent": [ana], "why": "her train stood still"})
    assert (done["state"], done["by"]) == ("missed", "them")
    assert [person["came"] for person in done["people"]] == [False, None]
    assert (await bakery.get(f"/v1/contacts/{ana}"))["touchpoints"] == 0
    after_all = await say(bakery, appointment_id, "happened")
    assert (after_all["state"], [person["came"] for person in after_all["people"]]) == ("happened", [True, True])
    assert (await bakery.get(f"/v1/contacts/{ana}"))["touchpoints"] == 1
    again = await say(bakery, appointment_id, "missed", {"by": "us"})
    assert (again["state"], again["by"], again["touchpoint_id"]) == ("missed", "us", None)
    assert (await bakery.get(f"/v1/contacts/{ana}"))["touchpoints"] == 0


async def test_a_struck_touchpoint_opens_the_question_again(bakery: Business):
    appointment_id = await planned(bakery, **OVER)
    done = await say(bakery, appointment_id, "happened", {"with": [{"name": "Eve"}]})
    assert len(done["people"]) == 2
    struck = await bakery.post(f"/v1/touchpoints/{done['touchpoint_id']}/strike")
    one = await shown(bakery, appointment_id, after=struck.json()["position"])
    assert (one["state"], one["touchpoint_id"]) == ("to_confirm", None)
    assert [person["came"] for person in one["people"]] == [None], "as it was planned"


async def test_a_calendar_told_once_more_answers_by_itself(bakery: Business, florist: Business):
    entry = {"source": "calendar", "source_id": "uid-1"}
    for business in (bakery, florist):
        await planned(business, **entry, **OVER)
    [told] = await bakery.tell(touchpoint(kind="meeting", channel="cafe", occurred_at=OVER["starts_at"], **entry))
    [one] = (await bakery.get("/v1/appointments", state="happened"))["items"]
    assert one["touchpoint_id"] == told["event_id"]
    assert await listed(bakery, state="to_confirm") == []
    assert len(await listed(florist, state="to_confirm")) == 1
    again = await bakery.post("/v1/appointments", appointment(**entry, **OVER))
    assert again.status_code == 201
    assert (await bakery.get("/v1/events"))["position"] == again.json()["position"], "no news"


async def test_nobody_answers_before_the_start(bakery: Business):
    appointment_id = await planned(bakery)
    for act in ("happened", "missed"):
        answer = await bakery.post(f"/v1/appointments/{appointment_id}/{act}")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:rapport:problem:refused")
    begun = await planned(bakery, "ben@example.com", starts_at=ago(0.01), ends_at=ago(-0.01))
    assert (await shown(bakery, begun))["state"] == "planned"
    assert (await say(bakery, begun, "happened"))["state"] == "happened"


async def test_what_happened_is_neither_moved_nor_cancelled(bakery: Business):
    appointment_id = await planned(bakery, **OVER)
    before = await say(bakery, appointment_id, "happened")
    path = f"/v1/appointments/{appointment_id}"
    for answer in (
        await bakery.post(f"{path}/cancel", {"by": "them"}),
        await bakery.client.patch(path, json={"channel": "shop"}),
        await bakery.post(f"{path}/happened", {"minutes": 5}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:rapport:problem:refused")
    assert await shown(bakery, appointment_id) == before


async def test_moved_on_a_stale_page_it_is_refused(bakery: Business):
    appointment_id = await planned(bakery)
    path = f"/v1/appointments/{appointment_id}"
    page = await bakery.client.get(path)
    assert page.headers["etag"] == f'"{page.json()["version"]}"'
    later = {"starts_at": ago(-2)}
    moved = await bakery.client.patch(path, json=later, headers={"If-Match": page.headers["etag"]})
    assert moved.status_code == 200
    one = await shown(bakery, appointment_id, after=moved.json()["position"])
    assert (one["state"], one["version"]) == ("planned", moved.json()["position"])
    length = datetime.fromisoformat(one["ends_at"]) - datetime.fromisoformat(one["starts_at"])
    assert length.total_seconds() == pytest.approx(3600, abs=1), "a new start keeps the length"
    stale = await bakery.client.patch(path, json={"channel": "shop"}, headers={"If-Match": page.headers["etag"]})
    assert stale.status_code == 412


async def test_cancelled_it_is_not_asked_about_and_moved_it_is_planned_again(bakery: Business):
    appointment_id = await planned(bakery, **OVER)
    done = await say(bakery, appointment_id, "cancel", {"by": "them", "why": "ill"})
    assert (done["state"], done["by"], done["question"]) == ("cancelled", "them", None)
    assert await listed(bakery) == []
    moved = await bakery.client.patch(f"/v1/appointments/{appointment_id}", json={"starts_at": ago(-3)})
    one = await shown(bakery, appointment_id, after=moved.json()["position"])
    assert (one["state"], one["by"]) == ("planned", None)


async def test_an_entry_told_again_is_moved_and_one_called_off_is_cancelled(bakery: Business):
    entry = {"source": "calendar", "source_id": "uid-1"}
    first = await planned(bakery, **entry)
    assert await planned(bakery, **entry, starts_at=ago(-5), ends_at=ago(-5.1), channel="zoom") == first
    one = await shown(bakery, first)
    assert (one["channel"], one["kind"], one["source"], one["source_id"]) == ("zoom", "video_call", "calendar", "uid-1")
    await planned(bakery, **entry, cancelled=True)
    assert (await shown(bakery, first))["state"] == "cancelled"


async def test_told_twice_with_a_key_it_is_planned_once_and_answered_once(bakery: Business):
    key = {"Idempotency-Key": "k"}
    answers = [(await bakery.post("/v1/appointments", appointment(**OVER), **key)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    other = await bakery.post("/v1/appointments", appointment("ben@example.com"), **key)
    assert (other.status_code, other.json()["field"]) == (409, "Idempotency-Key")
    path = f"/v1/appointments/{answers[0]['id']}/happened"
    told = await asyncio.gather(*(bakery.post(path) for _ in range(6)))
    assert {answer.status_code for answer in told} == {200}
    await bakery.seen(max(answer.json()["position"] for answer in told))
    assert len((await bakery.get("/v1/events", types="touchpoint.recorded"))["items"]) == 1


async def test_nobody_asks_any_more_after_30_days(bakery: Business, database: Database):
    old = await planned(bakery, starts_at=ago(31), ends_at=ago(30.01))
    asked = await planned(bakery, "ben@example.com", starts_at=ago(30.5), ends_at=ago(29.9))
    assert await listed(bakery) == [asked]
    assert await listed(bakery, state="to_confirm") == [asked]
    assert await listed(bakery, state="unanswered") == [old]
    one = await shown(bakery, old)
    assert (one["state"], one["question"], one["answers"]) == ("unanswered", None, [])
    assert (await say(bakery, old, "happened"))["state"] == "happened", "a late answer counts"


async def test_a_list_is_by_start_with_its_filters_over_as_many_pages_as_asked(bakery: Business):
    days = [-3, -1, 2, 9, 40, 3, -8]
    ids = {
        day: await planned(bakery, f"guest{day % 2}@example.com", starts_at=ago(day), ends_at=ago(day - 0.1))
        for day in days
    }
    await say(bakery, ids[3], "happened")
    open_ = [ids[day] for day in (9, 2, -1, -3, -8)]
    assert await listed(bakery) == open_
    assert await listed(bakery, state="all") == [ids[day] for day in sorted(days, reverse=True)]
    assert await listed(bakery, state="happened") == [ids[3]]
    assert await listed(bakery, **{"from": ago(1.95), "to": ago(-2)}) == [ids[2], ids[-1]], (
        "not over, and begun by then"
    )
    guest = await contact_of(bakery, "guest0@example.com")
    assert await listed(bakery, contact=guest, state="all") == [ids[day] for day in (40, 2, -8)]
    assert await listed(bakery, contact=guest) == [ids[2], ids[-8]]
    assert await listed(bakery, contact=NOBODY) == []
    for params in ({}, {"state": "all"}, {"contact": guest, "state": "all"}):
        whole = await listed(bakery, **params)
        for limit in (1, 2):
            seen: list[str] = []
            cursor = {}
            while True:
                page = await bakery.get("/v1/appointments", limit=limit, **params, **cursor)
                seen += [one["id"] for one in page["items"]]
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            assert seen == whole


async def test_a_contact_shows_the_next_meeting(bakery: Business, florist: Business):
    for business in (florist, bakery):
        first = await planned(business, starts_at=ago(-4), ends_at=ago(-4.1))
    contact = f"/v1/contacts/{await contact_of(bakery, 'ana@example.com')}"
    assert (await bakery.get(contact))["next_appointment"]["id"] == first
    sooner = await planned(bakery, "ana@example.com", "ben@example.com", starts_at=ago(0.01), ends_at=ago(-0.01))
    following = (await bakery.get(contact))["next_appointment"]
    assert following.keys() == {"id", "starts_at", "ends_at", "channel", "kind"}
    assert following["id"] == sooner, "one that has begun is not over"
    await say(bakery, sooner, "cancel")
    assert (await bakery.get(contact))["next_appointment"]["id"] == first
    await say(bakery, first, "cancel")
    assert (await bakery.get(contact))["next_appointment"] is None
    there = await florist.get(f"/v1/contacts/{await contact_of(florist, 'ana@example.com')}")
    assert there["next_appointment"] is not None


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "when"),
    [
        ("2026-05-06T12:00:00+02:00", "2026-05-06T13:30:00+02:00", "Wednesday 6 May 2026, 12:00 to 13:30 CEST"),
        ("2026-01-06T12:00:00Z", "2026-01-06T13:00:00Z", "Tuesday 6 January 2026, 13:00 to 14:00 CET"),
        ("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "Sunday 29 March 2026, 01:30 CET to 03:30 CEST"),
        ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "Sunday 25 October 2026, 02:30 CEST to 02:30 CET"),
        ("2026-05-06T22:30:00Z", "2026-05-07T23:00:00Z", "Thursday 7 May 2026, 00:30 to Friday 8 May 2026, 01:00 CEST"),
    ],
)
async def test_times_are_kept_in_utc_and_read_on_the_businesss_own_clock(
    florist: Business, bakery: Business, starts_at: str, ends_at: str, when: str
):
    appointment_id = await planned(florist, starts_at=starts_at, ends_at=ends_at)
    one = await shown(florist, appointment_id)
    assert one["when"] == when
    for field, told in (("starts_at", starts_at), ("ends_at", ends_at)):
        assert one[field].endswith("Z")
        assert datetime.fromisoformat(one[field]) == datetime.fromisoformat(told)
    elsewhere = await shown(bakery, await planned(bakery, starts_at=starts_at, ends_at=ends_at))
    assert (elsewhere["starts_at"], elsewhere["when"].endswith(("PDT", "PST"))) == (one["starts_at"], True)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no end": ({"ends_at": None}, "ends_at"),
    "an end before the start": ({"ends_at": ago(2)}, "ends_at"),
    "a month and more": ({"ends_at": ago(-40)}, "ends_at"),
    "eleven years ahead": ({"starts_at": ago(-4_000), "ends_at": ago(-4_000.1)}, "starts_at"),
    "before 1900": ({"starts_at": "1899-12-31T23:59:59Z"}, "starts_at"),
    "after all time": ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
    "before all time": ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
    "naive time": ({"starts_at": "2026-05-06T08:15:00"}, "starts_at"),
    "a channel in capitals": ({"channel": "Café"}, "channel"),
    "an unknown kind": ({"kind": "seance"}, "kind"),
    "a kind nobody plans": ({"kind": "like"}, "kind"),
    "nobody": ({"with": []}, "with"),
    "null people": ({"with": None}, "with"),
    "501 people": ({"with": [{"name": f"guest {n}"} for n in range(501)]}, "with"),
    "a person named in two ways": ({"with": [{"email": "a@example.com", "phone": "5035550100"}]}, "with[0].phone"),
    "no address": ({"with": [{"email": "ana"}]}, "with[0].email"),
    "an id of nobody": ({"with": [{"contact_id": NOBODY}]}, "with[0].contact_id"),
    "one person twice": ({"with": [{"email": "a@example.com"}, {"email": "A@example.com "}]}, "with[1]"),
    "a name alone that may come again": (
        {"source": "calendar", "source_id": "1", "with": [{"email": "a@example.com"}, {"name": "Ana"}]},
        "with[1]",
    ),
    "a source_id alone": ({"source_id": "1"}, "source"),
    "called off without a source": ({"cancelled": True}, "cancelled"),
    "a sequence without a source": ({"sequence": 1}, "sequence"),
    "a negative sequence": ({"source": "c", "source_id": "1", "sequence": -1}, "sequence"),
    "a long note": ({"note": "x" * 10_001}, "note"),
    "NUL": ({"note": "a\0b"}, "note"),
    "unknown field": ({"title": "Lunch"}, "title"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_plan_is_refused_by_its_field_and_nothing_of_it_is_stored(bakery: Business, name: str):
    change, field = BAD[name]
    answer = await bakery.post("/v1/appointments", appointment() | change)
    assert (answer.status_code in (400, 404), answer.json().get("field")) == (True, field), answer.text
    assert (await bakery.get("/v1/events"))["position"] == 0


ANSWERS: list[tuple[str, dict[str, Any], int, str]] = [
    ("happened", {"minutes": -1}, 400, "minutes"),
    ("happened", {"channel": "The Café"}, 400, "channel"),
    ("happened", {"kind": "post"}, 400, "kind"),
    ("happened", {"with": [{"email": "ana"}]}, 400, "with[0].email"),
    ("happened", {"with": [{"contact_id": NOBODY}]}, 404, "with[0].contact_id"),
    ("happened", {"with": [{"email": "b@example.com"}, {"email": "B@example.com"}]}, 400, "with[1]"),
    ("missed", {"absent": [NOBODY]}, 400, "absent[0]"),
    ("missed", {"absent": ["ana"]}, 400, "absent[0]"),
    ("missed", {"by": "nobody"}, 400, "by"),
    ("missed", {"by": "us", "absent": [NOBODY]}, 400, "absent"),
    ("cancel", {"by": "fate"}, 400, "by"),
    ("cancel", {"why": "x" * 201}, 400, "why"),
]


@pytest.mark.parametrize(("act", "body", "status", "field"), ANSWERS)
async def test_a_bad_answer_is_refused_by_its_field_and_the_question_stays(
    bakery: Business, act: str, body: dict[str, Any], status: int, field: str
):
    appointment_id = await planned(bakery, **OVER)
    before = await bakery.get("/v1/events")
    answer = await bakery.post(f"/v1/appointments/{appointment_id}/{act}", body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert await bakery.get("/v1/events") == before
    assert (await shown(bakery, appointment_id))["state"] == "to_confirm"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "1899-12-31T23:59:59Z"}, "starts_at"),
        ({"ends_at": ago(2)}, "ends_at"),
        ({"with": []}, "with"),
        ({"with": [{"name": " "}]}, "with[0]"),
        ({"channel": ""}, "channel"),
        ({"kind": None}, "kind"),
        ({"state": "happened"}, "state"),
    ],
)
async def test_a_bad_change_is_refused_by_its_field(bakery: Business, change: dict[str, Any], field: str):
    appointment_id = await planned(bakery)
    answer = await bakery.client.patch(f"/v1/appointments/{appointment_id}", json=change)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("params", "field"),
    [({"from": "now"}, "from"), ({"to": "2026-05-06T08:15:00"}, "to"), ({"state": "over"}, "state"),
     ({"contact": "ana"}, "contact"), ({"cursor": "x"}, "cursor"), ({"when": "now"}, "when")],
)  # fmt: skip
async def test_a_bad_question_is_refused_by_its_parameter(bakery: Business, params: dict[str, str], field: str):
    answer = await bakery.client.get("/v1/appointments", params=params)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_what_it_is_about_and_why_lie_sealed(bakery: Business, database: Database):
    appointment_id = await planned(bakery, note="her secret recipe", **OVER)
    await say(bakery, appointment_id, "missed", {"why": "a secret illness"})
    connection = await asyncpg.connect(database.admin_url)
    try:
        rows = await connection.fetch("SELECT * FROM rapport.event WHERE tenant_id = $1", bakery.tenant_id)
        assert rows
        assert all(b"secret" not in bytes(value) for row in rows for value in row.values() if isinstance(value, bytes))
        rows = await connection.fetch("SELECT * FROM rapport.appointment WHERE tenant_id = $1", bakery.tenant_id)
        assert "secret" not in str(rows)
    finally:
        await connection.close()
    feed = await bakery.get("/v1/events", types="appointment.planned")
    assert "secret" not in str(feed)
    assert set(feed["items"][0]["data"]["plan"]) == {"starts_at", "ends_at", "channel", "kind", "contact_ids"}


async def test_an_end_that_passes_while_nobody_works_is_asked_about_all_the_same(bakery: Business):
    """Whether it is over is seen at the moment of reading: no worker has to be alive."""
    ends_at = datetime.now(UTC) + timedelta(seconds=1)
    appointment_id = await planned(bakery, starts_at=ago(0.1), ends_at=ends_at.isoformat())
    before = await shown(bakery, appointment_id)
    while datetime.now(UTC) < ends_at:
        after = await shown(bakery, appointment_id)
    after = await shown(bakery, appointment_id)
    assert (before["version"], before["position"]) == (after["version"], after["position"])
    assert after["state"] == "to_confirm"
