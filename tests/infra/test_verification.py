"""`verify` finds a changed byte, a missing event, a swapped pair, and says where."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from infra.verification import Verified, verify
from tests.conftest import Database
from tests.road import Business

Tamper = Callable[..., Awaitable[None]]


def visit(day: int) -> dict[str, Any]:
    who = {"email": f"guest{day}@example.com", "name": f"Guest {day}"}
    at = f"2026-05-{day:02d}T10:00:00Z"
    return {"kind": "meeting", "occurred_at": at, "channel": "shop", "direction": "mutual", "with": [who], "note": "hi"}


@pytest.fixture
async def tamper(database: Database) -> AsyncIterator[Tamper]:
    """Change what nobody may change, as the superuser."""
    connection = await asyncpg.connect(database.admin_url)

    async def run(statement: str, *values: object) -> None:
        assert (await connection.execute(statement, *values)).split()[-1] != "0"

    yield run
    await connection.close()


async def checked(business: Business) -> Verified:
    return await verify(business.context, business.tenant_id)


async def test_an_untouched_log_is_whole(bakery: Business, florist: Business):
    await bakery.tell(*(visit(day) for day in range(1, 8)))
    await florist.tell(visit(1))
    done: list[int] = []
    found = await verify(bakery.context, bakery.tenant_id, progress=done.append)
    assert (found.broken_at, found.what) == (None, None)
    assert found.events == 7 * 3 + 1 == done[-1]
    assert (await checked(florist)).events == 4


@pytest.mark.parametrize(
    "change",
    [
        "body = set_byte(body, 3, 65)",
        "sealed = set_byte(sealed, 3, get_byte(sealed, 3) # 1)",
        "meta = set_byte(meta, 3, 65)",
        "type = 'contact.named'",
        "stream = stream || 'x'",
        "version = 2",
        "occurred_at = occurred_at + interval '1 microsecond'",
        "recorded_at = recorded_at - interval '1 microsecond'",
        "event_id = gen_random_uuid()",
        "hash = set_byte(hash, 0, get_byte(hash, 0) # 1)",
        "fingerprint = '\\x00'",
        "sealed = NULL",
    ],
)
async def test_a_changed_field_is_found_where_it_is(bakery: Business, florist: Business, tamper: Tamper, change: str):
    await bakery.tell(*(visit(day) for day in range(1, 5)))
    await florist.tell(visit(1))
    await tamper(f"UPDATE rapport.event SET {change} WHERE tenant_id = $1 AND position = 6", bakery.tenant_id)  # noqa: S608
    found = await checked(bakery)
    assert (found.broken_at, found.what) == (6, "the event is not as it was written")
    assert (await checked(florist)).broken_at is None


async def test_a_missing_event_is_found(bakery: Business, tamper: Tamper):
    await bakery.tell(*(visit(day) for day in range(1, 5)))
    await tamper("DELETE FROM rapport.event WHERE tenant_id = $1 AND position = 5", bakery.tenant_id)
    found = await checked(bakery)
    assert (found.broken_at, found.what) == (5, "the event is missing")


async def test_a_missing_end_is_found(bakery: Business, tamper: Tamper):
    await bakery.tell(*(visit(day) for day in range(1, 5)))
    await tamper("DELETE FROM rapport.event WHERE tenant_id = $1 AND position > 10", bakery.tenant_id)
    assert (await checked(bakery)).broken_at == 11


async def test_a_swapped_pair_is_found(bakery: Business, tamper: Tamper):
    await bakery.tell(*(visit(day) for day in range(1, 5)))
    for position, other in ((4, -1), (7, 4), (-1, 7)):
        await tamper(
            "UPDATE rapport.event SET position = $3 WHERE tenant_id = $1 AND position = $2",
            bakery.tenant_id,
            position,
            other,
        )
    assert (await checked(bakery)).broken_at == 4


async def test_a_head_that_was_set_back_is_found(bakery: Business, tamper: Tamper):
    await bakery.tell(*(visit(day) for day in range(1, 5)))
    await tamper("UPDATE rapport.tenant_head SET hash = '\\x00' WHERE tenant_id = $1", bakery.tenant_id)
    assert (await checked(bakery)).what == "the chain does not end in the hash of the head"


async def test_an_unknown_tenant_is_said(bakery: Business, florist: Business):
    unknown = bakery.tenant_id.__class__(int=1)
    assert (await verify(bakery.context, unknown)).what == "there is no such tenant"
