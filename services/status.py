"""`rapport status`: what runs on a data folder, and where."""

import asyncio
import sys

import asyncpg
import msgspec
from msgspec import Struct, field

from infra import embedded
from infra.data_folder import DataFolder
from infra.database import GONE, open_pool
from infra.settings import Typed
from infra.views import work
from infra.views.work import Lag
from services import supervisor


class Processes(Struct, frozen=True):
    """Process ids; None for what does not run, and for your own servers."""

    api: int | None = None
    worker: int | None = None
    postgres: int | None = None
    valkey: int | None = None


class Status(Struct, frozen=True):
    """`database_url` is the application's, `admin_url` the embedded superuser's. URLs are None where nothing runs."""

    address: str | None
    database_url: str | None
    admin_url: str | None
    redis_url: str | None
    processes: Processes
    lags: list[Lag] = field(default_factory=list)


def find(typed: Typed) -> Status:
    data = DataFolder(typed.data)
    now = supervisor.state(data)
    if typed.database_url:
        processes = Processes(api=now.api, worker=now.worker)
        return Status(now.address, typed.database_url, None, typed.redis_url, processes, lags(typed.database_url))
    if not embedded.runs(data):
        return Status(now.address, None, None, None, Processes(api=now.api, worker=now.worker))
    servers, pids = embedded.where(data), embedded.state(data)
    processes = Processes(api=now.api, worker=now.worker, postgres=pids.postgres, valkey=pids.valkey)
    return Status(
        now.address, servers.database_url, servers.admin_url, servers.redis_url, processes, lags(servers.database_url)
    )


def lags(database_url: str) -> list[Lag]:
    """How far the work is behind; nothing where the database cannot say."""

    async def ask() -> list[Lag]:
        async with await open_pool(database_url, most=1) as pool:
            return await work.lags(pool)

    try:
        return asyncio.run(ask())
    except (*GONE, asyncpg.PostgresError):
        return []


def show(status: Status, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(status)).decode() + "\n")
    else:
        show_table(status)


def show_table(status: Status) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("process", "pid", "where")
    where = {"api": status.address, "postgres": status.database_url, "valkey": status.redis_url}
    for name, pid in msgspec.structs.asdict(status.processes).items():
        table.add_row(name, str(pid or "-"), without_password(where.get(name)))
    Console().print(table)
    behind = [f"{one.process} {one.lag} events" for one in status.lags if one.lag]
    parked = [f"{one.process} {one.parked}" for one in status.lags if one.parked]
    if status.lags:
        Console().print(f"Behind: {', '.join(behind) or 'nothing'}.")
    if parked:
        Console().print(
            f"[red]Parked, as a projection could not take them: {', '.join(parked)}.[/] See the worker's log."
        )


def without_password(url: str | None) -> str:
    """What follows the @ of a URL that has one: `--json` shows all of it, to programs."""
    return (url or "").rpartition("@")[2]
