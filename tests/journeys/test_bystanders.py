"""Nobody stops the others: while one sends the dearest request there is, another business's reads and writes go on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import httpx
import pytest

from infra import tenants
from infra.context import open_context
from tests.conftest import Servers
from tests.journeys.bystander import Bystander
from tests.journeys.processes import Fleet, fleet
from tests.road import MASTER_KEY

pytestmark = pytest.mark.slow

AT_ONCE = 3
TEXT = '"' + "x" * 14_000 + '"'
# What one body of the largest size there may be does, by where it goes.
BODIES: dict[str, bytes] = {
    "escaped quotes": b'["' + b'\\"' * 499_990,
    "lists": b"[" + b"[]," * 333_300 + b"[]]",
    "commas": b"[" + b"," * 999_000,
    "open lists": b"[" * 999_000,
    "deep objects": b'{"a":' * 166_000 + b"1" + b"}" * 166_000,
    "half a pair at the end": b"[" + b'"ab",' * 199_000 + b'"\\ud800"]',
    "lines": b"1\n" * 499_000,
    "marks": b"[" + b",".join([
        b'{"kind":"email","occurred_at":"2026-05-06T08:15:00Z","channel":"email","direction":"out","with":[{"name":"a"}],'
        b'"note":"' + ("a" + "\u0300\u0316" * 4_900).encode() + b'"}'
    ] * 49) + b"]",
}  # fmt: skip
MAPPINGS: dict[str, str] = {
    "joined": "join(join('',[s,s]), [l,l,l][])",
    "written": "[" + ",".join(["to_string(@)"] * 300) + "]",
    "compared": "n[?contains(@, '" + "x" * 3_000 + "')] || " + " | ".join(["[@, @]"] * 60) + " | [0] == [1]",
    "sorted": "[" + ",".join(["sort(n)"] * 400) + "]",
    "each within each": "map(&map(&map(&@, `[1,2,3,4,5,6,7,8]`), `[1,2,3,4,5,6,7,8]`), n)",
}
PAYLOAD = f'{{"s":{TEXT},"l":[{TEXT},{TEXT}],"n":{list(range(3_000))}}}'.replace(" ", "").encode()


async def hostile_bodies(client: httpx.AsyncClient) -> None:
    for path in ("/v1/touchpoints", "/v1/contacts", "/v1/in/nobody"):
        for name, body in BODIES.items():
            sent = body[:64_000] if path == "/v1/in/nobody" else body
            kind = "application/x-ndjson" if (name, path) == ("lines", "/v1/touchpoints") else "application/json"
            answer = await client.post(path, content=sent, headers={"Content-Type": kind})
            assert answer.status_code in (200, 400, 401, 413, 422), (path, name, answer.text[:200])


async def hostile_headers(client: httpx.AsyncClient) -> None:
    for value in ('multipart/form-data; a="' + ";" * 60_000, "multipart/form-data; boundary=a" + ";" * 7_000):
        for path in ("/v1/imports", "/v1/in/nobody"):
            answer = await client.post(path, content=b"x", headers={"Content-Type": value})
            assert answer.status_code in (400, 401, 431), (path, answer.text[:200])


async def hostile_mappings(client: httpx.AsyncClient) -> None:
    for name, mapping in MAPPINGS.items():
        source = {"name": name, "adapter": "generic", "scheme": "none", "mapping": mapping}
        added = await client.post("/v1/webhook-sources", json=source)
        assert added.status_code == 201, added.text
        path = "/v1/in/" + added.json()["url"].rpartition("/")[2]
        for n in range(10):
            answer = await client.post(path, content=PAYLOAD, headers={"webhook-id": str(n)})
            assert answer.status_code == 202, answer.text


ATTACKS = (hostile_bodies, hostile_headers, hostile_mappings)


@asynccontextmanager
async def api_of_two(servers: Servers) -> AsyncIterator[tuple[Fleet, httpx.AsyncClient, Bystander]]:
    """An API, somebody hostile, and a business that goes on."""
    async with fleet(servers) as ships:
        _, address = await ships.start_api()
        given = {"database_url": ships.database.app_url, "redis_url": ships.environment["RAPPORT_REDIS_URL"]}
        async with open_context(**given, master=MASTER_KEY, connections=2) as context:
            keys = [
                (await tenants.add(context.pool, name=name, master=MASTER_KEY)).api_key for name in ("Hostile", "Calm")
            ]
        bystander = Bystander(address, keys[1], background=False)
        headers = {"Authorization": f"Bearer {keys[0]}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=120) as hostile:
            yield ships, hostile, bystander
        await bystander.close()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_another_business_is_answered_within_five_seconds(
    servers: Servers, attack: Callable[[httpx.AsyncClient], Coroutine[None, None, None]]
):
    async with api_of_two(servers) as (ships, hostile, bystander):
        async with asyncio.TaskGroup() as group:
            attacks = [group.create_task(attack(hostile)) for _ in range(AT_ONCE)]
            await bystander.goes_on_beside(*attacks)
        assert "fault" not in ships.said()
