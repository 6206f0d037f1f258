"""Webhooks in, over the API: kept, verified, mapped, quarantined, replayed; once, and refused in clear words."""

import asyncio
import base64
import hashlib
import hmac
import json
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from infra import inbox
from infra.database import in_tenant
from tests.conftest import Database
from tests.infra import quiet
from tests.receiver import Receiver, receiving
from tests.road import Business, Road

SOURCES, MESSAGES = "/v1/webhook-sources", "/v1/webhook-messages"
VISIT = {
    "kind": "meeting", "occurred_at": "2026-05-06T08:15:00Z", "channel": "cafe", "direction": "mutual",
    "with": [{"email": "ana@example.com", "name": "Ana"}],
}  # fmt: skip
MAPPING = "{kind: 'purchase', occurred_at: at, channel: 'shop', direction: 'in', with: [{email: buyer}]}"
BOUGHT = {"at": "2026-05-06T08:15:00Z", "buyer": "ana@example.com"}


class Source:
    """A source as its sender knows it: nothing but its address and its secret."""

    def __init__(self, client: httpx.AsyncClient, added: dict[str, Any]) -> None:
        self.client = client
        self.id: str = added["id"]
        self.url: str = added["url"]
        self.secret: str = added["secret"] or ""

    async def send(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.url, content=content, headers={"Content-Type": "application/json"} | named)

    async def signed(
        self, body: Any, *, message_id: str = "msg_1", secret: str | None = None, minutes: float = 0
    ) -> httpx.Response:
        """As Standard Webhooks has it."""
        content, at = json.dumps(body), datetime.now(UTC) + timedelta(minutes=minutes)
        return await self.send(
            content.encode(),
            webhook_id=message_id,
            webhook_timestamp=str(int(at.timestamp())),
            webhook_signature=Webhook(secret or self.secret).sign(message_id, at, content),
        )

    async def taken(self, body: Any, **headers: str) -> dict[str, str]:
        answer = await self.send(body, **headers)
        assert answer.status_code == 202, answer.text
        found: dict[str, str] = answer.json()
        return found


