"""Work on imports: by any worker, through kills, each row accounted for once."""

import asyncio
import io
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.imports import StartImport
from infra.context import Context
from infra.imports import desk, files, whole, work
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.imports.bringing import OWNER, accounts, brought, dried, looked, meetings, outcomes, table, undone
from tests.infra.quiet import Shop


async def broken_off(context: Context, shop: Shop, found: whole.Import, chance: random.Random) -> whole.Import:
    """Worked on to its end by workers that are cut off at any moment, one after another, each given a little longer."""
    patience = 1.0
    while (found := await whole.load(context, shop.tenant, found.import_id)).state not in whole.RESTING:
        step = asyncio.create_task(whole.follow(context, shop.tenant, found.import_id))
        await asyncio.wait([step], timeout=chance.random() * patience)
        patience *= 1.2
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        context.files.close_all()
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_cut_off_at_any_moment_each_row_is_recorded_and_accounted_for_once(
    context: Context, shop: Shop, rival: Shop, seed: int
):
    chance = random.Random(seed)
    found = await dried(shop, meetings(2_500, people=50))
    await desk.start(context, shop.tenant, found.import_id, StartImport())
    found = await broken_off(context, shop, found, chance)
    assert found.state == "done"
    assert await outcomes(shop, found) == {"recorded": 2_500}
    assert (await shop.types()).count("touchpoint.recorded") == 2_500
    await desk.undo(context, shop.tenant, found.import_id)
    found = await broken_off(context, shop, found, chance)
    assert found.state == "undone"
    assert await outcomes(shop, found) == {"undone": 2_500}
    assert (await shop.types()).count("touchpoint.struck") == 2_500
    await looked(context)
    assert await shop.contents("relationship") == []
    assert await rival.positions() == []


async def test_two_workers_share_an_import_and_record_each_row_once(
    context: Context, shop: Shop, quiet_database: Database, servers: Servers
):
    found = await dried(shop, meetings(3_000))
    await desk.start(context, shop.tenant, found.import_id, StartImport())
    async with quiet.opened(quiet_database, servers) as other:
        await asyncio.gather(
            whole.follow(context, shop.tenant, found.import_id), whole.follow(other, shop.tenant, found.import_id)
        )
    assert await outcomes(shop, await whole.load(context, shop.tenant, found.import_id)) == {"recorded": 3_000}


async def test_a_worker_takes_whatever_waits_of_any_tenant(context: Context, shop: Shop, rival: Shop):
    found = [await dried(who, meetings(30)) for who in (shop, rival)]
    for who, one in zip((shop, rival), found, strict=True):
        await desk.start(context, who.tenant, one.import_id, StartImport())
    while await work.advance(context):
        pass
    for who, one in zip((shop, rival), found, strict=True):
        assert await outcomes(who, await whole.load(context, who.tenant, one.import_id)) == {"recorded": 30}


async def test_an_import_given_up_goes_no_further_and_can_be_taken_back(context: Context, shop: Shop):
    found = await dried(shop, meetings(1_500))
    await desk.start(context, shop.tenant, found.import_id, StartImport())
    assert await work.advance(context)
    await desk.cancel(context, shop.tenant, found.import_id)
    await desk.cancel(context, shop.tenant, found.import_id)
    assert not await work.advance(context)
    found = await whole.load(context, shop.tenant, found.import_id)
    assert (found.state, found.rows) == ("cancelled", 1_500)
    assert await outcomes(shop, found) == {"recorded": 1_000}
    assert await shop.rows("SELECT FROM import_chunk") == []
    found = await undone(shop, found)
    assert await outcomes(shop, found) == {"undone": 1_000}


async def test_a_dry_run_given_up_leaves_nothing(context: Context, shop: Shop):
    found = await dried(shop, meetings(30))
    await desk.cancel(context, shop.tenant, found.import_id)
    for rest in ("import_chunk", "import_row", "import_person", "import_contact"):
        assert await shop.rows(f"SELECT FROM {rest}") == []
    found = await undone(shop, found)
    assert (found.state, found.undone, await shop.positions()) == ("undone", 0, [])


async def test_what_nobody_starts_is_given_up(context: Context, shop: Shop, admin: quiet.Connection):
    found = await dried(shop, meetings(30))
    assert not await work.advance(context)
    await admin.execute("UPDATE import SET due_at = now()")
    assert await work.advance(context)
    assert (await whole.load(context, shop.tenant, found.import_id)).state == "cancelled"
    assert await shop.rows("SELECT FROM import_chunk") == []


