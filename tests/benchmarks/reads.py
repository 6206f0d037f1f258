"""Pages a person waits for: with many contacts beside few, and of one tenant among thousands beside one alone."""

import statistics
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from infra import projector
from infra.context import Context
from infra.database import in_tenant, queries
from infra.tenants import Tenant
from infra.views import contacts, network
from infra.views.contacts import Filter, Sort
from tests.benchmarks.place import Place, advanced, new_tenant, record, superuser, touch
from tests.benchmarks.table import Figure, at_most, in_turns
from tests.conftest import Database

Read = Callable[[Context, Tenant, UUID], Awaitable[object]]


def listed(sort: Sort, which: Filter | None = None) -> Read:
    return lambda context, tenant, _: contacts.page(context, tenant, which or Filter(), sort=sort)


READS: dict[str, Read] = {
    "contact list by strength": listed("strength"),
    "contact list by name": listed("name"),
    "contact list by last touch": listed("last_touch"),
    "contact list, one name sought": listed("strength", Filter(q="person17@")),
    "contact list, quiet for 30 days": listed("last_touch", Filter(quiet_days=30)),
    "contact page": lambda context, tenant, who: contacts.one(context, tenant, who),
    "contact's timeline": lambda context, tenant, who: contacts.timeline(context, tenant, who),
    "dashboard (the network)": lambda context, tenant, _: network.whole(context, tenant),
}
COLUMNS = """
SELECT c.relname AS table, array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'tenant_id'
 WHERE c.relnamespace = 'rapport'::regnamespace AND c.relkind = 'r'
   AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
 GROUP BY c.oid, c.relname ORDER BY c.relname <> 'tenant', c.relname <> 'checkpoint', c.relname
"""


async def measure(place: Place) -> list[Figure]:
    return [*await many_contacts(place), *await among_tenants(place)]


async def many_contacts(place: Place) -> list[Figure]:
    size = place.size
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        many, who_of_many = await with_contacts(context, size.contacts)
        few, who_of_few = await with_contacts(context, size.few_contacts)
        await admin.execute("VACUUM ANALYZE")
        return [
            Figure(
                f"{name}, {size.contacts:,} contacts",
                f"the same with {size.few_contacts:,}",
                "ms",
                *(
                    await in_turns(
                        size.rounds,
                        many=lambda read=read: timed(read, context, many, who_of_many, size.samples),
                        few=lambda read=read: timed(read, context, few, who_of_few, size.samples),
                    )
                ).values(),
                at_most(2),
            )
            for name, read in READS.items()
        ]


async def among_tenants(place: Place) -> list[Figure]:
    size = place.size
    async with (
        place.database() as lonely,
        place.database() as crowded,
        place.opened(lonely) as apart,
        place.opened(crowded) as among,
        superuser(crowded) as admin,
    ):
        alone, who_alone = await with_contacts(apart, 20)
        one, who = await with_contacts(among, 20)
        await crowd(admin, one, size.tenants)
        for database in (lonely, crowded):
            await analysed(database)
        figures = [
            Figure(
                f"{name}, one tenant among {size.tenants:,}",
                "alone in the database",
                "ms",
                *(
                    await in_turns(
                        size.rounds,
                        among=lambda read=read: timed(read, among, one, who, size.samples),
                        alone=lambda read=read: timed(read, apart, alone, who_alone, size.samples),
                    )
                ).values(),
                at_most(1.3),
            )
            for name, read in (*READS.items(), ("feed of events", feed))
        ]
        look = await in_turns(
            size.rounds,
            among=lambda: timed(look_for_work, among, one, who, size.samples),
            alone=lambda: timed(look_for_work, apart, alone, who_alone, size.samples),
        )
        beside = "alone in the database"
        return [
            *figures,
            Figure(f"worker's look for work, {size.tenants:,} idle tenants", beside, "ms", *look.values()),
        ]


async def with_contacts(context: Context, count: int) -> tuple[Tenant, UUID]:
    """A tenant that knows so many people, everything caught up; one of them had twenty touchpoints more."""
    tenant = await new_tenant(context.pool)
    people = await record(context, tenant, [touch(n, n) for n in range(count)])
    await record(context, tenant, [touch(count + n, 0) for n in range(20)])
    await advanced(context)
    return tenant, people[0]


async def crowd(admin: "asyncpg.Connection[asyncpg.Record]", like: Tenant, count: int) -> None:
    """So many tenants with the same rows in every table, but for the keys of the API, which are one tenant's alone."""
    ids = [uuid_utils.uuid7() for _ in range(count)]
    for row in await admin.fetch(COLUMNS):
        if row["table"] == "api_key":
            continue
        columns = ", ".join(row["columns"])
        await admin.execute(
            f"INSERT INTO {row['table']} (tenant_id, {columns}) SELECT x.id, {columns} FROM {row['table']},"  # noqa: S608
            " unnest($2::uuid[]) AS x (id) WHERE tenant_id = $1",
            like.tenant_id,
            ids,
        )


async def analysed(database: Database) -> None:
    async with superuser(database) as admin:
        await admin.execute("VACUUM ANALYZE")


async def feed(context: Context, tenant: Tenant, _: UUID) -> None:
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        assert await connection.fetch(queries("event_log").after, tenant.tenant_id, 0, 100)


async def look_for_work(context: Context, tenant: Tenant, _: UUID) -> None:
    assert not await projector.advance(context)


async def timed(read: Read, context: Context, tenant: Tenant, who: UUID, samples: int) -> float:
    """The median of so many reads, in milliseconds."""
    taken = []
    for _ in range(samples):
        began = time.perf_counter()
        await read(context, tenant, who)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1_000
