"""Touchpoints in thousands through the road that everything takes, beside COPY of the bytes that come of it."""

import io
import time

from infra.context import Context
from infra.database import in_tenant
from tests.benchmarks.place import Place, new_tenant, record, superuser, touch
from tests.benchmarks.table import Figure, at_least, in_turns

PEOPLE = 200


async def measure(place: Place) -> list[Figure]:
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        await admin.execute("CREATE SCHEMA bench; CREATE TABLE bench.copied (LIKE rapport.event INCLUDING ALL)")

        async def ours() -> float:
            tenant = await new_tenant(context.pool)
            await record(context, tenant, [touch(n, n % PEOPLE) for n in range(1_000)])
            items = [touch(n, n % PEOPLE) for n in range(place.size.imported)]
            before = await stored(context, tenant.tenant_id)
            began = time.perf_counter()
            await record(context, tenant, items)
            seconds = time.perf_counter() - began
            return (await stored(context, tenant.tenant_id) - before) / seconds

        async def copied() -> float:
            rows = io.BytesIO()
            await admin.copy_from_query("SELECT * FROM rapport.event", output=rows, format="binary")
            await admin.execute("TRUNCATE bench.copied")
            rows.seek(0)
            began = time.perf_counter()
            told = await admin.copy_to_table("copied", schema_name="bench", source=rows, format="binary")
            return int(told.split()[1]) / (time.perf_counter() - began)

        told = await in_turns(place.size.rounds, ours=ours, copied=copied)
    what = f"import of {place.size.imported:,} touchpoints through the road, sealed notes"
    return [Figure(what, "COPY of the same rows, same indexes", "events/s", *told.values(), at_least(0.5))]


async def stored(context: Context, tenant_id: object) -> int:
    async with in_tenant(context.pool, tenant_id) as connection:  # type: ignore[arg-type]
        position: int = await connection.fetchval("SELECT position FROM tenant_head")
        return position
