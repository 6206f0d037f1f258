"""What one request may cost: bounded before its key is known, and ten times its body afterwards."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.road import Business, Road
from tests.services.api.told import touchpoint

HOSTILE: dict[str, Callable[[int], bytes]] = {
    "lists": lambda n: b"[" + b"[]," * (n // 3 - 2) + b"[]]",
    "deep lists": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "deep objects": lambda n: b'{"a":' * (n // 7) + b"1" + b"}" * (n // 7),
    "objects": lambda n: b"[" + b"{}," * (n // 3 - 2) + b"{}]",
    "names": lambda n: b"{" + b",".join(b'"%06x":1' % i for i in range(n // 11)) + b"}",
    "texts": lambda n: b"[" + b'"ab",' * (n // 5 - 2) + b'"ab"]',
    "numbers": lambda n: b"[" + b"1e5," * (n // 4 - 2) + b"1]",
    "escaped quotes": lambda n: b'["' + b'\\"' * (n // 2 - 2),
    "half a pair at the end": lambda n: b"[" + b"[]," * (n // 3 - 5) + b'"\\ud800"]',
    "NUL at the end": lambda n: b'{"a":"' + b"x" * (n - 20) + b'\\u0000"}',
    "one wide letter": lambda n: b'{"a":"' + "\U0001f600".encode() + b"a" * (n - 20) + b'"}',
    "no UTF-8": lambda n: b'["' + b"\xff" * (n - 10) + b'"]',
}


# Python's texts take four bytes a letter as soon as one of them is wide, and a message is kept and then read again.
TIMES = {"one wide letter": 16}


async def asked(road: Road, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """As a server asks the application, without a client that would hold the body too."""
    sent: list[Any] = []
    pieces = [body]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop() if pieces else b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"content-type": "application/json", "content-length": str(len(body))} | headers
    scope: Any = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": ("rapport", 80),
        "client": ("127.0.0.1", 1), "state": {},
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()],
    }  # fmt: skip
    await road.app(scope, receive, send)
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


async def peak(road: Road, path: str, body: bytes, **headers: str) -> tuple[int, int]:
    """The answer's status, and the most bytes held at once beyond what was held before.

    The least of three: the workers' work goes on beside it, and what is loaded once is no request's.
    """
    held = []
    for n in range(3):
        gc.collect()
        tracemalloc.start()
        try:
            status, _ = await asked(road, path, body, webhook_id=str(n), **headers)
            held.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return status, min(held)


async def source_of(business: Business, adapter: str = "plain", **more: Any) -> str:
    answer = await business.post("/v1/webhook-sources", {"name": "a sender", "adapter": adapter, **more})
    path: str = "/v1/in/" + answer.json()["url"].rpartition("/")[2]
    return path


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_body_without_a_key_is_not_read(road: Road, bakery: Business, name: str):
    body = HOSTILE[name](60_000)
    plain = await asked(road, "/v1/in/nobody", b"{}")
    status, held = await peak(road, "/v1/in/nobody", body)
    assert (status, held <= 10 * len(body)) == (401, True), held
    told = await asked(road, "/v1/in/nobody", body)
    assert told[1].partition(b'"request_id"')[0] == plain[1].partition(b'"request_id"')[0]
    for path in ("/v1/touchpoints", "/v1/contacts"):
        assert (await asked(road, path, HOSTILE[name](999_000)))[0] == 401


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_signature_is_checked_before_the_message_is_read(road: Road, bakery: Business, name: str):
    path = await source_of(bakery, scheme="standard")
    assert (await asked(road, path, HOSTILE[name](60_000)))[0] == 401


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_message_takes_at_most_ten_times_its_size(road: Road, bakery: Business, name: str):
    body = HOSTILE[name](60_000)
    for adapter in ("plain", "hubspot", "slack", "mailchimp"):
        more = {"secret": "a secret of sixteen"} if adapter in ("hubspot", "slack") else {}
        path = await source_of(bakery, adapter, **more)
        status, held = await peak(road, path, body)
        assert status in (202, 400, 401, 413)
        assert held <= TIMES.get(name, 10) * len(body), adapter


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_request_takes_at_most_ten_times_its_body(road: Road, bakery: Business, name: str):
    body = HOSTILE[name](999_000)
    key = f"Bearer {bakery.api_key}"
    for path in ("/v1/touchpoints", "/v1/contacts"):
        status, held = await peak(road, path, body, authorization=key)
        assert status in (400, 413, 422)
        assert held <= 10 * len(body), path


LONG: dict[str, tuple[str, str]] = {
    "semicolons in the content type": ("content-type", "multipart/form-data; boundary=a" + ";" * 60_000),
    "quotes in the content type": ("content-type", 'multipart/form-data; a="' + '\\"' * 30_000),
    "the user agent": ("user-agent", "x" * 60_000),
    "parts of a signature": ("stripe-signature", "t=1," + "v1," * 20_000),
    "a key": ("authorization", "Bearer " + "x" * 60_000),
    "cookies": ("cookie", "a=1; " * 12_000),
    "what is accepted": ("accept", "a/b;q=0.1," * 6_000),
    "an Idempotency-Key": ("idempotency-key", "x" * 60_000),
}


@pytest.mark.parametrize("name", LONG)
async def test_a_long_header_is_refused_before_it_is_read(road: Road, bakery: Business, name: str):
    header, value = LONG[name]
    for path in ("/v1/imports", "/v1/touchpoints", "/v1/in/nobody", "/g/nobody", "/health/live", "/nowhere"):
        status, body = await asked(road, path, b"{}", **{header.replace("-", "_"): value})
        assert status == 431
        assert b"a header takes at most 8,000 characters" in body


async def test_a_long_address_is_refused(road: Road, bakery: Business):
    for path in ("/v1/in/" + "x" * 60_000, "/" * 60_000, "/v1/contacts/" + "x" * 60_000):
        assert (await asked(road, path, b"{}"))[0] == 414
    answer = await bakery.client.get("/v1/contacts", params={"q": "x" * 33_000})
    assert answer.status_code == 414
    assert answer.json()["detail"] == "the path and its parameters take at most 32,000 bytes together"


async def test_a_media_type_is_no_longer_than_any(bakery: Business):
    for kind in ("multipart/form-data; boundary=" + "x" * 1_000, "multipart/form-data" + ";" * 7_000):
        answer = await bakery.client.post("/v1/imports", content=b"x", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["field"]) == (400, "file")


@pytest.mark.parametrize("said", ["9" * 5_000, "\u00b2", "-1", "", "0x10"])
async def test_a_strange_length_is_none(road: Road, bakery: Business, said: str):
    path = await source_of(bakery)
    status, _ = await asked(road, path, b"{}", content_length=said)
    assert status < 500
    key = f"Bearer {bakery.api_key}"
    assert (await asked(road, "/v1/imports", b"x", content_length=said, authorization=key))[0] < 500


@pytest.mark.parametrize(
    "query",
    [
        {"after": "9" * 5_000}, {"limit": "9" * 5_000}, {"cursor": "W" * 2_000}, {"cursor": "W1tb" * 500},
        {"q": "%_" * 1_000}, {"a&" * 900: "1"}, {"at": "9" * 40}, {"cursor": "\u00e9" * 200},
    ],
)  # fmt: skip
async def test_a_strange_parameter_is_never_our_fault(bakery: Business, florist: Business, query: dict[str, str]):
    for path in ("/v1/contacts", "/v1/appointments", "/v1/imports", "/v1/nudges"):
        answer = await bakery.client.get(path, params=query)
        assert answer.status_code in (200, 400), answer.text
    assert (await florist.get("/v1/contacts"))["items"] == []


async def test_a_sample_is_no_larger_than_a_message(bakery: Business):
    added = await bakery.post("/v1/webhook-sources", {"name": "a sender", "adapter": "generic"})
    path = f"/v1/webhook-sources/{added.json()['id']}/try"
    answer = await bakery.post(path, {"payload": "x" * 64_000})
    assert (answer.status_code, answer.json()["field"]) == (413, "payload")
    assert (await bakery.post(path, {"payload": "x" * 60_000})).status_code == 200


async def test_a_form_is_read_field_by_field(road: Road, bakery: Business):
    path = await source_of(bakery, "mailchimp")
    kind = {"content_type": "application/x-www-form-urlencoded"}
    good = b"type=subscribe&fired_at=2026-05-06+08%3A15%3A00&data%5Bemail%5D=ana%40example.com"
    assert (await asked(road, path, good, **kind))[0] == 202
    for bad in (b"type", b"a=1&" * 600, b"a=" + b"%41" * 12_000, b"a=\xff", b"&" * 60_000):
        assert (await asked(road, path, bad, **kind))[0] in (400, 413)


async def test_an_account_without_an_address_waits(road: Road, bakery: Business):
    path = await source_of(bakery, "mastodon")
    for url in (b"http://[", b"https://" + "\u0300\u0316".encode() * 10_000):
        said = (
            b'{"id":"1%d","type":"follow","created_at":"2026-05-06T08:15:00Z","account":{"acct":"ana","url":"%b"}}'
            % (len(url), url)
        )
        status, body = await asked(road, path, said)
        assert (status, b"quarantined" in body) == (202, True), body


async def test_a_batch_of_the_same_people_and_marks_is_linear(bakery: Business, florist: Business):
    note = "a" + "\u0300\u0316" * 4_000
    batch = [touchpoint("ana@example.com", kind="email", direction="out", note=note) for _ in range(50)]
    answer = await bakery.client.post("/v1/touchpoints", json=batch, timeout=30)
    assert answer.status_code == 200
    assert (await florist.get("/v1/contacts"))["items"] == []


async def test_too_many_values_are_said_in_a_sentence(bakery: Business):
    answer = await bakery.client.post("/v1/contacts", content=HOSTILE["lists"](999_000))
    assert isinstance(answer, httpx.Response)
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("this JSON holds too many values: at most 166,")
