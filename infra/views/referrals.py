"""Referrals: the list, one with all that was told of it, and the chains they make."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import asdict

from domain import chains, estimates
from domain.chains import Link, Member
from domain.errors import NotFound
from domain.money import total
from domain.referrals import Direction, Fact, Outcome, Status, fact_of, fold
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections import merges
from infra.stored_events import read_stream
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of

READS = ("contacts", "timeline", "referrals")
HOUR = 3600


class Person(Struct, frozen=True):
    """A contact by id; `name` is the first identity where no name is known."""

    id: UUID
    name: str | None


class ReferralRow(Struct, frozen=True, kw_only=True):
    """A referral and its fate. `referrer` made it to us; of a `given` one, it is the partner we made it to.

    `decided_at`: won or lost since then. `hours_to_thank`: until the thanks, or so far where `thanked` is false.
    `withdrawn`: its touchpoint, `touchpoint_id`, was struck.
    """

    id: UUID
    direction: Direction
    referrer: Person
    prospect: Person
    heat: int | None
    by_way_of: str
    status: Status
    made_at: Instant
    contacted_at: Instant | None
    met_at: Instant | None
    decided_at: Instant | None
    value: str | None
    currency: str | None
    thanked: bool
    thanked_at: Instant | None
    hours_to_contact: float | None
    hours_to_thank: float
    age_days: int
    touchpoint_id: UUID
    withdrawn: bool


class ToldOutcome(Struct, frozen=True):
    """One outcome as it was told. `touchpoint_id` is the touchpoint that the thanks were."""

    outcome: Outcome
    occurred_at: Instant
    value: str | None
    currency: str | None
    touchpoint_id: UUID | None
    note: str | None


class ReferralView(ReferralRow, frozen=True, kw_only=True):
    """One referral, with all that was told of it in the order of telling."""

    note: str | None
    source: str | None
    source_id: str | None
    outcomes: list[ToldOutcome]
    position: int


class ReferralFilter(Struct, frozen=True, kw_only=True):
    """Which referrals. `unthanked`: received, and nobody has thanked for them yet."""

    direction: Direction | None = None
    status: Status | None = None
    referrer: UUID | None = None
    prospect: UUID | None = None
    unthanked: bool | None = None
    since: datetime | None = None
    withdrawn: bool = False


class ChainMember(Struct, frozen=True, kw_only=True):
    """Somebody in a chain, `generation` referrals away from a root; `parent_id` and `referral_id` say who brought them.

    `referrals` they made, of which so many `won`, worth `value`; `chain_value` is that with all `below` them.
    """

    contact: Person
    generation: int
    parent_id: UUID | None
    referral_id: UUID | None
    status: Status | None
    made_at: Instant | None
    referrals: int
    won: int
    value: str | None
    chain_value: str | None
    below: int


class AlsoMentioned(Struct, frozen=True):
    """A referral of somebody who is in a chain already. Its value is its referrer's.

    In a `circle` it would make somebody their own forebear; then its value does not count.
    """

    referral_id: UUID
    referrer: Person
    prospect: Person
    status: Status
    made_at: Instant
    value: str | None
    circle: bool


class GenerationView(Struct, frozen=True):
    """People so many referrals away from a root, how many of them were `won`, and what those referrals were worth."""

    generation: int
    people: int
    won: int
    value: str | None


class Thanks(Struct, frozen=True):
    """How long thanks took. Those still waited for count in the median as going on; null while half of all wait."""

    thanked: int
    unthanked: int
    median_hours: float | None


class Growth(Struct, frozen=True):
    """Of clients won by referral 180 days ago or earlier (`parents`), those they brought; `rate` from ten parents."""

    parents: int
    children: int
    rate: float | None


class TreeView(Struct, frozen=True, kw_only=True):
    """The chains of received referrals, the most valuable first; in each, people stand before those they brought.

    Everybody stands in it once. `more` people are left out by `depth` and `limit`: ask with one of them as `root`.
    """

    currency: str | None
    value: str | None
    generations: list[GenerationView]
    members: list[ChainMember]
    also: list[AlsoMentioned]
    thanks: Thanks
    growth: Growth
    more: int
    position: int


class Counted(Struct, frozen=True):
    """Referrals, those of them won, and what these were worth."""

    referrals: int
    won: int
    value: str | None
    currency: str | None


class ReferredBy(Struct, frozen=True):
    referral_id: UUID
    referrer: Person
    status: Status
    made_at: Instant


class VouchesView(Struct, frozen=True):
    """Public recommendations: theirs of us, and ours of them."""

    received: int
    given: int
    last_at: Instant | None


class ContactReferrals(Struct, frozen=True):
    """What a contact referred to us (`received`) and we to them (`given`), and who handed the contact over to us."""

    received: Counted
    given: Counted
    referred_by: list[ReferredBy]


async def page(
    context: Context,
    tenant: Tenant,
    which: ReferralFilter,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[ReferralRow]:
    """The newest first. Raises Invalid for a bad cursor, Behind."""
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after, seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        referrer, prospect = [
            None if who is None else await merges.everybody(connection, tenant.tenant_id, who)
            for who in (which.referrer, which.prospect)
        ]
        rows = await connection.fetch(
            queries("referrals").page, tenant.tenant_id, which.withdrawn, which.direction, which.status,
            referrer, prospect, which.unthanked, which.since, limit + 1, *keys,
        )  # fmt: skip
        shown, last = cut(rows, limit)
        known = await names(connection, tenant.tenant_id, _people(shown))
    now = now_of(seen)
    items = [_row(row, known, now) for row in shown]
    return Page(items, None if last is None else cursor(last["made_at"], last["referral_id"]), position)


def _people(rows: Iterable[asyncpg.Record]) -> set[UUID]:
    return {row[side] for row in rows for side in ("referrer_id", "prospect_id")}


async def names(connection: Connection, tenant_id: UUID, contact_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Who stands for these contacts, and what they are called; nobody who is not known."""
    rows = await connection.fetch(queries("contacts").names, tenant_id, list(contact_ids))
    return {row["contact_id"]: Person(row["standing_id"], row["name"]) for row in rows}


