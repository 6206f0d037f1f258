"""Faults Rapport survives, with real processes: killed, cut off, flooded and lied to while touchpoints come in."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from random import Random
from signal import SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import httpx
import psutil
import pytest

from domain.touchpoints import TouchpointRecorded
from infra import tenants
from infra.context import Context, open_context
from infra.event_log import Append, append_for_many
from infra.stored_events import draft
from tests.journeys.businesses import (
    PROBLEM,
    Acknowledged,
    Business,
    check_log,
    check_projections,
    load,
    settled,
)
from tests.journeys.processes import Up, started, until
from tests.road import ALWAYS_OPEN

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]
ALONE = pytest.mark.xdist_group("alone")  # with an installation of their own, which may be killed beside the others'


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Up]:
    """One `rapport up` for the tests that leave it running."""
    async with started() as up:
        yield up


@pytest.fixture
async def up(shared: Up) -> Up:
    await shared.ready()
    return shared


@asynccontextmanager
async def inside(up: Up) -> AsyncIterator[Context]:
    """What a process of ours holds open, in this process."""
    given = up.settings()
    async with open_context(
        database_url=given.database_url, redis_url=given.redis_url, master=given.master_key, connections=4
    ) as context:
        yield context


@asynccontextmanager
async def businesses(up: Up, number: int) -> AsyncIterator[list[Business]]:
    """New ones, each with its own connections to the API."""
    async with AsyncExitStack() as stack:
        async with inside(up) as context:
            added = [
                await tenants.add(context.pool, name=f"Business {n}", master=context.master) for n in range(number)
            ]
        opened = []
        for seed, one in enumerate(added):
            client = httpx.AsyncClient(
                base_url=up.address, headers={"Authorization": f"Bearer {one.api_key}"}, timeout=40,
                limits=httpx.Limits(max_connections=None),
            )  # fmt: skip
            await stack.enter_async_context(client)
            assert (await client.put("/v1/nudge-policy", json=ALWAYS_OPEN)).is_success
            opened.append(Business(one, seed, client))
        yield opened


@asynccontextmanager
async def held_head(up: Up, business: Business) -> AsyncIterator[None]:
    """A stranger's transaction that holds the head of this tenant's log."""
    async with up.superuser() as connection, connection.transaction():
        await connection.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", business.tenant_id)
        yield


WRITING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity"
    " WHERE usename = 'rapport_writer' AND state = 'active' AND query LIKE '%FROM append(%')"
)
OURS = "usename IN ('rapport_app', 'rapport_writer')"
Job = Callable[[], Awaitable[None]]


def work_of(business: Business, touchpoints: int) -> list[Job]:
    """So many touchpoints in batches and one by one, some sent twice at once; strikes, and a channel that changes.

    To be popped from the end. The batches go in about as time went; all else comes anywhere between them.
    """
    chance, left = business.chance, touchpoints - 80
    batches: list[Job] = []
    while left:
        size = min(left, chance.randint(50, 200))
        way = business.tell if chance.random() < 0.8 else business.tell_twice_at_once
        batches.append(partial(way, business.batch(size)))
        left -= size
    anywhere: list[Job] = [partial(business.tell, business.batch(1)) for _ in range(40)]
    anywhere += [business.tell_under_a_key] * 40 + [business.tell_once] * 20 + [business.strike_one] * 20
    anywhere += [partial(business.move_the_patio, realm) for realm in ("virtual", "physical", "virtual")]
    placed = [(n / len(batches) + chance.uniform(0, 0.1), job) for n, job in enumerate(batches)]
    placed += [(chance.random(), job) for job in anywhere]
    return [job for _, job in sorted(placed, key=lambda one: one[0], reverse=True)]


async def do(jobs: list[Job], chance: Random) -> None:
    while jobs:
        await jobs.pop()()
        await asyncio.sleep(chance.uniform(0, 0.05))


async def keep_killing(up: Up, name: str, killed: Counter[str], chance: Random, most: int) -> None:
    while killed[name] < most:
        if name == "api" and killed[name] % 2:
            await freeze_while_it_writes(up)
        was = await up.kill(name)
        killed[name] += 1
        await until(lambda was=was: up.pids()[name] not in (was, None))
        if name == "api":
            await up.answering()
        await asyncio.sleep(chance.uniform(0.2, 1.2))


async def freeze_while_it_writes(up: Up) -> None:
    """The database commits what it was just asked to, and nobody is told any more."""
    async with up.superuser() as connection:
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while not await connection.fetchval(WRITING):
                    pass
    up.tell("api", SIGSTOP)
    await asyncio.sleep(0.1)


async def keep_forgetting(up: Up, killed: Counter[str], chance: Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        await up.forget_everything()
        killed["memory of Valkey"] += 1


@asynccontextmanager
async def meanwhile(*harm: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """What goes on until the end of the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in harm]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@ALONE
async def test_api_and_worker_killed_at_random_moments_and_valkey_wiped_while_20_000_touchpoints_go_in():
    chance, killed = Random(20_000), Counter[str]()
    async with started() as up, businesses(up, 5) as told:
        async with meanwhile(
            keep_killing(up, "api", killed, chance, most=6),
            keep_killing(up, "worker", killed, chance, most=16),
            keep_forgetting(up, killed, chance),
        ):
            jobs = [(one, work_of(one, 4_000)) for one in told]
            await asyncio.gather(*(do(waiting, one.chance) for one, waiting in jobs * 3))
        await up.ready()
        assert min(killed.values()) >= 5, killed
        assert sum(one.untold for one in told) > 0, "no kill fell between a commit and its answer"
        assert all(len(one.acknowledged) >= 4_000 for one in told)
        assert await check_log(up, told) >= 20_000
        await check_projections(up)


