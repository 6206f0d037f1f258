"""One of the writers that are killed: appends of mixed length, and a note of each that was acknowledged."""

import asyncio
import os
import random
import sys
from datetime import UTC, datetime
from uuid import UUID, uuid4

import uvloop

from infra.database import in_tenant, open_pool
from infra.event_log import CONNECTIONS, Append, Draft, Writer, append_now
from infra.settings import as_writer

MOST_EVENTS = 40
LONGEST_OPEN = 0.03  # seconds


async def write(url: str, tenant: UUID, file: str) -> None:
    """Appends of one to forty events, some in a transaction left open for a while; notes what was acknowledged."""
    chance = random.Random()
    noted = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    pool = await open_pool(url, most=2)
    async with Writer(await open_pool(as_writer(url), role="rapport_writer", most=CONNECTIONS)) as writer:

        async def short() -> None:
            while True:
                append = many(tenant, chance.randint(1, MOST_EVENTS))
                if (await writer.append(append)).judgement == "recorded":
                    os.write(noted, b"".join(draft.event_id.bytes for draft in append.drafts))

        async def long() -> None:
            while True:
                append = many(tenant, chance.randint(1, MOST_EVENTS))
                async with in_tenant(pool, tenant) as connection:
                    [verdict] = await append_now(connection, [append], waits=True)
                    await asyncio.sleep(chance.random() * LONGEST_OPEN)
                if verdict.judgement == "recorded":
                    os.write(noted, b"".join(draft.event_id.bytes for draft in append.drafts))
                await asyncio.sleep(8 * LONGEST_OPEN)

        await asyncio.gather(short(), short(), long())


def many(tenant: UUID, events: int) -> Append:
    now = datetime.now(UTC)
    drafts = tuple(Draft(f"bench-{n}", uuid4(), "touchpoint.recorded", 1, now, b"{}") for n in range(events))
    return Append(tenant, drafts, drafts[-1].event_id.bytes, b"{}")


if __name__ == "__main__":
    uvloop.run(write(sys.argv[1], UUID(sys.argv[2]), sys.argv[3]))
