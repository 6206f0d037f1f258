"""The timeline: one row for each contact of a touchpoint, with the positions at which it came and was struck."""

from uuid import UUID

import asyncpg
import msgspec

from domain.relationships import Experience, day_of
from domain.touches import Touch
from domain.touchpoints import TouchpointRecorded, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored

_JSON = msgspec.json.Encoder()


async def apply(connection: Connection, batch: Batch) -> None:
    sql = queries("timeline")
    rows = [row for stored in batch.events for row in _rows(stored)]
    if rows:
        await connection.execute(sql.insert, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))
    struck = [
        (who, stored.event.touchpoint_id, stored.position)
        for stored in batch.events
        if isinstance(stored.event, TouchpointStruck)
        for who in stored.event.struck.contact_ids
    ]
    if struck:
        await connection.execute(sql.strike, batch.tenant_id, batch.build, *map(list, zip(*struck, strict=True)))


def _rows(stored: Stored) -> list[tuple[object, ...]]:
    fact = stored.event
    if not isinstance(fact, TouchpointRecorded):
        return []
    said = (
        fact.touchpoint_id, stored.position, stored.occurred_at, fact.kind, fact.channel, fact.direction, fact.act,
        fact.about, fact.minutes, fact.depth, fact.audience, len(fact.contact_ids), fact.automated,
        _JSON.encode(fact.topics).decode(),
    )  # fmt: skip
    return [(who, *said) for who in fact.contact_ids]


async def experiences(
    connection: Connection, tenant_id: UUID, contact_ids: list[UUID], *, through: int
) -> dict[UUID, list[Experience]]:
    """The unstruck touches of these contacts as known at a position, from the live build."""
    found: dict[UUID, list[Experience]] = {who: [] for who in contact_ids}
    for row in await connection.fetch(queries("timeline").touches, tenant_id, contact_ids, through):
        found[row["contact_id"]].append(Experience(touch_of(row), row["occurred_at"]))
    return found


def touch_of(row: asyncpg.Record) -> Touch:
    """A timeline row as the strength model takes it; people named count as its audience where more are not given."""
    return Touch(
        touchpoint_id=row["touchpoint_id"],
        day=day_of(row["occurred_at"]),
        kind=row["kind"],
        direction=row["direction"],
        context=row["channel"],
        act=row["act"],
        depth=row["depth"],
        minutes=row["minutes"],
        audience=max(row["audience"] or 1, row["people"]),
        automated=row["automated"],
    )


PROJECTION = Projection(
    name="timeline",
    types=frozenset({TouchpointRecorded.TYPE, TouchpointStruck.TYPE}),
    tables=("timeline",),
    apply=apply,
)
