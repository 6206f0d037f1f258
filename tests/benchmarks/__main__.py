"""`make bench`: every subject in turn, one table. It tells figures and fails no build by time."""

import argparse
import asyncio
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import psutil
import uvloop

from infra import embedded, garbage
from infra.logs import configure
from tests.benchmarks import bulk, catching_up, http, losses, memory, peer, reads, rebuild, single, visible, webhooks
from tests.benchmarks.place import Place, Size
from tests.benchmarks.table import Figure, as_json, lines
from tests.conftest import Servers, another_database, temporary, temporary_folder

SUBJECTS: dict[str, Callable[[Place], Awaitable[list[Figure]]]] = {
    "single": single.measure,
    "bulk": bulk.measure,
    "http": http.measure,
    "catching_up": catching_up.measure,
    "peer": peer.measure,
    "rebuild": rebuild.measure,
    "reads": reads.measure,
    "visible": visible.measure,
    "memory": memory.measure,
    "losses": losses.measure,
    "webhooks": webhooks.measure,
}


async def measured(place: Place, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        began = time.perf_counter()
        figures += await SUBJECTS[name](place)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return figures


async def circumstances(servers: Servers) -> str:
    connection = await asyncpg.connect(another_database(servers.admin_url, "postgres"))
    version, fsync, synchronous = await connection.fetchrow(
        "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
    )
    await connection.close()
    where = "RAM disk" if temporary() == Path("/dev/shm") else "ordinary folder"  # noqa: S108
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f} at the start,"
        f" data in a {where}; Python {platform.python_version()}, PostgreSQL {version},"
        f" fsync={fsync}, synchronous_commit={synchronous}"
    )


def main() -> None:
    told = argparse.ArgumentParser(prog="make bench", description=__doc__)
    told.add_argument("--json", type=Path, help="write the figures there too")
    told.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="SUBJECT")
    for name, value in msgspec.structs.asdict(Size()).items():
        told.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(told.parse_args())
    size = Size(**{name: given[name] for name in Size.__struct_fields__})
    configure("error")
    garbage.settle()
    with temporary_folder() as folder, embedded.servers(folder) as found:
        servers = Servers(found.admin_url, found.redis_url)
        around = asyncio.run(circumstances(servers))
        figures = uvloop.run(measured(Place(servers, size), given["only"]))
    print(around, *lines(figures), sep="\n")
    if given["json"]:
        told_json = {"circumstances": around, "size": size, "figures": as_json(figures)}
        given["json"].write_bytes(msgspec.json.format(msgspec.json.encode(told_json)))


if __name__ == "__main__":
    main()
