"""Turns: decisions of one tenant wait for each other here, not each with a connection of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

LONGEST_WAIT = 5.0


class Turns:
    """One at a time for each tenant. The database would line them up just the same, with a connection for each."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant_id: UUID) -> AsyncIterator[None]:
        """This tenant's turn. Raises TimeoutError when it does not come within five seconds."""
        lock = self._locks.setdefault(tenant_id, asyncio.Lock())
        async with asyncio.timeout(LONGEST_WAIT):
            await lock.acquire()
        try:
            yield
        finally:
            lock.release()
