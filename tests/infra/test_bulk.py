"""The same words to five people within a day weigh nothing, whatever way the facts came."""

import random
from typing import Any
from uuid import UUID

import pytest

from infra import projector
from infra.context import Context
from infra.sealing import tenant_keys
from tests.infra.quiet import Shop, touch, work

NEWS = "Dear friend,\nour new cakes are here, come and try them."
PEOPLE = ("ana", "ben", "cat", "dan", "eve", "fay", "gus")


def mail(who: str, **more: Any) -> Any:
    return touch(who, **{"note": NEWS, **more})


async def scores(shop: Shop) -> dict[str, float]:
    """By the first letters of their address."""
    rows = await shop.rows(
        "SELECT c.name, r.score FROM relationship r JOIN contact c USING (tenant_id, contact_id)"
        " WHERE r.build = live_build('relationships') AND c.build = live_build('contacts')"
    )
    return {row["name"].lower(): row["score"] for row in rows}


async def known_by_an_answer(shop: Shop) -> None:
    """Everybody wrote once, so that everybody has a score of their own."""
    await shop.tell(*(touch(who, day=1, direction="in") for who in PEOPLE))


async def test_the_fifth_to_get_the_same_words_takes_the_weight_of_all_five(context: Context, shop: Shop, rival: Shop):
    for one in (shop, rival):
        await known_by_an_answer(one)
    await work(context)
    answered = await scores(shop)
    await shop.tell(*(mail(who, day=2) for who in PEOPLE[:4]))
    await rival.tell(*(mail(who, day=2) for who in PEOPLE[4:6]))
    await work(context)
    four = await scores(shop)
    assert all(four[who] > answered[who] for who in PEOPLE[:4])
    [fifth] = await shop.tell(mail("eve", day=2.5, note="Hello Eve,\nOUR new cakes are here. Come and try them"))
    await work(context)
    assert await scores(shop) == answered, "four were told before it was bulk: they lose the weight too"
    assert all(score > answered["ana"] for who, score in (await scores(rival)).items() if who in PEOPLE[4:6])

    assert fifth.event_id
    await shop.strike(fifth.event_id)
    await work(context)
    assert await scores(shop) == four
    assert not any(row["bulk"] for row in await shop.contents("timeline"))


async def test_two_businesses_never_make_five_together(context: Context, shop: Shop, rival: Shop):
    await shop.tell(*(mail(who) for who in PEOPLE[:3]))
    await rival.tell(*(mail(who) for who in PEOPLE[3:7]))
    await work(context)
    rows = await shop.contents("timeline") + await rival.contents("timeline")
    assert {row["bulk"] for row in rows} == {False}
    marks = {row["text_mark"] for row in rows}
    assert len(marks) == 2, "the same words have another mark in another business"


async def test_a_late_one_in_the_middle_makes_bulk_of_those_around_it(context: Context, shop: Shop):
    await shop.tell(mail("ana", day=0), mail("ben", day=0.5), mail("cat", day=0.9), mail("dan", day=1.4))
    await work(context)
    assert not any(row["bulk"] for row in await shop.contents("timeline"))
    await shop.tell(mail("eve", day=0.95))
    await work(context)
    assert sum(row["bulk"] for row in await shop.contents("timeline")) == 0, (
        "from the first to the fifth it took longer"
    )
    await shop.tell(mail("fay", day=0.6))
    await work(context)
    assert sum(row["bulk"] for row in await shop.contents("timeline")) == 6


@pytest.mark.parametrize("seed", range(4))
async def test_any_way_ends_as_a_rebuild_does(context: Context, shop: Shop, rival: Shop, seed: int):
    """Told in any order, in pieces, with strikes between, the workers somewhere behind."""
    chance = random.Random(seed)
    items = [mail(who, day=chance.choice([0, 0.5, 1.2, 2, 9])) for who in PEOPLE for _ in range(3)]
    items += [touch(who, day=chance.randrange(12), direction="in") for who in PEOPLE]
    chance.shuffle(items)
    told: list[UUID] = []
    while items:
        piece = [items.pop() for _ in range(min(len(items), chance.choice([1, 2, 5])))]
        told += [one.event_id for one in await shop.tell(*piece) if one.event_id]
        if chance.random() < 0.4:
            await shop.strike(chance.choice(told))
        for _ in range(chance.choice([0, 1, 4])):
            await projector.advance(context)
    await work(context)
    before = {table: await shop.contents(table) for table in ("timeline", "relationship")}
    assert {row["bulk"] for row in before["timeline"]} == {True, False}
    for projection in ("relationships", "timeline", "relationships"):
        await projector.start_rebuild(context, shop.id, projection)
        await work(context)
        assert {table: await shop.contents(table) for table in ("timeline", "relationship")} == before
    assert await rival.contents("timeline") == []


async def test_what_stands_for_a_text_is_in_the_log_and_never_in_the_feed(context: Context, shop: Shop):
    [one] = await shop.tell(mail("ana"))
    body = await shop.value("SELECT convert_from(body, 'UTF8') FROM event WHERE event_id = $1", one.event_id)
    assert '"text_mark":"' in body
    assert "cakes" not in body
    again = tenant_keys(shop.id, await shop.value("SELECT wrapped_key FROM tenant"), master=context.master)
    assert again.mark("our new cakes are here come and try them") in body
