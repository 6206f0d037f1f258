"""The worker: wakes at a ring of the bell, and looks by itself every two seconds. Its work is rows in PostgreSQL."""

import asyncio
import os

import structlog

from infra import bell, logs, periodic, projector, settings
from infra.context import Context, open_context
from infra.database import GONE
from infra.event_log import Unavailable
from infra.settings import Settings

SWEEP_SECONDS = 2.0

log = structlog.get_logger()


class Worker:
    """One process's share of the work. `wake` is cheap and may be called at any time."""

    def __init__(self, configured: Settings) -> None:
        self._configured = configured
        self._woken = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        self._stop.set()
        self._woken.set()
        if self._task is not None:
            await self._task

    async def wake(self) -> None:
        self._woken.set()

    async def _work(self) -> None:
        known = self._configured
        async with open_context(
            database_url=known.database_url, redis_url=known.redis_url, master=known.master_key
        ) as context:
            log.info("worker_started")
            while not self._stop.is_set():
                self._woken.clear()
                await self._catch_up(context)
                await self._rest()

    async def _rest(self) -> None:
        """Until the next ring, or the sweep."""
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _catch_up(self, context: Context) -> None:
        try:
            await catch_up(context)
        except (*GONE, Unavailable) as error:
            log.warning("database_unavailable", error=type(error).__name__)
            await asyncio.sleep(0.5)


async def catch_up(context: Context) -> None:
    """Do all there is to do."""
    while await projector.advance(context) or await periodic.run_due(context) or await projector.retry_parked(context):
        pass


def run() -> None:
    """Run until told to stop. Ends when Valkey goes away; the supervisor starts it anew."""
    configured = settings.load(dict(os.environ))
    logs.configure(configured.log_level)
    worker = Worker(configured)
    bell.listen(configured.redis_url, worker.wake, startup=worker.start, shutdown=worker.stop)
