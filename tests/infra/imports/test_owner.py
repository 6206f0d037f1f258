"""Who is us in a file: asked once, remembered for the business; and calendars, whose future is no touchpoint."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from domain.appointments import CancelAppointment, PlanAppointment, TellMissed
from domain.contacts import IdentityGiven
from domain.errors import Invalid, Refused
from domain.imports import SayOwn
from domain.touchpoints import Reference
from infra import commands
from infra.context import Context
from infra.imports import desk, whole
from infra.imports.whole import Answers
from infra.views import imports
from tests.infra.imports.bringing import US, accounts, brought, calendar, dried, looked, outcomes, undone
from tests.infra.quiet import ORIGIN, Shop, touch


def mailbox(*mails: tuple[str, str]) -> bytes:
    """Mails from somebody to somebody, a day apart."""
    told = []
    for n, (sender, receiver) in enumerate(mails):
        at = datetime(2025, 3, 2, 12, tzinfo=UTC) + timedelta(days=n)
        told.append(
            f"From {sender} {at:%a %b %d %H:%M:%S %Y}\nFrom: {sender}\nTo: {receiver}\n"
            f"Date: {at:%a, %d %b %Y %H:%M:%S +0000}\n"
            f"Message-ID: <{n}@mail.example>\nSubject: Flour\n\nHow much flour do you need this week, number {n}?\n\n"
        )
    return "".join(told).encode()


BOX = mailbox(
    ("shop@bakery.example", "Ana <ana@mill.example>"),
    ("Ana <ana@mill.example>", "shop@bakery.example"),
    ("shop@bakery.example", "ben@mill.example"),
)


async def test_who_is_us_is_asked_once_and_remembered(context: Context, shop: Shop, rival: Shop):
    found = await dried(shop, BOX, name="mail.mbox")
    assert found.state == "needs_owner"
    view = await imports.one(context, shop.tenant, found.import_id)
    assert (view.owners[0].handle, view.owners[0].own) == ("shop@bakery.example", False)
    with pytest.raises(Refused):
        await whole.record(context, shop.tenant, found.import_id, Answers())
    found = await whole.say_own(context, shop.tenant, found.import_id, [US])
    assert found.state == "ready"
    view = await imports.one(context, shop.tenant, found.import_id)
    assert view.owners[0].own
    assert [row.direction for row in view.first_rows] == ["out", "in", "out"]
    found = await whole.record(context, shop.tenant, found.import_id, Answers())
    assert await outcomes(shop, found) == {"recorded": 3}
    assert (await dried(shop, mailbox(("eve@mill.example", "shop@bakery.example")))).state == "ready"
    assert (await dried(rival, BOX)).state == "needs_owner", "each business has its own"
    sealed = await shop.rows("SELECT sealed FROM own_identity")
    assert len(sealed) == 1
    assert b"bakery.example" not in sealed[0]["sealed"]


async def test_who_is_us_can_be_said_beforehand(context: Context, shop: Shop):
    found = await brought(shop, BOX, answers=Answers(own=(US,)))
    assert await outcomes(shop, found) == {"recorded": 3}


async def test_said_again_before_the_start_the_file_is_read_anew(context: Context, shop: Shop):
    wrong = IdentityGiven("email", "ana@mill.example")
    found = await dried(shop, BOX, answers=Answers(own=(wrong,)))
    directions = [row.direction for row in (await imports.one(context, shop.tenant, found.import_id)).first_rows]
    assert directions[:2] == ["in", "out"]
    found = await whole.say_own(context, shop.tenant, found.import_id, [US])
    assert sum((await outcomes(shop, found)).values()) == 3


async def test_an_address_that_is_none_is_refused_with_its_field(context: Context, shop: Shop):
    found = await dried(shop, BOX)
    with pytest.raises(Invalid) as refusal:
        await desk.say_own(context, shop.tenant, found.import_id, SayOwn((US, IdentityGiven("email", "nobody"))))
    assert refusal.value.field == "own[1].handle"
    assert await shop.rows("SELECT FROM own_identity") == []


async def test_what_is_to_come_is_an_appointment_and_is_called_off_by_an_undo(
    context: Context, shop: Shop, rival: Shop
):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    past = soon - timedelta(days=100)
    content = calendar(("a", past, "ana@mill.example"), ("b", soon, "ben@mill.example"))
    found = await brought(shop, content, answers=Answers(own=(US,)))
    await looked(context)
    assert await outcomes(shop, found) == {"recorded": 2}
    view = await imports.one(context, shop.tenant, found.import_id)
    assert {(one.kind, one.rows) for one in view.kinds} == {("meeting", 1), ("appointment", 1)}
    assert (await shop.types()).count("appointment.planned") == 1
    again = await brought(shop, content)
    assert await outcomes(shop, again) == {"known": 2}
    found = await undone(shop, found)
    await looked(context)
    assert await outcomes(shop, found) == {"undone": 2}
    assert (await shop.types()).count("appointment.cancelled") == 1
    assert await shop.contents("relationship") == []
    once_more = await brought(shop, content)
    await looked(context)
    assert await outcomes(shop, once_more) == {"recorded": 2}
    assert len(await shop.contents("relationship")) == 2
    assert await rival.positions() == []


async def test_what_was_missed_or_called_off_is_no_meeting_once_the_calendar_tells_it_as_past(
    context: Context, shop: Shop, rival: Shop
):
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    people = {uid: f"{uid}@mill.example" for uid in ("missed", "off", "other-time", "held", "called-off-by-source")}
    for of in (shop, rival):
        plans = [
            PlanAppointment(
                past, past + timedelta(hours=1), "cafe", (Reference(email=who),), source="ics", source_id=uid
            )
            for uid, who in people.items()
        ]
        planned = await commands.plan_appointments(of.context, of.tenant, plans, origin=ORIGIN)
        ids = {uid: one.appointment_id for uid, one in zip(people, planned, strict=True) if one.appointment_id}
        for uid in ("missed", "other-time") if of is shop else ():
            await commands.tell_missed(of.context, of.tenant, ids[uid], TellMissed(by="them"), origin=ORIGIN)
        await commands.cancel_appointment(of.context, of.tenant, ids["off"], CancelAppointment(), origin=ORIGIN)
    called_off = replace(plans[-1], cancelled=True)
    await commands.plan_appointments(shop.context, shop.tenant, [called_off], origin=ORIGIN)
    told = [
        (uid, past + timedelta(hours=5) if uid == "other-time" else past, who) for uid, who in sorted(people.items())
    ]
    dry = await dried(shop, calendar(*told), answers=Answers(own=(US,)))
    found = await whole.record(context, shop.tenant, dry.import_id, Answers())
    expected = ["recorded", "recorded", "told as missed or called off", "told as missed or called off", "recorded"]
    for one in (dry, found):
        rows = await accounts(shop, one)
        assert [row["reason"] or row["outcome"] for row in rows] == expected
    theirs = await brought(rival, calendar(*told), answers=Answers(own=(US,)))
    assert await outcomes(rival, theirs) == {"recorded": 4, "skipped": 1}


async def test_a_private_entry_is_not_recorded_though_it_is_with_somebody_known(context: Context, shop: Shop):
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    await shop.tell(touch("ana"))
    entries = (("!mine", past, "ana@example.com"), ("!soon", past + timedelta(days=9), "ana@example.com"))
    content = calendar(*entries, ("ours", past, "ana@example.com"))
    dry = await dried(shop, content, answers=Answers(own=(US,)))
    assert await outcomes(shop, dry) == {"private": 2, "recorded": 1}
    found = await whole.record(context, shop.tenant, dry.import_id, Answers())
    assert await outcomes(shop, found) == {"private": 2, "recorded": 1}
    assert {row["reason"] for row in await accounts(shop, found)} == {"marked private in the calendar", None}
    assert (await shop.types()).count("touchpoint.recorded") == 2
