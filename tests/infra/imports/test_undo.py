"""Undo takes back what its import recorded, and nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.appointments import CancelAppointment, PlanAppointment
from domain.contacts import AddContact, IdentityGiven
from domain.referrals import MakeReferral
from domain.ties import MakeIntroduction, NoteTie
from domain.touchpoints import Reference
from infra import commands
from infra.context import Context
from infra.imports import desk, whole
from infra.imports.whole import Answers
from tests.infra.imports.bringing import US, accounts, brought, calendar, looked, meetings, outcomes, table, undone
from tests.infra.quiet import ORIGIN, Shop, touch
from tests.infra.test_rebuild import rebuild

FILE = table(
    "meeting,2025-03-02,Ana <ana@mill.example>,cafe,,,Mill Ltd",
    "meeting,2025-03-03,Ben <ben@example.com>,cafe,,,Mill Ltd",
    "meeting,2025-03-04,Eve <eve@mill.example>,cafe,,,Mill Ltd",
)


async def listed(shop: Shop) -> set[str]:
    """Who is in lists."""
    rows = await shop.rows(
        """SELECT i.handle FROM relationship r JOIN contact_identity i USING (tenant_id, contact_id)
           WHERE r.build = live_build('relationships') AND i.build = live_build('contacts')"""
    )
    return {row["handle"] for row in rows}


async def holder(shop: Shop, address: str) -> UUID:
    """Whose the address is."""
    digest = shop.tenant.keys.digest("email", address)
    found: UUID = await shop.value("SELECT contact_id FROM identity WHERE handle = $1", digest)
    return found


async def facts(shop: Shop, found: whole.Import) -> list[UUID]:
    return [row["fact_id"] for row in await accounts(shop, found)]


async def test_people_somebody_else_touched_stay(context: Context, shop: Shop, rival: Shop):
    await shop.tell(touch("ben"))
    await rival.tell(touch("ben"))
    found = await brought(shop, FILE)
    await shop.tell(touch("ana"))
    await shop.change(await holder(shop, "eve@mill.example"), name="Eve Mill")
    await undone(shop, found)
    await looked(context)
    assert await listed(shop) == {"ben@example.com", "ana@example.com", "eve@mill.example"}
    assert await listed(rival) == {"ben@example.com"}


async def test_people_a_referral_a_tie_an_introduction_or_an_appointment_names_stay(
    context: Context, shop: Shop, rival: Shop
):
    names = ("giver", "prospect", "one", "two", "three", "four", "booked", "off", "nobody")
    content = table(*(f"meeting,2025-03-02,{who} <{who}@mill.example>,cafe,,,Mill Ltd" for who in names))
    found = await brought(shop, content)
    theirs = await brought(rival, content)
    of = {who: Reference(email=f"{who}@mill.example") for who in names}
    starts_at = datetime.now(UTC) + timedelta(days=3)
    to = shop.context, shop.tenant
    await commands.make_referral(*to, MakeReferral("received", of["giver"], of["prospect"], "cafe"), origin=ORIGIN)
    await commands.note_tie(*to, NoteTie((of["one"], of["two"])), origin=ORIGIN)
    await commands.make_introduction(*to, MakeIntroduction((of["three"], of["four"]), "cafe"), origin=ORIGIN)
    plans = [PlanAppointment(starts_at, starts_at, "cafe", (of[who],)) for who in ("booked", "off")]
    _, off = await commands.plan_appointments(*to, plans, origin=ORIGIN)
    assert off.appointment_id is not None
    await commands.cancel_appointment(*to, off.appointment_id, CancelAppointment(), origin=ORIGIN)
    await undone(shop, found)
    await undone(rival, theirs)
    await looked(context)
    stay = {f"{who}@mill.example" for who in ("giver", "prospect", "one", "two", "three", "four", "booked")}
    assert await listed(shop) == stay
    assert await listed(rival) == set()


async def test_what_an_import_only_moved_or_called_off_is_again_as_it_was(context: Context, shop: Shop):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    later = soon + timedelta(days=1)
    who = "ana@mill.example"
    us = Answers(own=(US,))
    await brought(shop, calendar(("moved", soon, who), ("off", soon, who)), answers=us)
    second = await brought(shop, calendar(("moved", later, who), ("-off", soon, who), ("own", soon, who)))
    assert [row["reason"] for row in await accounts(shop, second)] == ["moved", "called off", None]
    await looked(context)
    assert await planned(shop) == {("moved", later), ("own", soon)}
    second = await undone(shop, second)
    await looked(context)
    assert await outcomes(shop, second) == {"undone": 3}
    assert await planned(shop) == {("moved", soon), ("off", soon)}
    assert len(await listed(shop)) == 1
    again = await brought(shop, calendar(("moved", later, who), ("-off", soon, who), ("own", soon, who)))
    await looked(context)
    assert await outcomes(shop, again) == {"recorded": 3}
    assert await planned(shop) == {("moved", later), ("own", soon)}


async def test_an_appointment_somebody_changed_since_stays_and_the_report_says_so(context: Context, shop: Shop):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    later = soon + timedelta(days=1)
    us = Answers(own=(US,))
    first = await brought(shop, calendar(("a", soon, "ana@mill.example"), ("b", soon, "ben@mill.example")), answers=us)
    await brought(shop, calendar(("a", later, "ana@mill.example")))
    first = await undone(shop, first)
    await looked(context)
    assert await outcomes(shop, first) == {"recorded": 1, "undone": 1}
    assert [row["reason"] for row in await accounts(shop, first)] == [
        "somebody else changed it since: it stays", None,
    ]  # fmt: skip
    assert await planned(shop) == {("a", later)}
    assert await listed(shop) == {"ana@mill.example"}


async def planned(shop: Shop) -> set[tuple[str, datetime]]:
    """The UIDs of appointments to come, and when."""
    rows = await shop.rows(
        """SELECT source_id, starts_at FROM appointment
            WHERE build = live_build('appointments') AND state = 'planned'"""
    )
    return {(row["source_id"].partition("/")[0], row["starts_at"]) for row in rows}


async def test_a_removed_person_is_found_again_by_the_same_address(context: Context, shop: Shop):
    found = await brought(shop, FILE)
    ana = await holder(shop, "ana@mill.example")
    await undone(shop, found)
    await looked(context)
    assert await listed(shop) == set()
    again = await brought(shop, table("call,2025-06-03,Ana <ana@mill.example>,phone,,,Mill Ltd"))
    await looked(context)
    assert await outcomes(shop, again) == {"recorded": 1}
    [row] = await shop.contents("relationship")
    assert (row["contact_id"], row["touchpoints"]) == (str(ana), 1)


async def test_what_was_taken_back_by_hand_stays_so(context: Context, shop: Shop, rival: Shop):
    found = await brought(shop, FILE)
    first, *_ = await facts(shop, found)
    await shop.strike(first)
    found = await undone(shop, found)
    assert await outcomes(shop, found) == {"undone": 3}
    assert [row["reason"] for row in await accounts(shop, found)] == ["taken back before", None, None]
    again = await brought(shop, FILE)
    assert await outcomes(shop, again) == {"recorded": 2, "skipped": 1}
    assert [row["reason"] for row in await accounts(shop, again)] == ["taken back by hand", None, None]


async def test_what_was_known_before_stays(context: Context, shop: Shop):
    first = await brought(shop, FILE)
    second = await brought(shop, FILE)
    await undone(shop, second)
    await looked(context)
    assert len(await listed(shop)) == 3
    assert (await whole.load(context, shop.tenant, first.import_id)).recorded == 3
    await undone(shop, first)
    await looked(context)
    assert await listed(shop) == set()


async def test_an_undo_twice_is_one(context: Context, shop: Shop):
    found = await undone(shop, await brought(shop, FILE))
    before = await shop.positions()
    await desk.undo(context, shop.tenant, found.import_id)
    assert (await whole.follow(context, shop.tenant, found.import_id)).state == "undone"
    assert await shop.positions() == before


async def test_entries_of_an_address_book_come_go_and_come_again(context: Context, shop: Shop):
    content = (
        b"First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
        b"Ana,Bakes,https://www.linkedin.com/in/ana-bakes,ana@mill.example,Mill,Miller,\n"
        b"Ben,Brown,https://www.linkedin.com/in/ben-brown,,Mill,Miller,\n"
        b"Eve,Adams,,,Flour,Baker,\n"
    )
    known = AddContact(identities=(IdentityGiven("email", "ana@mill.example"),))
    ana, _ = await commands.add_contact(context, shop.tenant, known, origin=ORIGIN)
    eve_unsure = whole.Answers(unsure="business")
    found = await brought(shop, content, answers=eve_unsure)
    await looked(context)
    assert await outcomes(shop, found) == {"recorded": 3}
    rows = {row["name"]: row["contact_id"] for row in await shop.contents("contact")}
    assert rows.keys() == {"Ana Bakes", "Ben Brown", "Eve Adams"}
    assert rows["Ana Bakes"] == str(ana), "joined by her address, and named"
    again = await brought(shop, content, answers=eve_unsure)
    assert await outcomes(shop, again) == {"known": 3}
    found = await undone(shop, found)
    await looked(context)
    assert await outcomes(shop, found) == {"recorded": 1, "undone": 2}
    assert [row["contact_id"] for row in await shop.contents("relationship")] == [str(ana)]
    third = await brought(shop, content, answers=eve_unsure)
    await looked(context)
    assert await outcomes(shop, third) == {"known": 1, "recorded": 2}
    assert {row["contact_id"] for row in await shop.contents("relationship")} == set(rows.values())


async def test_after_undo_and_return_a_rebuild_makes_the_same(context: Context, shop: Shop, rival: Shop):
    content = meetings(40)
    first = await brought(shop, content)
    await brought(rival, content)
    await looked(context)
    await undone(shop, first)
    await shop.tell(touch("ben"))
    await brought(shop, FILE)
    await looked(context)
    second = await brought(shop, content)
    await looked(context)
    await undone(shop, second)
    await brought(shop, meetings(10))
    await looked(context)
    grown = await shop.everything()
    assert len(grown["removed_contact"]) == 10
    assert sum(row["touchpoints"] for row in grown["relationship"]) == 14
    await rebuild(context, shop)
    assert await shop.everything() == grown
