"""Between tenants: what the application's role cannot see, change or reach, whatever it tries."""

import asyncio
import random
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from infra.context import Context
from infra.database import Connection, WallBreach, enter, in_tenant, open_pool
from infra.event_log import append_for_many, append_now
from infra.settings import as_writer
from tests.conftest import Database
from tests.infra.quiet import Shop, append, judged, one_event, touch, work


def breaches() -> float:
    return REGISTRY.get_sample_value("rapport_wall_breaches_total") or 0.0


async def tables_with_rows(admin: Connection) -> list[str]:
    names = [r[0] for r in await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'rapport' ORDER BY 1")]
    return [name for name in names if await admin.fetchval(f"SELECT EXISTS (SELECT FROM {name})")]  # noqa: S608


@pytest.fixture
async def told(context: Context, shop: Shop, rival: Shop, admin: Connection) -> list[str]:
    """Both tenants have something in almost every table; the tables that have."""
    for who in (shop, rival):
        talk = [touch("ben", day=day, direction=("in", "out")[day % 2]) for day in range(0, 60, 3)]
        [ben] = set(await who.know(*talk))
        await who.change(ben, locality="Salem", interests=[{"topic": "jazz"}], within_reach="yes")
    await work(context)
    tables = await tables_with_rows(admin)
    assert set(tables) >= {"event", "identity", "subject_key", "contact", "timeline", "relationship", "channel", "due"}
    return tables


async def test_a_tenant_sees_its_own_rows_only_in_every_table(told: list[str], shop: Shop, rival: Shop):
    for table in [*told, "readable_event"]:
        seen = {row["tenant_id"] for row in await shop.rows(f"SELECT tenant_id FROM {table}")}  # noqa: S608
        assert seen == {shop.id}, table
        assert await rival.value(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", shop.id) == 0, table  # noqa: S608


async def test_without_a_tenant_there_are_no_rows(told: list[str], context: Context):
    """On a connection never used for a tenant, and on one that was: there the setting is an empty text."""
    for _ in range(2):
        async with context.pool.acquire() as connection:
            for table in [*told, "readable_event"]:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.tenant_id', $1, true)", str(uuid4()))
            assert await connection.fetchval("SELECT current_setting('app.tenant_id', true)") == ""
            assert await connection.fetchval("SELECT count(*) FROM event") == 0


async def test_a_tenant_that_is_no_id_is_an_error(context: Context, shop: Shop):
    await judged(context, one_event(shop.id))
    async with context.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant_id', 'nonsense', true)")
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await connection.fetch("SELECT * FROM event")


@pytest.mark.parametrize("statement", ["UPDATE event SET body = ''", "DELETE FROM event", "TRUNCATE event"])
async def test_nobody_changes_the_log(told: list[str], shop: Shop, statement: str):
    before = await shop.positions()
    async with in_tenant(shop.context.pool, shop.id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(statement)
    assert await shop.positions() == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO event SELECT * FROM event LIMIT 1",
        "INSERT INTO identity VALUES ($1, 'email', 'x', gen_random_uuid())",
        "INSERT INTO subject_key VALUES ($1, gen_random_uuid(), 'x', NULL)",
        "UPDATE tenant_head SET position = 0 WHERE tenant_id = $1",
        "SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE",
        "DELETE FROM tenant_head WHERE tenant_id = $1",
        "UPDATE identity SET contact_id = gen_random_uuid() WHERE tenant_id = $1",
        "UPDATE subject_key SET wrapped_key = 'x' WHERE tenant_id = $1",
        "UPDATE api_key SET secret_hash = 'x' WHERE tenant_id = $1",
        "UPDATE tenant SET wrapped_key = 'x' WHERE tenant_id = $1",
        "SET ROLE rapport_owner",
        "SET ROLE rapport_log",
        "SET ROLE rapport_writer",
        "ALTER TABLE event DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE rapport.mine ()",
        "CREATE FUNCTION rapport.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
async def test_the_application_has_no_way_around_the_function(context: Context, shop: Shop, statement: str):
    async with in_tenant(context.pool, shop.id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(statement, *([shop.id] if "$1" in statement else []))


async def test_no_row_is_written_for_another_tenant(told: list[str], context: Context, shop: Shop, rival: Shop):
    async with in_tenant(context.pool, shop.id) as connection:
        for table in told:
            if not await connection.fetchval(f"SELECT has_table_privilege('{table}', 'INSERT')"):
                continue
            row = f"jsonb_populate_record(t, jsonb_build_object('tenant_id', '{rival.id}'))"
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with connection.transaction():
                    await connection.execute(f"INSERT INTO {table} SELECT ({row}).* FROM {table} t LIMIT 1")  # noqa: S608


async def test_no_row_is_handed_to_another_tenant(told: list[str], context: Context, shop: Shop, rival: Shop):
    async with in_tenant(context.pool, shop.id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with connection.transaction():
                await connection.execute("UPDATE contact SET tenant_id = $1", rival.id)
        assert await connection.execute("DELETE FROM contact WHERE tenant_id = $1", rival.id) == "DELETE 0"
        assert await connection.execute("UPDATE contact SET name = 'x' WHERE tenant_id = $1", rival.id) == "UPDATE 0"


async def logs(*shops: Shop) -> list[list[int]]:
    return [await one.positions() for one in shops]


@pytest.mark.parametrize("order", [["rival"], ["shop", "rival"], ["rival", "shop"], ["shop", "nobody", "shop"]])
async def test_the_application_appends_to_no_log_but_its_transactions_own(
    context: Context, shop: Shop, rival: Shop, order: list[str]
):
    """One foreign append, and nothing of the call is written: not even what was the transaction's own."""
    whose = {"shop": shop.id, "rival": rival.id, "nobody": uuid4()}
    before = await logs(shop, rival)
    async with in_tenant(context.pool, shop.id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="belongs to the tenant of its transaction"):
            async with connection.transaction():
                await append_now(connection, [one_event(whose[name]) for name in order], waits=True)
        [verdict] = await append_now(connection, [one_event(shop.id)], waits=False)
    assert verdict.judgement == "recorded"
    assert await logs(shop, rival) == [[*before[0], len(before[0]) + 1], before[1]]


@pytest.mark.parametrize("tenants", ["{NULL}", "{%s,NULL}", "{{%s},{%s}}", "[5:6]={%s,%s}"])
async def test_no_shape_of_the_array_of_tenants_brings_a_foreign_one_in(
    context: Context, shop: Shop, rival: Shop, tenants: str
):
    said = tenants.replace("%s", str(shop.id), 1).replace("%s", str(rival.id))
    empty = ", ".join(f"'{{}}'::{kind}[]" for kind in NOTHING_APPENDED.split())
    async with in_tenant(context.pool, shop.id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="belongs to the tenant of its transaction"):
            async with connection.transaction():
                await connection.execute(f"SELECT append_own(false, '{said}', {empty})")


NOTHING_APPENDED = (
    "text bigint int text uuid text smallint timestamptz bytea bytea bytea bytea"
    " int text bytea uuid int uuid bytea int uuid"
)


async def test_the_application_appends_nothing_where_no_tenant_was_entered(context: Context, shop: Shop, rival: Shop):
    """On a connection never used for a tenant, and on one that was."""
    before = await logs(shop, rival)
    async with context.pool.acquire() as connection:
        for _ in range(2):
            for appends in ([one_event(shop.id)], [one_event(shop.id), one_event(rival.id)], []):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="belongs to the tenant"):
                    await append_now(connection, appends, waits=False)
            async with connection.transaction():
                await enter(connection, shop.id, seconds=5)
    assert await logs(shop, rival) == before


@pytest.mark.parametrize("within", ["own", "nobody's"])
async def test_the_form_for_many_tenants_is_not_the_applications(
    context: Context, shop: Shop, rival: Shop, within: str
):
    before = await logs(shop, rival)
    async with context.pool.acquire() as connection:
        for who in (shop, rival):
            async with connection.transaction():
                if within == "own":
                    await enter(connection, who.id, seconds=5)
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function append"):
                    async with connection.transaction():
                        await append_for_many(connection, [one_event(who.id)], waits=False)
    assert await logs(shop, rival) == before


async def test_the_application_cannot_become_the_writer_nor_the_writer_the_application(quiet_database: Database):
    """Logged in as in earnest, with nothing of a superuser behind it."""
    for url, others in (
        (quiet_database.app_url, ("rapport_writer", "rapport_log", "rapport_owner")),
        (as_writer(quiet_database.app_url), ("rapport_app", "rapport_log", "rapport_owner")),
    ):
        connection = await asyncpg.connect(url)
        for statement in ("SET ROLE", "SET SESSION AUTHORIZATION", "SET LOCAL ROLE"):
            for other in others:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.execute(f"{statement} {other}")
        await connection.execute("RESET ROLE")
        assert await connection.fetchval("SELECT current_user") == urlsplit(url).username
        await connection.close()


WRITERS_TRIES = (
    "CREATE TABLE rapport.mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE SCHEMA mine",
    "SELECT * FROM public.schema_migrations",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE ROLE mine",
    "ALTER ROLE rapport_writer SUPERUSER",
    "ALTER ROLE rapport_app PASSWORD 'x'",
)


async def test_the_writer_appends_for_many_tenants_and_can_do_nothing_else(
    told: list[str], context: Context, shop: Shop, rival: Shop, admin: Connection, quiet_database: Database
):
    """With a tenant set or without one: every table and every function of ours is tried."""
    [own, other] = await append(context, one_event(shop.id), one_event(rival.id))
    assert (own.judgement, other.judgement) == ("recorded", "recorded")
    tries = [*await calls_but_of_append(admin), *await looks_and_changes(admin), *WRITERS_TRIES]
    assert len(tries) > 200
    url = as_writer(quiet_database.app_url)
    writing = await asyncpg.connect(url, server_settings={"search_path": "rapport, pg_temp"})
    for within in ("", str(shop.id)):
        for statement in tries:
            async with writing.transaction():
                await writing.execute("SELECT set_config('app.tenant_id', $1, true)", within)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with writing.transaction():
                        await writing.execute(statement)
    await writing.close()


async def calls_but_of_append(admin: Connection) -> list[str]:
    functions = await admin.fetch(
        """SELECT proname AS name, CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END AS verb,
                  ARRAY(SELECT 'NULL::' || format_type(t, NULL) FROM unnest(proargtypes) t) AS arguments
             FROM pg_proc WHERE pronamespace = 'rapport'::regnamespace AND proname <> 'append'"""
    )
    assert {one["name"] for one in functions} >= {"append_own", "claim_work", "tenant_ids", "hold_head", "raise_wall"}
    return [f"{one['verb']} {one['name']}({', '.join(one['arguments'])})" for one in functions]


async def looks_and_changes(admin: Connection) -> list[str]:
    ways = ("SELECT * FROM {}", "SELECT FROM {}", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES", "LOCK {}")
    relations = await admin.fetch(
        """SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = 'rapport'::regnamespace AND relkind IN ('r', 'v')"""
    )
    return [way.format(relation) for [relation] in relations for way in ways]


async def test_the_doors_say_nothing_of_another_tenants_business(told: list[str], context: Context, shop: Shop):
    """Those that see all tenants give ids and numbers."""
    kinds = {"uuid", "int4", "int8", "bool"}
    async with context.pool.acquire() as connection:
        for door in ("tenant_ids()", "work_lags()"):
            found = await connection.prepare(f"SELECT * FROM {door}")  # noqa: S608
            texts = {one.name for one in found.get_attributes() if one.type.name not in kinds}
            assert texts <= {"process"}, door
        assert await connection.fetchval("SELECT hold_head()") is None


async def test_a_key_of_another_tenant_opens_nothing(context: Context, shop: Shop, rival: Shop, admin: Connection):
    row = await admin.fetchrow("SELECT key_id, secret_hash FROM api_key WHERE tenant_id = $1", rival.id)
    assert row is not None
    async with in_tenant(context.pool, shop.id) as connection:
        ask = "SELECT tenant_of_key($1, $2)"
        assert await connection.fetchval(ask, row["key_id"], row["secret_hash"]) == rival.id
        assert await connection.fetchval(ask, row["key_id"], b"other") is None
        assert await connection.fetchval("SELECT count(*) FROM api_key WHERE key_id = $1", row["key_id"]) == 0


async def test_a_connection_that_comes_with_a_tenant_set_is_refused_and_counted(quiet_database: Database, shop: Shop):
    before = breaches()
    async with await open_pool(quiet_database.app_url, most=1) as pool:
        connection = await pool.acquire()
        await connection.execute("SELECT set_config('app.tenant_id', $1, false)", str(shop.id))
        with pytest.raises(WallBreach):
            await enter(connection, uuid4(), seconds=5)
        assert breaches() == before + 1
        await pool.release(connection)
        async with in_tenant(pool, shop.id) as again:
            assert await again.fetchval("SELECT count(*) FROM tenant") == 1
    assert breaches() == before + 1


async def test_a_connection_that_kept_a_tenant_is_never_handed_out_again(quiet_database: Database, shop: Shop):
    async with await open_pool(quiet_database.app_url, most=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("SELECT set_config('app.tenant_id', $1, false)", str(shop.id))
        with pytest.raises(WallBreach):
            async with in_tenant(pool, uuid4()):
                pass
        async with in_tenant(pool, shop.id) as fresh:
            assert await fresh.fetchval("SELECT count(*) FROM tenant") == 1


async def test_a_superuser_that_logs_in_is_the_applications_role_all_the_same(
    quiet_database: Database, shop: Shop, rival: Shop
):
    async with await open_pool(quiet_database.admin_url, most=1) as pool:
        for _ in range(2):
            async with in_tenant(pool, shop.id) as connection:
                assert await connection.fetchval("SELECT current_user") == "rapport_app"
                assert await connection.fetchval("SELECT count(*) FROM tenant") == 1


async def test_one_connection_in_turn_for_two_tenants_with_requests_given_up_mid_query(
    quiet_database: Database, shop: Shop, rival: Shop
):
    for who in (shop, rival):
        await judged(shop.context, *(one_event(who.id, stream=f"of-{who.id}") for _ in range(20)))
    before = breaches()
    chance = random.Random(1)
    given_up = 0
    async with await open_pool(quiet_database.app_url, most=1) as pool:

        async def request(who: Shop) -> None:
            async with in_tenant(pool, who.id) as connection:
                rows = await connection.fetch(
                    "SELECT tenant_id, stream FROM event, pg_sleep($1)", chance.random() / 300
                )
                assert {(row["tenant_id"], row["stream"]) for row in rows} == {(who.id, f"of-{who.id}")}

        for number in range(1_500):
            call = asyncio.create_task(request((shop, rival)[number % 2]))
            await asyncio.sleep(chance.random() / 300)
            call.cancel()
            try:
                await call
            except asyncio.CancelledError:
                given_up += 1
            if number % 50 == 0:
                async with pool.acquire() as connection:
                    assert await connection.fetchval("SELECT current_setting('app.tenant_id', true)") in (None, "")
    assert 200 < given_up < 1_500
    assert breaches() == before


async def test_requests_of_two_tenants_over_few_connections_never_mix(
    quiet_database: Database, shop: Shop, rival: Shop
):
    for who in (shop, rival):
        await judged(shop.context, *(one_event(who.id) for _ in range(5)))
    async with await open_pool(quiet_database.app_url, most=3) as pool:

        async def request(who: Shop) -> set[object]:
            async with in_tenant(pool, who.id) as connection:
                return {row["tenant_id"] for row in await connection.fetch("SELECT tenant_id FROM event")}

        order = [(shop, rival)[n % 2] for n in range(400)]
        random.Random(2).shuffle(order)
        assert await asyncio.gather(*(request(who) for who in order)) == [{who.id} for who in order]
