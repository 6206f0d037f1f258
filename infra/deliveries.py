"""Deliveries: claimed under a lease, signed, posted, and what became of them stored. PostgreSQL is the truth.

Whatever dies in between, the row's lease runs out and it is sent again, with the same webhook-id. Tenants take turns,
and so do the endpoints of each; nobody's backlog delays somebody else's single delivery.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Counter, Histogram
from standardwebhooks import Webhook

from domain import deliveries, events
from domain.deliveries import Answer, Breaker, Delivery, Health
from domain.event import Event
from domain.events import UnknownEvent
from domain.webhooks import EndpointDisabled, EndpointWarned, Secret, live
from infra import event_log, tenants
from infra.context import Context
from infra.database import GONE, Connection, enter, in_tenant, queries
from infra.egress import Egress, Exchange
from infra.event_log import Append, Unavailable
from infra.projection import attempted
from infra.stored_events import CANONICAL, Origin, decoded, draft
from infra.tenants import Tenant

MOST_AT_ONCE = 1_000
MOST_OF_TENANT = 128
SWEEP_SECONDS = 2.0
AGENT = "Rapport-Webhooks/1"

log = structlog.get_logger()
SENT = Counter("rapport_webhook_attempts", "Webhook attempts, by what became of them.", ["outcome"])
TOOK = Histogram("rapport_webhook_seconds", "Webhook attempts, from dialling to the answer.")
LATE = Counter("rapport_webhook_late_results", "Results of leases that had run out: nothing was changed by them.")

_JSON = msgspec.json.Encoder()
_HEADERS = msgspec.json.Decoder(dict[str, str])
_SECRETS = msgspec.json.Decoder(tuple[Secret, ...])
_BREAKER = msgspec.json.Decoder(Breaker)


class Parcel(Struct, frozen=True):
    """One delivery taken: what is to be sent, where, and under which lease."""

    tenant: Tenant
    endpoint_id: UUID
    ordered: bool
    delivery_id: UUID
    event_id: UUID
    test: bool
    taken: Delivery
    url: str
    content: bytes
    headers: dict[str, str]
    secrets: tuple[Secret, ...]


class Outcome(Struct, frozen=True):
    parcel: Parcel
    exchange: Exchange
    started_at: datetime
    request: bytes


class Sent(Struct, frozen=True):
    """A request as the log of attempts shows it."""

    url: str
    headers: dict[str, str]
    body: str


class Deliverer:
    """Claims, sends and notes for one process. `run` until told to stop; what is under way then is finished."""

    def __init__(self, context: Context, egress: Egress) -> None:
        self._context = context
        self._egress = egress
        self._woken = asyncio.Event()
        self._under_way: dict[UUID, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes: dict[tuple[UUID, UUID], list[Outcome]] = {}
        self._noting: set[tuple[UUID, UUID]] = set()

    def wake(self) -> None:
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._woken.set())
        try:
            while not stop.is_set():
                self._woken.clear()
                pause = await self._send_all_due(stop)
                try:
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
                except TimeoutError:
                    pass
            await self.finish()
        finally:
            stopping.cancel()

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _send_all_due(self, stop: asyncio.Event) -> float:
        """Take all there is to take; how long to rest then."""
        try:
            while not stop.is_set() and len(self._sending) < MOST_AT_ONCE and await self.send_some():
                pass
            return await self._pause()
        except (*GONE, Unavailable) as error:
            log.warning("database_unavailable", error=type(error).__name__)
            return 0.5

    async def _pause(self) -> float:
        async with self._context.pool.acquire() as connection:
            due: datetime | None = await connection.fetchval(queries("webhooks").next_lane_due)
        if due is None:
            return SWEEP_SECONDS
        return min(max((due - datetime.now(UTC)).total_seconds(), 0.01), SWEEP_SECONDS)

    async def send_some(self) -> bool:
        """Take what one endpoint has due, and begin to send it; False when no endpoint has anything."""
        busy = [tenant_id for tenant_id, count in self._under_way.items() if count >= MOST_OF_TENANT]
        async with self._context.pool.acquire() as connection, connection.transaction():
            lane = await connection.fetchrow(queries("webhooks").claim_lane, busy)
            if lane is None:
                return False
            await enter(connection, lane["tenant_id"], seconds=30)
            parcels: list[Parcel] = []
            failure = await attempted(connection, self._claim(connection, lane, parcels))
            if failure is not None:
                log.error("webhook_lane_stalled", endpoint=str(lane["endpoint_id"]), error=failure)
                await connection.execute(queries("webhooks").stall_lane, *lane)
        for parcel in parcels if failure is None else ():
            self._begin(parcel)
        return True

    async def _claim(self, connection: Connection, lane: asyncpg.Record, parcels: list[Parcel]) -> None:
        tenant = await tenants.load_in(connection, lane["tenant_id"], master=self._context.master)
        parcels += await claim(self._context, connection, tenant, lane["endpoint_id"])

    def _begin(self, parcel: Parcel) -> None:
        tenant_id = parcel.tenant.tenant_id
        self._under_way[tenant_id] = self._under_way.get(tenant_id, 0) + 1
        task = asyncio.create_task(self._deliver(parcel))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, parcel: Parcel) -> None:
        try:
            outcome = await post(self._egress, parcel)
            await self._note(outcome)
        except (*GONE, Unavailable) as error:
            log.warning("webhook_result_not_stored", error=type(error).__name__)  # its lease runs out: sent again
        finally:
            tenant_id = parcel.tenant.tenant_id
            self._under_way[tenant_id] -= 1
            if not self._under_way[tenant_id]:
                del self._under_way[tenant_id]
            self._woken.set()

    async def _note(self, outcome: Outcome) -> None:
        """Outcomes of one endpoint that come in while others are stored are stored together."""
        lane = (outcome.parcel.tenant.tenant_id, outcome.parcel.endpoint_id)
        self._outcomes.setdefault(lane, []).append(outcome)
        if lane in self._noting:
            return
        self._noting.add(lane)
        try:
            while waiting := self._outcomes.pop(lane, []):
                await note(self._context, waiting)
        finally:
            self._noting.discard(lane)


async def claim(context: Context, connection: Connection, tenant: Tenant, endpoint_id: UUID) -> list[Parcel]:
    """Take what this endpoint may be sent now. The caller holds its lane."""
    sql, now = queries("webhooks"), datetime.now(UTC)
    [endpoint] = await connection.fetch(sql.endpoint, tenant.tenant_id, endpoint_id)
    sends = endpoint["state"] == "active" and endpoint["deleted_at"] is None and not tenant.suspended
    rows = await _due(connection, tenant.tenant_id, endpoint, now) if sends else []
    contents = await _contents(context, connection, tenant, endpoint, rows)
    lost = [row for row in rows if row["state"] == "sending"]
    await _note_lost(connection, tenant, endpoint, lost, contents)
    taken = [(row, deliveries.take(_delivery(row), lease=uuid4(), now=now)) for row in rows]
    if taken:
        columns = [
            (row["delivery_id"], one.state, one.attempts, one.lease, one.lease_until, _sealed(tenant, row, contents))
            for row, one in taken
        ]
        await connection.execute(sql.take, tenant.tenant_id, *map(list, zip(*columns, strict=True)))
    probe_at = endpoint["probe_at"] and now + deliveries.LEASE
    await _rest_lane(connection, tenant.tenant_id, endpoint, probe_at, served=bool(taken), sends=sends)
    headers, secrets = _opened(tenant, endpoint)
    return [
        Parcel(
            tenant, endpoint_id, endpoint["ordered"], row["delivery_id"], row["event_id"], row["test"], one,
            endpoint["url"], contents[row["delivery_id"]], headers, secrets,
        )
        for row, one in taken
        if one.state == "sending"
    ]  # fmt: skip


async def _due(
    connection: Connection, tenant_id: UUID, endpoint: asyncpg.Record, now: datetime
) -> list[asyncpg.Record]:
    """The rows that may be taken now: one for a probe or an ordered endpoint, else as many as there is room for."""
    sql, endpoint_id = queries("webhooks"), endpoint["endpoint_id"]
    if endpoint["ordered"]:
        first = await connection.fetchrow(sql.first_open, tenant_id, endpoint_id)
        return [first] if first is not None and deliveries.may_be_taken(_delivery(first), now=now) else []
    room = endpoint["at_once"] - await connection.fetchval(sql.under_way, tenant_id, endpoint_id)
    room = min(room, 1) if endpoint["probe_at"] is not None else room
    rows = await connection.fetch(sql.expired, tenant_id, endpoint_id, max(room, 0))
    for replayed in (False, True):
        if room > len(rows):
            rows += await connection.fetch(sql.due, tenant_id, endpoint_id, room - len(rows), replayed)
    return rows


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(row["state"], row["attempts"], row["due_at"], lease_until=row.get("lease_until"))


async def _rest_lane(
    connection: Connection,
    tenant_id: UUID,
    endpoint: asyncpg.Record,
    probe_at: datetime | None,
    *,
    served: bool,
    sends: bool,
) -> None:
    sql, endpoint_id = queries("webhooks"), endpoint["endpoint_id"]
    due = await connection.fetchval(sql.next_due, tenant_id, endpoint_id, endpoint["ordered"])
    room = endpoint["at_once"] - await connection.fetchval(sql.under_way, tenant_id, endpoint_id)
    if due is not None and room <= 0:
        due = await connection.fetchval(sql.next_lease_end, tenant_id, endpoint_id)
    await connection.execute(sql.serve_lane, tenant_id, endpoint_id, due, probe_at, served, sends)


async def _contents(
    context: Context, connection: Connection, tenant: Tenant, endpoint: asyncpg.Record, rows: Sequence[asyncpg.Record]
) -> dict[UUID, bytes]:
    """What each is sent, the same bytes at each attempt."""
    kept = {
        row["delivery_id"]: unseal_content(tenant, row["delivery_id"], row["content"])
        for row in rows
        if row["content"] is not None
    }
    fresh = [row for row in rows if row["content"] is None]
    positions = list({row["position"] for row in fresh})
    stored = await connection.fetch(queries("webhooks").events_at, tenant.tenant_id, positions) if fresh else []
    full, bodies = endpoint["body"] == "full", dict[int, bytes]()
    for row in stored:
        event = await _event(context, connection, tenant, row, full=full)
        bodies[row["position"]] = body_of(tenant, row, event, full=full)
    return kept | {row["delivery_id"]: bodies[row["position"]] for row in fresh}


async def _event(
    context: Context, connection: Connection, tenant: Tenant, row: asyncpg.Record, *, full: bool
) -> Event | None:
    """The event; None where this program does not know its type."""
    try:
        if full:
            [(_, event)] = await decoded(context, tenant, connection, [row])
            return event
        return events.decode(row["type"], row["version"], row["body"])
    except (UnknownEvent, msgspec.MsgspecError):
        return None


def body_of(tenant: Tenant, row: asyncpg.Record, event: Event | None, *, full: bool) -> bytes:
    """The body of a webhook: ids and plain facts; with `full` also the event's own names and notes."""
    said: dict[str, object] = {
        "type": row["type"],
        "timestamp": row["occurred_at"],
        "tenant": tenant.tenant_id,
        "position": row["position"],
        "data": None if event is None else events.public(event),
    }
    if full and event is not None:
        said["personal"] = event.personal
    return _JSON.encode(said)


