"""Imports through the API: brought in any form, dried, recorded, reported, undone."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.road import Business
from tests.services.api.told import NOBODY, dried, rested

HEADER = "kind,when,who,where,direction,note,organisation\n"
FILE = HEADER + (
    "meeting,2026-05-02,Ana <ana@mill.example>,cafe,,,Mill Ltd\n"
    "meeting,nonsense,Ben <ben@mill.example>,cafe,,=cmd(),Mill Ltd\n"
    "meeting,2026-05-03,Joe <joe@gmail.com>,cafe,,,\n"
    "meeting,2026-05-04,Zoe <zoe@heal.example>,cafe,,,Zoe's Clinic\n"
    "=cmd(),2026-05-04,Zoe <zoe@mill.example>,cafe,in,,Mill\n"
)


AS_JSON = {"Content-Type": "application/json"}
FORM = "multipart/form-data"


async def act(business: Business, import_id: str, what: str, body: Any = None) -> dict[str, Any]:
    """Ask something of the import; how it stands after that."""
    answer = await business.post(f"/v1/imports/{import_id}/{what}", body)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"id": import_id}
    return await rested(business, import_id)


def counts(found: dict[str, Any]) -> dict[str, int]:
    told = {outcome: number for outcome, number in found["counts"].items() if number}
    assert sum(told.values()) == (found["rows"] or 0)
    return told


async def test_a_file_from_the_first_byte_to_the_undo(bakery: Business, florist: Business):
    import_id = await dried(bakery, FILE, file_name="spring.csv")
    found = await bakery.get(f"/v1/imports/{import_id}")
    assert (found["state"], found["format"], found["file_name"], found["rows"]) == ("ready", "table", "spring.csv", 5)
    assert counts(found) == {"recorded": 1, "rejected": 2, "waiting": 1, "private": 1}
    assert found["first_rows"][0] | {"occurred_at": None} == {
        "row": 1, "line": 2, "kind": "meeting", "occurred_at": None, "channel": "cafe", "direction": "mutual",
        "people": ["Ana"],
    }  # fmt: skip
    assert (await bakery.get("/v1/events"))["items"] == []

    rejected = (await bakery.get(f"/v1/imports/{import_id}/rows", outcome="rejected"))["items"]
    assert [(row["line"], row["column"], row["field"]) for row in rejected] == [(3, 2, "occurred_at"), (6, 1, "kind")]
    people = (await bakery.get(f"/v1/imports/{import_id}/people", sort="unsure"))["items"]
    assert [(one["name"], one["called"]) for one in people] == [("Joe", "joe@gmail.com")]

    found = await act(bakery, import_id, "start")
    assert counts(found) == {"recorded": 1, "rejected": 2, "waiting": 1, "private": 1}
    found = await act(bakery, import_id, "start", {"people": [{"id": people[0]["id"], "sort": "business"}]})
    assert counts(found) == {"recorded": 2, "rejected": 2, "private": 1}
    await bakery.seen(found["position"])
    assert {one["name"] for one in (await bakery.get("/v1/contacts"))["items"]} == {"Ana", "Joe"}

    found = await act(bakery, import_id, "undo")
    assert counts(found) == {"undone": 2, "rejected": 2, "private": 1}
    await bakery.settled()
    assert (await bakery.get("/v1/contacts"))["items"] == []
    network = await bakery.get("/v1/network")
    assert network["in_person_only"]["count"] == 0
    assert (await florist.get("/v1/imports"))["items"] == []
    assert [one["id"] for one in (await bakery.get("/v1/imports"))["items"]] == [import_id]


async def test_the_report_accounts_for_every_row_and_runs_nothing_in_a_spreadsheet(bakery: Business):
    import_id = await dried(bakery, FILE)
    await act(bakery, import_id, "start")
    answer = await bakery.client.get(f"/v1/imports/{import_id}/report.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert import_id in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["row"], row["line"], row["outcome"]) for row in rows] == [
        ("1", "2", "recorded"), ("2", "3", "rejected"), ("3", "4", "waiting"), ("4", "5", "private"),
        ("5", "6", "rejected"),
    ]  # fmt: skip
    assert rows[4]["what stands there"].startswith("'=cmd()")
    assert "zoe@heal" not in answer.text, "private people are not named"


@pytest.mark.parametrize("how", ["form", "json", "csv", "nothing said"])
async def test_the_form_of_the_body_does_not_matter(bakery: Business, how: str):
    content = FILE.encode()
    match how:
        case "form":
            form = {"file": ("../../spring\r\n.csv", content, "application/pdf")}
            answer = await bakery.client.post("/v1/imports", files=form, data={"note": "more"})
        case "json":
            answer = await bakery.client.post(
                "/v1/imports", content=content, headers={"Content-Type": "application/json"}
            )
        case "csv":
            answer = await bakery.client.post("/v1/imports", content=content, headers={"Content-Type": "text/csv"})
        case _:
            answer = await bakery.client.post("/v1/imports", content=content)
    assert answer.status_code == 202, answer.text
    found = await rested(bakery, answer.json()["id"])
    assert counts(found)["recorded"] == 1
    assert "/" not in found["file_name"]
    assert "\n" not in found["file_name"]


async def test_a_file_goes_in_as_it_comes(bakery: Business):
    """Larger than any other body may be, without a length, in small pieces."""
    row = f"meeting,2026-05-02,Ana <ana@mill.example>,cafe,,{'x' * 900},Mill Ltd\n".encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield HEADER.encode()
        for _ in range(3_000):
            yield row

    answer = await bakery.client.post("/v1/imports", content=pieces())
    assert answer.status_code == 202, answer.text
    found = await rested(bakery, answer.json()["id"])
    assert (found["size"], found["rows"]) == (len(HEADER) + 3_000 * len(row), 3_000)
    assert answer.json()["same_as"] is None
    again = await bakery.client.post("/v1/imports", content=pieces())
    assert again.json()["same_as"] == answer.json()["id"]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(
    "content", [b"", b"{", b"%PDF-1.7", b"once upon a time", b"PK\x03\x04 broken", b"\0" * 100, b"\xff\xfe" * 50]
)
async def test_what_is_no_file_we_read_is_refused_and_leaves_nothing(bakery: Business, content: bytes):
    told = problem(await bakery.client.post("/v1/imports", content=content), 400)
    assert told["field"] == "file"
    assert (await bakery.get("/v1/imports"))["items"] == []


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("multipart/form-data", FILE.encode()),
        ("multipart/form-data; boundary=x", FILE.encode()),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name=a; filename="a"\r\n\r\nkind,when',
        ),
        ("multipart/form-data; boundary=" + "x" * 5_000, b""),
    ],
)
async def test_a_broken_form_is_refused(bakery: Business, media_type: str, content: bytes):
    answer = await bakery.client.post("/v1/imports", content=content, headers={"Content-Type": media_type})
    assert problem(answer, 400)["field"] == "file"
    assert (await bakery.get("/v1/imports"))["items"] == []


async def test_a_file_larger_than_is_taken_is_given_up_before_its_end(bakery: Business):
    """The tests' own limit is 5 MB."""
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 100_000
            yield b" " * 100_000

    told = problem(await bakery.client.post("/v1/imports", content=pieces()), 413)
    assert told["field"] == "file"
    assert read < 6_000_000
    announced = await bakery.client.post("/v1/imports", content=b"x" * 6_000_000)
    assert problem(announced, 413)["type"] == "urn:rapport:problem:too-large"
    assert (await bakery.get("/v1/imports"))["items"] == []


