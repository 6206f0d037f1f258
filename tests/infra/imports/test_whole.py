"""A file from end to end: read, recorded, brought once more, taken back, brought again."""

from infra.context import Context
from tests.infra.imports.bringing import accounts, brought, dried, looked, meetings, outcomes, table, undone
from tests.infra.quiet import Shop


async def test_every_row_of_a_table_is_accounted_for(context: Context, shop: Shop, rival: Shop):
    content = table(
        "meeting,2025-03-02,Ana <ana@mill.example>,cafe,,,Mill Ltd",
        "meeting,nonsense,Ben <ben@mill.example>,cafe,,,Mill Ltd",
        ",,,,,,",
        "meeting,2025-03-02,Ana <ana@mill.example>,cafe,,,Mill Ltd",
    )
    found = await brought(shop, content)
    assert found.state == "done"
    assert await outcomes(shop, found) == {"recorded": 2, "rejected": 1, "skipped": 1}
    assert [(row["row"], row["line"], row["outcome"]) for row in await accounts(shop, found)] == [
        (1, 2, "recorded"),
        (2, 3, "rejected"),
        (3, 4, "skipped"),
        (4, 5, "recorded"),
    ]
    assert await rival.rows("SELECT FROM import") == []
    assert await rival.positions() == []


async def test_a_dry_run_records_nothing(context: Context, shop: Shop):
    found = await dried(shop, meetings(30))
    assert found.state == "ready"
    assert await outcomes(shop, found) == {"recorded": 30}
    assert await shop.positions() == []


async def test_the_same_file_again_records_nothing_twice(context: Context, shop: Shop, rival: Shop):
    content = meetings(30)
    first = await brought(shop, content)
    again = await brought(shop, content)
    assert await outcomes(shop, first) == {"recorded": 30}
    assert await outcomes(shop, again) == {"known": 30}
    other = await brought(rival, content)
    assert await outcomes(rival, other) == {"recorded": 30}


async def test_undone_it_is_as_if_it_had_never_been_and_brought_again_it_is_all_there(
    context: Context, shop: Shop, rival: Shop
):
    content = meetings(30)
    await brought(rival, content)
    first = await brought(shop, content)
    await looked(context)
    there = await shop.contents("relationship")
    assert len(there) == 10
    found = await undone(shop, first)
    await looked(context)
    assert found.state == "undone"
    assert await outcomes(shop, found) == {"undone": 30}
    assert await shop.contents("relationship") == []
    assert {row["touchpoints"] for row in await shop.contents("channel")} == {0}
    again = await brought(shop, content)
    await looked(context)
    assert await outcomes(shop, again) == {"recorded": 30}
    assert await shop.contents("relationship") == there
    await looked(context)
    await undone(shop, again)
    await looked(context)
    assert await shop.contents("relationship") == []
    assert len(await rival.contents("relationship")) == 10
