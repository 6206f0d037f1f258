"""The engine over the real road: it suggests little, says why, asks once, sees what was done, and repeats nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import time_machine

from domain import nudges
from domain.channels import DescribeChannel
from domain.nudges import AcceptNudge, DismissNudge, NudgeSuggested, SnoozeNudge
from domain.policy import day_began
from infra import commands, projector
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import ORIGIN, Shop, append, friendship, one_event, touch, work


@pytest.fixture(autouse=True)
async def open_always(shop: Shop, rival: Shop) -> None:
    """Nudges may come at any hour of any day."""
    for who in (shop, rival):
        await who.open_always()


async def open_nudges(shop: Shop) -> list[dict[str, Any]]:
    return [row for row in await shop.contents("nudge") if row["state"] in nudges.OPEN]


async def befriend(shop: Shop, *names: str) -> dict[str, UUID]:
    """Online friends whom it would be good to meet; their contacts."""
    found = {}
    for name in names:
        found[name] = (await shop.know(*friendship(name)))[0]
    return found


async def said(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    """What the engine said, in order."""
    rows = await shop.rows("SELECT type, body FROM event WHERE stream LIKE 'nudge-%' ORDER BY position")
    return [(row["type"], msgspec.json.decode(row["body"])) for row in rows]


async def answer(shop: Shop, nudge_id: str, command: nudges.Command) -> None:
    await commands.answer_nudge(shop.context, shop.tenant, UUID(nudge_id), command, origin=ORIGIN)
    await work(shop.context)


@contextmanager
def later(days: float) -> Iterator[None]:
    """Our own clock so much further on; the database's stays."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
        yield


async def morning(admin: Connection, shop: Shop) -> None:
    """The new day's work: scores as of today, and the morning's thought."""
    await admin.execute("UPDATE due SET due_at = now() WHERE tenant_id = $1", shop.id)
    await work(shop.context)


async def test_an_online_friend_who_was_never_met_is_worth_a_nudge_with_its_reason(
    context: Context, shop: Shop, rival: Shop
):
    ben = (await befriend(shop, "ben"))["ben"]
    await rival.tell(touch("ben"))
    await work(context)
    [nudge] = await open_nudges(shop)
    [(kind, body)] = await said(shop)
    assert (kind, nudge["contact_id"], nudge["kind"]) == (NudgeSuggested.TYPE, str(ben), "meet_in_person")
    [tie] = await shop.contents("relationship")
    assert body["numbers"]["score"] == tie["score"] >= 25
    assert body["numbers"]["online_points"] == round(tie["online_points"], 1)
    latest = await shop.rows("SELECT touchpoint_id FROM timeline ORDER BY occurred_at DESC LIMIT 5")
    assert body["touchpoint_ids"] == [str(row["touchpoint_id"]) for row in latest]
    assert datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC) > timedelta(days=20)
    assert await said(rival) == []


async def test_the_propensity_is_in_the_log_from_the_first_day(context: Context, shop: Shop):
    await befriend(shop, "ben")
    await work(context)
    [row] = await shop.rows("SELECT body, type, version FROM event WHERE type = 'nudge.suggested'")
    assert msgspec.json.decode(row["body"], type=NudgeSuggested).propensity == 1.0


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([touch("ben", ago=ago, direction="out") for ago in range(1, 60, 2)], "one-sided"),
        ([touch("ben", ago=ago, direction=("in", "out")[ago % 2]) for ago in (1, 2)], "weak"),
        ([*friendship(), touch("ben", ago=200, kind="meeting", channel="cafe", direction="mutual")], "met before"),
        ([touch("ben", ago=i, kind="call", channel="cafe", direction="mutual") for i in range(1, 60, 5)], "in person"),
    ],
)
async def test_no_nudge_for_a_tie_that_is(context: Context, shop: Shop, rival: Shop, items: list[Any], why: str):
    await shop.tell(*items)
    await befriend(rival, "ben")
    await work(context)
    assert await said(shop) == [], why
    assert len(await open_nudges(rival)) == 1


