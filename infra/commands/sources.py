"""Sources of webhooks in: added, changed, rotated, tried; their messages replayed and dropped. Plain rows."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import UNSET, Struct

from domain import adapters, bodies, signatures, webhooks
from domain.adapters import ADAPTERS
from domain.adapters.outcomes import CallBack, Challenge, Commands, Message, NotCome, Nothing, Unmapped
from domain.appointments import PlanAppointment
from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.sources import (
    MOST_SOURCES,
    AddSource,
    ChangeSource,
    RotateSource,
    TryMessage,
    check,
    check_depth,
    check_mapping,
    check_settings,
    check_size,
    scheme_of,
)
from domain.touchpoints import RecordTouchpoint
from domain.webhooks import Secret
from infra import inbox, sources
from infra.commands.once import once
from infra.commands.webhooks import Nothing as NoContent
from infra.commands.webhooks import new_secret
from infra.context import Context
from infra.database import Connection, in_tenant, queries
from infra.stored_events import Origin
from infra.tenants import Tenant

_ANYTHING: msgspec.json.Decoder[object] = msgspec.json.Decoder()


class Added(Struct, frozen=True):
    """Token and secret are shown this once."""

    source_id: UUID
    token: str
    secret: str | None


class Rotated(Struct, frozen=True):
    """What is new, shown this once."""

    token: str | None = None
    secret: str | None = None
    old_until: datetime | None = None


class Trial(Struct, frozen=True):
    """What would become of a message; nothing was recorded. `state` as a message's, or `calls_back` where the details
    are asked for first; `reason` why it is nothing or quarantined. `missed` are the ids the source has for appointments
    somebody did not come to."""

    state: str
    reason: str | None = None
    touchpoints: list[RecordTouchpoint] = []
    appointments: list[PlanAppointment] = []
    missed: list[str] = []


class Again(Struct, frozen=True):
    """How many messages are read anew."""

    messages: int


def new_token() -> str:
    """What makes an address secret: 256 bits."""
    return secrets.token_urlsafe(32)


async def add_source(
    context: Context,
    tenant: Tenant,
    command: AddSource,
    *,
    origin: Origin,
    loopback: bool,
    idempotency_key: str | None = None,
) -> Added:
    """A new source, active at once. Raises Invalid; Conflict where there are too many."""
    check(command, loopback=loopback)
    scheme = scheme_of(command)

    async def add(connection: Connection) -> Added:
        source_id, token, sql = uuid_utils.uuid7(), new_token(), queries("sources")
        if await connection.fetchval(sql.count_sources, tenant.tenant_id) >= MOST_SOURCES:
            raise Conflict(f"a business has at most {MOST_SOURCES} sources: delete one first")
        secret = None if scheme == "none" else command.secret or new_secret()
        await connection.execute(
            sql.add_source, tenant.tenant_id, source_id, command.name, command.adapter, scheme,
            sources.digest_of(token), sources.seal(tenant, source_id, (Secret(secret or ""),)),
            sources.seal(tenant, source_id, command.settings), command.mapping,
        )  # fmt: skip
        await _audit(connection, tenant, source_id, origin, "added")
        return Added(source_id, token, secret)

    route = "webhook-sources"
    return await once(context, tenant, route, command, add, answers=Added, idempotency_key=idempotency_key)


async def change_source(
    context: Context, tenant: Tenant, source_id: UUID, command: ChangeSource, *, origin: Origin, loopback: bool
) -> None:
    """Raises NotFound, Invalid. What came while it was paused is taken up when it is active again."""
    said = {name: value for name, value in msgspec.structs.asdict(command).items() if value is not UNSET}
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        row = await _existing(connection, tenant, source_id)
        adapter = ADAPTERS[row["adapter"]]
        check_mapping(adapter, command.mapping)
        if command.settings is not UNSET:
            check_settings(adapter, command.settings, loopback=loopback)
            said["settings"] = sources.seal(tenant, source_id, command.settings)
        values = [said.get(name) for name in ("name", "mapping", "settings", "state")]
        await connection.execute(queries("sources").change_source, tenant.tenant_id, source_id, *values)
        if "state" in said:
            waits = queries("inbox").pause if said["state"] == "paused" else queries("inbox").resume
            await connection.execute(waits, tenant.tenant_id, source_id)
        if said:
            await _audit(connection, tenant, source_id, origin, f"changed: {', '.join(sorted(said))}")
    context.bell.ring()


async def delete_source(context: Context, tenant: Tenant, source_id: UUID, *, origin: Origin) -> None:
    """Its address ends; what waits is dropped, what was recorded stays. Raises NotFound."""
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        await _existing(connection, tenant, source_id)
        await connection.execute(queries("sources").delete_source, tenant.tenant_id, source_id)
        await connection.execute(queries("inbox").drop_all, tenant.tenant_id, source_id)
        await _audit(connection, tenant, source_id, origin, "deleted")


async def rotate_source(
    context: Context,
    tenant: Tenant,
    source_id: UUID,
    command: RotateSource,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Rotated:
    """A new address or a new secret, shown this once. Raises NotFound, Invalid."""
    if command.what == "address" and command.secret is not None:
        raise Invalid("an address is made here: give a secret with what = secret", field="secret")

    async def rotate(connection: Connection) -> Rotated:
        row = await _existing(connection, tenant, source_id)
        rotated = _new_token if command.what == "address" else _new_secret
        answer = await rotated(connection, tenant, row, command)
        await _audit(connection, tenant, source_id, origin, f"rotated the {command.what}")
        return answer

    route = f"webhook-sources/{source_id}/rotate"
    return await once(context, tenant, route, command, rotate, answers=Rotated, idempotency_key=idempotency_key)


async def _new_token(connection: Connection, tenant: Tenant, row: asyncpg.Record, command: RotateSource) -> Rotated:
    token = new_token()
    digest = sources.digest_of(token)
    await connection.execute(queries("sources").set_token, tenant.tenant_id, row["source_id"], digest)
    return Rotated(token=token)


async def _new_secret(connection: Connection, tenant: Tenant, row: asyncpg.Record, command: RotateSource) -> Rotated:
    source_id, now = row["source_id"], datetime.now(UTC)
    secret = command.secret or new_secret()
    signatures.check_secret(row["scheme"], secret)
    overlap = timedelta(hours=command.overlap_hours)
    kept = webhooks.rotated(sources.secrets_of(tenant, source_id, row["secrets"]), secret, overlap=overlap, now=now)
    sealed = sources.seal(tenant, source_id, kept)
    await connection.execute(queries("sources").set_secrets, tenant.tenant_id, source_id, sealed)
    return Rotated(secret=secret, old_until=now + overlap)


async def try_message(
    context: Context, tenant: Tenant, source_id: UUID, command: TryMessage, *, idempotency_key: str | None = None
) -> Trial:
    """What would become of it. Raises NotFound, Invalid."""
    content = bytes(command.payload)
    check_size(content, field="payload")
    payload = bodies.decode(content, _ANYTHING)
    check_depth(payload)

    async def attempt(connection: Connection) -> Trial:
        row = await _existing(connection, tenant, source_id)
        check_mapping(ADAPTERS[row["adapter"]], command.mapping)
        settings = sources.settings_of(tenant, source_id, row["settings"])
        message = Message(payload, datetime.now(UTC), command.mapping or row["mapping"], settings)
        return _trial(tenant, row, message)

    route = f"webhook-sources/{source_id}/try"
    return await once(context, tenant, route, command, attempt, answers=Trial, idempotency_key=idempotency_key)


def _trial(tenant: Tenant, row: asyncpg.Record, message: Message) -> Trial:
    match adapters.read(row["adapter"], message):
        case Unmapped(reason=reason):
            return Trial("quarantined", reason)
        case Nothing(reason=reason):
            return Trial("nothing", reason)
        case CallBack():
            return Trial("calls_back")
        case Challenge():
            return Trial("nothing", "it is answered with its challenge")
        case Commands(commands=()):
            return Trial("nothing", "it holds nothing")
        case Commands(commands=commands):
            said = inbox.named(commands, source_id=row["source_id"], sender_id="sample")
            try:
                inbox.check(said, country=tenant.country, now=datetime.now(UTC))
            except Refused as refusal:
                return Trial("quarantined", inbox.in_one_line(refusal))
            return Trial(
                "recorded",
                None,
                [one for one in said if isinstance(one, RecordTouchpoint)],
                [one for one in said if isinstance(one, PlanAppointment)],
                [one.source_id for one in said if isinstance(one, NotCome)],
            )


async def replay_message(
    context: Context, tenant: Tenant, message_id: UUID, *, idempotency_key: str | None = None
) -> Again:
    """Read one anew. Raises NotFound; Refused for what was recorded, or is under way, or has no source any more."""
    sql = queries("inbox")

    async def again(connection: Connection) -> Again:
        row = await _held(connection, tenant, message_id)
        if row["state"] == "recorded":
            raise Refused("this message was recorded")
        if row["state"] == "received":
            raise Refused("this message is still to be read: it is taken up by itself")
        if row["deleted_at"] is not None:
            raise Refused("its source was deleted")
        await connection.execute(sql.again, tenant.tenant_id, message_id, row["source_state"] == "active")
        return Again(1)

    route = f"webhook-messages/{message_id}/replay"
    answer = await once(context, tenant, route, NoContent(), again, answers=Again, idempotency_key=idempotency_key)
    context.bell.ring()
    return answer


async def replay_source(
    context: Context, tenant: Tenant, source_id: UUID, *, origin: Origin, idempotency_key: str | None = None
) -> Again:
    """Read anew all of its messages that wait in the quarantine. Raises NotFound."""

    async def again(connection: Connection) -> Again:
        row = await _existing(connection, tenant, source_id)
        active = row["state"] == "active"
        found = await connection.fetch(queries("inbox").all_again, tenant.tenant_id, source_id, active)
        await _audit(connection, tenant, source_id, origin, f"replayed {len(found)} messages")
        return Again(len(found))

    route = f"webhook-sources/{source_id}/replay"
    answer = await once(context, tenant, route, NoContent(), again, answers=Again, idempotency_key=idempotency_key)
    context.bell.ring()
    return answer


async def drop_message(
    context: Context, tenant: Tenant, message_id: UUID, *, idempotency_key: str | None = None
) -> Again:
    """It is done with. Raises NotFound; Refused for what was recorded or is under way."""

    async def drop(connection: Connection) -> Again:
        row = await _held(connection, tenant, message_id)
        if row["state"] == "recorded":
            raise Refused("this message was recorded: strike its touchpoint")
        if row["state"] == "received":
            raise Refused("this message is still to be read: pause its source first")
        await connection.execute(queries("inbox").drop, tenant.tenant_id, message_id)
        return Again(0)

    route = f"webhook-messages/{message_id}/drop"
    return await once(context, tenant, route, NoContent(), drop, answers=Again, idempotency_key=idempotency_key)


async def _existing(connection: Connection, tenant: Tenant, source_id: UUID) -> asyncpg.Record:
    """The source, locked to the end of the transaction."""
    row = await connection.fetchrow(queries("sources").hold_source, tenant.tenant_id, source_id)
    if row is None:
        raise NotFound("there is no such source")
    return row


async def _held(connection: Connection, tenant: Tenant, message_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(queries("inbox").hold_message, tenant.tenant_id, message_id)
    if row is None:
        raise NotFound("there is no such message")
    return row


async def _audit(connection: Connection, tenant: Tenant, source_id: UUID, origin: Origin, act: str) -> None:
    await connection.execute(queries("sources").audit, tenant.tenant_id, source_id, origin.actor, act)
