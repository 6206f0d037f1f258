"""The turns of imports, in a thread with an event loop of its own: whatever they do, the worker's goes on beside it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog
import uvloop

from infra.context import Context, open_context
from infra.database import GONE
from infra.event_log import Unavailable
from infra.imports import work
from infra.imports.open_files import AT_ONCE
from infra.settings import Settings
from services.workers.waking import PAUSE, rest

CONNECTIONS = 3 * AT_ONCE  # a turn reads in one, begins a batch in another, and keeps its lease up in a third

log = structlog.get_logger()


class Importing:
    """Takes turns until it is stopped: as many beside each other as there are cores, each for another business."""

    def __init__(self, configured: Settings) -> None:
        self._configured = configured
        self._begun, self._stopped = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._woken: asyncio.Event
        self._stop: asyncio.Event

    async def run(self) -> None:
        """To the end of the thread. Raises what ended it."""
        await asyncio.to_thread(uvloop.run, self._work())

    def wake(self) -> None:
        """There is something to do, perhaps."""
        self._tell(lambda: self._woken.set())

    def stop(self) -> None:
        """No further turn is taken."""
        self._stopped.set()
        self._tell(lambda: self._stop.set())

    def _tell(self, what: Callable[[], None]) -> None:
        """From another thread; nothing where it is over, or has not begun."""
        if self._begun.is_set():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(what)

    async def _work(self) -> None:
        self._loop, self._woken, self._stop = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._begun.set()
        if self._stopped.is_set():
            self._stop.set()
        try:
            async with open_context(
                database_url=self._configured.database_url,
                writer_url=self._configured.writer_url,
                redis_url=self._configured.redis_url,
                master=self._configured.master_key,
                connections=CONNECTIONS,
            ) as context:
                await asyncio.gather(*(self._turns(context) for _ in range(AT_ONCE)))
        finally:
            self._begun.clear()

    async def _turns(self, context: Context) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            await self._catch_up(context)
            await rest(self._woken, self._stop)

    async def _catch_up(self, context: Context) -> None:
        try:
            while not self._stop.is_set() and await work.advance(context):
                context.bell.ring()
        except (*GONE, Unavailable) as error:
            log.warning("database_unavailable", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
