"""Files as they come in and are kept: first a temporary file that has no name, then sealed pieces in the database."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import IO
from unicodedata import category
from uuid import UUID

from msgspec import Struct

from domain.bodies import TooLarge
from domain.errors import Invalid
from infra import sealing
from infra.database import Connection, queries
from infra.tenants import Tenant

PIECE = 1_000_000
LONGEST_NAME = 120


class Spooled(Struct, frozen=True):
    """A whole file on this machine's disk, without a name there: gone with the process."""

    file: IO[bytes]
    size: int
    sha256: bytes


@asynccontextmanager
async def spooled(pieces: AsyncIterable[bytes], *, most: int) -> AsyncIterator[Spooled]:
    """Take a file in, piece by piece, up to `most` bytes. Raises TooLarge, and Invalid for an empty one."""
    with tempfile.TemporaryFile(prefix="rapport-import-") as file:
        size, digest = 0, hashlib.sha256()
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise too_large(most)
            digest.update(piece)
            await asyncio.to_thread(file.write, piece)
        if not size:
            raise Invalid("this file is empty", field="file")
        file.seek(0)
        yield Spooled(file, size, digest.digest())


def too_large(most: int) -> TooLarge:
    return TooLarge(f"a file takes at most {most // 1_000_000:,} MB (RAPPORT_IMPORT_LIMIT_MB)", field="file")


async def pieces_of(file: IO[bytes]) -> AsyncIterator[bytes]:
    """A file of this machine, from its start."""
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece


def shown_name(given: str | None) -> str:
    """A file's name as it is shown: its last part, without what would do harm on a screen."""
    last = re.split(r"[/\\]", given or "")[-1]
    plain = "".join(character for character in last if not category(character).startswith("C")).strip()
    return plain[:LONGEST_NAME] or "file"


async def store(connection: Connection, tenant: Tenant, import_id: UUID, kept: Spooled) -> None:
    """The file as sealed pieces, in the running transaction."""
    kept.file.seek(0, os.SEEK_END)  # a reader shares its place in the file: what was buffered here says nothing
    kept.file.seek(0)
    number = 0
    while piece := await asyncio.to_thread(kept.file.read, PIECE):
        sealed = await asyncio.to_thread(seal, tenant, import_id, f"piece {number}", piece)
        await connection.execute(queries("imports").store_chunk, tenant.tenant_id, import_id, number, sealed)
        number += 1


async def fetch(connection: Connection, tenant: Tenant, import_id: UUID) -> IO[bytes]:
    """The file again, on this machine's disk, without a name there. The caller closes it."""
    file = tempfile.TemporaryFile(prefix="rapport-import-")  # noqa: SIM115 - it stays open
    number = 0
    while sealed := await connection.fetchval(queries("imports").chunk, tenant.tenant_id, import_id, number):
        await asyncio.to_thread(_write_unsealed, file, tenant, import_id, number, sealed)
        number += 1
    file.flush()
    return file


def _write_unsealed(file: IO[bytes], tenant: Tenant, import_id: UUID, number: int, sealed: bytes) -> None:
    file.write(unseal(tenant, import_id, f"piece {number}", sealed))


def seal(tenant: Tenant, import_id: UUID, place: str, plain: bytes) -> bytes:
    """What an import keeps for a while, under a key of the tenant's; it opens in its own place only."""
    return sealing.seal(plain, key=_key(tenant), tenant_id=tenant.tenant_id, stream=place, event_id=import_id)


def unseal(tenant: Tenant, import_id: UUID, place: str, sealed: bytes) -> bytes:
    return sealing.unseal(sealed, key=_key(tenant), tenant_id=tenant.tenant_id, stream=place, event_id=import_id)


def _key(tenant: Tenant) -> bytes:
    return _derived(tenant.keys.key)


@lru_cache(maxsize=1_000)
def _derived(key: bytes) -> bytes:
    return sealing.derive(key, b"imports")