def _sealed(tenant: Tenant, row: asyncpg.Record, contents: Mapping[UUID, bytes]) -> bytes:
    kept: bytes | None = row["content"]
    return kept or seal_content(tenant, row["delivery_id"], contents[row["delivery_id"]])


def seal_content(tenant: Tenant, delivery_id: UUID, content: bytes) -> bytes:
    return tenant.seal("webhook", delivery_id, content)


def unseal_content(tenant: Tenant, delivery_id: UUID, sealed: bytes) -> bytes:
    return tenant.unseal("webhook", delivery_id, sealed)


def seal_settings(tenant: Tenant, endpoint_id: UUID, settings: object) -> bytes:
    """An endpoint's headers or secrets."""
    return tenant.seal("webhook_endpoint", endpoint_id, _JSON.encode(settings))


def headers_of(tenant: Tenant, endpoint_id: UUID, sealed: bytes) -> dict[str, str]:
    return _HEADERS.decode(tenant.unseal("webhook_endpoint", endpoint_id, sealed))


def secrets_of(tenant: Tenant, endpoint_id: UUID, sealed: bytes) -> tuple[Secret, ...]:
    return _SECRETS.decode(tenant.unseal("webhook_endpoint", endpoint_id, sealed))


def _opened(tenant: Tenant, endpoint: asyncpg.Record) -> tuple[dict[str, str], tuple[Secret, ...]]:
    endpoint_id = endpoint["endpoint_id"]
    return headers_of(tenant, endpoint_id, endpoint["headers"]), secrets_of(tenant, endpoint_id, endpoint["secrets"])


