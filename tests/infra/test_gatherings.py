"""Gatherings over the log: what grew step by step is what a rebuild makes; nothing parked is lost."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.attendance import Arrival, NoteAttendance
from domain.errors import NotFound, Refused
from domain.gatherings import CancelGathering, ChangeGathering, EnterGuest, PlanGathering
from domain.touchpoints import Reference
from infra import commands, migrate, projector
from infra.commands.gatherings import ChangeLink
from infra.context import Context
from infra.database import Connection
from infra.verification import verify
from tests.conftest import Database, another_database
from tests.infra.quiet import ORIGIN, Shop, parked_again, work

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = ("ana", "ben", "eve", "joe")


def someone(who: str) -> Reference:
    return Reference(email=f"{who}@example.com", name=who.title())


async def planned(shop: Shop, **more: Any) -> UUID:
    """Weekly, a little over ten weeks ago for the first time, in UTC."""
    command = PlanGathering(
        **{"title": "Friday patio", "channel": "patio", "starts_at": NOW - timedelta(days=71), "time_zone": "UTC"}
        | more
    )
    gathering_id, _ = await commands.plan_gathering(shop.context, shop.tenant, command, origin=ORIGIN)
    return gathering_id


def day(weeks: int = 0) -> date:
    return (NOW - timedelta(days=71) + timedelta(weeks=weeks)).date()


async def noted(shop: Shop, gathering_id: UUID, *arrivals: Arrival, on: date | None = None) -> list[commands.Noted]:
    command = NoteAttendance(on or day(), arrivals)
    return await commands.note_attendance(shop.context, shop.tenant, gathering_id, command, origin=ORIGIN)


async def opened(shop: Shop, gathering_id: UUID, act: Any = "open") -> str | None:
    token, _ = await commands.change_link(shop.context, shop.tenant, gathering_id, ChangeLink(act), origin=ORIGIN)
    return token


async def entered(shop: Shop, gathering_id: UUID, token: str, who: str = "ana") -> Any:
    guest = EnterGuest(name=who.title(), email=f"{who}@example.com", consent=True)
    return await commands.enter_guest(shop.context, shop.tenant, gathering_id, guest, token=token, origin=ORIGIN)


async def rows(shop: Shop) -> list[Any]:
    tables = ("gathering", "gathering_guest", "gathering_attendance")
    return [await shop.contents(table) for table in tables]


async def rebuilt(context: Context, shop: Shop) -> list[Any]:
    await projector.start_rebuild(context, shop.id, "gatherings")
    await work(context)
    return await rows(shop)


async def live_through(chance: random.Random, shop: Shop) -> None:
    """A season: planned, changed, called off, entered, checked in, taken back, struck, the workers somewhere behind."""
    known = [await planned(shop), await planned(shop, repeats=None), await planned(shop, repeats="FREQ=DAILY")]
    tokens: list[tuple[UUID, str]] = []
    for _ in range(60):
        which, weeks = chance.choice(known), chance.randrange(11)
        with suppress(Refused):
            match chance.randrange(10):
                case 0:
                    told = ChangeGathering(title=chance.choice("abc"))
                    await commands.change_gathering(shop.context, shop.tenant, which, told, origin=ORIGIN)
                case 1:
                    told = ChangeGathering(occurrence=day(weeks), minutes=chance.choice((30, 45)))
                    await commands.change_gathering(shop.context, shop.tenant, which, told, origin=ORIGIN)
                case 2:
                    off = CancelGathering(occurrence=day(weeks) if chance.random() < 0.9 else None)
                    await commands.cancel_gathering(shop.context, shop.tenant, which, off, origin=ORIGIN)
                case 3:
                    token = await opened(shop, which, chance.choice(("open", "rotate", "close")))
                    tokens += [(which, token)] if token is not None else []
                case 4 if tokens:
                    await entered(shop, *chance.choice(tokens), chance.choice(PEOPLE))
                case 5:
                    facts = await shop.rows("SELECT stream FROM event WHERE type = 'touchpoint.recorded'")
                    if facts:
                        await shop.strike(UUID(chance.choice(facts)["stream"].removeprefix("touchpoint-")))
                case _:
                    came = chance.random() < 0.75
                    arrival = Arrival(someone(chance.choice(PEOPLE)), met=came and chance.random() < 0.5, came=came)
                    await noted(shop, which, arrival, on=day(weeks if chance.random() < 0.3 else 0))
        for _ in range(chance.choice([0, 0, 1, 7])):
            await projector.advance(shop.context)


@pytest.mark.parametrize("seed", range(4))
async def test_what_grew_step_by_step_is_what_a_rebuild_makes(context: Context, shop: Shop, rival: Shop, seed: int):
    chance = random.Random(seed)
    await live_through(chance, shop)
    await live_through(chance, rival)
    await work(context)
    grown = await rows(shop)
    assert len(grown[0]) == 3
    assert grown[2], "somebody was there"
    theirs = await rows(rival)
    assert await rebuilt(context, shop) == grown
    assert await rows(rival) == theirs
    assert await shop.rows("SELECT FROM parked_event") == []
    for tenant in (shop, rival):
        assert (await verify(context, tenant.id)).broken_at is None


async def test_each_check_in_that_holds_is_one_unstruck_touchpoint(context: Context, shop: Shop, rival: Shop):
    chance = random.Random(7)
    await live_through(chance, shop)
    await work(context)
    held = {row["touchpoint_id"] for row in (await rows(shop))[2]}
    unstruck = await shop.rows("SELECT touchpoint_id::text FROM timeline WHERE struck_at_position IS NULL")
    assert {row["touchpoint_id"] for row in unstruck} == held
    assert await rival.types() == []


async def test_a_touchpoint_struck_while_its_check_in_was_parked_is_not_lost(
    context: Context, shop: Shop, admin: Connection
):
    gathering_id = await planned(shop)
    [came] = await noted(shop, gathering_id, Arrival(someone("ana"), met=True))
    assert came.touchpoint_id is not None
    body = await shop.value("SELECT body FROM event WHERE position = $1", came.position)
    spoil = "UPDATE event SET body = $3 WHERE tenant_id = $1 AND position = $2"
    await admin.execute(spoil, shop.id, came.position, b"[]")
    await shop.strike(came.touchpoint_id)
    await work(context)
    assert [row["position"] for row in await shop.rows("SELECT position FROM parked_event")] == [came.position]
    await admin.execute(spoil, shop.id, came.position, body)
    await parked_again(admin)
    await work(context)
    assert await shop.rows("SELECT FROM parked_event") == []
    assert (await rows(shop))[2] == []
    assert await rebuilt(context, shop) == await rows(shop)


async def test_two_guests_at_once_with_one_address_are_one_contact(context: Context, shop: Shop, rival: Shop):
    gathering_id = await planned(shop)
    token = await opened(shop, gathering_id)
    assert token is not None
    done = await asyncio.gather(*(entered(shop, gathering_id, token) for _ in range(8)))
    assert sum(one.lead is not None for one in done) == 1
    assert (await shop.types()).count("contact.added") == 1
    assert (await shop.types()).count("gathering.guest_entered") == 1
    with pytest.raises(NotFound):
        await entered(rival, gathering_id, token)
    assert await rival.types() == []


async def test_what_a_guest_wrote_is_nowhere_in_the_clear(shop: Shop):
    gathering_id = await planned(shop)
    token = await opened(shop, gathering_id)
    assert token is not None
    guest = EnterGuest(name="Zoe Quill", email="zoe.quill@example.com", handle="@zoequill", consent=True)
    await commands.enter_guest(shop.context, shop.tenant, gathering_id, guest, token=token, origin=ORIGIN)
    stored = await shop.rows("SELECT body, meta, sealed FROM event")
    everything = b"".join(part or b"" for row in stored for part in row.values())
    assert [row["sealed"] for row in stored if row["sealed"] is not None]
    for secret in (b"Quill", b"quill", token.encode()):
        assert secret not in everything


async def test_the_last_word_on_the_same_person_at_once_leaves_one_touchpoint(context: Context, shop: Shop):
    gathering_id = await planned(shop)
    chance = random.Random(3)
    arrivals = [Arrival(someone("ana"), met=chance.random() < 0.5) for _ in range(10)]
    await asyncio.gather(*(noted(shop, gathering_id, one) for one in arrivals))
    types = await shop.types()
    assert types.count("touchpoint.recorded") - types.count("touchpoint.struck") == 1


async def test_tenants_that_were_there_before_get_the_projection(quiet_database: Database, tmp_path: Path):
    """Migrated as far as before it, two tenants added, then all the way."""
    for one in sorted((Path(migrate.__file__).parent / "migrations").glob("*.sql")):
        if one.name < "0011":
            (tmp_path / one.name).write_text(one.read_text())
    name = f"rapport_test_{uuid4().hex}"
    url = another_database(quiet_database.admin_url, name)
    migrate.up(url, tmp_path)
    connection = await asyncpg.connect(url, server_settings={"search_path": "rapport"})
    try:
        add = "INSERT INTO tenant (tenant_id, name, country, time_zone, wrapped_key) VALUES ($1, 'A', 'US', 'UTC', '')"
        ids = {uuid4(), uuid4()}
        await connection.executemany(add, [(tenant_id,) for tenant_id in ids])
        migrate.up(url)
        found = await connection.fetch("SELECT * FROM checkpoint WHERE process = 'gatherings'")
        assert {row["tenant_id"] for row in found} == ids
        assert {(row["build"], row["position"], row["live"]) for row in found} == {(1, 0, True)}
    finally:
        await connection.close()
        admin = await asyncpg.connect(quiet_database.admin_url)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
