"""The event log: appends of whole decisions, many in one commit; positions without gaps; nothing ever changed.

`Writer.append` is the one way in, as `rapport_writer`, which appends for many tenants and can do nothing else. A
decision that had to read first holds the tenant's head and uses `append_now` in that tenant's own transaction.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Literal
from uuid import UUID

import asyncpg
import stamina
import structlog
from msgspec import Struct
from prometheus_client import Counter as Metric
from prometheus_client import Histogram

from infra import tracing
from infra.database import GONE, Connection, Pool, in_tenant, queries

Judgement = Literal[
    "recorded", "duplicate", "conflict", "contact_moved", "stale", "subject_erased", "no_such_tenant", "busy"
]

HANDS = 2
BATCH_APPENDS = 512
WHOLE_APPENDS = 128
BATCH_EVENTS = 2_000
WAITING_CONNECTIONS = 4
CONNECTIONS = HANDS + WAITING_CONNECTIONS  # all a writer ever uses
MOST_CHANNELS = 100_000

log = structlog.get_logger()
APPENDED = Metric("rapport_appends", "Appends judged, by verdict.", ["verdict"])
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


# The writer is not let in, or not to its function: the operator's to mend, and no fault of what is to be appended.
NOT_LET_IN = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)


class Unstorable(Exception):
    """The database does not take this append, now or later. Nothing of it is stored."""


async def append_now(connection: Connection, appends: Sequence[Append], *, waits: bool) -> list[Verdict]:
    """Appends of the tenant whose transaction this is. With `waits` it waits a moment for the head, if it is held.

    Where one is another tenant's, or the transaction is nobody's, the database refuses all of them.
    """
    return await _judged(connection, queries("event_log").append_own, appends, waits=waits)


async def append_for_many(connection: Connection, appends: Sequence[Append], *, waits: bool) -> list[Verdict]:
    """Likewise for any tenants, on a connection of `rapport_writer`: each is as trusted as the key that brought it."""
    return await _judged(connection, queries("event_log").append, appends, waits=waits)


async def _judged(connection: Connection, statement: str, appends: Sequence[Append], *, waits: bool) -> list[Verdict]:
    [row] = await connection.fetch(statement, waits, *_arrays(appends))
    judgements: list[Judgement] = row["verdicts"] or ["recorded"] * len(appends)
    for judgement, count in Counter(judgements).items():
        APPENDED.labels(judgement).inc(count)
    return list(map(Verdict, judgements, row["found_positions"], row["holders"] or repeat(None)))


def _arrays(appends: Sequence[Append]) -> list[list[Any]]:
    """The parameters of `append`, whose names say what each is."""
    drafts = [draft for append in appends for draft in append.drafts]
    numbers: list[int] = []
    metas: list[bytes] = []
    fingerprints: list[bytes | None] = []
    for n, append in enumerate(appends, start=1):
        events = len(append.drafts)
        numbers += [n] * events
        metas += [append.meta] * events
        fingerprints += [None] * (events - 1)
        fingerprints.append(append.fingerprint)
    guarded = any(append.expected for append in appends)
    expected = [append.expected or (None, None) for append in appends if guarded]
    claims = [(n, claim) for n, append in enumerate(appends, start=1) for claim in append.claims]
    keys = [(n, subject, key) for n, append in enumerate(appends, start=1) for subject, key in append.keys]
    subjects = [(n, subject) for n, append in enumerate(appends, start=1) for subject in append.subjects]
    return [
        [append.tenant_id for append in appends],
        [stream for stream, _ in expected],
        [position for _, position in expected],
        numbers,
        [draft.stream for draft in drafts],
        [draft.event_id for draft in drafts],
        [draft.type for draft in drafts],
        [draft.version for draft in drafts],
        [draft.occurred_at for draft in drafts],
        [draft.body for draft in drafts],
        [draft.sealed for draft in drafts],
        metas,
        fingerprints,
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
    asked: "tracing.SpanContext | None" = None

    @property
    def tenant_id(self) -> UUID:
        return self.append.tenant_id


Call = Callable[[list[Append]], Awaitable[list[Verdict]]]


class _Hand:
    """One of those that write: its queue, and the connection it keeps.

    To hand one back and take it again costs as much as a small commit.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self.queue: deque[_Waiting] = deque()
        self.arrived = asyncio.Event()

    async def call(self, appends: list[Append]) -> list[Verdict]:
        if self._connection is None:
            self._connection = await self._pool.acquire()
        try:
            return await append_for_many(self._connection, appends, waits=False)
        except BaseException:
            await self.let_go()
            raise

    async def let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)


