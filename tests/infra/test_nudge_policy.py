"""The policy on the real road: hours and days, mutes, the new kinds, and what ends a nudge nobody needs any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import time_machine

from domain.appointments import PlanAppointment
from domain.nudges import DismissNudge, MuteNudges
from domain.policy import Policy
from domain.referrals import MakeReferral, ReferralMade, TellOutcome
from domain.touchpoints import Reference
from infra import commands, periodic
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import ORIGIN, Shop, friendship, touch, work
from tests.infra.test_rebuild import rebuild

WEDNESDAY = "2027-03-10"


@contextmanager
def clock(at: str) -> Iterator[None]:
    """Our own clock; the database's stays."""
    with time_machine.travel(datetime.fromisoformat(at), tick=True):
        yield


async def wake(admin: Connection, context: Context) -> None:
    await admin.execute("UPDATE due SET due_at = now()")
    await work(context)


async def said(shop: Shop) -> list[dict[str, Any]]:
    rows = await shop.rows("SELECT type, body FROM event WHERE stream LIKE 'nudge-%' ORDER BY position")
    return [{"type": row["type"], **msgspec.json.decode(row["body"])} for row in rows]


async def kinds(shop: Shop) -> list[str]:
    return [one["kind"] for one in await said(shop) if one["type"] == "nudge.suggested"]


async def due(shop: Shop) -> datetime:
    at: datetime = await shop.value("SELECT due_at FROM due WHERE task = 'suggest'")
    return at


async def set_policy(shop: Shop, **what: Any) -> None:
    await commands.change_nudge_policy(shop.context, shop.tenant, msgspec.convert(what, Policy), origin=ORIGIN)


def weekly(who: str = "ana", *, silent: float = 14, weeks: int = 14) -> list[Any]:
    """A long call a week in the shop and by phone, and nothing for a while: overdue, and strong."""
    return [
        touch(who, ago=silent + 7 * week, kind="call", channel=("phone", "shop")[week % 2], direction="mutual",
              minutes=40)
        for week in range(weeks)
    ]  # fmt: skip


async def test_what_is_set_off_at_night_waits_for_the_morning(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """At three in Portland it is noon in Berlin."""
    with clock(f"{WEDNESDAY}T03:00:00-08:00"):
        for who in (shop, rival):
            await who.tell(*friendship())
        await work(context)
        assert (await kinds(shop), await kinds(rival)) == ([], ["meet_in_person"])
        assert await due(shop) == datetime.fromisoformat(f"{WEDNESDAY}T08:00:00-08:00")
        assert await due(rival) == datetime.fromisoformat("2027-03-11T08:00:00+01:00")
        await wake(admin, context)
        assert await kinds(shop) == []
    with clock(f"{WEDNESDAY}T08:00:01-08:00"):
        await wake(admin, context)
        assert await kinds(shop) == ["meet_in_person"]
        assert await due(shop) == datetime.fromisoformat("2027-03-11T08:00:00-08:00")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2027-03-13T12:00:00-08:00", "a Saturday"),
        ("2027-05-31T12:00:00-07:00", "Memorial Day"),
        ("2027-03-14T12:00:00-07:00", "the day the clock changes is a Sunday"),
    ],
)
async def test_no_suggestion_on_a_closed_day(context: Context, shop: Shop, admin: Connection, at: str, why: str):
    with clock(at):
        await shop.tell(*friendship())
        await work(context)
        assert await kinds(shop) == [], why
        await set_policy(
            shop, opening_days=["monday", "saturday", "sunday"], holidays=False, quiet_hours={"from": "19:00"}
        )
        await work(context)
        assert await kinds(shop) == ["meet_in_person"], "the new policy is in force at once"