async def test_a_killed_postmaster_loses_nothing_acknowledged_and_doubles_nothing(up: Up):
    async with businesses(up, 4) as told:
        async with load(told):
            for _ in range(2):
                await asyncio.sleep(1.5)
                await up.kill("postgres")
                await up.ready()
            await asyncio.sleep(1)
        assert await check_log(up, told) > 500
        assert all(one.status in (200, 503) for business in told for one in business.answers)


async def test_connections_cut_every_200_ms_leave_no_half_write_and_no_connection_behind(up: Up):
    async with businesses(up, 4) as told, up.superuser() as connection:
        async with load(told):
            await asyncio.sleep(1)
            before, cut = await open_now(up, connection), 0
            for _ in range(50):
                cut += await connection.fetchval(
                    f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}"  # noqa: S608
                )
                await asyncio.sleep(0.2)
            await asyncio.sleep(2)
            after = await open_now(up, connection)
        answers = [one for business in told for one in business.answers]
        assert cut > 50
        assert {one.status for one in answers} <= {200, 503}
        assert max(one.seconds for one in answers) < 30
        assert sum(one.status == 200 for one in answers) > len(answers) / 2
        assert after.connections <= max(before.connections, 24)
        assert after.files <= before.files + 24
        assert await check_log(up, told) > 500
        await settled(up)


class Open(NamedTuple):
    """What the API holds open, and the database for it and the worker."""

    files: int
    connections: int


async def open_now(up: Up, connection: asyncpg.Connection) -> Open:
    connections = await connection.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}")  # noqa: S608
    return Open(psutil.Process(up.pids()["api"]).num_fds(), connections)


@pytest.mark.parametrize(
    "way",
    [Business.tell_something, Business.add_somebody],
)
async def test_a_held_head_delays_no_other_tenant(up: Up, way: Callable[[Business], Awaitable[None]]):
    async with businesses(up, 5) as [held, *others], asyncio.TaskGroup() as waiting:
        async with load(others, clients=1, most=1):
            await asyncio.sleep(2)
            quiet = taken(others)
            async with held_head(up, held):
                for _ in range(30):
                    waiting.create_task(way(held))
                await asyncio.sleep(1.5)
                assert held.answers == []
        during = taken(others)
        assert max(during) < 1
        assert statistics.median(during) < 3 * statistics.median(quiet) + 0.05


