"""Appointments on the road: planned by one and by the thousand, answered once, told apart by tenant."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.appointments import CancelAppointment, MoveAppointment, PlanAppointment, TellHappened, TellMissed
from domain.errors import Conflict, NotFound, Refused
from domain.touchpoints import Reference
from infra import commands
from infra.commands import Planned
from infra.context import Context
from tests.infra.quiet import ORIGIN, Shop, touch

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
    assert [one.lead for one in await withdrawn(shop, [first.appointment_id, second.appointment_id])] == [None, None]
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
