"""The projector: each event once in each view, whatever is killed, at once or broken."""

import asyncio
import random
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec
import pytest

from domain import events
from domain.touchpoints import TouchpointRecorded, TouchpointStruck, stream_of
from infra import projector
from infra.context import Context
from infra.database import GONE, Connection, queries
from infra.event_log import Append
from infra.projector import PROJECTIONS, Behind
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.quiet import Shop, append, blocked, friendship, one_event, parked_again, touch, work


async def lags(context: Context, shop: Shop) -> dict[str, Any]:
    """By process: how far the live build is behind, how many events it has parked, whether it is stalled."""
    async with context.pool.acquire() as connection:
        rows = await connection.fetch(queries("projector").lags)
    return {
        r["process"]: (r["lag"], r["parked"], r["stalled"]) for r in rows if r["tenant_id"] == shop.id and r["live"]
    }


async def rebuilt(context: Context, shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """All views made anew from the log, in one go."""
    for projection in PROJECTIONS:
        await projector.start_rebuild(context, shop.id, projection)
    await work(context)
    assert {build[2] for name in PROJECTIONS for build in await projector.builds(context, shop.id, name)} == {True}
    return await shop.everything()


def of_fact(shop: Shop, fact: TouchpointRecorded | TouchpointStruck, **more: Any) -> Append:
    return one_event(shop.id, **{"stream": fact.stream, "type": fact.TYPE, "body": events.encode(fact)[0], **more})


def heard(contact_id: UUID, **more: Any) -> TouchpointRecorded:
    said: dict[str, Any] = {"kind": "call", "channel": "phone", "direction": "in", **more}
    return TouchpointRecorded(touchpoint_id=uuid4(), contact_ids=(contact_id,), **said)


async def test_every_view_shows_what_was_told(context: Context, shop: Shop, rival: Shop):
    [ben, ana] = await shop.know(touch("ben"), touch("ana", channel="cafe", kind="meeting", direction="mutual"))
    [foreign] = await rival.know(touch("ben"))
    await work(context)
    assert {row["contact_id"]: row["name"] for row in await shop.contents("contact")} == {
        str(ben): "Ben",
        str(ana): "Ana",
    }
    assert {row["handle"] for row in await shop.contents("contact_identity")} == {"ben@example.com", "ana@example.com"}
    assert {row["contact_id"]: row["half"] for row in await shop.contents("relationship")} == {
        str(ben): "online_only",
        str(ana): "in_person_only",
    }
    assert {row["slug"]: row["touchpoints"] for row in await shop.contents("channel")} == {"cafe": 1, "email": 1}
    assert [row["contact_id"] for row in await rival.contents("timeline")] == [str(foreign)]
    assert {lag for lag, _, _ in (await lags(context, shop)).values()} == {0}


async def test_step_by_step_or_all_at_once_gives_the_same_rows(context: Context, shop: Shop, rival: Shop):
    chance = random.Random(3)
    items = [
        touch(chance.choice(["ben", "ana", "eve"]), day=chance.randrange(200), channel=chance.choice(["email", "cafe"]))
        for _ in range(40)
    ]
    for n, item in enumerate(items):
        [one] = await shop.tell(item)
        if n % 7 == 0 and one.event_id:
            await shop.strike(one.event_id)
        await work(context)
    await rival.tell(*items)
    step_by_step = await shop.everything()
    assert step_by_step == await rebuilt(context, shop)
    assert len(step_by_step["timeline"]) == 40
    await work(context)
    assert len((await rival.everything())["timeline"]) == 40


async def test_topics_are_kept_as_they_were_said(context: Context, shop: Shop):
    topics = ("one\ntwo", 'a "quoted" one', "{braces}, commas", "ünïcode")
    await shop.tell(touch(topics=topics), touch("ana"))
    await work(context)
    assert sorted(tuple(row["topics"]) for row in await shop.contents("timeline")) == [(), topics]


async def test_a_batch_killed_between_its_rows_and_its_commit_is_done_once(
    context: Context, shop: Shop, rival: Shop, admin: Connection, quiet_database: Database
):
    for who in (shop, rival):
        await who.tell(*(touch(("ben", "ana")[n % 2], day=n) for n in range(20)))
    killed, processes = set(), {*PROJECTIONS, "nudge_engine", "webhooks"}
    for _ in range(2 * len(processes)):
        blocker = await quiet.superuser(quiet_database)
        hold = blocker.transaction()
        await hold.start()
        await blocker.execute("LOCK TABLE checkpoint IN SHARE MODE")  # claims go on, checkpoints do not move
        advancing = asyncio.create_task(projector.advance(context))
        assert await admin.fetchval("SELECT pg_terminate_backend($1)", await blocked(admin))
        with pytest.raises(GONE):
            await advancing
        await hold.rollback()
        await blocker.close()
        assert await projector.advance(context)
        killed.add(await admin.fetchval("SELECT process FROM checkpoint ORDER BY advanced_at DESC LIMIT 1"))
    assert killed == processes
    await work(context)
    for who in (shop, rival):
        assert await who.value("SELECT touchpoints FROM channel WHERE slug = 'email'") == 20
        assert [row["touchpoints"] for row in await who.contents("relationship")] == [10, 10]
        assert await who.everything() == await rebuilt(context, who)


async def test_two_workers_at_once_do_each_batch_once(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database, servers: Servers
):
    chance = random.Random(5)
    people = [f"guest{n}" for n in range(40)]
    async with quiet.opened(quiet_database, servers) as other:

        async def worker(mine: Context) -> int:
            steps = 0
            while not done.is_set():
                steps += await work(mine)
                await asyncio.sleep(0.002)
            return steps

        done = asyncio.Event()
        workers = [asyncio.create_task(worker(one)) for one in (context, other, context)]
        for _ in range(15):
            for who in (shop, rival):
                await who.tell(*(touch(chance.choice(people), day=chance.randrange(300)) for _ in range(60)))
        await projector.reached(context, shop.id, list(PROJECTIONS), max(await shop.positions()), seconds=60)
        done.set()
        steps = await asyncio.gather(*workers)
    await work(context)
    assert min(steps) > 0
    for who in (shop, rival):
        assert await who.value("SELECT touchpoints FROM channel WHERE slug = 'email'") == 900
        assert await who.everything() == await rebuilt(context, who)


async def test_a_backlog_of_one_tenant_does_not_keep_another_waiting(context: Context, shop: Shop, rival: Shop):
    for _ in range(8):
        await shop.tell(*(touch(f"guest{n}", day=n % 300) for n in range(1_000)))
    await rival.tell(touch("ben"))
    head = max(await rival.positions())
    for _ in range(4 * len(PROJECTIONS)):
        assert await projector.advance(context)
        rows = await rival.rows("SELECT position FROM checkpoint")
        if {row["position"] for row in rows} == {head}:
            break
    assert {lag for lag, _, _ in (await lags(context, rival)).values()} == {0}
    assert max(lag for lag, _, _ in (await lags(context, shop)).values()) > projector.BATCH


READ_TOUCHPOINTS = {"timeline", "network", "relationships", "appointments"}
READ_STRIKES = {"referrals"}  # of touchpoints only these, following the timeline
BROKEN = [
    pytest.param({"body": b'{"touchpoint_id": 7}'}, READ_TOUCHPOINTS, id="a body of another shape"),
    pytest.param({"body": b"not json"}, READ_TOUCHPOINTS, id="a body that is no JSON"),
    pytest.param({"version": 99}, READ_TOUCHPOINTS, id="a version nobody knows yet"),
    pytest.param({"minutes": 10**12}, {"timeline", "relationships"}, id="a number no column takes"),
    pytest.param({"type": "touchpoint.dreamt"}, set(PROJECTIONS), id="a type nobody knows yet"),
]


@pytest.mark.parametrize(("broken", "parks"), BROKEN)
async def test_a_poisonous_event_stops_its_stream_and_nothing_else(
    context: Context, shop: Shop, rival: Shop, admin: Connection, broken: dict[str, Any], parks: set[str]
):
    """Its own stream waits in every view that reads it or follows one that does. After the repair it is replayed."""
    [ben] = await shop.know(touch("ben"))
    fact, lonely = heard(ben), heard(ben)
    struck = of_fact(shop, TouchpointStruck(touchpoint_id=fact.touchpoint_id, struck=fact))
    poison = [spoilt(shop, one, broken) for one in (fact, lonely)]
    await append(context, of_fact(shop, heard(ben)), *poison, of_fact(shop, heard(ben)), struck)
    await shop.tell(*(touch("ben", day=day) for day in range(5)), touch("ana"))
    await rival.tell(touch("ben"))
    await work(context)

    positions = {
        one: await shop.value("SELECT position FROM event WHERE event_id = $1", append.drafts[0].event_id)
        for one, append in zip((fact, lonely), poison, strict=True)
    }
    parked = await shop.rows("SELECT process, position, stream FROM parked_event ORDER BY process, position")
    assert {row["stream"] for row in parked} == {stream_of(fact.touchpoint_id), stream_of(lonely.touchpoint_id)}
    for position in positions.values():
        assert {row["process"] for row in parked if row["position"] == position} == parks
    strikes = {row["process"] for row in parked if row["position"] > max(positions.values())}
    waits = parks & (READ_TOUCHPOINTS | {"gatherings"}) | READ_STRIKES
    assert strikes == waits, "what follows in the stream waits with it"
    found = await lags(context, shop)
    assert {name for name, (_, waiting, _) in found.items() if waiting} == parks | READ_STRIKES
    assert {(lag, stalled) for lag, _, stalled in found.values()} == {(0, False)}
    assert await rival.rows("SELECT FROM parked_event") == []
    assert len(await shop.contents("timeline")) == 1 + 2 + 5 + 1
    assert {row["touchpoints"] for row in await shop.contents("relationship")} == {8, 1}
    assert len(await rival.contents("timeline")) == 1

    for one, position in positions.items():
        await repair(admin, shop, position, one)
    for _ in range(2):
        await parked_again(admin)
        await work(context)
    assert await shop.rows("SELECT * FROM parked_event") == []
    rows = {row["touchpoint_id"]: row for row in await shop.contents("timeline")}
    assert rows[str(fact.touchpoint_id)]["position"] == positions[fact]
    assert rows[str(fact.touchpoint_id)]["struck_at_position"] is not None
    assert rows[str(lonely.touchpoint_id)]["struck_at_position"] is None
    assert {row["touchpoints"] for row in await shop.contents("relationship")} == {9, 1}
    assert await shop.everything() == await rebuilt(context, shop)


def spoilt(shop: Shop, fact: TouchpointRecorded, broken: dict[str, Any]) -> Append:
    """The fact as an append, with this of it made wrong."""
    if "minutes" in broken:
        return of_fact(shop, msgspec.structs.replace(fact, **broken))
    return of_fact(shop, fact, **broken)


async def repair(admin: Connection, shop: Shop, position: int, fact: TouchpointRecorded) -> None:
    await admin.execute(
        "UPDATE event SET body = $3, version = $4, type = $5 WHERE tenant_id = $1 AND position = $2",
        shop.id, position, events.encode(fact)[0], fact.VERSION, fact.TYPE,
    )  # fmt: skip


async def test_what_is_replayed_while_a_follower_is_far_behind_is_not_lost_to_it(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """The follower folds contacts as far as the timeline has come: not past what is parked there."""
    thousand = [touch(("ben", "ana")[n % 2], day=n / 50) for n in range(1_000)]
    [first] = await shop.tell(touch("ben", day=50))
    ben = first.contact_ids[0]
    assert first.event_id
    await shop.strike(first.event_id)  # so that he is folded again in the first batch
    for _ in range(3):
        await shop.tell(*thousand)
    fact = heard(ben)
    await append(context, spoilt(shop, fact, {"minutes": 10**12}))
    position = max(await shop.positions())
    for _ in range(3):
        await shop.tell(*thousand)
    at = "SELECT position FROM checkpoint WHERE process = 'relationships'"
    while not await shop.value(at):
        assert await projector.advance(context)
    assert 0 < await shop.value(at) < position
    assert [row["process"] for row in await shop.rows("SELECT process FROM parked_event")] == ["timeline"]
    await repair(admin, shop, position, fact)
    await parked_again(admin)
    assert await projector.retry_parked(context)
    assert await shop.rows("SELECT FROM parked_event") == []
    await work(context)
    counts = sorted(row["touchpoints"] for row in await shop.contents("relationship"))
    assert counts == [3_000, 3_001]
    assert await shop.everything() == await rebuilt(context, shop)


async def test_a_type_that_is_learnt_later_is_no_poison_any_more(context: Context, shop: Shop, admin: Connection):
    """What nobody reads yet is parked all the same: it may turn out to matter. Then it does not."""

    class WeatherNoted(events.Event, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "weather.noted"

    await append(context, one_event(shop.id, type=WeatherNoted.TYPE, stream="weather"))
    await shop.tell(touch("ben"))
    await work(context)
    assert len(await shop.rows("SELECT FROM parked_event")) == len(PROJECTIONS)
    before = await shop.everything()
    events.TYPES[WeatherNoted.TYPE] = WeatherNoted
    events._DECODERS[WeatherNoted.TYPE] = msgspec.json.Decoder(WeatherNoted)
    try:
        for _ in range(2):
            await parked_again(admin)
            await work(context)
        assert await shop.rows("SELECT FROM parked_event") == []
        assert await shop.everything() == before
    finally:
        del events.TYPES[WeatherNoted.TYPE], events._DECODERS[WeatherNoted.TYPE]


async def test_poison_is_tried_again_less_and_less_often(context: Context, shop: Shop, admin: Connection):
    [ben] = await shop.know(touch("ben"))
    await append(context, of_fact(shop, heard(ben), version=99))
    await work(context)
    waits = []
    ask = (
        "SELECT tries, extract(epoch FROM retry_at - now())::float AS wait FROM parked_event WHERE process = 'timeline'"
    )
    for _ in range(6):
        [row] = await shop.rows(ask)
        waits.append((row["tries"], round(row["wait"] / 5) * 5))
        await parked_again(admin)
        await work(context)
    assert waits == [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60)]


async def test_many_poisonous_events_leave_room_for_the_others(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """Each try takes some of them only, so that the others' work goes on in between; in the end all are replayed."""
    [ben] = await shop.know(touch("ben"))
    facts = [heard(ben) for _ in range(250)]
    await append(context, *(of_fact(shop, fact, version=99) for fact in facts))
    await work(context)
    assert await shop.value("SELECT count(*) FROM parked_event WHERE process = 'timeline'") == 250
    await admin.execute("UPDATE event SET version = 1 WHERE version = 99")
    await admin.execute("UPDATE parked_event SET retry_at = now() + (process <> 'timeline')::int * interval '1 hour'")
    left = []
    while await projector.retry_parked(context):
        left.append(await shop.value("SELECT count(*) FROM parked_event WHERE process = 'timeline'"))
    assert left == [150, 50, 0]
    await parked_again(admin)
    await work(context)
    assert await shop.everything() == await rebuilt(context, shop)


async def test_a_poisonous_touchpoint_stops_no_nudge(context: Context, shop: Shop):
    await shop.open_always()
    [ben, *_] = await shop.know(*friendship("ben"))
    await append(context, of_fact(shop, heard(ben), body=b"{}"))
    await work(context)
    assert len(await shop.contents("nudge")) == 1


async def test_a_tenant_whose_work_fails_as_a_whole_does_not_stop_the_others(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    for who in (shop, rival):
        await who.tell(touch("ben"))
    [key] = await shop.rows("SELECT wrapped_key FROM tenant")
    await admin.execute("UPDATE tenant SET wrapped_key = 'broken' WHERE tenant_id = $1", shop.id)
    await work(context)
    assert len(await rival.contents("timeline")) == 1
    found = await lags(context, shop)
    assert {name for name, (_, _, stalled) in found.items() if stalled} >= {"contacts", "timeline", "network"}
    assert {error for row in await shop.rows("SELECT error FROM checkpoint") if (error := row["error"])} == {
        "WrongKey: The key is not the one this was sealed with. Is RAPPORT_MASTER_KEY that of this database?"
    }
    await admin.execute("UPDATE tenant SET wrapped_key = $2 WHERE tenant_id = $1", shop.id, key["wrapped_key"])
    await parked_again(admin)
    await work(context)
    assert len(await shop.contents("timeline")) == 1
    assert {(lag, stalled) for lag, _, stalled in (await lags(context, shop)).values()} == {(0, False)}


async def test_an_error_is_kept_without_the_values_it_is_about(context: Context, shop: Shop):
    [ben] = await shop.know(touch("ben"))
    await append(context, of_fact(shop, heard(ben, minutes=987654321012)))
    await work(context)
    rows = await shop.rows("SELECT error FROM parked_event WHERE process = 'timeline'")
    assert len(rows) == 1
    assert "987654321012" not in rows[0]["error"]
    assert "DataError" in rows[0]["error"]
    assert "timeline.py" in rows[0]["error"]


async def test_a_reader_waits_for_what_it_wrote(context: Context, shop: Shop, rival: Shop):
    [one] = await shop.tell(touch("ben"))
    assert one.position is not None
    with pytest.raises(Behind) as behind:
        await projector.reached(context, shop.id, ["contacts", "timeline"], one.position, seconds=0.05)
    assert behind.value.position == 0
    waiting = asyncio.create_task(projector.reached(context, shop.id, ["contacts", "timeline"], one.position))
    await asyncio.sleep(0.02)
    await work(context)
    assert await waiting == one.position
    assert await projector.reached(context, rival.id, list(PROJECTIONS), None) == 0


async def test_a_view_over_several_projections_is_as_far_as_the_slowest(context: Context, shop: Shop):
    await shop.tell(touch("ben"))
    assert await projector.advance(context)
    rows = await shop.rows("SELECT process, position FROM checkpoint")
    ahead = {row["process"] for row in rows if row["position"] == 4}
    assert len(ahead) == 1
    assert await projector.reached(context, shop.id, list(ahead), None) == 4
    assert await projector.reached(context, shop.id, list(PROJECTIONS), None) == 0


async def test_a_follower_never_runs_ahead_of_what_it_reads(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.tell(*friendship("ben"))
    follows: dict[str, set[str]] = {}
    for follower, followed in projector.FOLLOWS:
        follows.setdefault(follower, set()).add(followed)
    while await projector.advance(context):
        for who in (shop, rival):
            at = {row["process"]: row["position"] for row in await who.rows("SELECT process, position FROM checkpoint")}
            there = {one: others for one, others in follows.items() if one in at}  # no model is tried
            assert all(at[one] <= min(at[other] for other in others) for one, others in there.items())


async def test_only_tenants_with_something_to_read_are_looked_at(context: Context, shop: Shop, rival: Shop):
    asleep = "SELECT NOT awake FROM tenant_head"
    for who in (shop, rival):
        await who.tell(touch())
    await work(context)
    assert [await who.value(asleep) for who in (shop, rival)] == [True, True]
    await shop.tell(touch(day=1))
    assert [await who.value(asleep) for who in (shop, rival)] == [False, True]
    await work(context)
    assert [await who.value(asleep) for who in (shop, rival)] == [True, True]
    await projector.start_rebuild(context, rival.id, "timeline")
    await work(context)
    [(build, position, live)] = await projector.builds(context, rival.id, "timeline")
    assert (build, position, live) == (2, max(await rival.positions()), True)


CROWD = """
INSERT INTO tenant (tenant_id, name, country, time_zone, wrapped_key)
SELECT gen_random_uuid(), 'one of many', 'US', 'UTC', '\\x' FROM generate_series(1, 1500);
INSERT INTO tenant_head (tenant_id) SELECT tenant_id FROM tenant WHERE name = 'one of many';
INSERT INTO checkpoint (tenant_id, process, build, live)
SELECT t.tenant_id, p.process, 1, true
  FROM tenant t, (SELECT DISTINCT process FROM checkpoint) p WHERE t.name = 'one of many';
ANALYZE;
"""


async def test_no_tenant_is_put_to_sleep_with_something_unread(context: Context, shop: Shop, admin: Connection):
    await admin.execute(CROWD)

    followers = [list(side) for side in zip(*projector.FOLLOWS, strict=True)]

    async def look() -> None:
        while not told.done():
            async with context.pool.acquire() as connection:
                await connection.fetch(queries("projector").claim_work, *followers)

    async def tell() -> None:
        for _ in range(200):
            await admin.execute(
                "UPDATE checkpoint c SET position = h.position FROM tenant_head h"
                " WHERE h.tenant_id = $1 AND c.tenant_id = $1", shop.id
            )  # fmt: skip
            await asyncio.sleep(0.002)
            await append(context, one_event(shop.id), waits=True)
            await asyncio.sleep(0.002)
            assert await admin.fetchval("SELECT awake FROM tenant_head WHERE tenant_id = $1", shop.id)

    told = asyncio.ensure_future(tell())
    await asyncio.gather(told, *(look() for _ in range(4)))


async def test_a_tenant_is_not_put_to_sleep_while_something_is_being_appended(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    await shop.tell(touch())
    async with admin.transaction():
        await admin.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", shop.id)
        await work(context)
        assert await shop.value("SELECT awake FROM tenant_head")
    await work(context)
    assert not await shop.value("SELECT awake FROM tenant_head")


async def test_nothing_to_do_is_said_at_once(context: Context, shop: Shop):
    await work(context)
    assert not await projector.advance(context)
    assert not await projector.retry_parked(context)


async def test_a_process_of_a_newer_program_is_left_to_it(context: Context, shop: Shop, admin: Connection):
    await admin.execute(
        "INSERT INTO checkpoint (tenant_id, process, build, live) VALUES ($1, 'weather', 1, true)", shop.id
    )
    await shop.tell(touch("ben"))
    await work(context)
    assert len(await shop.contents("timeline")) == 1
    assert (await lags(context, shop))["weather"] == (4, 0, True)
