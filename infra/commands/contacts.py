"""Contacts: added and changed under the head, with the identities they claim."""

from collections.abc import Iterable
from uuid import UUID, uuid5

from domain import contacts, merges
from domain.touchpoints import Identity
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.commands.merges import check_stands, links_of, who_stands
from infra.commands.people import claim_of, given_identities, holders_of
from infra.context import Context
from infra.database import in_tenant
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
) -> tuple[UUID, Done]:
    """Said of a merged contact it is said of the one that stands for it, whose id it answers.

    Raises NotFound, Invalid, Stale; Conflict when an identity is another contact's.
    """
    identities = given_identities(command.identities, tenant)
    who = await who_stands(context, tenant, contact_id)
    if identities:
        identities = await _not_theirs(context, tenant, identities, who)

    def decision(known: Known) -> Decision:
        check_stands(known)
        facts = contacts.change(command, known.fold(contacts.evolve), identities=identities)
        return Decision(facts, _claims(identities, who, tenant))

    question = Question(
        contacts.stream_of(who),
        decision,
        command,
        keyed_id(tenant, f"contacts/{contact_id}", idempotency_key),
        expected_position=expected_position,
        asked_of=contacts.stream_of(contact_id),
    )
    return who, await decide(context, tenant, question, origin=origin)


async def _not_theirs(context: Context, tenant: Tenant, identities: list[Identity], who: UUID) -> list[Identity]:
    """Without those that are this person's already, as a contact's merged into this one."""
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        holders = await holders_of(connection, tenant, identities)
        links = await links_of(connection, tenant.tenant_id, set(holders.values()))
    theirs = {holder for holder in links if merges.standing(links, holder) == who}
    return [one for one in identities if holders.get(one) not in theirs]


def _claims(identities: Iterable[Identity], contact_id: UUID, tenant: Tenant) -> tuple[Claim, ...]:
    return tuple(claim_of(who, contact_id, tenant) for who in identities)
