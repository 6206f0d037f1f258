"""Input that is wrong: a clear problem naming the field, nothing of it stored, its neighbours stored, never a 500."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, ago, touchpoint

JSON = {"Content-Type": "application/json"}
DEEP_LIST = b"[" * 20_000 + b"]" * 20_000
DEEP_OBJECT = b'{"with":' * 20_000 + b"1" + b"}" * 20_000

ITEMS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown kind": ({"kind": "seance"}, "kind"),
    "unknown field": ({"shoe_size": 38}, "shoe_size"),
    "unknown field of a person": ({"with": [{"email": "ana@example.com", "shoe_size": 38}]}, "with[0].shoe_size"),
    "unknown direction": ({"direction": "sideways"}, "direction"),
    "a number for a kind": ({"kind": 5}, "kind"),
    "text for a number": ({"minutes": "45"}, "minutes"),
    "a fraction for a number": ({"minutes": 4.5}, "minutes"),
    "a number for a truth": ({"automated": 1}, "automated"),
    "null for a truth": ({"automated": None}, "automated"),
    "too long": ({"minutes": 14_401}, "minutes"),
    "too deep": ({"depth": 4}, "depth"),
    "a negative audience": ({"audience": -1}, "audience"),
    "a huge audience": ({"audience": 10**30}, "audience"),
    "naive time": ({"occurred_at": "2026-05-06T08:15:00"}, "occurred_at"),
    "a day for a time": ({"occurred_at": "2026-05-06"}, "occurred_at"),
    "a number for a time": ({"occurred_at": 1778055300}, "occurred_at"),
    "no time": ({"occurred_at": "yesterday"}, "occurred_at"),
    "no such day": ({"occurred_at": "2026-02-30T00:00:00Z"}, "occurred_at"),
    "before 1900": ({"occurred_at": "1899-12-31T23:59:59Z"}, "occurred_at"),
    "before all time": ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    "after all time": ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    "more than a day ahead": ({"occurred_at": ago(-1.5)}, "occurred_at"),
    "a channel in capitals": ({"channel": "LinkedIn"}, "channel"),
    "an empty channel": ({"channel": ""}, "channel"),
    "a long channel": ({"channel": "x" * 61}, "channel"),
    "nobody": ({"with": []}, "with"),
    "null people": ({"with": None}, "with"),
    "a person who is no object": ({"with": ["ana@example.com"]}, "with[0]"),
    "a person without a name": ({"with": [{}]}, "with[0]"),
    "a person with an empty name": ({"with": [{"name": " "}]}, "with[0]"),
    "a person named in two ways": ({"with": [{"email": "ana@example.com", "phone": "5035550100"}]}, "with[0].phone"),
    "a platform without a handle": ({"with": [{"platform": "x"}]}, "with[0].handle"),
    "a handle without a platform": ({"with": [{"handle": "ana"}]}, "with[0].platform"),
    "a strange platform": ({"with": [{"platform": "a b", "handle": "ana"}]}, "with[0].platform"),
    "a handle with spaces": ({"with": [{"platform": "x", "handle": "a b"}]}, "with[0].handle"),
    "no address": ({"with": [{"email": "ana"}]}, "with[0].email"),
    "no address as a handle": ({"with": [{"platform": "email", "handle": "ana"}]}, "with[0].handle"),
    "no number": ({"with": [{"email": "ana@example.com"}, {"phone": "12"}]}, "with[1].phone"),
    "no id": ({"with": [{"contact_id": "ana"}]}, "with[0].contact_id"),
    "an id of nobody": ({"with": [{"contact_id": NOBODY}]}, "with[0].contact_id"),
    "a name of 10,000 characters": ({"with": [{"name": "x" * 10_000}]}, "with[0].name"),
    "an address of 10,000 characters": ({"with": [{"email": "x" * 10_000 + "@example.com"}]}, "with[0].email"),
    "the same address in two spellings": (
        {"with": [{"email": "ana@example.com"}, {"email": "ben@example.com"}, {"email": " ANA@example.com"}]},
        "with[2]",
    ),
    "the same name twice": ({"with": [{"name": "Ana"}, {"name": "Ana"}]}, "with[1]"),
    "501 people": ({"with": [{"name": f"guest {n}"} for n in range(501)]}, "with"),
    "an empty topic": ({"topics": ["flour", " "]}, "topics[1]"),
    "too many topics": ({"topics": [f"topic {n}" for n in range(21)]}, "topics"),
    "a long note": ({"note": "x" * 10_001}, "note"),
    "a source_id alone": ({"source_id": "1"}, "source"),
    "a long source_id": ({"source": "mailbox", "source_id": "x" * 401}, "source_id"),
    "NUL": ({"note": "a\0b"}, "note"),
    "NUL in a name": ({"with": [{"name": "\0"}]}, "with[0].name"),
    "NUL in the name of a field": ({"with": [{"na\0me": "Ana"}]}, "with[0]"),
    "half a surrogate pair": ({"topics": ["flour", "\ud800"]}, "topics[1]"),
    "the other half": ({"note": "\udc00"}, "note"),
    "halves in the wrong order": ({"note": "\udc00\ud800"}, "note"),
}


def refused(result: dict[str, Any]) -> dict[str, Any]:
    """The problem of a rejected item, which has all a problem document has."""
    assert (result["status"], result["contact_ids"], result["position"]) == ("rejected", [], None)
    problem: dict[str, Any] = result["problem"]
    assert problem.keys() >= {"type", "title", "status", "detail"}
    assert problem["type"].startswith("urn:rapport:problem:")
    assert 400 <= problem["status"] < 500
    return problem


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() >= {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


async def stored(business: Business) -> int:
    """How far the log has got."""
    position: int = (await business.get("/v1/events", limit=1000))["position"]
    return position


@pytest.mark.parametrize("name", ITEMS)
async def test_a_bad_item_is_refused_and_its_neighbours_are_stored(bakery: Business, florist: Business, name: str):
    change, field = ITEMS[name]
    items = [touchpoint("before@example.com"), touchpoint() | change, touchpoint("after@example.com")]
    answer = await bakery.client.post("/v1/touchpoints", content=json.dumps(items), headers=JSON)
    assert answer.status_code == 200, answer.text
    before, bad, after = answer.json()["results"]
    assert refused(bad)["field"] == field
    assert (before["status"], after["status"]) == ("recorded", "recorded")

    told = (await bakery.get("/v1/events", types="touchpoint.recorded"))["items"]
    assert [item["event_id"] for item in told] == [before["event_id"], after["event_id"]]
    contacts = (await bakery.get("/v1/contacts", after=answer.json()["position"]))["items"]
    assert {contact["identities"][0]["handle"] for contact in contacts} == {"before@example.com", "after@example.com"}
    assert await stored(florist) == 0


@pytest.mark.parametrize("missing", ["kind", "occurred_at", "channel", "direction", "with"])
async def test_a_missing_field_is_named(bakery: Business, missing: str):
    told = touchpoint()
    del told[missing]
    answer = await bakery.post("/v1/touchpoints", told)
    assert answer.status_code == 422
    assert refused(answer.json()["results"][0])["field"] == missing


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (DEEP_LIST, 400),
        (DEEP_OBJECT, 413),
        (b'{"with":' * 5_000 + b"1" + b"}" * 5_000, 400),
        (b'{"kind":"email","kind":}', None),
        (b'{"note":"\xff"}', 400),
        (b'{"note":"\\ud800"}', 400),
        (b'{"note":"\xed\xa0\x80"}', 400),
        (b'{"note":"' + b"x" * 64_001 + b'"}', 413),
        (b"null", 400),
        (b"5", 400),
        (b'"ana"', 400),
        (b"[]", 400),
        (b"{}", 400),
    ],
    ids=repr,
)
async def test_an_unreadable_item_stands_alone(bakery: Business, item: bytes, status: int | None):
    good = json.dumps(touchpoint()).encode()
    array = await bakery.client.post("/v1/touchpoints", content=b"[%b, %b,%b]" % (good, item, good), headers=JSON)
    if status is None:
        assert problem_of(array, 400)["type"] == "urn:rapport:problem:malformed"
        assert await stored(bakery) == 0
    else:
        results = array.json()["results"]
        assert [result["status"] for result in results] == ["recorded", "rejected", "recorded"]
        assert refused(results[1])["status"] == status
    lines = await bakery.client.post(
        "/v1/touchpoints", content=b"\n".join([good, item, good]), headers={"Content-Type": "application/x-ndjson"}
    )
    results = lines.json()["results"]
    assert [result["status"] for result in results] == ["recorded", "rejected", "recorded"]
    assert refused(results[1])["status"] in (400, 413)


async def test_brackets_and_commas_in_texts_do_not_mislead_the_search_for_items(bakery: Business):
    items = [touchpoint(note=note) for note in ('],[{"', "\\", '\\"', "}", "\\\\,")]
    body = b"[" + b",".join([*(json.dumps(item).encode() for item in items), DEEP_LIST]) + b" ]  "
    answer = await bakery.client.post("/v1/touchpoints", content=body, headers=JSON)
    assert [result["status"] for result in answer.json()["results"]] == ["recorded"] * 5 + ["rejected"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[",
        b"[{]",
        b"[{}",
        b"[{},]",
        b"{}}",
        b"[{}]]",
        b"[{}] []",
        b"[" * 100_000,
        b"[}" * 1_000,
        b"[" + DEEP_LIST,
        b"{" + DEEP_OBJECT[:60_000],
        b"null",
        b"5",
        b'"ana"',
        b"NaN",
        b"{'kind': 'email'}",
        b'{"note": "\xff"}',
        b'{"note": "\\ud800"}',
        b'{"note": "\\u0000"}',
        b'{"with":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xff\xfe{}",
        b"kind=email",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_cannot_be_read_is_refused_whole(bakery: Business, body: bytes):
    answer = await bakery.client.post("/v1/touchpoints", content=body, headers=JSON)
    assert problem_of(answer, 400)["type"] == "urn:rapport:problem:malformed"
    assert await stored(bakery) == 0


@pytest.mark.parametrize("count", [0, 1_001])
async def test_none_or_more_than_a_thousand_are_refused(bakery: Business, count: int):
    as_array = await bakery.post("/v1/touchpoints", [touchpoint()] * count)
    lines = f"{json.dumps(touchpoint())}\n" * count
    as_lines = await bakery.client.post(
        "/v1/touchpoints", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    for answer in (as_array, as_lines):
        problem = problem_of(answer, 422)
        assert problem["detail"] == f"send 1 to 1,000 touchpoints at once, not {count:,}"
    assert await stored(bakery) == 0


async def test_an_item_of_64_kb_is_taken_and_a_larger_one_refused(bakery: Business):
    told = json.dumps(touchpoint()).encode()
    full, over = (told[:-1] + b" " * (size - len(told)) + b"}" for size in (64_000, 64_001))
    both = await bakery.client.post("/v1/touchpoints", content=b"[%b,%b]" % (full, over), headers=JSON)
    taken, too_large = both.json()["results"]
    assert taken["status"] == "recorded"
    assert refused(too_large)["status"] == 413
    alone = await bakery.client.post("/v1/touchpoints", content=over, headers=JSON)
    assert problem_of(alone, 413)["detail"] == "one touchpoint takes at most 64 kB"


@pytest.mark.parametrize("path", ["/v1/touchpoints", "/v1/contacts", "/v1/channels"])
async def test_more_than_a_megabyte_is_refused(bakery: Business, path: str):
    answer = await bakery.client.post(path, content=b" " * 1_000_001, headers=JSON)
    assert problem_of(answer, 413)["type"] == "urn:rapport:problem:too-large"
    assert await stored(bakery) == 0


@pytest.mark.parametrize("path", ["/v1/touchpoints", "/v1/contacts"])
async def test_a_stream_beyond_a_megabyte_is_given_up_before_it_ends(bakery: Business, path: str):
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 100_000
            assert read < 2_000_000, "it is still being read"
            yield b" " * 100_000

    answer = await bakery.client.post(path, content=endless(), headers=JSON)
    problem_of(answer, 413)
    assert read <= 1_200_000


async def test_the_same_person_by_id_and_by_address_is_twice_the_same(bakery: Business):
    [known] = await bakery.tell(touchpoint())
    people = [{"email": "ben@example.com"}, {"email": "ana@example.com"}, {"contact_id": known["contact_ids"][0]}]
    answer = await bakery.post("/v1/touchpoints", touchpoint(**{"with": people}))
    assert answer.status_code == 422
    assert refused(answer.json()["results"][0])["field"] == "with[2]"
    assert len((await bakery.get("/v1/contacts"))["items"]) == 1


COMMANDS: list[tuple[str, str, Any, str | None]] = [
    ("POST", "/v1/contacts", {}, "name"),
    ("POST", "/v1/contacts", {"name": " "}, "name"),
    ("POST", "/v1/contacts", {"name": ""}, "name"),
    ("POST", "/v1/contacts", {"name": 5}, "name"),
    ("POST", "/v1/contacts", {"name": "x" * 10_000}, "name"),
    ("POST", "/v1/contacts", {"name": "Ana\0"}, "name"),
    ("POST", "/v1/contacts", {"name": "Ana \ud83d"}, "name"),
    ("POST", "/v1/contacts", {"name": "Ana", "shoe_size": 38}, "shoe_size"),
    ("POST", "/v1/contacts", {"name": "Ana", "relation": "enemy"}, "relation"),
    ("POST", "/v1/contacts", {"name": "Ana", "locality": ""}, "locality"),
    ("POST", "/v1/contacts", {"name": "Ana", "hint": " "}, "hint"),
    ("POST", "/v1/contacts", {"name": "Ana", "identities": {}}, "identities"),
    ("POST", "/v1/contacts", {"identities": [{"platform": "email"}]}, "identities[0].handle"),
    ("POST", "/v1/contacts", {"identities": [{"platform": "email", "handle": "ana"}]}, "identities[0].handle"),
    ("POST", "/v1/contacts", {"identities": [{"platform": "a b", "handle": "ana"}]}, "identities[0].platform"),
    ("POST", "/v1/contacts", {"name": "Ana", "interests": [{"topic": " "}]}, "interests[0].topic"),
    ("POST", "/v1/contacts", {"name": "Ana", "interests": [{"topic": "a", "in_confidence": "yes"}]},
     "interests[0].in_confidence"),
    ("POST", "/v1/contacts", {"name": "Ana", "interests": [{"topic": "a", "learned_at": "The Café"}]},
     "interests[0].learned_at"),
    ("POST", "/v1/contacts", {"name": "Ana", "stated": {"known_since": "long ago"}}, "stated.known_since"),
    ("POST", "/v1/contacts", {"name": "Ana", "stated": {"how_often": "never"}}, "stated.how_often"),
    ("POST", "/v1/contacts", [], None),
    ("POST", "/v1/contacts", None, None),
    ("POST", "/v1/contacts", 5, None),
    ("PATCH", "/v1/contacts/{contact_id}", {"name": None}, "name"),
    ("PATCH", "/v1/contacts/{contact_id}", {"name": " "}, "name"),
    ("PATCH", "/v1/contacts/{contact_id}", {"within_reach": "maybe"}, "within_reach"),
    ("PATCH", "/v1/contacts/{contact_id}", {"hint": "the baker"}, "hint"),
    ("PATCH", "/v1/contacts/{contact_id}", {"closed": True}, "closed"),
    ("POST", "/v1/channels", {}, "slug"),
    ("POST", "/v1/channels", {"slug": "The Place"}, "slug"),
    ("POST", "/v1/channels", {"slug": "x" * 61}, "slug"),
    ("POST", "/v1/channels", {"slug": "place", "realm": "astral"}, "realm"),
    ("POST", "/v1/channels", {"slug": "place", "name": " "}, "name"),
    ("POST", "/v1/channels", {"slug": "place", "name": "x" * 10_000}, "name"),
    ("POST", "/v1/channels", {"slug": "place", "topics": ["a", " "]}, "topics[1]"),
    ("POST", "/v1/channels", {"slug": "place", "topics": ["x" * 81]}, "topics[0]"),
    ("POST", "/v1/channels", {"slug": "place", "sensitive": "no"}, "sensitive"),
    ("POST", f"/v1/nudges/{NOBODY}/snooze", {}, "until"),
    ("POST", f"/v1/nudges/{NOBODY}/snooze", {"until": "2026-05-06T08:15:00"}, "until"),
    ("POST", f"/v1/nudges/{NOBODY}/snooze", {"until": 1778055300}, "until"),
    ("POST", f"/v1/nudges/{NOBODY}/accept", {"within_reach": "perhaps"}, "within_reach"),
    ("POST", f"/v1/nudges/{NOBODY}/dismiss", {"reason": "x" * 1_001}, "reason"),
    ("POST", f"/v1/nudges/{NOBODY}/done", {"minutes": -1}, "minutes"),
    ("POST", f"/v1/nudges/{NOBODY}/done", {"kind": "seance"}, "kind"),
    ("POST", f"/v1/touchpoints/{NOBODY}/strike", {"why": 5}, "why"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "field"), COMMANDS, ids=lambda part: str(part)[:40] if part is not None else "null"
)
async def test_a_bad_command_is_refused_with_its_field(
    bakery: Business, method: str, path: str, body: Any, field: str | None
):
    added = await bakery.post("/v1/contacts", {"name": "Ana"})
    path = path.format(contact_id=added.json()["id"])
    answer = await bakery.client.request(method, path, content=json.dumps(body), headers=JSON)
    assert problem_of(answer, 400).get("field") == field
    assert await stored(bakery) == added.json()["position"]


@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/channels", f"/v1/touchpoints/{NOBODY}/strike"])
@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'{"name":"\xff"}', b"{'a': 1}", b"NaN", b"[" * 20_000], ids=lambda body: repr(body[:20])
)
async def test_a_command_that_is_no_json_is_refused(bakery: Business, path: str, body: bytes):
    answer = await bakery.client.post(path, content=body, headers=JSON)
    assert problem_of(answer, 400)["type"] in ("urn:rapport:problem:malformed", "urn:rapport:problem:invalid")
    assert await stored(bakery) == 0


async def test_a_command_nested_too_deep_is_refused(bakery: Business):
    deep = b'{"interests":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    problem_of(await bakery.client.post("/v1/contacts", content=deep, headers=JSON), 400)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"])
async def test_another_kind_of_body_is_refused(bakery: Business, media_type: str):
    for path in ("/v1/touchpoints", "/v1/contacts"):
        answer = await bakery.client.post(path, content=b"{}", headers={"Content-Type": media_type})
        problem = problem_of(answer, 415)
        assert problem["field"] == "Content-Type"
        assert "application/json" in problem["detail"]
    lines = await bakery.client.post("/v1/contacts", content=b"{}", headers={"Content-Type": "application/x-ndjson"})
    problem_of(lines, 415)


async def test_json_without_a_content_type_is_read_as_json(bakery: Business):
    answer = await bakery.client.post("/v1/touchpoints", content=json.dumps(touchpoint()))
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 200


QUERIES = [
    ("/v1/contacts?limit=0", "limit"),
    ("/v1/contacts?limit=201", "limit"),
    ("/v1/contacts?limit=ten", "limit"),
    ("/v1/contacts?stage=boss", "stage"),
    ("/v1/contacts?half=neither", "half"),
    ("/v1/contacts?sort=age", "sort"),
    ("/v1/contacts?quiet_days=-1", "quiet_days"),
    ("/v1/contacts?quiet_days=9999999999", "quiet_days"),
    ("/v1/contacts?min_strength=101", "min_strength"),
    ("/v1/contacts?min_strength=nan", "min_strength"),
    ("/v1/contacts?q=%00", "q"),
    ("/v1/contacts?channel=%00", "channel"),
    ("/v1/contacts?q=" + "x" * 201, "q"),
    ("/v1/contacts?shoe_size=38", "shoe_size"),
    ("/v1/contacts?after=-1", "after"),
    ("/v1/contacts?after=1", "after"),
    ("/v1/contacts?after=99999999999999999999999", "after"),
    ("/v1/contacts?cursor=", "cursor"),
    ("/v1/contacts?cursor=zzz", "cursor"),
    ("/v1/contacts?cursor=%C3%A9", "cursor"),
    ("/v1/channels?cursor=WyJcdTAwMDAiXQ", "cursor"),
    ("/v1/channels?cursor=WzVd", "cursor"),
    ("/v1/channels?after=1", "after"),
    ("/v1/network?limit=-1", "limit"),
    ("/v1/network?after=1", "after"),
    ("/v1/nudges?state=forgotten", "state"),
    ("/v1/nudges?which=open", "which"),
    ("/v1/nudges?after=1", "after"),
    ("/v1/nudges?cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiMDAwMDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAwIl0",
     "cursor"),
    ("/v1/events?after=1", "after"),
    ("/v1/events?after=x", "after"),
    ("/v1/events?limit=1001", "limit"),
    ("/v1/events?wait=31", "wait"),
    ("/v1/events?wait=nan", "wait"),
    ("/v1/events?types=touchpoint.forgotten", "types"),
    (f"/v1/contacts/{NOBODY}/strength?true_at=yesterday", "true_at"),
    (f"/v1/contacts/{NOBODY}/strength?true_at=2026-05-06T08:15:00", "true_at"),
    (f"/v1/contacts/{NOBODY}/strength?true_at=0001-01-01T00:00:00%2B14:00", "true_at"),
    (f"/v1/contacts/{NOBODY}/strength?true_at=9999-12-31T23:59:59-14:00", "true_at"),
    (f"/v1/contacts/{NOBODY}/timeline?cursor=WzEsMl0", "cursor"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "field"), QUERIES, ids=lambda part: part[:60])
async def test_a_bad_parameter_is_refused_with_its_name(bakery: Business, query: str, field: str):
    assert problem_of(await bakery.client.get(query), 400)["field"] == field


async def test_several_bad_parameters_are_named_at_once(bakery: Business):
    problem = problem_of(await bakery.client.get("/v1/contacts?limit=0&stage=boss"), 400)
    assert {error["field"] for error in problem["errors"]} == {"limit", "stage"}
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_bad_idempotency_key_is_refused(bakery: Business, key: str):
    answer = await bakery.post("/v1/contacts", {"name": "Ana"}, **{"Idempotency-Key": key})
    assert problem_of(answer, 400)["field"] == "Idempotency-Key"


@pytest.mark.parametrize("version", ["", "one", "-1", "1.5", 'W/"1"', "9" * 25, "\u0661".encode().decode("latin-1")])
async def test_a_bad_version_is_refused(bakery: Business, version: str):
    added = await bakery.post("/v1/contacts", {"name": "Ana"})
    answer = await bakery.client.patch(
        f"/v1/contacts/{added.json()['id']}", json={"name": "Anna"}, headers={"If-Match": version.encode("latin-1")}
    )
    assert problem_of(answer, 400)["field"] == "If-Match"


async def test_a_snooze_is_within_180_days(bakery: Business):
    until = (datetime.now(UTC) + timedelta(days=181)).isoformat()
    assert problem_of(await bakery.post(f"/v1/nudges/{NOBODY}/snooze", {"until": until}), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/contacts/ana", 404),
        ("GET", "/v1/contacts/%00", 404),
        ("GET", "/v1/touchpoints", 405),
        ("DELETE", "/v1/contacts", 405),
        ("PUT", "/v1/channels", 405),
        ("BREW", "/v1/contacts", 405),
    ],
)
async def test_wrong_paths_and_methods_are_problems_too(bakery: Business, method: str, path: str, status: int):
    answer = await bakery.client.request(method, path)
    problem_of(answer, status)
    assert ("allow" in answer.headers) is (status == 405)
