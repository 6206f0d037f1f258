"""`rapport up`: the API and the worker as child processes, started again when they end, stopped together."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from domain.errors import Refused
from infra import embedded, settings, tenants
from infra.data_folder import DataFolder
from infra.database import GONE
from infra.embedded import EmbeddedError
from infra.event_log import Unavailable
from infra.ports import refuse_taken
from infra.processes import Child, first, stop_if_ours
from infra.settings import Settings, Typed

STATE = "processes.json"
PATIENCE, GRACE = 60.0, 10.0  # seconds to answer for the first time; seconds to finish requests
AGAIN = 5.0  # seconds until the made-up practice is tried again

READY = """
Rapport runs at {address}, its logs are in {logs}. Ctrl-C stops it.

API key: {key}
Try, in another terminal:

  curl {address}/v1/touchpoints -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{example}'
  curl {address}/v1/contacts -H 'Authorization: Bearer {key}'
  curl {address}/v1/nudges -H 'Authorization: Bearer {key}'
"""
READY_WITHOUT_KEY = """
Rapport runs at {address}, its logs are in {logs}. Ctrl-C stops it.
Add a business, which prints its API key: rapport tenant add "Your business"
"""


EXAMPLE = (
    '{{"kind": "meeting", "occurred_at": "{now}", "channel": "chamber", "direction": "mutual",'
    ' "with": [{{"name": "Ada Baker"}}]}}'
)


class NotStarted(Exception):
    """Rapport could not be started. The text says why and what to do."""


class State(Struct, frozen=True):
    """What `rapport up` tells in `processes.json`: its address, and process ids, None while a process is down."""

    address: str | None = None
    api: int | None = None
    worker: int | None = None


def state(data: DataFolder) -> State:
    """All None while no `rapport up` runs on this folder."""
    noted = data.read(STATE, State) or State()
    return noted if data.is_locked("up") else State()


@contextmanager
def alone(typed: Typed) -> Iterator[None]:
    """Be the one `rapport up` of this data folder, on a free port. NotStarted or PortTaken where that cannot be."""
    data = DataFolder(typed.data)
    data.create()
    with ExitStack() as held:
        try:
            held.enter_context(data.locked("up", wait=False))
        except BlockingIOError:
            where = state(data).address or "an address not known yet"
            raise NotStarted(f"Rapport already runs with the data folder {data.root}, at {where}.") from None
        for leftover in filter(None, (state(data).api, state(data).worker)):
            stop_if_ours(leftover, "services.cli")
        refuse_taken(typed.host, typed.port)
        yield


async def run(configured: Settings, *, own_servers: bool, demo: bool) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP. A second signal does not wait for requests under way.

    `own_servers`: the servers are not ours to watch. Raises NotStarted when the API does not come up.
    """
    data = DataFolder(configured.data)
    api, worker = children = [child("api", configured), child("worker", configured)]
    api.answers = lambda _: is_healthy(configured.address)
    told = stop_signal(children)
    try:
        await first(told.wait(), supervise(configured, data, api, worker, own_servers=own_servers, demo=demo))
    finally:
        await asyncio.gather(*(one.stop(grace=GRACE) for one in children))
        data.write(STATE, State())


def child(command: str, configured: Settings) -> Child:
    inherited = {name: value for name, value in os.environ.items() if not settings.is_ours(name)}
    not_to_migrate = msgspec.structs.replace(configured, admin_database_url=None)
    return Child(
        command,
        [sys.executable, "-m", "services.cli", command],
        folder=embedded.PROJECT,
        log=configured.data / "logs" / f"{command}.log",
        environment={**inherited, **settings.environment(not_to_migrate)},
    )


def stop_signal(children: list[Child]) -> asyncio.Event:
    told = asyncio.Event()

    def stop() -> None:
        if told.is_set():
            for one in children:
                one.tell(signal.SIGKILL)
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return told


async def supervise(
    configured: Settings, data: DataFolder, api: Child, worker: Child, *, own_servers: bool, demo: bool
) -> None:
    def note(_: Child | None = None) -> None:
        data.write(STATE, State(address=configured.address, api=api.pid, worker=worker.pid))

    def ended(one: Child) -> None:
        note()
        print(f"The {one.name} ended and is started again. Its log: {one.log}", file=sys.stderr)

    api.start()
    worker.start()
    note()
    key = await first_key(configured, data, demo=demo)
    await come_up(api)
    tell(configured, data, key)
    await asyncio.gather(
        api.keep(ended=ended, ready=note),
        worker.keep(ended=ended, ready=note),
        *([load_demo(configured, data)] if demo else []),
        *([] if own_servers else [keep_servers(data)]),
    )


async def come_up(api: Child) -> None:
    try:
        ready = await asyncio.wait_for(api.is_ready(), PATIENCE)
    except TimeoutError:
        ready = False
    if not ready:
        raise NotStarted(f"The API did not start. The end of its log, {api.log}:\n{api.last_words()}")


def is_healthy(address: str) -> bool:
    where = urlsplit(address)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=1)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


async def keep_servers(data: DataFolder) -> None:
    """The keeper keeps the embedded servers; this keeps the keeper."""
    while True:
        if not embedded.runs(data):
            print("The embedded servers ended and are started again.", file=sys.stderr)
            try:
                await asyncio.to_thread(embedded.start, data)
            except EmbeddedError as problem:
                print(problem, file=sys.stderr)
        await asyncio.sleep(0.5)


async def first_key(configured: Settings, data: DataFolder, *, demo: bool) -> str | None:
    """The API key of the first made-up business, each start the same one. They are added at the first start only:
    never beside businesses somebody added without them."""
    from services import office
    from services.demo import loading

    async with office.opened(configured) as context:
        if not demo or (loading.state(data) is None and await tenants.all_ids(context.pool)):
            return None
        told = await loading.add_businesses(context, data)
    return next(iter(told.businesses.values())).api_key


async def load_demo(configured: Settings, data: DataFolder) -> None:
    """Load the made-up practice while everything runs; after a fault go on, as every part may be told again."""
    from services.demo import loading

    if (told := loading.state(data)) is None or told.loaded:
        return
    print("A made-up practice is being loaded, which takes some seconds.", flush=True)
    try:
        await _load_until_done(configured, data)
    except Refused as refusal:
        print(f"It could not be loaded: {refusal} rapport demo tries again.", file=sys.stderr)
        return
    print("The made-up practice is loaded: rapport demo shows it.", flush=True)


async def _load_until_done(configured: Settings, data: DataFolder) -> None:
    from services import office
    from services.demo import loading

    with office.bar("loading") as bar:
        while True:
            try:
                async with office.opened(configured) as context:
                    await loading.load(context, data, progress=office.shown_on(bar))
                return
            except (*GONE, Unavailable) as problem:
                print(f"Loading it goes on in a moment ({type(problem).__name__}).", file=sys.stderr)
                await asyncio.sleep(AGAIN)


def tell(configured: Settings, data: DataFolder, key: str | None) -> None:
    example = EXAMPLE.format(now=datetime.now(UTC).isoformat(timespec="seconds"))
    text = READY if key else READY_WITHOUT_KEY
    print(text.format(address=configured.address, logs=data.logs, key=key, example=example), flush=True)
