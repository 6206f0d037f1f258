"""What is personal is sealed: unreadable in the log, and for good once a key is gone."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from domain.nudges import DismissNudge
from domain.touchpoints import RecordTouchpoint, Reference, stream_of
from infra import commands, projector, sealing
from infra.context import Context, open_context
from infra.database import Connection, in_tenant
from infra.sealing import KeyRing, WrongKey
from infra.stored_events import read_stream
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.quiet import NOON, ORIGIN, Shop, friendship, touch, work

SECRETS = ("Zebulon", "zebulon@example.com", "zeb_the_baker", "the tall one", "Quintessa", "Zanzibar", "xylophones",
           "told me in tears", "5551234567", "what a bore")  # fmt: skip


async def erase(admin: Connection, shop: Shop, who: UUID) -> None:
    await admin.execute(
        "UPDATE subject_key SET wrapped_key = NULL, erased_at = now() WHERE tenant_id = $1 AND subject_id = $2",
        shop.id, who,
    )  # fmt: skip


async def notes(database: Database, servers: Servers, shop: Shop, touchpoints: Sequence[UUID]) -> list[str | None]:
    """As a process reads them that has no key in its memory."""
    async with quiet.opened(database, servers) as fresh, in_tenant(fresh.pool, shop.id) as connection:
        streams = [await read_stream(fresh, shop.tenant, connection, stream_of(one)) for one in touchpoints]
    return [stream[0][0].personal.note for stream in streams]


async def test_nothing_personal_can_be_read_in_any_column_of_the_log(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    for who in (shop, rival):
        people = (
            Reference(email="zebulon@example.com", name="Zebulon"),
            Reference(platform="twitter", handle="zeb_the_baker"),
            Reference(phone="+1 555 123 4567"),
            Reference(name="Quintessa", hint="the tall one"),
        )
        met = RecordTouchpoint("meeting", NOON, "cafe", "mutual", people, note="told me in tears")
        [done] = await who.tell(met)
        await who.change(done.contact_ids[1], name="Zebulon", locality="Zanzibar", interests=[{"topic": "xylophones"}])
        await work(context)
    await shop.open_always()
    await shop.tell(*friendship("ana"))
    await work(context)
    [nudge] = await shop.rows("SELECT nudge_id FROM nudge")
    bored = DismissNudge(reason="what a bore")
    await commands.answer_nudge(context, shop.tenant, nudge["nudge_id"], bored, origin=ORIGIN)
    names = await admin.fetch("SELECT name FROM contact WHERE name = 'Zebulon'")
    assert len(names) == 4, "readable in the views: there the test looks at what it means to look at"
    for table in ("event", "identity", "subject_key", "tenant_head", "readable_event"):
        for row in await admin.fetch(f"SELECT * FROM {table}"):  # noqa: S608
            written = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in row.values()).lower()
            found = [one for one in SECRETS if one.lower().encode() in written]
            assert found == [], (table, row["tenant_id"])


async def test_a_note_is_gone_with_the_first_key_of_those_it_is_about(
    context: Context, shop: Shop, rival: Shop, admin: Connection, quiet_database: Database, servers: Servers
):
    both, ana_alone, ben_alone = await shop.tell(
        touch(["ana", "ben"], note="about both"), touch("ana", note="about ana"), touch("ben", note="about ben")
    )
    [foreign] = await rival.tell(touch(["ana", "ben"], note="elsewhere"))
    ours = [one.event_id for one in (both, ana_alone, ben_alone) if one.event_id]
    assert await notes(quiet_database, servers, shop, ours) == ["about both", "about ana", "about ben"]
    await erase(admin, shop, both.contact_ids[0])
    assert await notes(quiet_database, servers, shop, ours) == [None, None, "about ben"]
    assert foreign.event_id
    assert await notes(quiet_database, servers, rival, [foreign.event_id]) == ["elsewhere"]


async def test_one_key_of_two_does_not_open_a_note(context: Context, shop: Shop, admin: Connection):
    [both] = await shop.tell(touch(["ana", "ben"], note="about both"))
    row = await admin.fetchrow("SELECT * FROM event WHERE event_id = $1", both.event_id)
    wrapped = dict(await admin.fetch("SELECT subject_id, wrapped_key FROM subject_key"))
    keys = {who: sealing.unwrap(wrapped[who], under=shop.tenant.keys.key, owner=who) for who in both.contact_ids}
    assert row is not None
    where = {"tenant_id": shop.id, "stream": row["stream"], "event_id": row["event_id"]}
    whole = sealing.joint_key(shop.tenant.keys, keys)
    assert b"about both" in sealing.unseal(row["sealed"], key=whole, **where)
    for who, key in keys.items():
        for guess in (key, sealing.joint_key(shop.tenant.keys, {who: key}), shop.tenant.keys.key):
            with pytest.raises(WrongKey):
                sealing.unseal(row["sealed"], key=guess, **where)


def new_tenant_keys() -> sealing.TenantKeys:
    master, tenant_id = sealing.new_key(), uuid4()
    wrapped = sealing.wrap(sealing.new_key(), under=master, owner=tenant_id)
    return sealing.tenant_keys(tenant_id, wrapped, master=master)


def test_people_are_taken_in_the_order_of_their_ids():
    tenant, one, other = new_tenant_keys(), uuid4(), uuid4()
    keys = {one: sealing.new_key(), other: sealing.new_key()}
    assert sealing.joint_key(tenant, keys) == sealing.joint_key(tenant, dict(reversed(keys.items())))
    assert sealing.joint_key(tenant, keys) != sealing.joint_key(tenant, {one: keys[other], other: keys[one]})
    for who in keys:
        assert sealing.joint_key(tenant, keys) != sealing.joint_key(tenant, keys | {who: sealing.new_key()})


async def test_what_was_sealed_for_one_place_does_not_open_in_another():
    key, tenant, event = sealing.new_key(), uuid4(), uuid4()
    sealed = sealing.seal(b"secret", key=key, tenant_id=tenant, stream="contact-1", event_id=event)
    here = {"tenant_id": tenant, "stream": "contact-1", "event_id": event}
    assert sealing.unseal(sealed, key=key, **here) == b"secret"
    assert sealing.seal(b"secret", key=key, **here) != sealed, "never the same twice"
    for there in ({"tenant_id": uuid4()}, {"stream": "contact-2"}, {"event_id": uuid4()}):
        with pytest.raises(WrongKey):
            sealing.unseal(sealed, key=key, **(here | there))
    with pytest.raises(WrongKey):
        sealing.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), key=key, **here)


async def test_another_master_key_is_refused_at_the_start_and_says_why(
    shop: Shop, quiet_database: Database, servers: Servers
):
    with pytest.raises(WrongKey, match="RAPPORT_MASTER_KEY"):
        async with open_context(database_url=quiet_database.app_url, redis_url=servers.redis_url, master=b"x" * 32):
            pass


async def test_views_are_made_without_the_fields_whose_key_is_gone(
    context: Context, shop: Shop, rival: Shop, admin: Connection, quiet_database: Database, servers: Servers
):
    for who in (shop, rival):
        ana, ben = await who.know(touch(["ana", "ben"], note="about both"))
        await who.change(ana, locality="Salem", interests=[{"topic": "jazz"}], relation="supplier")
    ana, ben = await shop.know(touch(["ana", "ben"], day=1))
    await work(context)
    await erase(admin, shop, ana)
    async with quiet.opened(quiet_database, servers) as fresh:
        for projection in projector.PROJECTIONS:
            await projector.start_rebuild(fresh, shop.id, projection)
        await work(fresh)
    assert await shop.rows("SELECT * FROM parked_event") == []
    names = {row["contact_id"]: row["name"] for row in await shop.contents("contact")}
    assert names == {str(ana): None, str(ben): "Ben"}
    assert [row["handle"] for row in await shop.contents("contact_identity")] == ["ben@example.com"]
    assert await shop.contents("contact_interest") == []
    [kept] = [row for row in await shop.contents("contact") if row["contact_id"] == str(ana)]
    assert (kept["locality"], kept["relation"]) == (None, "supplier")
    assert len(await shop.contents("timeline")) == 4
    assert len(await rival.contents("contact_interest")) == 1


def test_a_key_is_forgotten_after_a_minute():
    now = 0.0
    ring = KeyRing(lambda: now)
    tenant, who, key = new_tenant_keys(), uuid4(), sealing.new_key()
    assert ring.keep(tenant, [(who, sealing.wrap(key, under=tenant.key, owner=who))]) == {who: key}
    now = 59.9
    assert ring.kept(tenant.tenant_id, [who, uuid4()]) == {who: key}
    assert ring.kept(uuid4(), [who]) == {}
    now = 60.1
    assert ring.kept(tenant.tenant_id, [who]) == {}


def test_a_wrapped_key_of_one_does_not_serve_for_another():
    master, one = sealing.new_key(), uuid4()
    wrapped = sealing.wrap(sealing.new_key(), under=master, owner=one)
    with pytest.raises(WrongKey):
        sealing.tenant_keys(uuid4(), wrapped, master=master)


async def test_the_same_handle_stands_for_something_else_in_another_tenant(shop: Shop, rival: Shop):
    digests = {one.tenant.keys.digest("email", "ben@example.com") for one in (shop, rival)}
    assert len(digests | {shop.tenant.keys.digest("twitter", "ben@example.com")}) == 3
    assert shop.tenant.keys.fingerprint(b"x") != rival.tenant.keys.fingerprint(b"x")
