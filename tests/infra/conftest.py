"""Fixtures of tests that do the workers' work themselves."""

from collections.abc import AsyncIterator

import pytest

from infra.context import Context
from infra.database import Connection
from tests.conftest import Database, Servers, migrated
from tests.infra import quiet
from tests.infra.quiet import Shop


@pytest.fixture(scope="session")
async def quiet_database(servers: Servers) -> AsyncIterator[Database]:
    """Without any worker."""
    async with migrated(servers) as fresh:
        yield fresh


@pytest.fixture
async def admin(quiet_database: Database) -> AsyncIterator[Connection]:
    """The superuser, to do what nobody may, in an empty database."""
    connection = await quiet.superuser(quiet_database)
    await quiet.emptied(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def context(quiet_database: Database, servers: Servers, admin: Connection) -> AsyncIterator[Context]:
    async with quiet.opened(quiet_database, servers) as opened:
        yield opened


@pytest.fixture
async def shop(context: Context) -> Shop:
    return await quiet.new_shop(context, locality="Portland", time_zone="America/Los_Angeles")


@pytest.fixture
async def rival(context: Context) -> Shop:
    """The other tenant."""
    return await quiet.new_shop(context, "Florist", locality="Berlin", country="DE", time_zone="Europe/Berlin")
