"""What arq loses, so that an upgrade that changes it is noticed: why no task of ours carries anything that matters."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import arq
import pytest

from infra.bell import redis_settings
from tests.conftest import Servers


class Trial:
    """A queue of its own, and workers that take what is in it and end."""

    def __init__(self, url: str, redis: arq.ArqRedis, queue: str) -> None:
        self.url = url
        self.redis = redis
        self.queue = queue
        self.done: list[str] = []

    async def enqueue(self, name: str, *, job_id: str | None = None) -> bool:
        return await self.redis.enqueue_job(name, _job_id=job_id, _queue_name=self.queue) is not None

    async def work(self) -> None:
        async def fails(ctx: dict[Any, Any]) -> None:
            self.done.append("began to fail")
            raise ValueError("an ordinary exception")

        async def dawdles(ctx: dict[Any, Any]) -> None:
            self.done.append("began to dawdle")
            await asyncio.sleep(60)

        async def succeeds(ctx: dict[Any, Any]) -> str:
            self.done.append("succeeded")
            return "a result that is kept"

        worker = arq.Worker(
            functions=[
                arq.func(fails, name="fails"),  # type: ignore[arg-type]
                arq.func(dawdles, name="dawdles", timeout=0.05),  # type: ignore[arg-type]
                arq.func(succeeds, name="succeeds"),  # type: ignore[arg-type]
            ],
            queue_name=self.queue, redis_settings=redis_settings(self.url), burst=True, poll_delay=0.01,
            handle_signals=False, job_serializer=_dumps, job_deserializer=json.loads,
        )  # fmt: skip
        await worker.async_run()
        await worker.close()

    async def left(self) -> int:
        return int(await self.redis.zcard(self.queue))


def _dumps(job: dict[str, Any]) -> bytes:
    return json.dumps(job, default=str).encode()


@pytest.fixture
async def trial(servers: Servers) -> AsyncIterator[Trial]:
    redis = await arq.create_pool(redis_settings(servers.redis_url), job_serializer=_dumps, job_deserializer=json.loads)
    yield Trial(servers.redis_url, redis, f"trial:{uuid4()}")
    await redis.aclose()


@pytest.mark.parametrize(("name", "began"), [("fails", "began to fail"), ("dawdles", "began to dawdle")])
async def test_a_job_that_fails_or_takes_too_long_is_gone_after_one_try(trial: Trial, name: str, began: str):
    await trial.enqueue(name)
    await trial.work()
    await trial.work()
    assert (trial.done, await trial.left()) == ([began], 0)


async def test_a_job_of_an_unknown_name_is_gone(trial: Trial):
    await trial.enqueue("of a newer version")
    await trial.work()
    assert await trial.left() == 0


async def test_a_wiped_server_has_forgotten_every_job(trial: Trial):
    await trial.enqueue("succeeds")
    await trial.redis.delete(trial.queue)
    await trial.work()
    assert trial.done == []


async def test_a_job_whose_id_is_still_held_by_a_result_is_not_taken(trial: Trial):
    one = str(uuid4())
    assert await trial.enqueue("succeeds", job_id=one)
    await trial.work()
    assert not await trial.enqueue("succeeds", job_id=one)
    await trial.work()
    assert trial.done == ["succeeded"]
