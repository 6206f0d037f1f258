"""Whatever way a business's year came into the log, its relationships are those of one clean replay, to the bit."""

import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from domain.errors import Refused
from domain.touchpoints import RecordTouchpoint
from infra import projector
from infra.context import Context
from tests.infra.quiet import Shop, touch, work
from tests.infra.test_merges import merge, unmerge
from tests.infra.test_rebuild import rebuild

HISTORIES = 6
PEOPLE = ("ana", "ben", "cat", "dan", "eve", "fay", "gus")
NEWS = ("Dear friend, our new cakes are here this week.", "We are closed on the first of May.")
STATE = "strength", "facts", "strained_at", "score", "stage", "half", "met_at", "touchpoints", "rhythm", "online_points"


def told(chance: random.Random) -> RecordTouchpoint:
    people = chance.sample(PEOPLE, chance.choice([1, 1, 1, 2, 3]))
    day = chance.choice([chance.random() * 3, chance.random() * 400])
    if chance.random() < 0.4:
        return touch(people, day=chance.choice([chance.random() * 2, day]), note=chance.choice(NEWS))
    return touch(
        people,
        day=day,
        kind=chance.choice(["email", "direct_message", "like", "call", "meeting", "help", "vouch", "complaint"]),
        channel=chance.choice(["email", "cafe", "linkedin", "chamber"]),
        direction=chance.choice(["in", "out", "mutual"]),
        act=chance.choice([None, "give", "thank"]),
        minutes=chance.choice([None, 5, 50]),
        audience=chance.choice([None, 6]),
        automated=chance.random() < 0.1,
    )


async def called(shop: Shop) -> dict[str, UUID]:
    rows = await shop.rows("SELECT name, contact_id FROM contact WHERE build = live_build('contacts')")
    return {row["name"].lower(): row["contact_id"] for row in rows}


async def merged(shop: Shop) -> dict[str, str]:
    """Into whom each merged one is merged, in the order of the merges."""
    names = {who: name for name, who in (await called(shop)).items()}
    rows = await shop.rows(
        "SELECT contact_id, into_id FROM contact_alias WHERE build = live_build('contacts') ORDER BY position"
    )
    return {names[row["contact_id"]]: names[row["into_id"]] for row in rows}


async def states(shop: Shop) -> dict[str, dict[str, Any]]:
    names = {who: name for name, who in (await called(shop)).items()}
    rows = await shop.rows("SELECT * FROM relationship WHERE build = live_build('relationships')")
    return {names[row["contact_id"]]: {column: row[column] for column in STATE} for row in rows}


async def as_it_came(shop: Shop, chance: random.Random) -> Mapping[UUID, RecordTouchpoint]:
    """In pieces, struck and merged in between, the workers anywhere behind; what counts at last."""
    items = [told(chance) for _ in range(46)]
    items += [touch(who, day=chance.random(), note=note) for note in NEWS for who in PEOPLE]
    chance.shuffle(items)
    counting: dict[UUID, RecordTouchpoint] = {}
    while items:
        piece = [items.pop() for _ in range(min(len(items), chance.choice([1, 2, 6])))]
        for item, one in zip(piece, await shop.tell(*piece), strict=True):
            assert one.event_id
            counting[one.event_id] = item
        if chance.random() < 0.5:
            number = chance.choice(sorted(counting))
            await shop.strike(number)
            del counting[number]
        for _ in range(chance.choice([0, 1, 3, 9])):
            await projector.advance(shop.context)
        known = await called(shop)
        if len(known) >= 2 and chance.random() < 0.5:
            one, other = chance.sample(sorted(known.values()), 2)
            with suppress(Refused):
                await (merge if chance.random() < 0.7 else unmerge)(shop, one, other)
    await work(shop.context)
    return counting


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_any_way_is_the_clean_replay_to_the_bit(context: Context, shop: Shop, rival: Shop, seed: int):
    """The other business is told only what counts at last, in order of occurrence, and merged once, at the end."""
    chance = random.Random(seed)
    counting = await as_it_came(shop, chance)
    for who in (shop, rival):
        await who.tell(*(touch(name, day=500, direction="in") for name in PEOPLE))
    await rival.tell(*sorted(counting.values(), key=lambda item: item.occurred_at))
    await work(context)
    theirs = await called(rival)
    for name, into in (await merged(shop)).items():
        await merge(rival, theirs[into], theirs[name])
    await work(context)
    assert await merged(shop) == await merged(rival)
    assert {row["bulk"] for row in await shop.contents("timeline")} == {True, False}
    before = await states(shop)
    assert before == await states(rival)
    for projection in ("contacts", "timeline", "relationships"):
        await rebuild(context, shop, projection)
    assert await states(shop) == before
