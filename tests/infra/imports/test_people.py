"""The people of a file: sorted before anything is recorded; private ones never, unsure ones when somebody said so."""

import pytest

from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.imports import Sorted, StartImport
from infra.context import Context
from infra.database import Connection
from infra.imports import desk, whole
from infra.imports.people import person_id
from infra.imports.whole import Answers
from infra.views import imports
from tests.infra.imports.bringing import accounts, brought, dried, looked, outcomes, table
from tests.infra.quiet import Shop, touch

JOE = IdentityGiven("email", "joe@gmail.com")
FILE = table(
    "meeting,2025-03-02,Ana <ana@mill.example>,cafe,,,Mill Ltd",
    "meeting,2025-03-03,Joe <joe@gmail.com>,cafe,,,",
    "meeting,2025-03-04,Doctor Zoe <zoe@heal.example>,cafe,,,Zoe's Clinic",
    "meeting,2025-03-05,Ana <ana@mill.example>;Joe <joe@gmail.com>,cafe,,,",
    "meeting,2025-03-06,Doctor Zoe <zoe@heal.example>;Ana <ana@mill.example>,cafe,,,",
)


async def sorts(shop: Shop, found: whole.Import) -> dict[str | None, tuple[str, str | None, int]]:
    page = await imports.named(shop.context, shop.tenant, found.import_id)
    return {one.called: (one.sort, one.reason, one.rows) for one in page.items}


async def test_a_dry_run_sorts_them_with_reasons(context: Context, shop: Shop, rival: Shop):
    found = await dried(shop, FILE)
    assert await sorts(shop, found) == {
        "ana@mill.example": ("business", "the file names a company", 3),
        "joe@gmail.com": ("unsure", "a private address and no other sign", 2),
        "zoe@heal.example": ("private", "a practice, a hospital or a school", 2),
    }
    assert await outcomes(shop, found) == {"recorded": 2, "waiting": 2, "private": 1}
    view = await imports.one(context, shop.tenant, found.import_id)
    assert (view.people.business, view.people.private, view.people.unsure) == (1, 1, 1)
    assert await rival.rows("SELECT FROM import_person") == []


async def test_private_people_are_never_recorded_and_never_again(context: Context, shop: Shop, rival: Shop):
    found = await brought(shop, FILE)
    assert await outcomes(shop, found) == {"recorded": 2, "waiting": 2, "private": 1}
    names = await shop.rows("SELECT body FROM event WHERE type = 'touchpoint.recorded' ORDER BY position")
    assert len(names) == 2
    zoe = shop.tenant.keys.digest("email", "zoe@heal.example")
    assert await shop.rows("SELECT FROM identity WHERE handle = $1", zoe) == []
    assert await shop.rows("SELECT platform, handle FROM skip_list") == [{"platform": "email", "handle": zoe}]
    later = await brought(shop, table("meeting,2025-06-02,Zoe <zoe@heal.example>,cafe,,,Mill Ltd"))
    assert await outcomes(shop, later) == {"private": 1}
    other = await brought(rival, table("meeting,2025-06-02,Zoe <zoe@heal.example>,cafe,,,Mill Ltd"))
    assert await outcomes(rival, other) == {"recorded": 1}, "each business sorts for itself"


async def test_what_is_kept_of_private_people_names_nobody(context: Context, shop: Shop):
    found = await brought(shop, FILE)
    rows = await shop.rows("SELECT sort, sealed IS NULL AS forgotten FROM import_person")
    assert {(row["sort"], row["forgotten"]) for row in rows} == {
        ("business", True),
        ("private", True),
        ("unsure", False),
    }
    assert [row["sealed"] for row in await accounts(shop, found) if row["outcome"] == "private"] == [None]
    assert await shop.rows("SELECT FROM import_chunk") == [], "the file is gone"


