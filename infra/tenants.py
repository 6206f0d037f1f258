"""Tenants and the API keys that speak for them."""

import asyncio
import hashlib
import secrets
import string
import time
import zlib
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain.errors import Invalid, NotFound
from infra import sealing
from infra.database import Connection, Pool, in_tenant, queries
from infra.sealing import TenantKeys

PREFIX = "rapport_live_"
ALPHABET = string.ascii_letters + string.digits
CACHED_SECONDS = 1.0
KEPT_KEYS = 10_000


class Tenant(Struct, frozen=True):
    """One client business: the wall. `locality` is where it is, `time_zone` an IANA name. Of one that is `suspended`
    the keys are refused, and what goes out waits."""

    tenant_id: UUID
    name: str
    country: str
    locality: str | None
    time_zone: str
    keys: TenantKeys
    suspended: bool = False

    def seal(self, place: str, owner: UUID, plain: bytes) -> bytes:
        """Something of the tenant's that is nobody's personal field, bound to where it is kept."""
        return sealing.seal(plain, key=self.keys.key, tenant_id=self.tenant_id, stream=place, event_id=owner)

    def unseal(self, place: str, owner: UUID, sealed: bytes) -> bytes:
        """Raises WrongKey."""
        return sealing.unseal(sealed, key=self.keys.key, tenant_id=self.tenant_id, stream=place, event_id=owner)


class NewTenant(Struct, frozen=True):
    """The API key is shown this once; only its hash is kept."""

    tenant_id: UUID
    api_key: str


class ShownKey(Struct, frozen=True):
    """An API key taken apart: `rapport_live_` + id of 12 + secret of 43 + checksum of 6."""

    key_id: str
    secret_hash: bytes


def new_api_key() -> str:
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(12))
    body = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    return body + _checksum(body)


def shown(api_key: str) -> ShownKey | None:
    """The parts of a key; None when it cannot be one, so that a typo costs no query."""
    body, checksum = api_key[:-6], api_key[-6:]
    if not api_key.startswith(PREFIX) or len(api_key) != 75 or not api_key.isascii() or _checksum(body) != checksum:
        return None
    return _parts(body)


def _parts(body: str) -> ShownKey:
    return ShownKey(body[len(PREFIX) :][:12], hashlib.sha256(body.encode()).digest())


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, len(ALPHABET))
        digits += ALPHABET[digit]
    return digits


async def add(
    pool: Pool, *, name: str, master: bytes, country: str = "US", locality: str | None = None, time_zone: str = "UTC"
) -> NewTenant:
    """A new tenant with its log, its keys and its due work. Raises Invalid for an unknown country or time zone."""
    country, time_zone = _country(country), _time_zone(time_zone)
    if not 1 <= len(name.strip()) <= 200:
        raise Invalid("a business's name has 1 to 200 characters", field="name")
    tenant_id, api_key = uuid_utils.uuid7(), new_api_key()
    wrapped = sealing.wrap(sealing.new_key(), under=master, owner=tenant_id)
    async with in_tenant(pool, tenant_id) as connection:
        await connection.execute(queries("tenants").add, tenant_id, name.strip(), country, locality, time_zone, wrapped)
        await _keep_key(connection, tenant_id, api_key)
        await connection.execute(queries("tenants").add_head, tenant_id)
        await connection.execute(queries("tenants").add_checkpoints, tenant_id)
        await connection.execute(queries("tenants").add_due_work, tenant_id)
    return NewTenant(tenant_id, api_key)


async def _keep_key(connection: Connection, tenant_id: UUID, api_key: str) -> None:
    parts = _parts(api_key[:-6])
    await connection.execute(queries("tenants").add_key, tenant_id, parts.key_id, parts.secret_hash)


async def add_key(pool: Pool, tenant_id: UUID) -> str:
    """One more API key of the tenant."""
    api_key = new_api_key()
    async with in_tenant(pool, tenant_id) as connection:
        await _keep_key(connection, tenant_id, api_key)
    return api_key


async def revoke_key(pool: Pool, tenant_id: UUID, key_id: str) -> bool:
    """Whether there was such a live key."""
    async with in_tenant(pool, tenant_id) as connection:
        return await connection.fetchval(queries("tenants").revoke_key, tenant_id, key_id) is not None


