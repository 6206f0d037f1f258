"""A year of two businesses, day by day: whatever happens, nudges stay within their policy."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
import time_machine

from domain.nudges import DismissNudge
from domain.policy import STANDARD, Place, is_open
from domain.referrals import MakeReferral
from domain.touchpoints import Reference
from infra import commands
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import ORIGIN, Shop, touch, work
from tests.infra.test_rebuild import rebuild

BEGINS = datetime(2027, 1, 1, 11, tzinfo=UTC)
DAYS = 365
PEOPLE = [f"guest{n}" for n in range(24)]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def habits(chance: random.Random) -> dict[str, tuple[int, str, str]]:
    """Of each person how often, as what and where."""
    kinds = [("email", "email"), ("direct_message", "linkedin"), ("call", "phone"), ("meeting", "cafe")]
    return {who: (chance.choice([3, 7, 14, 30]), *chance.choice(kinds)) for who in PEOPLE}


async def live(shop: Shop, day: int, chance: random.Random, known: dict[str, tuple[int, str, str]]) -> None:
    """What happens on a day: habits, now and then forgotten for months; a referral now and then."""
    told = [
        touch(
            who, ago=chance.random() / 2, kind=kind, channel=channel, direction=chance.choice(["in", "out", "mutual"])
        )
        for n, (who, (every, kind, channel)) in enumerate(known.items())
        if (day + n) % every == 0 and (day // 60 + n) % 4
    ]
    if told:
        await shop.tell(*told)
    if chance.random() < 0.04:
        referrer = Reference(platform="email", handle=f"{chance.choice(PEOPLE)}@example.com")
        made = MakeReferral("received", referrer, Reference(name=f"Prospect {day}"), by_way_of="email")
        await commands.make_referral(shop.context, shop.tenant, made, origin=ORIGIN)


async def answer(shop: Shop, chance: random.Random) -> None:
    """Some are dismissed, some done, most let be."""
    for row in await shop.rows("SELECT nudge_id, contact_id FROM nudge WHERE state = 'suggested'"):
        match chance.randrange(12):
            case 0:
                await commands.answer_nudge(shop.context, shop.tenant, row["nudge_id"], DismissNudge(), origin=ORIGIN)
            case 1:
                met = touch([], ago=0, kind="meeting", channel="cafe", direction="mutual", act="thank")
                with_whom = msgspec.structs.replace(met, people=(Reference(contact_id=row["contact_id"]),))
                await shop.tell(with_whom)
            case _:
                pass


async def suggestions(shop: Shop) -> list[tuple[datetime, dict[str, Any]]]:
    query = "SELECT occurred_at, body FROM event WHERE type = 'nudge.suggested' ORDER BY position"
    return [(row["occurred_at"], msgspec.json.decode(row["body"])) for row in await shop.rows(query)]


def check(shop: Shop, said: list[tuple[datetime, dict[str, Any]]], ended: dict[UUID, datetime]) -> None:
    place = Place(shop.tenant.country, shop.tenant.time_zone)
    zone = ZoneInfo(shop.tenant.time_zone)
    for at, _ in said:
        assert is_open(STANDARD, at, place), at.astimezone(zone)
    assert max(Counter(at.astimezone(zone).date() for at, _ in said).values()) <= STANDARD.a_day
    calm = [at for at, body in said if body["kind"] != "thank_referrer"]
    for at in calm:
        before = [other for other, _ in said if timedelta(0) <= at - other < timedelta(days=7)]
        assert sum(other <= at for other in before) <= STANDARD.a_week + sum(
            body["kind"] == "thank_referrer" for other, body in said if timedelta(0) <= at - other < timedelta(days=7)
        )
    ids = [body["nudge_id"] for _, body in said]
    assert len(ids) == len(set(ids)), "every suggestion once"
    about: dict[str, list[tuple[datetime, str]]] = {}
    for at, body in said:
        about.setdefault(body["contact_id"], []).append((at, body["nudge_id"]))
    for times in about.values():
        for (first, nudge_id), (second, _) in pairwise(times):
            assert second - first >= timedelta(days=STANDARD.rest_days)
            assert ended[UUID(nudge_id)] <= second, "one open for a contact"
    referred = [body["referral_id"] for _, body in said if body["kind"] == "thank_referrer"]
    assert len(referred) == len(set(referred))


async def test_a_year_stays_within_its_policy(context: Context, shop: Shop, rival: Shop, admin: Connection):
    shops = {shop: random.Random(1), rival: random.Random(2)}
    known = {who: habits(chance) for who, chance in shops.items()}
    for day in range(0, DAYS, 2):
        with time_machine.travel(BEGINS + timedelta(days=day, hours=day * 7 % 24), tick=True):
            for who, chance in shops.items():
                await live(who, day, chance, known[who])
                await answer(who, chance)
            await admin.execute("UPDATE due SET due_at = now()")
            await work(context)
    for who in shops:
        said = await suggestions(who)
        rows = await who.rows("SELECT nudge_id, ended_at FROM nudge WHERE ended_at IS NOT NULL")
        check(who, said, {row["nudge_id"]: row["ended_at"] for row in rows})
        assert len(said) > 30
        assert {body["kind"] for _, body in said} == {"thank_referrer", "meet_in_person", "keep_the_rhythm"}
        before = await who.contents("nudge")
        with time_machine.travel(BEGINS + timedelta(days=DAYS), tick=True):
            await rebuild(context, who, "nudges")
        assert await suggestions(who) == said
        assert await who.contents("nudge") == before
