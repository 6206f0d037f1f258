"""Faults Rapport survives, with real processes: killed, cut off, flooded and lied to while touchpoints come in."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from signal import SIGINT, SIGTERM
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import psutil
import pytest

from domain import events, relationships
from domain.relationships import Experience
from domain.touchpoints import TouchpointRecorded, TouchpointStruck
from infra import tenants
from infra.commands import draft
from infra.context import Context, open_context
from infra.event_log import Append, append_now
from infra.projections import timeline
from infra.projector import PROJECTIONS
from infra.tenants import NewTenant
from tests.journeys.processes import PATIENCE, Up, started, until

pytestmark = pytest.mark.slow

PEOPLE = 300
ONLINE = (("instagram", "comment"), ("instagram", "direct_message"), ("linkedin", "chat"), ("email", "email"))
IN_PERSON = (("cafe", "meeting"), ("chamber", "handshake"), ("patio", "help"))
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
PROBLEM = "application/problem+json"


class Acknowledged(NamedTuple):
    """What the API answered about one touchpoint; every later answer has to be the same."""

    event_id: str
    position: int
    contact_ids: tuple[str, ...]


class Answer(NamedTuple):
    """How one request ended; `status` is None where the connection was lost."""

    seconds: float
    status: int | None


class Business:
    """A tenant with clients that have to be sure: they send the same again until it is acknowledged.

    Every touchpoint carries a mark as its topic, by which it is found in the log. `unsure` has those that were sent
    once only, without anything to recognise them by, and never acknowledged.
    """

    def __init__(self, tenant: NewTenant, client: httpx.AsyncClient, seed: int) -> None:
        self.tenant_id = tenant.tenant_id
        self.api_key = tenant.api_key
        self.client = client
        self.chance = Random(seed)
        self.numbers = count()
        self.people: dict[str, set[str]] = {}
        self.acknowledged: dict[str, Acknowledged] = {}
        self.unsure: set[str] = set()
        self.answers: list[Answer] = []

    def touchpoint(self, **more: Any) -> dict[str, Any]:
        """With one or two of 300 people, some seen much more than others; ten a day from 400 days ago, some told late."""
        number, chance = next(self.numbers), self.chance
        mark = f"mark-{number}"
        day = min(number / 10, 400.0) if chance.random() < 0.9 else 400 * chance.random()
        who = {int(PEOPLE * chance.random() ** 2) for _ in range(1 + (chance.random() < 0.1))}
        place, kind = chance.choice(ONLINE if min(who) % 3 else IN_PERSON + ONLINE[: min(who) % 2])
        self.people[mark] = {f"person-{one}" for one in who}
        at = TODAY - timedelta(days=400 - day, minutes=chance.randrange(600))
        return {
            "kind": kind,
            "occurred_at": at.isoformat(),
            "channel": place,
            "direction": chance.choice(("in", "out", "mutual")),
            "with": [{"platform": "instagram", "handle": f"@Person-{one}", "name": f"Person {one}"} for one in who],
            "topics": [mark],
            "note": f"a note for {mark}",
            **more,
        }

    def batch(self, size: int) -> list[dict[str, Any]]:
        """Each with an id of its own, by which a repeat is recognised."""
        return [
            {**one, "source": "till", "source_id": one["topics"][0]} for one in (self.touchpoint() for _ in range(size))
        ]

    async def attempt(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response | None:
        """One request; None when it has to be made again: the connection was lost, or the database is away."""
        began = time.monotonic()
        try:
            response = await self.client.post(path, json=body, headers=headers)
        except httpx.TransportError:
            self.answers.append(Answer(time.monotonic() - began, None))
            return None
        self.answers.append(Answer(time.monotonic() - began, response.status_code))
        if response.status_code == 503:
            assert response.headers["content-type"] == PROBLEM
            return None
        assert response.is_success, response.text
        return response

    async def insist(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while (response := await self.attempt(path, body, headers)) is None:
            assert time.monotonic() < deadline, "never acknowledged"
            await asyncio.sleep(0.1)
        return response

    async def tell(self, touchpoints: Sequence[dict[str, Any]], headers: dict[str, str] | None = None) -> None:
        response = await self.insist("/v1/touchpoints", touchpoints, headers)
        self.note(touchpoints, response.json()["results"])

    async def tell_twice_at_once(self, touchpoints: Sequence[dict[str, Any]]) -> None:
        await asyncio.gather(self.tell(touchpoints), self.tell(touchpoints))

    async def tell_under_a_key(self) -> None:
        touchpoint = self.touchpoint()
        await self.tell([touchpoint], {"Idempotency-Key": touchpoint["topics"][0]})

    async def tell_once(self) -> None:
        touchpoint = self.touchpoint()
        response = await self.attempt("/v1/touchpoints", touchpoint)
        if response is None:
            self.unsure.update(touchpoint["topics"])
        else:
            self.note([touchpoint], response.json()["results"])

    async def strike_one(self) -> None:
        if self.acknowledged:
            struck = self.chance.choice(list(self.acknowledged.values())).event_id
            await self.insist(f"/v1/touchpoints/{struck}/strike", {"why": "a mistake"})

    async def move_the_patio(self, realm: str) -> None:
        await self.insist("/v1/channels", {"slug": "patio", "realm": realm})

    def note(self, touchpoints: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> None:
        for touchpoint, result in zip(touchpoints, results, strict=True):
            assert result["status"] in ("recorded", "duplicate"), result
            said = Acknowledged(result["event_id"], result["position"], tuple(result["contact_ids"]))
            assert self.acknowledged.setdefault(touchpoint["topics"][0], said) == said

    async def keep_telling(self, over: asyncio.Event, *, most: int = 20) -> None:
        """A client that sends small batches, and now and then one that it cannot repeat."""
        while not over.is_set():
            await self.tell(self.batch(self.chance.randint(1, most)))
            await self.tell_once()

    def seconds(self) -> list[float]:
        """How long the requests took since this was asked last."""
        taken, self.answers = [one.seconds for one in self.answers], []
        return taken


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Up]:
    """One `rapport up` for the tests that leave it running."""
    async with started() as up:
        yield up


@pytest.fixture
async def up(shared: Up) -> Up:
    await shared.ready()
    return shared


@asynccontextmanager
async def inside(up: Up) -> AsyncIterator[Context]:
    """What a process of ours holds open, in this process."""
    given = up.settings()
    async with open_context(
        database_url=given.database_url, redis_url=given.redis_url, master=given.master_key, connections=4
    ) as context:
        yield context


@asynccontextmanager
async def businesses(up: Up, number: int) -> AsyncIterator[list[Business]]:
    """New ones, each with its own connections to the API."""
    async with AsyncExitStack() as stack:
        async with inside(up) as context:
            added = [
                await tenants.add(context.pool, name=f"Business {n}", master=context.master) for n in range(number)
            ]
        opened = []
        for seed, one in enumerate(added):
            client = httpx.AsyncClient(
                base_url=up.address, headers={"Authorization": f"Bearer {one.api_key}"}, timeout=40,
                limits=httpx.Limits(max_connections=None),
            )  # fmt: skip
            await stack.enter_async_context(client)
            opened.append(Business(one, client, seed))
        yield opened


@asynccontextmanager
async def load(told: Iterable[Business], *, clients: int = 2, most: int = 20) -> AsyncIterator[None]:
    """Clients of these businesses that go on while something happens to the processes."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for one in told:
            for _ in range(clients):
                group.create_task(one.keep_telling(over, most=most))
        try:
            yield
        finally:
            over.set()


