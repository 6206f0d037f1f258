"""The worker as a whole: what it does when a part of it fails."""

import asyncio

import asyncpg
import pytest

from services.workers import main
from tests.conftest import Servers, migrated
from tests.infra import quiet
from tests.road import settings_for


async def test_a_worker_whose_loop_fails_ends_so_that_it_is_started_again(servers: Servers):
    async with migrated(servers) as database:
        admin = await quiet.superuser(database)
        await admin.execute("ALTER FUNCTION claim_due RENAME TO claim_nothing")
        await admin.close()
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await asyncio.wait_for(main.work(settings_for(database, servers), asyncio.Event()), 60)


async def test_a_worker_that_is_told_to_stop_ends_with_its_imports(servers: Servers):
    async with migrated(servers) as database:
        stop = asyncio.Event()
        working = asyncio.create_task(main.work(settings_for(database, servers), stop))
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.wait_for(working, 60)
