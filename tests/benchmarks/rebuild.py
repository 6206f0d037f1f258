"""A tenant's read models made anew beside the live ones, all of them."""

import time

from infra import projector
from tests.benchmarks.catching_up import read_and_decoded
from tests.benchmarks.place import Place, advanced, append_touches, new_tenant, record, superuser, touch
from tests.benchmarks.table import Figure, at_most, in_turns

PEOPLE = 500
ROUNDS = 2  # a rebuild is long by itself


async def measure(place: Place) -> list[Figure]:
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        tenant = await new_tenant(context.pool)
        people = await record(context, tenant, [touch(n, n) for n in range(PEOPLE)])
        await append_touches(context, tenant, people, place.size.rebuilt)
        await advanced(context)
        await admin.execute("VACUUM ANALYZE")
        events = await admin.fetchval("SELECT position FROM tenant_head")

        async def rebuilt() -> float:
            began = time.perf_counter()
            for name in projector.PROJECTIONS:
                await projector.start_rebuild(context, tenant.tenant_id, name)
            await advanced(context)
            seconds = time.perf_counter() - began
            assert await admin.fetchval("SELECT bool_and(live) FROM checkpoint")
            return seconds

        async def read() -> float:
            return events / await read_and_decoded(context, tenant, events)

        told = await in_turns(min(ROUNDS, place.size.rounds), ours=rebuilt, read=read)
    what = f"rebuild of all read models of a tenant of {events:,} events"
    return [Figure(what, "reading and decoding them once", "s", *told.values(), at_most(4))]