async def test_a_held_head_stops_no_other_tenants_views(up: Up):
    """The worker has a nudge to suggest to the business whose head is held."""
    async with businesses(up, 2) as [held, other]:
        up.tell("worker", SIGSTOP)
        friend = {"channel": "instagram", "with": [{"email": "friend@example.com"}]}
        talk = [{**one, **friend, "kind": "direct_message", "direction": "mutual"} for one in held.batch(150)]
        await held.insist("/v1/touchpoints", talk)
        async with held_head(up, held):
            up.tell("worker", SIGCONT)
            slowest = 0.0
            for _ in range(8):
                await other.tell_something()
                written = max(said.position for said in other.acknowledged.values())
                slowest = max(slowest, await seen(other, written))
        assert slowest < 3
        await settled(up)
        assert (await held.client.get("/v1/nudges")).json()["items"]


async def seen(business: Business, position: int) -> float:
    """Read until the views have this position; how many seconds it took."""

    async def is_there() -> bool:
        return (await business.client.get("/v1/network", params={"after": position})).is_success

    return await until(is_there)


async def test_what_waits_too_long_for_a_held_head_is_told_to_come_again(up: Up):
    async with businesses(up, 1) as [held]:
        async with asyncio.TaskGroup() as waiting, held_head(up, held):
            for _ in range(5):
                waiting.create_task(held.tell_something())
                waiting.create_task(held.add_somebody())
            await asyncio.sleep(4)
        assert {one.status for one in held.answers} <= {200, 201, 503}


def taken(told: Iterable[Business]) -> list[float]:
    """How long their requests took since this was asked last."""
    seconds = []
    for one in told:
        seconds += [answer.seconds for answer in one.answers]
        one.answers.clear()
    return seconds


async def test_long_and_short_appends_leave_no_gap_and_no_reader_skips_anything(up: Up):
    over = asyncio.Event()
    async with businesses(up, 4) as told, inside(up) as context:
        async with asyncio.TaskGroup() as readers:
            for one in told[:2]:
                readers.create_task(follow(one, over))
            async with load(told), asyncio.TaskGroup() as writers:
                for one in told[:2] * 2:
                    writers.create_task(append_slowly(context, one))
            over.set()
        await check_log(up, told)
        await settled(up)
        async with up.superuser() as connection:
            for one in told:
                await check_nothing_skipped(connection, one)


async def append_slowly(context: Context, business: Business) -> None:
    """Appends in transactions that stay open for a while; each third one is given up."""
    tenant = await tenants.load(context.pool, business.tenant_id, master=context.master)
    assert tenant is not None
    for number in range(12):
        mark = f"slow-{uuid4()}"
        fact = TouchpointRecorded(touchpoint_id=uuid4(), kind="post", channel="blog", direction="out", topics=(mark,))
        stored = draft(fact, fact.touchpoint_id, datetime.now(UTC), tenant, {})
        append = Append(tenant.tenant_id, (stored,), b"", b"{}")
        async with context.writer.pool.acquire() as connection:
            verdict = None
            while verdict is None or verdict.judgement == "busy":
                transaction = connection.transaction()
                await transaction.start()
                [verdict] = await append_for_many(connection, [append], waits=True)
                await asyncio.sleep(business.chance.uniform(0, 0.5))
                if number % 3 == 2 or verdict.judgement == "busy":
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    business.people[mark] = set()
                    business.acknowledged[mark] = Acknowledged(str(fact.touchpoint_id), verdict.position, ())


async def follow(business: Business, over: asyncio.Event) -> None:
    """Read the feed as it grows, to its end: every position once, in order."""
    after = 0
    while True:
        done = over.is_set()
        answer = await business.client.get("/v1/events", params={"after": after, "wait": 1, "limit": 100})
        feed = answer.json()
        assert [item["position"] for item in feed["items"]] == list(range(after + 1, feed["position"] + 1))
        after = feed["position"]
        if done and not feed["items"]:
            return


async def check_nothing_skipped(connection: asyncpg.Connection, business: Business) -> None:
    """The timeline has each touchpoint for each of its people, the channels count each one."""
    in_log = await connection.fetch(
        "SELECT body, position FROM event WHERE tenant_id = $1 AND type = $2",
        business.tenant_id,
        TouchpointRecorded.TYPE,
    )
    facts = [(json.loads(row["body"]), row["position"]) for row in in_log]
    expected = {
        (UUID(fact["touchpoint_id"]), UUID(who), at) for fact, at in facts for who in fact.get("contact_ids", ())
    }
    seen = await connection.fetch(
        "SELECT touchpoint_id, contact_id, position FROM timeline WHERE tenant_id = $1", business.tenant_id
    )
    assert {tuple(row) for row in seen} == expected
    counted = await connection.fetchval("SELECT sum(touchpoints) FROM channel WHERE tenant_id = $1", business.tenant_id)
    assert counted == len(facts)


