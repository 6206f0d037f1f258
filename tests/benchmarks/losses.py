"""Events lost between eight writers that are killed and a reader that never looks back. The aim is none."""

import asyncio
import random
import subprocess
import tempfile
from pathlib import Path
from uuid import UUID

from infra.context import Context
from infra.database import in_tenant
from tests.benchmarks.place import Place, new_tenant
from tests.benchmarks.table import Figure, at_most
from tests.conftest import Database

WRITERS = 8
KILL_EVERY = 1.5


async def measure(place: Place) -> list[Figure]:
    async with place.database() as database, place.opened(database) as context:
        tenant = (await new_tenant(context.pool)).tenant_id
        with tempfile.TemporaryDirectory() as folder:
            done = asyncio.Event()
            reading = asyncio.create_task(read(context, tenant, done))
            kills = await written(place, database, context, tenant, Path(folder))
            done.set()
            seen = await reading
            said = acknowledged(Path(folder))
        async with in_tenant(context.pool, tenant, seconds=60) as connection:
            stored = {row["event_id"] for row in await connection.fetch("SELECT event_id FROM event")}
            last = await connection.fetchval("SELECT position FROM tenant_head")
    assert len(stored) == last, "a gap"
    lost = len(said - stored) + len(stored - seen)
    what = f"lost of {len(stored):,} events, {WRITERS} writers, {kills} kill -9"
    return [Figure(what, "", "events", lost, None, at_most(0))]


async def read(context: Context, tenant: UUID, done: asyncio.Event) -> set[UUID]:
    """As a projection reads: what is past the last position seen, never what is before."""
    seen: set[UUID] = set()
    position = 0
    while True:
        ended = done.is_set()
        async with in_tenant(context.pool, tenant) as connection:
            rows = await connection.fetch(
                "SELECT position, event_id FROM event WHERE position > $1 ORDER BY position LIMIT 5000", position
            )
        if not rows and ended:
            return seen
        seen.update(row["event_id"] for row in rows)
        position = rows[-1]["position"] if rows else position
        await asyncio.sleep(0.001)


async def written(place: Place, database: Database, context: Context, tenant: UUID, folder: Path) -> int:
    """Let them write until there are enough events; how often one was killed."""

    def start(name: str) -> subprocess.Popen[bytes]:
        return place.start(
            database, "-m", "tests.benchmarks.mixed_writer", database.app_url, str(tenant), str(folder / name)
        )

    writers = [start(str(number)) for number in range(WRITERS)]
    kills = 0
    try:
        while await position(context, tenant) < place.size.lost_events:
            await asyncio.sleep(KILL_EVERY)
            number, kills = random.randrange(WRITERS), kills + 1
            killed(writers[number])
            writers[number] = start(f"{number}-{kills}")
    finally:
        for writer in writers:
            killed(writer)
    return kills


def killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def position(context: Context, tenant: UUID) -> int:
    async with in_tenant(context.pool, tenant) as connection:
        found: int = await connection.fetchval("SELECT position FROM tenant_head")
        return found


def acknowledged(folder: Path) -> set[UUID]:
    notes = [file.read_bytes() for file in folder.iterdir()]
    return {UUID(bytes=note[at : at + 16]) for note in notes for at in range(0, len(note) - 15, 16)}
