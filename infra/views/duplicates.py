"""Likely duplicates: pairs of contacts that may be one person, the likeliest first."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain import duplicates, ties
from domain.duplicates import Duplicate, Known
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.tenants import Tenant
from infra.views.contacts import Identity, identities
from infra.views.freshness import reached
from infra.views.pages import Page, cursor, keys_of

READS = ("contacts", "timeline", "relationships")


class Candidate(Struct, frozen=True):
    id: UUID
    name: str | None
    hint: str | None
    locality: str | None
    identities: list[Identity]
    touchpoints: int


class DuplicateView(Struct, frozen=True):
    """Two contacts that may be one person, with `score` from 0 to 1, and the reasons in words.

    The first of them has more touchpoints: merge the other into it.
    """

    score: float
    reasons: list[str]
    contacts: list[Candidate]


class _People(Struct, frozen=True):
    known: list[Known]
    stands: Mapping[UUID, UUID]
    touchpoints: Mapping[UUID, int]
    apart: set[ties.Pair]


async def page(
    context: Context,
    tenant: Tenant,
    *,
    min_score: float = duplicates.LEAST,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[DuplicateView]:
    """Each pair once. Raises Invalid for a bad cursor, Behind."""
    keys = keys_of(given_cursor, tuple[float, UUID, UUID])
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        people = await _people(connection, tenant.tenant_id)
    likely = await asyncio.to_thread(duplicates.likely, people.known, people.apart, least=min_score * 0.7)
    async with reading(context.pool, tenant.tenant_id) as connection:
        found = [one for one in await _shared(connection, tenant.tenant_id, likely, people) if one.score >= min_score]
        found.sort(key=_order)
        rest = found if keys is None else [one for one in found if _order(one) > (-keys[0], keys[1], keys[2])]
        shown = rest[:limit]
        called = await identities(connection, tenant.tenant_id, [who for one in shown for who in one.pair])
    by_id = {one.contact_id: one for one in people.known}
    items = [_view(one, by_id, called, people.touchpoints) for one in shown]
    more = len(rest) > limit
    return Page(items, cursor(shown[-1].score, *shown[-1].pair) if more else None, position)


def _order(one: Duplicate) -> tuple[float, UUID, UUID]:
    return -one.score, *one.pair


async def _people(connection: Connection, tenant_id: UUID) -> _People:
    sql = queries("duplicates")
    rows = await connection.fetch(sql.people, tenant_id)
    stands = {row["contact_id"]: row["standing_id"] for row in rows}
    told: dict[UUID, list[asyncpg.Record]] = {}
    for row in rows:
        told.setdefault(row["standing_id"], []).append(row)
    handles: dict[UUID, list[tuple[str, str]]] = {}
    for row in await connection.fetch(sql.identities, tenant_id):
        handles.setdefault(stands.get(row["contact_id"], row["contact_id"]), []).append(
            (row["platform"], row["handle"])
        )
    imports: dict[UUID, set[UUID]] = {}
    for row in await connection.fetch(sql.imports, tenant_id):
        imports.setdefault(stands.get(row["contact_id"], row["contact_id"]), set()).add(row["import_id"])
    met = {row["contact_id"]: row for row in await connection.fetch(sql.channels, tenant_id)}
    apart = {
        ties.pair([stands.get(row["contact_id"], row["contact_id"]), stands.get(row["other_id"], row["other_id"])])
        for row in await connection.fetch(sql.apart, tenant_id)
    }
    known = [
        Known(
            contact_id=who,
            names=_words(group, "name"),
            hints=_words(group, "hint"),
            localities=_words(group, "locality"),
            identities=tuple(handles.get(who, ())),
            channels=frozenset(met[who]["channels"]),
            imports=frozenset(imports.get(who, ())),
        )
        for who, group in told.items()
    ]
    return _People(known, stands, {who: row["touchpoints"] for who, row in met.items()}, apart)


def _words(group: Sequence[asyncpg.Record], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row[field] for row in group if row[field]))


async def _shared(
    connection: Connection, tenant_id: UUID, likely: Sequence[Duplicate], people: _People
) -> list[Duplicate]:
    """With whom both were met, for those who may be one."""
    asked = {who for one in likely for who in one.pair}
    everybody = [who for who, standing in people.stands.items() if standing in asked]
    met: dict[UUID, set[UUID]] = {who: set() for who in asked}
    for row in await connection.fetch(queries("duplicates").met_with, tenant_id, everybody):
        met[people.stands[row["contact_id"]]].add(people.stands.get(row["other_id"], row["other_id"]))
    return [
        duplicates.with_shared(
            found,
            len((met[found.pair[0]] & met[found.pair[1]]) - {*found.pair}),
            together=found.pair[1] in met[found.pair[0]],
        )
        for found in likely
    ]


def _view(
    found: Duplicate,
    known: Mapping[UUID, Known],
    called: Mapping[UUID, list[Identity]],
    touchpoints: Mapping[UUID, int],
) -> DuplicateView:
    pair = sorted(found.pair, key=lambda who: (-touchpoints[who], who))
    return DuplicateView(
        found.score,
        list(found.reasons),
        [
            Candidate(
                who,
                next(iter(known[who].names), None),
                next(iter(known[who].hints), None),
                next(iter(known[who].localities), None),
                called.get(who, []),
                touchpoints[who],
            )
            for who in pair
        ],
    )
