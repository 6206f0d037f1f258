"""How what works waits: for a ring, for its end, or for the time to look by itself."""

import asyncio

SWEEP = 2.0  # seconds
PAUSE = 0.5  # seconds, while the database is away


async def rest(woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Until the next ring, the end, or the sweep."""
    waits = [asyncio.create_task(event.wait()) for event in (woken, stop)]
    await asyncio.wait(waits, timeout=SWEEP, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
