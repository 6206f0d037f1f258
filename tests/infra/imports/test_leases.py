"""Turns of imports: by lease, businesses in turn, and nobody waits for the work of another."""

import asyncio
import io
from uuid import UUID

import psutil
import pytest

from domain.errors import Refused
from domain.imports import StartImport
from infra.context import Context
from infra.imports import desk, files, open_files, reading, whole, work
from infra.imports.open_files import MOST_OPEN
from tests.conftest import Database, Servers
from tests.infra import quiet
from tests.infra.imports.bringing import OWNER, dried, meetings, outcomes, undone
from tests.infra.quiet import Connection, Shop, until


async def waiting(shop: Shop, content: bytes) -> UUID:
    """A file brought, and nothing done about it."""
    async with files.spooled(files.pieces_of(io.BytesIO(content)), most=100_000_000) as kept:
        return (await desk.bring(shop.context, shop.tenant, kept, file_name="t.csv", origin=OWNER)).import_id


async def state_of(shop: Shop, import_id: UUID) -> str:
    return (await whole.load(shop.context, shop.tenant, import_id)).state


def server_of_readers(context: Context) -> psutil.Process:
    assert context.files.readers.server is not None
    return psutil.Process(context.files.readers.server)


async def test_a_try_is_counted_and_the_import_can_be_cancelled_while_its_file_is_being_read(
    context: Context, shop: Shop, rival: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_files, "SLICE", 60.0)
    other = await waiting(rival, meetings(30))
    import_id = await waiting(shop, meetings(30))
    server = server_of_readers(context)
    server.suspend()  # so that no reader says anything
    turn = asyncio.create_task(work.advance_one(context, shop.id, import_id))
    try:
        await until(lambda: first(shop, "SELECT tries FROM import WHERE import_id = $1 AND tries > 0", import_id))
        await desk.cancel(context, shop.tenant, import_id)
        assert not turn.done()
        assert await state_of(shop, import_id) == "cancelled"
    finally:
        server.resume()
    assert await turn
    found = await whole.load(context, shop.tenant, import_id)
    assert (found.state, found.error, found.rows) == ("cancelled", "cancelled", None)
    assert await shop.rows("SELECT FROM import_row") == []
    assert (await whole.follow(context, rival.tenant, other)).state == "ready"


