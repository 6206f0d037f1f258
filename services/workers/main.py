"""The worker: wakes at a ring of the bell, and looks by itself every two seconds. Its work is rows in PostgreSQL."""

import asyncio
import os
import signal

import structlog
import uvloop

from infra import bell, garbage, logs, metrics, periodic, projector, settings, tracing, webhooks
from infra.context import Context, open_context
from infra.database import GONE
from infra.deliveries import Deliverer
from infra.egress import open_egress
from infra.event_log import Unavailable
from infra.imports import work as imports
from infra.inbox import Taker
from infra.settings import Settings
from services.workers.imports import Importing
from services.workers.waking import PAUSE, rest

log = structlog.get_logger()


async def work(configured: Settings, stop: asyncio.Event) -> None:
    """Do what there is to do until `stop` is set: at each ring, and every two seconds in case one was lost."""
    woken = asyncio.Event()
    async with open_context(
        database_url=configured.database_url,
        writer_url=configured.writer_url,
        redis_url=configured.redis_url,
        master=configured.master_key,
    ) as context:
        log.info("worker_started")
        async with open_egress(loopback=configured.webhooks_allow_loopback) as egress:
            deliverer, taker, importing = Deliverer(context, egress), Taker(context, egress), Importing(configured)

            def wake() -> None:
                woken.set()
                deliverer.wake()
                taker.wake()
                importing.wake()

            listening = asyncio.create_task(bell.listen(configured.redis_url, wake))
            delivering = asyncio.create_task(deliverer.run(stop))
            taking = asyncio.create_task(taker.run(stop))
            imported = asyncio.create_task(importing.run())
            imported.add_done_callback(lambda _: stop.set())  # without them this process is no worker
            try:
                while not stop.is_set():
                    woken.clear()
                    await _catch_up(context, stop, deliverer)
                    metrics.LOOKED.set_to_current_time()
                    await rest(woken, stop)
            finally:  # also where it failed: what goes on without it is no worker, and its end is waited for
                stop.set()
                importing.stop()
                listening.cancel()
                await asyncio.gather(delivering, taking, imported)
                await asyncio.gather(listening, return_exceptions=True)


async def _catch_up(context: Context, stop: asyncio.Event, deliverer: Deliverer) -> None:
    try:
        while not stop.is_set() and await step(context):
            deliverer.wake()
    except (*GONE, Unavailable) as error:
        log.warning("database_unavailable", error=type(error).__name__)
        await asyncio.sleep(PAUSE)


async def catch_up(context: Context) -> None:
    """Do all there is to do, imports included: between two turns of theirs every projection has its own."""
    while await step(context) or await imports.advance(context):
        pass


async def step(context: Context) -> bool:
    """A little of each kind of work, so that none starves another; False when there is none."""
    worked = [
        await periodic.run_due(context),
        await projector.retry_parked(context),
        await webhooks.fill_replay(context),
    ]
    for _ in projector.PROJECTIONS:
        worked.append(await projector.advance(context))
        if not worked[-1]:
            break
    return any(worked)


def run() -> None:
    """Run until SIGINT or SIGTERM."""
    configured = settings.load(dict(os.environ))
    logs.configure(configured.log_level)
    tracing.start("worker")
    if configured.metrics_port is not None:
        metrics.serve(configured.host, configured.metrics_port)
    garbage.settle()
    uvloop.run(_until_told(configured))


async def _until_told(configured: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(configured, stop)
