"""The HTTP server of `rapport api`: granian inside our own process, so that one process is all there is to stop."""

import asyncio
import os
import signal

import uvloop
from granian.constants import Interfaces
from granian.errors import FatalError
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from infra import bell, garbage, settings, tracing
from infra.ports import refuse_taken
from infra.settings import Settings

MOST_CONNECTIONS = 4096  # granian's "backpressure" counts open connections, idle ones too


def run(configured: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first. A second signal ends it at once."""
    refuse_taken(configured.host, configured.port)
    os.environ.update(settings.environment(configured))
    tracing.start("api")
    bell.redis_settings(configured.redis_url)  # refuses what is no url, and imports arq: no request waits for that
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(configured))


async def serve(configured: Settings) -> None:
    from services.api.app import create_app

    app = create_app()
    garbage.settle()
    server = Server(
        app,
        address=configured.host,
        port=configured.port,
        interface=Interfaces.ASGI,
        backlog=1024,
        backpressure=MOST_CONNECTIONS,
        http1_settings=HTTP1Settings(keep_alive=True, header_read_timeout=30_000),
        websockets=False,
        log_access=False,
        log_level=LogLevels(configured.log_level),
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if context := app.state.get("context"):
            context.stopping.set()
        server.stop()  # type: ignore[no-untyped-call]
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await server.serve()
    except FatalError as error:
        raise SystemExit(1) from error
