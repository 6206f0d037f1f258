"""Reading processes, from the side of who wants a file read: path in, rows out.

The server that forks them (`reader_server`) is started with the first file and ends with this process. A reader that
takes too much is ended by the kernel, and one that nobody waits for is stopped: whoever waits, waits for a pipe.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, Self

from domain.errors import Invalid
from infra.imports import sandbox
from infra.imports.reader_messages import (
    ANSWERS,
    LENGTH,
    LONGEST,
    NOTICES,
    Answer,
    Begin,
    Broken,
    Ended,
    Kill,
    Order,
    OutOf,
    Pause,
    Ready,
    Refusal,
    Resume,
    Task,
    Unframed,
    framed,
)
from infra.imports.sandbox import Limits

PROJECT = Path(__file__).parents[2]
MODULE = "infra.imports.reader_server"
MEMORY = 256 * 1024**2
SECONDS, SECONDS_A_MB = 30, 2
SECONDS_TO_RECOGNISE = 20
DISK, DISK_A_BYTE = 64 * 1024**2, 4
_RECEIVED = 65_536
_PATIENCE = 60.0  # seconds for what takes one on an idle machine


class ReaderFailed(Exception):
    """A reader went away without a word that explains it: it was killed, or the fault is ours."""


def limits(size: int) -> Limits:
    """Of the reading of a file of so many bytes."""
    return Limits(SECONDS + SECONDS_A_MB * size // 1_000_000, MEMORY, DISK + DISK_A_BYTE * size)


def limits_to_recognise() -> Limits:
    return Limits(SECONDS_TO_RECOGNISE, MEMORY, DISK)


class Reader:
    """One reading process. What it said is lost when it is closed."""

    def __init__(
        self, number: int, task: Task, server: "_Server", pipe: asyncio.StreamReader, transport: asyncio.BaseTransport
    ) -> None:
        self._number = number
        self._task = task
        self._server = server
        self._pipe = pipe
        self._transport = transport
        self._running = True

    async def answer(self) -> Answer:
        """Its next word. Raises Invalid where that is a refusal, or it took too much; ReaderFailed."""
        try:
            length = int.from_bytes(await self._pipe.readexactly(LENGTH))
            if length > LONGEST:
                raise ReaderFailed(f"a message of {length:,} bytes")
            answer: Answer = ANSWERS.decode(await self._pipe.readexactly(length))
        except asyncio.IncompleteReadError:
            raise self._explained(await self._server.ended(self._number)) from None
        match answer:
            case Refusal(reason=reason, field=field):
                raise Invalid(reason, field=field)
            case OutOf(what=what):
                most = self._task.limits.memory if what == "memory" else self._task.limits.disk
                raise _too_much(f"{most // 1024**2:,} MB of {what}")
            case Broken(error=error):
                raise ReaderFailed(error)
        return answer

    def _explained(self, ended: Ended | None) -> Exception:
        if ended is None:
            return ReaderFailed("the server of readers is gone")
        ended_by = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else None
        allowed = self._task.limits.seconds
        if ended_by == signal.SIGXCPU or (ended_by == signal.SIGKILL and ended.seconds >= allowed):
            return _too_much(f"{allowed:,} seconds of computing")
        return ReaderFailed(f"ended by signal {ended_by}" if ended_by else "it ended without its last word")

    def pause(self) -> None:
        """Nobody waits for it just now: it computes no further."""
        if self._running:
            self._running = False
            self._server.order(Pause(self._number))

    def resume(self) -> None:
        if not self._running:
            self._running = True
            self._server.order(Resume(self._number))

    def close(self) -> None:
        """End it, whatever it is at."""
        self._transport.close()
        self._server.end(self._number)


def _too_much(what: str) -> Invalid:
    return Invalid(f"reading this file took more than {what}, and was stopped: bring it in parts, or saved anew")


def _given_up(process: "subprocess.Popen[bytes]", control: socket.socket) -> None:
    control.close()
    process.kill()
    process.wait()


class _Server:
    """The process that forks readers."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket) -> None:
        self.pid = process.pid
        self._process = process
        self._control = control
        self._numbers = count(1)
        self._ended: dict[int, asyncio.Future[Ended | None]] = {}
        self._listening = asyncio.create_task(self._listen())
        self.alive = True

    @classmethod
    async def started(cls) -> Self:
        """Raises ReaderFailed when it does not come up."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - it takes a millisecond, and outlives this call
                [sys.executable, "-P", "-W", "ignore", "-m", MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=sandbox.environment() | {"PYTHONPATH": str(PROJECT)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        try:
            async with asyncio.timeout(_PATIENCE):
                ready = await asyncio.get_running_loop().sock_recv(ours, len(framed(Ready())))
            if ready:
                return cls(process, ours)
            raise ReaderFailed("the server of readers did not start")
        except TimeoutError:
            _given_up(process, ours)
            raise ReaderFailed("the server of readers did not start in time") from None
        except BaseException:
            _given_up(process, ours)
            raise

    async def begin(self, task: Task, file: IO[bytes]) -> Reader:
        number = next(self._numbers)
        theirs, ours = os.pipe()
        answers = os.fdopen(theirs, "rb")
        try:
            self._ended[number] = asyncio.get_running_loop().create_future()
            if not self.order(Begin(number, task), file.fileno(), ours):
                answers.close()
                raise ReaderFailed("the server of readers hears nothing")
        finally:
            os.close(ours)
        pipe = asyncio.StreamReader()
        try:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(pipe), answers
            )
        except BaseException:
            answers.close()
            self.end(number)
            raise
        return Reader(number, task, self, pipe, transport)

    def order(self, order: Order, *files: int) -> bool:
        """Whether it was said as a whole. A server that half heard something is ended, and its readers with it."""
        frame = framed(order)
        try:
            sent = socket.send_fds(self._control, [frame], files)
        except OSError:
            return False
        if sent < len(frame):
            self._process.kill()
        return sent == len(frame)

    def end(self, reader: int) -> None:
        self.order(Kill(reader))
        self._settle(reader, None)
        self._ended.pop(reader, None)

    async def ended(self, reader: int) -> Ended | None:
        """How a reader ended; None when that cannot be known any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                return await self._ended[reader]
        return None

    async def _listen(self) -> None:
        unframed = Unframed()
        with suppress(OSError):
            while received := await asyncio.get_running_loop().sock_recv(self._control, _RECEIVED):
                for message in unframed.take(received):
                    notice = NOTICES.decode(message)
                    if isinstance(notice, Ended):
                        self._settle(notice.reader, notice)
        self.alive = False
        for reader in list(self._ended):
            self._settle(reader, None)

    def _settle(self, reader: int, ended: Ended | None) -> None:
        waited = self._ended.get(reader)
        if waited is not None and not waited.done():
            waited.set_result(ended)

    def close(self) -> None:
        """It ends with its socket, and its readers with it."""
        self._listening.cancel()
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Readers:
    """The readers of this process; their server is started when the first is wanted, and again when it is gone."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._starting = asyncio.Lock()

    @property
    def server(self) -> int | None:
        """The process id of the server, while there is one."""
        return self._server.pid if self._server is not None else None

    async def begin(self, task: Task, file: IO[bytes]) -> Reader:
        """A process that reads this file, which has a descriptor and no unwritten bytes. Raises ReaderFailed."""
        async with self._starting:
            if self._server is None or not self._server.alive:
                self.close()
                self._server = await _Server.started()
        return await self._server.begin(task, file)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
