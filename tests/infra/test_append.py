"""The one function that appends: a verdict for each append, all of it or nothing of it."""

import asyncio
import hashlib
import struct
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from domain.channels import DescribeChannel
from domain.touchpoints import Reference
from infra import commands
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.event_log import Append, Claim, Draft, append_for_many, append_now
from tests.infra.quiet import NOON, ORIGIN, Shop, append, judged, one_event, touch, work

BEN, ANA = b"digest of ben", b"digest of ana"


def claim(handle: bytes, contact_id: UUID) -> Claim:
    return Claim("email", handle, contact_id)


async def test_each_append_gets_the_next_position_and_the_answer_comes_in_input_order(context, shop: Shop, rival: Shop):
    appends = [one_event(who.id) for who in (shop, rival, shop, shop, rival)]
    assert await judged(context, *appends) == [
        ("recorded", 1),
        ("recorded", 1),
        ("recorded", 2),
        ("recorded", 3),
        ("recorded", 2),
    ]
    assert await shop.positions() == [1, 2, 3]
    assert await rival.positions() == [1, 2]
    stored = await shop.rows("SELECT event_id FROM event ORDER BY position")
    assert [row["event_id"] for row in stored] == [appends[n].drafts[0].event_id for n in (0, 2, 3)]


async def test_a_repeat_is_a_duplicate_at_its_first_position(context, shop: Shop, rival: Shop):
    one = one_event(shop.id)
    assert await judged(context, one_event(shop.id), one) == [("recorded", 1), ("recorded", 2)]
    assert await judged(context, one) == [("duplicate", 2)]
    assert await judged(context, one_event(rival.id, event_id=one.drafts[0].event_id)) == [("recorded", 1)]
    assert await shop.positions() == [1, 2]


async def test_the_same_id_with_other_content_is_a_conflict(context, shop: Shop, rival: Shop):
    one = one_event(shop.id, fingerprint=b"one")
    await judged(context, one_event(shop.id), one)
    other = one_event(shop.id, event_id=one.drafts[0].event_id, fingerprint=b"other")
    assert await judged(context, other) == [("conflict", 2)]
    assert await shop.positions() == [1, 2]


async def test_repeats_within_a_call_are_duplicates_of_the_first(context, shop: Shop, rival: Shop):
    one = one_event(shop.id, fingerprint=b"one")
    other = one_event(shop.id, event_id=one.drafts[0].event_id, fingerprint=b"other")
    foreign = one_event(rival.id, event_id=one.drafts[0].event_id, fingerprint=b"other")
    assert await judged(context, one_event(shop.id), one, one, other, foreign, one) == [
        ("recorded", 1),
        ("recorded", 2),
        ("duplicate", 2),
        ("conflict", 2),
        ("recorded", 1),
        ("duplicate", 2),
    ]
    assert await shop.positions() == [1, 2]


async def test_a_repeat_of_an_append_that_was_refused_in_the_call_is_judged_anew(context, shop: Shop, rival: Shop):
    holder = uuid4()
    await append(context, one_event(shop.id, claims=(claim(BEN, holder),)))
    refused = one_event(shop.id, claims=(claim(BEN, uuid4()),), fingerprint=b"one")
    again = one_event(shop.id, event_id=refused.drafts[0].event_id, claims=(claim(BEN, holder),), fingerprint=b"two")
    assert await judged(context, refused, again) == [("contact_moved", None), ("busy", None)]
    assert await judged(context, again) == [("recorded", 2)]


async def test_a_handle_is_held_by_the_first_who_claims_it(context, shop: Shop, rival: Shop):
    holder, other = uuid4(), uuid4()
    assert await judged(context, one_event(shop.id, claims=(claim(BEN, holder),))) == [("recorded", 1)]
    moved, fine, foreign = await append(
        context,
        one_event(shop.id, claims=(claim(ANA, other), claim(BEN, other))),
        one_event(shop.id, claims=(claim(BEN, holder),)),
        one_event(rival.id, claims=(claim(BEN, other),)),
    )
    assert (moved.judgement, moved.holder) == ("contact_moved", holder)
    assert (fine.judgement, foreign.judgement) == ("recorded", "recorded")
    held = await shop.rows("SELECT handle, contact_id FROM identity")
    assert held == [{"handle": BEN, "contact_id": holder}], "a refused append claims nothing"
    assert await rival.rows("SELECT handle, contact_id FROM identity") == [{"handle": BEN, "contact_id": other}]


