"""The bell may be lost, and never keeps anybody waiting. What arq loses is written down here."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import arq
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from infra import bell
from infra.bell import QUEUE, TASK, Bell, redis_settings
from tests.conftest import Servers
from tests.infra.quiet import until


def unrung() -> float:
    return REGISTRY.get_sample_value("rapport_bell_failures_total") or 0.0


@pytest.fixture
async def valkey(servers: Servers) -> AsyncIterator[Redis]:
    """Empty at the beginning."""
    client = Redis.from_url(servers.redis_url)
    await client.delete(QUEUE)
    yield client
    await client.delete(QUEUE)
    await client.aclose()


async def rings(valkey: Redis) -> int:
    return await valkey.zcard(QUEUE)


async def rung(valkey: Redis) -> None:
    """Wait for the first ring."""
    await until(lambda: rings(valkey))


async def listening(servers: Servers, *functions: object) -> arq.Worker:
    """A worker as ours is set up, that does what is there and ends."""
    worker = arq.Worker(
        functions=functions, queue_name=QUEUE, redis_settings=redis_settings(servers.redis_url), burst=True,
        job_serializer=bell._dumps, job_deserializer=json.loads, poll_delay=0.02, keep_result=0, handle_signals=False,
    )  # fmt: skip
    await worker.async_run()
    await worker.close()
    return worker


async def test_ringing_returns_at_once_and_reaches_valkey(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        began = time.perf_counter()
        ours.ring()
        assert time.perf_counter() - began < 0.005
        await rung(valkey)
        assert await rings(valkey) == 1


async def test_many_rings_at_once_are_one(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
        await asyncio.sleep(0.05)
        await valkey.delete(QUEUE)
        for _ in range(1_000):
            ours.ring()
        await rung(valkey)
        await asyncio.sleep(0.1)
        assert await rings(valkey) == 1


async def test_rings_over_a_while_are_at_most_one_in_ten_milliseconds(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.5:
            ours.ring()
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
    assert 2 <= await rings(valkey) <= 52


async def test_a_ring_nobody_hears_is_forgotten_soon(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
    [job_id] = await valkey.zrange(QUEUE, 0, -1)
    assert 0 < await valkey.pttl(b"arq:job:" + job_id) <= bell.STALE_SECONDS * 1_000


@asynccontextmanager
async def nobody_listens() -> AsyncIterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


@asynccontextmanager
async def nobody_answers() -> AsyncIterator[str]:
    """It accepts and says nothing, as a stopped process does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"redis://127.0.0.1:{silent.getsockname()[1]}/0"


@pytest.mark.parametrize("dead", [nobody_listens, nobody_answers])
async def test_a_dead_valkey_keeps_nobody_waiting(dead):
    before = unrung()

    async def failed() -> bool:
        return unrung() > before

    async with dead() as url:
        async with Bell(url) as ours:
            for _ in range(100):
                began = time.perf_counter()
                ours.ring()
                assert time.perf_counter() - began < 0.005
                await asyncio.sleep(0.001)
            await until(failed)
            closing = time.perf_counter()
        assert time.perf_counter() - closing < 0.5


async def test_a_valkey_that_comes_back_is_rung_again(servers: Servers, valkey: Redis):
    """Its connection is cut under the bell's feet."""
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
        await valkey.delete(QUEUE)
        await valkey.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        async def ring_again() -> int:
            ours.ring()
            return await rings(valkey)

        await until(ring_again)


async def test_what_is_sent_is_json_and_says_nothing(servers: Servers, valkey: Redis):
    """Never pickle: who can write to Valkey could run code in the worker."""
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
    [job_id] = await valkey.zrange(QUEUE, 0, -1)
    job = json.loads(await valkey.get(b"arq:job:" + job_id))
    assert (job["f"], job["a"], job["k"]) == (TASK, [], {})


async def hear(servers: Servers, raises: bool = False) -> int:
    """How often a listener is woken."""
    heard = 0

    async def on_ring(ctx: dict[str, object]) -> None:
        nonlocal heard
        heard += 1
        if raises:
            raise RuntimeError("on purpose")

    await listening(servers, arq.func(on_ring, name=TASK, keep_result=0, max_tries=1))
    return heard


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq's own
async def test_a_ring_wakes_once(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
    assert await hear(servers) == 1
    assert await hear(servers) == 0


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_a_job_that_raises(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
    assert await hear(servers, raises=True) == 1
    assert await rings(valkey) == 0, "gone, and never tried again"


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_a_job_of_a_name_it_does_not_know(servers: Servers, valkey: Redis):
    redis = await arq.create_pool(
        redis_settings(servers.redis_url), job_serializer=bell._dumps, default_queue_name=QUEUE
    )
    await redis.enqueue_job("a_task_of_tomorrow")
    await redis.aclose()
    assert await hear(servers) == 0
    assert await rings(valkey) == 0


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_all_with_flushall(servers: Servers, valkey: Redis):
    async with Bell(servers.redis_url) as ours:
        ours.ring()
        await rung(valkey)
        await valkey.flushall()
        assert await hear(servers) == 0
        ours.ring()
        await rung(valkey)
    assert await hear(servers) == 1, "and the bell rings on"
