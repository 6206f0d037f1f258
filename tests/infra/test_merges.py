"""Merged contacts as the projections keep them: nothing is copied, so any order and any way back gives the same."""

import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.merges import MergeContacts, MergePair, TellApart, UnmergeContact
from infra import commands, projector
from infra.context import Context
from infra.database import Connection
from tests.infra.quiet import ORIGIN, Shop, friendship, parked_again, touch, work
from tests.infra.test_rebuild import history, rebuild

HISTORIES = 20


async def merge(shop: Shop, into: UUID, *who: UUID) -> None:
    await commands.merge_contacts(shop.context, shop.tenant, into, MergeContacts(who), origin=ORIGIN)


async def unmerge(shop: Shop, into: UUID, who: UUID) -> None:
    await commands.unmerge_contact(shop.context, shop.tenant, into, UnmergeContact(who), origin=ORIGIN)


async def apart(shop: Shop, *pair: UUID) -> None:
    await commands.tell_apart(shop.context, shop.tenant, TellApart(pair), origin=ORIGIN)


async def relationships(shop: Shop) -> dict[UUID, dict[str, Any]]:
    return {UUID(row["contact_id"]): row for row in await shop.contents("relationship")}


async def test_a_merge_makes_one_relationship_and_an_unmerge_gives_both_back(context: Context, shop: Shop, rival: Shop):
    for who in (shop, rival):
        await who.tell(*friendship("ben"), *friendship("benny", channel="chamber"))
        await work(context)
    before, theirs = await shop.everything(), await rival.everything()
    ben, benny = await known(shop, "ben"), await known(shop, "benny")
    await merge(shop, ben, benny)
    await work(context)
    merged = await relationships(shop)
    assert merged.keys() == {ben}
    assert merged[ben]["touchpoints"] == 42
    assert merged[ben]["channels"] == ["chamber", "email"]
    await unmerge(shop, ben, benny)
    await work(context)
    assert await shop.everything() == before
    assert await rival.everything() == theirs


async def known(shop: Shop, name: str) -> UUID:
    who: UUID = await shop.value(
        "SELECT contact_id FROM contact WHERE build = live_build('contacts') AND name = $1", name.title()
    )
    return who


async def test_the_state_of_a_merged_one_is_that_of_somebody_who_had_all_the_touches(
    context: Context, shop: Shop, rival: Shop
):
    """To the bit; and what both had counts once."""
    chance = random.Random(4)
    for item in history(chance, 80):
        people = [one.name.lower() for one in item.people if one.name]
        one = sorted({"ben" if name in ("ana", "eve") else name for name in people})
        [first] = await shop.record(item)
        if first.status == "recorded":
            audience = max(item.audience or 1, len(people))
            await rival.record(replace(item, people=touch(one).people, audience=audience))
    await work(context)
    ben, ana, eve = [await known(shop, name) for name in ("ben", "ana", "eve")]
    await merge(shop, ana, eve)
    await merge(shop, ben, ana)
    await work(context)
    [mine] = [row for who, row in (await relationships(shop)).items() if who == ben]
    theirs = (await relationships(rival))[await known(rival, "ben")]
    for row in (mine, theirs):
        del row["contact_id"], row["tenant_id"], row["strength"]
    assert mine == theirs


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_whatever_was_merged_and_unmerged_a_rebuild_makes_the_same(
    context: Context, shop: Shop, rival: Shop, seed: int
):
    chance = random.Random(seed)
    await live_through(chance, shop)
    await live_through(chance, rival)
    await work(context)
    grown = await shop.everything()
    assert await shop.rows("SELECT FROM parked_event") == []
    standing = {row["contact_id"] for row in grown["contact"]} - {row["contact_id"] for row in grown["contact_alias"]}
    assert {row["contact_id"] for row in grown["relationship"]} == standing
    await rebuild(context, shop)
    assert await shop.everything() == grown
    for projection in ("contacts", "relationships", "timeline"):
        await rebuild(context, shop, projection)
        assert await shop.everything() == grown


async def live_through(chance: random.Random, shop: Shop) -> None:
    """Told, struck, merged and unmerged in pieces, the workers always somewhere behind."""
    items = list(history(chance, 40))
    recorded = []
    while items:
        piece = [items.pop() for _ in range(min(len(items), chance.choice([1, 2, 5])))]
        recorded += [one.event_id for one in await shop.record(*piece) if one.status == "recorded" and one.event_id]
        rows = await shop.rows("SELECT DISTINCT contact_id FROM identity ORDER BY contact_id")
        one, other = (chance.choice(rows)["contact_id"] for _ in range(2))
        try:
            match chance.randrange(8):
                case 0:
                    await shop.strike(chance.choice(recorded))
                case 1 | 2 | 3:
                    await merge(shop, one, other)
                case 4 | 5:
                    await unmerge(shop, one, other)
                case 6:
                    await shop.change(one, name=chance.choice(["Al", "Bo"]), stated={"how_often": "monthly"})
                case _:
                    await apart(shop, one, other)
        except Refused:
            pass
        for _ in range(chance.choice([0, 1, 3, 10])):
            await projector.advance(shop.context)


