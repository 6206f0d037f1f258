"""Webhooks as people see them: endpoints and how sending goes, every attempt in plain words, hours and latencies."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain.deliveries import Answer, State
from domain.errors import NotFound
from domain.webhooks import Body
from domain.webhooks import State as EndpointState
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.deliveries import Sent, headers_of, unseal_content
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of

READS = ("webhooks",)
_SENT = msgspec.json.Decoder(Sent)


class EndpointView(Struct, frozen=True, kw_only=True):
    """`headers` are the names alone. `open` counts what waits or is being sent; `breaker_open_until` is the next probe
    while it fails too often; `position` is where it began to be told."""

    id: UUID
    url: str
    types: list[str]
    body: Body
    ordered: bool
    at_once: int
    headers: list[str]
    description: str
    state: EndpointState
    reason: str | None
    position: int
    added_at: Instant
    open: int
    breaker_open_until: Instant | None
    failing_since: Instant | None
    failures: int
    delivered_at: Instant | None


class DeliveryView(Struct, frozen=True, kw_only=True):
    """`reason` is what the last attempt came to, `next_try_at` when it is sent again by itself. `replay` counts the
    endpoint's replays, 0 for what was sent when it happened."""

    id: UUID
    endpoint_id: UUID
    webhook_id: UUID
    type: str
    position: int
    test: bool
    replay: int
    state: State
    attempts: int
    reason: str | None
    status: int | None
    queued_at: Instant
    last_try_at: Instant | None
    next_try_at: Instant | None
    ended_at: Instant | None


class AttemptView(Struct, frozen=True, kw_only=True):
    """`request` as it was sent; `answer` the first 16 kB that came back. `counts` is false for a fault of our own."""

    number: int
    started_at: Instant
    milliseconds: int | None
    status: int | None
    reason: str
    counts: bool
    request: Sent
    answer: str | None


class DeliveryDetail(Struct, frozen=True, kw_only=True):
    delivery: DeliveryView
    attempts: list[AttemptView]


class Hour(Struct, frozen=True):
    hour: Instant
    delivered: int
    failed: int


class Statistics(Struct, frozen=True):
    """Attempts by hour, the empty hours too; milliseconds of those that were answered. Tests are left out."""

    hours: list[Hour]
    answered: int
    p50: int | None
    p95: int | None
    p99: int | None


class ReplayView(Struct, frozen=True, kw_only=True):
    """`done` is the share of the log that was looked through, 0 to 1; `queued` and `delivered` count webhooks."""

    id: UUID
    number: int
    types: list[str]
    after_position: int
    through_position: int
    failed_since: Instant | None
    done: float
    queued: int
    delivered: int
    asked_at: Instant
    ended_at: Instant | None


class Replays(Struct, frozen=True):
    items: list[ReplayView]


class AuditView(Struct, frozen=True):
    at: Instant
    actor: str
    act: str


class Audits(Struct, frozen=True):
    items: list[AuditView]


async def endpoints(context: Context, tenant: Tenant, *, after: int | None = None) -> Page[EndpointView]:
    """All of them. Like each read here it waits until fan-out has come to `after`: raises Invalid, Behind."""
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("webhooks").views, tenant.tenant_id, None)
    return Page([_endpoint(row, tenant) for row in rows], None, position)