@pytest.fixture
async def stranger(road: Road) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any key."""
    async with road.client() as client:
        yield client


async def added(business: Business, client: httpx.AsyncClient, adapter: str = "plain", **more: Any) -> Source:
    answer = await business.post(SOURCES, {"name": "a sender", "adapter": adapter, **more})
    assert answer.status_code == 201, answer.text
    return Source(client, answer.json())


async def message(business: Business, message_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await business.get(f"{MESSAGES}/{message_id}"))["message"]
    return found


async def settled(business: Business, message_id: str, state: str) -> dict[str, Any]:
    """The message, once it is so."""
    async with asyncio.timeout(20):
        while True:
            found = await message(business, message_id)
            if found["state"] == state:
                return found
            await asyncio.sleep(0.02)


async def touchpoints(business: Business) -> list[dict[str, Any]]:
    items = (await business.get("/v1/events", limit=1000))["items"]
    return [one["data"] for one in items if one["type"] == "touchpoint.recorded"]


def problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    found.pop("request_id")
    return found


async def test_a_message_becomes_a_touchpoint_of_its_source(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger)
    kept = await source.taken(VISIT, webhook_id="visit-1")
    assert kept["state"] == "recorded"
    [fact] = await touchpoints(bakery)
    assert (fact["source"], fact["source_id"], fact["channel"]) == (f"in:{source.id}", "visit-1/0", "cafe")
    shown = await message(bakery, kept["id"])
    assert shown["touchpoint_ids"] == [fact["touchpoint_id"]]
    await bakery.seen(shown["position"])
    detail = await bakery.get(f"{MESSAGES}/{kept['id']}")
    assert json.loads(detail["content"]) == VISIT
    assert detail["headers"]["webhook-id"] == "visit-1"
    assert (await bakery.get("/v1/contacts"))["items"][0]["name"] == "Ana"


async def test_fifty_at_once_are_one_touchpoint_and_all_are_taken(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, scheme="standard")
    answers = await asyncio.gather(*(source.signed(VISIT) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await touchpoints(bakery)) == 1


async def test_another_content_under_the_same_id_is_a_conflict(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, scheme="standard")
    assert (await source.signed(VISIT)).status_code == 202
    answer = await source.signed(VISIT | {"kind": "call"})
    assert (answer.status_code, problem(answer)["field"]) == (409, "webhook-id")
    assert len(await touchpoints(bakery)) == 1
    assert (await source.signed(VISIT | {"kind": "call"}, message_id="msg_2")).status_code == 202


async def test_an_unknown_source_is_answered_like_a_wrong_signature(
    bakery: Business, florist: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger, scheme="standard")
    other = await added(florist, stranger, scheme="standard")
    nobody = Source(stranger, {"id": "", "url": "/v1/in/" + "x" * 43, "secret": other.secret})
    answers = [
        await source.signed(VISIT, secret=other.secret),
        await nobody.signed(VISIT),
        await source.send(VISIT),
        await nobody.send(VISIT),
        await source.send(VISIT, webhook_id="a", webhook_timestamp="soon", webhook_signature="v1,x"),
        await stranger.get(source.url),
        await stranger.get(nobody.url),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert all(problem(answer) == problem(answers[0]) for answer in answers)
    assert {frozenset(answer.headers) for answer in answers} == {frozenset(answers[0].headers)}
    assert (await bakery.get(MESSAGES))["items"] == []


async def test_an_unknown_source_costs_the_same_queries_and_about_the_same_time(
    bakery: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger, scheme="standard")
    nobody = Source(stranger, {"id": "", "url": "/v1/in/" + "x" * 43, "secret": source.secret})
    wrong = "whsec_" + base64.b64encode(b"another secret of so many bytes").decode()
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(40):
        for name, one in (("known", source), ("unknown", nobody)):
            began = time.perf_counter()
            assert (await one.signed(VISIT, secret=wrong)).status_code == 401
            took[name].append(time.perf_counter() - began)
    known, unknown = (statistics.median(took[name]) for name in ("known", "unknown"))
    assert 1 / 3 < known / unknown < 3, (known, unknown)


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_an_old_message_and_one_from_the_future_are_told_so(
    bakery: Business, stranger: httpx.AsyncClient, minutes: int
):
    source = await added(bakery, stranger, scheme="standard")
    answer = await source.signed(VISIT, minutes=minutes)
    assert answer.status_code == 401
    assert "5 minutes" in problem(answer)["detail"]
    assert (await bakery.get(MESSAGES))["items"] == []


async def endless() -> AsyncIterator[bytes]:
    """A body without a length and without an end: it can only be refused before it is read."""
    while True:
        yield b" " * 10_000


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b" " * 65_537, 413, "at most 64 kB"),
        (b"[" * 10_000 + b"]" * 10_000, 400, "nested"),
        (b"[" * 100 + b"]" * 100, 400, "nested deeper than 64"),
        (b'{"a": ' * 65 + b"1" + b"}" * 65, 400, "nested deeper than 64"),
        (b"{not json", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b"\xff", 400, "not UTF-8"),
        (b'{"a": "\xff"}', 400, "not Unicode"),
        (b'{"a": "\\u0000"}', 400, "NUL"),
        (b'{"a": "\\ud800"}', 400, "not Unicode"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_in_clear_words(
    bakery: Business, stranger: httpx.AsyncClient, content: bytes, status: int, words: str
):
    source = await added(bakery, stranger)
    answer = await source.send(content)
    assert answer.status_code == status, answer.text
    assert words in problem(answer)["detail"]
    assert (await bakery.get(MESSAGES))["items"] == []


async def test_a_body_without_a_length_and_without_an_end_is_refused(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger)
    async with asyncio.timeout(10):
        answer = await stranger.post(source.url, content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize("message_id", ["x" * 201, "ünï"])
async def test_an_id_that_is_none_is_refused(bakery: Business, stranger: httpx.AsyncClient, message_id: str):
    source = await added(bakery, stranger)
    answer = await stranger.post(source.url, json=VISIT, headers=[(b"webhook-id", message_id.encode())])
    assert (answer.status_code, problem(answer)["field"]) == (400, "webhook-id")


async def test_what_cannot_be_mapped_waits_and_is_recorded_once_the_mapping_is_mended(
    bakery: Business, florist: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger, "generic", scheme="none", mapping=MAPPING.replace("at: at", "at: when"))
    other = await added(florist, stranger, "generic", scheme="none")
    theirs = await other.taken(BOUGHT)
    kept = [await source.taken(BOUGHT | {"at": "yesterday", "n": n}) for n in range(2)]
    kept += [await source.taken(BOUGHT | {"n": n}) for n in range(3)]
    assert {one["state"] for one in kept} == {"recorded"}  # without `when` it happened when it came in
    await bakery.client.patch(f"{SOURCES}/{source.id}", json={"mapping": MAPPING.replace("buyer", "customer")})
    waiting = [await source.taken(BOUGHT | {"m": n}) for n in range(3)]
    assert {one["state"] for one in waiting} == {"quarantined"}
    shown = await message(bakery, waiting[0]["id"])
    assert shown["reason"].startswith("with[0]: name the person")
    page = await bakery.get(MESSAGES, state="quarantined", source=source.id)
    assert {one["id"] for one in page["items"]} == {one["id"] for one in waiting}
    assert (await bakery.get(f"{SOURCES}/{source.id}"))["quarantined"] == 3
    before = len(await touchpoints(bakery))
    assert (await bakery.post(f"{MESSAGES}/{waiting[0]['id']}/drop")).status_code == 200
    await bakery.client.patch(f"{SOURCES}/{source.id}", json={"mapping": MAPPING})
    replayed = await bakery.post(f"{SOURCES}/{source.id}/replay")
    assert (replayed.status_code, replayed.json()) == (202, {"messages": 2})
    for one in waiting[1:]:
        assert (await settled(bakery, one["id"], "recorded"))["reason"] is None
    assert len(await touchpoints(bakery)) == before + 2
    assert (await bakery.post(f"{MESSAGES}/{waiting[0]['id']}/replay")).status_code == 202
    await settled(bakery, waiting[0]["id"], "recorded")
    for act in ("replay", "drop"):
        assert (await bakery.post(f"{MESSAGES}/{waiting[0]['id']}/{act}")).status_code == 409
    assert (await message(florist, theirs["id"]))["state"] == "quarantined"


async def test_a_list_with_one_that_cannot_be_recorded_is_quarantined_whole(
    bakery: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger)
    for wrong in ({"occurred_at": "1800-01-01T00:00:00Z"}, {"with": [{"email": "nobody"}]}, {"channel": "A Café"}):
        kept = await source.taken([VISIT, VISIT | wrong])
        assert kept["state"] == "quarantined"
        assert (await message(bakery, kept["id"]))["reason"].startswith("[1].")
    assert await touchpoints(bakery) == []


async def test_a_sample_is_tried_and_nothing_is_recorded(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, "generic", mapping="nope")
    tried = (await bakery.post(f"{SOURCES}/{source.id}/try", {"payload": BOUGHT, "mapping": MAPPING})).json()
    assert tried["state"] == "recorded"
    assert tried["touchpoints"][0]["with"] == [{"email": "ana@example.com"}]
    assert (await bakery.post(f"{SOURCES}/{source.id}/try", {"payload": BOUGHT})).json()["state"] == "nothing"
    wrong = await bakery.post(f"{SOURCES}/{source.id}/try", {"payload": BOUGHT, "mapping": "{a: "})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "mapping")
    bad = (await bakery.post(f"{SOURCES}/{source.id}/try", {"payload": {}, "mapping": MAPPING})).json()
    assert (bad["state"], bad["touchpoints"]) == ("quarantined", [])
    assert (await bakery.get("/v1/events"))["items"] == []
    assert (await bakery.get(MESSAGES))["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"adapter": "generic", "mapping": "{a: "}, "mapping"),
        ({"adapter": "generic", "mapping": "nope(@)"}, "mapping"),
        ({"adapter": "plain", "mapping": "a"}, "mapping"),
        ({"adapter": "slack", "scheme": "none"}, "scheme"),
        ({"adapter": "slack", "secret": "short"}, "secret"),
        ({"adapter": "mailchimp", "secret": "a secret of 16 characters"}, "secret"),
        ({"adapter": "eventbrite"}, "settings.token"),
        ({"adapter": "eventbrite", "settings": {"token": "t", "api": "http://10.0.0.1"}}, "settings.api"),
        ({"adapter": "luma", "settings": {"token": "t"}}, "settings.token"),
        ({"adapter": "mastodon", "settings": {"account": "a\r\nb"}}, "settings.account"),
        ({"adapter": "fax"}, "adapter"),
        ({"adapter": "plain", "name": ""}, "name"),
    ],
)
async def test_a_bad_source_is_refused_by_its_field(bakery: Business, body: dict[str, Any], field: str):
    answer = await bakery.post(SOURCES, {"name": "a sender", **body})
    assert (answer.status_code, answer.json().get("field")) == (400, field)
    assert (await bakery.get(SOURCES))["items"] == []


async def test_a_rotated_secret_is_taken_beside_the_old_one_and_a_new_address_ends_the_old(
    bakery: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger, scheme="standard")
    rotated = (await bakery.post(f"{SOURCES}/{source.id}/rotate", {"overlap_hours": 1})).json()
    for n, secret in enumerate((source.secret, rotated["secret"])):
        assert (await source.signed(VISIT, message_id=f"m{n}", secret=secret)).status_code == 202
    last = (await bakery.post(f"{SOURCES}/{source.id}/rotate", {"overlap_hours": 0})).json()["secret"]
    assert (await source.signed(VISIT, message_id="m2", secret=rotated["secret"])).status_code == 401
    moved = (await bakery.post(f"{SOURCES}/{source.id}/rotate", {"what": "address"})).json()
    assert (await source.signed(VISIT, message_id="m3", secret=last)).status_code == 401
    source.url = moved["url"]
    assert (await source.signed(VISIT, message_id="m3", secret=last)).status_code == 202
    acts = [one["act"] for one in (await bakery.get(f"{SOURCES}/{source.id}/audit"))["items"]]
    assert acts == ["rotated the address", "rotated the secret", "rotated the secret", "added"]


async def test_paused_what_comes_waits_and_deleted_the_address_ends(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger)
    at = f"{SOURCES}/{source.id}"
    await bakery.client.patch(at, json={"state": "paused"})
    kept = await source.taken(VISIT)
    assert kept["state"] == "received"
    await bakery.settled()
    assert (await message(bakery, kept["id"]))["state"] == "received"
    await bakery.client.patch(at, json={"state": "active"})
    await settled(bakery, kept["id"], "recorded")
    await bakery.client.patch(at, json={"state": "paused"})
    waits = await source.taken(VISIT | {"minutes": 5})
    assert (await bakery.client.delete(at)).status_code == 204
    assert (await source.send(VISIT)).status_code == 401
    dropped = await message(bakery, waits["id"])
    assert (dropped["state"], dropped["reason"]) == ("dropped", "its source was deleted")
    assert (await bakery.get(SOURCES))["items"] == []
    assert len(await touchpoints(bakery)) == 1


async def test_what_a_dead_process_left_is_taken_up_and_recorded_once(
    bakery: Business, stranger: httpx.AsyncClient, database: Database
):
    """As if the process had died before it recorded anything, or after it did and before it noted so."""
    source = await added(bakery, stranger)
    kept = [await source.taken(VISIT, webhook_id="1"), await source.taken(VISIT | {"kind": "call"}, webhook_id="2")]
    admin = await quiet.superuser(database)
    undo = "UPDATE rapport.inbox SET state = 'received', touchpoint_ids = '{}', due_at = now() WHERE message_id = $1"
    for one in kept:
        await admin.execute(undo, one["id"])
    await admin.close()
    for one in kept:
        assert len((await settled(bakery, one["id"], "recorded"))["touchpoint_ids"]) == 1
    assert len(await touchpoints(bakery)) == 2


async def test_bookings_are_planned_moved_off_and_missed(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, "calendly", secret="a signing key of calendly")
    soon, past = datetime.now(UTC) + timedelta(days=2), datetime.now(UTC) - timedelta(hours=3)

    async def told(event: str, uri: str, at: datetime = soon) -> dict[str, str]:
        scheduled = {
            "name": "Coffee", "start_time": at.isoformat(), "end_time": (at + timedelta(hours=1)).isoformat(),
            "location": {"type": "physical"},
        }  # fmt: skip
        payload = {"uri": uri, "email": "ana@example.com", "name": "Ana", "scheduled_event": scheduled}
        content = json.dumps({"event": event, "payload": payload}).encode()
        stamp = int(time.time())
        signed = hmac.new(source.secret.encode(), f"{stamp}.".encode() + content, hashlib.sha256).hexdigest()
        kept = await source.taken(content, calendly_webhook_signature=f"t={stamp},v1={signed}")
        return await message(bakery, kept["id"])

    async def states() -> list[str]:
        await bakery.settled()
        rows = (await bakery.get("/v1/appointments", state="all"))["items"]
        return sorted(row["state"] for row in rows)

    await told("invitee.created", "https://api.calendly.com/i/1")
    assert await states() == ["planned"]
    await told("invitee.canceled", "https://api.calendly.com/i/1")
    await told("invitee.created", "https://api.calendly.com/i/2", soon + timedelta(days=1))
    assert await states() == ["cancelled", "planned"]
    await told("invitee.created", "https://api.calendly.com/i/3", past)
    missed = await told("invitee_no_show.created", "https://api.calendly.com/i/3")
    assert (missed["state"], len(missed["appointment_ids"])) == ("recorded", 1)
    assert await states() == ["cancelled", "missed", "planned"]
    early = await told("invitee_no_show.created", "https://api.calendly.com/i/2")
    assert (early["state"], early["reason"]) == ("quarantined", "it has not begun yet: it can be moved or cancelled")
    assert await touchpoints(bakery) == []


@pytest.mark.parametrize("first", ["invitee.created", "invitee.canceled"])
async def test_a_booking_called_off_stays_so_in_whatever_order_its_messages_come(
    bakery: Business, florist: Business, stranger: httpx.AsyncClient, first: str
):
    source = await added(bakery, stranger, "calendly", secret="a signing key of calendly")
    starts_at = datetime.now(UTC) + timedelta(days=2)
    scheduled = {"start_time": starts_at.isoformat(), "end_time": (starts_at + timedelta(hours=1)).isoformat()}
    payload = {"uri": "https://api.calendly.com/i/1", "email": "ana@example.com", "scheduled_event": scheduled}
    events = sorted(("invitee.created", "invitee.canceled"), key=lambda event: event != first)
    for event in (*events, *events):
        content = json.dumps({"event": event, "attempt": event == first, "payload": payload}).encode()
        stamp = int(time.time())
        signed = hmac.new(source.secret.encode(), f"{stamp}.".encode() + content, hashlib.sha256).hexdigest()
        kept = await source.taken(content, calendly_webhook_signature=f"t={stamp},v1={signed}")
        read = await message(bakery, kept["id"])
        assert (read["state"], read["reason"], len(read["appointment_ids"])) == ("recorded", None, 1)
    await bakery.settled()
    [appointment] = (await bakery.get("/v1/appointments", state="all"))["items"]
    assert appointment["state"] == "cancelled"
    assert (await florist.get("/v1/appointments", state="all"))["items"] == []


async def test_a_signed_body_that_was_altered_on_the_way_is_refused_and_not_kept(
    bakery: Business, stranger: httpx.AsyncClient
):
    source = await added(bakery, stranger, scheme="standard")
    at, content = datetime.now(UTC), json.dumps(VISIT)
    signature = Webhook(source.secret).sign("msg_1", at, content)
    headers = {"webhook_id": "msg_1", "webhook_timestamp": str(int(at.timestamp())), "webhook_signature": signature}
    assert (await source.send(content.replace("cafe", "shop").encode(), **headers)).status_code == 401
    assert (await source.send(content.encode() + b" ", **headers)).status_code == 401
    assert (await bakery.get(MESSAGES))["items"] == []
    assert (await source.send(content.encode(), **headers)).status_code == 202


@pytest.fixture
async def eventbrite() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def test_eventbrite_is_called_back_with_the_token_and_again_when_it_is_away(
    bakery: Business, stranger: httpx.AsyncClient, eventbrite: Receiver, database: Database
):
    attendee = {
        "id": "7", "changed": "2026-05-06T08:00:00Z", "checked_in": True, "cancelled": False, "refunded": False,
        "profile": {"email": "ana@example.com", "name": "Ana"},
        "event": {"online_event": False, "start": {"utc": "2026-05-06T07:30:00Z"}},
    }  # fmt: skip
    answers = [web.Response(status=503), web.json_response(attendee)]
    eventbrite.answer = lambda _: answers.pop(0)
    api = eventbrite.url.removesuffix("/hook")
    source = await added(bakery, stranger, "eventbrite", settings={"token": "secret-token", "api": api})
    thin = {"api_url": f"{api}/v3/events/1/attendees/7/", "config": {"action": "attendee.checked_in"}}
    kept = await source.taken(thin)
    assert kept["state"] == "received"
    await eventbrite.got(1)
    admin = await quiet.superuser(database)
    while (await message(bakery, kept["id"]))["state"] == "received":
        await admin.execute("UPDATE rapport.inbox SET due_at = now() WHERE message_id = $1", kept["id"])
        await asyncio.sleep(0.1)
    await admin.close()
    assert (await message(bakery, kept["id"]))["state"] == "recorded"
    assert {one.headers["authorization"] for one in eventbrite.received} == {"Bearer secret-token"}
    [fact] = await touchpoints(bakery)
    assert (fact["kind"], fact["source_id"]) == ("attendance", "attendee/7")
    elsewhere = await source.taken(thin | {"api_url": "http://127.0.0.1:9/v3/x"})
    assert elsewhere["state"] == "quarantined"
    assert "secret-token" not in json.dumps(await bakery.get(f"{SOURCES}/{source.id}"))


async def test_a_refused_token_of_eventbrite_quarantines(
    bakery: Business, stranger: httpx.AsyncClient, eventbrite: Receiver
):
    eventbrite.answer = lambda _: web.Response(status=401)
    api = eventbrite.url.removesuffix("/hook")
    source = await added(bakery, stranger, "eventbrite", settings={"token": "old", "api": api})
    kept = await source.taken({"api_url": f"{api}/v3/x/", "config": {"action": "attendee.checked_in"}})
    assert "401" in (await settled(bakery, kept["id"], "quarantined"))["reason"]


async def test_mailchimp_looks_whether_anybody_is_here_and_sends_forms(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, "mailchimp")
    assert (await stranger.get(source.url)).status_code == 200
    form = {"type": "subscribe", "fired_at": "2026-03-26 21:35:57", "data[email]": "ana@example.com"}
    answer = await stranger.post(source.url, data=form)
    assert (answer.status_code, answer.json()["state"]) == (202, "recorded")
    [fact] = await touchpoints(bakery)
    assert (fact["kind"], fact["channel"]) == ("follow", "newsletter")
    assert (await source.send(b"no form at all")).status_code == 400


async def test_slack_has_its_challenge_back_when_it_is_signed(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, "slack", secret="signing secret of slack")
    content, stamp = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}).encode(), str(int(time.time()))
    signed = hmac.new(source.secret.encode(), f"v0:{stamp}:".encode() + content, hashlib.sha256).hexdigest()
    answer = await source.send(content, x_slack_request_timestamp=stamp, x_slack_signature=f"v0={signed}")
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
    assert (await source.send(content)).status_code == 401
    assert (await bakery.get(MESSAGES))["items"] == []


async def test_a_privacy_deletion_of_hubspot_waits_whatever_the_attempt(bakery: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, "hubspot", secret="client secret of hubspot")
    kept = []
    for attempt in (0, 1):
        change = {"eventId": 1, "subscriptionType": "contact.privacyDeletion", "objectId": 5, "attemptNumber": attempt}
        content, stamp = json.dumps([change]).encode(), str(int(time.time() * 1000))
        said = f"POST{source.url}".encode() + content + stamp.encode()
        signed = base64.b64encode(hmac.new(source.secret.encode(), said, hashlib.sha256).digest()).decode()
        headers = {"x_hubspot_request_timestamp": stamp, "x_hubspot_signature_v3": signed}
        kept.append(await source.taken(content, **headers))
    assert kept[0] == kept[1]
    assert kept[0]["state"] == "quarantined"


async def test_the_other_business_finds_nothing_of_it(bakery: Business, florist: Business, stranger: httpx.AsyncClient):
    source = await added(bakery, stranger, scheme="standard")
    theirs = await added(florist, stranger, scheme="standard")
    assert (await source.signed(VISIT)).status_code == 202
    assert (await theirs.signed(VISIT)).status_code == 202
    assert (await source.signed(VISIT, message_id="m2", secret=theirs.secret)).status_code == 401
    assert (await florist.get(MESSAGES, source=source.id))["items"] == []
    assert [len(await touchpoints(one)) for one in (bakery, florist)] == [1, 1]


async def test_what_came_to_its_end_is_forgotten_after_thirty_days_and_what_waits_is_not(
    bakery: Business, stranger: httpx.AsyncClient, database: Database
):
    source = await added(bakery, stranger)
    recorded, waiting = await source.taken(VISIT), await source.taken({"no": "touchpoint"})
    young = await source.taken(VISIT | {"minutes": 9})
    admin = await quiet.superuser(database)
    old = "UPDATE rapport.inbox SET received_at = now() - interval '31 days' WHERE message_id = ANY ($1)"
    await admin.execute(old, [recorded["id"], waiting["id"]])
    await admin.close()
    async with in_tenant(bakery.context.pool, bakery.tenant_id) as connection:
        await inbox.clear(connection, bakery.tenant_id)
    left = {one["id"] for one in (await bakery.get(MESSAGES))["items"]}
    assert left == {waiting["id"], young["id"]}
    again = await source.taken(VISIT)
    assert again["id"] != recorded["id"]
    assert len(await touchpoints(bakery)) == 2
