"""Group commit: many callers, many tenants, one order in each; what somebody else holds delays nobody else."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from infra.context import Context
from infra.database import Connection, open_pool
from infra.event_log import CONNECTIONS, Append, Claim, Unavailable, Unstorable, Verdict, Writer
from infra.settings import as_writer
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.quiet import Shop, new_shop, one_event, touch


def moved_contacts() -> float:
    return REGISTRY.get_sample_value("rapport_appends_total", {"verdict": "contact_moved"}) or 0.0


async def timed(waits: Awaitable[object]) -> float:
    began = time.monotonic()
    await waits
    return time.monotonic() - began


async def written(writer: Writer, *appends: Append) -> list[Verdict]:
    return await asyncio.gather(*(writer.append(append) for append in appends))


@asynccontextmanager
async def held(database: Database, *shops: Shop, seconds: float = 1.0) -> AsyncIterator[asyncio.Task[None]]:
    """The heads of these tenants in a stranger's transaction for so long."""
    taken = asyncio.Event()

    async def hold() -> None:
        stranger = await quiet.superuser(database)
        try:
            async with stranger.transaction():
                ids = [shop.id for shop in shops]
                await stranger.execute("SELECT FROM tenant_head WHERE tenant_id = ANY ($1) FOR NO KEY UPDATE", ids)
                taken.set()
                await asyncio.sleep(seconds)
        finally:
            await stranger.close()

    holding = asyncio.create_task(hold())
    await taken.wait()
    yield holding
    await holding


async def test_many_requests_about_the_same_new_people_make_each_of_them_once(
    context: Context, shop: Shop, rival: Shop
):
    people = [f"guest{n}" for n in range(400)]

    async def request(number: int) -> Counter[str]:
        chosen = random.Random(number).choices(people, k=1_000)
        return Counter(one.status for one in await shop.record(*(touch(who, day=number) for who in chosen)))

    before = moved_contacts()
    answers = await asyncio.gather(*(request(n) for n in range(8)), rival.record(touch("guest1")))
    assert sum(answers[:8], Counter()) == {"recorded": 8_000}
    assert await shop.value("SELECT count(*) FROM identity") == 400
    counts = Counter(await shop.types())
    assert (counts["contact.added"], counts["touchpoint.recorded"], counts["channel.opened"]) == (400, 8_000, 1)
    assert await shop.positions() == list(range(1, 400 * 2 + 8_000 + 2))
    assert await rival.positions() == [1, 2, 3, 4]
    assert moved_contacts() - before <= 8_000, "one more round at most"


async def test_two_writers_over_eight_tenants_leave_no_gap(
    context: Context, quiet_database: Database, servers: Servers
):
    shops = [await new_shop(context, f"Shop {n}") for n in range(8)]
    async with quiet.opened(quiet_database, servers) as other:

        async def caller(number: int) -> list[Verdict]:
            writer = (context, other)[number % 2].writer
            chance = random.Random(number)
            return [
                verdict
                for _ in range(12)
                for verdict in await written(writer, *(one_event(chance.choice(shops).id) for _ in range(10)))
            ]

        verdicts = [one for found in await asyncio.gather(*(caller(n) for n in range(32))) for one in found]
    assert {verdict.judgement for verdict in verdicts} == {"recorded"}
    positions = [await shop.positions() for shop in shops]
    assert sum(map(len, positions)) == 32 * 12 * 10
    for found in positions:
        assert found == list(range(1, len(found) + 1))