def _row(row: asyncpg.Record, known: dict[UUID, Person], now: datetime) -> ReferralRow:
    made_at, contacted_at, thanked_at = row["made_at"], row["contacted_at"], row["thanked_at"]
    return ReferralRow(
        id=row["referral_id"],
        direction=row["direction"],
        referrer=_person(row["referrer_id"], known),
        prospect=_person(row["prospect_id"], known),
        heat=row["heat"],
        by_way_of=row["channel"],
        status=row["status"],
        made_at=made_at,
        contacted_at=contacted_at,
        met_at=row["met_at"],
        decided_at=row["decided_at"],
        value=_amount(row["value"]),
        currency=row["currency"],
        thanked=thanked_at is not None,
        thanked_at=thanked_at,
        hours_to_contact=None if contacted_at is None else _hours(made_at, contacted_at),
        hours_to_thank=_hours(made_at, thanked_at or now),
        age_days=max(0, (now - made_at).days),
        touchpoint_id=row["touchpoint_id"],
        withdrawn=row["withdrawn"],
    )


def _person(contact_id: UUID, known: dict[UUID, Person]) -> Person:
    return known.get(contact_id, Person(contact_id, None))


def _hours(since: datetime, until: datetime) -> float:
    return round(max(0.0, (until - since).total_seconds() / HOUR), 1)


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


async def one(context: Context, tenant: Tenant, referral_id: UUID, *, after: int | None = None) -> ReferralView:
    """One referral. Raises NotFound, Behind."""
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("referrals").one, tenant.tenant_id, referral_id)
        if row is None:
            raise NotFound("there is no such referral")
        known = await names(connection, tenant.tenant_id, _people([row]))
        stored = await read_stream(context, tenant, connection, f"referral-{referral_id}")
    referral = fold(stored)
    made = None if referral is None else referral.made
    return ReferralView(
        **asdict(_row(row, known, datetime.now(UTC))),
        note=made.personal.note if made else None,
        source=made.source if made else None,
        source_id=made.source_id if made else None,
        outcomes=[_told(fact, event.personal.note) for event, at in stored if (fact := fact_of(event, at, order=0))],
        position=position,
    )


def _told(fact: Fact, note: str | None) -> ToldOutcome:
    amount, currency = (None, None) if fact.value is None else (fact.value.amount, fact.value.currency)
    return ToldOutcome(fact.outcome, fact.occurred_at, amount, currency, fact.touchpoint_id, note)


