"""Referrals as decided under the head: people opened once, one currency, an outcome told once."""

import asyncio
import contextlib
import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.referrals import MakeReferral, ReferralMade, TellOutcome, touchpoint_of
from domain.ties import IntroductionMade, MakeIntroduction, NoteTie
from domain.touchpoints import Reference
from infra import commands, migrate, projector
from infra.commands.decisions import Done
from infra.context import Context
from infra.database import Connection
from tests.conftest import Servers, another_database
from tests.infra.quiet import ORIGIN, Shop, parked_again, touch, work


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def refer(shop: Shop, whom: str = "ben", *, by: str = "ana", key: str | None = None, **more: Any) -> UUID:
    return (await referred(shop, whom, by=by, key=key, **more)).referral_id


async def referred(
    shop: Shop, whom: str = "ben", *, by: str = "ana", key: str | None = None, **more: Any
) -> ReferralMade:
    """Ana refers Ben, or whoever is said, ten days ago."""
    told = {
        "direction": "received",
        "referrer": {"email": f"{by}@example.com", "name": by.title()},
        "prospect": {"email": f"{whom}@example.com", "name": whom.title()},
        "by_way_of": "chamber",
        "occurred_at": ago(10).isoformat(),
        **more,
    }
    command = msgspec.convert(told, MakeReferral)
    done = await commands.make_referral(shop.context, shop.tenant, command, origin=ORIGIN, idempotency_key=key)
    assert isinstance(done.lead, ReferralMade)
    return done.lead


async def tell(shop: Shop, referral_id: UUID, outcome: str, *, key: str | None = None, **more: Any) -> Done:
    command = msgspec.convert({"outcome": outcome, **more}, TellOutcome)
    return await commands.tell_outcome(
        shop.context, shop.tenant, referral_id, command, origin=ORIGIN, idempotency_key=key
    )


async def test_a_referral_is_one_append_with_its_people_and_its_touchpoint(context: Context, shop: Shop, rival: Shop):
    made = await referred(shop)
    assert await shop.types() == [
        "contact.added", "contact.identity_noted", "contact.added", "contact.identity_noted", "channel.opened",
        "touchpoint.recorded", "referral.made",
    ]  # fmt: skip
    ids = [row["event_id"] for row in await shop.rows("SELECT event_id FROM event ORDER BY position")]
    assert ids[-2:] == [made.touchpoint_id, made.referral_id]
    assert made.touchpoint_id == touchpoint_of(made.referral_id)
    assert await rival.types() == []


async def test_known_people_are_not_opened_again(context: Context, shop: Shop, rival: Shop):
    [ana] = await shop.know(touch("ana"))
    await rival.know(touch("ana"))
    made = await referred(shop, referrer={"contact_id": str(ana)})
    assert made.referrer_id == ana
    again = await referred(shop)
    assert (again.referrer_id, again.prospect_id) == (ana, made.prospect_id)
    with pytest.raises(NotFound) as refused:
        await referred(rival, referrer={"contact_id": str(ana)})
    assert refused.value.field == "referrer.contact_id"


async def test_nobody_is_referred_by_themselves_whatever_they_are_called(context: Context, shop: Shop):
    [ana] = await shop.know(touch("ana"))
    for who in ("ana", "eve"):
        before = await shop.positions()
        with pytest.raises(Invalid) as refused:
            await refer(shop, who, by=who)
        assert refused.value.field == "prospect"
        assert await shop.positions() == before
    with pytest.raises(Invalid):
        await refer(shop, "ana", referrer={"contact_id": str(ana)})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"referrer": {}}, "referrer"),
        ({"prospect": {"email": "no address"}}, "prospect.email"),
        ({"prospect": {"email": "b@example.com", "phone": "1"}}, "prospect.phone"),
        ({"by_way_of": "In The Café"}, "by_way_of"),
        ({"source_id": "1"}, "source"),
        ({"occurred_at": "2090-01-01T00:00:00Z"}, "occurred_at"),
    ],
)
async def test_a_bad_referral_names_its_field_and_stores_nothing(shop: Shop, more: dict[str, Any], field: str):
    with pytest.raises(Invalid) as refused:
        await refer(shop, **more)
    assert refused.value.field == field
    assert await shop.positions() == []


