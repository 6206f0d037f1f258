"""Turns: decisions wait for each other here, not each with a connection of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

LONGEST_WAIT = 5.0  # seconds
AT_ONCE = 6  # over all tenants: the rest of the API's connections stay for everything else


class Turns:
    """One at a time for each tenant, a few over all. The database would line them up too, a connection for each."""

    def __init__(self, *, at_once: int = AT_ONCE, longest_wait: float = LONGEST_WAIT) -> None:
        self._longest_wait = longest_wait
        self._few = asyncio.Semaphore(at_once)
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant_id: UUID) -> AsyncIterator[None]:
        """This tenant's turn. Raises TimeoutError when it does not come in time."""
        lock = self._locks.setdefault(tenant_id, asyncio.Lock())
        async with AsyncExitStack() as taken:
            async with asyncio.timeout(self._longest_wait):
                await taken.enter_async_context(lock)
                await taken.enter_async_context(self._few)
            yield