async def test_claims_contested_within_a_call_are_settled_by_the_next_one(context, shop: Shop, rival: Shop):
    first, second = uuid4(), uuid4()
    one, other = (one_event(shop.id, claims=(claim(BEN, who),)) for who in (first, second))
    joins = one_event(shop.id, claims=(claim(BEN, first),))
    foreign = one_event(rival.id, claims=(claim(BEN, second),))
    verdicts = await judged(context, one, other, foreign, joins)
    assert verdicts == [("recorded", 1), ("busy", None), ("recorded", 1), ("recorded", 2)]
    [settled] = await append(context, other)
    assert (settled.judgement, settled.holder) == ("contact_moved", first)


async def test_a_claim_whose_append_is_refused_does_not_keep_others_from_it_for_ever(context, shop: Shop, rival: Shop):
    known = one_event(shop.id, fingerprint=b"known")
    await append(context, known)
    conflict = one_event(
        shop.id, event_id=known.drafts[0].event_id, fingerprint=b"other", claims=(claim(BEN, uuid4()),)
    )
    wants = one_event(shop.id, claims=(claim(BEN, who := uuid4()),))
    assert await judged(context, conflict, wants) == [("conflict", 1), ("busy", None)]
    assert await judged(context, wants) == [("recorded", 2)]
    assert await shop.value("SELECT contact_id FROM identity") == who


async def test_an_event_that_is_there_already_is_not_stored_again_beside_a_lead(context, shop: Shop, rival: Shop):
    opening = Draft("channel-cafe", uuid4(), "channel.opened", 1, NOON, b"{}")

    def visit(tenant_id: UUID, **more: object) -> Append:
        lead = one_event(tenant_id, **more)
        return Append(tenant_id, (opening, *lead.drafts), lead.fingerprint, lead.meta)

    assert await judged(context, visit(shop.id), visit(shop.id), visit(rival.id)) == [
        ("recorded", 2),
        ("recorded", 3),
        ("recorded", 2),
    ]
    assert await judged(context, visit(shop.id)) == [("recorded", 4)]
    assert await shop.types() == ["channel.opened", "test.done", "test.done", "test.done"]
    assert await rival.types() == ["channel.opened", "test.done"]


async def test_a_lead_is_stored_even_where_its_id_stands_beside_another_lead(context, shop: Shop):
    lead = one_event(shop.id)
    beside = Append(shop.id, (*lead.drafts, *one_event(shop.id).drafts), b"f", b"{}")
    verdicts = await judged(context, beside, lead)
    assert [verdict for verdict, _ in verdicts] == ["recorded", "recorded"]
    assert sorted(position for _, position in verdicts) == await shop.positions() == [1, 2]


async def test_a_lead_that_was_stored_beside_another_is_a_conflict(context, shop: Shop):
    beside = one_event(shop.id).drafts[0]
    await append(context, Append(shop.id, (beside, *one_event(shop.id).drafts), b"f", b"{}"))
    assert await judged(context, one_event(shop.id, event_id=beside.event_id)) == [("conflict", 1)]


async def test_an_append_of_many_events_is_stored_whole_or_not_at_all(context, shop: Shop, rival: Shop):
    drafts = tuple(one_event(shop.id).drafts[0] for _ in range(5))
    assert await judged(context, Append(shop.id, drafts, b"f", b"{}")) == [("recorded", 5)]
    await append(context, one_event(shop.id, claims=(claim(BEN, uuid4()),)))
    more = tuple(one_event(shop.id).drafts[0] for _ in range(5))
    key = (uuid4(), b"key")
    refused = Append(shop.id, more, b"f", b"{}", claims=(claim(ANA, key[0]), claim(BEN, key[0])), keys=(key,))
    [verdict] = await append(context, refused)
    assert verdict.judgement == "contact_moved"
    assert await shop.positions() == [1, 2, 3, 4, 5, 6]
    assert await shop.rows("SELECT 1 FROM subject_key") == []
    assert await shop.rows("SELECT 1 FROM identity WHERE handle = $1", ANA) == []


async def test_nothing_in_an_array_loses_its_neighbours(context, shop: Shop, rival: Shop):
    sealed = one_event(shop.id, sealed=b"sealed", keys=((uuid4(), b"key"),), claims=(claim(BEN, uuid4()),))
    guarded = one_event(shop.id, stream="contact-x", expected=("contact-x", 0))
    assert await judged(context, one_event(shop.id), sealed, guarded, one_event(rival.id)) == [
        ("recorded", 1),
        ("recorded", 2),
        ("recorded", 3),
        ("recorded", 1),
    ]
    rows = await shop.rows("SELECT sealed, body, fingerprint FROM event ORDER BY position")
    assert [row["sealed"] for row in rows] == [None, b"sealed", None]
    assert {row["body"] for row in rows} == {b"{}"}


async def test_only_the_lead_carries_the_fingerprint(context, shop: Shop):
    await append(context, Append(shop.id, (*one_event(shop.id).drafts, *one_event(shop.id).drafts), b"print", b"{}"))
    assert [r["fingerprint"] for r in await shop.rows("SELECT fingerprint FROM event ORDER BY position")] == [
        None,
        b"print",
    ]


