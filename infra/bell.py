"""The bell: tells the workers that there is something to do. It may be lost; the workers look by themselves too.

The only module that knows arq. Nothing is ever waited for here by a request: ringing happens in the background, at most
once in 10 ms and process. arq and redis are imported by who rings or listens: that takes longer than most commands do.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import Counter

if TYPE_CHECKING:
    import arq
    from arq.connections import RedisSettings

QUEUE = "rapport:bell"
TASK = "wake"
COALESCE_SECONDS = 0.01
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 2
STALE_SECONDS = 10  # an older ring says nothing: the workers have looked by themselves

log = structlog.get_logger()
UNRUNG = Counter("rapport_bell_failures", "Rings that did not reach Valkey. The sweep makes up for them.")


def redis_settings(url: str) -> "RedisSettings":
    """Short timeouts, no retries: a dead bell must not hold up anybody."""
    from arq.connections import RedisSettings

    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = 1
    settings.conn_retries = 0
    return settings


def unreachable() -> tuple[type[Exception], ...]:
    """What a Valkey that is away raises."""
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)


class Bell:
    """Rings from a process that writes. `reaches`: the last ring came through; until then nothing says otherwise."""

    reaches = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._wanted = asyncio.Event()
        self._ringer: asyncio.Task[None] | None = None
        self._redis: arq.ArqRedis | None = None

    async def __aenter__(self) -> "Bell":
        self._ringer = asyncio.create_task(self._ring_when_wanted())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ringer is not None:
            self._ringer.cancel()
            await asyncio.gather(self._ringer, return_exceptions=True)
        if self._redis is not None:
            await self._redis.aclose()

    def ring(self) -> None:
        """Ask for a ring; returns at once."""
        self._wanted.set()

    async def _ring_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._ring()
                self.reaches = True
            except unreachable() as error:
                self.reaches = False
                UNRUNG.inc()
                log.warning("bell_unreachable", error=type(error).__name__)
                await self._forget()
                await asyncio.sleep(1)
            await asyncio.sleep(COALESCE_SECONDS)

    async def _ring(self) -> None:
        import arq

        if self._redis is None:
            self._redis = await arq.create_pool(
                redis_settings(self._url), job_serializer=_dumps, job_deserializer=json.loads, default_queue_name=QUEUE
            )
        await self._redis.enqueue_job(TASK, _expires=STALE_SECONDS)

    async def _forget(self) -> None:
        redis, self._redis = self._redis, None
        if redis is not None:
            await redis.aclose()


async def listen(url: str, wake: Callable[[], None]) -> None:
    """`wake` after each ring, for ever. While Valkey is away there is no ring; it is tried again every second."""
    while True:
        worker = _listener(url, wake)
        try:
            await worker.async_run()
        except unreachable() as error:
            log.warning("bell_unreachable", error=type(error).__name__)
        finally:
            with suppress(*unreachable()):
                await worker.close()
        await asyncio.sleep(1)


def _listener(url: str, wake: Callable[[], None]) -> "arq.Worker":
    import arq

    async def on_ring(ctx: dict[Any, Any], *_: Any, **__: Any) -> None:
        wake()

    return arq.Worker(
        functions=[arq.func(on_ring, name=TASK, keep_result=0, max_tries=1)],
        queue_name=QUEUE,
        redis_settings=redis_settings(url),
        job_serializer=_dumps,
        job_deserializer=json.loads,
        poll_delay=POLL_SECONDS,
        keep_result=0,
        job_timeout=30,
        max_jobs=2,
        handle_signals=False,
    )


def _dumps(job: dict[str, object]) -> bytes:
    """A ring, or what became of one: arq puts its exception there when the ring was too old."""
    return json.dumps(job, default=str).encode()
