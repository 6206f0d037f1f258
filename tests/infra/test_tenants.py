"""Tenants, and the keys that speak for them."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from domain.errors import Invalid
from infra import periodic, projector, tenants
from infra.context import Context
from infra.database import open_pool
from infra.sealing import WrongKey
from infra.tenants import KeyBook
from tests.conftest import Database
from tests.infra.quiet import Shop, new_shop
from tests.road import MASTER_KEY


async def test_a_new_tenant_can_work_at_once(context: Context, shop: Shop, rival: Shop):
    expected = {*projector.PROJECTIONS, "nudge_engine", "webhooks"}
    for who in (shop, rival):
        rows = await who.rows("SELECT process, build, position, live FROM checkpoint")
        assert {row["process"] for row in rows} == expected
        assert {(row["build"], row["position"], row["live"]) for row in rows} == {(1, 0, True)}
        assert {row["task"] for row in await who.rows("SELECT task FROM due")} == set(periodic.TASKS)
        assert await who.value("SELECT position FROM tenant_head") == 0
    assert {shop.id, rival.id} == set(await tenants.all_ids(context.pool))
    assert (shop.tenant.country, rival.tenant.country, rival.tenant.time_zone) == ("US", "DE", "Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"country": ""}, "country"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
    ],
)
async def test_a_tenant_that_cannot_be_is_refused_by_its_field(context: Context, given: dict[str, str], field: str):
    with pytest.raises(Invalid) as refusal:
        await tenants.add(context.pool, **{"name": "Bakery", "master": MASTER_KEY, **given})
    assert refusal.value.field == field
    assert await tenants.all_ids(context.pool) == []


async def test_a_key_speaks_for_its_tenant_alone(context: Context):
    one = await tenants.add(context.pool, name="Bakery", master=MASTER_KEY)
    other = await tenants.add(context.pool, name="Florist", master=MASTER_KEY)
    for added in (one, other):
        found = await context.keys.tenant_of(added.api_key)
        assert found is not None
        tenant, key_id = found
        assert tenant.tenant_id == added.tenant_id
        assert key_id in added.api_key


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key.replace("live", "test"),
        lambda key: key[:30] + ("a" if key[30] != "a" else "b") + key[31:],
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: "é" * len(key),
    ],
)
async def test_a_mistyped_key_is_refused_without_a_query(context: Context, shop: Shop, spoil):
    key = await tenants.add_key(context.pool, shop.id)
    assert tenants.shown(key) is not None
    assert tenants.shown(spoil(key)) is None
    await context.pool.close()
    assert await context.keys.tenant_of(spoil(key)) is None


async def test_an_unknown_key_and_one_with_another_secret_open_nothing(context: Context, shop: Shop):
    key = await tenants.add_key(context.pool, shop.id)
    unknown = tenants.new_api_key()
    assert await context.keys.tenant_of(unknown) is None
    body = unknown[:13] + key[13:25] + unknown[25:-6]
    assert await context.keys.tenant_of(body + tenants._checksum(body)) is None


async def test_keys_are_never_the_same_and_only_their_hash_is_kept(context: Context, shop: Shop, admin):
    key = await tenants.add_key(context.pool, shop.id)
    assert key not in {tenants.new_api_key() for _ in range(100)}
    secret = key[26:-6].encode()
    for row in await admin.fetch("SELECT * FROM api_key"):
        assert secret not in b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in row.values())


async def test_a_revoked_key_ends_within_a_second_and_the_other_one_stays(context: Context, shop: Shop, rival: Shop):
    old, new = [await tenants.add_key(context.pool, shop.id) for _ in range(2)]
    parts = tenants.shown(old)
    assert parts is not None
    assert await context.keys.tenant_of(old) is not None
    assert not await tenants.revoke_key(context.pool, rival.id, parts.key_id), "a stranger's"
    assert await tenants.revoke_key(context.pool, shop.id, parts.key_id)
    assert not await tenants.revoke_key(context.pool, shop.id, parts.key_id), "twice"
    await asyncio.sleep(1.05)
    assert await context.keys.tenant_of(old) is None
    assert await context.keys.tenant_of(new) is not None


async def test_a_key_is_looked_up_at_most_once_a_second(quiet_database: Database, context: Context, shop: Shop):
    key = await tenants.add_key(context.pool, shop.id)
    asked: list[str] = []
    async with await open_pool(quiet_database.app_url, most=1) as pool:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda record: asked.append(record.query))
        book = KeyBook(pool, master=MASTER_KEY)
        answers = await asyncio.gather(*(book.tenant_of(key) for _ in range(100)))
        assert {answer[0].tenant_id for answer in answers if answer} == {shop.id}
        assert len(answers) == 100
        assert sum("tenant_of_key" in query for query in asked) == 1
        await asyncio.sleep(1.05)
        await asyncio.gather(*(book.tenant_of(key) for _ in range(100)))
        assert sum("tenant_of_key" in query for query in asked) == 2


async def test_who_gives_up_does_not_spoil_the_look_up_for_the_others(context: Context, shop: Shop):
    key = await tenants.add_key(context.pool, shop.id)
    asking = [asyncio.create_task(context.keys.tenant_of(key)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert all([await one for one in asking[1:]])


async def test_a_look_up_that_failed_is_made_again(quiet_database: Database, context: Context, shop: Shop, admin):
    key = await tenants.add_key(context.pool, shop.id)
    await admin.execute("REVOKE EXECUTE ON FUNCTION tenant_of_key FROM rapport_app")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await context.keys.tenant_of(key)
    finally:
        await admin.execute("GRANT EXECUTE ON FUNCTION tenant_of_key TO rapport_app")
    assert await context.keys.tenant_of(key) is not None


async def test_there_is_nothing_to_load_of_an_unknown_tenant(context: Context, shop: Shop):
    assert await tenants.load(context.pool, uuid4(), master=MASTER_KEY) is None
    with pytest.raises(WrongKey):
        await tenants.load(context.pool, shop.id, master=b"x" * 32)


async def test_the_oldest_tenant_comes_first(context: Context):
    shops = [await new_shop(context, f"Shop {n}") for n in range(3)]
    assert await tenants.all_ids(context.pool) == [shop.id for shop in shops]
