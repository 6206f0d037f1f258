"""The people a file names, as an import tells them apart: by a keyed digest of their identity, else of their name."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import identities, touchpoints
from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.imports import AppointmentRow, ContactRow, Person, Row, TouchpointRow
from infra.tenants import Tenant

Identity = tuple[str, str]
NO_PLATFORM = ""  # of a name alone: no identity has it, so nobody is joined by a name
_PERSON = msgspec.msgpack.Decoder(Person)
_PACK = msgspec.msgpack.Encoder()


class Someone(Struct, frozen=True):
    """A person of a row. `identities` are all that can be read, the one the row goes by first."""

    person_id: UUID
    person: Person
    identities: tuple[Identity, ...]

    @property
    def name(self) -> str | None:
        given = self.person.reference.name
        return given.strip() if given else None


def people_of(row: Row) -> tuple[Person, ...]:
    match row.outcome:
        case TouchpointRow(people=people) | AppointmentRow(people=people):
            return people
        case ContactRow(person=person):
            return (person,)
        case _:
            return ()


def someone(tenant: Tenant, person: Person) -> Someone:
    """Raises Invalid for a reference that is none."""
    named = touchpoints.named(person.reference, country=tenant.country, at="with")
    if isinstance(named, UUID):
        return Someone(named, person, ())
    known = [] if named is None else [named]
    known += [who for who in (_normalised(tenant, given) for given in person.also) if who is not None]
    known = list(dict.fromkeys(known))
    return Someone(_id(tenant, named or _by_name(person)), person, tuple(known))


def _normalised(tenant: Tenant, given: IdentityGiven) -> Identity | None:
    """One that cannot be read is left out: the reader has shown it as a sign."""
    try:
        return identities.normalise(given.platform, given.handle, country=tenant.country)
    except Invalid:
        return None


def _by_name(person: Person) -> Identity:
    reference = person.reference
    return NO_PLATFORM, f"{folded(reference.name or '')}\0{folded(reference.hint or '')}"


def folded(name: str) -> str:
    """A name as it is compared: without case, with single spaces."""
    return " ".join(name.casefold().split())


def _id(tenant: Tenant, who: Identity) -> UUID:
    return UUID(bytes=tenant.keys.digest(*who)[:16])


def person_id(tenant: Tenant, given: IdentityGiven) -> UUID:
    """Whom this identity would be in any import. Raises Invalid."""
    return _id(tenant, identities.normalise(given.platform, given.handle, country=tenant.country))


def digests(tenant: Tenant, who: Someone) -> list[tuple[str, bytes]]:
    """Each way to know this person again, as platform and digest."""
    ways: Sequence[Identity] = who.identities or (() if who.person.reference.contact_id else (_by_name(who.person),))
    return [(platform, tenant.keys.digest(platform, handle)) for platform, handle in ways]


def pack(person: Person) -> bytes:
    return _PACK.encode(person)


def unpack(packed: bytes) -> Person:
    return _PERSON.decode(packed)


def shown(person: Person) -> tuple[str | None, str | None]:
    """A person's name and how they are called, as a review shows them."""
    reference = person.reference
    called = reference.email or reference.phone or reference.handle
    return reference.name, called or (person.also[0].handle if person.also else None)


def signs_of(people: Iterable[Person]) -> list[str]:
    return sorted({sign for person in people for sign in person.signs})
