"""Is it up, is it ready, how is it doing: open to all, and without anybody's data."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec.structs import replace

from infra.context import Context
from tests.road import Business, Road
from tests.services.api.told import touchpoint


@pytest.fixture
async def without_database(road: Road, bakery: Business) -> AsyncIterator[Road]:
    """The application as it is when its pool of connections is closed."""
    context: Context = road.app.state["context"]
    closed = asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/nothing", min_size=0)
    road.app.state["context"] = replace(context, pool=closed)
    yield road
    road.app.state["context"] = context


@pytest.mark.parametrize(("path", "status"), [("/health/live", "live"), ("/health/ready", "ready")])
async def test_health_needs_no_key(road: Road, path: str, status: str):
    async with road.client() as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})


async def test_without_the_database_it_is_alive_but_not_ready(without_database: Road):
    async with without_database.client() as client:
        assert (await client.get("/health/live")).status_code == 200
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "the database does not answer"})


async def test_without_the_database_a_read_says_so_and_when_to_ask_again(without_database: Road, bakery: Business):
    answer = await bakery.client.get("/v1/contacts")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:rapport:problem:unavailable"


async def test_metrics_are_there_for_all(bakery: Business, road: Road):
    await bakery.tell(touchpoint("secret@example.com"))
    async with road.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    for name in (
        "rapport_appends_total",
        "rapport_request_seconds_count",
        "rapport_projection_lag_events",
        "rapport_parked_now",
        "rapport_wall_breaches_total",
        "rapport_database_up 1.0",
    ):
        assert name in answer.text
    assert str(bakery.tenant_id) not in answer.text
    assert "secret" not in answer.text


async def test_metrics_say_that_the_database_is_away(without_database: Road):
    async with without_database.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "rapport_database_up 0.0" in answer.text


async def test_a_request_is_measured_under_the_template_of_its_path(bakery: Business, road: Road):
    await bakery.client.get("/v1/contacts/00000000-0000-7000-8000-000000000000")
    await bakery.client.get("/wp-admin/secret.php")
    async with road.client() as client:
        text = (await client.get("/metrics")).text
    assert 'route="/v1/contacts/{contact_id}"' in text
    assert "wp-admin" not in text


async def test_head_answers_like_get_without_a_body(bakery: Business):
    for path in ("/health/live", "/v1/contacts", "/schema"):
        get, head = await bakery.client.get(path), await bakery.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert (await bakery.client.head("/v1/touchpoints")).status_code == 405


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/contacts", "GET, HEAD, OPTIONS, POST"),
        ("/v1/contacts/00000000-0000-7000-8000-000000000000", "GET, HEAD, OPTIONS, PATCH"),
        ("/v1/touchpoints", "OPTIONS, POST"),
    ],
)
async def test_options_says_what_a_path_takes(road: Road, path: str, allowed: str):
    async with road.client() as client:
        answer = await client.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


async def test_each_answer_has_an_id_of_its_own(bakery: Business):
    answers = [await bakery.client.get(path) for path in ("/v1/contacts", "/v1/contacts", "/nowhere", "/health/live")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4
