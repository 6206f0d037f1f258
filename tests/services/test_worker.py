"""The worker as a whole: what it does when a part of it fails."""

import asyncio

import pytest

from services.workers import main
from tests.conftest import Database, Servers
from tests.road import settings_for


async def test_a_worker_whose_loop_fails_ends_so_that_it_is_started_again(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
):
    async def fails(*_: object) -> bool:
        raise RuntimeError("as nobody expected")

    monkeypatch.setattr(main, "step", fails)
    with pytest.raises(RuntimeError, match="as nobody expected"):
        await asyncio.wait_for(main.work(settings_for(database, servers), asyncio.Event()), 60)


async def test_a_worker_that_is_told_to_stop_ends_with_its_imports(database: Database, servers: Servers):
    stop = asyncio.Event()
    working = asyncio.create_task(main.work(settings_for(database, servers), stop))
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.wait_for(working, 60)