@asynccontextmanager
async def held_head(up: Up, business: Business) -> AsyncIterator[None]:
    """A stranger's transaction that holds the head of this tenant's log."""
    async with up.superuser() as connection, connection.transaction():
        await connection.execute("SELECT FROM tenant_head WHERE tenant_id = $1 FOR NO KEY UPDATE", business.tenant_id)
        yield


async def check_log(up: Up, told: Iterable[Business]) -> int:
    """Every acknowledged touchpoint lies in the log once, where it was said to be; positions have no gap.

    Nothing else is there, nobody was met as two, and the hash chain holds. Returns the number of touchpoints.
    """
    touchpoints = 0
    async with up.superuser() as connection:
        for one in told:
            touchpoints += await check_log_of(connection, one)
    done = await up.command("verify")
    assert done.code == 0, done.err
    return touchpoints


async def check_log_of(connection: asyncpg.Connection, business: Business) -> int:
    rows = await connection.fetch(
        "SELECT position, event_id, type, body FROM event WHERE tenant_id = $1 ORDER BY position", business.tenant_id
    )
    head = await connection.fetchval("SELECT position FROM tenant_head WHERE tenant_id = $1", business.tenant_id)
    assert [row["position"] for row in rows] == list(range(1, head + 1))
    found: dict[str, Acknowledged] = {}
    for row in rows:
        if row["type"] == TouchpointRecorded.TYPE:
            fact = json.loads(row["body"])
            assert fact["topics"][0] not in found, "recorded twice"
            found[fact["topics"][0]] = Acknowledged(str(row["event_id"]), row["position"], tuple(fact["contact_ids"]))
    missing = {mark: said for mark, said in business.acknowledged.items() if found.get(mark) != said}
    assert missing == {}
    assert found.keys() - business.acknowledged.keys() <= business.unsure
    people = {person for mark in found for person in business.people[mark]}
    held = await connection.fetchval("SELECT count(*) FROM identity WHERE tenant_id = $1", business.tenant_id)
    added = sum(row["type"] == "contact.added" for row in rows)
    assert held == added == len(people)
    return len(found)