async def tree(
    context: Context,
    tenant: Tenant,
    *,
    root: UUID | None = None,
    depth: int = 10,
    limit: int = 500,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> TreeView:
    """All chains, or what is below one person. Raises NotFound for a root in no chain, Behind."""
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        rows = await connection.fetch(queries("referrals").received, tenant.tenant_id)
        if root is not None:
            [root, *_] = await merges.everybody(connection, tenant.tenant_id, root)
    links = [link_of(row) for row in rows]
    found = await asyncio.to_thread(chains.chains, links)  # of thousands it takes a while, and others are to be served
    members = _below(found.members, root)
    first = members[0].generation if members else 0
    shown = [member for member in members if member.generation - first <= depth][:limit]
    inside = {member.contact_id for member in members}
    also = [link for link in (*found.also, *found.circles) if link.referrer_id in inside][:limit]
    people = {member.contact_id for member in shown}.union(*((one.referrer_id, one.prospect_id) for one in also))
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        known = await names(connection, tenant.tenant_id, people)
    circles = set(found.circles)
    theirs = [link for link in links if link.referrer_id in inside]
    currency = next((row["currency"] for row in rows if row["currency"]), None)
    return TreeView(
        currency=currency,
        value=total((member.value for member in members), currency),
        generations=_generations(members, currency),
        members=[_member(member, known, currency) for member in shown],
        also=[_also(link, known, circle=link in circles) for link in also],
        thanks=_thanks(theirs, now),
        growth=Growth(**asdict(chains.reproduction((link for link in theirs if link not in circles), now=now))),
        more=len(members) - len(shown),
        position=position,
    )


def link_of(row: asyncpg.Record) -> Link:
    return Link(
        row["referral_id"], row["referrer_id"], row["prospect_id"], row["made_at"], row["status"], row["decided_at"],
        row["value"], row["thanked_at"], row["contacted_at"], row["heat"],
    )  # fmt: skip


def _below(members: Sequence[Member], root: UUID | None) -> Sequence[Member]:
    """The person and those below, who stand after them. Raises NotFound."""
    if root is None:
        return members
    for n, member in enumerate(members):
        if member.contact_id == root:
            return members[n : n + member.below + 1]
    raise NotFound("this contact is in no chain of referrals")


def _generations(members: Sequence[Member], currency: str | None) -> list[GenerationView]:
    """What a referral was worth counts for the generation it brought."""
    by: dict[int, list[Link]] = {}
    for member in members:
        by.setdefault(member.generation, []).extend([member.by] if member.by else [])
    people = Counter(member.generation for member in members)
    return [
        GenerationView(
            generation,
            people[generation],
            sum(link.status == "won" for link in links),
            total((link.value for link in links), currency),
        )
        for generation, links in sorted(by.items())
    ]


def _member(member: Member, known: dict[UUID, Person], currency: str | None) -> ChainMember:
    by = member.by
    return ChainMember(
        contact=_person(member.contact_id, known),
        generation=member.generation,
        parent_id=None if by is None else by.referrer_id,
        referral_id=None if by is None else by.referral_id,
        status=None if by is None else by.status,
        made_at=None if by is None else by.made_at,
        referrals=member.made,
        won=member.won,
        value=total([member.value], currency),
        chain_value=total([member.chain_value], currency),
        below=member.below,
    )


def _also(link: Link, known: dict[UUID, Person], *, circle: bool) -> AlsoMentioned:
    referrer, prospect = _person(link.referrer_id, known), _person(link.prospect_id, known)
    return AlsoMentioned(link.referral_id, referrer, prospect, link.status, link.made_at, _amount(link.value), circle)


def _thanks(links: Sequence[Link], now: datetime) -> Thanks:
    thanked = sum(link.thanked_at is not None for link in links)
    waits = ((_hours(link.made_at, link.thanked_at or now), link.thanked_at is not None) for link in links)
    return Thanks(thanked, len(links) - thanked, estimates.wait(waits).median)


async def of_contact(
    connection: Connection, tenant_id: UUID, group: list[UUID]
) -> tuple[ContactReferrals, VouchesView]:
    """What the page of contacts that are one shows of referrals and public recommendations."""
    sql = queries("referrals")
    counted = {row["direction"]: row for row in await connection.fetch(sql.of_contact, tenant_id, group)}
    brought = await connection.fetch(sql.referred_by, tenant_id, group)
    known = await names(connection, tenant_id, {row["referrer_id"] for row in brought})
    vouches = {row["received"]: row for row in await connection.fetch(sql.vouches, tenant_id, group)}
    referred_by = [
        ReferredBy(row["referral_id"], _person(row["referrer_id"], known), row["status"], row["made_at"])
        for row in brought
    ]
    referred = ContactReferrals(_counted(counted.get("received")), _counted(counted.get("given")), referred_by)
    received, given = (vouches[side]["vouches"] if side in vouches else 0 for side in (True, False))
    last_at = max((row["last_at"] for row in vouches.values()), default=None)
    return referred, VouchesView(received, given, last_at)


def _counted(row: asyncpg.Record | None) -> Counted:
    if row is None:
        return Counted(0, 0, None, None)
    return Counted(row["referrals"], row["won"], _amount(row["value"]), row["currency"])