async def test_unsure_people_are_answered_for_later_and_only_their_rows_recorded(
    context: Context, shop: Shop, rival: Shop
):
    found = await brought(shop, FILE)
    before = await shop.positions()
    said = Sorted(person_id(shop.tenant, JOE), "business")
    await desk.start(context, shop.tenant, found.import_id, StartImport((said,)))
    found = await whole.follow(context, shop.tenant, found.import_id)
    assert found.state == "done"
    assert await outcomes(shop, found) == {"recorded": 4, "private": 1}
    told = await shop.rows("SELECT type FROM event WHERE position > $1 ORDER BY position", max(before))
    assert [row["type"] for row in told].count("touchpoint.recorded") == 2
    rows = await shop.rows("SELECT FROM import_person WHERE sealed IS NOT NULL")
    assert rows == [], "nobody waits any more"


async def test_who_is_said_to_be_private_goes_onto_the_skip_list(context: Context, shop: Shop):
    found = await brought(shop, FILE)
    said = Sorted(person_id(shop.tenant, JOE), "private")
    await desk.start(context, shop.tenant, found.import_id, StartImport((said,)))
    found = await whole.follow(context, shop.tenant, found.import_id)
    assert await outcomes(shop, found) == {"recorded": 3, "private": 2}
    again = await brought(shop, FILE, answers=Answers(unsure="business"))
    assert await outcomes(shop, again) == {"known": 3, "private": 2}


async def test_who_was_private_by_mistake_is_business_when_a_person_says_so(context: Context, shop: Shop):
    await brought(shop, FILE)
    zoe = IdentityGiven("email", "zoe@heal.example")
    found = await brought(shop, FILE, answers=Answers(business=(zoe,), unsure="business"))
    assert found.private == 0
    assert await shop.rows("SELECT FROM skip_list") == []


async def test_all_who_are_unsure_at_once(context: Context, shop: Shop):
    found = await brought(shop, FILE, answers=Answers(unsure="business"))
    assert await outcomes(shop, found) == {"recorded": 4, "private": 1}
    other = await brought(
        shop, table("meeting,2025-03-03,Kim <kim@gmail.com>,cafe,,,"), answers=Answers(unsure="private")
    )
    assert await outcomes(shop, other) == {"private": 1}


async def test_people_known_already_are_business(context: Context, shop: Shop):
    await shop.tell(touch("ben"))
    found = await dried(shop, table("meeting,2025-03-03,Ben <ben@example.com>,school,,,"))
    assert (await sorts(shop, found))["ben@example.com"][:2] == ("business", "one of your people already")


async def test_the_same_name_under_another_address_is_pointed_out(context: Context, shop: Shop):
    [ben] = await shop.know(touch("ben"))
    await looked(context)
    found = await dried(
        shop,
        table(
            "meeting,2025-03-03,Ben <ben@mill.example>,cafe,,,Mill",
            "meeting,2025-03-03,Eve <eve@mill.example>,cafe,,,Mill",
            "meeting,2025-03-03,Eve <eve@flour.example>,cafe,,,Flour",
        ),
    )
    people = {one.called: one for one in (await imports.named(context, shop.tenant, found.import_id)).items}
    assert people["ben@mill.example"].like == ben
    assert people["eve@mill.example"].like_person == people["eve@flour.example"].id
    assert (await imports.one(context, shop.tenant, found.import_id)).people.alike == 3


async def test_nobody_of_another_file_can_be_sorted(context: Context, shop: Shop):
    found = await dried(shop, FILE)
    stranger = Sorted(person_id(shop.tenant, IdentityGiven("email", "kim@gmail.com")), "private")
    with pytest.raises(Invalid) as refusal:
        await desk.start(context, shop.tenant, found.import_id, StartImport((stranger,)))
    assert refusal.value.field == "people[0].id"
    assert (await whole.load(context, shop.tenant, found.import_id)).state == "ready"


async def test_people_nobody_sorted_in_time_are_forgotten(context: Context, shop: Shop, admin: Connection):
    found = await brought(shop, FILE)
    assert not await whole.work.advance(context), "not yet"
    await admin.execute("UPDATE import SET due_at = now()")
    assert await whole.work.advance(context)
    found = await whole.load(context, shop.tenant, found.import_id)
    assert await outcomes(shop, found) == {"recorded": 2, "skipped": 2, "private": 1}
    assert await shop.rows("SELECT FROM import_person WHERE sealed IS NOT NULL") == []
    assert await shop.rows("SELECT FROM import_row WHERE sealed IS NOT NULL") == []
    assert not await whole.work.advance(context)