async def suspend(pool: Pool, tenant_id: UUID) -> None:
    """Its keys are refused within a second, its deliveries and nudges wait. Raises NotFound."""
    async with in_tenant(pool, tenant_id) as connection:
        if await connection.fetchval(queries("tenants").suspend, tenant_id) is None:
            raise NotFound(f"There is no tenant {tenant_id}.")


async def resume(pool: Pool, tenant_id: UUID) -> None:
    """What waited goes on: deliveries, messages that came in, nudges. Raises NotFound."""
    async with in_tenant(pool, tenant_id) as connection:
        if await connection.fetchval(queries("tenants").resume, tenant_id) is None:
            raise NotFound(f"There is no tenant {tenant_id}.")
        await connection.fetch(queries("webhooks").hold_all_lanes, tenant_id)
        await connection.execute(queries("webhooks").open_lanes, tenant_id)
        await connection.execute(queries("inbox").resume_all, tenant_id)
        await connection.execute(queries("nudges").due_by, tenant_id, datetime.now(UTC))


async def load(pool: Pool, tenant_id: UUID, *, master: bytes) -> Tenant | None:
    """The tenant, or None where there is none. Raises WrongKey under another master key."""
    async with in_tenant(pool, tenant_id) as connection:
        row = await connection.fetchrow(queries("tenants").load, tenant_id)
    return None if row is None else _tenant(tenant_id, row, master)


async def load_in(connection: Connection, tenant_id: UUID, *, master: bytes) -> Tenant:
    """The tenant of a transaction that entered it."""
    row = await connection.fetchrow(queries("tenants").load, tenant_id)
    if row is None:
        raise NotFound("there is no such tenant")
    return _tenant(tenant_id, row, master)


def _tenant(tenant_id: UUID, row: asyncpg.Record, master: bytes) -> Tenant:
    keys = sealing.tenant_keys(tenant_id, row["wrapped_key"], master=master)
    suspended = row["suspended_at"] is not None
    return Tenant(tenant_id, row["name"], row["country"], row["locality"], row["time_zone"], keys, suspended)


async def all_ids(pool: Pool) -> list[UUID]:
    """Every tenant, oldest first: for the operator's commands."""
    async with pool.acquire() as connection:
        return [row["tenant_id"] for row in await connection.fetch(queries("tenants").all_ids)]


async def check_master(pool: Pool, *, master: bytes) -> None:
    """Raises WrongKey when the oldest tenant was made under another master key."""
    for tenant_id in (await all_ids(pool))[:1]:
        await load(pool, tenant_id, master=master)


class KeyBook:
    """Whose API key it is, asked of the database at most once a second for each key; revoked keys end within that."""

    def __init__(self, pool: Pool, *, master: bytes) -> None:
        self._pool = pool
        self._master = master
        self._known: dict[bytes, tuple[float, asyncio.Task[Tenant | None]]] = {}

    async def tenant_of(self, api_key: str) -> tuple[Tenant, str] | None:
        """The tenant and the key's id; None when the key is unknown, wrong or revoked."""
        parts = shown(api_key)
        if parts is None:
            return None
        tenant = await asyncio.shield(self._answer(parts))
        return None if tenant is None else (tenant, parts.key_id)

    def _answer(self, parts: ShownKey) -> asyncio.Task[Tenant | None]:
        """One look-up for all who ask within the second, also while it is under way; a failed one is not kept."""
        until, answer = self._known.get(parts.secret_hash, (0.0, None))
        if answer is None or until < time.monotonic() or (answer.done() and (answer.cancelled() or answer.exception())):
            if len(self._known) > KEPT_KEYS:
                self._known.clear()
            answer = asyncio.create_task(self._look_up(parts))
            self._known[parts.secret_hash] = (time.monotonic() + CACHED_SECONDS, answer)
        return answer

    async def _look_up(self, parts: ShownKey) -> Tenant | None:
        async with self._pool.acquire() as connection:
            tenant_id = await connection.fetchval(queries("tenants").tenant_of_key, parts.key_id, parts.secret_hash)
        return None if tenant_id is None else await load(self._pool, tenant_id, master=self._master)


def _country(code: str) -> str:
    import phonenumbers  # large, and most processes never add a tenant

    if code.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise Invalid(f"{code} is no country code such as US or DE", field="country")
    return code.upper()


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(f"{name} is no time zone such as Europe/Berlin", field="time_zone") from error
    return name