async def test_an_expected_position_guards_against_a_stale_page(context, shop: Shop, rival: Shop):
    stream = "contact-x"
    assert await judged(context, one_event(shop.id), one_event(shop.id, stream=stream, expected=(stream, 0))) == [
        ("recorded", 1),
        ("recorded", 2),
    ]
    stale = one_event(shop.id, stream=stream, expected=(stream, 0))
    fresh = one_event(shop.id, stream=stream, expected=(stream, 2))
    foreign = one_event(rival.id, stream=stream, expected=(stream, 0))
    verdicts = await judged(context, stale, fresh, foreign)
    assert verdicts[0] == ("stale", 2)
    assert verdicts[1][0] == "busy", "an earlier append of the call may move the stream"
    assert verdicts[2] == ("recorded", 1)
    assert await judged(context, fresh) == [("recorded", 3)]
    assert await judged(context, fresh) == [("duplicate", 3)], "known before, so not stale"


async def test_an_append_that_speaks_of_an_erased_person_is_refused(
    context, shop: Shop, rival: Shop, admin: Connection
):
    gone, here = uuid4(), uuid4()
    for tenant in (shop, rival):
        await append(context, one_event(tenant.id, keys=((gone, b"key"), (here, b"key"))))
    await admin.execute(
        "UPDATE subject_key SET wrapped_key = NULL, erased_at = now() WHERE tenant_id = $1 AND subject_id = $2",
        shop.id, gone,
    )  # fmt: skip
    assert await judged(
        context,
        one_event(shop.id, subjects=(here, gone)),
        one_event(shop.id, subjects=(here,)),
        one_event(shop.id, subjects=(uuid4(),)),
        one_event(rival.id, subjects=(gone,)),
    ) == [("subject_erased", None), ("recorded", 2), ("recorded", 3), ("recorded", 2)]
    assert await judged(context, one_event(shop.id, keys=((gone, b"again"),))) == [("recorded", 4)]
    assert await shop.value("SELECT wrapped_key FROM subject_key WHERE subject_id = $1", gone) is None


async def test_an_unknown_tenant_is_said(context, shop: Shop):
    assert await judged(context, one_event(uuid4()), one_event(shop.id)) == [("no_such_tenant", None), ("recorded", 1)]


async def test_a_held_head_makes_its_tenant_busy_and_no_other(context, shop: Shop, rival: Shop, admin: Connection):
    async with admin.transaction():
        await admin.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", shop.id)
        began = asyncio.get_running_loop().time()
        assert await judged(context, one_event(shop.id), one_event(rival.id)) == [("busy", None), ("recorded", 1)]
        assert asyncio.get_running_loop().time() - began < 0.15, "without waiting"
        [verdict] = await append(context, one_event(shop.id), waits=True)
        assert verdict.judgement == "busy", "it waits, but not for ever"
    [verdict] = await append(context, one_event(shop.id), waits=True)
    assert (verdict.judgement, verdict.position) == ("recorded", 1)


async def test_one_that_waited_for_the_head_sees_what_was_committed_meanwhile(context, shop: Shop, admin: Connection):
    one, handle = one_event(shop.id), claim(BEN, uuid4())
    async with in_tenant(context.pool, shop.id) as connection:
        await connection.execute(queries("event_log").hold_head)
        repeat = asyncio.create_task(append(context, one, waits=True))
        moved = asyncio.create_task(append(context, one_event(shop.id, claims=(claim(BEN, uuid4()),)), waits=True))
        await asyncio.sleep(0.05)
        await append_now(connection, [msgspec.structs.replace(one, claims=(handle,))], waits=False)
    assert [(v.judgement, v.position) for v in await repeat] == [("duplicate", 1)]
    assert [(v.judgement, v.holder) for v in await moved] == [("contact_moved", handle.contact_id)]


async def test_the_recording_time_never_goes_back_within_a_tenant(context, shop: Shop, rival: Shop, admin: Connection):
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await admin.execute("UPDATE tenant_head SET recorded_at = $2 WHERE tenant_id = $1", shop.id, ahead)
    for _ in range(3):
        await append(context, one_event(shop.id), one_event(rival.id))
    assert {row["recorded_at"] for row in await shop.rows("SELECT recorded_at FROM event")} == {ahead}
    times = [row["recorded_at"] for row in await rival.rows("SELECT recorded_at FROM event ORDER BY position")]
    assert times == sorted(times)
    assert times[-1] < ahead
    assert len(set(times)) == 3


def framed(field: bytes) -> bytes:
    return struct.pack(">i", len(field)) + field


