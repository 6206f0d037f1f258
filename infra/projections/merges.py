"""Who is who: for each merged contact the one that stands for it now. Part of the projection of contacts."""

from collections.abc import Collection, Iterable
from uuid import UUID

from domain import merges
from domain.contacts import ContactAdded, ContactNamed
from domain.merges import ContactMerged, ContactsToldApart, ContactUnmerged, Link
from infra.database import Connection, queries
from infra.projection import Batch

TYPES = (ContactMerged, ContactUnmerged, ContactsToldApart)


async def apply(connection: Connection, batch: Batch) -> None:
    """After the contacts themselves: what a merged one is called may name the one that stands for it."""
    sql = queries("merges")
    apart = [
        (*stored.event.contact_ids, stored.position)
        for stored in batch.events
        if isinstance(stored.event, ContactsToldApart)
    ]
    if apart:
        await connection.execute(sql.tell_apart, batch.tenant_id, batch.build, *map(list, zip(*apart, strict=True)))
    moved = await _move(connection, batch)
    named = {
        stored.event.contact_id for stored in batch.events if isinstance(stored.event, ContactAdded | ContactNamed)
    }
    if named:
        rows = await connection.fetch(sql.called_anew, batch.tenant_id, batch.build, list(named))
        moved |= {row["standing_id"] for row in rows}
    if moved:
        await connection.execute(sql.call, batch.tenant_id, batch.build, list(moved))


async def _move(connection: Connection, batch: Batch) -> set[UUID]:
    """Who stands for whom, again for all whom these merges and unmerges are about; who they are."""
    said = [stored for stored in batch.events if isinstance(stored.event, ContactMerged | ContactUnmerged)]
    if not said:
        return set()
    sql = queries("merges")
    about = {who for stored in said for who in stored.event.subjects}
    rows = await connection.fetch(sql.groups, batch.tenant_id, batch.build, list(about))
    links = {row["contact_id"]: Link(row["into_id"], row["position"]) for row in rows}
    about |= links.keys() | {link.into_id for link in links.values()}
    links = merges.moved(links, ((stored.event, stored.position) for stored in said))
    await connection.execute(sql.unlink, batch.tenant_id, batch.build, list(about))
    linked = [
        (who, links[who].into_id, links[who].position, alias.standing_id, alias.rank)
        for who, alias in sorted(merges.aliases(links).items())
    ]
    if linked:
        await connection.execute(sql.link, batch.tenant_id, batch.build, *map(list, zip(*linked, strict=True)))
    return about


async def standing_of(connection: Connection, tenant_id: UUID, contact_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Who stands for those of these contacts that are merged."""
    rows = await connection.fetch(queries("merges").standing, tenant_id, list(contact_ids))
    return {row["contact_id"]: row["standing_id"] for row in rows}


async def members_of(connection: Connection, tenant_id: UUID, contact_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Each of these standing contacts with those merged into it: itself first, then by whose word stands."""
    found = {who: [who] for who in contact_ids}
    for row in await connection.fetch(queries("merges").members, tenant_id, list(contact_ids)):
        found[row["standing_id"]].append(row["contact_id"])
    return found


async def everybody(connection: Connection, tenant_id: UUID, contact_id: UUID) -> list[UUID]:
    """All contacts that are one person with this one: who stands for it first."""
    who = (await standing_of(connection, tenant_id, [contact_id])).get(contact_id, contact_id)
    return (await members_of(connection, tenant_id, [who]))[who]
