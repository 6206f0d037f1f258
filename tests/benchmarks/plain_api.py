"""An API that decodes and validates a touchpoint and answers without storing it: what Litestar and granian cost."""

import sys
from datetime import UTC, datetime

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar, Request, get, post
from litestar.datastructures import State
from msgspec import Struct

from domain import touchpoints
from domain.touchpoints import RecordTouchpoint

_ITEM = msgspec.json.Decoder(RecordTouchpoint)


class Answer(Struct, frozen=True):
    kind: str


@post("/v1/touchpoints", status_code=200)
async def record(request: Request[None, None, State]) -> Answer:
    command = touchpoints.check(_ITEM.decode(await request.body()), now=datetime.now(UTC))
    touchpoints.all_named(command, country="US")
    return Answer(command.kind)


@get("/ready")
async def ready() -> Answer:
    return Answer("ready")


async def serve(port: int) -> None:
    app = Litestar([record, ready], logging_config=None, openapi_config=None)
    server = Server(
        app,
        port=port,
        interface=Interfaces.ASGI,
        backlog=1024,
        backpressure=4096,
        http1_settings=HTTP1Settings(keep_alive=True),
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
    )
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