def microseconds(at: datetime) -> bytes:
    return struct.pack(">q", (at - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


async def test_the_hash_chain_can_be_recomputed_from_the_fields(context, shop: Shop, rival: Shop):
    await append(context, one_event(rival.id))
    await append(context, one_event(shop.id, sealed=b"sealed", body='{"name": "Zoë"}'.encode(), stream="contact-ä"))
    drafts = tuple(one_event(shop.id, occurred_at=datetime(1931, 5, 7, tzinfo=UTC)).drafts[0] for _ in range(3))
    await append(context, one_event(shop.id), Append(shop.id, drafts, b"p", b'{"actor":"x"}'), one_event(shop.id))
    chained = b""
    for row in await shop.rows("SELECT * FROM event ORDER BY position"):
        fields = (
            shop.id.bytes, struct.pack(">q", row["position"]), row["event_id"].bytes, row["stream"].encode(),
            row["type"].encode(), struct.pack(">h", row["version"]), microseconds(row["occurred_at"]),
            microseconds(row["recorded_at"]), row["meta"], row["fingerprint"] or b"",
            hashlib.sha256(row["body"]).digest(), hashlib.sha256(row["sealed"]).digest() if row["sealed"] else b"",
        )  # fmt: skip
        digest = hashlib.sha256(b"".join(map(framed, fields))).digest()
        chained = hashlib.sha256(chained + digest).digest()
        assert row["hash"] == chained, row["position"]
    assert await shop.value("SELECT hash FROM tenant_head") == chained
    assert row["position"] == 6


@pytest.mark.parametrize(
    "poison", [{"stream": "a\0b"}, {"stream": "\ud800"}, {"occurred_at": None}, {"version": 70_000}, {"body": None}]
)
async def test_what_the_database_cannot_take_raises_and_stores_nothing(context, shop: Shop, poison: dict[str, object]):
    with pytest.raises((asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)):
        await append(context, one_event(shop.id), one_event(shop.id, **poison), one_event(shop.id))
    assert await shop.positions() == []


async def test_two_contacts_cannot_claim_one_handle_in_one_append(context, shop: Shop):
    both = one_event(shop.id, claims=(claim(BEN, uuid4()), claim(BEN, uuid4())))
    with pytest.raises(asyncpg.UniqueViolationError):
        await append(context, both)
    assert await shop.positions() == []


async def rows_read(admin: Connection) -> int:
    """By all looks at the tables of the log, through an index or not."""
    tables = "relname IN ('event', 'identity', 'subject_key')"
    by_index = f"SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE {tables}"  # noqa: S608
    return await admin.fetchval(f"SELECT ({by_index}) + sum(seq_tup_read) FROM pg_stat_user_tables WHERE {tables}")  # noqa: S608


async def test_a_new_installation_finds_rows_by_their_own_index(context, shop: Shop, rival: Shop, admin: Connection):
    """Plans are made on empty tables and kept: they must not read all events of the tenant for each new one."""
    before = await rows_read(admin)
    async with context.writer.pool.acquire() as connection:
        for _ in range(12):
            people = [uuid4() for _ in range(250)]
            appends = [
                one_event(shop.id, claims=(claim(who.bytes, who),), keys=((who, b"key"),), subjects=(who,))
                for who in people
            ]
            await append_for_many(connection, appends, waits=False)
        await connection.execute("SELECT pg_stat_force_next_flush()")
    assert await shop.positions() == list(range(1, 3_001))
    assert await rows_read(admin) - before < 2 * 3_000


async def test_a_channel_stays_as_described_when_another_process_records_there(
    context: Context, shop: Shop, rival: Shop
):
    cinema = DescribeChannel(slug="cinema", name="The Rex", realm="physical")
    await commands.describe_channel(context, shop.tenant, cinema, origin=ORIGIN)
    await commands.describe_channel(context, shop.tenant, cinema, origin=ORIGIN)
    assert not context.writer.knows_channel(shop.id, "cinema")
    await shop.tell(touch(channel="cinema"))
    await rival.tell(touch(channel="cinema"))
    counts = Counter(await shop.types())
    assert (counts["channel.opened"], counts["channel.described"]) == (1, 1)
    assert Counter(await rival.types())["channel.opened"] == 1


async def test_a_name_told_anywhere_in_a_request_is_the_new_contacts(context: Context, shop: Shop, rival: Shop):
    plain = msgspec.structs.replace(touch("ben"), people=(Reference(email="Ben@Example.com"),))
    [first, second] = await shop.tell(plain, touch("ben", day=1))
    await rival.tell(plain)
    assert first.contact_ids == second.contact_ids
    await work(context)
    assert [row["name"] for row in await shop.contents("contact")] == ["Ben"]
    assert [row["name"] for row in await rival.contents("contact")] == [None]
