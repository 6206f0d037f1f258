"""How fast projections read, fold, write and note how far they are."""

import time
from collections import Counter
from uuid import UUID

import asyncpg

from domain import events
from domain.touchpoints import TouchpointRecorded
from infra import projector
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.projection import Batch, Projection
from infra.tenants import Tenant
from tests.benchmarks.place import Place, advanced, alone_behind, append_touches, new_tenant, record, superuser, touch
from tests.benchmarks.table import Figure, at_least, in_turns

CHUNK = 5_000
TABLES = """
CREATE TABLE tally (tenant_id uuid, build int, contact_id uuid, touchpoints bigint,
                    PRIMARY KEY (tenant_id, build, contact_id));
GRANT SELECT, INSERT, UPDATE ON tally TO rapport_app;
CREATE SCHEMA bench;
CREATE TABLE bench.tally (tenant_id uuid, contact_id uuid, touchpoints bigint, PRIMARY KEY (tenant_id, contact_id))
"""
ADD = """
INSERT INTO tally
SELECT $1, $2, x.contact_id, x.touchpoints FROM unnest($3::uuid[], $4::bigint[]) AS x (contact_id, touchpoints)
    ON CONFLICT (tenant_id, build, contact_id) DO UPDATE SET touchpoints = tally.touchpoints + excluded.touchpoints
"""
IN_SQL = """
INSERT INTO bench.tally
SELECT e.tenant_id, who::uuid, count(*)
  FROM event e, json_array_elements_text(convert_from(e.body, 'UTF8')::json -> 'contact_ids') AS who
 WHERE e.tenant_id = $1 AND e.position > $2 AND e.position <= $3 AND e.type = 'touchpoint.recorded' GROUP BY 1, 2
    ON CONFLICT (tenant_id, contact_id) DO UPDATE SET touchpoints = tally.touchpoints + excluded.touchpoints
"""
PEOPLE = 200


async def tally(connection: Connection, batch: Batch) -> None:
    """How many touchpoints each contact has."""
    counts = Counter(who for stored in batch.events for who in stored.event.subjects)
    await connection.execute(ADD, batch.tenant_id, batch.build, list(counts), list(counts.values()))


async def measure(place: Place) -> list[Figure]:
    size = place.size
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        tenant = await new_tenant(context.pool)
        people = await record(context, tenant, [touch(n, n) for n in range(PEOPLE)])
        await append_touches(context, tenant, people, size.caught_up)
        await advanced(context)
        events = await admin.fetchval("SELECT position FROM tenant_head")
        counter = await in_turns(
            size.rounds,
            ours=lambda: counted(context, admin, tenant, events),
            sql=lambda: in_sql(admin, tenant.tenant_id, events),
        )
        strength = await in_turns(
            size.rounds,
            ours=lambda: related(context, admin, tenant, events),
            read=lambda: read_and_decoded(context, tenant, events),
        )
    beside = f"one SQL statement per {CHUNK:,}, GROUP BY, upsert"
    return [
        Figure("catch-up of a plain counter projection", beside, "events/s", *counter.values(), at_least(0.75)),
        Figure(
            f"catch-up of relationships, {PEOPLE} contacts",
            "reading and decoding the same events",
            "events/s",
            *strength.values(),
            at_least(0.3),
        ),
    ]


async def counted(context: Context, admin: "asyncpg.Connection[asyncpg.Record]", tenant: Tenant, events: int) -> float:
    """Under the name of a projection that has a checkpoint, whose own work is put back afterwards."""
    if await admin.fetchval("SELECT to_regclass('tally') IS NULL"):
        await admin.execute(TABLES)
    await admin.execute("TRUNCATE tally")
    known = projector.PROJECTIONS["network"]
    counter = Projection("network", frozenset({TouchpointRecorded.TYPE}), ("tally",), tally)
    projector.PROJECTIONS["network"] = counter
    try:
        await alone_behind(admin, tenant, "network")
        began = time.perf_counter()
        await advanced(context)
        seconds = time.perf_counter() - began
    finally:
        projector.PROJECTIONS["network"] = known
    assert await admin.fetchval("SELECT sum(touchpoints) FROM tally") > 0
    return events / seconds


async def in_sql(admin: "asyncpg.Connection[asyncpg.Record]", tenant_id: UUID, events: int) -> float:
    await admin.execute("TRUNCATE bench.tally")
    began = time.perf_counter()
    for position in range(0, events, CHUNK):
        await admin.execute(IN_SQL, tenant_id, position, position + CHUNK)
    return events / (time.perf_counter() - began)


async def related(context: Context, admin: "asyncpg.Connection[asyncpg.Record]", tenant: Tenant, events: int) -> float:
    await admin.execute("TRUNCATE relationship")
    await alone_behind(admin, tenant, "relationships")
    began = time.perf_counter()
    await advanced(context)
    return events / (time.perf_counter() - began)


async def read_and_decoded(context: Context, tenant: Tenant, count: int) -> float:
    began = time.perf_counter()
    position = 0
    while position < count:
        async with in_tenant(context.pool, tenant.tenant_id) as connection:
            rows = await connection.fetch(queries("event_log").after, tenant.tenant_id, position, projector.BATCH)
        for row in rows:
            events.decode(row["type"], row["version"], row["body"])
        position = rows[-1]["position"]
    return count / (time.perf_counter() - began)
