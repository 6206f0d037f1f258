"""The past as it was: a viewpoint has the very rows the views had then; and the model, changed and tried."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from domain import model
from domain.model import Model
from infra import commands, periodic, projector
from infra.context import Context
from infra.database import Connection
from infra.projector import PROJECTIONS
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint
from infra.views import model as models
from infra.views import past, strength
from tests.infra.quiet import NOON, ORIGIN, Shop, friendship, touch, work
from tests.infra.test_rebuild import live_through

HISTORIES = 5


async def seen(shop: Shop, *, at: datetime | None = None, true_at: datetime | None = None) -> Viewpoint:
    """The viewpoint, made."""
    found = await past.viewpoint(shop.context, shop.tenant, at=at, true_at=true_at)
    assert found is not None
    await work(shop.context)
    assert await past.ready(shop.context, shop.tenant, found, list(PROJECTIONS)) == found.position
    return found


async def rows_of(shop: Shop, build: int) -> dict[str, list[dict[str, Any]]]:
    tables = [table for projection in PROJECTIONS.values() for table in projection.tables]
    return {table: await shop.contents(table, build=build) for table in tables}


async def scores(shop: Shop) -> dict[str, float]:
    return {row["contact_id"]: row["score"] for row in await shop.contents("relationship")}


def other(**parts: float) -> Model:
    """A model where long talks are worth less, and the parts weigh otherwise."""
    kinds = model.STANDARD.kinds | {"email": model.KindModel(3.0, 2, 0)}
    points = {**msgspec.structs.asdict(model.STANDARD.parts), "intensity": 20.0, "advocacy": 20.0, **parts}
    return msgspec.structs.replace(
        model.STANDARD, kinds=kinds, half_lives=model.HalfLives(20, 90, 365), parts=model.PartPoints(**points)
    )


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_what_was_known_then_is_what_the_views_had_then(shop: Shop, rival: Shop, context: Context, seed: int):
    chance = random.Random(seed)
    moments: list[tuple[datetime, dict[str, Any]]] = []
    for _ in range(3):
        await live_through(chance, shop)
        await rival.tell(touch("ana"))
        await work(context)
        moments.append((datetime.now(UTC), await shop.everything()))
    for instant, rows in chance.sample(moments, 3):
        viewpoint = await seen(shop, at=instant)
        assert await rows_of(shop, viewpoint.build) == rows
    assert await shop.everything() == moments[-1][1]
    assert await rival.value("SELECT count(*) FROM viewpoint") == 0


async def test_before_anything_was_recorded_there_is_nothing(shop: Shop):
    await shop.tell(*friendship())
    before = await seen(shop, at=NOON)
    assert before.position == 0
    assert not any((await rows_of(shop, before.build)).values())


async def test_what_had_happened_by_then_is_told_later_too_and_a_strike_goes_with_its_touchpoint(
    shop: Shop, rival: Shop
):
    told = [touch(day=day, channel=("email", "cafe")[day % 2], kind="email") for day in range(10)]
    recorded = await shop.tell(*reversed(told))
    await shop.change(recorded[0].contact_ids[0], name="Benjamin", interests=[{"topic": "bread"}])
    await rival.tell(*told)
    for late in (0, -1, -4):
        struck = recorded[late].event_id
        assert struck is not None
        await shop.strike(struck)
    await work(shop.context)
    viewpoint = await seen(shop, true_at=NOON + timedelta(days=5))
    rows = await rows_of(shop, viewpoint.build)
    assert [row["occurred_at"][:10] for row in rows["timeline"]].count("2025-03-07") == 1
    assert len(rows["timeline"]) == 6
    assert sum(row["touchpoints"] for row in rows["channel"]) == 4  # six by then, of which two were struck
    [relationship] = rows["relationship"]
    assert (relationship["touchpoints"], relationship["scored_day"]) == (4, 20_154)
    assert [row["name"] for row in rows["contact"]] == ["Benjamin"]
    assert len(rows["contact_interest"]) == 1


async def test_known_then_of_what_had_happened_earlier_takes_both(shop: Shop):
    await shop.tell(touch(day=0), touch(day=5))
    await work(shop.context)
    known_by = datetime.now(UTC)
    await shop.tell(touch(day=1))
    await work(shop.context)
    viewpoint = await seen(shop, at=known_by, true_at=NOON + timedelta(days=2))
    assert [row["occurred_at"][:10] for row in (await rows_of(shop, viewpoint.build))["timeline"]] == ["2025-03-02"]


async def test_the_same_again_is_the_same_viewpoint(shop: Shop):
    await shop.tell(touch())
    instant = datetime.now(UTC)
    first, again = await seen(shop, at=instant), await seen(shop, at=instant)
    assert first == again
    assert await shop.value("SELECT count(*) FROM viewpoint") == 1


async def test_nobody_looks_any_more_and_it_is_gone(shop: Shop, rival: Shop, admin: Connection):
    for who in (shop, rival):
        await who.tell(*friendship())
        await seen(who, at=datetime.now(UTC))
    live = await shop.everything()
    await admin.execute("UPDATE viewpoint SET used_at = now() - interval '1 day' WHERE tenant_id = $1", shop.id)
    await admin.execute("UPDATE due SET due_at = now() WHERE task = 'viewpoints'")
    await work(shop.context)
    assert await shop.value("SELECT count(*) FROM viewpoint") == 0
    assert await shop.value("SELECT count(*) FROM checkpoint WHERE build < 0") == 0
    assert not any((await rows_of(shop, -1)).values())
    assert await shop.everything() == live
    assert await rival.value("SELECT count(*) FROM viewpoint") == 1


async def test_of_too_many_the_longest_unused_go(shop: Shop, admin: Connection):
    await shop.tell(touch())
    await work(shop.context)
    begun = datetime.now(UTC) - timedelta(days=400)
    for day in range(periodic.MOST_VIEWPOINTS + 3):
        await past.viewpoint(shop.context, shop.tenant, at=begun + timedelta(days=day), true_at=None)
    await admin.execute("UPDATE due SET due_at = now() WHERE task = 'viewpoints'")
    await work(shop.context)
    assert await shop.value("SELECT count(*) FROM viewpoint") == periodic.MOST_VIEWPOINTS


async def test_a_view_of_the_past_is_no_lag_and_goes_never_live(shop: Shop):
    await shop.tell(*friendship())
    await work(shop.context)
    await past.viewpoint(shop.context, shop.tenant, at=datetime.now(UTC), true_at=None)
    await shop.tell(touch("ana"))
    await work(shop.context)
    assert {row["lag"] for row in await shop.rows("SELECT lag FROM work_lags()")} == {0}
    assert await shop.value("SELECT count(*) FROM checkpoint WHERE live AND build < 0") == 0
    [(number, position, live)] = await projector.builds(shop.context, shop.id, "relationships")
    assert (number, position, live) == (1, max(await shop.positions()), True)


async def switch(shop: Shop, wanted: Model) -> None:
    await commands.change_model(shop.context, shop.tenant, wanted, origin=ORIGIN)


async def test_another_model_weighs_everything_anew_beside_what_is_shown(shop: Shop, rival: Shop, context: Context):
    for who in (shop, rival):
        await who.tell(*friendship(), touch("ana", kind="meeting", minutes=60))
    await work(context)
    before, theirs = await scores(shop), await rival.everything()
    then = datetime.now(UTC)
    await switch(shop, other())
    assert not (await models.in_force(context, shop.tenant)).in_use
    await work(context)
    shown = await models.in_force(context, shop.tenant)
    assert (shown.in_use, shown.progress, shown.model) == (True, None, other())
    after = await scores(shop)
    assert after.keys() == before.keys()
    assert all(after[who] != before[who] for who in before)
    for who, score in after.items():
        explained = await strength.explained(context, shop.tenant, await contact(shop, who))
        assert explained.score == score
        assert sum(round(part.points * 10) for part in explained.parts.values()) == round(score * 10)
    assert await rival.everything() == theirs
    old = await seen(shop, at=then)
    assert {row["contact_id"]: row["score"] for row in await shop.contents("relationship", build=old.build)} == before
    kept = await shop.everything()
    await projector.start_rebuild(context, shop.id, "relationships")
    await work(context)
    assert await shop.everything() == kept


async def contact(shop: Shop, who: str) -> Any:
    return await shop.value(
        "SELECT contact_id FROM contact WHERE contact_id = $1::uuid", msgspec.convert(who, type=Any)
    )


async def test_a_model_changed_again_before_it_was_in_use_is_the_last_one_told(shop: Shop, context: Context):
    await shop.tell(*friendship())
    await work(context)
    standard = await shop.everything()
    await switch(shop, other())
    assert await projector.advance(context)
    await switch(shop, other(intensity=30.0, tenure=0.0))
    await work(context)
    assert (await models.in_force(context, shop.tenant)).in_use
    late = await scores(shop)
    await switch(shop, model.STANDARD)
    await work(context)
    assert await shop.everything() == standard
    await switch(shop, other(intensity=30.0, tenure=0.0))
    await work(context)
    assert await scores(shop) == late


async def test_a_build_that_meets_a_newer_model_starts_over(shop: Shop, context: Context):
    await shop.tell(*friendship())
    await work(context)
    await projector.start_rebuild(context, shop.id, "relationships")
    await switch(shop, other())
    await work(context)
    assert (await models.in_force(context, shop.tenant)).in_use
    changed = await scores(shop)
    await switch(shop, model.STANDARD)
    await switch(shop, other())
    await work(context)
    assert await scores(shop) == changed


async def tried(context: Context, tenant: Tenant, wanted: Model) -> models.PreviewView:
    await models.begun(context, tenant, wanted)
    await work(context)
    return await models.preview(context, tenant, wanted)


async def test_a_model_is_tried_without_changing_anything(shop: Shop, rival: Shop, context: Context):
    await shop.open_always()
    await shop.tell(*friendship("ben"), *friendship("eve", kind="like"), touch("zoe", kind="post"))
    await rival.tell(*friendship("joe"))
    await work(context)
    before = await shop.everything()
    [nudge] = before["nudge"]
    same = await tried(context, shop.tenant, model.STANDARD)
    assert (same.moved, same.stages, same.items, same.nudges.gained, same.nudges.lost) == (0, [], [], [], [])
    worthless = msgspec.structs.replace(
        model.STANDARD,
        kinds=model.STANDARD.kinds | {"email": model.KindModel(0, 0, 0), "like": model.KindModel(1.0, 1, 0)},
    )
    seen = await tried(context, shop.tenant, worthless)
    assert seen.contacts == same.contacts
    assert seen.moved == 2
    assert {(one.before, one.after) for one in seen.stages} >= {("acquaintance", "named_only")}
    ben = next(one for one in seen.items if str(one.id) == nudge["contact_id"])
    assert (ben.name, ben.after.score) == ("Ben", 0.0)
    assert [(str(one.nudge_id), one.kind) for one in seen.nudges.lost] == [(nudge["nudge_id"], "meet_in_person")]
    [gained] = seen.nudges.gained
    assert (gained.kind, gained.contact_id != ben.id, gained.nudge_id) == ("meet_in_person", True, None)
    assert await shop.everything() == before
    await switch(shop, worthless)
    await work(context)
    after = await scores(shop)
    assert {str(one.id): one.after.score for one in seen.items} == {
        who: score for who, score in after.items() if who in {str(one.id) for one in seen.items}
    }


async def test_without_anybody_a_trial_says_so(shop: Shop, context: Context):
    seen = await tried(context, shop.tenant, other())
    assert (seen.contacts, seen.moved, seen.items) == (0, 0, [])
