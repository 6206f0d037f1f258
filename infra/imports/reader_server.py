"""The server of reading processes: `python -m infra.imports.reader_server FD`, FD being a socket to who started it.

It holds what readers need ready to be forked, and nothing else: no database, no key, no setting. Each file is read by a
process of its own that is gone afterwards, so that no file is read by what another one has left behind.
"""

import errno
import gc
import os
import selectors
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

import msgspec

from domain.errors import Refused
from infra.imports import formats, sandbox
from infra.imports.reader_messages import (
    BYTES_AT_ONCE,
    ORDERS,
    ROWS_AT_ONCE,
    Begin,
    Broken,
    Ended,
    Kill,
    OutOf,
    Owners,
    Packed,
    Pause,
    Ready,
    Recognised,
    Refusal,
    Resume,
    Said,
    Task,
    Unframed,
    framed,
    packed,
)

_SIGNALS = {Pause: signal.SIGSTOP, Resume: signal.SIGCONT, Kill: signal.SIGKILL}
_RECEIVED = 65_536


class Server:
    """Forks, stops and reaps readers, until its socket is closed at the other end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._unframed = Unframed()
        self._files: list[int] = []  # received, and not yet given to a reader
        self._pids: dict[int, int] = {}  # of readers, by number

    def run(self) -> None:
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        self._control.sendall(framed(Ready()))
        while True:
            for key, _ in selector.select():
                if key.fileobj is self._control:
                    if not self._receive():
                        self._end()
                        return
                else:
                    os.read(woken, _RECEIVED)
                    self._reap()

    def _receive(self) -> bool:
        """Do what was ordered; False when nobody orders any more."""
        try:
            received, files, _, _ = socket.recv_fds(self._control, _RECEIVED, 16)
        except ConnectionError:
            return False
        self._files += files
        for message in self._unframed.take(received):
            match ORDERS.decode(message):
                case Begin(reader=reader, task=task):
                    self._begin(reader, task)
                case order:
                    if order.reader in self._pids:
                        os.kill(self._pids[order.reader], _SIGNALS[type(order)])
        return bool(received)

    def _end(self) -> None:
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)

    def _begin(self, reader: int, task: Task) -> None:
        file, answers = self._files.pop(0), self._files.pop(0)
        pid = os.fork()
        if pid == 0:
            _read_alone(task, file, answers)
        os.close(file)
        os.close(answers)
        self._pids[reader] = pid

    def _reap(self) -> None:
        numbers = {pid: reader for reader, pid in self._pids.items()}
        while numbers:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            reader = numbers.pop(pid)
            del self._pids[reader]
            self._control.sendall(framed(Ended(reader, status, used.ru_utime + used.ru_stime)))


def _nothing(number: int, frame: FrameType | None) -> None:
    """A child has ended: what wakes the loop up is the byte that Python writes."""


def _read_alone(task: Task, file: int, answers: int) -> NoReturn:
    """The life of a reader, in its own process."""
    sandbox.die_with_parent()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody listens any more: that is the end
    for held in range(3, sandbox.OPEN_FILES):
        if held not in (file, answers):
            _close(held)
    sandbox.enter(task.limits)
    try:
        for answer in _said(task, os.fdopen(file, "rb")):
            _write(answers, framed(answer))
    finally:
        os._exit(0)


def _close(held: int) -> None:
    try:
        os.close(held)
    except OSError:
        return


def _write(answers: int, frame: bytes) -> None:
    left = memoryview(frame)
    while left:
        left = left[os.write(answers, left) :]


def _said(task: Task, file: IO[bytes]) -> Iterator[Said]:
    """What there is to say of the file, the last word being what went wrong."""
    try:
        yield from _answers(task, file)
    except Refused as refusal:
        yield Refusal(refusal.reason, refusal.field)
    except MemoryError:
        yield OutOf("memory")
    except Exception as error:  # noqa: BLE001 - it ends this process, and is told
        yield OutOf("disk") if _is_full(error) else Broken(_place(error))


def _answers(task: Task, file: IO[bytes]) -> Iterator[Said]:
    """Raises Refused for a file that is none of its format."""
    if task.what == "recognise":
        yield Recognised(formats.recognise(file).name)
    elif task.what == "owners" or task.reading is None:
        yield Owners(formats.FORMATS[task.format].owners(file))
    else:
        rows = islice(formats.FORMATS[task.format].read(file, task.reading), task.after, None)
        batch: list[msgspec.Raw] = []
        weight = 0
        for row in rows:
            batch.append(packed(row))
            weight += len(bytes(batch[-1]))
            if len(batch) == ROWS_AT_ONCE or weight >= BYTES_AT_ONCE:
                yield Packed(batch, last=False)
                batch, weight = [], 0
        yield Packed(batch, last=True)


def _is_full(error: Exception) -> bool:
    """Whether it wrote more for itself than it may."""
    if isinstance(error, sqlite3.OperationalError):
        return "full" in str(error) or "disk I/O" in str(error)
    return isinstance(error, OSError) and error.errno == errno.EFBIG


def _place(error: BaseException) -> str:
    """What went wrong and where, without the values it went wrong with."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + where


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()  # what is here stays, and is shared with each reader as long as nobody writes to it
    Server(control).run()
    os._exit(0)


if __name__ == "__main__":
    main()