async def test_fifty_at_once_with_one_id_are_recorded_once(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database, servers: Servers
):
    one = one_event(shop.id, fingerprint=b"one")
    altered = one_event(shop.id, event_id=one.drafts[0].event_id, fingerprint=b"altered")
    async with quiet.opened(quiet_database, servers) as other:
        verdicts = await asyncio.gather(
            *((context, other)[n % 2].writer.append(one) for n in range(50)),
            context.writer.append(one_event(rival.id, event_id=one.drafts[0].event_id)),
        )
        assert Counter(verdict.judgement for verdict in verdicts[:50]) == {"recorded": 1, "duplicate": 49}
        assert {verdict.position for verdict in verdicts} == {1}
        conflict = await other.writer.append(altered)
    assert (conflict.judgement, conflict.position) == ("conflict", 1)
    assert (await shop.positions(), await rival.positions()) == ([1], [1])


async def test_appends_of_one_tenant_keep_the_order_they_were_asked_in(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database
):
    """Also over the end of a batch, around contested claims, and while the head is held for a part of them."""
    first = [one_event(shop.id) for _ in range(700)]
    then = [one_event(shop.id) for _ in range(700)]
    async with held(quiet_database, shop, seconds=0.3):
        waiting = asyncio.gather(written(context.writer, *first), written(context.writer, one_event(rival.id)))
        await asyncio.sleep(0.1)
        later = asyncio.create_task(written(context.writer, *then))
        await waiting
        positions = [verdict.position for verdict in (*(await waiting)[0], *await later)]
    assert positions == list(range(1, 1_401))


async def test_what_is_queued_already_does_not_overtake_what_waits_for_a_held_head(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database, admin: Connection
):
    """The head is let go while the first call is still busy with another tenant, and the lane cannot begin at once."""
    under_way = """SELECT true FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%FROM append(%'
                   AND pid <> pg_backend_pid() AND wait_event_type IS DISTINCT FROM 'Lock' LIMIT 1"""
    others = [await new_shop(context, f"Shop {n}") for n in range(4)]
    drafts = tuple(one_event(rival.id).drafts[0] for _ in range(2_000))
    long = Append(rival.id, (*drafts, *one_event(rival.id).drafts), b"f", b"{}")
    stranger = await quiet.superuser(quiet_database)
    async with held(quiet_database, *others, seconds=0.7):
        lanes = asyncio.gather(*(context.writer.append(one_event(one.id)) for one in others))
        await asyncio.sleep(0.1)
        async with stranger.transaction():
            await stranger.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", shop.id)
            asked = asyncio.gather(
                *(context.writer.append(one) for one in (one_event(shop.id), long, one_event(shop.id)))
            )
            await quiet.until(lambda: admin.fetchval(under_way))
            await asyncio.sleep(0.01)
        first, _, second = await asked
        await lanes
    await stranger.close()
    assert (first.position, second.position) == (1, 2)


async def test_the_second_of_two_with_one_id_does_not_overtake_the_first(context: Context, shop: Shop):
    """The first has a contested claim and is judged in the next call; the second came too late for this one."""
    lead = uuid4()
    holds = one_event(shop.id, claims=(Claim("email", b"ben", uuid4()),))
    filler = [one_event(shop.id) for _ in range(510)]
    first = one_event(shop.id, event_id=lead, fingerprint=b"one", claims=(Claim("email", b"ana", uuid4()),))
    contested = one_event(shop.id, claims=(Claim("email", b"ana", uuid4()),))
    second = one_event(shop.id, event_id=lead, fingerprint=b"two")
    verdicts = await written(context.writer, holds, contested, *filler[:509], first, second)
    assert [verdicts[n].judgement for n in (0, 1)] == ["recorded", "recorded"]
    assert [verdict.judgement for verdict in verdicts[-2:]] == ["contact_moved", "recorded"]
    verdicts = await written(context.writer, holds, one_event(shop.id, event_id=lead, fingerprint=b"two"))
    assert [verdict.judgement for verdict in verdicts] == ["duplicate", "duplicate"]


