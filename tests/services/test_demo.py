"""The made-up practice, loaded through the importers into real tenants, once."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import asdict

from infra import event_log
from infra.context import Context, open_context
from infra.views import contacts, imports
from infra.views.contacts import Filter
from infra.views.imports import ImportRow
from services import office
from services.demo import loading
from services.demo.practice import SEED, Practice, generate
from services.workers.main import catch_up
from tests.conftest import Database, Servers, migrated, temporary_folder
from tests.road import MASTER_KEY, Business, Road

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

SLUGS = ("corner-bakery", "two-wheels", "quiet-hour")


class Loaded:
    """The practice and its tenants, each seen through the API with its own key."""

    def __init__(self, practice: Practice, businesses: dict[str, Business]) -> None:
        self.practice = practice
        self.businesses = businesses

    async def people(self, slug: str) -> dict[str, dict[str, Any]]:
        """Everybody the business knows, by name."""
        return await people_of(self.businesses[slug])

    async def reports(self, slug: str) -> list[ImportRow]:
        business = self.businesses[slug]
        tenant = await office.chosen(business.context, business.tenant_id)
        return (await imports.page(business.context, tenant)).items

    def part(self, slug: str, part: str) -> str:
        """The name of who plays it."""
        [told] = [one for one in self.practice.businesses if one.profile.slug == slug]
        return told.parts[part].name


async def people_of(business: Business) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await business.get("/v1/contacts", limit=200, **cursor)
        found |= {one["name"]: one for one in page["items"]}
        if not page["next"]:
            return found
        cursor = {"cursor": page["next"]}


def nobody_looks(_: str, __: int, ___: int) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
async def loaded(road: Road) -> AsyncIterator[Loaded]:
    with temporary_folder() as data:
        data.create()
        state = await loading.load(road.context, data, progress=nobody_looks)
        async with (
            road.client(state.businesses[SLUGS[0]].api_key) as bakery,
            road.client(state.businesses[SLUGS[1]].api_key) as bicycles,
            road.client(state.businesses[SLUGS[2]].api_key) as yoga,
        ):
            businesses = {
                slug: Business(state.businesses[slug].tenant_id, state.businesses[slug].api_key, client, road.context)
                for slug, client in zip(SLUGS, (bakery, bicycles, yoga), strict=True)
            }
            for business in businesses.values():
                await business.settled()
            yield Loaded(generate(SEED, state.today), businesses)
        assert (await loading.load(road.context, data, progress=nobody_looks)).loaded


@pytest.fixture(params=SLUGS)
def slug(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_each_business_knows_its_own_people_and_nobody_elses(loaded: Loaded):
    names = [set(await loaded.people(slug)) for slug in SLUGS]
    assert all(45 <= len(one) <= 60 for one in names)
    assert sum(len(one) for one in names) == len(set.union(*names))


async def test_everybody_of_the_files_is_there_once(loaded: Loaded, slug: str):
    [told] = [one for one in loaded.practice.businesses if one.profile.slug == slug]
    assert set(await loaded.people(slug)) == {one.name for one in told.people}


async def test_private_people_are_not_recorded(loaded: Loaded, slug: str):
    [told] = [one for one in loaded.practice.businesses if one.profile.slug == slug]
    names = set(await loaded.people(slug))
    assert names.isdisjoint(one.name for one in told.private)
    assert sum(report.counts.private for report in await loaded.reports(slug)) > 50


async def test_all_halves_are_there(loaded: Loaded, slug: str):
    network = await loaded.businesses[slug].get("/v1/network")
    for half in ("online_only", "in_person_only", "both"):
        assert network[half]["count"] >= 10, half


async def test_an_online_friend_in_town_was_never_met(loaded: Loaded, slug: str):
    friend = (await loaded.people(slug))[loaded.part(slug, "friend in town")]
    assert (friend["half"], friend["met_at"], friend["locality"]) == ("online_only", None, "Larkhaven")
    assert friend["strength"] >= 45


async def test_a_weekly_friend_is_overdue(loaded: Loaded, slug: str):
    friend = (await loaded.people(slug))[loaded.part(slug, "fallen silent")]
    assert friend["rhythm"]["status"] == "overdue"
    assert friend["rhythm"]["still_alive"] >= 0.3
    assert friend["strength"] >= 60


async def test_referrals_run_through_three_generations(loaded: Loaded, slug: str):
    tree = await loaded.businesses[slug].get("/v1/referrals/tree")
    told = {one["contact"]["name"]: one for one in tree["members"]}
    parts = [loaded.part(slug, part) for part in ("advocate", "first client", "second client", "third client")]
    chain = [told[name] for name in parts]
    assert [one["generation"] for one in chain] == [0, 1, 2, 3]
    assert [one["status"] for one in chain[1:]] == ["won"] * 3
    assert [one["parent_id"] for one in chain[1:]] == [one["contact"]["id"] for one in chain[:-1]]
    assert tree["currency"] == "USD"


async def test_what_is_told_of_referrals_makes_sense(loaded: Loaded, slug: str):
    """A practice of a few referrals a month: shares and medians, but no reproduction from fewer than ten parents."""
    business = loaded.businesses[slug]
    seen = await business.get("/v1/referrals/overview")
    tree = await business.get("/v1/referrals/tree")
    assert (seen["value"], seen["currency"]) == (tree["value"], "USD")
    assert sum(seen["fates"].values()) >= seen["fates"]["won"] >= 3
    assert sum(one["people"] for one in seen["generations"]) == len(tree["members"])
    assert seen["thanks"]["median"] == tree["thanks"]["median_hours"]
    assert seen["thanks"]["waiting"] == 1
    assert seen["reproduction"]["missing"].startswith("R needs 10 observed parents")
    assert seen["supporters"]["people"] >= 3
    ranked = (await business.get("/v1/referrals/referrers"))["items"]
    assert sum(Decimal(one["value"]) for one in ranked) == Decimal(seen["value"])
    assert [float(one["a_year"]) for one in ranked] == sorted((float(one["a_year"]) for one in ranked), reverse=True)
    assert loaded.part(slug, "advocate") in [one["contact"]["name"] for one in ranked[:3]]


async def test_the_two_halves_make_sense(loaded: Loaded, slug: str):
    business = loaded.businesses[slug]
    network, seen = await business.get("/v1/network"), await business.get("/v1/network/overlap")
    assert {half: seen["half"][half] for half in seen["half"]} == {
        half: network[half]["count"] for half in seen["half"]
    }
    assert 0.3 < seen["met"]["share"] < 0.9
    assert f"met {round(100 * seen['met']['share'])} %" in seen["headline"]
    assert 5 <= seen["blended"]["blended"] <= seen["blended"]["of"]
    assert sum(one["of"] for one in seen["by_stage"]) == seen["blended"]["of"]
    moving = [one["contact"]["name"] for one in seen["next_to_move"]]
    assert loaded.part(slug, "friend in town") in moving
    assert len(moving) <= 10
    for half in ("online", "in_person"):
        assert 0 < seen[f"depth_{half}"]["depth"] < 1
    assert seen["bridging"]["communities"] >= 1
    places = await business.get("/v1/network/outposts")
    assert places["customers"] >= 5
    assert all(
        use["giving_low"] < use["giving"] < use["giving_high"] for use in places["channels"] if not use["too_few"]
    )
    assert len(places["feeding"]) >= 5
    assert 0 < seen["trend"]["before"] < 1
    led = (await business.get("/v1/network/occasions"))["items"]
    assert all(one["new_contacts"] <= one["met"] <= one["came"] for one in led)


async def test_one_referrer_waits_for_thanks(loaded: Loaded, slug: str):
    [waiting] = (await loaded.businesses[slug].get("/v1/referrals", unthanked=True, direction="received"))["items"]
    assert waiting["referrer"]["name"] == loaded.part(slug, "not thanked")


async def test_two_appointments_wait_for_an_answer_and_others_are_to_come(loaded: Loaded, slug: str):
    business = loaded.businesses[slug]
    assert len((await business.get("/v1/appointments", state="to_confirm"))["items"]) == 2
    assert len((await business.get("/v1/appointments", state="planned"))["items"]) >= 3


async def test_the_first_nudges_are_from_the_whole_past(loaded: Loaded, slug: str):
    """None was suggested while files came in, when those met in one were still unmet in another."""
    suggested = (await loaded.businesses[slug].get("/v1/nudges"))["items"]
    people = await loaded.people(slug)
    assert len(suggested) == 3
    assert all(one["reason"] for one in suggested)
    assert loaded.part(slug, "not thanked") in [
        one["contact_name"] for one in suggested if one["kind"] == "thank_referrer"
    ]
    asked = [people[one["contact_name"]] for one in suggested if one["kind"] == "meet_in_person"]
    assert all(one["met_at"] is None for one in asked)


async def test_each_report_accounts_for_every_row(loaded: Loaded, slug: str):
    reports = {one.file_name: one for one in await loaded.reports(slug)}
    assert len(reports) == 6
    for report in reports.values():
        assert report.state == "done"
        assert sum(asdict(report.counts).values()) == report.rows
        assert report.counts.recorded > 0
    assert {name: one.counts.rejected for name, one in reports.items() if one.counts.rejected} == {"touchpoints.csv": 1}


async def test_loading_it_again_changes_nothing(loaded: Loaded, road: Road, slug: str):
    tenant_id = loaded.businesses[slug].tenant_id
    before = await event_log.head(road.context.pool, tenant_id)
    with temporary_folder() as other:
        other.create()
        state = await loading.load(road.context, other, progress=nobody_looks)
    assert state.businesses[slug].tenant_id == tenant_id
    assert await event_log.head(road.context.pool, tenant_id) == before


class Interrupted(Exception):
    """The load is broken off here."""


async def test_an_interrupted_load_goes_on_and_ends_the_same(loaded: Loaded, servers: Servers):
    """Broken off once in each business, then run to the end: the same people with the same touchpoints."""
    broken_off = set[str]()

    def interrupt(business: str, done: int, of: int) -> None:
        if done > of / 2 and business not in broken_off:
            broken_off.add(business)
            raise Interrupted

    async with migrated(servers) as database, opened(database, servers) as context:
        with temporary_folder() as data:
            data.create()
            for n in range(len(SLUGS)):
                with pytest.raises(Interrupted):
                    await loading.load(context, data, progress=interrupt)
                assert sum(kept.loaded for kept in loading.state(data).businesses.values()) == n
            state = await loading.load(context, data, progress=interrupt)
        await catch_up(context)
        for slug in SLUGS:
            tenant = await office.chosen(context, state.businesses[slug].tenant_id)
            page = await contacts.page(context, tenant, Filter(), limit=200)
            uninterrupted = await loaded.people(slug)
            assert {one.name: (one.touchpoints, one.strength) for one in page.items} == {
                name: (one["touchpoints"], one["strength"]) for name, one in uninterrupted.items()
            }


def opened(database: Database, servers: Servers) -> AbstractAsyncContextManager[Context]:
    return open_context(database_url=database.app_url, redis_url=servers.redis_url, master=MASTER_KEY)