class Heard(NamedTuple):
    """An answer read from a socket."""

    status: int
    media_type: str
    body: bytes

    @property
    def is_problem(self) -> bool:
        return self.media_type == PROBLEM and json.loads(self.body)["status"] == self.status


class Line(NamedTuple):
    """A connection to the API on which we say what we like."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *parts: bytes) -> None:
        self.writer.writelines(parts)
        await self.writer.drain()

    async def hear(self) -> Heard:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Heard(int(head[0].split()[1]), headers.get("content-type", ""), body)


@asynccontextmanager
async def line(up: Up, business: Business, *headers: str) -> AsyncIterator[Line]:
    """A connection on which the head of a POST of touchpoints was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    opened = Line(reader, writer)
    key = f"Authorization: Bearer {business.api_key}"
    head = ("POST /v1/touchpoints HTTP/1.1", "Host: rapport", key, "Content-Type: application/json", *headers, "", "")
    try:
        await opened.say("\r\n".join(head).encode())
        yield opened
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


CHUNKED = "Transfer-Encoding: chunked"
BLANKS = b" " * 50_000


async def test_a_body_without_a_length_is_refused_before_it_is_read(up: Up):
    async with businesses(up, 1) as [business], line(up, business, CHUNKED) as slow:
        heard = asyncio.create_task(slow.hear())
        sent = 0
        while not heard.done() and sent < 10_000_000:
            await slow.say(chunk(BLANKS))
            sent += len(BLANKS)
            await asyncio.sleep(0.02)
        answer = await heard
        assert answer.status == 413
        assert answer.is_problem
        assert sent < 3_000_000


async def test_a_body_of_200_mb_costs_no_memory(up: Up):
    api = psutil.Process(up.pids()["api"])
    async with businesses(up, 1) as [business]:
        await business.tell(business.batch(1))
        before = api.memory_info().rss
        most, sent = before, 0
        with suppress(ConnectionError):
            async with line(up, business, CHUNKED) as flood:
                for _ in range(4_000):
                    await flood.say(chunk(BLANKS))
                    sent += len(BLANKS)
                    most = max(most, api.memory_info().rss)
        assert most - before < 20_000_000
        await business.tell(business.batch(1))


async def test_a_declared_length_over_a_megabyte_is_refused_before_any_of_it_came(up: Up):
    async with businesses(up, 1) as [business], line(up, business, "Content-Length: 200000000") as silent:
        answer = await asyncio.wait_for(silent.hear(), 5)
        assert answer.status == 413
        assert answer.is_problem


async def test_an_item_of_65_kb_is_refused_and_its_neighbours_are_stored(up: Up):
    async with businesses(up, 1) as [business]:
        first, large, last = business.batch(3)
        large = {**large, "note": "x" * 65_536}
        response = await business.client.post("/v1/touchpoints", json=[first, large, last])
        assert [one["status"] for one in response.json()["results"]] == ["recorded", "rejected", "recorded"]
        assert response.json()["results"][1]["problem"]["status"] in (400, 413)
        alone = await business.client.post("/v1/touchpoints", json=large)
        assert alone.status_code in (400, 413, 422)


DEEP = b"[" * 20_000 + b"]" * 20_000


@pytest.mark.parametrize(
    "body", [DEEP, DEEP[:20_000], b'{"a":' * 20_000 + b"1" + b"}" * 20_000, b'[{"note": %b}]' % DEEP]
)
async def test_json_20_000_deep_is_refused(up: Up, body: bytes):
    async with businesses(up, 1) as [business]:
        for path in ("/v1/touchpoints", "/v1/contacts"):
            response = await business.client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert response.status_code in (400, 413, 422), response.text
            assert "urn:rapport:problem:" in response.text