async def settled(up: Up, seconds: float = PATIENCE) -> float:
    """Wait until nothing is behind, parked or due; how many seconds it took."""
    async with up.superuser() as connection:

        async def nothing_to_do() -> bool:
            return not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM work_lags() WHERE lag > 0 OR parked > 0 OR NOT live)"
                " OR EXISTS (SELECT FROM due WHERE due_at <= now())"
            )

        return await until(nothing_to_do, seconds)


Pictures = dict[str, list[tuple[Any, ...]]]


async def pictures(connection: asyncpg.Connection) -> Pictures:
    """The live rows of every projection, without the number of their build."""
    found: Pictures = {}
    for name, projection in PROJECTIONS.items():
        for table in projection.tables:
            rows = await connection.fetch(
                f"SELECT t.* FROM {table} t JOIN checkpoint c USING (tenant_id, build) WHERE c.process = $1 AND c.live",  # noqa: S608
                name,
            )
            assert len(rows) == await connection.fetchval(f"SELECT count(*) FROM {table}"), "rows of no build"  # noqa: S608
            left_out = {"build", "position"} if table == "relationship" else {"build"}
            found[table] = sorted(
                repr([(key, value) for key, value in row.items() if key not in left_out]) for row in rows
            )
    return found


async def relationships_from_the_log(connection: asyncpg.Connection) -> dict[tuple[UUID, UUID], tuple[bytes, bytes]]:
    """Strength and facts of every contact, folded at once from all that was recorded and not struck."""
    rows = await connection.fetch(
        "SELECT tenant_id, type, version, occurred_at, body FROM event WHERE type = ANY ($1) ORDER BY tenant_id, position",
        [TouchpointRecorded.TYPE, TouchpointStruck.TYPE],
    )
    there: dict[tuple[UUID, UUID], tuple[datetime, TouchpointRecorded]] = {}
    for row in rows:
        match events.decode(row["type"], row["version"], row["body"]):
            case TouchpointRecorded() as fact:
                there[row["tenant_id"], fact.touchpoint_id] = (row["occurred_at"], fact)
            case TouchpointStruck(touchpoint_id=struck):
                del there[row["tenant_id"], struck]
    met: dict[tuple[UUID, UUID], list[Experience]] = {}
    for (tenant_id, _), (at, fact) in there.items():
        row = {**msgspec.structs.asdict(fact), "occurred_at": at, "people": len(fact.contact_ids)}
        for who in fact.contact_ids:
            met.setdefault((tenant_id, who), []).append(Experience(timeline.touch_of(row), at))
    folded = {who: relationships.fold(experiences) for who, experiences in met.items()}
    pack = msgspec.msgpack.encode
    return {who: (pack(one.strength), pack(one.channels)) for who, one in folded.items()}