class Writer:
    """Group commit: what arrives during one commit goes into the next. No timer.

    Two hands write, each for its half of the tenants, so that one is in the database while the other's callers are
    served. Appends whose tenant's head somebody else holds go to a lane of that tenant alone, which waits for it, so
    that a stranger's lock delays nobody else; until the lane is empty that tenant's later appends queue behind it.

    `pool` is of at least CONNECTIONS connections that act as `rapport_writer`.
    """

    def __init__(self, pool: Pool) -> None:
        if pool.get_max_size() < CONNECTIONS:
            raise ValueError(f"a writer needs {CONNECTIONS} connections")
        self.pool = pool
        self._hands = [_Hand(pool) for _ in range(HANDS)]
        self._lanes: dict[UUID, deque[_Waiting]] = {}
        self._turns = asyncio.Semaphore(WAITING_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._channels: set[tuple[UUID, str]] = set()

    async def __aenter__(self) -> "Writer":
        self._open = True
        for hand in self._hands:
            self._start(self._write_queue(hand))
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is told so: it may or may not be recorded, and may be sent again."""
        self._open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for hand in self._hands:
            await hand.let_go()
        waiting = chain(*(hand.queue for hand in self._hands), *self._lanes.values())
        _fail(waiting, Unavailable("the process is stopping"))

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
        waiting = _Waiting(append, asyncio.get_running_loop().create_future(), tracing.here())
        lane = self._lanes.get(append.tenant_id)
        if lane is None:
            hand = self._hands[append.tenant_id.int % HANDS]
            hand.queue.append(waiting)
            hand.arrived.set()
        else:
            lane.append(waiting)
        return await waiting.verdict

    async def _write_queue(self, hand: _Hand) -> None:
        while True:
            await hand.arrived.wait()
            hand.arrived.clear()
            while hand.queue:
                batch = _take(hand.queue, self._lanes)
                self._put_back(hand, batch, await self._write(batch, hand.call))

    def _put_back(self, hand: _Hand, batch: list[_Waiting], again: list[_Waiting]) -> None:
        """To the front, or to a lane. The first of a tenant in a call is always judged, unless its head is held."""
        if not again:
            return
        first = {waiting.tenant_id: waiting for waiting in reversed(batch)}
        held = {waiting.tenant_id for waiting in again if first[waiting.tenant_id] is waiting}
        for waiting in again:
            if waiting.tenant_id in held:
                self._to_lane(waiting)
        hand.queue.extendleft(waiting for waiting in reversed(again) if waiting.tenant_id not in held)

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
                lane.extendleft(reversed(await self._write(_take(lane, {}), self._wait_and_call)))
        del self._lanes[tenant_id]

    async def _wait_and_call(self, appends: list[Append]) -> list[Verdict]:
        async with self.pool.acquire() as connection:
            return await append_for_many(connection, appends, waits=True)

    async def _write(self, batch: list[_Waiting], call: Call) -> list[_Waiting]:
        """Commit the batch; those to be sent again come back, in their order. Every other one has its answer."""
        BATCHES.observe(len(batch))
        try:
            with tracing.span("append batch", caused_by=(waiting.asked for waiting in batch), appends=len(batch)):
                return await self._judge(batch, call)
        except asyncio.CancelledError:
            _fail(batch, Unavailable("the process is stopping"))
            raise

    async def _judge(self, batch: list[_Waiting], call: Call) -> list[_Waiting]:
        if not batch:
            return []
        try:
            verdicts = await _send([waiting.append for waiting in batch], call)
            judged = list(zip(batch, verdicts, strict=True))
        except GONE as error:
            _fail(batch, Unavailable(type(error).__name__))
            return []
        except NOT_LET_IN as error:
            log.error("writer_not_let_in", error=type(error).__name__)
            _fail(batch, Unavailable(type(error).__name__))
            return []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the task that all callers wait for
            return await self._judge_apart(batch, error, call)
        for waiting, verdict in judged:
            if verdict.judgement != "busy" and not waiting.verdict.done():
                waiting.verdict.set_result(verdict)
        return [waiting for waiting, verdict in judged if verdict.judgement == "busy"]

    async def _judge_apart(self, batch: list[_Waiting], error: Exception, call: Call) -> list[_Waiting]:
        """One bad append must not take its neighbours with it: halve until it stands alone."""
        if len(batch) == 1:
            log.error("append_refused_by_the_database", error=type(error).__name__)
            _fail(batch, Unstorable(type(error).__name__))
            return []
        middle = len(batch) // 2
        again = await self._judge(batch[:middle], call)
        busy = {waiting.tenant_id for waiting in again}
        later = [waiting for waiting in batch[middle:] if waiting.tenant_id not in busy]
        again_later = {id(waiting) for waiting in await self._judge(later, call)}
        return again + [
            waiting for waiting in batch[middle:] if waiting.tenant_id in busy or id(waiting) in again_later
        ]


async def _send(appends: list[Append], call: Call) -> list[Verdict]:
    """Again on a lost connection: the ids make it safe."""
    try:
        return await call(appends)
    except GONE:
        log.info("append_sent_again", appends=len(appends))
    for attempt in stamina.retry_context(
        on=GONE, attempts=40, timeout=20, wait_initial=0.05, wait_max=1, wait_jitter=0.05
    ):
        with attempt:
            return await call(appends)
    raise AssertionError("the retry gives verdicts or raises")


def _take(queue: deque[_Waiting], lanes: Mapping[UUID, deque[_Waiting]]) -> list[_Waiting]:
    """The next batch, in order, up to 512 appends and about 2,000 events; what has a lane by now goes there.

    Of many about a half: it is then in the database while the callers of the other half are served.
    """
    batch: list[_Waiting] = []
    events = 0
    most = min(max(WHOLE_APPENDS, len(queue) // 2), BATCH_APPENDS)
    while queue and len(batch) < most and events < BATCH_EVENTS:
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