async def post(egress: Egress, parcel: Parcel) -> Outcome:
    """Sign and send. The timestamp is of this attempt, the id of the event, and every live secret signs."""
    started_at = datetime.now(UTC)
    headers = {**parcel.headers, **signed(parcel, started_at)}
    exchange = await egress.post(parcel.url, parcel.content, headers)
    SENT.labels("delivered" if exchange.answer.good else exchange.answer.failure or "refused").inc()
    TOOK.observe(exchange.milliseconds / 1000)
    request = _JSON.encode(Sent(parcel.url, headers, parcel.content.decode()))
    return Outcome(parcel, exchange, started_at, request)


def signed(parcel: Parcel, at: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    text, message_id = parcel.content.decode(), str(parcel.event_id)
    signatures = [Webhook(secret.value).sign(message_id, at, text) for secret in live(parcel.secrets, now=at)]
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "Accept-Encoding": "identity",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def note(context: Context, outcomes: Sequence[Outcome]) -> None:
    """Store what became of deliveries of one endpoint. A result whose lease ran out changes nothing."""
    parcel = outcomes[0].parcel
    tenant, endpoint_id, sql = parcel.tenant, parcel.endpoint_id, queries("webhooks")
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        [lane] = await connection.fetch(sql.lane, tenant.tenant_id, endpoint_id)
        now = datetime.now(UTC)
        rows = [_finished(outcome, now) for outcome in outcomes]
        kept = await connection.fetch(sql.finish, tenant.tenant_id, *map(list, zip(*rows, strict=True)))
        taken = {row["delivery_id"] for row in kept}
        LATE.inc(len(outcomes) - len(taken))
        mine = [outcome for outcome in outcomes if outcome.parcel.delivery_id in taken]
        await _note_attempts(connection, tenant, endpoint_id, [_attempt(tenant, outcome) for outcome in mine])
        judged = [outcome for outcome in mine if not outcome.parcel.test]
        await _note_health(connection, tenant, endpoint_id, lane, judged, now)
        due = await connection.fetchval(sql.next_due, tenant.tenant_id, endpoint_id, parcel.ordered)
        await connection.execute(sql.look_again, tenant.tenant_id, endpoint_id, due)


def _finished(outcome: Outcome, now: datetime) -> tuple[object, ...]:
    parcel, answer = outcome.parcel, outcome.exchange.answer
    if parcel.test:
        ended = Delivery("delivered" if answer.good else "exhausted", parcel.taken.attempts + 1, parcel.taken.due_at)
    else:
        ended = deliveries.after(parcel.taken, answer, now=now, chance=random.random())
    return (parcel.delivery_id, parcel.taken.lease, ended.state, ended.attempts, ended.due_at)


def _attempt(tenant: Tenant, outcome: Outcome) -> tuple[object, ...]:
    answer, delivery_id = outcome.exchange.answer, outcome.parcel.delivery_id
    return (
        delivery_id, outcome.started_at, outcome.exchange.milliseconds, answer.status, answer.failure, not answer.ours,
        outcome.parcel.test, seal_content(tenant, delivery_id, outcome.request),
        seal_content(tenant, delivery_id, outcome.exchange.body) if outcome.exchange.body else None,
    )  # fmt: skip


async def _note_attempts(
    connection: Connection, tenant: Tenant, endpoint_id: UUID, attempts: Sequence[tuple[object, ...]]
) -> None:
    if attempts:
        columns = map(list, zip(*attempts, strict=True))
        await connection.execute(queries("webhooks").note_attempts, tenant.tenant_id, endpoint_id, *columns)


async def _note_lost(
    connection: Connection,
    tenant: Tenant,
    endpoint: asyncpg.Record,
    rows: Sequence[asyncpg.Record],
    contents: Mapping[UUID, bytes],
) -> None:
    """An attempt nobody knows the end of stands in the log too."""
    attempts = []
    for row in rows:
        request = _JSON.encode(Sent(endpoint["url"], {}, contents[row["delivery_id"]].decode()))
        sealed = seal_content(tenant, row["delivery_id"], request)
        attempts.append(
            (row["delivery_id"], row["lease_until"] - deliveries.LEASE, None, None, "worker_lost", True,
             row["test"], sealed, None)
        )  # fmt: skip
    await _note_attempts(connection, tenant, endpoint["endpoint_id"], attempts)


async def _note_health(
    connection: Connection,
    tenant: Tenant,
    endpoint_id: UUID,
    lane: asyncpg.Record,
    judged: Sequence[Outcome],
    now: datetime,
) -> None:
    """The breaker and the endpoint's health after these outcomes, in the order in which they began."""
    breaker = _BREAKER.decode(lane["breaker"]) if lane["breaker"] else Breaker()
    breaker = msgspec.structs.replace(breaker, probe_at=lane["probe_at"])
    health = Health(lane["failing_since"], lane["failures"], lane["warned"])
    said: list[Event] = []
    delivered_at = None
    for outcome in sorted(judged, key=lambda one: one.started_at):
        answer = outcome.exchange.answer
        breaker = deliveries.breaker_after(breaker, answer, now=now)
        health, verdict = deliveries.health_after(health, answer, now=now)
        delivered_at = now if answer.good else delivered_at
        if verdict == "warn" and health.failing_since is not None:
            said.append(
                EndpointWarned(endpoint_id=endpoint_id, failing_since=health.failing_since, failures=health.failures)
            )
        elif verdict == "disable" and await _disable(connection, tenant, endpoint_id, answer):
            said.append(EndpointDisabled(endpoint_id=endpoint_id, reason="gone" if answer.gone else "only_failures"))
    await connection.execute(
        queries("webhooks").note_health, tenant.tenant_id, endpoint_id, breaker.probe_at,
        _JSON.encode(msgspec.structs.replace(breaker, probe_at=None)), health.failing_since, health.failures,
        health.warned, delivered_at,
    )  # fmt: skip
    await _say(connection, tenant, said, now)


async def _disable(connection: Connection, tenant: Tenant, endpoint_id: UUID, answer: Answer) -> bool:
    sql = queries("webhooks")
    disabled = await connection.fetchval(sql.disable, tenant.tenant_id, endpoint_id, answer.words())
    await connection.execute(sql.close_lane, tenant.tenant_id, endpoint_id)
    if disabled is not None:
        await connection.execute(sql.audit, tenant.tenant_id, endpoint_id, "webhooks", f"disabled: {answer.words()}")
        log.warning("webhook_endpoint_disabled", tenant=str(tenant.tenant_id), endpoint=str(endpoint_id))
    return disabled is not None


async def _say(connection: Connection, tenant: Tenant, said: Sequence[Event], now: datetime) -> None:
    """The feed is told too, in the same commit. Where the head is held by somebody else, all of it is tried again."""
    meta = CANONICAL.encode(Origin(actor="webhooks", source="worker"))
    appends = [
        Append(
            tenant.tenant_id,
            (draft(event, uuid4(), now, tenant, {}),),
            tenant.keys.fingerprint(CANONICAL.encode(event)),
            meta,
        )
        for event in said
    ]
    verdicts = await event_log.append_now(connection, appends, waits=True) if appends else []
    if any(verdict.judgement != "recorded" for verdict in verdicts):
        raise Unavailable
