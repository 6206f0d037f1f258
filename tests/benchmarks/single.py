"""How fast the log takes events, beside what PostgreSQL itself does with an INSERT."""

import asyncio
import os
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil
import uuid_utils.compat as uuid_utils

from infra.database import Pool
from infra.event_log import Writer, append_for_many
from tests.benchmarks.place import BODY, META, PROGRAMS, Place, new_tenant, single, superuser
from tests.benchmarks.table import Figure, Run, at_least, in_turns

TABLES = """
CREATE SCHEMA bench;
CREATE TABLE bench.single (id bigserial PRIMARY KEY, event_id uuid UNIQUE, body bytea);
CREATE TABLE bench.plain (LIKE rapport.event INCLUDING ALL)
"""
PLAIN = """
INSERT INTO bench.plain (tenant_id, position, stream, event_id, type, version, occurred_at, recorded_at, body, meta,
                         fingerprint, hash)
SELECT $1, $2 + x.o, x.stream, x.event_id, x.type, x.version, x.occurred_at, now(), x.body, x.meta,
       x.fingerprint, x.fingerprint || x.fingerprint
  FROM unnest($3::text[], $4::uuid[], $5::text[], $6::smallint[], $7::timestamptz[], $8::bytea[], $9::bytea[],
              $10::bytea[]) WITH ORDINALITY
       AS x (stream, event_id, type, version, occurred_at, body, meta, fingerprint, o)
"""
AIMS = {(32, 64): 0.85, (256, 64): 1.3, (256, 1): 1.0}


async def measure(place: Place) -> list[Figure]:
    figures = []
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        await admin.execute(TABLES)
        ids = [(await new_tenant(context.pool)).tenant_id for _ in range(64)]
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            insert = f"INSERT INTO bench.single (event_id, body) VALUES (gen_random_uuid(), '{BODY.decode()}');\n"  # noqa: S608
            script.write(insert)
            script.flush()
            seconds = place.size.seconds
            meter = await Meter.over(admin)
            runs: dict[str, Run] = {
                "simple": lambda: pgbench(database.admin_url, Path(script.name), "simple", seconds),
                "prepared": lambda: pgbench(database.admin_url, Path(script.name), "prepared", seconds),
            }
            for callers, spread in AIMS:
                runs[f"{callers} {spread}"] = partial(appended, context.writer, ids[:spread], callers, seconds)
            told = await in_turns(place.size.rounds, **{name: meter.around(name, run) for name, run in runs.items()})
        for (callers, spread), aim in AIMS.items():
            where = "one tenant" if spread == 1 else f"{min(callers, spread)} tenants"
            name = f"{callers} {spread}"
            for mode, aimed in (("simple", at_least(aim)), ("prepared", None)):
                what = f"single append, {callers} callers, {where}"
                beside = f"pgbench -c 32 -M {mode}"
                figures.append(Figure(what, beside, "1/s", told[name], told[mode], aimed))
                if meter.sees:
                    figures.append(Figure(what, beside, "1/CPU s", meter.median(name), meter.median(mode)))
        told = await in_turns(
            place.size.rounds,
            ours=lambda: in_calls(context.writer.pool, ids[0], seconds),
            plain=lambda: plain(admin, ids[0], seconds),
        )
        what = "append of 1,000 a call, hash chain"
        figures.append(Figure(what, "INSERT ... SELECT FROM unnest", "events/s", *told.values(), at_least(0.4)))
    return figures


class Meter:
    """How many operations a second of the processors' time buys, ours, pgbench's and PostgreSQL's taken together.

    It says what is to be said on a machine that others use too: they slow us down, but they do not use our time.
    """

    def __init__(self, server: psutil.Process | None) -> None:
        self._server = server
        self._told: dict[str, list[float]] = {}

    @classmethod
    async def over(cls, admin: "asyncpg.Connection[asyncpg.Record]") -> "Meter":
        """It sees a server on this machine only."""
        pid = await admin.fetchval("SELECT pg_backend_pid()")
        backend = psutil.Process(pid) if psutil.pid_exists(pid) else None
        return cls(backend.parent() if backend is not None and "postgres" in backend.name() else None)

    @property
    def sees(self) -> bool:
        return self._server is not None

    def median(self, name: str) -> float:
        return statistics.median(self._told[name])

    def around(self, name: str, run: Run) -> Run:
        async def measured() -> float:
            used, began = self._used(), time.perf_counter()
            rate = await run()
            operations = rate * (time.perf_counter() - began)
            self._told.setdefault(name, []).append(operations / max(self._used() - used, 0.001))
            return rate

        return measured

    def _used(self) -> float:
        """Seconds so far; what a process used is its parent's children's once it has ended."""
        if self._server is None:
            return 0.0
        ours = os.times()
        server = sum(map(_seconds, self._server.children()))
        ended = self._server.cpu_times()
        server += ended.children_user + ended.children_system
        return server + ours.user + ours.system + ours.children_user + ours.children_system


def _seconds(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    seconds: float = used.user + used.system
    return seconds


async def appended(writer: Writer, ids: Sequence[UUID], callers: int, seconds: float) -> float:
    """Durable single appends a second by so many callers at once."""
    until, counts = time.perf_counter() + seconds, [0] * callers

    async def call(number: int) -> None:
        while time.perf_counter() < until:
            verdict = await writer.append(single(ids[number % len(ids)]))
            assert verdict.judgement == "recorded"
            counts[number] += 1

    await asyncio.gather(*map(call, range(callers)))
    return sum(counts) / seconds


async def pgbench(url: str, script: Path, mode: str, seconds: float) -> float:
    """32 connections, one INSERT a transaction into a table with a primary key and one unique index."""
    command = (
        PROGRAMS / "pgbench",
        "-n",
        "-c",
        32,
        "-j",
        2,
        "-T",
        max(1, round(seconds)),
        "-M",
        mode,
        "-f",
        script,
        url,
    )
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    found = re.search(r"tps = ([\d.]+)", told.decode())
    if found is None:  # on a busy machine 32 connections may take longer than that
        return await pgbench(url, script, mode, 4 * seconds + 1)
    return float(found.group(1))


async def in_calls(pool: Pool, tenant_id: UUID, seconds: float) -> float:
    """Events a second in calls of 1,000."""
    done, began = 0, time.perf_counter()
    async with pool.acquire() as connection:
        while time.perf_counter() - began < seconds:
            await append_for_many(connection, [single(tenant_id) for _ in range(1_000)], waits=True)
            done += 1_000
    return done / (time.perf_counter() - began)


async def plain(connection: "asyncpg.Connection[asyncpg.Record]", tenant_id: UUID, seconds: float) -> float:
    """The same bytes into the same table with the same indexes."""
    done, began = 0, time.perf_counter()
    last: int = await connection.fetchval("SELECT coalesce(max(position), 0) FROM bench.plain")
    while time.perf_counter() - began < seconds:
        ids = [uuid_utils.uuid7() for _ in range(1_000)]
        await connection.execute(
            PLAIN,
            tenant_id,
            last + done,
            [f"touchpoint-{one}" for one in ids],
            ids,
            ["touchpoint.recorded"] * 1_000,
            [1] * 1_000,
            [datetime.now(UTC)] * 1_000,
            [BODY] * 1_000,
            [META] * 1_000,
            [one.bytes for one in ids],
        )
        done += 1_000
    return done / (time.perf_counter() - began)