@pytest.mark.parametrize(
    ("media_type", "opens", "between", "closes"),
    [("application/x-ndjson", b"", b"\n", b""), ("application/json", b"[", b",", b"]")],
)
async def test_a_deep_item_does_not_take_its_neighbours_with_it(
    up: Up, media_type: str, opens: bytes, between: bytes, closes: bytes
):
    async with businesses(up, 1) as [business]:
        first, last = (json.dumps(one).encode() for one in business.batch(2))
        body = opens + between.join((first, DEEP, last)) + closes
        response = await business.client.post("/v1/touchpoints", content=body, headers={"Content-Type": media_type})
        assert [one["status"] for one in response.json()["results"]] == ["recorded", "rejected", "recorded"]


async def test_a_content_length_that_lies_stores_nothing(up: Up):
    async with businesses(up, 1) as [business]:
        body = json.dumps(business.batch(1)).encode()
        async with line(up, business, f"Content-Length: {len(body) + 100}") as more_promised:
            await more_promised.say(body)
            more_promised.writer.write_eof()
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                assert (await asyncio.wait_for(more_promised.hear(), 10)).status >= 400
        async with line(up, business, f"Content-Length: {len(body) - 100}") as less_promised:
            await less_promised.say(body)
            assert (await asyncio.wait_for(less_promised.hear(), 10)).status in (400, 422)
            with suppress(asyncio.IncompleteReadError, ConnectionError):  # the rest is no request
                assert (await asyncio.wait_for(less_promised.hear(), 10)).status == 400
        for lie in ("Content-Length: -1", "Content-Length: many", f"Content-Length: 5\r\nContent-Length: {len(body)}"):
            async with line(up, business, lie) as liar:
                await liar.say(body)
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    assert (await asyncio.wait_for(liar.hear(), 10)).status == 400
        feed = (await business.client.get("/v1/events", params={"types": "touchpoint.recorded"})).json()
        assert feed["items"] == []


async def test_bodies_that_trickle_in_block_nobody(up: Up):
    async with businesses(up, 2) as [patient, business], AsyncExitStack() as lines:
        body = json.dumps(patient.batch(1)[0]).encode()
        slow = [await lines.enter_async_context(line(up, patient, f"Content-Length: {len(body)}")) for _ in range(200)]
        async with load([business], clients=2, most=5):
            for place in range(20):
                for one in slow:
                    await one.say(body[place : place + 1])
                await asyncio.sleep(0.1)
        assert statistics.median(taken([business])) < 0.5
        for one in slow:
            await one.say(body[20:])
        answers = [await asyncio.wait_for(one.hear(), 20) for one in slow]
        assert {one.status for one in answers} == {200}
        patient.note([json.loads(body)], json.loads(answers[0].body)["results"])
        await check_log(up, [patient, business])


async def test_a_repeat_under_the_same_key_is_done_once_and_other_content_is_refused(up: Up):
    async with businesses(up, 1) as [business]:
        key = {"Idempotency-Key": "the same"}
        named = {**business.touchpoint(), "with": [{"name": "Somebody new"}]}
        first = await business.insist("/v1/touchpoints", [named], key)
        again = await business.insist("/v1/touchpoints", [named], key)
        [was], [now] = first.json()["results"], again.json()["results"]
        assert now == {**was, "status": "duplicate"}
        other = await business.client.post("/v1/touchpoints", json=[{**named, "note": "another"}], headers=key)
        assert other.status_code == 422
        assert other.json()["results"][0]["problem"]["status"] == 409
        added = [await business.insist("/v1/contacts", {"name": "Ada"}, key) for _ in range(2)]
        assert added[0].json() == added[1].json()
        other = await business.client.post("/v1/contacts", json={"name": "Bea"}, headers=key)
        assert other.status_code == 409
        assert other.headers["content-type"] == PROBLEM
        assert await people(up, business) == 2


async def people(up: Up, business: Business) -> int:
    async with up.superuser() as connection:
        return await connection.fetchval(
            "SELECT count(*) FROM event WHERE tenant_id = $1 AND type = 'contact.added'", business.tenant_id
        )