@pytest.mark.parametrize("act", ["start", "cancel", "undo"])
async def test_each_act_has_its_time(context: Context, shop: Shop, act: str):
    done = await undone(shop, await brought(shop, meetings(3)))
    if act == "undo":
        running = await dried(shop, meetings(4))
        await desk.start(context, shop.tenant, running.import_id, StartImport())
        with pytest.raises(Refused, match="is undone when it has ended"):
            await desk.undo(context, shop.tenant, running.import_id)
    elif act == "start":
        with pytest.raises(Refused, match="is started when its dry run is over"):
            await desk.start(context, shop.tenant, done.import_id, StartImport())
    else:
        with pytest.raises(Refused, match="is cancelled before it has ended"):
            await desk.cancel(context, shop.tenant, done.import_id)


async def test_another_tenants_import_is_not_there(context: Context, shop: Shop, rival: Shop):
    found = await dried(shop, meetings(3))
    for acting in (
        desk.start(context, rival.tenant, found.import_id, StartImport()),
        desk.undo(context, rival.tenant, found.import_id),
        desk.cancel(context, rival.tenant, found.import_id),
    ):
        with pytest.raises(NotFound):
            await acting


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0", b"%PDF-1.7 ...", b"once upon a time", b"PK\x03\x04broken", b"\xff" * 999]
)
async def test_a_file_of_no_known_format_leaves_nothing(context: Context, shop: Shop, content: bytes):
    with pytest.raises(Invalid) as refusal:
        await brought(shop, content)
    assert refusal.value.field == "file"
    assert await shop.rows("SELECT FROM import") == []
    assert await shop.rows("SELECT FROM import_chunk") == []


async def test_a_file_too_large_leaves_nothing(context: Context, shop: Shop):
    with pytest.raises(Invalid, match="a file takes at most 0 MB"):
        async with files.spooled(files.pieces_of(io.BytesIO(meetings(30))), most=99):
            pass


async def test_the_same_key_is_the_same_import(context: Context, shop: Shop, rival: Shop):
    async def bring(who: Shop, content: bytes) -> desk.Brought:
        async with files.spooled(files.pieces_of(io.BytesIO(content)), most=1_000_000) as kept:
            return await desk.bring(
                context, who.tenant, kept, file_name="../x\0y/t.csv", origin=OWNER, idempotency_key="key"
            )

    first, again, other = [
        await bring(*one) for one in ((shop, meetings(3)), (shop, meetings(3)), (rival, meetings(3)))
    ]
    assert (again.import_id, again.again) == (first.import_id, True)
    assert other.import_id != first.import_id
    with pytest.raises(Conflict):
        await bring(shop, meetings(4))
    assert (await whole.load(context, shop.tenant, first.import_id)).file_name == "t.csv"


async def test_the_same_file_says_so(context: Context, shop: Shop):
    first = await dried(shop, meetings(3))
    async with files.spooled(files.pieces_of(io.BytesIO(meetings(3))), most=1_000_000) as kept:
        second = await desk.bring(context, shop.tenant, kept, file_name=None, origin=OWNER)
    assert second.same_as == first.import_id


async def test_the_file_lies_sealed_until_the_import_has_ended(context: Context, shop: Shop):
    found = await dried(shop, meetings(20_000))
    pieces = await shop.rows("SELECT sealed FROM import_chunk")
    assert len(pieces) > 1
    assert not any(b"mill.example" in piece["sealed"] for piece in pieces)
    await desk.cancel(context, shop.tenant, found.import_id)
    assert await shop.rows("SELECT FROM import_chunk") == []


LINE = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.builds(
        "{},{},{},cafe,{},{},".format,
        st.sampled_from(["meeting", "call", "dance", ""]),
        st.sampled_from(["2025-03-02", "2099-01-01", "31.12.", ""]),
        st.sampled_from(
            ["Ana <ana@mill.example>", "Joe <joe@gmail.com>", "Zoe", "", "a@b", "Ana <ana@mill.example>;Joe"]
        ),
        st.sampled_from(["in", "out", "up"]),
        st.sampled_from(['"open', "fine", '"a ""quote"" it is"', "=cmd()"]),
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINE, max_size=12), unsure=st.sampled_from(["wait", "business", "private"]))
async def test_the_outcomes_add_up_to_the_rows_of_any_file(context: Context, shop: Shop, lines: list[str], unsure: str):
    content = table(*lines)
    dry = await dried(shop, content)
    said = await outcomes(shop, dry)
    assert sum(said.values()) == dry.rows
    found = await whole.record(context, shop.tenant, dry.import_id, whole.Answers(unsure=unsure))  # type: ignore[arg-type]
    assert found.state == "done"
    assert sum((await outcomes(shop, found)).values()) == found.rows == dry.rows
    numbers = [row["row"] for row in await accounts(shop, found)]
    assert numbers == list(range(1, len(numbers) + 1))
    for row in await accounts(shop, found):
        assert (row["fact_id"] is not None) == (row["outcome"] in ("recorded", "known")) or row["reason"]
    found = await undone(shop, found)
    assert sum((await outcomes(shop, found)).values()) == dry.rows
    assert found.recorded == 0
