"""The people a command names: known ones by their identities, unknown ones as proposals that open a contact."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils
from msgspec import Struct

from domain import contacts, identities, touchpoints
from domain.contacts import IdentityGiven
from domain.errors import NotFound, field_below
from domain.touchpoints import Identity, Named, Reference
from infra import sealing
from infra.context import Context
from infra.database import Connection, queries
from infra.event_log import Claim, Draft
from infra.stored_events import draft, subject_keys
from infra.tenants import Tenant


class Person(Struct, frozen=True):
    """A contact as a command refers to it: known, or proposed with the facts that open it."""

    contact_id: UUID
    drafts: tuple[Draft, ...] = ()
    claim: Claim | None = None
    key: tuple[UUID, bytes] | None = None


def named(reference: Reference, tenant: Tenant, *, at: str) -> Named:
    """Whom a checked reference names. Raises Invalid with the field below `at`."""
    return touchpoints.named(reference, country=tenant.country, at=at)


def given_identities(given: Sequence[IdentityGiven], tenant: Tenant) -> list[Identity]:
    """Normalised, each once. Raises Invalid with the field."""
    known = []
    for n, identity in enumerate(given):
        with field_below(f"identities[{n}]"):
            known.append(identities.given(identity.platform, identity.handle, country=tenant.country))
    return list(dict.fromkeys(known))


def claim_of(who: Identity, contact_id: UUID, tenant: Tenant) -> Claim:
    return Claim(who[0], tenant.keys.digest(*who), contact_id)


async def holders_of(connection: Connection, tenant: Tenant, wanted: Iterable[Identity]) -> dict[Identity, UUID]:
    """Whose these identities are."""
    digests = {(who[0], tenant.keys.digest(*who)): who for who in wanted}
    columns = [platform for platform, _ in digests], [digest for _, digest in digests]
    rows = await connection.fetch(queries("event_log").holders, tenant.tenant_id, *columns)
    return {digests[row["platform"], row["handle"]]: row["contact_id"] for row in rows}


class Room:
    """The people of one request: known ones by query, proposals shared by all its items."""

    def __init__(self, context: Context, tenant: Tenant) -> None:
        self._context = context
        self._tenant = tenant
        self._holders: dict[Identity, UUID] = {}
        self._proposed: dict[Identity, Person] = {}
        self._names: dict[Identity, str] = {}
        self.keys: dict[UUID, bytes] = {}

    async def look_up(self, connection: Connection, wanted: Iterable[tuple[Named, Reference]]) -> None:
        """Read who holds the identities, and which of the named contacts there are."""
        asked, ids = set(), set()
        for who, reference in wanted:
            if isinstance(who, UUID):
                ids.add(who)
            elif who is not None:
                asked.add(who)
                if reference.name:
                    self._names.setdefault(who, reference.name.strip())
        await self._find_holders(connection, asked)
        ids.update(self._holders[who] for who in asked if who in self._holders)
        self.keys.update(await subject_keys(self._context, self._tenant, connection, ids))

    async def _find_holders(self, connection: Connection, asked: set[Identity]) -> None:
        if asked:
            self._holders.update(await holders_of(connection, self._tenant, asked))

    def person(self, who: Named, reference: Reference, *, since: datetime, at: str) -> Person:
        """Who it is, or who it will be, known since then. Raises NotFound with the field below `at`."""
        if isinstance(who, UUID):
            if who not in self.keys:
                raise NotFound("there is no such contact", field=f"{at}.contact_id")
            return Person(who)
        if who is None:
            return self._propose(None, reference, since)
        if who in self._holders:
            return Person(self._holders[who])
        if who not in self._proposed:
            self._proposed[who] = self._propose(who, reference, since)
        return self._proposed[who]

    def _propose(self, who: Identity | None, reference: Reference, since: datetime) -> Person:
        contact_id, key = uuid_utils.uuid7(), sealing.new_key()
        self.keys[contact_id] = key
        name = self._names.get(who) if who else reference.name and reference.name.strip()
        facts = contacts.opening(contact_id, name=name, hint=reference.hint, identities=[who] if who else [])
        drafts = tuple(
            draft(fact, contacts.opening_id(contact_id, fact.TYPE), since, self._tenant, self.keys) for fact in facts
        )
        wrapped = sealing.wrap(key, under=self._tenant.keys.key, owner=contact_id)
        claim = claim_of(who, contact_id, self._tenant) if who else None
        return Person(contact_id, drafts, claim, (contact_id, wrapped))
