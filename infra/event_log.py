"""The event log: appends of whole decisions, many in one commit; positions without gaps; nothing ever changed.

`Writer.append` is the one way in. A decision that had to read first holds the tenant's head and uses `append_now` in
its own transaction.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Literal, cast
from uuid import UUID

import stamina
import structlog
from msgspec import Struct
from prometheus_client import Counter, Histogram

from infra.database import GONE, Connection, Pool, in_tenant, queries

Judgement = Literal[
    "recorded", "duplicate", "conflict", "contact_moved", "stale", "subject_erased", "no_such_tenant", "busy"
]

BATCH_APPENDS = 512
BATCH_EVENTS = 2_000
WAITING_CONNECTIONS = 4
MOST_CHANNELS = 100_000

log = structlog.get_logger()
APPENDED = Counter("rapport_appends", "Appends judged, by verdict.", ["verdict"])
BATCHES = Histogram(
    "rapport_append_batch_size", "Appends in one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)


class Draft(Struct, frozen=True):
    """One event as it will be stored; `sealed` is encrypted already."""

    stream: str
    event_id: UUID
    type: str
    version: int
    occurred_at: datetime
    body: bytes
    sealed: bytes | None = None


class Claim(Struct, frozen=True):
    """This handle (its digest) on this platform is this contact's."""

    platform: str
    handle: bytes
    contact_id: UUID


class Append(Struct, frozen=True):
    """1..n events of one tenant with one verdict. The last one is the lead: its id and the fingerprint tell a repeat.

    `keys` are wrapped keys of new subjects; `subjects` must not be erased; `expected` is a stream and the position it
    is believed to have.
    """

    tenant_id: UUID
    drafts: tuple[Draft, ...]
    fingerprint: bytes
    meta: bytes
    claims: tuple[Claim, ...] = ()
    keys: tuple[tuple[UUID, bytes], ...] = ()
    subjects: tuple[UUID, ...] = ()
    expected: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        if not self.drafts:
            raise ValueError("an append has at least one event")


class Verdict(Struct, frozen=True):
    """`position` of the lead (recorded, duplicate, conflict) or of the stream (stale); `holder` of a moved handle."""

    judgement: Judgement
    position: int | None = None
    holder: UUID | None = None


class Unavailable(Exception):
    """The database cannot be reached just now. Nothing is lost: the same append may be sent again."""


class Unstorable(Exception):
    """The database does not take this append, now or later. Nothing of it is stored."""


async def append_now(connection: Connection, appends: Sequence[Append], *, waits: bool) -> list[Verdict]:
    """One call of the database's `append`. With `waits` it waits a moment for the heads that are held."""
    rows = await connection.fetch(queries("event_log").append, waits, *_arrays(appends))
    verdicts = [Verdict(cast(Judgement, row["verdict"]), row["found_position"], row["holder"]) for row in rows]
    for verdict in verdicts:
        APPENDED.labels(verdict.judgement).inc()
    return verdicts


def _arrays(appends: Sequence[Append]) -> list[list[object]]:
    numbered = list(enumerate(appends, start=1))
    drafts = [
        (n, d, append.meta, append.fingerprint if d is append.drafts[-1] else None)
        for n, append in numbered
        for d in append.drafts
    ]
    claims = [(n, claim) for n, append in numbered for claim in append.claims]
    keys = [(n, subject, key) for n, append in numbered for subject, key in append.keys]
    subjects = [(n, subject) for n, append in numbered for subject in append.subjects]
    return [
        [append.tenant_id for append in appends],
        [append.expected[0] if append.expected else None for append in appends],
        [append.expected[1] if append.expected else None for append in appends],
        [n for n, *_ in drafts],
        [d.stream for _, d, *_ in drafts],
        [d.event_id for _, d, *_ in drafts],
        [d.type for _, d, *_ in drafts],
        [d.version for _, d, *_ in drafts],
        [d.occurred_at for _, d, *_ in drafts],
        [d.body for _, d, *_ in drafts],
        [d.sealed for _, d, *_ in drafts],
        [meta for *_, meta, _ in drafts],
        [fingerprint for *_, fingerprint in drafts],
        [n for n, _ in claims],
        [claim.platform for _, claim in claims],
        [claim.handle for _, claim in claims],
        [claim.contact_id for _, claim in claims],
        [n for n, *_ in keys],
        [subject for _, subject, _ in keys],
        [key for *_, key in keys],
        [n for n, _ in subjects],
        [subject for _, subject in subjects],
    ]


class _Waiting(Struct, eq=False):
    append: Append
    verdict: "asyncio.Future[Verdict]"

    @property
    def tenant_id(self) -> UUID:
        return self.append.tenant_id


