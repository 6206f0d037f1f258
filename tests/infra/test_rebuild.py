"""A rebuild from the log gives what the workers made step by step, beside it, without anybody noticing."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.channels import DescribeChannel
from domain.errors import NotFound
from domain.touchpoints import RecordTouchpoint
from infra import commands, projector
from infra.context import Context
from infra.database import Connection
from infra.projector import PROJECTIONS
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.quiet import ORIGIN, Shop, friendship, touch, work

HISTORIES = 12
PEOPLE = ("ben", "ana", "eve", "joe", "zoe")
CHANNELS = ("email", "linkedin", "cafe", "chamber", "shop", "corner")
KINDS = ("email", "direct_message", "comment", "like", "call", "meeting", "handshake", "help", "vouch", "referral",
         "purchase", "complaint", "other", "share", "attendance")  # fmt: skip


def history(chance: random.Random, length: int) -> Iterator[RecordTouchpoint]:
    """Touchpoints in no order, of all sorts, some told twice."""
    told: list[RecordTouchpoint] = []
    for number in range(length):
        if told and chance.random() < 0.1:
            yield chance.choice(told)
            continue
        with_whom = chance.sample(PEOPLE, chance.choice([1, 1, 1, 2, 3]))
        more: dict[str, Any] = {"source": "book", "source_id": str(number)} if chance.random() < 0.5 else {}
        item = touch(
            with_whom,
            day=chance.choice([chance.randrange(400), chance.randrange(400) + chance.random(), 200]),
            kind=chance.choice(KINDS),
            channel=chance.choice(CHANNELS),
            direction=chance.choice(["in", "out", "mutual"]),
            act=chance.choice([None, "give", "ask", "promote", "thank"]),
            minutes=chance.choice([None, None, 3, 45]),
            depth=chance.choice([None, None, None, 3]),
            audience=chance.choice([None, None, 5, 40]),
            automated=chance.random() < 0.05,
            **more,
        )
        if more:
            told.append(item)
        yield item


async def live_through(chance: random.Random, shop: Shop) -> None:
    """A business's year as it happens: told in pieces, struck, described anew, the workers always somewhere behind."""
    items = list(history(chance, 60))
    recorded = []
    while items:
        piece = [items.pop() for _ in range(min(len(items), chance.choice([1, 1, 2, 5, 20])))]
        recorded += [one.event_id for one in await shop.record(*piece) if one.status == "recorded" and one.event_id]
        match chance.randrange(6):
            case 0:
                await shop.strike(chance.choice(recorded))
            case 1:
                slug = chance.choice(CHANNELS)
                described = DescribeChannel(
                    slug, realm=chance.choice(["virtual", "physical"]), name=chance.choice("AB")
                )
                await commands.describe_channel(shop.context, shop.tenant, described, origin=ORIGIN)
            case 2:
                rows = await shop.rows("SELECT contact_id FROM identity ORDER BY contact_id")
                who = chance.choice(rows)["contact_id"]
                await shop.change(
                    who, locality=chance.choice(["Salem", None]), relation=chance.choice(["mentor", None])
                )
                await shop.change(who, name=chance.choice(["Al", "Bo"]), interests=[{"topic": chance.choice("xy")}])
            case _:
                pass
        for _ in range(chance.choice([0, 1, 3, 10])):
            await projector.advance(shop.context)


async def rebuild(context: Context, shop: Shop, *projections: str) -> None:
    for projection in projections or PROJECTIONS:
        await projector.start_rebuild(context, shop.id, projection)
    await work(context)


async def numbers(context: Context, shop: Shop) -> dict[str, list[tuple[int, bool]]]:
    """Of each projection its builds, and which is live."""
    found = {name: await projector.builds(context, shop.id, name) for name in PROJECTIONS}
    return {name: [(build, live) for build, _, live in builds] for name, builds in found.items()}


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_what_grew_step_by_step_is_what_a_rebuild_makes(context: Context, shop: Shop, rival: Shop, seed: int):
    chance = random.Random(seed)
    await live_through(chance, shop)
    await live_through(chance, rival)
    await work(context)
    grown = await shop.everything()
    assert len(grown["timeline"]) > 20
    assert await shop.rows("SELECT FROM parked_event") == []
    await rebuild(context, shop)
    assert await shop.everything() == grown
    assert {tuple(builds) for builds in (await numbers(context, shop)).values()} == {((2, True),)}
    assert {tuple(builds) for builds in (await numbers(context, rival)).values()} == {((1, True),)}


async def test_reads_go_on_unchanged_until_the_switch(context: Context, shop: Shop, rival: Shop, admin: Connection):
    for who in (shop, rival):
        for day in (0, 20, 40):
            await who.tell(*(touch(f"guest{n}", day=day + n / 50) for n in range(1_000)))
        await work(context)
    before = await shop.everything()
    await projector.start_rebuild(context, shop.id, "timeline")
    await projector.start_rebuild(context, shop.id, "timeline")
    assert (await numbers(context, shop))["timeline"] == [(1, True), (2, False)], "one at a time"
    await admin.execute("DELETE FROM timeline WHERE tenant_id = $1 AND build = 1 AND contact_id IN"
                        " (SELECT contact_id FROM contact WHERE name = 'Guest7')", shop.id)  # fmt: skip
    halves = 0
    while (await numbers(context, shop))["timeline"][0] == (1, True):
        assert len(await shop.contents("timeline")) == 2_997
        assert await projector.reached(context, shop.id, ["timeline"], None) == max(await shop.positions())
        assert await projector.advance(context)
        halves += 1
    assert halves > 1
    assert await shop.everything() == before
    left = "SELECT DISTINCT build FROM timeline WHERE tenant_id = $1"
    assert [row["build"] for row in await admin.fetch(left, shop.id)] == [2], "the old rows are gone"
    assert [row["build"] for row in await admin.fetch(left, rival.id)] == [1]


