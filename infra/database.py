"""The way into PostgreSQL: pools, named SQL, and the door `in_tenant`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import asyncpg
import stamina
from prometheus_client import Counter

from infra import tracing
from infra.named_sql import Queries

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Pool = object

HERE = Path(__file__).parent
WALL_BREACHES = Counter("rapport_wall_breaches", "Connections handed out that still had a tenant set. Must stay 0.")

# What a lost, restarting or crowded server looks like from here: worth trying again, never a fault of the caller.
GONE = (
    ConnectionError,
    TimeoutError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was cut in the middle of an answer
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.TransactionTimeoutError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)


class WallBreach(Exception):
    """A connection came out of the pool with a tenant still set."""


Role = Literal["rapport_app", "rapport_writer"]


async def open_pool(url: str, *, role: Role = "rapport_app", least: int = 1, most: int = 10) -> Pool:
    """A pool of connections that act as `rapport_app`, whoever logs in: row-level security holds for all of them.

    `url` is a postgresql:// URL of that role or of one that may become it. As `rapport_writer` they append, for many
    tenants, and can do nothing else.
    """
    for attempt in stamina.retry_context(
        on=GONE, attempts=20, timeout=15, wait_initial=0.05, wait_max=1, wait_jitter=0.1
    ):
        with attempt:
            return await asyncpg.create_pool(
                url,
                min_size=least,
                max_size=most,
                init=tracing.watch,
                reset=_given_back,
                command_timeout=60,
                server_settings={
                    "role": role,
                    "search_path": "rapport, pg_temp",
                    "application_name": "rapport",
                },
            )
    raise AssertionError("the retry gives a pool or raises")


_breached: set[int] = set()  # the server's processes of connections on which a tenant was still set


async def _given_back(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """What we set, we set for a transaction: nothing is to be put back, and asking for it would cost a round trip.

    A connection of which that was not so is closed.
    """
    if connection.get_server_pid() in _breached:
        _breached.discard(connection.get_server_pid())
        connection.terminate()


@asynccontextmanager
async def in_tenant(pool: Pool, tenant_id: UUID, *, seconds: int = 20) -> AsyncIterator[Connection]:
    """A transaction that sees and writes one tenant's rows only. No call to the outside belongs inside."""
    async with pool.acquire() as connection, connection.transaction():
        await enter(connection, tenant_id, seconds=seconds)
        yield connection


@asynccontextmanager
async def reading(
    pool: Pool, tenant_id: UUID, *, build: int | None = None, seconds: int = 20
) -> AsyncIterator[Connection]:
    """As `in_tenant`, to read only: all that is read in it is of one moment, however many statements that takes.

    `build` is that of a viewpoint to look from.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await enter(connection, tenant_id, seconds=seconds)
        if build is not None:
            await connection.execute(queries("viewpoints").look_from, str(build))
        yield connection


async def enter(connection: Connection, tenant_id: UUID, *, seconds: int) -> None:
    """Make the running transaction the tenant's; `seconds` is the longest a statement of it may take.

    Raises WallBreach when it was a tenant's already: nobody gets that connection again.
    """
    found = await connection.fetchrow(queries("event_log").enter_tenant, str(tenant_id), f"{seconds}s")
    if found is None or found["was"]:
        WALL_BREACHES.inc()
        _breached.add(connection.get_server_pid())
        raise WallBreach


@cache
def queries(name: str) -> Queries:
    """The statements of `infra/sql/<name>.sql`."""
    return Queries((HERE / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