async def endpoint(context: Context, tenant: Tenant, endpoint_id: UUID, *, after: int | None = None) -> EndpointView:
    """Raises NotFound."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("webhooks").views, tenant.tenant_id, endpoint_id)
    if row is None:
        raise NotFound("there is no such endpoint")
    return _endpoint(row, tenant)


def _endpoint(row: asyncpg.Record, tenant: Tenant) -> EndpointView:
    return EndpointView(
        id=row["endpoint_id"],
        url=row["url"],
        types=row["types"],
        body=row["body"],
        ordered=row["ordered"],
        at_once=row["at_once"],
        headers=sorted(headers_of(tenant, row["endpoint_id"], row["headers"])),
        description=row["description"],
        state=row["state"],
        reason=row["reason"],
        position=row["after_position"],
        added_at=row["added_at"],
        open=row["open"],
        breaker_open_until=row["probe_at"],
        failing_since=row["failing_since"],
        failures=row["failures"],
        delivered_at=row["delivered_at"],
    )


async def deliveries(
    context: Context,
    tenant: Tenant,
    *,
    endpoint_id: UUID | None = None,
    states: Sequence[State] = (),
    event_type: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[DeliveryView]:
    """The newest first. Raises Invalid."""
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(
            queries("webhooks").deliveries, tenant.tenant_id, endpoint_id, list(states) or None, event_type, since,
            *keys, limit + 1,
        )  # fmt: skip
    shown, last = cut(rows, limit)
    following = None if last is None else cursor(last["queued_at"], last["delivery_id"])
    return Page([_delivery(row) for row in shown], following, position)


async def delivery(context: Context, tenant: Tenant, delivery_id: UUID, *, after: int | None = None) -> DeliveryDetail:
    """Raises NotFound."""
    await reached(context, tenant, READS, after)
    sql = queries("webhooks")
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(sql.delivery, tenant.tenant_id, delivery_id)
        if row is None:
            raise NotFound("there is no such delivery")
        attempts = await connection.fetch(sql.attempts, tenant.tenant_id, delivery_id)
    return DeliveryDetail(
        delivery=_delivery(row, attempts[-1] if attempts else None),
        attempts=[_attempt(one, tenant, delivery_id) for one in attempts],
    )


def _delivery(row: asyncpg.Record, last: asyncpg.Record | None = None) -> DeliveryView:
    tried = last or row
    started_at = tried["started_at"]
    return DeliveryView(
        id=row["delivery_id"],
        endpoint_id=row["endpoint_id"],
        webhook_id=row["event_id"],
        type=row["type"],
        position=row["position"],
        test=row["test"],
        replay=row["replay_no"],
        state=row["state"],
        attempts=row["attempts"],
        reason=None if started_at is None else Answer(tried["status"], tried["failure"]).words(),
        status=tried["status"],
        queued_at=row["queued_at"],
        last_try_at=started_at,
        next_try_at=row["due_at"] if row["state"] == "waiting" else None,
        ended_at=row["ended_at"],
    )


def _attempt(row: asyncpg.Record, tenant: Tenant, delivery_id: UUID) -> AttemptView:
    answer = None if row["answer"] is None else unseal_content(tenant, delivery_id, row["answer"])
    return AttemptView(
        number=row["number"],
        started_at=row["started_at"],
        milliseconds=row["milliseconds"],
        status=row["status"],
        reason=Answer(row["status"], row["failure"]).words(),
        counts=row["counts"],
        request=_SENT.decode(unseal_content(tenant, delivery_id, row["request"])),
        answer=None if answer is None else answer.decode(errors="replace"),
    )


async def statistics(
    context: Context, tenant: Tenant, endpoint_id: UUID, *, hours: int = 48, after: int | None = None
) -> Statistics:
    """The last so many hours, in UTC. Raises NotFound."""
    await reached(context, tenant, READS, after)
    sql = queries("webhooks")
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=hours - 1)
    async with reading(context.pool, tenant.tenant_id) as connection:
        await _check_endpoint(connection, tenant, endpoint_id)
        rows = await connection.fetch(sql.hours, tenant.tenant_id, endpoint_id, since)
        [latency] = await connection.fetch(sql.latency, tenant.tenant_id, endpoint_id, since)
    found = {row["hour"]: (row["delivered"], row["failed"]) for row in rows}
    shown = [since + timedelta(hours=n) for n in range(hours)]
    p50, p95, p99 = latency["found"] or (None, None, None)
    return Statistics([Hour(at, *found.get(at, (0, 0))) for at in shown], latency["answered"], p50, p95, p99)


async def replays(context: Context, tenant: Tenant, endpoint_id: UUID, *, after: int | None = None) -> Replays:
    """The newest first, at most 100. Raises NotFound."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        await _check_endpoint(connection, tenant, endpoint_id)
        rows = await connection.fetch(queries("webhooks").replays, tenant.tenant_id, endpoint_id)
    return Replays([_replay(row) for row in rows])


def _replay(row: asyncpg.Record) -> ReplayView:
    whole = row["through"] - row["first"]
    return ReplayView(
        id=row["replay_id"],
        number=row["replay_no"],
        types=row["types"],
        after_position=row["first"],
        through_position=row["through"],
        failed_since=row["failed_since"],
        done=1.0 if whole <= 0 else round((row["position"] - row["first"]) / whole, 4),
        queued=row["queued"],
        delivered=row["delivered"],
        asked_at=row["asked_at"],
        ended_at=row["ended_at"],
    )


async def audits(context: Context, tenant: Tenant, endpoint_id: UUID, *, after: int | None = None) -> Audits:
    """Who did what, the newest first, at most 200; of a deleted endpoint too."""
    await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("webhooks").audits, tenant.tenant_id, endpoint_id)
    if not rows:
        raise NotFound("there is no such endpoint")
    return Audits([AuditView(row["at"], row["actor"], row["act"]) for row in rows])


async def _check_endpoint(connection: Connection, tenant: Tenant, endpoint_id: UUID) -> None:
    if not await connection.fetch(queries("webhooks").views, tenant.tenant_id, endpoint_id):
        raise NotFound("there is no such endpoint")
