"""Periodic work: rows that say when, in each tenant's own time."""

import asyncio
from datetime import UTC, datetime, timedelta

from domain.policy import STANDARD, Place, next_opening
from infra import periodic
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import Shop, friendship, parked_again, touch, work

UTC_DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def due(shop: Shop) -> dict[str, datetime]:
    return {row["task"]: row["due_at"] for row in await shop.rows("SELECT task, due_at FROM due")}


async def make_due(admin: Connection, shop: Shop, *tasks: str) -> None:
    await admin.execute("UPDATE due SET due_at = now() WHERE tenant_id = $1 AND task = ANY ($2)", shop.id, tasks)


async def test_work_done_is_due_next_in_the_tenants_own_zone(context: Context, shop: Shop, rival: Shop):
    before = datetime.now(UTC)
    await work(context)
    for who in (shop, rival):
        found = await due(who)
        place = Place(who.tenant.country, who.tenant.time_zone)
        assert found["suggest"] == next_opening(STANDARD, before, place)
        assert found["rescore"] == before.replace(hour=0, minute=0, second=0, microsecond=0) + UTC_DAY
    assert (await due(shop))["suggest"] != (await due(rival))["suggest"]
    assert not await periodic.run_due(context)


async def test_thousands_of_contacts_are_brought_to_the_new_day_in_steps(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    for start in (0, 1_000, 2_000, 3_000):
        await shop.tell(*(touch(f"guest{n}", ago=n % 300) for n in range(start, start + 1_000)))
    await shop.tell(*(touch(f"guest{n}", ago=1) for n in range(4_000, 4_100)))
    await rival.tell(touch("ben"))
    await work(context)
    today = await shop.contents("relationship")
    await admin.execute("UPDATE relationship SET scored_day = scored_day - 1, score = 0, stage = 0, online_points = 0")
    await make_due(admin, shop, "rescore")
    steps = []
    while await periodic.run_due(context):
        steps.append(await shop.value("SELECT count(*) FROM relationship WHERE score > 0"))
    assert steps == [2_000, 4_000, 4_100, 4_100]
    assert await shop.contents("relationship") == today
    assert (await rival.contents("relationship"))[0]["score"] == 0


async def test_two_workers_share_what_is_due(context: Context, shop: Shop, rival: Shop, admin: Connection):
    await work(context)
    await make_due(admin, shop, "rescore", "suggest")
    await make_due(admin, rival, "rescore", "suggest")
    done = await asyncio.gather(*(periodic.run_due(context) for _ in range(8)))
    assert sum(done) == 4
    assert not await periodic.run_due(context)


async def test_work_that_fails_is_put_off_and_holds_up_no_other(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    await work(context)
    await admin.execute(
        "INSERT INTO due (tenant_id, task, due_at) VALUES ($1, 'weather', now() - interval '1 day')", shop.id
    )
    await admin.execute("UPDATE tenant SET time_zone = 'Mars/Olympus' WHERE tenant_id = $1", shop.id)
    for who in (shop, rival):
        await make_due(admin, who, "suggest")
    began = datetime.now(UTC)
    while await periodic.run_due(context):
        assert datetime.now(UTC) - began < timedelta(seconds=20)
    assert (await due(rival))["suggest"] > began + timedelta(minutes=2)
    found = await due(shop)
    for task in ("weather", "suggest"):
        assert began < found[task] <= datetime.now(UTC) + timedelta(minutes=1)


async def test_nudges_are_suggested_in_the_morning_though_nothing_happens(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """The day's share was used up; on the next day there is room again, without any new event."""
    await shop.open_always()
    await shop.tell(*(item for name in ("ben", "ana", "eve", "joe") for item in friendship(name)))
    await work(context)
    assert len(await shop.contents("nudge")) == 3
    await make_due(admin, shop, "suggest")
    await work(context)
    assert len(await shop.contents("nudge")) == 3, "the same day"
    await admin.execute("UPDATE nudge SET suggested_at = suggested_at - interval '1 day'")
    await make_due(admin, shop, "suggest")
    await work(context)
    assert len(await shop.contents("nudge")) == 4
    assert await rival.contents("nudge") == []


async def test_the_engine_waits_until_its_own_words_are_in_the_list(context: Context, shop: Shop, admin: Connection):
    """Otherwise it would say the same again, or count wrongly."""
    await shop.open_always()
    await shop.tell(*(item for name in ("ben", "ana", "eve", "joe") for item in friendship(name)))
    await work(context)
    await admin.execute("UPDATE checkpoint SET position = position - 1 WHERE process = 'nudges'")
    await admin.execute("DELETE FROM nudge")
    log = await shop.positions()
    await make_due(admin, shop, "suggest")
    assert await periodic.run_due(context)
    assert await shop.positions() == log
    assert (await due(shop))["suggest"] < datetime.now(UTC) + timedelta(seconds=2)


async def test_a_head_that_is_held_puts_the_engine_off_for_a_moment_only(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*friendship("ben"))
    async with admin.transaction():
        await admin.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", shop.id)
        began = asyncio.get_running_loop().time()
        await work(context)
        assert asyncio.get_running_loop().time() - began < 5
        assert len(await rival.contents("nudge")) == 1
        assert await shop.contents("nudge") == []
    await parked_again(admin)
    await make_due(admin, shop, "suggest")
    await work(context)
    assert len(await shop.contents("nudge")) == 1


async def test_a_head_that_is_held_in_the_morning_puts_the_suggestions_off_for_a_second(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """Nothing failed: it is not put off as work that did."""
    await shop.open_always()
    await shop.tell(*(item for name in ("ben", "ana", "eve", "joe") for item in friendship(name)))
    await work(context)
    await admin.execute("UPDATE nudge SET suggested_at = suggested_at - interval '1 day'")
    await make_due(admin, shop, "suggest")
    async with admin.transaction():
        await admin.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", shop.id)
        assert await periodic.run_due(context)
        assert (await due(shop))["suggest"] < datetime.now(UTC) + timedelta(seconds=2)
    assert len(await shop.contents("nudge")) == 3
    await make_due(admin, shop, "suggest")
    await work(context)
    assert len(await shop.contents("nudge")) == 4
