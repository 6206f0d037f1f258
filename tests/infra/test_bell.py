"""The bell may be lost, and never keeps anybody waiting. What arq loses is written down here."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

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
def url(servers: Servers, worker_id: str) -> str:
    """A numbered database of its own: those of other tests ring too."""
    return (
        urlsplit(servers.redis_url)
        ._replace(path=f"/{1 + int(worker_id.removeprefix('gw').replace('master', '0')) % 15}")
        .geturl()
    )


@pytest.fixture
async def valkey(url: str) -> AsyncIterator[Redis]:
    """Empty at the beginning."""
    client = Redis.from_url(url)
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


async def cut(valkey: Redis) -> None:
    """The connections of everybody else who uses this numbered database."""
    ours, number = await valkey.client_id(), valkey.connection_pool.connection_kwargs["db"]
    for one in await valkey.client_list():
        if int(one["db"]) == number and int(one["id"]) != ours:
            await valkey.client_kill_filter(_id=one["id"])


async def rings(valkey: Redis) -> int:
    return await valkey.zcard(QUEUE)


async def rung(valkey: Redis) -> None:
    """Wait for the first ring."""
    await until(lambda: rings(valkey))


async def listening(url: str, *functions: object) -> arq.Worker:
    """A worker as ours is set up, that does what is there and ends."""
    worker = arq.Worker(
        functions=functions, queue_name=QUEUE, redis_settings=redis_settings(url), burst=True,
        job_serializer=bell._dumps, job_deserializer=json.loads, poll_delay=0.02, keep_result=0, handle_signals=False,
    )  # fmt: skip
    await worker.async_run()
    await worker.close()
    return worker


async def test_it_knows_whether_it_reaches_valkey(url: str, valkey: Redis):
    async def reaches() -> bool:
        ours.ring()
        return ours.reaches

    async def reaches_not() -> bool:
        return not await reaches()

    async with Bell(url) as ours:
        most = (await valkey.config_get("maxmemory"))["maxmemory"]
        await valkey.config_set("maxmemory", 1)
        try:
            await until(reaches_not)
        finally:
            await valkey.config_set("maxmemory", most)
        await until(reaches)


async def test_ringing_returns_at_once_and_reaches_valkey(url: str, valkey: Redis):
    async with Bell(url) as ours:
        began = time.perf_counter()
        ours.ring()
        assert time.perf_counter() - began < 0.5  # it would be five seconds
        await rung(valkey)
        assert await rings(valkey) == 1


async def test_many_rings_at_once_are_one(url: str, valkey: Redis):
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
        await asyncio.sleep(0.05)
        await valkey.delete(QUEUE)
        for _ in range(1_000):
            ours.ring()
        await rung(valkey)
        await asyncio.sleep(0.1)
        assert await rings(valkey) == 1


async def test_rings_over_a_while_are_at_most_one_in_ten_milliseconds(url: str, valkey: Redis):
    async with Bell(url) as ours:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.5:
            ours.ring()
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
    assert 2 <= await rings(valkey) <= 52


async def test_a_ring_nobody_hears_is_forgotten_soon(url: str, valkey: Redis):
    async with Bell(url) as ours:
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
                assert time.perf_counter() - began < 0.5  # it would be five seconds
                await asyncio.sleep(0.001)
            await until(failed)
            closing = time.perf_counter()
        assert time.perf_counter() - closing < 0.5


async def test_a_valkey_that_comes_back_is_rung_again(url: str, valkey: Redis):
    """Its connection is cut under the bell's feet."""
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
        await valkey.delete(QUEUE)
        await cut(valkey)

        async def ring_again() -> int:
            ours.ring()
            return await rings(valkey)

        await until(ring_again)


async def test_what_is_sent_is_json_and_says_nothing(url: str, valkey: Redis):
    """Never pickle: who can write to Valkey could run code in the worker."""
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
    [job_id] = await valkey.zrange(QUEUE, 0, -1)
    job = json.loads(await valkey.get(b"arq:job:" + job_id))
    assert (job["f"], job["a"], job["k"]) == (TASK, [], {})


async def hear(url: str, raises: bool = False) -> int:
    """How often a listener is woken."""
    heard = 0

    async def on_ring(ctx: dict[str, object]) -> None:
        nonlocal heard
        heard += 1
        if raises:
            raise RuntimeError("on purpose")

    await listening(url, arq.func(on_ring, name=TASK, keep_result=0, max_tries=1))
    return heard


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq's own
async def test_a_ring_wakes_once(url: str, valkey: Redis):
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
    assert await hear(url) == 1
    assert await hear(url) == 0


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_a_job_that_raises(url: str, valkey: Redis):
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
    assert await hear(url, raises=True) == 1
    assert await rings(valkey) == 0, "gone, and never tried again"


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_a_job_of_a_name_it_does_not_know(url: str, valkey: Redis):
    redis = await arq.create_pool(redis_settings(url), job_serializer=bell._dumps, default_queue_name=QUEUE)
    await redis.enqueue_job("a_task_of_tomorrow")
    await redis.aclose()
    assert await hear(url) == 0
    assert await rings(valkey) == 0


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_arq_loses_all_when_valkey_is_emptied(url: str, valkey: Redis):
    async with Bell(url) as ours:
        ours.ring()
        await rung(valkey)
        await valkey.flushdb()
        assert await hear(url) == 0
        ours.ring()
        await rung(valkey)
    assert await hear(url) == 1, "and the bell rings on"


@pytest.mark.filterwarnings("ignore:Call to deprecated close")
async def test_a_listener_outlives_whatever_happens_to_valkey(url: str, valkey: Redis):
    """Emptied, or its connections cut: the next ring after that is heard again."""
    woken = asyncio.Event()
    async with Bell(url) as ours:

        async def heard() -> bool:
            ours.ring()
            await asyncio.sleep(0.02)
            return woken.is_set()

        listening = asyncio.create_task(bell.listen(url, woken.set))
        try:
            await until(heard)
            for fault in (valkey.flushdb(), cut(valkey)):
                await fault
                woken.clear()
                await until(heard, seconds=15)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def test_a_listener_waits_for_a_valkey_that_is_not_there():
    async with nobody_listens() as url:
        listening = asyncio.create_task(bell.listen(url, lambda: None))
        await asyncio.sleep(0.3)
        assert not listening.done()
        listening.cancel()
        assert isinstance((await asyncio.gather(listening, return_exceptions=True))[0], asyncio.CancelledError)
