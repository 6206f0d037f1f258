"""A complaint or a dispute strains a relationship for 90 days, however it became known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from infra import projector
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import Shop, touch, work
from tests.infra.test_nudge_policy import kinds, said, wake, weekly


async def strained(shop: Shop) -> list[Any]:
    rows = await shop.rows("SELECT strained_at FROM relationship WHERE build = live_build('relationships')")
    return [row["strained_at"] for row in rows]


@pytest.mark.parametrize("kind", ["complaint", "dispute"])
async def test_the_last_one_counts_and_struck_it_is_gone(context: Context, shop: Shop, rival: Shop, kind: str):
    late, early = touch("ben", ago=5, kind=kind, direction="in"), touch("ben", ago=40, kind=kind, direction="in")
    await rival.tell(touch("ben"))
    await shop.tell(touch("ben", ago=2), touch("ben", ago=60))
    await work(context)
    assert await strained(shop) == [None]
    results = []
    for one in (late, early):
        results += await shop.tell(one)
        await work(context)
        assert await strained(shop) == [late.occurred_at]
    for result, left in zip(results, (early.occurred_at, None), strict=True):
        assert result.event_id
        await shop.strike(result.event_id)
        await work(context)
        assert await strained(shop) == [left]
    assert await strained(rival) == [None]


async def test_a_rebuild_knows_it_too(context: Context, shop: Shop, rival: Shop):
    complaint = touch("ben", ago=3, kind="complaint", direction="in")
    await shop.tell(touch("ben", ago=2), complaint)
    await work(context)
    before = await shop.contents("relationship")
    await projector.start_rebuild(context, shop.id, "relationships")
    await work(context)
    assert await shop.contents("relationship") == before
    assert await strained(shop) == [complaint.occurred_at]
    assert await strained(rival) == []


async def test_the_rhythm_is_not_to_be_kept_with_somebody_who_complained(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """What is open ends, and it may come again when the strain is over or was none."""
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*weekly())
        await work(context)
    [complaint] = await shop.tell(touch("ana", ago=0, kind="complaint", direction="in"))
    await work(context)
    assert [one.get("because") for one in await said(shop)] == [None, "strained"]
    assert [one["type"] for one in await said(rival)] == ["nudge.suggested"]
    assert complaint.event_id
    await shop.strike(complaint.event_id)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=16), tick=True):
        await shop.tell(*weekly())
        await wake(admin, context)
        assert await kinds(shop) == ["keep_the_rhythm", "keep_the_rhythm"]