async def test_an_import_in_no_order_counts_each_touch_once(context: Context, shop: Shop, rival: Shop):
    """Larger than a batch: contacts are folded ahead of the build. Touches that weigh nothing show in counts only."""
    chance = random.Random(13)
    told: Counter[str] = Counter()
    for _ in range(5):
        items = [
            touch(
                f"guest{chance.randrange(400)}",
                day=chance.randrange(600),
                kind=chance.choice(["email", "complaint", "call"]),
                automated=chance.random() < 0.3,
            )
            for _ in range(1_000)
        ]
        told.update(item.people[0].name or "" for item in items)
        await shop.tell(*items)
    await rival.tell(*items[:50])
    await work(context)
    names = {row["contact_id"]: row["name"] for row in await shop.contents("contact")}
    counts = {names[row["contact_id"]]: row["touchpoints"] for row in await shop.contents("relationship")}
    assert counts == dict(told)
    grown = await shop.everything()
    await rebuild(context, shop)
    assert await shop.everything() == grown


async def test_what_is_told_during_a_rebuild_is_in_both(context: Context, shop: Shop, rival: Shop):
    for _ in range(3):
        await shop.tell(*(touch(("ben", "ana")[n % 2], day=n % 300) for n in range(1_000)))
    await work(context)
    for projection in PROJECTIONS:
        await projector.start_rebuild(context, shop.id, projection)
    told = 3_000
    while True:
        await shop.tell(*(touch("ben", day=n) for n in range(100)))
        await rival.tell(touch("eve"))
        told += 100
        worked = [await projector.advance(context) for _ in range(4)]
        if {tuple(builds) for builds in (await numbers(context, shop)).values()} == {((2, True),)}:
            break
        assert any(worked)
    await work(context)
    assert len(await shop.contents("timeline")) == told
    assert sum(row["touchpoints"] for row in await shop.contents("relationship")) == told
    grown = await shop.everything()
    await rebuild(context, shop)
    assert await shop.everything() == grown


async def test_a_rebuild_says_nothing_and_suggests_nothing(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*(item for name in ("ben", "ana", "eve", "joe") for item in friendship(name)))
        await work(context)
        assert len(await who.contents("nudge")) == 3, "the day's share; a fourth waits"
    log = await shop.positions()
    nudges = await shop.contents("nudge")
    for _ in range(2):
        await rebuild(context, shop)
    assert await shop.positions() == log
    assert await shop.contents("nudge") == nudges
    assert (await numbers(context, shop))["nudges"] == [(3, True)]


async def test_two_workers_rebuild_together(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database, servers: Servers
):
    chance = random.Random(11)
    for who in (shop, rival):
        for _ in range(3):
            await who.record(*history(chance, 900))
    await work(context)
    before = await shop.everything(), await rival.everything()
    for who in (shop, rival):
        for projection in PROJECTIONS:
            await projector.start_rebuild(context, who.id, projection)
    async with quiet.opened(quiet_database, servers) as other:
        await asyncio.gather(work(context), work(other), work(context))
        await work(other)
    assert (await shop.everything(), await rival.everything()) == before
    assert {tuple(builds) for builds in (await numbers(context, shop)).values()} == {((2, True),)}


async def test_an_empty_log_needs_no_rebuild(context: Context, shop: Shop):
    await rebuild(context, shop)
    assert {tuple(builds) for builds in (await numbers(context, shop)).values()} == {((1, True),)}


@pytest.mark.parametrize("name", ["weather", "nudge_engine", ""])
async def test_only_a_projection_is_rebuilt(context: Context, shop: Shop, name: str):
    await shop.tell(touch())
    with pytest.raises(NotFound):
        await projector.start_rebuild(context, shop.id, name)
    assert not await shop.rows("SELECT FROM checkpoint WHERE NOT live")


async def test_a_build_begun_before_midnight_shows_the_scores_of_the_new_day(
    context: Context, shop: Shop, admin: Connection
):
    await shop.tell(*friendship("ben"))
    await work(context)
    scored = await shop.contents("relationship")
    await projector.start_rebuild(context, shop.id, "relationships")
    await admin.execute("UPDATE checkpoint SET position = position - 1 WHERE process = 'relationships' AND live")
    await shop.tell(touch("ana"))
    while not await shop.rows("SELECT FROM relationship WHERE build = 2"):
        assert await projector.advance(context)
    await admin.execute("UPDATE relationship SET scored_day = scored_day - 1, score = 99 WHERE build = 2")
    await work(context)
    assert (await numbers(context, shop))["relationships"] == [(2, True)]
    today = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    rows = await shop.contents("relationship")
    assert {row["scored_day"] for row in rows} == {today}
    assert scored[0] in rows


async def test_a_rebuild_goes_past_poison_and_parks_it_again(context: Context, shop: Shop, rival: Shop):
    await shop.tell(touch("ben"), touch("ana"))
    poison = quiet.one_event(shop.id, type="touchpoint.recorded", body=b"[]")
    await quiet.append(context, poison)
    await shop.tell(touch("ben", day=1))
    await work(context)
    before = await shop.everything()
    await rebuild(context, shop)
    assert await shop.everything() == before
    parked = await shop.rows("SELECT process, build FROM parked_event ORDER BY process")
    assert parked == [
        {"process": name, "build": 2} for name in ("appointments", "network", "relationships", "timeline")
    ]