class Writer:
    """Group commit: what arrives during one commit goes into the next. No timer.

    Appends whose tenant's head somebody else holds go to a lane of that tenant alone, which waits for it, so that a
    stranger's lock delays nobody else; until the lane is empty that tenant's later appends queue behind it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._lanes: dict[UUID, deque[_Waiting]] = {}
        self._turns = asyncio.Semaphore(WAITING_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._channels: set[tuple[UUID, str]] = set()

    async def __aenter__(self) -> "Writer":
        self._open = True
        self._start(self._write_queue())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is told so: it may or may not be recorded, and may be sent again."""
        self._open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _fail([*self._queue, *chain.from_iterable(self._lanes.values())], Unavailable("the process is stopping"))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def knows_channel(self, tenant_id: UUID, slug: str) -> bool:
        """Whether this process saw the channel open: it never closes, so its opening need not be sent again."""
        return (tenant_id, slug) in self._channels

    def learn_channel(self, tenant_id: UUID, slug: str) -> None:
        if len(self._channels) > MOST_CHANNELS:
            self._channels.clear()
        self._channels.add((tenant_id, slug))

    async def append(self, append: Append) -> Verdict:
        """Its verdict, once it is durable. Raises Unavailable when the database is away for long; Unstorable."""
        if not self._open:
            raise Unavailable("the process is stopping")
        waiting = _Waiting(append, asyncio.get_running_loop().create_future())
        self._lanes.get(append.tenant_id, self._queue).append(waiting)
        self._arrived.set()
        return await waiting.verdict

    async def _write_queue(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                batch = _take(self._queue, self._lanes)
                self._put_back(batch, await self._write(batch, waits=False))

    def _put_back(self, batch: list[_Waiting], again: list[_Waiting]) -> None:
        """To the front, or to a lane. The first of a tenant in a call is always judged, unless its head is held."""
        first = {waiting.tenant_id: waiting for waiting in reversed(batch)}
        held = {waiting.tenant_id for waiting in again if first[waiting.tenant_id] is waiting}
        for waiting in again:
            if waiting.tenant_id in held:
                self._to_lane(waiting)
        self._queue.extendleft(waiting for waiting in reversed(again) if waiting.tenant_id not in held)

    def _to_lane(self, waiting: _Waiting) -> None:
        lane = self._lanes.get(waiting.tenant_id)
        if lane is None:
            lane = self._lanes[waiting.tenant_id] = deque()
            self._start(self._write_lane(waiting.tenant_id, lane))
        lane.append(waiting)

    async def _write_lane(self, tenant_id: UUID, lane: deque[_Waiting]) -> None:
        """Until nothing of the tenant waits. Lanes take short turns: many held heads do not hold up a free one."""
        while lane:
            async with self._turns:
                lane.extendleft(reversed(await self._write(_take(lane, {}), waits=True)))
        del self._lanes[tenant_id]

    async def _write(self, batch: list[_Waiting], *, waits: bool) -> list[_Waiting]:
        """Commit the batch; those to be sent again come back, in their order. Every other one has its answer."""
        BATCHES.observe(len(batch))
        try:
            return await self._judge(batch, waits=waits)
        except asyncio.CancelledError:
            _fail(batch, Unavailable("the process is stopping"))
            raise

    async def _judge(self, batch: list[_Waiting], *, waits: bool) -> list[_Waiting]:
        if not batch:
            return []
        try:
            verdicts = await self._send([waiting.append for waiting in batch], waits=waits)
            judged = list(zip(batch, verdicts, strict=True))
        except GONE as error:
            _fail(batch, Unavailable(type(error).__name__))
            return []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the task that all callers wait for
            return await self._judge_apart(batch, error, waits=waits)
        for waiting, verdict in judged:
            if verdict.judgement != "busy" and not waiting.verdict.done():
                waiting.verdict.set_result(verdict)
        return [waiting for waiting, verdict in judged if verdict.judgement == "busy"]

    async def _judge_apart(self, batch: list[_Waiting], error: Exception, *, waits: bool) -> list[_Waiting]:
        """One bad append must not take its neighbours with it: halve until it stands alone."""
        if len(batch) == 1:
            log.error("append_refused_by_the_database", error=type(error).__name__)
            _fail(batch, Unstorable(type(error).__name__))
            return []
        middle = len(batch) // 2
        again = await self._judge(batch[:middle], waits=waits)
        busy = {waiting.tenant_id for waiting in again}
        later = [waiting for waiting in batch[middle:] if waiting.tenant_id not in busy]
        again_later = {id(waiting) for waiting in await self._judge(later, waits=waits)}
        return again + [
            waiting for waiting in batch[middle:] if waiting.tenant_id in busy or id(waiting) in again_later
        ]

    async def _send(self, appends: list[Append], *, waits: bool) -> list[Verdict]:
        """Again on a lost connection: the ids make it safe."""
        for attempt in stamina.retry_context(
            on=GONE, attempts=40, timeout=20, wait_initial=0.05, wait_max=1, wait_jitter=0.05
        ):
            with attempt:
                async with self._pool.acquire() as connection:
                    return await append_now(connection, appends, waits=waits)
        raise AssertionError("the retry gives verdicts or raises")


def _take(queue: deque[_Waiting], lanes: Mapping[UUID, deque[_Waiting]]) -> list[_Waiting]:
    """The next batch, in order, up to 512 appends and about 2,000 events; what has a lane by now goes there."""
    batch: list[_Waiting] = []
    events = 0
    while queue and len(batch) < BATCH_APPENDS and events < BATCH_EVENTS:
        waiting = queue.popleft()
        if waiting.verdict.cancelled():
            continue
        if waiting.tenant_id in lanes:
            lanes[waiting.tenant_id].append(waiting)
            continue
        batch.append(waiting)
        events += len(waiting.append.drafts)
    return batch


def _fail(batch: Iterable[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.verdict.done():
            waiting.verdict.set_exception(error)


async def head(pool: Pool, tenant_id: UUID) -> int | None:
    """The last position of a tenant's log; None where there is no such tenant."""
    async with in_tenant(pool, tenant_id) as connection:
        position: int | None = await connection.fetchval(queries("event_log").position, tenant_id)
    return position