@pytest.mark.parametrize(
    ("what", "body", "status", "field"),
    [
        ("start", {"people": [{"id": NOBODY, "sort": "business"}]}, 400, "people[0].id"),
        ("start", {"people": [{"id": NOBODY, "sort": "unsure"}]}, 400, "people[0].sort"),
        ("start", {"unsure": "perhaps"}, 400, "unsure"),
        ("start", {"unsuer": "wait"}, 400, "unsuer"),
        ("own", {"own": []}, 400, "own"),
        ("own", {"own": [{"platform": "email", "handle": "nobody"}]}, 400, "own[0].handle"),
        ("own", {"own": [{"platform": "no platform", "handle": "x"}]}, 400, "own[0].platform"),
    ],
)
async def test_a_bad_answer_is_refused_with_its_field(
    bakery: Business, what: str, body: dict[str, Any], status: int, field: str
):
    import_id = await dried(bakery, FILE)
    told = problem(await bakery.post(f"/v1/imports/{import_id}/{what}", body), status)
    assert told["field"] == field
    assert (await bakery.get(f"/v1/imports/{import_id}"))["state"] == "ready"


async def test_what_has_its_time_is_refused_before_and_after(bakery: Business):
    import_id = await dried(bakery, FILE)
    await act(bakery, import_id, "cancel")
    told = problem(await bakery.post(f"/v1/imports/{import_id}/start"), 409)
    assert told["type"] == "urn:rapport:problem:refused"
    assert (await act(bakery, import_id, "cancel"))["state"] == "cancelled"
    assert (await act(bakery, import_id, "undo"))["state"] == "undone"


async def test_rows_and_people_come_in_pages(bakery: Business):
    import_id = await dried(bakery, FILE)
    for what, ids in (("rows", "row"), ("people", "id")):
        whole = (await bakery.get(f"/v1/imports/{import_id}/{what}", limit=200))["items"]
        seen, cursor = [], {}
        while True:
            page = await bakery.get(f"/v1/imports/{import_id}/{what}", limit=2, **cursor)
            seen += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert [one[ids] for one in seen] == [one[ids] for one in whole]
        assert len(seen) == {"rows": 5, "people": 3}[what]


async def test_two_businesses_bring_the_same_file(bakery: Business, florist: Business):
    ids = await asyncio.gather(*(dried(business, FILE) for business in (bakery, florist)))
    for business, import_id in zip((bakery, florist), ids, strict=True):
        assert counts(await act(business, import_id, "start", {"unsure": "business"}))["recorded"] == 2
    await act(bakery, ids[0], "undo")
    await bakery.settled()
    await florist.settled()
    assert (await bakery.get("/v1/contacts"))["items"] == []
    assert len((await florist.get("/v1/contacts"))["items"]) == 2
    problem(await florist.post(f"/v1/imports/{ids[0]}/undo"), 404)
