"""Businesses whose clients have to be sure, and what their logs and views must hold when all is over."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from random import Random
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import asyncpg
import httpx
import msgspec

from domain import events, relationships
from domain.relationships import Experience
from domain.touchpoints import TouchpointRecorded, TouchpointStruck
from infra.projections import timeline
from infra.projector import PROJECTIONS
from infra.tenants import NewTenant
from tests.journeys.processes import PATIENCE, Done, until

PEOPLE = 300
ONLINE = (("instagram", "comment"), ("instagram", "direct_message"), ("linkedin", "chat"), ("email", "email"))
IN_PERSON = (("cafe", "meeting"), ("chamber", "handshake"), ("patio", "help"))
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
PROBLEM = "application/problem+json"


class Installation(Protocol):
    """Where Rapport runs: its database, and the command `rapport` beside it."""

    def superuser(self) -> AbstractAsyncContextManager[asyncpg.Connection]: ...

    async def command(self, *words: str) -> Done: ...


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

    With more than one API they write to each in turn. Every touchpoint carries a mark as its topic, by which it is
    found in the log. `unsure` has those that were sent once only, without anything to recognise them by, and never
    acknowledged. `untold` counts those that the log had already when they were first acknowledged: recorded, and the
    answer lost.
    """

    def __init__(self, tenant: NewTenant, seed: int, client: httpx.AsyncClient, *others: httpx.AsyncClient) -> None:
        self.tenant_id = tenant.tenant_id
        self.api_key = tenant.api_key
        self.client = client
        self.clients = cycle((client, *others))
        self.chance = Random(seed)
        self.numbers = count()
        self.people: dict[str, set[str]] = {}
        self.acknowledged: dict[str, Acknowledged] = {}
        self.unsure: set[str] = set()
        self.untold = 0
        self.answers: list[Answer] = []

    def touchpoint(self, **more: Any) -> dict[str, Any]:
        """With one or two of 300 people, some met more than others; ten a day from 400 days ago, some told late."""
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
            response = await next(self.clients).post(path, json=body, headers=headers)
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
        answers = await asyncio.gather(*(self.insist("/v1/touchpoints", touchpoints) for _ in range(2)))
        for answer in sorted(answers, key=lambda one: one.text.count("duplicate")):
            self.note(touchpoints, answer.json()["results"])

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

    async def tell_something(self) -> None:
        await self.tell(self.batch(1))

    async def add_somebody(self) -> None:
        await self.insist("/v1/contacts", {"name": "Somebody"})

    async def move_the_patio(self, realm: str) -> None:
        await self.insist("/v1/channels", {"slug": "patio", "realm": realm})

    def note(self, touchpoints: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> None:
        for touchpoint, result in zip(touchpoints, results, strict=True):
            assert result["status"] in ("recorded", "duplicate"), result
            said = Acknowledged(result["event_id"], result["position"], tuple(result["contact_ids"]))
            self.untold += result["status"] == "duplicate" and touchpoint["topics"][0] not in self.acknowledged
            assert self.acknowledged.setdefault(touchpoint["topics"][0], said) == said

    async def keep_telling(self, over: asyncio.Event, *, most: int = 20) -> None:
        """A client that sends small batches, and now and then one that it cannot repeat."""
        while not over.is_set():
            await self.tell(self.batch(self.chance.randint(1, most)))
            await self.tell_once()


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


async def check_log(up: Installation, told: Iterable[Business]) -> int:
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
            found[fact["topics"][0]] = Acknowledged(
                str(row["event_id"]), row["position"], tuple(fact.get("contact_ids", ()))
            )
    missing = {mark: said for mark, said in business.acknowledged.items() if found.get(mark) != said}
    assert missing == {}
    assert found.keys() - business.acknowledged.keys() <= business.unsure
    people = {person for mark in found for person in business.people[mark]}
    held = await connection.fetchval("SELECT count(*) FROM identity WHERE tenant_id = $1", business.tenant_id)
    added = sum(row["type"] == "contact.added" for row in rows)
    assert held == added == len(people)
    return len(found)


async def settled(up: Installation, seconds: float = PATIENCE) -> float:
    """Wait until nothing is behind, parked or due; how many seconds it took."""
    async with up.superuser() as connection:

        async def nothing_to_do() -> bool:
            return not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM work_lags() WHERE lag > 0 OR parked > 0 OR NOT live)"
                " OR EXISTS (SELECT FROM due WHERE due_at <= now())"
            )

        return await until(nothing_to_do, seconds)


BUILT = ("build", "folded_to")
Pictures = dict[str, list[str]]


async def pictures(connection: asyncpg.Connection) -> Pictures:
    """The live rows of every projection, without what tells how they came about: their build, and its batches."""
    found: Pictures = {}
    for name, projection in PROJECTIONS.items():
        for table in projection.tables:
            rows = await connection.fetch(
                f"SELECT t.* FROM {table} t JOIN checkpoint c USING (tenant_id, build) WHERE c.process = $1 AND c.live",  # noqa: S608
                name,
            )
            assert len(rows) == await connection.fetchval(f"SELECT count(*) FROM {table}"), "rows of no build"  # noqa: S608
            found[table] = sorted(repr({k: v for k, v in row.items() if k not in BUILT}) for row in rows)
    return found


async def relationships_from_the_log(connection: asyncpg.Connection) -> dict[tuple[UUID, UUID], tuple[bytes, bytes]]:
    """Strength and facts of every contact, folded at once from all that was recorded and not struck."""
    rows = await connection.fetch(
        "SELECT tenant_id, type, version, occurred_at, body FROM event WHERE type = ANY ($1)"
        " ORDER BY tenant_id, position",
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
        for who in fact.contact_ids:
            met.setdefault((tenant_id, who), []).append(timeline.recorded(fact, at))
    folded = {who: relationships.fold(experiences) for who, experiences in met.items()}
    pack = msgspec.msgpack.encode
    return {who: (pack(one.strength), pack(one.channels)) for who, one in folded.items()}


async def check_projections(up: Installation) -> None:
    """What the workers made of the log, piece by piece and killed on the way, is what a clean replay makes of it."""
    await settled(up)
    async with up.superuser() as connection:
        before = await pictures(connection)
        rows = await connection.fetch(
            "SELECT tenant_id, contact_id, strength, facts FROM relationship WHERE touchpoints > 0"
        )
        live = {(row["tenant_id"], row["contact_id"]): (row["strength"], row["facts"]) for row in rows}
        assert live == await relationships_from_the_log(connection)
        for done in await asyncio.gather(*(up.command("rebuild", name) for name in PROJECTIONS)):
            assert done.code == 0, done.err
        await settled(up)
        after = await pictures(connection)
    for table, rows in before.items():
        differing = [(row, again) for row, again in zip(rows, after[table], strict=True) if row != again]
        assert differing == [], f"{table} is not what a replay makes of the log"
    filled = {table for table, rows in before.items() if rows}
    assert filled >= {"contact", "contact_identity", "timeline", "relationship", "channel", "nudge"}