async def test_a_held_head_delays_no_other_tenant(context: Context, shop: Shop, rival: Shop, quiet_database: Database):
    async with held(quiet_database, shop, seconds=1.0) as holding:
        slow = asyncio.gather(*(context.writer.append(one_event(shop.id)) for _ in range(50)))
        seconds = [await timed(written(context.writer, one_event(rival.id))) for _ in range(100)]
        assert not holding.done()
        assert not slow.done()
        assert max(seconds) < 0.25
        assert {verdict.judgement for verdict in await slow} == {"recorded"}
    assert await shop.positions() == list(range(1, 51))
    assert await rival.positions() == list(range(1, 101))


async def test_many_held_heads_delay_neither_the_others_nor_the_one_that_is_free_again(
    context: Context, shop: Shop, quiet_database: Database
):
    busy = [await new_shop(context, f"Shop {n}") for n in range(9)]
    free_soon = await new_shop(context, "Soon")
    async with held(quiet_database, *busy, seconds=2.0) as holding:
        slow = [asyncio.create_task(context.writer.append(one_event(one.id))) for one in busy]
        await asyncio.sleep(0.1)
        async with held(quiet_database, free_soon, seconds=0.2):
            soon = asyncio.create_task(timed(context.writer.append(one_event(free_soon.id))))
            seconds = [await timed(context.writer.append(one_event(shop.id))) for _ in range(20)]
        assert max(seconds) < 0.25
        assert await soon < 1.2
        assert not holding.done()
        assert not any(one.done() for one in slow)
        await asyncio.gather(*slow)
    for one in busy:
        assert await one.positions() == [1]


async def test_a_head_that_is_never_let_go_holds_no_connection_for_long(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database
):
    """Many tenants' appends wait, but reads still get their connections."""
    busy = [await new_shop(context, f"Shop {n}") for n in range(60)]
    async with held(quiet_database, *busy, seconds=0.8):
        slow = [asyncio.create_task(context.writer.append(one_event(one.id))) for one in busy]
        await asyncio.sleep(0.1)
        seconds = [await timed(rival.positions()) for _ in range(20)]
        assert max(seconds) < 0.25
        await asyncio.gather(*slow)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_poisonous_append_fails_alone(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database, waits: bool
):
    """Also in a lane, behind a held head. One that the database refuses in another way ends no better."""
    good = [one_event((shop, rival)[n % 2].id) for n in range(60)]
    poison = [one_event(shop.id, stream="a\0b"), one_event(shop.id, stream=os.urandom(4_000).hex())]
    mixed = [*good[:20], poison[0], *good[20:40], poison[1], *good[40:]]
    async with held(quiet_database, shop, rival, seconds=0.2 if waits else 0):
        answers = await asyncio.gather(*(context.writer.append(one) for one in mixed), return_exceptions=True)
    assert [type(answers[n]) for n in (20, 41)] == [Unstorable, Unstorable]
    fine = [answer for answer in answers if isinstance(answer, Verdict)]
    assert [verdict.judgement for verdict in fine] == ["recorded"] * 60
    ours = [
        verdict.position
        for one, verdict in zip(mixed, answers, strict=True)
        if one.tenant_id == shop.id and isinstance(verdict, Verdict)
    ]
    assert ours == list(range(1, 31))
    assert (await context.writer.append(one_event(shop.id))).position == 31


async def test_a_caller_who_gives_up_takes_nothing_from_the_others(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database
):
    async with held(quiet_database, shop, seconds=0.4):
        calls = [asyncio.create_task(context.writer.append(one_event(shop.id))) for _ in range(30)]
        await asyncio.sleep(0.1)
        for call in calls[::2]:
            call.cancel()
        assert (await context.writer.append(one_event(rival.id))).position == 1
        positions = [verdict.position for verdict in await asyncio.gather(*calls[1::2])]
    assert positions == sorted(positions)
    assert len(await shop.positions()) in range(15, 31)
    assert await shop.positions() == list(range(1, len(await shop.positions()) + 1))