async def test_the_same_referral_is_made_once(context: Context, shop: Shop, rival: Shop):
    at = ago(5)
    same = {"source": "bni", "source_id": "7", "occurred_at": at.isoformat()}
    first = await refer(shop, **same)
    log = await shop.positions()
    assert await refer(shop, **same) == first
    assert await refer(shop, **{**same, "occurred_at": at.astimezone(UTC).isoformat()}) == first
    assert await shop.positions() == log
    with pytest.raises(Conflict) as refused:
        await refer(shop, **same, heat=5)
    assert refused.value.field == "source_id"
    told = {"occurred_at": at.isoformat(), "key": "k"}
    assert await refer(shop, **told) == await refer(shop, **told) != first
    assert await refer(rival, **same) != first
    with pytest.raises(Conflict) as refused:
        await refer(shop, "eve", **told)
    assert refused.value.field == "Idempotency-Key"


async def test_two_at_once_name_the_same_unknown_person_and_make_one_contact(context: Context, shop: Shop, rival: Shop):
    made = await asyncio.gather(*(referred(shop, "ben", by=by) for by in ("ana", "eve", "joe") for _ in range(2)))
    assert len({one.prospect_id for one in made}) == 1
    assert len({one.referrer_id for one in made}) == 3
    assert (await shop.types()).count("contact.added") == 4
    await referred(rival, "ben")
    assert (await rival.types()).count("contact.added") == 2


async def test_an_outcome_is_told_once_also_when_two_tell_it_at_once(context: Context, shop: Shop):
    referral = await refer(shop)
    await asyncio.gather(*(tell(shop, referral, "won", value="90", currency="EUR") for _ in range(4)))
    assert (await shop.types()).count("referral.won") == 1
    await tell(shop, referral, "won", value="90.00", currency="eur", key="k")
    await tell(shop, referral, "contacted", occurred_at=ago(9).isoformat())
    await tell(shop, referral, "contacted", occurred_at=ago(8).isoformat())
    assert (await shop.types())[7:] == ["currency.settled", "referral.won", "referral.contacted"]


async def test_of_two_first_values_at_once_one_settles_the_currency(context: Context, shop: Shop, rival: Shop):
    one, other = await refer(shop), await refer(shop, "eve")
    told = await asyncio.gather(
        tell(shop, one, "won", value="90", currency="EUR"),
        tell(shop, other, "won", value="90", currency="USD"),
        return_exceptions=True,
    )
    assert {type(each) for each in told} == {Done, Refused}
    assert (await shop.types()).count("currency.settled") == 1
    await tell(rival, await refer(rival), "won", value="90", currency="CHF")


async def test_thanks_are_a_touchpoint_and_may_be_told_again_when_that_was_struck(context: Context, shop: Shop):
    referral = await refer(shop)
    await tell(shop, referral, "thanked", kind="call", channel="phone", note="so kind", key="k")
    before = await shop.types()
    assert before[-3:] == ["channel.opened", "touchpoint.recorded", "referral.thanked"]
    await tell(shop, referral, "thanked", kind="call", channel="phone", note="so kind", key="k")
    await tell(shop, referral, "thanked")
    assert await shop.types() == before
    [row] = await shop.rows(
        "SELECT event_id FROM event WHERE type = 'touchpoint.recorded' ORDER BY position DESC LIMIT 1"
    )
    await shop.strike(row["event_id"])
    await tell(shop, referral, "thanked")
    assert (await shop.types())[-3:] == ["touchpoint.struck", "touchpoint.recorded", "referral.thanked"]


async def test_no_outcome_for_what_is_not_there_is_anothers_or_was_taken_back(
    context: Context, shop: Shop, rival: Shop
):
    referral = await refer(shop)
    with pytest.raises(NotFound):
        await tell(shop, UUID(int=1), "won")
    with pytest.raises(NotFound):
        await tell(rival, referral, "won")
    await shop.strike(touchpoint_of(referral))
    with pytest.raises(Refused, match="taken back"):
        await tell(shop, referral, "won")
    assert await rival.types() == []


async def test_an_introduction_and_a_tie_are_told_once(context: Context, shop: Shop, rival: Shop):
    told = {
        "people": [{"email": "ben@example.com"}, {"name": "Eve"}],
        "channel": "email",
        "source": "book",
        "source_id": "1",
    }
    for who in (shop, shop, rival):
        command = msgspec.convert(told, MakeIntroduction)
        done = await commands.make_introduction(who.context, who.tenant, command, origin=ORIGIN)
        assert isinstance(done.lead, IntroductionMade)
    assert (await shop.types()).count("introduction.made") == 1
    assert (await shop.types()).count("touchpoint.recorded") == 1
    tie = msgspec.convert({"between": [{"email": "ben@example.com"}, {"email": "zoe@example.com"}]}, NoteTie)
    back = NoteTie(between=(tie.between[1], tie.between[0]))
    await asyncio.gather(*(commands.note_tie(context, shop.tenant, each, origin=ORIGIN) for each in (tie, back, tie)))
    assert (await shop.types()).count("tie.noted") == 1
    assert (await shop.types()).count("contact.added") == 3
    with pytest.raises(Invalid) as refused:
        await commands.note_tie(context, shop.tenant, NoteTie(between=(tie.between[0],) * 2), origin=ORIGIN)
    assert refused.value.field == "between[1]"


