"""Relationships as stored: the fold of the facts, whatever way they came, and what places turn out to be."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import relationships, strength
from domain.channels import DescribeChannel
from domain.relationships import Experience, day_of
from domain.touches import Touch
from domain.touchpoints import RecordTouchpoint
from infra import commands, periodic
from infra.context import Context
from infra.database import Connection
from infra.projections.relationships import unpack
from tests.infra.quiet import NOON, ORIGIN, Shop, touch, work

TODAY = day_of(datetime.now(UTC))
# What a picture shows that depends on which realm a channel is of. All else does not.
BY_REALM = {"half", "met_at", "online_points"}


async def row_of(shop: Shop, who: UUID) -> dict[str, Any]:
    [row] = await shop.rows(
        "SELECT * FROM relationship WHERE build = live_build('relationships') AND contact_id = $1", who
    )
    del row["folded_to"]
    return row


def by_hand(items: list[RecordTouchpoint]) -> relationships.Relationship:
    """Folded here from what was told, in an order of its own."""
    touches = [
        Touch(
            touchpoint_id=UUID(int=n),
            day=day_of(item.occurred_at),
            kind=item.kind,
            direction=item.direction,
            context=item.channel,
            act=item.act,
            depth=item.depth,
            minutes=item.minutes,
            audience=max(item.audience or 1, len(item.people)),
            automated=item.automated,
        )
        for n, item in enumerate(items)
    ]
    told = [Experience(one, item.occurred_at) for one, item in zip(touches, items, strict=True)]
    random.Random(len(items)).shuffle(told)
    return relationships.fold(told)


async def describe(shop: Shop, slug: str, **what: Any) -> None:
    await commands.describe_channel(shop.context, shop.tenant, DescribeChannel(slug, **what), origin=ORIGIN)


@pytest.mark.parametrize("seed", range(6))
async def test_the_stored_state_is_the_fold_of_what_was_told_to_the_bit(
    context: Context, shop: Shop, rival: Shop, seed: int
):
    chance = random.Random(seed)
    items = [
        touch(
            "ben",
            day=chance.randrange(300) + chance.random(),
            kind=chance.choice(["email", "call", "meeting", "like", "vouch", "complaint"]),
            channel=chance.choice(["email", "cafe", "linkedin"]),
            direction=chance.choice(["in", "out", "mutual"]),
            minutes=chance.choice([None, 5, 50]),
            act=chance.choice([None, "give", "thank"]),
            audience=chance.choice([None, 6]),
        )
        for _ in range(50)
    ]
    struck = set(chance.sample(range(50), 8))
    for n, item in enumerate(items):
        [one] = await shop.tell(item)
        if n in struck and one.event_id:
            await shop.strike(one.event_id)
        if chance.random() < 0.4:
            await work(context)
    [other] = await rival.know(items[0])
    await work(context)

    kept = [item for n, item in enumerate(items) if n not in struck]
    expected = by_hand(kept)
    [ben] = await shop.rows("SELECT contact_id FROM contact")
    row = await row_of(shop, ben["contact_id"])
    stored = unpack(row)
    assert msgspec.msgpack.encode(stored.strength) == msgspec.msgpack.encode(expected.strength)
    assert stored == expected
    seen = relationships.picture(expected, {}, TODAY)
    assert (row["score"], row["stage"]) == (seen.assessment.score, seen.assessment.stage)
    assert (row["touchpoints"], row["scored_day"]) == (42, TODAY)
    assert row["first_touch_at"] == min(item.occurred_at for item in kept)
    assert row["last_touch_at"] == max(item.occurred_at for item in kept)
    assert (await row_of(rival, other))["touchpoints"] == 1


async def test_a_late_touch_is_counted_where_it_belongs(context: Context, shop: Shop, rival: Shop):
    items = [touch("ben", day=day, direction=("in", "out")[day % 2]) for day in range(0, 60, 3)]
    late = [touch("ben", day=1, kind="meeting", channel="cafe"), touch("ben", day=-30, kind="help")]
    [ben, *_] = await shop.know(*items)
    [same, *_] = await rival.know(*items)
    await work(context)
    before = await row_of(shop, ben)
    await shop.tell(*late)
    await work(context)
    row = await row_of(shop, ben)
    assert unpack(row) == by_hand([*items, *late])
    assert row["score"] > before["score"]
    assert row["met_at"] == NOON + timedelta(days=1)
    assert row["first_touch_at"] == NOON - timedelta(days=30)
    assert (await row_of(rival, same))["strength"] == before["strength"]


async def test_a_struck_touch_leaves_no_trace(context: Context, shop: Shop, rival: Shop):
    [first] = await shop.tell(touch("ben"))
    ben = first.contact_ids[0]
    await work(context)
    before = await row_of(shop, ben)
    [met] = await shop.tell(touch("ben", day=3, kind="meeting", channel="cafe"))
    await work(context)
    assert (await row_of(shop, ben))["half"] == "both"
    assert met.event_id
    await shop.strike(met.event_id)
    await work(context)
    assert await row_of(shop, ben) == before
    assert first.event_id
    await shop.strike(first.event_id)
    await work(context)
    nobody = await row_of(shop, ben)
    assert (nobody["half"], nobody["score"], nobody["touchpoints"], nobody["last_touch_at"]) == (
        "named_only",
        0,
        0,
        None,
    )


async def test_somebody_never_touched_is_known_by_name_only(context: Context, shop: Shop, rival: Shop):
    await shop.know(touch("ben"))
    [one] = await shop.tell(touch(["ana", "eve"]))
    assert one.event_id
    await shop.strike(one.event_id)
    await work(context)
    assert sorted(row["half"] for row in await shop.contents("relationship")) == [
        "named_only",
        "named_only",
        "online_only",
    ]
    assert await rival.contents("relationship") == []


async def test_a_place_that_turns_out_to_be_in_the_other_realm_changes_halves_but_no_score(
    context: Context, shop: Shop, rival: Shop
):
    items = [touch(who, day=n, channel=channel, kind="call", direction="mutual", minutes=30)
             for who, channels in {"ben": ["corner"], "ana": ["corner", "cafe"], "eve": ["email"]}.items()
             for n, channel in enumerate(channels * 3)]  # fmt: skip
    people = dict(zip([item.people[0].name for item in items], await shop.know(*items), strict=True))
    await rival.know(*items)
    await work(context)
    before = {name: await row_of(shop, who) for name, who in people.items()}
    elsewhere = await rival.contents("relationship")
    assert {name: row["half"] for name, row in before.items()} == {
        "Ben": "online_only",
        "Ana": "both",
        "Eve": "online_only",
    }

    await describe(shop, "corner", realm="physical")
    await work(context)
    after = {name: await row_of(shop, who) for name, who in people.items()}
    assert {name: row["half"] for name, row in after.items()} == {
        "Ben": "in_person_only",
        "Ana": "in_person_only",
        "Eve": "online_only",
    }
    assert after["Ben"]["met_at"] == NOON
    assert (before["Ben"]["met_at"], after["Eve"]["met_at"]) == (None, None)
    assert after["Ben"]["online_points"] == 0 < before["Ben"]["online_points"]
    for name in people:
        changed = {key for key in before[name] if before[name][key] != after[name][key]}
        assert changed <= BY_REALM, name
    assert after["Eve"] == before["Eve"]

    await describe(shop, "corner", realm="virtual")
    await work(context)
    assert {name: await row_of(shop, who) for name, who in people.items()} == before
    assert await rival.contents("relationship") == elsewhere


async def test_the_score_of_one_never_moves_because_of_another(context: Context, shop: Shop):
    [ben] = await shop.know(touch("ben"))
    await work(context)
    before = await row_of(shop, ben)
    await shop.tell(*(touch("ana", day=n, kind="meeting", channel="cafe", direction="mutual") for n in range(30)))
    await work(context)
    assert await row_of(shop, ben) == before


async def test_a_post_is_no_tie_and_counts_for_its_channel(context: Context, shop: Shop, rival: Shop):
    await shop.tell(
        touch([], kind="post", channel="facebook", audience=250, act="give"),
        touch([], kind="post", channel="facebook", act="promote", day=1),
        touch("ben", kind="comment", channel="facebook", direction="in", act="promote"),
    )
    await work(context)
    assert len(await shop.contents("relationship")) == 1
    [facebook] = await shop.contents("channel")
    counts = {name: facebook[name] for name in ("touchpoints", "posts", "reach", "gives", "promotes")}
    assert counts == {"touchpoints": 3, "posts": 2, "reach": 250, "gives": 1, "promotes": 1}
    assert await rival.contents("channel") == []


async def test_the_new_day_fades_what_is_stored(context: Context, shop: Shop, rival: Shop, admin: Connection):
    """As if the workers had slept for thirty days."""
    for who in (shop, rival):
        await who.tell(*(touch("ben", ago=ago, direction=("in", "out")[ago % 2]) for ago in range(40, 60)))
    await work(context)
    today = await shop.contents("relationship")
    [row] = await shop.rows("SELECT * FROM relationship")
    state = unpack(row)
    then = strength.evaluate(state.strength, TODAY - 30)
    await admin.execute(
        "UPDATE relationship SET scored_day = scored_day - 30, score = $1, stage = $2", then.score, then.stage
    )
    assert then.score > today[0]["score"]
    while await periodic.run_due(context):
        pass
    assert (await shop.contents("relationship"))[0]["score"] == then.score, "it is not due yet"
    await admin.execute("UPDATE due SET due_at = now() WHERE task = 'rescore' AND tenant_id = $1", shop.id)
    while await periodic.run_due(context):
        pass
    assert await shop.contents("relationship") == today
    assert (await rival.contents("relationship"))[0]["scored_day"] == TODAY - 30


async def test_the_new_day_moves_the_rhythm_on(context: Context, shop: Shop, rival: Shop, admin: Connection):
    for who in (shop, rival):
        await who.tell(*(touch("ben", ago=14 + 7 * n, kind="call", direction="mutual") for n in range(10)))
    await work(context)
    today = await shop.contents("relationship")
    assert today[0]["rhythm_status"] == "overdue"
    await admin.execute("UPDATE relationship SET scored_day = scored_day - 9, rhythm_status = 'in_rhythm', trend = 0")
    await admin.execute("UPDATE due SET due_at = now() WHERE task = 'rescore' AND tenant_id = $1", shop.id)
    while await periodic.run_due(context):
        pass
    assert await shop.contents("relationship") == today
    assert (await rival.contents("relationship"))[0]["rhythm_status"] == "in_rhythm"


async def test_rows_of_an_older_edition_are_looked_at_again(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    """As a migration that adds a column leaves them: the day is right, what is shown is not."""
    for who in (shop, rival):
        await who.tell(*(touch("ben", ago=14 + 7 * n, kind="call", direction="mutual") for n in range(10)))
    await work(context)
    today = await shop.contents("relationship")
    await admin.execute("UPDATE relationship SET shows = 0, rhythm = NULL, rhythm_status = NULL, silence_ratio = NULL")
    await admin.execute("UPDATE due SET due_at = now() WHERE task = 'rescore' AND tenant_id = $1", shop.id)
    while await periodic.run_due(context):
        pass
    assert await shop.contents("relationship") == today
    assert (await rival.contents("relationship"))[0]["rhythm_status"] is None


async def test_what_the_owner_tells_changes_the_rhythm_and_no_score(context: Context, shop: Shop, rival: Shop):
    items = [touch("ben", ago=14 + 7 * n, kind="call", direction="mutual") for n in range(10)]
    [ben, *_] = await shop.know(*items)
    [other, *_] = await rival.know(*items)
    await work(context)
    before = await row_of(shop, ben)
    await shop.change(ben, stated={"how_often": "monthly"})
    await work(context)
    after = await row_of(shop, ben)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"rhythm", "rhythm_status", "silence_ratio"}
    assert after["rhythm_status"] == "in_rhythm"
    await shop.change(ben, closed="moved")
    await work(context)
    assert (await row_of(shop, ben))["rhythm_status"] is None
    assert (await row_of(rival, other))["rhythm_status"] == "overdue"