async def test_a_merge_that_was_parked_counts_when_it_is_taken(
    context: Context, shop: Shop, rival: Shop, admin: Connection
):
    await shop.tell(*friendship("ben"), *friendship("ana"))
    await rival.tell(*friendship("ben"))
    await work(context)
    ben, ana = await known(shop, "ben"), await known(shop, "ana")
    stream = f"contact-{ana}"
    await admin.execute(
        "INSERT INTO parked_event (tenant_id, process, build, position, stream, type, error, retry_at)"
        " SELECT tenant_id, 'contacts', 1, position, stream, type, 'poison', now() + interval '1 hour'"
        " FROM event WHERE tenant_id = $1 AND stream = $2 ORDER BY position LIMIT 1",
        shop.id, stream,
    )  # fmt: skip
    await merge(shop, ben, ana)
    await shop.tell(touch("ana"))
    await work(context)
    assert (await relationships(shop)).keys() == {ben, ana}, "what it follows has not seen it: it waits"
    await parked_again(admin)
    await work(context)
    merged = await relationships(shop)
    assert merged.keys() == {ben}
    assert merged[ben]["touchpoints"] == 43
    grown = await shop.everything()
    await rebuild(context, shop)
    assert await shop.everything() == grown


async def test_later_touchpoints_of_a_merged_handle_keep_the_contact_they_came_through(
    context: Context, shop: Shop, rival: Shop
):
    [ben] = await shop.know(touch("ben"))
    [ana] = await shop.know(touch("ana"))
    await rival.tell(touch("ana"))
    await merge(shop, ben, ana)
    assert await shop.know(touch("ana", day=1)) == [ana]
    await work(context)
    assert (await relationships(shop))[ben]["touchpoints"] == 3
    await unmerge(shop, ben, ana)
    await work(context)
    assert {who: row["touchpoints"] for who, row in (await relationships(shop)).items()} == {ben: 1, ana: 2}


async def test_a_chain_is_resolved_and_comes_apart_where_it_is_cut(context: Context, shop: Shop, rival: Shop):
    ben, ana, eve = await shop.know(touch("ben"), touch("ana"), touch("eve"))
    await rival.know(touch("ben"))
    await merge(shop, ana, ben)
    await merge(shop, eve, ana)
    await work(context)
    assert {who: row["touchpoints"] for who, row in (await relationships(shop)).items()} == {eve: 3}
    await unmerge(shop, eve, ana)
    await work(context)
    assert {who: row["touchpoints"] for who, row in (await relationships(shop)).items()} == {eve: 1, ana: 2}


async def test_what_cannot_be_merged_changes_nothing(context: Context, shop: Shop, rival: Shop):
    ben, ana, eve, joe = await shop.know(*map(touch, ("ben", "ana", "eve", "joe")))
    [theirs] = await rival.know(touch("joe"))
    await merge(shop, ben, ana)
    log = await shop.positions()
    for into, who, error in [
        (ben, ben, Invalid),
        (ben, uuid4(), NotFound),
        (uuid4(), ben, NotFound),
        (ben, theirs, NotFound),
        (theirs, ben, NotFound),
        (ana, ben, Conflict),
        (joe, ana, Conflict),
    ]:
        with pytest.raises(error):
            await merge(shop, into, eve, who)
    for into, who in [(ben, eve), (eve, ana), (ana, ana)]:
        with pytest.raises(Conflict):
            await unmerge(shop, into, who)
    with pytest.raises(NotFound):
        await unmerge(rival, theirs, ana)
    assert await shop.positions() == log
    assert "contact.merged" not in await rival.types()


async def test_thousands_are_merged_in_one_call_and_each_has_its_result(context: Context, shop: Shop, rival: Shop):
    people = await shop.know(*(touch(f"guest{n}") for n in range(600)))
    [theirs] = await rival.know(touch("guest1"))
    pairs = [MergePair(into, who) for into, who in zip(people[::2], people[1::2], strict=True)]
    odd = [
        MergePair(people[0], theirs),
        MergePair(people[2], people[1]),
        MergePair(people[1], people[0]),
        MergePair(people[5], people[5]),
    ]
    done = await commands.merge_pairs(context, shop.tenant, [*pairs, *odd], origin=ORIGIN)
    assert [one.status for one in done] == ["recorded"] * 300 + ["rejected"] * 4
    assert [type(one.problem) for one in done[300:]] == [NotFound, Conflict, Conflict, Conflict]
    again = await commands.merge_pairs(context, shop.tenant, pairs, origin=ORIGIN)
    assert {one.status for one in again} == {"duplicate"}
    await work(context)
    assert {row["touchpoints"] for row in (await relationships(shop)).values()} == {2}
    assert len(await relationships(shop)) == 300
    assert len(await relationships(rival)) == 1


async def test_a_pair_is_told_apart_once(context: Context, shop: Shop, rival: Shop):
    ben, ana = await shop.know(touch("ben"), touch("ana"))
    await rival.know(touch("ben"), touch("ana"))
    await apart(shop, ana, ben)
    await apart(shop, ben, ana)
    await work(context)
    [row] = await shop.contents("told_apart")
    assert (row["contact_id"], row["other_id"]) == tuple(map(str, sorted([ben, ana])))
    assert (await shop.types()).count("contacts.told_apart") == 1
    assert await rival.contents("told_apart") == []
