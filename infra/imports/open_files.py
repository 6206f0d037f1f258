"""The files a process reads just now: each by a reader that goes on where it stood, from turn to turn.

A reader computes only while somebody waits for it, or works on what it said last: at most one for each turn that is
taken, however many files are open.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import IO
from uuid import UUID

import structlog
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain.errors import Busy, Invalid
from domain.imports import OwnerCandidate, Reading
from infra.imports.reader_messages import Answer, Owners, Recognised, Rows, Task
from infra.imports.readers import Reader, ReaderFailed, Readers, limits, limits_to_recognise
from infra.imports.sandbox import Limits
from infra.turns import Turns

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
AT_ONCE = min(CORES, 4)  # turns beside each other: each reader may fill a core
MOST_OPEN, MOST_SMALL_OPEN = 8, 24
SMALL, ANY = 1_000_000, 2**62  # bytes: a small file waits for no large one
SLICE = 2.0  # seconds of a turn, before another business has its own
IDLE = 30.0  # seconds
UNPACKED = 10
LONGEST_WAIT = 60.0

log = structlog.get_logger()

Fetch = Callable[[], Awaitable[IO[bytes]]]


class Source(Struct, frozen=True):
    """A file that is read in a pass of its import: which, what for, and how it is had again."""

    tenant_id: UUID
    import_id: UUID
    pass_: object
    format: str
    size: int
    fetch: Fetch

    @property
    def limits(self) -> Limits:
        """An archive of text holds about so many times what it measures."""
        return limits(self.size * UNPACKED if self.format == "archive" else self.size)


class _Open(Struct):
    """A file in a pass. `latest` are the rows its reader said last, which begin after `latest_after`."""

    source: Source
    file: IO[bytes]
    owners: list[OwnerCandidate] | None = None
    reader: Reader | None = None
    waiting: asyncio.Task[Answer] | None = None
    latest: Rows | None = None
    latest_after: int = 0
    used: float = 0.0

    @property
    def through(self) -> int:
        return self.latest_after + (len(self.latest.rows) if self.latest else 0)

    def stop_reading(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
        if self.reader is not None:
            self.reader.close()
        self.reader = self.waiting = self.latest = None

    def close(self) -> None:
        self.stop_reading()
        self.file.close()


class OpenFiles:
    """`worker` names this process among those that work on imports; `in_hand` are the imports it has in a turn."""

    def __init__(self) -> None:
        self.worker = uuid_utils.uuid7()
        self.claiming = asyncio.Lock()
        self.in_hand: set[UUID] = set()
        self._open: dict[UUID, _Open] = {}
        self.readers = Readers()
        self._turns = Turns(at_once=AT_ONCE, longest_wait=LONGEST_WAIT)

    @property
    def open(self) -> list[UUID]:
        return list(self._open)

    @property
    def room(self) -> int:
        """How many bytes a file may measure that is opened now."""
        self._close_idle()
        small = sum(found.source.size <= SMALL for found in self._open.values())
        if len(self._open) - small < MOST_OPEN:
            return ANY
        return SMALL if small < MOST_SMALL_OPEN else 0

    async def recognise(self, tenant_id: UUID, file: IO[bytes]) -> str:
        """The name of the file's format. Businesses take turns. Raises Invalid, Busy."""
        file.flush()
        task = Task("recognise", limits_to_recognise())
        try:
            async with self._turns.of(tenant_id):
                try:
                    answer = await self._asked(task, file)
                except ReaderFailed:  # it was killed, perhaps with its server: once more, with another
                    answer = await self._asked(task, file)
        except TimeoutError:
            raise Busy from None
        except ReaderFailed as failure:
            log.error("reader_failed", error=str(failure))
            raise Invalid("this file cannot be looked at: its reader broke off", field="file") from failure
        assert isinstance(answer, Recognised)  # noqa: S101 - it is what was asked
        return answer.format

    async def _asked(self, task: Task, file: IO[bytes]) -> Answer:
        """All that a reader says of a file, where that is one word."""
        reader = await self.readers.begin(task, file)
        try:
            return await reader.answer()
        finally:
            reader.close()

    async def owners(self, source: Source) -> list[OwnerCandidate] | None:
        """Who in the file may be us; None while its reader is not done. Raises Invalid, ReaderFailed."""
        found = await self._opened(source)
        if found.owners is None:
            if found.reader is None:
                await self._begin(found, Task("owners", source.limits, source.format))
            answer = await self._answer(source.import_id, found)
            if answer is None:
                return None
            assert isinstance(answer, Owners)  # noqa: S101 - it is what was asked
            found.stop_reading()
            found.owners = answer.owners
        return found.owners

    async def rows(self, source: Source, reading: Reading, *, after: int) -> Rows | None:
        """The rows after a row, as many as come at once; None while its reader is not done.

        Asked again for what was told last, it is told again. Raises Invalid, ReaderFailed.
        """
        found = await self._opened(source)
        if found.latest is not None and found.latest_after == after:
            return found.latest
        if found.reader is None or found.through != after:
            found.stop_reading()
            found.latest_after = after
            await self._begin(found, Task("read", source.limits, source.format, reading, after))
        answer = await self._answer(source.import_id, found)
        if answer is None:
            return None
        assert isinstance(answer, Rows)  # noqa: S101 - it is what was asked
        found.latest, found.latest_after = answer, after
        return answer

    async def _opened(self, source: Source) -> _Open:
        """The file in this pass, fetched where it is not open in it."""
        found = self._open.get(source.import_id)
        if found is None or found.source.pass_ != source.pass_:
            self._close_others(source)
            found = self._open[source.import_id] = _Open(source, await source.fetch())
        found.used = time.monotonic()
        return found

    async def _begin(self, found: _Open, task: Task) -> None:
        found.reader = await self.readers.begin(task, found.file)

    async def _answer(self, import_id: UUID, found: _Open) -> Answer | None:
        """What the reader says within the slice of a turn. What goes wrong closes it."""
        assert found.reader is not None  # noqa: S101 - who asks has begun it
        waiting = found.waiting = found.waiting or asyncio.create_task(found.reader.answer())
        found.reader.resume()
        done, _ = await asyncio.wait({waiting}, timeout=SLICE)
        if not done:
            return None
        found.waiting = None
        if waiting.cancelled():
            raise ReaderFailed("its file was closed meanwhile")
        if (failure := waiting.exception()) is not None:
            self.close(import_id)
            raise failure
        return waiting.result()

    def pause(self, import_id: UUID) -> None:
        """Its turn is over."""
        found = self._open.get(import_id)
        if found is not None and found.reader is not None:
            found.reader.pause()

    def close(self, import_id: UUID) -> None:
        if found := self._open.pop(import_id, None):
            found.close()

    def _close_others(self, source: Source) -> None:
        """Of a business one file is read at a time: another that is open was given up."""
        for import_id, found in list(self._open.items()):
            theirs = found.source.tenant_id == source.tenant_id and import_id not in self.in_hand
            if theirs or import_id == source.import_id:
                self.close(import_id)

    def _close_idle(self) -> None:
        """What nobody asked for in a while was taken by another process, or given up."""
        long_ago = time.monotonic() - IDLE
        for import_id, found in list(self._open.items()):
            if found.used < long_ago and import_id not in self.in_hand:
                self.close(import_id)

    def close_all(self) -> None:
        """Of files and their readers; the server of readers ends with the last."""
        for import_id in list(self._open):
            self.close(import_id)

    def close_down(self) -> None:
        self.close_all()
        self.readers.close()
