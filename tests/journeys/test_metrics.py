"""What Prometheus reads of the processes: their numbers move with the work, and say nothing of anybody."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Servers
from tests.journeys.processes import Fleet, fleet, free_port, until
from tests.road import ALWAYS_OPEN
from tests.services.api.told import friendship, touchpoint

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("metrics")]

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        samples = [one for family in self.families for one in family.samples if one.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())

    def names(self) -> set[str]:
        """Of every sample there can be, also where none was counted so far."""
        return {family.name + suffix for family in self.families for suffix in SUFFIXES.get(family.type, ())}


class Scraped(NamedTuple):
    """API and worker before and after a day's work; what the business is called and knows."""

    api: list[Metrics]
    worker: list[Metrics]
    secrets: list[str]


async def scrape(address: str) -> Metrics:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{address}/metrics")
        assert answer.status_code == 200
        return Metrics(answer.text)


async def shows(address: str, seen: Callable[[Metrics], object]) -> Metrics:
    """The first scrape of which this is true."""

    async def there() -> bool:
        return bool(seen(await scrape(address)))

    await until(there)
    return await scrape(address)


async def add_business(ships: Fleet, name: str) -> tuple[str, str]:
    """Its id and its key."""
    added = json.loads((await ships.command("tenant", "add", name, "--json")).out)
    return added["tenant_id"], added["api_key"]


async def start_worker(ships: Fleet, **variables: str) -> str:
    """Where its metrics are."""
    port = free_port()
    worker = ships.start("worker", RAPPORT_METRICS_PORT=str(port), **variables)
    address = f"http://127.0.0.1:{port}"

    async def there() -> bool:
        try:
            await scrape(address)
        except httpx.TransportError:
            return worker.poll() is not None
        return True

    await until(there)
    assert worker.poll() is None, ships.said()
    return address


@pytest.fixture(scope="module")
async def scraped(servers: Servers) -> AsyncIterator[Scraped]:
    """A business tells of a friendship, is refused twice, and answers to its nudge."""
    async with fleet(servers) as ships:
        (_, api), worker = await asyncio.gather(ships.start_api(), start_worker(ships))
        tenant_id, key = await add_business(ships, "Secretive Bakery")
        before = [await scrape(one) for one in (api, worker)]
        async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {key}"}) as client:
            assert (await client.put("/v1/nudge-policy", json=ALWAYS_OPEN)).is_success
            told = [*friendship("ben@secret.example", name="Secret Ben"), touchpoint(kind="dream")]
            assert (await client.post("/v1/touchpoints", json=told)).status_code == 200
            assert (await client.get("/v1/contacts/00000000-0000-7000-8000-000000000000")).status_code == 404
            assert (await client.get("/v1/secret")).status_code == 404
            await shows(worker, lambda now: now.value("rapport_nudges_total", outcome="suggested"))
            await shows(api, lambda now: now.value("rapport_projection_lag_events") == 0)
            [nudge] = (await client.get("/v1/nudges")).json()["items"]
            assert (await client.post(f"/v1/nudges/{nudge['id']}/accept", json={"within_reach": "yes"})).is_success
        after = [await scrape(one) for one in (api, worker)]
        yield Scraped([before[0], after[0]], [before[1], after[1]], [tenant_id, key, "secret", "Secret"])


def test_the_api_counts_what_it_did(scraped: Scraped):
    before, after = scraped.api

    def grew(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert grew("rapport_appends_total", verdict="recorded") >= 20
    assert grew("rapport_append_batch_size_sum") >= 20
    assert grew("rapport_append_batch_size_count") >= 1
    assert grew("rapport_request_seconds_count", method="POST", route="/v1/touchpoints", status="200") == 1
    assert grew("rapport_problems_total", type="invalid", status="400") == 1, "the item"
    assert grew("rapport_problems_total", type="not-found", status="404") == 2
    assert grew("rapport_nudges_total", kind="meet_in_person", outcome="accepted") == 1
    assert after.value("rapport_database_up") == 1
    assert after.value("rapport_parked_now") == 0


def test_the_worker_counts_what_it_did(scraped: Scraped):
    before, after = scraped.worker
    assert after.value("rapport_projected_events_total", projection="timeline") >= 20
    assert after.value("rapport_projection_batch_seconds_count") > before.value(
        "rapport_projection_batch_seconds_count"
    )
    assert after.value("rapport_nudges_total", kind="meet_in_person", outcome="suggested") == 1
    assert after.value("rapport_appends_total", verdict="recorded") >= 1, "the suggestion"
    looked = "rapport_worker_looked_timestamp_seconds"
    assert after.value(looked) >= before.value(looked) > 1.7e9
    assert after.value("rapport_work_failures_total") == 0


def test_no_metric_says_anything_of_anybody(scraped: Scraped):
    for one in (*scraped.api, *scraped.worker):
        assert [secret for secret in scraped.secrets if secret in one.text] == []


async def test_processes_that_share_a_folder_show_what_all_of_them_did(servers: Servers):
    async with fleet(servers) as ships:
        folder = ships.data.root / "metrics"
        folder.mkdir()
        shared = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
        apis = await asyncio.gather(*(ships.start_api(**shared) for _ in range(2)))
        worker = await start_worker(ships, **shared)
        _, key = await add_business(ships, "Bakery")
        for _, api in apis:
            async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {key}"}) as client:
                assert (await client.post("/v1/touchpoints", json=touchpoint())).is_success
        for address in (*(api for _, api in apis), worker):
            found = await shows(
                address, lambda now: now.value("rapport_projected_events_total", projection="timeline") == 2
            )
            assert found.value("rapport_appends_total", verdict="recorded") == 2
            assert found.value("rapport_request_seconds_count", route="/v1/touchpoints") == 2
            assert 'pid="' not in found.text
        lag = await shows(apis[0][1], lambda now: now.value("rapport_projection_lag_events") == 0)
        assert lag.value("rapport_database_up") == 1


async def test_a_worker_whose_port_is_taken_says_so(servers: Servers):
    async with fleet(servers) as ships:
        _, api = await ships.start_api()
        done = await ships.command("worker", RAPPORT_METRICS_PORT=api.rpartition(":")[2])
        assert done.code == 1
        assert "Set RAPPORT_METRICS_PORT to another one." in done.err


def test_each_metric_is_in_the_docs(scraped: Scraped):
    names = {name for one in (scraped.api[1], scraped.worker[1]) for name in one.names() if name.startswith("rapport_")}
    told = (DASHBOARD.parents[1] / "operations.md").read_text()
    assert sorted(name for name in names if re.sub("_(bucket|count|sum|created)$", "", name) not in told) == []


DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "rapport.json"


def test_the_dashboard_asks_for_metrics_that_there_are(scraped: Scraped):
    shown = scraped.api[1].names() | scraped.worker[1].names()
    told = (DASHBOARD.parents[1] / "operations.md").read_text()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        asked = {name for target in panel["targets"] for name in re.findall(r"rapport_\w+", target["expr"])}
        assert asked, panel["title"]
        assert asked <= shown, panel["title"]
        assert {name for name in asked if re.sub("_(bucket|count|sum)$", "", name) not in told} == set()


def test_the_panels_of_the_dashboard_are_told_apart_and_lie_beside_each_other():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels) > 10
    places = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in panels)
    ]
    assert sum(map(len, places)) == len(set.union(*places))
    assert max(x for place in places for x, _ in place) < 24