@pytest.mark.parametrize("ending", ["died", "moved", "ended", "said_no"])
async def test_no_nudge_ever_for_a_relationship_that_was_closed(
    context: Context, shop: Shop, rival: Shop, admin: Connection, ending: str
):
    """Also where one is open at the time."""
    friends = await befriend(shop, "ben", "ana")
    await shop.change(friends["ben"], closed=ending)
    await work(context)
    [nudge] = await open_nudges(shop)
    assert nudge["contact_id"] == str(friends["ana"])
    await shop.change(friends["ana"], closed=ending)
    await work(context)
    assert await open_nudges(shop) == []
    with later(100):
        friends |= await befriend(shop, "ben", "ana", "eve")
        await morning(admin, shop)
        [nudge] = await open_nudges(shop)
        assert nudge["contact_id"] == str(friends["eve"])


@pytest.mark.parametrize(
    ("known", "question"),
    [
        ({}, "within_reach"),
        ({"locality": "Portland"}, None),
        ({"locality": " portland "}, None),
        ({"locality": "Berlin"}, "no nudge"),
        ({"within_reach": "yes", "locality": "Berlin"}, None),
        ({"within_reach": "no", "locality": "Portland"}, "no nudge"),
        ({"within_reach": "unknown"}, "no nudge"),
    ],
)
async def test_only_who_is_within_reach_and_the_question_where_nobody_knows(
    context: Context, shop: Shop, known: dict[str, str], question: str | None
):
    ben = (await befriend(shop, "ben"))["ben"]
    if known:
        await shop.change(ben, **known)
    await work(context)
    assert [nudge["question"] for nudge in await open_nudges(shop)] == ([] if question == "no nudge" else [question])


async def test_the_question_is_asked_once(context: Context, shop: Shop, admin: Connection):
    await befriend(shop, "ben")
    await work(context)
    [nudge] = await open_nudges(shop)
    await answer(shop, nudge["nudge_id"], DismissNudge())
    with later(400):
        friends = await befriend(shop, "ben", "ana")
        await morning(admin, shop)
        assert [nudge["contact_id"] for nudge in await open_nudges(shop)] == [str(friends["ana"])]
        await shop.change(friends["ben"], locality="Portland")
        await work(context)
        assert len(await open_nudges(shop)) == 2, "known by now, so nothing is asked"


@pytest.mark.parametrize("reply", ["no", "unknown"])
async def test_a_no_or_a_dont_know_ends_it_for_good(context: Context, shop: Shop, admin: Connection, reply: Any):
    ben = (await befriend(shop, "ben"))["ben"]
    await work(context)
    [nudge] = await open_nudges(shop)
    await answer(shop, nudge["nudge_id"], AcceptNudge(within_reach=reply))
    assert await shop.value("SELECT within_reach FROM contact WHERE contact_id = $1", ben) == reply
    with later(400):
        friends = await befriend(shop, "ben", "ana")
        await morning(admin, shop)
        assert [nudge["contact_id"] for nudge in await open_nudges(shop)] == [str(friends["ana"])]


async def test_a_yes_is_remembered_and_never_asked_again(context: Context, shop: Shop, admin: Connection):
    ben = (await befriend(shop, "ben"))["ben"]
    await work(context)
    [nudge] = await open_nudges(shop)
    for _ in range(2):
        await answer(shop, nudge["nudge_id"], AcceptNudge(within_reach="yes"))
    assert await shop.value("SELECT within_reach FROM contact WHERE contact_id = $1", ben) == "yes"
    assert (await shop.types()).count("contact.reach_noted") == 1
    await answer(shop, nudge["nudge_id"], DismissNudge())
    with later(61):
        await befriend(shop, "ben")
        await morning(admin, shop)
        [again] = await open_nudges(shop)
        assert again["question"] is None


async def test_three_a_day_and_nine_a_week(context: Context, shop: Shop, rival: Shop, admin: Connection):
    await befriend(shop, *(f"guest{n}" for n in range(14)))
    await befriend(rival, "ben")
    await work(context)
    counts = []
    for day in range(9):
        with later(day):
            await morning(admin, shop)
            counts.append(len(await said(shop)))
            await morning(admin, shop)
            assert len(await said(shop)) == counts[-1], "the same day"
    assert counts == [3, 6, 9, 9, 9, 9, 9, 12, 14]
    assert len(await said(rival)) == 1