async def test_twenty_at_once_under_the_same_key_are_done_once(up: Up):
    async with businesses(up, 1) as [business]:
        key = {"Idempotency-Key": "the same"}
        named = [{**business.touchpoint(), "with": [{"name": "Somebody new"}]} for _ in range(3)]
        told = await asyncio.gather(*(business.insist("/v1/touchpoints", named, key) for _ in range(20)))
        results = [one for answer in told for one in answer.json()["results"]]
        assert Counter(one["status"] for one in results) == {"recorded": 3, "duplicate": 57}
        assert len({(one["event_id"], one["position"], *one["contact_ids"]) for one in results}) == 3
        added = await asyncio.gather(*(business.insist("/v1/contacts", {"name": "Ada"}, key) for _ in range(20)))
        assert len({answer.text for answer in added}) == 1
        assert await people(up, business) == 4


async def test_an_api_killed_before_it_could_answer_has_done_it_once_when_asked_again(up: Up):
    async with businesses(up, 1) as [business]:
        key = {"Idempotency-Key": "the same"}
        named = {**business.touchpoint(), "with": [{"name": "Somebody new"}]}
        requests = [("/v1/touchpoints", [named]), ("/v1/contacts", {"name": "Ada"})]
        for number in (SIGSTOP, SIGKILL, SIGSTOP):
            async with asyncio.TaskGroup() as clients:
                async with held_head(up, business):
                    asked = [clients.create_task(business.insist(path, body, key)) for path, body in requests]
                    await until(lambda: waiting_for_a_lock(up), 10)
                    up.tell("api", number)
                await asyncio.sleep(0.1)  # in which the database goes on with what it was asked
                up.tell("api", SIGKILL)
            await up.ready()
        answers = [(await one).json() for one in asked]
        assert answers[0]["results"][0]["status"] == "duplicate"
        assert await people(up, business) == 2
        await check_log(up, [])


async def waiting_for_a_lock(up: Up) -> bool:
    async with up.superuser() as connection:
        return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")


async def test_with_valkey_dead_every_post_is_answered_and_the_views_catch_up_later(up: Up):
    async with businesses(up, 3) as told:
        async with load(told):
            for _ in range(4):
                await up.kill("valkey")
                await asyncio.sleep(1)
        answers = [one for business in told for one in business.answers]
        assert {one.status for one in answers} == {200}
        assert max(one.seconds for one in answers) < 5
        await settled(up)
        assert await check_log(up, told) == sum(len(one.acknowledged) for one in told)


@ALONE
async def test_ctrl_c_under_load_stops_everything_and_the_next_start_goes_on():
    async with started() as up, businesses(up, 4) as told:
        async with load(told), line(up, told[0], CHUNKED) as endless:
            await endless.say(chunk(b"["))
            await asyncio.sleep(2)
            family = up.family()
            began = time.monotonic()
            assert await up.stop(SIGINT) == 0
            assert time.monotonic() - began < 15
            assert up.family() == []
            assert len(family) > 5
            await up.start()
            await asyncio.sleep(2)
        assert await check_log(up, told) > 200
        await settled(up)


async def test_an_api_told_to_stop_answers_what_it_has_begun(up: Up):
    async with businesses(up, 2) as [held, other]:
        await other.tell_something()  # and leaves its connection open
        async with asyncio.TaskGroup() as clients, held_head(up, held):
            asked = [clients.create_task(held.attempt("/v1/touchpoints", [one])) for one in held.batch(5)]
            await until(lambda: waiting_for_a_lock(up), 10)
            stopped = up.tell("api", SIGTERM)
            await asyncio.sleep(0.5)
        assert [(await one).json()["results"][0]["status"] for one in asked] == ["recorded"] * 5
        await until(lambda: not psutil.pid_exists(stopped), 5)
        await up.ready()
        await other.tell_something()


async def test_an_api_told_to_stop_keeps_nobody_waiting_for_events(up: Up):
    async with businesses(up, 1) as [business], asyncio.TaskGroup() as clients:
        told = (await business.client.get("/v1/events")).json()["position"]
        polling = clients.create_task(business.client.get("/v1/events", params={"after": told, "wait": 30}))
        await asyncio.sleep(1)
        stopped = up.tell("api", SIGTERM)
        await until(lambda: not psutil.pid_exists(stopped), 5)
        assert (await polling).json() == {"items": [], "position": told}
