"""Contacts as lists and pages show them: names, identities, interests, what the owner said, and who is who."""

from uuid import UUID

from domain import contacts
from domain.event import Event
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored
from infra.projections import merges


async def apply(connection: Connection, batch: Batch) -> None:
    """Openings and identities in bulk, as imports bring them; the rest one by one."""
    sql = queries("contacts")
    added = [
        (stored.event.contact_id, stored.event.personal.name, stored.event.personal.hint, stored.position)
        for stored in batch.events
        if isinstance(stored.event, contacts.ContactAdded)
    ]
    if added:
        await connection.execute(sql.add, batch.tenant_id, batch.build, *map(list, zip(*added, strict=True)))
    noted = [
        (stored.event.contact_id, stored.event.platform, stored.event.personal.handle, stored.position)
        for stored in batch.events
        if isinstance(stored.event, contacts.IdentityNoted) and stored.event.personal.handle is not None
    ]
    if noted:
        await connection.execute(sql.note_identity, batch.tenant_id, batch.build, *map(list, zip(*noted, strict=True)))
    for stored in batch.events:
        await _apply_one(connection, batch.tenant_id, batch.build, stored)
    await merges.apply(connection, batch)


async def _apply_one(connection: Connection, tenant_id: UUID, build: int, stored: Stored) -> None:
    sql = queries("contacts")
    event: Event = stored.event
    match event:
        case contacts.ContactNamed(contact_id=who, personal=personal):
            await connection.execute(sql.name_, tenant_id, build, who, personal.name)
        case contacts.LocalityNoted(contact_id=who, personal=personal):
            await connection.execute(sql.place, tenant_id, build, who, personal.locality)
        case contacts.RelationNoted(contact_id=who, relation=relation):
            await connection.execute(sql.relate, tenant_id, build, who, relation)
        case contacts.ReachNoted(contact_id=who, within_reach=within):
            await connection.execute(sql.reach, tenant_id, build, who, within)
        case contacts.LeaveAloneNoted(contact_id=who, leave_alone=leave_alone):
            await connection.execute(sql.leave_alone, tenant_id, build, who, leave_alone)
        case contacts.RelationshipClosed(contact_id=who, ending=ending):
            await connection.execute(sql.close, tenant_id, build, who, ending)
        case contacts.RelationshipStated():
            await connection.execute(
                sql.state, tenant_id, build, event.contact_id, event.known_since, event.how_often, event.how_close,
                event.by, stored.occurred_at,
            )  # fmt: skip
        case contacts.InterestNoted(personal=personal) if personal.topic is not None:
            await connection.execute(
                sql.note_interest, tenant_id, build, event.contact_id, personal.topic, event.learned_at or "",
                event.in_confidence, stored.occurred_at,
            )  # fmt: skip
        case _:
            pass


PROJECTION = Projection(
    name="contacts",
    types=frozenset(
        event.TYPE
        for event in (
            contacts.ContactAdded,
            contacts.ContactNamed,
            contacts.IdentityNoted,
            contacts.LocalityNoted,
            contacts.RelationNoted,
            contacts.InterestNoted,
            contacts.ReachNoted,
            contacts.RelationshipStated,
            contacts.RelationshipClosed,
            contacts.LeaveAloneNoted,
            *merges.TYPES,
        )
    ),
    tables=("contact", "contact_identity", "contact_interest", "contact_alias", "told_apart"),
    apply=apply,
    personal=True,
)