async def test_a_writer_that_stops_answers_all_who_wait(
    context: Context, shop: Shop, rival: Shop, quiet_database: Database
):
    async with held(quiet_database, shop, seconds=0.5):
        async with Writer(context.writer.pool) as writer:
            in_lane = [asyncio.create_task(writer.append(one_event(shop.id))) for _ in range(600)]
            await asyncio.sleep(0.1)
            queued = [asyncio.create_task(writer.append(one_event(rival.id))) for _ in range(2_000)]
            await asyncio.sleep(0)
        answers = await asyncio.wait_for(asyncio.gather(*in_lane, *queued, return_exceptions=True), 2)
    assert {type(answer) for answer in answers[:600]} == {Unavailable}
    assert {type(answer) for answer in answers[600:]} <= {Unavailable, Verdict}
    with pytest.raises(Unavailable):
        await writer.append(one_event(shop.id))


async def test_what_was_refused_as_unavailable_may_be_sent_again(context: Context, shop: Shop):
    appends = [one_event(shop.id) for _ in range(300)]
    async with Writer(context.writer.pool) as writer:
        calls = [asyncio.create_task(writer.append(one)) for one in appends]
        await asyncio.sleep(0.005)
    await asyncio.gather(*calls, return_exceptions=True)
    again = await written(context.writer, *appends)
    assert {verdict.judgement for verdict in again} <= {"recorded", "duplicate"}
    assert await shop.positions() == list(range(1, 301))


async def test_connections_cut_every_200_ms_lose_and_double_nothing(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    cut = 0
    stop = asyncio.Event()

    async def scissors() -> None:
        nonlocal cut
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        while not stop.is_set():
            rows = await admin.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608
            cut += len(rows)
            await asyncio.sleep(0.2)

    async def caller(who: Shop) -> Counter[str]:
        found: Counter[str] = Counter()
        while cut < 40:
            verdicts = await written(context.writer, *(one_event(who.id) for _ in range(20)))
            found.update(verdict.judgement for verdict in verdicts)
        return found

    cutting = asyncio.create_task(scissors())
    found = await asyncio.gather(*(caller(who) for who in (shop, rival) * 4))
    stop.set()
    await cutting
    for who, counts in zip((shop, rival), (sum(found[::2], Counter()), sum(found[1::2], Counter())), strict=True):
        assert set(counts) <= {"recorded", "duplicate"}, "a duplicate: recorded, and the answer was cut off"
        assert await who.positions() == list(range(1, counts.total() + 1))


@pytest.mark.slow
async def test_a_database_that_stays_away_is_given_up(shop: Shop, quiet_database: Database):
    pool = await open_pool(as_writer(quiet_database.app_url), role="rapport_writer", most=CONNECTIONS)
    writer = Writer(pool)
    await pool.close()
    async with writer:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await writer.append(one_event(shop.id))
    assert time.monotonic() - began < 30


async def test_a_writer_that_is_not_let_in_refuses_nothing_for_good(context: Context, shop: Shop, admin: Connection):
    """The operator mends it, and the same append is taken."""
    one = one_event(shop.id)
    await admin.execute("REVOKE EXECUTE ON FUNCTION append FROM rapport_writer")
    try:
        with pytest.raises(Unavailable, match="InsufficientPrivilege"):
            await context.writer.append(one)
    finally:
        await admin.execute("GRANT EXECUTE ON FUNCTION append TO rapport_writer")
    assert (await context.writer.append(one)).judgement == "recorded"


async def test_a_writer_is_given_all_the_connections_it_may_ever_need(quiet_database: Database):
    """With fewer, one hand would wait for the other for ever."""
    url = as_writer(quiet_database.app_url)
    async with await open_pool(url, role="rapport_writer", most=CONNECTIONS - 1) as pool:
        with pytest.raises(ValueError, match="connections"):
            Writer(pool)


def test_an_append_without_an_event_is_none():
    with pytest.raises(ValueError, match="at least one event"):
        Append(uuid4(), (), b"f", b"{}")
