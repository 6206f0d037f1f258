"""Contacts: added and changed under the head, with the identities they claim."""

from collections.abc import Iterable
from uuid import UUID, uuid5

from domain import contacts
from domain.touchpoints import Identity
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.commands.people import claim_of, given_identities
from infra.context import Context
from infra.event_log import Claim
from infra.stored_events import Origin, keyed_id
from infra.tenants import Tenant


async def add_contact(
    context: Context,
    tenant: Tenant,
    command: contacts.AddContact,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> tuple[UUID, Done]:
    """A new contact, and its id. Raises Invalid; Conflict when one of the identities is somebody's already."""
    event_id = keyed_id(tenant, "contacts", idempotency_key)
    contact_id = uuid5(contacts.NAMESPACE, str(event_id))
    identities = given_identities(command.identities, tenant)

    def decision(known: Known) -> Decision:
        facts = contacts.add(command, contact_id=contact_id, identities=identities)
        return Decision(facts, _claims(identities, contact_id, tenant), new_contact=contact_id)

    question = Question(contacts.stream_of(contact_id), decision, command, event_id)
    return contact_id, await decide(context, tenant, question, origin=origin)


async def change_contact(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    command: contacts.ChangeContact,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
    expected_position: int | None = None,
) -> Done:
    """Raises NotFound, Invalid, Stale; Conflict when an identity is another contact's."""
    identities = given_identities(command.identities, tenant)

    def decision(known: Known) -> Decision:
        facts = contacts.change(command, known.fold(contacts.evolve), identities=identities)
        return Decision(facts, _claims(identities, contact_id, tenant))

    event_id = keyed_id(tenant, f"contacts/{contact_id}", idempotency_key)
    stream = contacts.stream_of(contact_id)
    question = Question(stream, decision, command, event_id, expected_position=expected_position)
    return await decide(context, tenant, question, origin=origin)


def _claims(identities: Iterable[Identity], contact_id: UUID, tenant: Tenant) -> tuple[Claim, ...]:
    return tuple(claim_of(who, contact_id, tenant) for who in identities)