async def test_while_the_business_is_away_nothing_is_suggested_and_no_silence_grows(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    with clock(f"{WEDNESDAY}T12:00:00-08:00"):
        for who in (shop, rival):
            await who.tell(*weekly())
        await work(context)
        assert await kinds(shop) == ["keep_the_rhythm"]
        [before] = await shop.contents("relationship")
        await set_policy(shop, away=[{"from": "2027-03-01", "until": "2027-03-20"}])
        for _ in range(2):
            await wake(admin, context)
        [after] = await shop.contents("relationship")
        assert (before["rhythm_status"], after["rhythm_status"]) == ("overdue", "in_rhythm")
        assert after["score"] == before["score"]
        assert [one["because"] for one in await said(shop) if "because" in one] == ["no_longer_needed"]
        grown = await shop.contents("relationship")
        await rebuild(context, shop)
        await wake(admin, context)
        assert await shop.contents("relationship") == grown
        assert (await rival.contents("relationship"))[0]["rhythm_status"] == "overdue"
    with clock("2027-03-17T12:00:00-07:00"):
        await shop.tell(*friendship())
        await wake(admin, context)
        assert await kinds(shop) == ["keep_the_rhythm"], "away"


async def test_an_overdue_tie_is_worth_a_nudge_and_a_call_is_its_end(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*weekly())
    await work(context)
    [one] = await said(shop)
    assert one["kind"] == "keep_the_rhythm"
    assert (one["numbers"]["cadence_days"], one["numbers"]["silent_days"]) == (7.0, 14.0)
    await shop.tell(touch("ana", ago=0, kind="like", direction="out", channel="instagram"))
    await work(context)
    assert len(await said(shop)) == 1, "a like is no getting in touch"
    [called] = await shop.tell(touch("ana", ago=0, kind="call", direction="out", channel="phone"))
    await work(context)
    done = (await said(shop))[-1]
    assert (done["type"], done["touchpoint_id"]) == ("nudge.done", str(called.event_id))
    assert [one["type"] for one in await said(rival)] == ["nudge.suggested"]


@pytest.mark.parametrize("ago", [0, 5])
async def test_who_got_in_touch_or_was_met_before_needs_no_nudge_any_more(context: Context, shop: Shop, ago: float):
    await shop.open_always()
    await shop.tell(*weekly())
    await work(context)
    await shop.tell(touch("ana", ago=ago, kind="call", direction="in" if ago == 0 else "mutual", channel="phone"))
    await work(context)
    over = (await said(shop))[-1]
    assert (over["type"], over["because"]) == ("nudge.expired", "no_longer_needed")


async def test_an_appointment_ahead_is_enough(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*weekly("ana"))
    await work(context)
    begins = datetime.now(UTC) + timedelta(days=3)
    ana = Reference(platform="email", handle="ana@example.com")
    plan = PlanAppointment(starts_at=begins, channel="cafe", people=(ana,), ends_at=begins + timedelta(hours=1))
    await commands.plan_appointment(context, shop.tenant, plan, origin=ORIGIN)
    await work(context)
    over = (await said(shop))[-1]
    assert (over["type"], over["because"]) == ("nudge.expired", "no_longer_needed")
    assert [one["type"] for one in await said(rival)] == ["nudge.suggested"]


async def referred(shop: Shop, *, hours: float = 25, by: str = "ana") -> UUID:
    at = datetime.now(UTC) - timedelta(hours=hours)
    made = MakeReferral(
        "received", Reference(platform="email", handle=f"{by}@example.com", name=by.title()), Reference(name="Joe"),
        by_way_of="chamber", occurred_at=at,
    )  # fmt: skip
    done = await commands.make_referral(shop.context, shop.tenant, made, origin=ORIGIN)
    assert isinstance(done.lead, ReferralMade)
    return done.lead.referral_id


async def test_a_referral_nobody_gave_thanks_for_is_a_nudge_once(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    for who in (shop, rival):
        await who.open_always()
    referral_id = await referred(shop)
    await referred(rival, hours=1)
    await work(context)
    [one] = await said(shop)
    assert (one["kind"], one["priority"], one["referral_id"]) == ("thank_referrer", 1, str(referral_id))
    assert await said(rival) == [], "there is a day's time"
    wait = await due(rival) - datetime.now(UTC)
    assert timedelta(0) < wait < timedelta(hours=23, minutes=1)
    await commands.tell_outcome(context, shop.tenant, referral_id, TellOutcome("thanked"), origin=ORIGIN)
    await work(context)
    assert [one["type"] for one in await said(shop)] == ["nudge.suggested", "nudge.done"]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=20), tick=True):
        await wake(admin, context)
    assert [one["type"] for one in await said(shop)] == ["nudge.suggested", "nudge.done"]


async def test_thanks_said_before_are_enough(context: Context, shop: Shop):
    await shop.open_always()
    await referred(shop)
    await shop.tell(touch("ana", ago=0.5, act="thank"))
    await work(context)
    assert await said(shop) == []


async def test_thanks_told_late_end_the_nudge_and_a_referral_taken_back_too(context: Context, shop: Shop):
    await shop.open_always()
    await referred(shop, by="ana")
    second = await referred(shop, by="ben")
    await work(context)
    assert await kinds(shop) == ["thank_referrer"] * 2
    await shop.tell(touch("ana", ago=0.5, act="thank"))
    await shop.strike(await shop.value("SELECT touchpoint_id FROM referral WHERE referral_id = $1", second))
    await work(context)
    assert [one.get("because") for one in await said(shop)][2:] == ["no_longer_needed"] * 2


async def test_a_day_after_the_referral_the_nudge_comes_though_nothing_happens(
    context: Context, shop: Shop, admin: Connection
):
    """At ten in the morning, not at the next morning's opening."""
    with clock(f"{WEDNESDAY}T10:00:00-08:00"):
        await referred(shop, hours=0)
        await work(context)
        assert await due(shop) == datetime.fromisoformat("2027-03-11T08:00:00-08:00")
    with clock("2027-03-11T08:00:01-08:00"):
        await wake(admin, context)
        assert await kinds(shop) == []
        assert abs(await due(shop) - datetime.fromisoformat("2027-03-11T10:00:00-08:00")) < timedelta(minutes=1)
    with clock("2027-03-11T10:01:00-08:00"):
        await wake(admin, context)
        assert await kinds(shop) == ["thank_referrer"]


