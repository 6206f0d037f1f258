"""Servers, databases and data folders for the tests. A real PostgreSQL and a real Valkey, always."""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import docker
import pytest
from docker.errors import DockerException

from infra import embedded, migrate
from infra.data_folder import DataFolder

pytest_plugins = ["tests.order", "tests.road", "tests.timing"]

MEMORY = Path("/dev/shm")  # noqa: S108
GIVEN = ("RAPPORT_TEST_DATABASE_URL", "RAPPORT_TEST_REDIS_URL")


class Servers(NamedTuple):
    """`admin_url` is a superuser's."""

    admin_url: str
    redis_url: str


class Database(NamedTuple):
    """One migrated database: as the superuser, and as the application's role."""

    admin_url: str
    app_url: str


def pytest_report_header() -> str:
    where = {"given": "those of RAPPORT_TEST_*", "docker": "in containers", "embedded": f"embedded, in {temporary()}"}
    return f"PostgreSQL and Valkey: {where[kind_of_servers()]}"


@cache
def kind_of_servers() -> str:
    if all(os.environ.get(name) for name in GIVEN):
        return "given"
    try:
        docker.from_env().ping()
    except DockerException:
        return "embedded"
    return "docker"


def temporary() -> Path:
    """Where temporary data folders go: into memory, where there is such a place."""
    return MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())


@contextmanager
def temporary_folder() -> Iterator[DataFolder]:
    with tempfile.TemporaryDirectory(prefix="rapport-test-", dir=temporary(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another user
        yield DataFolder(Path(folder))


@contextmanager
def containers() -> Iterator[Servers]:
    from testcontainers.postgres import PostgresContainer
    from testcontainers.redis import RedisContainer

    with PostgresContainer("postgres:18", driver=None) as postgres, RedisContainer("valkey/valkey:9") as valkey:
        redis_url = f"redis://{valkey.get_container_host_ip()}:{valkey.get_exposed_port(6379)}/0"
        yield Servers(postgres.get_connection_url(), redis_url)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with started() as found:
        yield found


@contextmanager
def started() -> Iterator[Servers]:
    match kind_of_servers():
        case "given":
            yield Servers(*(os.environ[name] for name in GIVEN))
        case "docker":
            with containers() as found:
                yield found
        case _:
            with temporary_folder() as folder, embedded.servers(folder) as found:
                yield Servers(found.admin_url, found.redis_url)


def another_database(url: str, name: str, *, as_who: str | None = None) -> str:
    """The same server's, as the same role or as another one, `name:password`. A socket's url has no host."""
    who, at, host = urlsplit(url).netloc.rpartition("@")
    query = urlsplit(url).query
    return f"postgresql://{as_who or who}{'@' if as_who else at}{host}/{name}{'?' if query else ''}{query}"


@asynccontextmanager
async def migrated(servers: Servers) -> AsyncIterator[Database]:
    """A fresh database, gone at the end: a copy of the one that was migrated."""
    name = f"rapport_test_{uuid4().hex}"
    admin_url = another_database(servers.admin_url, name)
    connection = await asyncpg.connect(another_database(servers.admin_url, "postgres"))
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")  # the migration makes roles, which databases share
        template = await made_template(servers, connection)
        await connection.execute(
            "ALTER ROLE rapport_app PASSWORD 'rapport'; ALTER ROLE rapport_writer PASSWORD 'rapport'"
        )
        await connection.execute("SELECT pg_advisory_unlock(1)")
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        # What is granted on a database itself is not copied with it.
        await connection.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
        yield Database(admin_url, another_database(servers.admin_url, name, as_who="rapport_app:rapport"))
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def made_template(servers: Servers, connection: asyncpg.Connection) -> str:
    """The migrated database that others are copied from, made once a server and set of migrations.

    Nobody may connect to it: PostgreSQL copies no database that somebody uses. Servers of your own keep it.
    """
    files = sorted(migrate.MIGRATIONS.glob("*.sql"))
    name = f"rapport_template_{sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:16]}"
    made = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn)"
    if not await connection.fetchval(made, name):
        migrate.up(another_database(servers.admin_url, name))
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    return name


@pytest.fixture(scope="session")
async def database(servers: Servers) -> AsyncIterator[Database]:
    """One for the session, or for each worker of pytest-xdist."""
    async with migrated(servers) as fresh:
        yield fresh


@pytest.fixture
def data() -> Iterator[DataFolder]:
    """An empty data folder."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture
def other_data() -> Iterator[DataFolder]:
    """Another one."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until something is so, at most for some seconds."""

    def wait(question: Callable[[], object], seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < until, "it did not come to be so"
            time.sleep(0.05)

    return wait
