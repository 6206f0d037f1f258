"""Tenants without any worker beside them: a test does the work itself, step by step, over a database of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from domain.contacts import ChangeContact
from domain.policy import Policy
from domain.touchpoints import RecordTouchpoint, Reference, StrikeTouchpoint
from infra import commands, periodic, projector, tenants
from infra.commands import Recorded
from infra.context import Context, open_context
from infra.database import Connection, in_tenant
from infra.event_log import Append, Draft, Verdict, append_for_many
from infra.stored_events import Origin
from infra.tenants import Tenant
from tests.conftest import Database, Servers
from tests.road import ALWAYS_OPEN, MASTER_KEY

ORIGIN = Origin(actor="test", source="cli")
NOON = datetime(2025, 3, 2, 12, tzinfo=UTC)
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() LIMIT 1"


def touch(
    who: str | Sequence[str] = "ben", *, day: float = 0, ago: float | None = None, **more: Any
) -> RecordTouchpoint:
    """An e-mail to Ben at noon on the first day, unless said otherwise; `ago` counts days back from now."""
    at = NOON + timedelta(days=day) if ago is None else datetime.now(UTC) - timedelta(days=ago)
    people = [who] if isinstance(who, str) else who
    said: dict[str, Any] = {"kind": "email", "channel": "email", "direction": "out", **more}
    references = tuple(Reference(platform="email", handle=f"{one}@example.com", name=one.title()) for one in people)
    return RecordTouchpoint(occurred_at=at, people=references, **said)


def friendship(who: str = "ben", **more: Any) -> list[RecordTouchpoint]:
    """Two months of e-mails both ways, up to yesterday: strong enough to meet."""
    return [touch(who, ago=61 - day, direction=("in", "out")[day % 2], **more) for day in range(0, 61, 3)]


class Shop:
    """One tenant, its commands and its rows."""

    def __init__(self, context: Context, tenant: Tenant) -> None:
        self.context = context
        self.tenant = tenant
        self.id = tenant.tenant_id

    async def record(self, *items: RecordTouchpoint, context: Context | None = None) -> list[Recorded]:
        return await commands.record_touchpoints(context or self.context, self.tenant, items, origin=ORIGIN)

    async def tell(self, *items: RecordTouchpoint) -> list[Recorded]:
        """All of them recorded."""
        results = await self.record(*items)
        refused = [(one.status, one.problem) for one in results if one.status != "recorded"]
        assert not refused, refused
        return results

    async def know(self, *items: RecordTouchpoint) -> list[UUID]:
        """Told; their contacts."""
        return [who for one in await self.tell(*items) for who in one.contact_ids]

    async def strike(self, touchpoint_id: UUID) -> None:
        await commands.strike_touchpoint(self.context, self.tenant, touchpoint_id, StrikeTouchpoint(), origin=ORIGIN)

    async def change(self, contact_id: UUID, **what: Any) -> None:
        """`what` as a client would send it."""
        command = msgspec.convert(what, ChangeContact)
        await commands.change_contact(self.context, self.tenant, contact_id, command, origin=ORIGIN)

    async def open_always(self) -> None:
        """Nudges may come at any hour of any day."""
        wanted = msgspec.convert(ALWAYS_OPEN, Policy)
        await commands.change_nudge_policy(self.context, self.tenant, wanted, origin=ORIGIN)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """As the application sees them within its tenant."""
        async with in_tenant(self.context.pool, self.id) as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def value(self, query: str, *values: object) -> Any:
        [row] = await self.rows(query, *values)
        [value] = row.values()
        return value

    async def positions(self) -> list[int]:
        return [row["position"] for row in await self.rows("SELECT position FROM event ORDER BY position")]

    async def types(self) -> list[str]:
        return [row["type"] for row in await self.rows("SELECT type FROM event ORDER BY position")]

    async def contents(self, table: str, *, build: int | None = None) -> list[dict[str, Any]]:
        """A projection's rows in one build, by default the live one.

        Without the build's number, nor how far ahead of it a relationship is folded.
        """
        process = next(p.name for p in projector.PROJECTIONS.values() if table in p.tables)
        number = await self.value("SELECT live_build($1)", process) if build is None else build
        statement = f"SELECT to_jsonb(t) - 'build' - 'folded_to' AS row FROM {table} t WHERE build = $1"  # noqa: S608
        rows = await self.rows(statement, number)
        return sorted((msgspec.json.decode(row["row"]) for row in rows), key=str)

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of all live projections."""
        return {table: await self.contents(table) for p in projector.PROJECTIONS.values() for table in p.tables}


def one_event(tenant_id: UUID, **given: Any) -> Append:
    """An append of one event."""
    lead = {"stream": f"touchpoint-{uuid4()}", "event_id": uuid4(), "type": "test.done", "version": 1, **given}
    keys = ("fingerprint", "claims", "keys", "subjects", "expected")
    rest = {key: lead.pop(key) for key in keys if key in lead}
    draft = Draft(**{"occurred_at": NOON, "body": b"{}", **lead})
    return Append(tenant_id, (draft,), **{"fingerprint": b"f", "meta": b"{}", **rest})


async def append(context: Context, *appends: Append, waits: bool = False) -> list[Verdict]:
    """One call of the database's function, as the writer's role."""
    async with context.writer.pool.acquire() as connection:
        return await append_for_many(connection, appends, waits=waits)


async def judged(context: Context, *appends: Append) -> list[tuple[str, int | None]]:
    return [(verdict.judgement, verdict.position) for verdict in await append(context, *appends)]


async def work(context: Context) -> int:
    """All there is to do now; how many steps it took."""
    steps = 0
    while await projector.advance(context) or await periodic.run_due(context) or await projector.retry_parked(context):
        steps += 1
        assert steps < 10_000, "it does not come to an end"
    return steps


async def until(question: Callable[[], Awaitable[Any]], *, seconds: float = 8) -> Any:
    """The first answer that is something."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await question():
                return found
            await asyncio.sleep(0.01)


async def blocked(admin: Connection) -> int:
    """The process id of the backend that waits for a lock, once there is one."""
    pid: int = await until(lambda: admin.fetchval(WAITING))
    return pid


async def parked_again(admin: Connection) -> None:
    """What is parked or stalled is due at once."""
    await admin.execute("UPDATE parked_event SET retry_at = now()")
    await admin.execute("UPDATE checkpoint SET retry_at = now() WHERE retry_at IS NOT NULL")


@asynccontextmanager
async def opened(database: Database, servers: Servers, *, connections: int = 12) -> AsyncIterator[Context]:
    async with open_context(
        database_url=database.app_url, redis_url=servers.redis_url, master=MASTER_KEY, connections=connections
    ) as context:
        yield context


async def new_shop(context: Context, name: str = "Corner Bakery", **more: Any) -> Shop:
    added = await tenants.add(context.pool, name=name, master=MASTER_KEY, **more)
    tenant = await tenants.load(context.pool, added.tenant_id, master=MASTER_KEY)
    assert tenant is not None
    return Shop(context, tenant)


async def superuser(database: Database) -> Connection:
    return await asyncpg.connect(database.admin_url, server_settings={"search_path": "rapport"})  # type: ignore[return-value]


USED = """SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
           WHERE schemaname = 'rapport' AND pg_relation_size(format('%I.%I', schemaname, tablename)::regclass) > 0"""


async def emptied(admin: Connection) -> None:
    """Every table is as it was made. Only those that were ever written to are truncated: that takes a new file each."""
    if tables := await admin.fetch(USED):
        await admin.execute(f"TRUNCATE {', '.join(row['name'] for row in tables)} CASCADE")