async def score(shop: Shop, who: UUID) -> dict[str, Any]:
    [row] = await shop.rows(
        "SELECT contact_id, strength, score, stage, touchpoints, channels, last_touch_at, met_at, half"
        " FROM relationship WHERE build = live_build('relationships') AND contact_id = $1", who
    )  # fmt: skip
    return row


async def row_of(shop: Shop, referral_id: UUID) -> dict[str, Any]:
    return {str(row["referral_id"]): row for row in await shop.contents("referral")}[str(referral_id)]


async def test_a_won_referral_is_advocacy_of_who_made_it_and_a_lost_one_takes_it_back(
    context: Context, shop: Shop, rival: Shop
):
    made, same = await referred(shop), await referred(rival)
    await work(context)
    before, elsewhere = await score(shop, made.referrer_id), await score(rival, same.referrer_id)
    assert before["score"] > 0
    await tell(shop, made.referral_id, "won", value="100", currency="EUR", occurred_at=ago(5).isoformat())
    await work(context)
    won = await score(shop, made.referrer_id)
    assert won["score"] > before["score"]
    facts = ("touchpoints", "channels", "last_touch_at", "met_at", "half")
    assert [won[name] for name in facts] == [before[name] for name in facts], "it is no contact"
    await tell(shop, made.referral_id, "lost")
    await work(context)
    assert await score(shop, made.referrer_id) == before
    await tell(shop, made.referral_id, "won", occurred_at=ago(5).isoformat())
    await work(context)
    assert await score(shop, made.referrer_id) == before, "the later fact holds"
    await tell(shop, made.referral_id, "won")
    await work(context)
    again = await score(shop, made.referrer_id)
    assert again["score"] >= won["score"]
    assert again["strength"] != won["strength"], "won today, it fades from today"
    await shop.strike(made.touchpoint_id)
    await work(context)
    assert (await score(shop, made.referrer_id))["score"] == 0, "taken back with all that followed"
    assert await score(rival, same.referrer_id) == elsewhere


async def test_one_given_and_won_is_no_advocacy_for_us(context: Context, shop: Shop):
    made = await referred(shop, direction="given")
    await work(context)
    before = await score(shop, made.referrer_id)
    await tell(shop, made.referral_id, "won")
    await work(context)
    assert await score(shop, made.referrer_id) == before


async def test_one_won_within_a_day_ahead_waits_for_no_fix(context: Context, shop: Shop):
    made = await referred(shop)
    await tell(shop, made.referral_id, "won", occurred_at=ago(-0.9).isoformat())
    await work(context)
    assert await shop.rows("SELECT FROM parked_event") == []
    assert (await score(shop, made.referrer_id))["score"] > 0


async def test_its_row_is_its_fate(context: Context, shop: Shop, rival: Shop):
    made = await referred(shop)
    await tell(shop, made.referral_id, "won", value="1250.5", currency="EUR", occurred_at=ago(3).isoformat())
    await tell(shop, made.referral_id, "contacted", occurred_at=ago(9).isoformat())
    await tell(shop, made.referral_id, "thanked", kind="email", channel="email")
    await work(context)
    row = await row_of(shop, made.referral_id)
    assert (row["status"], row["value"], row["currency"], row["withdrawn"]) == ("won", 1250.5, "EUR", False)
    assert row["contacted_at"] < row["decided_at"] < row["thanked_at"]
    assert await rival.contents("referral") == []
    [thanks] = await shop.rows("SELECT touchpoint_id FROM timeline WHERE act = 'thank'")
    await shop.strike(thanks["touchpoint_id"])
    await work(context)
    assert (await row_of(shop, made.referral_id))["thanked_at"] is None
    await shop.strike(made.touchpoint_id)
    await work(context)
    assert (await row_of(shop, made.referral_id))["withdrawn"] is True


