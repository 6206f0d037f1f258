"""What a process of ours holds open: the database, the writer, the keys, the bell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from infra import tenants
from infra.bell import Bell
from infra.database import Pool, open_pool
from infra.event_log import CONNECTIONS, Writer
from infra.imports.open_files import OpenFiles
from infra.sealing import KeyRing
from infra.settings import as_writer
from infra.tenants import KeyBook
from infra.turns import Turns


class Context(Struct, frozen=True):
    """`stopping` is set when the process was told to end: what only waits, ends."""

    pool: Pool
    writer: Writer
    ring: KeyRing
    keys: KeyBook
    bell: Bell
    master: bytes
    turns: Turns
    stopping: asyncio.Event
    files: OpenFiles


@asynccontextmanager
async def open_context(
    *,
    database_url: str,
    redis_url: str,
    master: bytes,
    writer_url: str | None = None,
    connections: int = 10,
    least_writing: int = 1,
) -> AsyncIterator[Context]:
    """Everything open, and closed again at the end. A dead Valkey does not keep it from opening.

    Without a `writer_url` the writer has the password of the application's role. Of its own connections
    `least_writing` are open from the start. Raises WrongKey when the database was made under another master key.
    """
    pool = await open_pool(database_url, least=2, most=connections)
    try:
        await tenants.check_master(pool, master=master)
        async with (
            await open_pool(
                writer_url or as_writer(database_url), role="rapport_writer", least=least_writing, most=CONNECTIONS
            ) as writing,
            Writer(writing) as writer,
            Bell(redis_url) as bell,
        ):
            ring, keys, files = KeyRing(), KeyBook(pool, master=master), OpenFiles()
            try:
                yield Context(pool, writer, ring, keys, bell, master, Turns(), asyncio.Event(), files)
            finally:
                files.close_down()
    finally:
        await pool.close()
