"""A local receiver of webhooks, as other people write one: it verifies with the published library and remembers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct
from standardwebhooks import Webhook


class Received(Struct, frozen=True):
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The body; raises WebhookVerificationError where the signature is not this secret's."""
        found: dict[str, Any] = Webhook(secret).verify(self.content, self.headers)
        return found


class Receiver:
    """Answers as `answer` says, by default 204; as `slow_answer` says where that is set."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.url = ""
        self.answer: Callable[[Received], web.StreamResponse] = lambda _: web.Response(status=204)
        self.slow_answer: Callable[[Received], Awaitable[web.StreamResponse]] | None = None
        self._came = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        one = Received(headers, await request.read())
        self.received.append(one)
        async with self._came:
            self._came.notify_all()
        return self.answer(one) if self.slow_answer is None else await self.slow_answer(one)

    async def got(self, number: int, seconds: float = 20) -> list[Received]:
        """The first so many, waited for."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.received) >= number)
        return self.received[:number]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    receiver.url = f"http://127.0.0.1:{address[1]}/hook"
    yield receiver
    await runner.cleanup()
