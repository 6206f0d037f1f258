"""Webhook endpoints: added, changed, rotated, tried, replayed. Plain rows; who did what stands in the audit trail."""

import base64
import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import UNSET, Struct

from domain import events, webhooks
from domain.errors import Conflict, NotFound, Refused
from domain.webhooks import AddEndpoint, ChangeEndpoint, Replay, RotateSecret, Secret, TryEndpoint
from infra.commands.once import once
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.deliveries import seal_content, seal_settings, secrets_of
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.webhooks import wake

_JSON = msgspec.json.Encoder()


class Added(Struct, frozen=True):
    """The secret is shown this once."""

    endpoint_id: UUID
    secret: str


class Asked(Struct, frozen=True):
    """A replay under way: what it covers of the log."""

    replay_id: UUID
    after_position: int
    through_position: int


class Rotated(Struct, frozen=True):
    """The secret is shown this once; the old one signs too until then."""

    secret: str
    old_until: datetime


class Queued(Struct, frozen=True):
    delivery_id: UUID


class Nothing(Struct, frozen=True):
    """What a command without content says."""


def new_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


async def add_endpoint(
    context: Context,
    tenant: Tenant,
    command: AddEndpoint,
    *,
    origin: Origin,
    loopback: bool,
    idempotency_key: str | None = None,
) -> Added:
    """A new endpoint that is told all that happens from now on. Raises Invalid; Conflict where there are too many."""
    webhooks.check(command, known_types=events.TYPES, loopback=loopback)

    async def add(connection: Connection) -> Added:
        endpoint_id, secret, sql = uuid_utils.uuid7(), new_secret(), queries("webhooks")
        if await connection.fetchval(sql.count_endpoints, tenant.tenant_id) >= webhooks.MOST_ENDPOINTS:
            raise Conflict(f"a business has at most {webhooks.MOST_ENDPOINTS} endpoints: delete one first")
        await connection.execute(
            sql.add_endpoint, tenant.tenant_id, endpoint_id, command.url, list(command.types), command.body,
            command.ordered, command.at_once, seal_settings(tenant, endpoint_id, command.headers),
            seal_settings(tenant, endpoint_id, (Secret(secret),)), command.description,
        )  # fmt: skip
        await connection.execute(sql.add_lane, tenant.tenant_id, endpoint_id)
        await _audit(connection, tenant, endpoint_id, origin, "added")
        return Added(endpoint_id, secret)

    route = "webhook-endpoints"
    return await once(context, tenant, route, command, add, answers=Added, idempotency_key=idempotency_key)


async def change_endpoint(
    context: Context, tenant: Tenant, endpoint_id: UUID, command: ChangeEndpoint, *, origin: Origin, loopback: bool
) -> None:
    """Raises NotFound, Invalid. What waits for a paused or disabled endpoint goes out when it is active again."""
    webhooks.check(command, known_types=events.TYPES, loopback=loopback)
    said = {name: value for name, value in msgspec.structs.asdict(command).items() if value is not UNSET}
    if "headers" in said:
        said["headers"] = seal_settings(tenant, endpoint_id, said["headers"])
    if "types" in said:
        said["types"] = list(said["types"])
    order = ("url", "types", "body", "ordered", "at_once", "headers", "description", "state")
    sql = queries("webhooks")
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await _existing(connection, tenant, endpoint_id)
        values = [said.get(name) for name in order]
        await connection.execute(sql.change_endpoint, tenant.tenant_id, endpoint_id, *values)
        if "state" in said:
            await connection.execute(sql.set_lane, tenant.tenant_id, endpoint_id, said["state"] == "active")
        if said:
            await _audit(connection, tenant, endpoint_id, origin, f"changed: {', '.join(sorted(said))}")
    context.bell.ring()


async def delete_endpoint(context: Context, tenant: Tenant, endpoint_id: UUID, *, origin: Origin) -> None:
    """It is told nothing more; what waits is cancelled. Raises NotFound."""
    sql = queries("webhooks")
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await _existing(connection, tenant, endpoint_id)
        await connection.execute(sql.delete_endpoint, tenant.tenant_id, endpoint_id)
        await connection.execute(sql.close_lane, tenant.tenant_id, endpoint_id)
        await connection.execute(sql.cancel_open, tenant.tenant_id, endpoint_id)
        await _audit(connection, tenant, endpoint_id, origin, "deleted")


