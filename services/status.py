"""`rapport status`: what runs on a data folder, and where."""

import sys

import msgspec
from msgspec import Struct, field

from infra import embedded
from infra.data_folder import DataFolder
from infra.settings import Typed
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
    lags: list[str] = field(default_factory=list)


def find(typed: Typed) -> Status:
    data = DataFolder(typed.data)
    now = supervisor.state(data)
    if typed.database_url:
        processes = Processes(api=now.api, worker=now.worker)
        return Status(now.address, typed.database_url, None, typed.redis_url, processes)
    if not embedded.runs(data):
        return Status(now.address, None, None, None, Processes(api=now.api, worker=now.worker))
    servers, pids = embedded.where(data), embedded.state(data)
    processes = Processes(api=now.api, worker=now.worker, postgres=pids.postgres, valkey=pids.valkey)
    return Status(now.address, servers.database_url, servers.admin_url, servers.redis_url, processes)


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


def without_password(url: str | None) -> str:
    """What follows the @ of a URL that has one: `--json` shows all of it, to programs."""
    return (url or "").rpartition("@")[2]
