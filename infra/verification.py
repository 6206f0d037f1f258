"""Verification: the hash chain of a tenant's log, recomputed here, tells whether and where anything was changed.

Each event's digest is the SHA-256 of its fields, each framed by its length as four bytes; the chain's value at an event
is the SHA-256 of the value before it and the digest. Nothing of it comes from the database's own function.
"""

import hashlib
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from infra.context import Context
from infra.database import in_tenant, queries

BATCH = 5_000
POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Verified(Struct, frozen=True):
    """`broken_at` is the first position that is not as it was written, and `what` is wrong there; None: all is well."""

    tenant_id: UUID
    events: int
    broken_at: int | None = None
    what: str | None = None


async def verify(context: Context, tenant_id: UUID, *, progress: Callable[[int], None] | None = None) -> Verified:
    """Recompute one tenant's chain up to the head it had at the start. `progress` is told how many events are done."""
    async with in_tenant(context.pool, tenant_id) as connection:
        head = await connection.fetchrow(queries("event_log").head, tenant_id)
    if head is None:
        return Verified(tenant_id, 0, 0, "there is no such tenant")
    position, chained = 0, b""
    while position < head["position"]:
        async with in_tenant(context.pool, tenant_id, seconds=60) as connection:
            rows = await connection.fetch(queries("event_log").chain, tenant_id, position, BATCH)
        for row in rows:
            if row["position"] > head["position"]:
                break
            if row["position"] != position + 1:
                return Verified(tenant_id, position, position + 1, "the event is missing")
            position += 1
            chained = hashlib.sha256(chained + digest(tenant_id, row)).digest()
            if chained != row["hash"]:
                return Verified(tenant_id, position - 1, position, "the event is not as it was written")
        if not rows:
            return Verified(tenant_id, position, position + 1, "the event is missing")
        if progress is not None:
            progress(position)
    if chained != head["hash"]:
        return Verified(tenant_id, position, position, "the chain does not end in the hash of the head")
    return Verified(tenant_id, position)


def digest(tenant_id: UUID, row: asyncpg.Record) -> bytes:
    """The digest of one event's fields."""
    sealed = row["sealed"]
    fields = (
        tenant_id.bytes,
        struct.pack(">q", row["position"]),
        row["event_id"].bytes,
        row["stream"].encode(),
        row["type"].encode(),
        struct.pack(">h", row["version"]),
        _microseconds(row["occurred_at"]),
        _microseconds(row["recorded_at"]),
        row["meta"],
        row["fingerprint"] or b"",
        hashlib.sha256(row["body"]).digest(),
        b"" if sealed is None else hashlib.sha256(sealed).digest(),
    )
    return hashlib.sha256(b"".join(struct.pack(">i", len(field)) + field for field in fields)).digest()


def _microseconds(at: datetime) -> bytes:
    """Since 2000-01-01 UTC, as PostgreSQL keeps them: eight bytes."""
    return struct.pack(">q", (at - POSTGRES_EPOCH) // timedelta(microseconds=1))