async def rotate_secret(
    context: Context,
    tenant: Tenant,
    endpoint_id: UUID,
    command: RotateSecret,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Rotated:
    """The new secret, shown this once. Raises NotFound."""
    now, sql = datetime.now(UTC), queries("webhooks")

    async def rotate(connection: Connection) -> Rotated:
        new, sealed = new_secret(), await _existing(connection, tenant, endpoint_id)
        overlap = timedelta(hours=command.overlap_hours)
        secrets = webhooks.rotated(secrets_of(tenant, endpoint_id, sealed), new, overlap=overlap, now=now)
        kept = seal_settings(tenant, endpoint_id, secrets)
        await connection.execute(sql.set_secrets, tenant.tenant_id, endpoint_id, kept)
        act = f"rotated the secret, the old one ends after {command.overlap_hours} h"
        await _audit(connection, tenant, endpoint_id, origin, act)
        return Rotated(new, now + overlap)

    route = f"webhook-endpoints/{endpoint_id}/rotate"
    return await once(context, tenant, route, command, rotate, answers=Rotated, idempotency_key=idempotency_key)


async def try_endpoint(
    context: Context,
    tenant: Tenant,
    endpoint_id: UUID,
    command: TryEndpoint,
    *,
    data: object,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Queued:
    """Send a test, marked so, at once and once. Raises NotFound; Refused when the endpoint is not active."""
    if command.type != webhooks.TEST:
        webhooks.check_type(command.type, known_types=events.TYPES)

    async def queue(connection: Connection) -> Queued:
        delivery_id, event_id = uuid_utils.uuid7(), uuid_utils.uuid7()
        await _existing(connection, tenant, endpoint_id, active=True)
        await connection.execute(
            queries("webhooks").queue_test, tenant.tenant_id, delivery_id, endpoint_id, event_id, command.type,
            seal_content(tenant, delivery_id, _test_content(tenant, command.type, data)),
        )  # fmt: skip
        await wake(connection, tenant.tenant_id, [endpoint_id])
        await _audit(connection, tenant, endpoint_id, origin, "tested")
        return Queued(delivery_id)

    route = f"webhook-endpoints/{endpoint_id}/test"
    queued = await once(context, tenant, route, command, queue, answers=Queued, idempotency_key=idempotency_key)
    context.bell.ring()
    return queued


def _test_content(tenant: Tenant, event_type: str, data: object) -> bytes:
    said = {"type": event_type, "timestamp": datetime.now(UTC), "tenant": tenant.tenant_id, "position": 0}
    return _JSON.encode({**said, "data": data, "test": True})


async def replay(
    context: Context,
    tenant: Tenant,
    endpoint_id: UUID,
    command: Replay,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Asked:
    """Send again what the log holds, under new rows and the same webhook-ids. Raises NotFound, Invalid."""
    sql, now = queries("webhooks"), datetime.now(UTC)

    async def ask(connection: Connection) -> Asked:
        await _existing(connection, tenant, endpoint_id)
        head = await connection.fetchval(queries("event_log").position, tenant.tenant_id)
        webhooks.check_replay(command, head=head, now=now, known_types=events.TYPES)
        first, through, replay_id = command.after_position or 0, head, uuid_utils.uuid7()
        if command.since is not None:
            first = await connection.fetchval(sql.position_before, tenant.tenant_id, command.since)
        if command.until is not None:
            through = await connection.fetchval(sql.position_before, tenant.tenant_id, command.until)
        number = await connection.fetchval(sql.next_replay, tenant.tenant_id, endpoint_id)
        await connection.execute(
            sql.add_replay, tenant.tenant_id, replay_id, endpoint_id, number, list(command.types), first, through,
            command.failed_since,
        )  # fmt: skip
        await _audit(connection, tenant, endpoint_id, origin, f"replays {first + 1} to {through}")
        return Asked(replay_id, first, through)

    route = f"webhook-endpoints/{endpoint_id}/replay"
    asked = await once(context, tenant, route, command, ask, answers=Asked, idempotency_key=idempotency_key)
    context.bell.ring()
    return asked


async def redeliver(
    context: Context, tenant: Tenant, delivery_id: UUID, *, origin: Origin, idempotency_key: str | None = None
) -> Queued:
    """Send one delivery again, under a row of its own. Raises NotFound; Refused for what is still under way."""
    sql = queries("webhooks")

    async def queue(connection: Connection) -> Queued:
        row = await connection.fetchrow(sql.delivery_endpoint, tenant.tenant_id, delivery_id)
        if row is None:
            raise NotFound("there is no such delivery")
        await _existing(connection, tenant, row["endpoint_id"])
        if row["state"] in ("waiting", "sending"):
            raise Refused("this delivery is still under way: it is sent again by itself")
        if row["test"]:
            raise Refused("a test is not sent again: send a new one")
        again = uuid_utils.uuid7()
        number = await connection.fetchval(sql.next_replay, tenant.tenant_id, row["endpoint_id"])
        await connection.execute(sql.queue_again, tenant.tenant_id, delivery_id, again, number)
        await wake(connection, tenant.tenant_id, [row["endpoint_id"]])
        await _audit(connection, tenant, row["endpoint_id"], origin, f"redelivered {delivery_id}")
        return Queued(again)

    route = f"webhook-deliveries/{delivery_id}/redeliver"
    queued = await once(context, tenant, route, Nothing(), queue, answers=Queued, idempotency_key=idempotency_key)
    context.bell.ring()
    return queued


async def _existing(connection: Connection, tenant: Tenant, endpoint_id: UUID, *, active: bool = False) -> bytes:
    """The endpoint's secrets, sealed; it is locked to the end of the transaction."""
    row = await connection.fetchrow(queries("webhooks").hold_endpoint, tenant.tenant_id, endpoint_id)
    if row is None:
        raise NotFound("there is no such endpoint")
    if active and row["state"] != "active":
        raise Refused(f"this endpoint is {row['state']}: make it active first")
    secrets: bytes = row["secrets"]
    return secrets


async def _audit(connection: Connection, tenant: Tenant, endpoint_id: UUID, origin: Origin, act: str) -> None:
    await connection.execute(queries("webhooks").audit, tenant.tenant_id, endpoint_id, origin.actor, act)
