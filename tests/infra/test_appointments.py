"""Appointments on the road: planned by one and by the thousand, answered once, told apart by tenant."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from domain.appointments import CancelAppointment, MoveAppointment, PlanAppointment, TellHappened, TellMissed
from domain.errors import Conflict, NotFound, Refused
from domain.touchpoints import Reference
from infra import commands, migrate, projector
from infra.commands import Planned
from infra.context import Context
from infra.database import Connection, in_tenant
from infra.views import appointments as views
from tests.conftest import Database, another_database
from tests.infra.quiet import ORIGIN, Shop, parked_again, touch, work

NOW = datetime.now(UTC).replace(microsecond=0)


def ana(**more: Any) -> PlanAppointment:
    """An hour with Ana that ended yesterday, from a calendar, unless said otherwise."""
    return planned("ana", **{"source": "calendar", "source_id": "1", **more})


def planned(*who: str, starts_in: float = -25, hours: float = 1, **more: Any) -> PlanAppointment:
    """`starts_in` hours from now."""
    starts_at = NOW + timedelta(hours=starts_in)
    people = tuple(Reference(email=f"{one}@example.com", name=one.title()) for one in who)
    told: dict[str, Any] = {"channel": "cafe", "people": people, **more}
    return PlanAppointment(starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours), **told)


async def plan(shop: Shop, *items: PlanAppointment | Refused) -> list[Planned]:
    return await commands.plan_appointments(shop.context, shop.tenant, items, origin=ORIGIN)


async def plan_one(shop: Shop, item: PlanAppointment) -> UUID:
    [one] = await plan(shop, item)
    assert one.status == "planned", one
    assert one.appointment_id is not None
    return one.appointment_id


async def happened(shop: Shop, appointment_id: UUID, **more: Any) -> Any:
    told = msgspec.convert(more, TellHappened)
    return await commands.tell_happened(shop.context, shop.tenant, appointment_id, told, origin=ORIGIN)


async def missed(shop: Shop, appointment_id: UUID, **more: Any) -> Any:
    return await commands.tell_missed(shop.context, shop.tenant, appointment_id, TellMissed(**more), origin=ORIGIN)


async def cancelled(shop: Shop, appointment_id: UUID, **more: Any) -> Any:
    told = CancelAppointment(**more)
    return await commands.cancel_appointment(shop.context, shop.tenant, appointment_id, told, origin=ORIGIN)


async def moved(shop: Shop, appointment_id: UUID, **more: Any) -> Any:
    told = MoveAppointment(**more)
    return await commands.move_appointment(shop.context, shop.tenant, appointment_id, told, origin=ORIGIN)


async def withdrawn(shop: Shop, appointment_ids: Sequence[UUID]) -> list[Any]:
    return list(await commands.withdraw_appointments(shop.context, shop.tenant, appointment_ids, origin=ORIGIN))


def statuses(results: Sequence[Planned]) -> list[str]:
    return [one.status for one in results]


async def test_a_plan_is_no_touchpoint_and_opens_whom_nobody_knew(shop: Shop, rival: Shop):
    [one] = await plan(shop, ana())
    assert (one.status, len(one.contact_ids)) == ("planned", 1)
    assert await shop.types() == ["contact.added", "contact.identity_noted", "appointment.planned"]
    assert await rival.types() == []
    [theirs] = await plan(rival, ana())
    assert theirs.appointment_id != one.appointment_id, "the same source of another tenant is another appointment"
    for act in (happened, missed, cancelled, moved):
        with pytest.raises(NotFound):
            await act(rival, one.appointment_id)


async def test_the_same_entry_again_is_no_news(shop: Shop):
    first = await plan(shop, ana(), planned("ben", source="calendar", source_id="2"))
    log = await shop.positions()
    again = await plan(shop, ana(), planned("ben", source="calendar", source_id="2"))
    assert statuses(again) == ["unchanged", "unchanged"]
    assert [one.appointment_id for one in again] == [one.appointment_id for one in first]
    assert await shop.positions() == log


async def test_an_entry_that_comes_changed_is_moved_and_one_called_off_is_cancelled(shop: Shop):
    told = [
        ana(),
        ana(starts_in=30),
        ana(starts_in=30, channel="zoom"),
        ana(cancelled=True),
        ana(cancelled=True),
        ana(),
    ]
    results = await plan(shop, *told)
    assert statuses(results) == ["planned", "moved", "moved", "cancelled", "unchanged", "moved"]
    assert len({one.appointment_id for one in results}) == 1
    assert (await shop.types())[2:] == [
        "appointment.planned", "appointment.moved", "appointment.moved", "appointment.cancelled", "appointment.moved",
    ]  # fmt: skip


async def test_what_nobody_knew_of_is_not_called_off(shop: Shop):
    assert statuses(await plan(shop, ana(cancelled=True))) == ["unchanged"]
    assert await shop.types() == []


async def test_what_was_moved_by_hand_stays_until_its_source_has_news(shop: Shop):
    appointment_id = await plan_one(shop, ana(starts_in=5))
    await moved(shop, appointment_id, starts_at=NOW + timedelta(hours=7))
    assert statuses(await plan(shop, ana(starts_in=5))) == ["unchanged"]
    assert statuses(await plan(shop, ana(starts_in=6))) == ["moved"]


async def test_one_bad_item_does_not_keep_its_neighbours(shop: Shop):
    results = await plan(
        shop,
        ana(source_id="1"),
        ana(source_id="2", hours=-1),
        Refused("this is no JSON"),
        ana(source_id="3", people=(Reference(contact_id=UUID(int=7)),)),
        ana(source_id="4", people=(Reference(email="ana@example.com"), Reference(email=" ANA@example.com"))),
        ana(source_id="5"),
    )
    assert statuses(results) == ["planned", "rejected", "rejected", "rejected", "rejected", "planned"]
    fields = [one.problem.field for one in results if one.problem is not None]
    assert fields == ["ends_at", None, "with[0].contact_id", "with[1]"]
    assert results[0].contact_ids == results[-1].contact_ids
    assert (await shop.types()).count("contact.added") == 1


async def test_thousands_are_planned_once_and_withdrawn_together(shop: Shop, rival: Shop):
    told = [planned(f"guest{n % 700}", starts_in=24 + n, source="calendar", source_id=str(n)) for n in range(2_000)]
    results = await plan(shop, *told)
    assert set(statuses(results)) == {"planned"}
    assert await shop.value("SELECT count(*) FROM event WHERE type = 'contact.added'") == 700
    assert set(statuses(await plan(shop, *told))) == {"unchanged"}
    [theirs] = await plan(rival, told[0])
    ids = [one.appointment_id for one in results if one.appointment_id is not None]
    done = await withdrawn(shop, ids)
    assert {type(one.lead).__name__ for one in done} == {"AppointmentCancelled"}
    log = await shop.positions()
    assert {one.lead for one in await withdrawn(shop, ids)} == {None}
    assert await shop.positions() == log
    assert await rival.types() == ["contact.added", "contact.identity_noted", "appointment.planned"]
    assert isinstance((await withdrawn(shop, [theirs.appointment_id]))[0], NotFound)
    assert set(statuses(await plan(shop, *told))) == {"moved"}, "what was undone may be imported again"


async def test_an_undone_import_leaves_what_was_answered(shop: Shop):
    first, second = await plan(shop, ana(), ana(source_id="2"))
    assert first.appointment_id is not None
    assert second.appointment_id is not None
    await happened(shop, first.appointment_id)
    await missed(shop, second.appointment_id)
    log = await shop.positions()
    refused = await withdrawn(shop, [first.appointment_id, second.appointment_id])
    assert [str(one) for one in refused] == ["somebody said what became of it: it stays"] * 2
    assert await shop.positions() == log


async def test_it_becomes_a_touchpoint_at_the_time_it_was_planned_for(shop: Shop):
    appointment_id = await plan_one(shop, ana(channel="chamber", note="about flour"))
    done = await happened(shop, appointment_id, minutes=40, note="she agrees")
    assert (await shop.types())[-3:] == ["channel.opened", "touchpoint.recorded", "appointment.happened"]
    rows = await shop.rows("SELECT occurred_at, convert_from(body, 'UTF8')::json->>'minutes' AS minutes FROM event"
                           " WHERE type = 'touchpoint.recorded'")  # fmt: skip
    assert rows == [{"occurred_at": NOW - timedelta(hours=25), "minutes": "40"}]
    assert done.position == max(await shop.positions())


async def test_happened_told_twice_at_once_is_one_touchpoint(context: Context, shop: Shop):
    appointment_id = await plan_one(shop, ana())
    done = await asyncio.gather(*(happened(shop, appointment_id) for _ in range(8)))
    assert sum(one.lead is not None for one in done) == 1
    assert (await shop.types()).count("touchpoint.recorded") == 1
    assert (await shop.types()).count("appointment.happened") == 1


async def test_an_entry_told_at_once_by_two_importers_is_one_appointment(shop: Shop):
    results = await asyncio.gather(*(plan(shop, ana()) for _ in range(6)))
    assert sorted(one.status for [one] in results) == ["planned", *["unchanged"] * 5]
    assert (await shop.types()).count("appointment.planned") == 1
    assert (await shop.types()).count("contact.added") == 1


async def test_told_as_missed_after_all_its_touchpoint_is_struck_and_told_again_there_is_another(shop: Shop):
    appointment_id = await plan_one(shop, ana())
    for _ in range(3):
        assert (await happened(shop, appointment_id)).lead is not None
        assert (await missed(shop, appointment_id)).lead is not None
        assert (await missed(shop, appointment_id)).lead is None
    types = await shop.types()
    assert (types.count("touchpoint.recorded"), types.count("touchpoint.struck")) == (3, 3)
    ids = "SELECT count(DISTINCT stream) FROM event WHERE type = 'touchpoint.recorded'"
    assert await shop.value(ids) == 3


async def test_what_happened_is_neither_moved_nor_cancelled(shop: Shop):
    appointment_id = await plan_one(shop, ana())
    done = await happened(shop, appointment_id)
    for act, more in ((moved, {"channel": "shop"}), (cancelled, {"by": "them"}), (happened, {"minutes": 5})):
        with pytest.raises(Refused):
            await act(shop, appointment_id, **more)
    assert statuses(await plan(shop, ana(starts_in=50), ana(cancelled=True))) == ["unchanged", "unchanged"]
    assert max(await shop.positions()) == done.position


async def test_when_its_touchpoint_is_struck_it_is_open_again(shop: Shop):
    appointment_id = await plan_one(shop, ana())
    done = await happened(shop, appointment_id)
    await shop.strike(done.lead.touchpoint_id)
    assert (await cancelled(shop, appointment_id)).lead is not None
    again = await happened(shop, appointment_id)
    assert again.lead.touchpoint_id != done.lead.touchpoint_id


async def test_the_calendar_told_as_past_is_the_appointments_touchpoint(shop: Shop):
    """The same entry, first to come, then past: one touchpoint, whoever tells it first."""
    appointment_id = await plan_one(shop, ana())
    [told] = await shop.tell(touch("ana", ago=1, kind="meeting", channel="cafe", source="calendar", source_id="1"))
    assert (await happened(shop, appointment_id)).lead is None
    with pytest.raises(Refused):
        await cancelled(shop, appointment_id)
    await missed(shop, appointment_id)
    assert (await shop.types())[-2:] == ["touchpoint.struck", "appointment.missed"]
    other = await plan_one(shop, ana(source_id="2"))
    await happened(shop, other)
    [again] = await shop.record(touch("ana", ago=1, kind="meeting", channel="cafe", source="calendar", source_id="2"))
    assert isinstance(again.problem, Conflict), "known, with what a person said of it"
    assert (await shop.types()).count("touchpoint.recorded") == 2
    assert told.event_id is not None


async def test_an_entry_that_is_a_touchpoint_already_is_planned_for_another_time_only(shop: Shop):
    """The calendar told it as past; then the same entry is put into the future."""
    starts_at = NOW - timedelta(hours=25)
    entry = {"source": "calendar", "source_id": "1"}
    past = msgspec.structs.replace(touch("ana", kind="meeting", channel="cafe", **entry), occurred_at=starts_at)
    [told] = await shop.tell(past)
    assert statuses(await plan(shop, ana())) == ["unchanged"]
    appointment_id = await plan_one(shop, ana(starts_in=-1))
    done = await happened(shop, appointment_id)
    assert done.lead.touchpoint_id != told.event_id
    assert (await shop.types()).count("touchpoint.recorded") == 2


async def test_somebody_else_may_have_come(shop: Shop):
    appointment_id = await plan_one(shop, planned("ana", "ben"))
    done = await happened(shop, appointment_id, **{"with": [{"email": "ben@example.com"}, {"name": "Zoe"}]})
    assert len(done.lead.contact_ids) == 2
    with pytest.raises(Refused):
        await happened(shop, appointment_id, **{"with": [{"email": "ben@example.com"}]})
    assert (await shop.types()).count("touchpoint.recorded") == 1


async def test_a_plan_told_with_a_key_is_planned_once(shop: Shop, rival: Shop):
    for who in (shop, rival):
        done = [
            await commands.plan_appointment(who.context, who.tenant, planned("ana"), origin=ORIGIN, idempotency_key="k")
            for _ in range(2)
        ]
        assert done[0][0] == done[1][0]
        assert [one.duplicate for _, one in done] == [False, True]
        with pytest.raises(Conflict):
            await commands.plan_appointment(who.context, who.tenant, planned("ben"), origin=ORIGIN, idempotency_key="k")


async def rebuilt(context: Context, shop: Shop) -> list[Any]:
    await projector.start_rebuild(context, shop.id, "appointments")
    await work(context)
    return await rows(shop)


async def rows(shop: Shop) -> list[Any]:
    return [await shop.contents(table) for table in ("appointment", "appointment_person")]


async def live_through(chance: random.Random, shop: Shop) -> None:
    """A diary as it fills: told and told again, moved, answered, struck, the workers always somewhere behind."""
    known: list[UUID] = []
    for _ in range(60):
        entry = planned(
            *chance.sample(["ana", "ben", "eve", "joe"], chance.choice([1, 1, 2, 3])),
            starts_in=chance.choice([-48, -24, -2, 5]),
            channel=chance.choice(["cafe", "zoom"]),
            note=chance.choice([None, "flour"]),
            source="calendar",
            source_id=str(chance.randrange(12)),
            cancelled=chance.random() < 0.1,
        )
        match chance.randrange(7):
            case 0 | 1 | 2:
                known += [one.appointment_id for one in await plan(shop, entry) if one.status == "planned"]  # type: ignore[misc]
            case 3:
                await shop.record(touch("ana", ago=1, kind="meeting", source="calendar", source_id=entry.source_id))
            case 4:
                struck = await shop.rows("SELECT stream FROM event WHERE type = 'touchpoint.recorded'")
                if struck:
                    await shop.strike(UUID(chance.choice(struck)["stream"].removeprefix("touchpoint-")))
            case _ if known:
                act = chance.choice([happened, happened, missed, cancelled, moved])
                more: dict[str, Any] = {"channel": "shop"} if act is moved else {}
                with suppress(Refused):
                    await act(shop, chance.choice(known), **more)
            case _:
                pass
        for _ in range(chance.choice([0, 0, 1, 7])):
            await projector.advance(shop.context)


@pytest.mark.parametrize("seed", range(12))
async def test_what_grew_step_by_step_is_what_a_rebuild_makes(context: Context, shop: Shop, rival: Shop, seed: int):
    chance = random.Random(seed)
    await live_through(chance, shop)
    await live_through(chance, rival)
    await work(context)
    grown = await rows(shop)
    assert len(grown[0]) > 5
    assert len({row["state"] for row in grown[0]}) > 1
    theirs = await rows(rival)
    assert await rebuilt(context, shop) == grown
    assert await rows(rival) == theirs
    assert await shop.rows("SELECT FROM parked_event") == []


async def test_what_happened_to_its_touchpoint_while_its_own_fact_was_parked_is_not_lost(
    context: Context, shop: Shop, admin: Connection
):
    first, second = await plan_one(shop, ana()), await plan_one(shop, ana(source_id="2"))
    for one in (first, second):
        done = await happened(shop, one)
    body = await shop.value("SELECT body FROM event WHERE position = $1", done.position)
    spoil = "UPDATE event SET body = $3 WHERE tenant_id = $1 AND position = $2"
    await admin.execute(spoil, shop.id, done.position, b"[]")
    await shop.strike(done.lead.touchpoint_id)
    await work(context)
    assert [row["position"] for row in await shop.rows("SELECT position FROM parked_event")] == [done.position]
    await admin.execute(spoil, shop.id, done.position, body)
    await parked_again(admin)
    await work(context)
    assert await shop.rows("SELECT FROM parked_event") == []
    grown = await rows(shop)
    assert {row["appointment_id"]: row["state"] for row in grown[0]} == {
        str(first): "happened", str(second): "planned",
    }  # fmt: skip
    assert await rebuilt(context, shop) == grown


async def test_who_will_be_met_anyway_is_known(context: Context, shop: Shop, rival: Shop):
    results = await plan(
        shop,
        planned("ana", "ben", starts_in=30, source="calendar", source_id="1"),
        planned("ana", starts_in=3, source="calendar", source_id="2"),
        planned("eve", starts_in=24 * 90, source="calendar", source_id="3"),
        planned("joe", starts_in=-1, source="calendar", source_id="4"),
        planned("zoe", starts_in=4, source="calendar", source_id="5"),
    )
    await plan(rival, planned("ana", starts_in=1))
    assert results[4].appointment_id is not None
    await cancelled(shop, results[4].appointment_id)
    await work(context)
    ana_id, ben_id = results[0].contact_ids
    async with in_tenant(context.pool, shop.id) as connection:
        met = await views.soon_met(connection, shop.id, now=NOW, until=NOW + timedelta(days=60))
        soonest = await views.next_with(connection, shop.id, [ana_id], now=NOW)
    assert met == {ana_id: NOW + timedelta(hours=3), ben_id: NOW + timedelta(hours=30)}
    assert soonest is not None
    assert soonest.id == results[1].appointment_id


async def test_tenants_that_were_there_before_get_the_projection(quiet_database: Database, tmp_path: Path):
    """Migrated as far as before it, two tenants added, then all the way."""
    for one in sorted((Path(migrate.__file__).parent / "migrations").glob("*.sql")):
        if one.name < "0004":
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
        rows = await connection.fetch("SELECT * FROM checkpoint WHERE process = 'appointments'")
        assert {row["tenant_id"] for row in rows} == ids
        assert {(row["build"], row["position"], row["live"]) for row in rows} == {(1, 0, True)}
    finally:
        await connection.close()
        admin = await asyncpg.connect(quiet_database.admin_url)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
