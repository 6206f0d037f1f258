"""Whose address a message came to: a source, with all that is sealed of it opened. A wrong token is as much work."""

import hashlib
import os
from uuid import UUID

import msgspec
import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import signatures
from domain.adapters import Name
from domain.errors import NotFound
from domain.signatures import Scheme, Signed, Unverified
from domain.sources import State
from domain.webhooks import Secret
from infra import sealing, tenants
from infra.context import Context
from infra.database import in_tenant, queries
from infra.tenants import Tenant

_JSON = msgspec.json.Encoder()
_SECRETS = msgspec.json.Decoder(tuple[Secret, ...])
_SETTINGS = msgspec.json.Decoder(dict[str, str])


class Source(Struct, frozen=True):
    """`secrets` are all it ever had; those that live are for the signature to choose."""

    tenant: Tenant
    source_id: UUID
    adapter: Name
    scheme: Scheme
    secrets: tuple[Secret, ...]
    settings: dict[str, str]
    mapping: str | None
    state: State


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def seal(tenant: Tenant, source_id: UUID, what: object) -> bytes:
    """A source's secrets or settings."""
    return tenant.seal("webhook_source", source_id, _JSON.encode(what))


def secrets_of(tenant: Tenant, source_id: UUID, sealed: bytes) -> tuple[Secret, ...]:
    return _SECRETS.decode(tenant.unseal("webhook_source", source_id, sealed))


def settings_of(tenant: Tenant, source_id: UUID, sealed: bytes) -> dict[str, str]:
    return _SETTINGS.decode(tenant.unseal("webhook_source", source_id, sealed))


class _Decoy:
    """Stands for a source that is not there. Nobody knows its secret."""

    def __init__(self) -> None:
        self.tenant_id, self.source_id, self._master = uuid_utils.uuid7(), uuid_utils.uuid7(), os.urandom(32)
        self._wrapped = sealing.wrap(sealing.new_key(), under=self._master, owner=self.tenant_id)
        tenant = self._tenant()
        self._secrets = seal(tenant, self.source_id, (Secret(f"whsec_{os.urandom(32).hex()}"),))
        self._settings = seal(tenant, self.source_id, {})

    def _tenant(self) -> Tenant:
        keys = sealing.tenant_keys(self.tenant_id, self._wrapped, master=self._master)
        return Tenant(self.tenant_id, "", "US", None, "UTC", keys)

    def opened(self, signed: Signed) -> Source:
        tenant = self._tenant()
        secrets = secrets_of(tenant, self.source_id, self._secrets)
        settings = settings_of(tenant, self.source_id, self._settings)
        scheme = signatures.apparent(signed.headers)
        return Source(tenant, self.source_id, "plain", scheme, secrets, settings, None, "active")


_DECOY = _Decoy()


async def source_at(context: Context, token: str, signed: Signed) -> Source:
    """The source that has this token, or, after the same queries and unsealing, one that nobody can sign for."""
    async with context.pool.acquire() as connection:
        found = await connection.fetchrow(queries("sources").source_of_token, digest_of(token))
    tenant_id, source_id = found or (_DECOY.tenant_id, _DECOY.source_id)
    async with in_tenant(context.pool, tenant_id) as connection:
        row = await connection.fetchrow(queries("sources").source, tenant_id, source_id)
        try:
            tenant = await tenants.load_in(connection, tenant_id, master=context.master)
        except NotFound:
            tenant = None
    if row is None or tenant is None:
        return _DECOY.opened(signed)
    return Source(
        tenant,
        source_id,
        row["adapter"],
        row["scheme"],
        secrets_of(tenant, source_id, row["secrets"]),
        settings_of(tenant, source_id, row["settings"]),
        row["mapping"],
        row["state"],
    )


def check_known(source: Source) -> Source:
    """Raises Unverified for one that is not there: where no signature says so."""
    if source.source_id == _DECOY.source_id:
        raise Unverified
    return source