async def test_who_is_left_alone_is_left_alone(context: Context, shop: Shop, rival: Shop):
    """Of what is open too; and it can be taken back."""
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*weekly())
        await work(context)
    ana = await shop.value("SELECT contact_id FROM contact")
    await shop.change(ana, leave_alone=True)
    await referred(shop)
    await work(context)
    assert [one.get("because") for one in await said(shop)] == [None, "left_alone"]
    assert await kinds(shop) == ["keep_the_rhythm"]
    assert [one["type"] for one in await said(rival)] == ["nudge.suggested"]


async def test_a_muted_kind_stays_away_until_its_time(context: Context, shop: Shop, rival: Shop, admin: Connection):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*friendship())
        await work(context)
    ben = await shop.value("SELECT contact_id FROM contact")
    await shop.change(ben, within_reach="yes")
    until = datetime.now(UTC) + timedelta(days=100)
    await commands.mute_nudges(context, shop.tenant, ben, MuteNudges("meet_in_person", until), origin=ORIGIN)
    await work(context)
    assert [one.get("because") for one in await said(shop)] == [None, "muted"]
    for days, number in ((99, 1), (101, 2)):
        with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
            await shop.tell(*friendship())
            await wake(admin, context)
            assert len(await kinds(shop)) == number
    assert len(await kinds(rival)) >= 1


async def test_twice_dismissed_is_half_a_year_of_peace(context: Context, shop: Shop, admin: Connection):
    await shop.open_always()
    ben = (await shop.know(*friendship()))[0]
    await shop.change(ben, within_reach="yes")
    counts = []
    for days in (0, 61, 122, 240, 242):
        with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
            await shop.tell(*friendship())
            await wake(admin, context)
            counts.append(len(await kinds(shop)))
            for row in await shop.rows("SELECT nudge_id FROM nudge WHERE state = 'suggested'"):
                await commands.answer_nudge(context, shop.tenant, row["nudge_id"], DismissNudge(), origin=ORIGIN)
            await work(context)
    assert counts == [1, 2, 2, 2, 3]


async def test_a_kind_switched_off_ends_and_comes_no_more(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*friendship())
        await work(context)
    always = await shop.rows("SELECT policy FROM nudge_policy")
    policy = msgspec.json.decode(always[0]["policy"])
    policy["kinds"]["meet_in_person"]["on"] = False
    await set_policy(shop, **policy)
    await work(context)
    assert [one.get("because") for one in await said(shop)] == [None, "switched_off"]
    assert [one["type"] for one in await said(rival)] == ["nudge.suggested"]


async def test_what_a_member_answered_meanwhile_is_not_said_over(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """As when the list has not seen the answer yet: the stream has gone on, so the engine's word counts for nothing."""
    for who in (shop, rival):
        await who.open_always()
        await who.tell(*friendship())
    await work(context)
    [nudge] = await shop.contents("nudge")
    await commands.answer_nudge(context, shop.tenant, UUID(nudge["nudge_id"]), DismissNudge(), origin=ORIGIN)
    await work(context)
    await admin.execute(
        "UPDATE nudge SET state = 'suggested', ended_at = NULL, stream_position = position WHERE tenant_id = $1",
        shop.id,
    )
    await shop.tell(touch("ben", ago=0, kind="meeting", channel="cafe", direction="mutual"))
    await work(context)
    assert [one["type"] for one in await said(shop)] == ["nudge.suggested", "nudge.dismissed"]


async def test_the_policy_is_a_fact_once_and_part_of_every_rebuild(context: Context, shop: Shop, rival: Shop):
    for _ in range(2):
        await set_policy(shop, a_day=1)
    await set_policy(rival)
    await work(context)
    assert await shop.types() == ["nudge_policy.changed"]
    assert await rival.types() == [], "the standard is no news"
    grown = await shop.contents("nudge_policy")
    assert grown[0]["position"] == 1
    await rebuild(context, shop, "nudges")
    assert await shop.contents("nudge_policy") == grown
    assert await rival.contents("nudge_policy") == []


async def test_while_the_engine_is_at_work_the_hour_waits_a_moment(context: Context, shop: Shop, admin: Connection):
    await work(context)
    async with admin.transaction():
        await admin.execute("SELECT FROM checkpoint WHERE process = 'nudge_engine' FOR UPDATE")
        await admin.execute("UPDATE due SET due_at = now() - interval '1 minute' WHERE task = 'suggest'")
    async with admin.transaction():
        await admin.execute("SELECT FROM checkpoint WHERE process = 'nudge_engine' FOR UPDATE")
        began = datetime.now(UTC)
        assert await periodic.run_due(context)
        assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert await due(shop) < datetime.now(UTC) + timedelta(seconds=2)
