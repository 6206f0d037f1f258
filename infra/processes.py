"""Child processes: kept running, stopped in order, never outliving the process that started them."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

LARGEST_LOG = 10_000_000
FIRST_PAUSE, LONGEST_PAUSE, SETTLED = 0.2, 5.0, 10.0
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)


class Account(NamedTuple):
    """A user of the operating system, by number."""

    user: int
    group: int


class Child:
    """A program that is started again whenever it ends.

    It has a session of its own, so that Ctrl-C in a terminal reaches only us and we decide the order. Where the kernel
    can do it (Linux), the child gets `stop_signal` when we die, however we die.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
        answers: Callable[["Child"], bool] = lambda _: True,
    ) -> None:
        self.name = name
        self.command = command
        self.folder = folder
        self.log = log
        self.environment = environment
        self.stop_signal = stop_signal
        self.account = account
        self.answers = answers
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        return self.process.pid if self.process is not None and self.running else None

    def start(self) -> None:
        account = self.account
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
                user=account and account.user,
                group=account and account.group,
                extra_groups=account and [],
                preexec_fn=partial(die_with_parent, os.getpid(), self.stop_signal),
            )

    async def keep(self, *, ended: Callable[["Child"], None], ready: Callable[["Child"], None]) -> None:
        """Start it again each time it ends: after 0.2 s, then 0.4 s and so on to 5 s, until it has run for 10 s."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            await self.end()
            pause = FIRST_PAUSE if time.monotonic() - began > SETTLED else pause
            ended(self)
            await asyncio.sleep(pause)
            self.start()
            if await self.is_ready():
                ready(self)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def end(self) -> None:
        """Wait until it has ended."""
        while self.running:
            shorten(self.log)
            await asyncio.sleep(0.1)

    async def is_ready(self) -> bool:
        """Wait until it answers; False when it ends before that."""
        while self.running:
            if self.answers(self):
                return True
            await asyncio.sleep(0.02)
        return False

    async def stop(self, *, grace: float) -> None:
        """Ask it to stop, and kill it after `grace` seconds."""
        self.tell(self.stop_signal)
        try:
            await asyncio.wait_for(self.end(), grace)
        except TimeoutError:
            self.tell(signal.SIGKILL)
            await self.end()

    def tell(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])


async def first(*waited: Coroutine[None, None, object]) -> None:
    """Wait until one of them is done or fails, and give up the others."""
    tasks = [asyncio.create_task(one) for one in waited]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.wait(tasks)
    for task in done:
        task.result()


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Runs in the child, before its program."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def shorten(log: Path) -> None:
    """Move what a log holds aside when it is large. The writer keeps its open file, so that is emptied, not renamed."""
    with suppress(FileNotFoundError):  # somebody removed it
        if log.stat().st_size > LARGEST_LOG:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def stop_leftovers(program: str, folder: Path, number: signal.Signals) -> None:
    """Stop what runs this program in this folder: it outlived a process of ours that was killed."""
    running = psutil.process_iter(["name", "cwd"])
    stop_all([one for one in running if one.info["name"] == program and one.info["cwd"] == str(folder)], number)


def stop_if_ours(pid: int, word: str) -> None:
    """Stop a process that we noted earlier, if it is still the one: it has `word` in its command."""
    try:
        process = psutil.Process(pid)
        ours = word in process.cmdline()
    except psutil.Error:
        return
    if ours:
        stop_all([process], signal.SIGTERM)


def stop_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)
    _, deaf = psutil.wait_procs(processes, timeout=10)
    for one in deaf:
        with suppress(psutil.NoSuchProcess):
            one.kill()