async def test_an_import_that_is_begun_again_and_again_and_never_comes_to_an_end_is_given_up(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    other = await waiting(rival, meetings(30))
    import_id = await waiting(shop, meetings(30))
    await admin.execute("UPDATE import SET tries = $2 WHERE import_id = $1", import_id, work.MOST_BEGUN)
    assert await work.advance_one(context, shop.id, import_id)
    found = await whole.load(context, shop.tenant, import_id)
    assert (found.state, found.error) == (
        "failed",
        "reading it broke off 12 times: bring it again, in parts or saved anew",
    )
    assert (await whole.follow(context, rival.tenant, other)).state == "ready"


async def test_a_turn_that_comes_to_something_counts_for_no_try(context: Context, shop: Shop, admin: Connection):
    import_id = await waiting(shop, meetings(1_500))
    await admin.execute("UPDATE import SET tries = 10 WHERE import_id = $1", import_id)
    assert await work.advance_one(context, shop.id, import_id)
    assert (await whole.load(context, shop.tenant, import_id)).tries == 0


class Held:
    """A batch of 1,000 rows that is being recorded, and cannot go on until the head of its tenant is let go."""

    def __init__(self, context: Context, shop: Shop, admin: Connection) -> None:
        self.context, self.shop, self.admin = context, shop, admin
        self.turn: asyncio.Task[bool]

    async def begin(self, import_id: UUID) -> None:
        self.head = self.admin.transaction()
        await self.head.start()
        await self.admin.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR UPDATE", self.shop.id)
        self.turn = asyncio.create_task(work.advance_one(self.context, self.shop.id, import_id))
        query = "SELECT batch_to FROM import WHERE import_id = $1 AND batch_to > through_row"
        await until(lambda: first(self.shop, query, import_id))

    async def let_go(self) -> None:
        await self.head.rollback()


async def first(shop: Shop, query: str, *values: object) -> object:
    rows = await shop.rows(query, *values)
    return rows and next(iter(rows[0].values()))


async def test_cancelling_waits_for_no_batch_and_what_the_batch_recorded_is_accounted_for(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    found = await dried(shop, meetings(2_500))
    await desk.start(context, shop.tenant, found.import_id, StartImport())
    held = Held(context, shop, admin)
    await held.begin(found.import_id)
    await desk.cancel(context, shop.tenant, found.import_id)
    await desk.cancel(context, shop.tenant, found.import_id)
    assert not held.turn.done()
    with pytest.raises(Refused, match="is undone when it has ended: this one is being cancelled"):
        await desk.undo(context, shop.tenant, found.import_id)
    await held.let_go()
    assert await held.turn
    found = await whole.load(context, shop.tenant, found.import_id)
    assert (found.state, found.error, found.rows) == ("cancelled", "cancelled", 2_500)
    assert await outcomes(shop, found) == {"recorded": 1_000}
    assert (await shop.types()).count("touchpoint.recorded") == 1_000
    found = await undone(shop, found)
    assert await outcomes(shop, found) == {"undone": 1_000}
    assert await rival.positions() == []


async def test_a_batch_whose_worker_died_and_that_was_cancelled_is_finished_and_no_other_begun(
    context: Context, shop: Shop, admin: Connection
):
    found = await dried(shop, meetings(2_500))
    await desk.start(context, shop.tenant, found.import_id, StartImport())
    held = Held(context, shop, admin)
    await held.begin(found.import_id)
    held.turn.cancel()
    await asyncio.gather(held.turn, return_exceptions=True)
    await desk.cancel(context, shop.tenant, found.import_id)
    await held.let_go()
    found = await whole.follow(context, shop.tenant, found.import_id)
    assert found.state == "cancelled"
    assert await outcomes(shop, found) == {"recorded": 1_000}
    assert (await shop.types()).count("touchpoint.recorded") == 1_000


async def test_businesses_take_turns_however_many_files_one_of_them_brings(
    context: Context, shop: Shop, rival: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_files, "SLICE", 60.0)
    many = [await waiting(shop, meetings(2_500)) for _ in range(4)]
    one = await waiting(rival, meetings(1_500))
    turns = 0
    while await state_of(rival, one) != "ready":
        assert await work.advance(context)
        turns += 1
    assert turns <= 8
    assert [await state_of(shop, import_id) for import_id in many[1:]] == ["reading"] * 3
    while await work.advance(context):
        pass
    assert [await state_of(shop, import_id) for import_id in many] == ["ready"] * 4


async def test_turns_beside_each_other_are_never_of_the_same_import(context: Context, shop: Shop, rival: Shop):
    found = [await dried(who, meetings(2_500)) for who in (shop, rival)]
    for who, one in zip((shop, rival), found, strict=True):
        await desk.start(context, who.tenant, one.import_id, StartImport())

    async def turns() -> None:
        while await work.advance(context):
            pass

    await asyncio.gather(turns(), turns(), turns())
    for who, one in zip((shop, rival), found, strict=True):
        loaded = await whole.load(context, who.tenant, one.import_id)
        assert await outcomes(who, loaded) == {"recorded": 2_500}
        assert (await who.types()).count("touchpoint.recorded") == 2_500


async def test_a_few_files_are_open_at_once_and_the_others_have_their_time(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_files, "SMALL", 1_000)
    shops = [await quiet.new_shop(context, f"Shop {n}") for n in range(MOST_OPEN + 2)]
    brought = [(shop, await waiting(shop, meetings(1_200))) for shop in shops]
    while await work.advance(context):
        assert len(context.files.open) <= MOST_OPEN
    assert [await state_of(*one) for one in brought] == ["ready"] * len(brought)


async def test_no_file_stays_open_that_waits_for_somebody_to_say_who_is_us(context: Context, shop: Shop, rival: Shop):
    mailbox = (
        b"From a Mon Mar  3 10:00:00 2025\nFrom: a@b.example\nTo: c@d.example\nDate: Mon, 3 Mar 2025 10:00:00 +0000\n\n"
    )
    asking = [await waiting(shop, mailbox) for _ in range(MOST_OPEN + 1)]
    own = await waiting(rival, meetings(30))
    while await work.advance(context):
        pass
    assert [await state_of(shop, import_id) for import_id in asking] == ["needs_owner"] * len(asking)
    assert await state_of(rival, own) == "ready"
    assert context.files.open == []


async def test_a_file_of_too_many_rows_is_refused_in_a_sentence(
    context: Context, shop: Shop, rival: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "MOST_ROWS", 1_000)
    import_id = await waiting(shop, meetings(1_001))
    found = await whole.follow(context, shop.tenant, import_id)
    assert (found.state, found.error) == (
        "failed",
        "this file has more than 1,000 rows: divide it, and bring the parts",
    )
    assert (await dried(rival, meetings(999))).state == "ready"


async def test_a_turn_that_ends_after_its_import_was_cancelled_changes_nothing_of_it(
    context: Context, shop: Shop, rival: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_files, "SLICE", 0.3)
    import_id = await waiting(shop, meetings(30))
    server = server_of_readers(context)
    server.suspend()
    turn = asyncio.create_task(work.advance_one(context, shop.id, import_id))
    try:
        await until(lambda: first(shop, "SELECT tries FROM import WHERE import_id = $1 AND tries > 0", import_id))
        await desk.cancel(context, shop.tenant, import_id)
        before = await first(shop, "SELECT to_jsonb(i) FROM import i WHERE import_id = $1", import_id)
        assert await turn
    finally:
        server.resume()
    assert await first(shop, "SELECT to_jsonb(i) FROM import i WHERE import_id = $1", import_id) == before
    assert (await dried(rival, meetings(3))).state == "ready"


async def test_what_is_no_fault_of_the_file_is_tried_for_ever_with_growing_pauses(
    context: Context, shop: Shop, admin: Connection, monkeypatch: pytest.MonkeyPatch
):
    import_id = await waiting(shop, meetings(30))

    async def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "fetch", full)
        for _ in range(work.MOST_BEGUN + work.MOST_TRIES):
            assert await work.advance_one(context, shop.id, import_id)
            assert await first(shop, "SELECT due_at > now() FROM import WHERE import_id = $1", import_id)
            await admin.execute("UPDATE import SET due_at = now()")
    found = await whole.load(context, shop.tenant, import_id)
    assert found.state == "reading"
    assert found.error is not None
    assert found.error.startswith("OSError at ")
    assert (await whole.follow(context, shop.tenant, import_id)).state == "ready"


async def test_a_business_whose_key_does_not_open_stops_nobody(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    broken = await waiting(shop, meetings(30))
    own = await waiting(rival, meetings(30))
    await admin.execute("UPDATE tenant SET wrapped_key = sha256(wrapped_key) WHERE tenant_id = $1", shop.id)
    while await work.advance(context):
        pass
    assert await state_of(rival, own) == "ready"
    assert "WrongKey" in str(await first(shop, "SELECT error FROM import WHERE import_id = $1", broken))


async def test_as_many_turns_as_there_may_be_record_beside_each_other(
    quiet_database: Database, servers: Servers, admin: Connection
):
    connections = 3 * 4
    async with quiet.opened(quiet_database, servers, connections=connections) as context:
        shops = [await quiet.new_shop(context, f"Shop {n}") for n in range(4)]
        for shop in shops:
            found = await dried(shop, meetings(1_200))
            await desk.start(context, shop.tenant, found.import_id, StartImport())

        async def turns() -> None:
            while await work.advance(context):
                pass

        await asyncio.gather(*(turns() for _ in range(4)))
        assert [(await shop.types()).count("touchpoint.recorded") for shop in shops] == [1_200] * 4