async def test_the_day_is_the_tenants_own(context: Context, shop: Shop, admin: Connection):
    """A suggestion just before its midnight leaves the new day its own three."""
    await befriend(shop, *(f"guest{n}" for n in range(8)))
    await work(context)
    began = day_began(datetime.now(UTC), shop.tenant.time_zone)
    await admin.execute("UPDATE nudge SET suggested_at = $1", began)
    await morning(admin, shop)
    assert len(await said(shop)) == 3
    await admin.execute("UPDATE nudge SET suggested_at = $1", began - timedelta(microseconds=1))
    await morning(admin, shop)
    assert len(await said(shop)) == 6


async def test_a_contact_has_one_open_nudge_and_then_rests_for_sixty_days(
    context: Context, shop: Shop, admin: Connection
):
    ben = (await befriend(shop, "ben"))["ben"]
    await shop.change(ben, within_reach="yes")
    await work(context)
    await shop.tell(touch("ben", ago=0), touch("ben", ago=0, direction="in"))
    await work(context)
    [nudge] = await open_nudges(shop)
    await answer(shop, nudge["nudge_id"], DismissNudge())
    with later(59.9):
        await befriend(shop, "ben")
        await morning(admin, shop)
        assert await open_nudges(shop) == []
    with later(60.1):
        await morning(admin, shop)
        [again] = await open_nudges(shop)
        assert again["nudge_id"] != nudge["nudge_id"]


async def test_a_snoozed_nudge_comes_back_and_lasts_a_week_longer(context: Context, shop: Shop, admin: Connection):
    await befriend(shop, "ben")
    await work(context)
    [nudge] = await open_nudges(shop)
    until = datetime.now(UTC) + timedelta(days=30)
    await answer(shop, nudge["nudge_id"], SnoozeNudge(until))
    [snoozed] = await open_nudges(shop)
    assert (snoozed["state"], datetime.fromisoformat(snoozed["expires_at"])) == ("snoozed", until + timedelta(days=7))
    with later(36.9):
        await morning(admin, shop)
        assert len(await open_nudges(shop)) == 1
    with later(37.1):
        await morning(admin, shop)
    assert [kind for kind, _ in await said(shop)] == ["nudge.suggested", "nudge.snoozed", "nudge.expired"]


async def test_what_nobody_did_expires_once(context: Context, shop: Shop, rival: Shop, admin: Connection):
    for who in (shop, rival):
        await befriend(who, "ben")
    await work(context)
    with later(20.9):
        await morning(admin, shop)
        assert [kind for kind, _ in await said(shop)] == ["nudge.suggested"]
    with later(21.1):
        for _ in range(3):
            await morning(admin, shop)
    assert [kind for kind, _ in await said(shop)] == ["nudge.suggested", "nudge.expired"]
    assert [kind for kind, _ in await said(rival)] == ["nudge.suggested"]


async def test_a_meeting_afterwards_is_the_nudge_done(context: Context, shop: Shop, rival: Shop):
    ben = (await befriend(shop, "ben"))["ben"]
    await befriend(rival, "ben")
    await work(context)
    [nudge] = await open_nudges(shop)
    await shop.tell(touch("ben", ago=0, channel="email"))
    await shop.tell(touch("ana", ago=0, channel="cafe", kind="meeting", direction="mutual"))
    await work(context)
    assert len(await open_nudges(shop)) == 1, "an e-mail, somebody else: not that"
    [met] = await shop.tell(touch(["ana", "ben"], ago=0, channel="cafe", kind="meeting", direction="mutual"))
    await work(context)
    assert await open_nudges(shop) == []
    kind, body = (await said(shop))[-1]
    assert (kind, body["nudge_id"], body["touchpoint_id"]) == ("nudge.done", nudge["nudge_id"], str(met.event_id))
    assert body["contact_id"] == str(ben)
    assert [kind for kind, _ in await said(rival)] == ["nudge.suggested"]


@pytest.mark.parametrize(("ago", "direction"), [(3, "mutual"), (0, "in")])
async def test_who_was_met_otherwise_needs_no_nudge_any_more_and_nothing_was_done(
    context: Context, shop: Shop, rival: Shop, ago: float, direction: str
):
    """A meeting from before the suggestion, told late; a visit of theirs."""
    for who in (shop, rival):
        await befriend(who, "ben")
    await work(context)
    await shop.tell(touch("ben", ago=ago, channel="cafe", kind="meeting", direction=direction))
    await work(context)
    kind, body = (await said(shop))[-1]
    assert (kind, body["because"]) == ("nudge.expired", "no_longer_needed")
    [nudge] = await shop.contents("nudge")
    assert (nudge["state"], nudge["because"], nudge["done_by"]) == ("expired", "no_longer_needed", None)
    assert len(await open_nudges(rival)) == 1