@pytest.mark.parametrize("seed", range(6))
async def test_a_rebuild_makes_what_grew_in_any_order(context: Context, shop: Shop, rival: Shop, seed: int):
    chance = random.Random(seed)
    for who in (shop, rival):
        made: list[ReferralMade] = []
        for _ in range(40):
            if not made or chance.random() < 0.3:
                whom, by = chance.sample(("ana", "ben", "eve", "joe"), 2)
                made.append(
                    await referred(who, whom, by=by, direction=chance.choice(["received", "received", "given"]))
                )
            one, at = chance.choice(made), ago(chance.choice([1, 2, 3, 4.5])).isoformat()
            with contextlib.suppress(Refused):
                match chance.randrange(6):
                    case 0:
                        value = str(chance.randrange(100))
                        await tell(who, one.referral_id, "won", value=value, currency="EUR", occurred_at=at)
                    case 1:
                        await who.strike(one.touchpoint_id)
                    case 2:
                        rows = await who.rows("SELECT touchpoint_id FROM timeline WHERE act = 'thank'")
                        if rows:
                            await who.strike(chance.choice(rows)["touchpoint_id"])
                    case 3:
                        people = tuple(Reference(contact_id=each) for each in (one.referrer_id, one.prospect_id))
                        command = MakeIntroduction(people=people, channel="email")
                        await commands.make_introduction(who.context, who.tenant, command, origin=ORIGIN)
                    case _:
                        outcome = chance.choice(["contacted", "met", "won", "lost", "thanked"])
                        await tell(who, one.referral_id, outcome, occurred_at=at)
            for _ in range(chance.choice([0, 1, 5])):
                await projector.advance(context)
    await work(context)
    assert await shop.rows("SELECT FROM parked_event") == []
    grown = await shop.everything()
    assert len(grown["referral"]) > 3
    for name in projector.PROJECTIONS:
        await projector.start_rebuild(context, shop.id, name)
    await work(context)
    assert await shop.everything() == grown
    assert {row["build"] for row in await rival.rows("SELECT build FROM referral")} == {1}


async def test_a_parked_referral_is_whole_after_the_fix(context: Context, shop: Shop, admin: Connection):
    """The strike of its touchpoint comes to be known before the referral itself."""
    made = await referred(shop)
    await admin.execute("UPDATE event SET version = 99 WHERE type = 'referral.made'")
    await shop.strike(made.touchpoint_id)
    await work(context)
    assert await shop.contents("referral") == []
    await admin.execute("UPDATE event SET version = 1 WHERE type = 'referral.made'")
    await parked_again(admin)
    await work(context)
    assert (await row_of(shop, made.referral_id))["withdrawn"] is True
    assert await shop.rows("SELECT FROM parked_event") == []


async def test_ties_have_two_sides_and_go_with_their_introduction(context: Context, shop: Shop, rival: Shop):
    people = [{"email": f"{who}@example.com"} for who in ("ben", "eve")]
    command = msgspec.convert(
        {"people": people, "channel": "email", "introducer": {"email": "ana@example.com"}}, MakeIntroduction
    )
    done = await commands.make_introduction(context, shop.tenant, command, origin=ORIGIN)
    assert isinstance(done.lead, IntroductionMade)
    await commands.note_tie(context, shop.tenant, msgspec.convert({"between": people}, NoteTie), origin=ORIGIN)
    await commands.note_tie(context, rival.tenant, msgspec.convert({"between": people}, NoteTie), origin=ORIGIN)
    await work(context)
    assert len(await shop.contents("tie")) == 8
    await shop.strike(done.lead.touchpoint_id)
    await work(context)
    assert [row["withdrawn"] for row in await shop.contents("tie")].count(False) == 2
    assert len(await rival.contents("tie")) == 2


async def test_tenants_of_before_have_the_projection(servers: Servers):
    """The migration adds its checkpoint to those that were there."""
    name = f"rapport_test_{uuid4().hex}"
    url = another_database(servers.admin_url, name)
    connection = await asyncpg.connect(another_database(servers.admin_url, "postgres"))
    with tempfile.TemporaryDirectory() as folder:
        for number in ("0001", "0002", "0003"):
            [file] = migrate.MIGRATIONS.glob(f"{number}_*.sql")
            shutil.copy(file, folder)
            await connection.execute("SELECT pg_advisory_lock(1)")
            migrate.up(url, Path(folder))
            await connection.execute("SELECT pg_advisory_unlock(1)")
            if number == "0002":
                old = await asyncpg.connect(url)
                await old.execute(
                    "INSERT INTO rapport.tenant (tenant_id, name, country, time_zone, wrapped_key)"
                    " VALUES (gen_random_uuid(), 'Old', 'US', 'UTC', '')"
                )
                await old.close()
    new = await asyncpg.connect(url)
    assert await new.fetchval("SELECT count(*) FROM rapport.checkpoint WHERE process = 'referrals' AND live") == 1
    await new.close()
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()
