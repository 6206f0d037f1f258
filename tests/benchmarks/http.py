"""`POST /v1/touchpoints` over real sockets, beside an API that reads the same body and stores nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from infra import tenants
from tests.benchmarks.place import MASTER, Place, answers
from tests.benchmarks.table import Figure, at_least, in_turns
from tests.conftest import Database
from tests.journeys.processes import free_port

BODY = (
    b'{"kind":"handshake","occurred_at":"2026-05-06T08:15:00+02:00","channel":"chamber","direction":"mutual",'
    b'"with":[{"email":"ana@example.com","name":"Ana Bakes"}],"note":"looks for a supplier of flour"}'
)
CONNECTIONS = 64


class Client(asyncio.Protocol):
    """One keep-alive connection that sends the same request again as soon as it is answered."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._got = b""
        self.answered = 0
        self.refused = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._got = body[length:]
        if not head.startswith(b"HTTP/1.1 200"):
            self.refused = head + body
        self.answered += 1
        assert self.transport is not None
        self.transport.write(self._request)


async def load(port: int, key: str, seconds: float) -> float:
    """Answers a second over 64 connections."""
    head = (
        f"POST /v1/touchpoints HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(head.encode() + BODY), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    before, began = sum(one.answered for one in clients), time.perf_counter()
    await asyncio.sleep(seconds)
    after, ended = sum(one.answered for one in clients), time.perf_counter()
    for one in clients:
        assert one.transport is not None
        one.transport.abort()
        assert not one.refused, one.refused
    return (after - before) / (ended - began)


@asynccontextmanager
async def plain(place: Place, database: Database) -> AsyncIterator[int]:
    port = free_port()
    with place.process(database, "-m", "tests.benchmarks.plain_api", str(port)):
        await answers(port, "/ready")
        yield port


async def measure(place: Place) -> list[Figure]:
    async with place.database() as database:
        async with place.opened(database) as context:
            added = await tenants.add(context.pool, name="Bench", master=MASTER)
        async with place.api(database) as ours, plain(place, database) as theirs:
            await load(ours, added.api_key, 0.5)
            await load(theirs, added.api_key, 0.5)
            told = await in_turns(
                place.size.rounds,
                ours=lambda: load(ours, added.api_key, place.size.seconds),
                plain=lambda: load(theirs, added.api_key, place.size.seconds),
            )
    what = "POST /v1/touchpoints, 64 connections, one API process"
    return [Figure(what, "Litestar + granian, decodes, stores nothing", "1/s", *told.values(), at_least(0.5))]
