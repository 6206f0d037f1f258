"""Periodic work: rows that say when, in each tenant's own time."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from infra import nudge_engine, periodic
from infra.context import Context
from infra.database import Connection
from infra.periodic import next_morning
from tests.infra.quiet import Shop, friendship, parked_again, touch, work

UTC_DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "now", "morning"),
    [
        ("America/Los_Angeles", "2026-06-10T06:59:59-07:00", "2026-06-10T07:00:00-07:00"),
        ("America/Los_Angeles", "2026-06-10T07:00:00-07:00", "2026-06-11T07:00:00-07:00"),
        ("America/Los_Angeles", "2026-03-07T12:00:00-08:00", "2026-03-08T07:00:00-07:00"),  # summer time begins
        ("America/Los_Angeles", "2026-10-31T12:00:00-07:00", "2026-11-01T07:00:00-08:00"),  # and ends
        ("America/Los_Angeles", "2026-11-01T01:30:00-07:00", "2026-11-01T07:00:00-08:00"),  # half past one, first
        ("America/Los_Angeles", "2026-11-01T01:30:00-08:00", "2026-11-01T07:00:00-08:00"),  # and second time
        ("Europe/Berlin", "2026-03-28T23:30:00+01:00", "2026-03-29T07:00:00+02:00"),
        ("Europe/Berlin", "2026-10-24T23:30:00+02:00", "2026-10-25T07:00:00+01:00"),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00+11:00", "2026-04-05T07:00:00+10:30"),  # half an hour
        ("Asia/Kolkata", "2026-06-10T12:00:00+05:30", "2026-06-11T07:00:00+05:30"),
        ("Pacific/Kiritimati", "2026-06-10T12:00:00+14:00", "2026-06-11T07:00:00+14:00"),
        ("UTC", "2026-12-31T23:59:59+00:00", "2027-01-01T07:00:00+00:00"),
    ],
)
def test_the_morning_comes_at_seven_by_the_clock_on_the_wall(zone: str, now: str, morning: str):
    assert next_morning(at(now), zone) == at(morning)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
def test_each_day_of_a_year_has_one_morning(zone: str):
    now, mornings = at("2026-01-01T00:00:00+00:00"), []
    for _ in range(366):
        now = next_morning(now, zone)
        mornings.append(now.astimezone(ZoneInfo(zone)))
    assert {(one.hour, one.minute) for one in mornings} == {(7, 0)}
    days = [one.date() for one in mornings]
    assert days == [days[0] + n * UTC_DAY for n in range(366)]


@pytest.mark.parametrize(
    ("zone", "now", "began"),
    [
        ("America/Los_Angeles", "2026-06-10T23:59:59-07:00", "2026-06-10T00:00:00-07:00"),
        ("America/Los_Angeles", "2026-03-08T12:00:00-07:00", "2026-03-08T00:00:00-08:00"),
        ("America/Los_Angeles", "2026-11-01T12:00:00-08:00", "2026-11-01T00:00:00-07:00"),
        ("America/Havana", "2026-11-01T00:30:00-04:00", "2026-11-01T00:00:00-04:00"),
        ("America/Havana", "2026-11-01T00:30:00-05:00", "2026-11-01T00:00:00-04:00"),  # midnight came twice
        ("Pacific/Kiritimati", "2026-06-10T09:00:00+14:00", "2026-06-10T00:00:00+14:00"),
    ],
)
def test_a_day_begins_once_by_the_tenants_clock(zone: str, now: str, began: str):
    assert nudge_engine.day_began(at(now), zone) == at(began)


async def due(shop: Shop) -> dict[str, datetime]:
    return {row["task"]: row["due_at"] for row in await shop.rows("SELECT task, due_at FROM due")}


async def make_due(admin: Connection, shop: Shop, *tasks: str) -> None:
    await admin.execute("UPDATE due SET due_at = now() WHERE tenant_id = $1 AND task = ANY ($2)", shop.id, tasks)


async def test_work_done_is_due_next_in_the_tenants_own_zone(context: Context, shop: Shop, rival: Shop):
    before = datetime.now(UTC)
    await work(context)
    for who in (shop, rival):
        found = await due(who)
        assert found["suggest"] == next_morning(before, who.tenant.time_zone)
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
    await shop.tell(*friendship("ben"))
    await rival.tell(*friendship("ben"))
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
