"""Whom the file names, sorted before anything is recorded: business, private or unsure, each with its reason."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from domain.imports import Person, Sort
from domain.privacy import is_freemail, sort_person
from infra.database import queries
from infra.imports import files, people
from infra.imports.job import UNSTARTED, Job, enter_state, hold, own_identities, told_of, went_on
from infra.imports.reading import Gathered

AT_ONCE = 1_000


async def sort_on(job: Job, _: Gathered) -> None:
    """Some of those not sorted yet; when all are, the dry run is over."""
    sql = queries("imports")
    rows = await job.connection.fetch(sql.unsorted, *job.key, AT_ONCE)
    if rows:
        columns = map(list, zip(*await _sorted(job, rows), strict=True))
        await hold(job)
        await job.connection.execute(sql.sort_people, *job.key, *columns)
        await went_on(job, job.found.through_row + len(rows))
        return
    await job.connection.execute(sql.mark_rows, *job.key)
    await hold(job)
    await job.connection.execute(sql.count_again, *job.key)
    await enter_state(job, "ready", due_in=UNSTARTED)


async def _sorted(job: Job, rows: Sequence[asyncpg.Record]) -> list[tuple[object, ...]]:
    own = await own_identities(job.connection, job.tenant)
    addresses = [handle for platform, handle in own if platform == "email"]
    own_domains = {domain for address in addresses if not is_freemail(domain := address.rpartition("@")[2])}
    own_names = [
        one.name for one in told_of(job.tenant, job.found).owners if one.name and (one.platform, one.handle) in own
    ]
    named = {row["person_id"]: _unsealed(job, row) for row in rows}
    alike = await _contacts_of_names(job, [person.reference.name for person in named.values() if person.reference.name])
    told: list[tuple[object, ...]] = []
    for row in rows:
        who, person = row["person_id"], named[row["person_id"]]
        contact_id: UUID | None = row["contact_id"] or person.reference.contact_id
        sort: Sort
        if row["skipped"]:
            sort, reason = "private", "you said so before"
        elif contact_id is not None:
            sort, reason = "business", "one of your people already"
        else:
            sort, reason = sort_person(person, own_names=own_names, own_domains=own_domains)
        like = None if contact_id else alike.get((person.reference.name or "").strip().lower())
        told.append((who, sort, reason, contact_id, like, None if contact_id else row["like_person"]))
    return told


def _unsealed(job: Job, row: asyncpg.Record) -> Person:
    packed = files.unseal(job.tenant, job.found.import_id, f"person {row['person_id']}", row["sealed"])
    return replace(people.unpack(packed), signs=tuple(row["signs"]))


async def _contacts_of_names(job: Job, names: Sequence[str]) -> dict[str, UUID]:
    """A contact of each name, in lower case: perhaps the same person, seldom enough not to be joined by it."""
    wanted = list({name.strip().lower() for name in names})
    rows = await job.connection.fetch(queries("imports").of_names, job.tenant.tenant_id, wanted)
    return {row["name"]: row["contact_id"] for row in rows}