async def check_projections(up: Up) -> None:
    """What the workers made of the log, piece by piece and killed on the way, is what a clean replay makes of it."""
    await settled(up)
    async with up.superuser() as connection:
        before = await pictures(connection)
        rows = await connection.fetch(
            "SELECT tenant_id, contact_id, strength, facts FROM relationship WHERE touchpoints > 0"
        )
        live = {(row["tenant_id"], row["contact_id"]): (row["strength"], row["facts"]) for row in rows}
        assert live == await relationships_from_the_log(connection)
        for name in PROJECTIONS:
            done = await up.command("rebuild", name)
            assert done.code == 0, done.err
        await settled(up)
        after = await pictures(connection)
    for table, rows in before.items():
        assert rows == after[table], f"{table} is not what a replay makes of the log"
    assert all(
        before[table] for table in ("contact", "contact_identity", "timeline", "relationship", "channel", "nudge")
    )


Job = Callable[[], Awaitable[None]]


def work_of(business: Business, touchpoints: int) -> list[Job]:
    """So many touchpoints in batches and one by one, some sent twice at once; strikes, and a channel that changes.

    To be popped from the end. The batches go in about as time went; all else comes anywhere between them.
    """
    chance, left = business.chance, touchpoints - 80
    batches: list[Job] = []
    while left:
        size = min(left, chance.randint(50, 200))
        way = business.tell if chance.random() < 0.8 else business.tell_twice_at_once
        batches.append(partial(way, business.batch(size)))
        left -= size
    anywhere: list[Job] = [partial(business.tell, business.batch(1)) for _ in range(40)]
    anywhere += [business.tell_under_a_key] * 40 + [business.tell_once] * 20 + [business.strike_one] * 20
    anywhere += [partial(business.move_the_patio, realm) for realm in ("virtual", "physical", "virtual")]
    placed = [(n / len(batches) + chance.uniform(0, 0.1), job) for n, job in enumerate(batches)]
    placed += [(chance.random(), job) for job in anywhere]
    return [job for _, job in sorted(placed, key=lambda one: one[0], reverse=True)]


async def do(jobs: list[Job], chance: Random) -> None:
    while jobs:
        await jobs.pop()()
        await asyncio.sleep(chance.uniform(0, 0.1))


async def keep_killing(up: Up, name: str, killed: Counter[str], chance: Random, most: int) -> None:
    while killed[name] < most:
        await up.kill(name)
        killed[name] += 1
        await until(lambda: up.pids()[name] is not None)
        await asyncio.sleep(chance.uniform(0.3, 1.5))


async def keep_forgetting(up: Up, killed: Counter[str], chance: Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        await up.forget_everything()
        killed["memory of Valkey"] += 1


async def test_api_and_worker_killed_at_random_moments_and_valkey_wiped_while_20_000_touchpoints_go_in():
    chance, killed = Random(20_000), Counter[str]()
    async with started() as up, businesses(up, 5) as told:
        harm = [
            asyncio.create_task(keep_killing(up, "api", killed, chance, most=8)),
            asyncio.create_task(keep_killing(up, "worker", killed, chance, most=16)),
            asyncio.create_task(keep_forgetting(up, killed, chance)),
        ]
        async with asyncio.TaskGroup() as clients:
            for one in told:
                jobs = work_of(one, 4_000)
                for _ in range(2):
                    clients.create_task(do(jobs, one.chance))
        for one in harm:
            one.cancel()
        await asyncio.wait(harm)
        await up.ready()
        assert min(killed.values()) >= 5, killed
        assert all(len(one.acknowledged) >= 4_000 for one in told)
        assert await check_log(up, told) >= 20_000
        await check_projections(up)