async def test_a_place_that_turns_out_to_be_physical_makes_the_nudge_done(context: Context, shop: Shop):
    """What was done is looked up in what is known now, not in what came in just now."""
    await befriend(shop, "ben")
    await work(context)
    await shop.tell(touch("ben", ago=0, channel="corner", kind="meeting", direction="mutual"))
    await work(context)
    assert len(await open_nudges(shop)) == 1
    await commands.describe_channel(context, shop.tenant, DescribeChannel("corner", realm="physical"), origin=ORIGIN)
    await work(context)
    assert [kind for kind, _ in await said(shop)] == ["nudge.suggested", "nudge.done"]


async def test_who_shares_contacts_comes_before_who_is_stronger(context: Context, shop: Shop, rival: Shop):
    strong = await befriend(shop, "ann", "bob", "cat")
    weak = (await befriend(shop, "eve"))["eve"]
    for name in strong:
        await shop.tell(*(touch(name, ago=0.5 + n, kind="call", direction="mutual") for n in range(5)))
    await shop.tell(touch(["eve", "joe"], ago=3), touch(["eve", "zoe", "joe"], ago=2))
    await work(context)
    scores = {row["contact_id"]: row["score"] for row in await shop.contents("relationship")}
    bodies = [body for _, body in await said(shop)]
    assert len(bodies) == 3
    assert bodies[0]["contact_id"] == str(weak)
    assert bodies[0]["numbers"]["shared_contacts"] == 2
    assert all(scores[body["contact_id"]] > scores[str(weak)] for body in bodies[1:])


async def test_a_pass_made_twice_says_the_same_once(context: Context, shop: Shop, rival: Shop, admin: Connection):
    """As when a worker died after its events and before its checkpoint: which cannot be, but would do no harm."""
    for who in (shop, rival):
        await befriend(who, "ben", "ana")
    await work(context)
    log = await shop.positions()
    rewind = "UPDATE checkpoint SET position = 0, own_position = 0 WHERE process IN ('nudge_engine', 'nudges')"
    await admin.execute(rewind)
    await admin.execute("DELETE FROM nudge")
    await admin.execute("UPDATE checkpoint SET position = (SELECT position - 2 FROM tenant_head h WHERE"
                        " h.tenant_id = checkpoint.tenant_id) WHERE process = 'nudges'")  # fmt: skip
    await admin.execute("UPDATE tenant_head SET awake = true")
    assert await projector.advance(context)
    await work(context)
    assert await shop.positions() == log
    assert len(await open_nudges(shop)) == 2
    assert len(await open_nudges(rival)) == 2


async def test_nothing_is_ever_written_to_a_contact(context: Context, shop: Shop):
    """The engine appends to its own streams, and there is no other way out of the house in it."""
    await befriend(shop, "ben", "ana")
    await work(context)
    rows = await shop.rows("SELECT stream, type, meta FROM event WHERE meta LIKE '%nudge_engine%'::bytea")
    assert {row["stream"].partition("-")[0] for row in rows} == {"nudge"}
    assert {row["type"].partition(".")[0] for row in rows} == {"nudge"}
    assert len(rows) == 2


async def test_the_engine_comes_to_rest(context: Context, shop: Shop, admin: Connection):
    await befriend(shop, "ben", "ana", "eve", "joe")
    await work(context)
    log = await shop.positions()
    for _ in range(3):
        assert await work(context) == 0
    assert await shop.positions() == log


async def test_a_second_try_of_the_same_suggestion_is_a_duplicate_or_a_conflict_never_a_second_one(
    context: Context, shop: Shop
):
    await befriend(shop, "ben")
    await work(context)
    [nudge] = await open_nudges(shop)
    again = one_event(shop.id, event_id=UUID(nudge["nudge_id"]), stream=f"nudge-{nudge['nudge_id']}", fingerprint=b"x")
    [verdict] = await append(context, again)
    assert verdict.judgement == "conflict"
    [other] = await append(context, one_event(shop.id, event_id=uuid4()))
    assert other.judgement == "recorded"
