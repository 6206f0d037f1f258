"""Referrals as a whole: what is told, referred and won, how long things take, and whether clients bring clients."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain import chains, estimates, growth
from domain.chains import Chains, Link, Member
from domain.estimates import Share, Wait
from domain.growth import Reproduction
from domain.money import total
from domain.referrals import Status
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections.relationships import unpack_rhythm
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.freshness import reached
from infra.views.pages import Instant
from infra.views.referrals import Person, link_of, names
from infra.views.supporters import YEAR, supporters_between

READS = ("contacts", "timeline", "referrals", "relationships")
HOUR = timedelta(hours=1)
THANKS_WITHIN, CLOSED_WITHIN = 24, 72
MOST_IN_DANGER = 20


class ReferralYear(Struct, frozen=True):
    """Of the last 365 days, each by itself. `told`: public mentions, shares, reviews and vouches, which reached at most
    `reach` people, as far as somebody said; nobody knows who of them listened. `referred`: named people handed over to
    us; `won`: those that became business. `introduced_by_us` and `introduced_us`; vouches of theirs and of ours."""

    told: int
    reach: int
    referred: int
    won: int
    introduced_by_us: int
    introduced_us: int
    vouches_received: int
    vouches_given: int


class Fates(Struct, frozen=True):
    open: int
    contacted: int
    met: int
    won: int
    lost: int


class GivenView(Struct, frozen=True):
    """What we referred to others."""

    referrals: int
    won: int
    value: str | None


class HoursTaken(Struct, frozen=True, kw_only=True):
    """Hours something took. Those still `waiting` count as going on: `median` is null while half of all wait.

    `low` to `high` is its 95 % interval, from six that ended. `in_time` is the share within `target` hours.
    """

    ended: int
    waiting: int
    median: float | None
    low: float | None
    high: float | None
    target: int | None
    in_time: float | None


class ConversionView(Struct, frozen=True, kw_only=True):
    """`rate` is (won + 2)/(n + 8), n with those lost or open for 120 days; `won_by_day` the share won by then.

    Null where there is too little: then `missing` says what it needs.
    """

    rate: float | None
    low: float | None
    high: float | None
    won_by_day: dict[str, float] | None
    missing: list[str]


class ReproductionView(Struct, frozen=True, kw_only=True):
    """`rate` (R): clients that a client won by referral brought, over `parents` followed for 180 days; its interval.

    `dispersion`: small where a few bring most, null where no more unevenly than chance; `top_share`: what the top 20 %
    brought. `tree`: how many clients one client comes to in the end, where R is below 1. Null with the reason in
    `missing` below ten parents.
    """

    rate: float | None
    low: float | None
    high: float | None
    parents: int
    children: int
    dispersion: float | None
    top_share: float | None
    tree: float | None
    missing: str | None


class ReachView(Struct, frozen=True, kw_only=True):
    """People so many referrals away from a root. `rate` is R of those won among them; null with what is `missing`."""

    generation: int
    people: int
    won: int
    value: str | None
    rate: float | None
    missing: str | None


class GenerationTime(Struct, frozen=True, kw_only=True):
    """Days from when a client was won to when one they brought was won, of those that were."""

    cases: int
    median: float | None
    low: float | None
    high: float | None
    missing: str | None


class InDanger(Struct, frozen=True):
    """Somebody in the middle of a chain who is more likely lost than not. `chain_value`: all that came by them."""

    contact: Person
    still_alive: float
    silent_days: int
    below: int
    chain_value: str | None


class SupporterCounts(Struct, frozen=True):
    """Who vouched for us, shared, reviewed or referred in the last 365 days; `from_afar`: those out of reach."""

    people: int
    from_afar: int


class ReferralOverview(Struct, frozen=True, kw_only=True):
    """Received referrals as a whole. What is attributed is accounting, not causation: those who refer chose to.

    `first_contact`, `thanks` and `loop_closed`, which is the next word of ours to the referrer after one was won or
    lost, are in hours. `credit_missing` says why `GET /v1/referrals/referrers` has no chain credit yet.
    """

    currency: str | None
    value: str | None
    year: ReferralYear
    fates: Fates
    given: GivenView
    first_contact: HoursTaken
    thanks: HoursTaken
    loop_closed: HoursTaken
    conversion: ConversionView
    generations: list[ReachView]
    reproduction: ReproductionView
    generation_time: GenerationTime
    credit_missing: str | None
    in_danger: list[InDanger]
    supporters: SupporterCounts
    as_of: Instant
    position: int


class Known(Struct, frozen=True):
    """What the answer is made of, as read at one moment."""

    links: Sequence[Link]
    currency: str | None
    spoken: Mapping[tuple[str, bool], asyncpg.Record]
    closed: Sequence[asyncpg.Record]
    given: asyncpg.Record
    supporters: SupporterCounts


async def overview(
    context: Context, tenant: Tenant, *, after: int | None = None, seen: Viewpoint | None = None
) -> ReferralOverview:
    """As of `now`. Raises Behind."""
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        known = await _known(connection, tenant, now)
        found = await asyncio.to_thread(chains.chains, known.links)
        middle = [one.contact_id for one in found.members if one.by is not None and one.below]
        rhythms = await _rhythms(connection, tenant.tenant_id, middle)
        danger = growth.in_danger(found.members, {who: alive for who, (alive, _) in rhythms.items()})[:MOST_IN_DANGER]
        people = await names(connection, tenant.tenant_id, [one.contact_id for one in danger])
    in_danger = [
        InDanger(
            people.get(one.contact_id, Person(one.contact_id, None)),
            round(rhythms[one.contact_id][0], 2),
            rhythms[one.contact_id][1],
            one.below,
            total([one.chain_value], known.currency),
        )
        for one in danger
    ]
    return await asyncio.to_thread(_whole, known, found, in_danger, now, position)


async def _known(connection: Connection, tenant: Tenant, now: datetime) -> Known:
    sql, tenant_id = queries("referrals"), tenant.tenant_id
    rows = await connection.fetch(sql.received, tenant_id)
    spoken = await connection.fetch(sql.spoken, tenant_id, now - YEAR, now)
    [given] = await connection.fetch(sql.given, tenant_id)
    supporters = await supporters_between(connection, tenant, now - YEAR, now)
    return Known(
        links=[link_of(row) for row in rows],
        currency=next((row["currency"] for row in rows if row["currency"]), None),
        spoken={(row["kind"], row["received"]): row for row in spoken},
        closed=await connection.fetch(sql.told_after, tenant_id),
        given=given,
        supporters=SupporterCounts(len(supporters), sum(one.from_afar for one in supporters)),
    )


async def _rhythms(
    connection: Connection, tenant_id: UUID, contact_ids: Sequence[UUID]
) -> dict[UUID, tuple[float, int]]:
    """By contact the chance that it goes on, and the days of silence; nobody whose relationship was closed."""
    rows = await connection.fetch(queries("referrals").of_referrers, tenant_id, contact_ids)
    told = {row["contact_id"]: unpack_rhythm(row["rhythm"]) for row in rows}
    return {who: (rhythm.alive, rhythm.silence) for who, rhythm in told.items() if rhythm is not None}


def _whole(known: Known, found: Chains, in_danger: list[InDanger], now: datetime, position: int) -> ReferralOverview:
    links, currency = known.links, known.currency
    circles = set(found.circles)
    counted = [link for link in links if link not in circles]
    return ReferralOverview(
        currency=currency,
        value=total((link.value for link in counted), currency),
        year=_year(known, now),
        fates=_fates(link.status for link in links),
        given=GivenView(known.given["referrals"], known.given["won"], total([known.given["value"]], currency)),
        first_contact=_hours((_until_contact(link, now) for link in links), target=None),
        thanks=_hours((_until(link.made_at, link.thanked_at, now) for link in links), target=THANKS_WITHIN),
        loop_closed=_hours(
            (_until(row["decided_at"], row["told_at"], now) for row in known.closed), target=CLOSED_WITHIN
        ),
        conversion=_conversion(links, now),
        generations=_generations(counted, found.members, currency, now),
        reproduction=_reproduction(growth.reproduction(counted, now=now), counted, now),
        generation_time=_generation_time(growth.generation_time(counted)),
        credit_missing=growth.credit_missing(found.members),
        in_danger=in_danger,
        supporters=known.supporters,
        as_of=now,
        position=position,
    )


def _year(known: Known, now: datetime) -> ReferralYear:
    def times(kind: str, *, received: bool) -> int:
        row = known.spoken.get((kind, received))
        return 0 if row is None else row["times"]

    told = [
        known.spoken[kind, True] for kind in ("mention", "share", "review", "vouch") if (kind, True) in known.spoken
    ]
    return ReferralYear(
        told=sum(row["times"] for row in told),
        reach=sum(row["reach"] for row in told),
        referred=sum(link.made_at > now - YEAR for link in known.links),
        won=sum(link.status == "won" and (link.decided_at or now) > now - YEAR for link in known.links),
        introduced_by_us=times("introduction", received=False),
        introduced_us=times("introduction", received=True),
        vouches_received=times("vouch", received=True),
        vouches_given=times("vouch", received=False),
    )


def _fates(statuses: Iterable[Status]) -> Fates:
    counts = Counter(statuses)
    return Fates(counts["open"], counts["contacted"], counts["met"], counts["won"], counts["lost"])


def _until(since: datetime, ended_at: datetime | None, now: datetime) -> tuple[float, bool]:
    ended = ended_at is not None and ended_at <= now
    return max(0.0, ((ended_at if ended and ended_at else now) - since) / HOUR), ended


def _until_contact(link: Link, now: datetime) -> tuple[float, bool]:
    """One lost without contact waited until then."""
    return _until(link.made_at, link.contacted_at, (link.decided_at or now) if link.status == "lost" else now)


def _hours(waits: Iterable[tuple[float, bool]], *, target: int | None) -> HoursTaken:
    told = list(waits)
    found = estimates.wait(told)
    return HoursTaken(
        ended=found.ended,
        waiting=found.going_on,
        median=_rounded(found.median),
        low=_rounded(found.low),
        high=_rounded(found.high),
        target=target,
        in_time=round(estimates.ended_by(told, target), 2) if told and target is not None else None,
    )


def _rounded(value: float | None, places: int = 1) -> float | None:
    return None if value is None else round(value, places)


def _conversion(links: Sequence[Link], now: datetime) -> ConversionView:
    rate, by_day = growth.conversion(links, now=now), growth.won_by(links, now=now)
    known = rate if isinstance(rate, Share) else None
    return ConversionView(
        rate=None if known is None else round(known.value, 3),
        low=None if known is None else round(known.low, 3),
        high=None if known is None else round(known.high, 3),
        won_by_day=None if isinstance(by_day, str) else {str(day): share for day, share in by_day.items()},
        missing=[one for one in (rate, by_day) if isinstance(one, str)],
    )


def _generations(
    links: Sequence[Link], members: Sequence[Member], currency: str | None, now: datetime
) -> list[ReachView]:
    rates = growth.by_generation(links, members, now=now)
    by: dict[int, list[Member]] = {}
    for member in members:
        by.setdefault(member.generation, []).append(member)
    return [
        ReachView(
            generation=generation,
            people=len(those),
            won=sum(one.by is not None and one.by.status == "won" for one in those),
            value=total((one.by.value for one in those if one.by is not None), currency),
            rate=round(known.rate, 2) if isinstance(known := rates.get(generation), Reproduction) else None,
            missing=known if isinstance(known, str) else None,
        )
        for generation, those in sorted(by.items())
    ]


def _reproduction(known: Reproduction | str, links: Sequence[Link], now: datetime) -> ReproductionView:
    if isinstance(known, str):
        counted = chains.offspring(links, now=now)
        return ReproductionView(
            rate=None, low=None, high=None, parents=len(counted), children=sum(counted.values()), dispersion=None,
            top_share=None, tree=None, missing=known,
        )  # fmt: skip
    return ReproductionView(
        rate=round(known.rate, 2),
        low=round(known.low, 2),
        high=round(known.high, 2),
        parents=known.parents,
        children=known.children,
        dispersion=_rounded(known.dispersion, 3),
        top_share=_rounded(known.top_share, 2),
        tree=_rounded(known.tree, 2),
        missing=None,
    )


def _generation_time(known: Wait | str) -> GenerationTime:
    if isinstance(known, str):
        return GenerationTime(cases=0, median=None, low=None, high=None, missing=known)
    return GenerationTime(
        cases=known.ended,
        median=_rounded(known.median),
        low=_rounded(known.low),
        high=_rounded(known.high),
        missing=None,
    )
