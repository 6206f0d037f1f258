"""Referrers: what each is worth a year, and, only when asked, who leads between us."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import asyncpg
from msgspec import Meta, Struct

from domain import attribution, chains, growth, money
from domain.attribution import Referrer, Shape, Word
from domain.chains import Link
from infra.context import Context
from infra.database import queries, reading
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Page, cursor, keys_of
from infra.views.referrals import Person, link_of, names

READS = ("contacts", "timeline", "referrals", "relationships")
Place = Annotated[int, Meta(ge=0, le=1_000_000)]


class ReferrerView(Struct, frozen=True, kw_only=True):
    """Who referred people to us. `value`: what the clients they handed over were worth; several who named one share it.

    `credit` is their part in the chains, null until there are enough (see the overview); never add the two. `a_year`
    is what to expect of a year, `low` to `high` its 95 % interval. `conversion` is (won + 2)/(n + 8). `shape`, from
    three values on, tells many small ones from one that is more than half of all.
    """

    contact: Person
    stage: Stage
    referrals: int
    won: int
    value: str | None
    credit: str | None
    a_year: str | None
    low: str | None
    high: str | None
    conversion: float
    conversion_low: float
    conversion_high: float
    shape: Shape | None
    vouches: int


class BalanceView(Struct, frozen=True):
    """Who leads between us and an ally, in referrals and in their value, half forgotten after two years.

    `value` is null where nothing had one.
    """

    contact: Person
    stage: Stage
    referrals: Word
    value: Word | None


async def page(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[ReferrerView]:
    """Those worth most a year first. Raises Invalid, Behind."""
    [place] = keys_of(given_cursor, tuple[Place]) or (0,)
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        rows = await connection.fetch(queries("referrals").received, tenant.tenant_id)
        links = [link_of(row) for row in rows]
        who = list({link.referrer_id for link in links})
        standing = {
            row["contact_id"]: row
            for row in await connection.fetch(queries("referrals").of_referrers, tenant.tenant_id, who)
        }
        currency = next((row["currency"] for row in rows if row["currency"]), None)
        ranked, credited = await asyncio.to_thread(_ranked, links, currency, standing, now)
        shown = ranked[place : place + limit]
        known = await names(connection, tenant.tenant_id, (one.contact_id for one in shown))
    items = [_view(one, known, standing.get(one.contact_id), currency, credited) for one in shown]
    return Page(items, cursor(place + limit) if len(ranked) > place + limit else None, position)


def _ranked(
    links: Sequence[Link], currency: str | None, standing: Mapping[UUID, asyncpg.Record], now: datetime
) -> tuple[list[Referrer], bool]:
    """And whether chain credit says anything yet."""
    found = chains.chains(links)
    circles = set(found.circles)
    ranked = attribution.referrers(
        [link for link in links if link not in circles],
        currency,
        since={who: row["first_touch_at"] for who, row in standing.items() if row["first_touch_at"]},
        vouches={who: row["vouches"] for who, row in standing.items()},
        overdue=now - growth.OVERDUE,
        now=now,
    )
    return ranked, growth.credit_missing(found.members) is None


def _view(
    one: Referrer,
    known: Mapping[UUID, Person],
    standing: asyncpg.Record | None,
    currency: str | None,
    credited: bool,
) -> ReferrerView:
    return ReferrerView(
        contact=known.get(one.contact_id, Person(one.contact_id, None)),
        stage=stage_of(standing["stage"] if standing else 0),
        referrals=one.referrals,
        won=one.won,
        value=money.total([one.value], currency),
        credit=money.total([one.credit], currency) if credited else None,
        a_year=_about(one.a_year, currency),
        low=_about(one.low, currency),
        high=_about(one.high, currency),
        conversion=round(one.conversion.value, 3),
        conversion_low=round(one.conversion.low, 3),
        conversion_high=round(one.conversion.high, 3),
        shape=one.shape,
        vouches=standing["vouches"] if standing else 0,
    )


def _about(amount: float | None, currency: str | None) -> str | None:
    """An estimate in the form of an amount."""
    return None if amount is None else money.total([Decimal(amount)], currency)


async def balances(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[BalanceView]:
    """Allies and advocates with whom there were referrals either way, by id. Raises Invalid, Behind."""
    [last_id] = keys_of(given_cursor, tuple[UUID]) or (None,)
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        rows = await connection.fetch(queries("referrals").between, tenant.tenant_id)
        partners: dict[UUID, list[asyncpg.Record]] = {}
        for row in rows:
            partners.setdefault(row["referrer_id"], []).append(row)
        left = sorted(who for who in partners if last_id is None or who > last_id)
        shown = left[:limit]
        known = await names(connection, tenant.tenant_id, shown)
    items = [_balance(known.get(who, Person(who, None)), partners[who], now) for who in shown]
    return Page(items, cursor(shown[-1]) if len(left) > limit else None, position)


def _balance(who: Person, rows: Sequence[asyncpg.Record], now: datetime) -> BalanceView:
    times, value = {"given": 0.0, "received": 0.0}, {"given": 0.0, "received": 0.0}
    for row in rows:
        times[row["direction"]] += attribution.faded(now - row["made_at"])
        if row["value"] is not None:
            left = attribution.faded(now - (row["decided_at"] or row["made_at"]))
            value[row["direction"]] += float(row["value"]) * left
    referrals = attribution.balance(times["given"], times["received"], prior=attribution.ONE_ALONE) or "even"
    worth = attribution.balance(value["given"], value["received"])
    return BalanceView(who, stage_of(rows[0]["stage"]), referrals, worth)
