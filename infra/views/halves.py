"""The two halves as numbers: how much is blended, whom to carry over next, where to be, what leads where."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg
from msgspec import Struct

from domain import halves
from domain.channels import Access, Channel, Realm, Role
from domain.contacts import Relation
from domain.estimates import Mean
from domain.halves import Acts, Blend, Lag, Move, Mover, Somebody
from domain.nudges import Candidate, Surroundings
from domain.policy import Place
from domain.relationships import Half, day_of
from domain.touches import Weights
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections.relationships import unpack, weights_in_use
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import reached
from infra.views.pages import Instant
from infra.views.referrals import Person, names

READS = ("contacts", "timeline", "network", "relationships", "referrals", "appointments")
YEAR_DAYS = 365
TREND = halves.NEW


class BlendView(Struct, frozen=True):
    """`blended`, active in both halves by decayed points, of those with a strength of 15 or more; `share` 0 to 1."""

    blended: int
    of: int
    share: float | None


class StageBlend(Struct, frozen=True):
    stage: Stage
    blended: int
    of: int
    share: float | None


class HalfCounts(Struct, frozen=True):
    """By facts ever: one touchpoint there is enough."""

    online_only: int
    in_person_only: int
    both: int
    named_only: int


class ActiveCounts(Struct, frozen=True):
    """By decayed points: a half is active from 0.3 of 1 - exp(-points) on. `quiet`: neither."""

    blended: int
    online_only: int
    in_person_only: int
    quiet: int


class FactTrend(Struct, frozen=True):
    """The share of those ever touched who were met in both halves: now and 90 days ago, null while there was nobody."""

    now: float | None
    before: float | None


class MetView(Struct, frozen=True):
    """Of those known online, those ever met in person."""

    met: int
    online: int
    share: float | None


class MoverView(Struct, frozen=True):
    """Somebody to carry over `to` the other half. `fresh`: met first in the last three days. `ask_reach`: ask first
    whether they are within reach."""

    contact: Person
    to: Move
    strength: float
    shared_contacts: int
    fresh: bool
    ask_reach: bool


class LagView(Struct, frozen=True):
    """From the first touch in one half to the first in the other, in days. `median` counts those still `waiting` as
    going on, and is null while half of all wait; `typical` is the median of those who came over."""

    came_over: int
    waiting: int
    median: float | None
    low: float | None
    high: float | None
    typical: float | None


class DepthView(Struct, frozen=True):
    """The mean depth, 0 to 1, of those with a strength of 15 or more, with its 95 % interval from six of them."""

    people: int
    depth: float | None
    low: float | None
    high: float | None


class RelationsView(Struct, frozen=True):
    """How many of each relation, as told; those nobody told of; and what is missing, in words."""

    told: dict[str, int]
    unknown: int
    gaps: list[str]


class BridgingView(Struct, frozen=True):
    """`bridges` share somebody with us, but fewer than one in twenty of our people; `of` those with a strength of 15 or
    more who share somebody. A community is a connected part of who knows whom; `effective` is how many there would be
    of one size. `alone` know nobody of ours, as far as is known."""

    bridges: int
    of: int
    share: float | None
    communities: int
    effective: float
    alone: int


class Overlap(Struct, frozen=True, kw_only=True):
    """Where online and in person overlap. `next_to_move` are the ten to carry over next."""

    headline: str
    met: MetView
    half: HalfCounts
    active_half: ActiveCounts
    blended: BlendView
    by_stage: list[StageBlend]
    trend: FactTrend
    next_to_move: list[MoverView]
    online_to_in_person: LagView
    in_person_to_online: LagView
    depth_online: DepthView
    depth_in_person: DepthView
    relations: RelationsView
    bridging: BridgingView
    as_of: Instant
    position: int


class MissingOutpost(Struct, frozen=True):
    """Many of our customers are there, and we hardly: on `days` of the last 30. `strength` is the customers' mean."""

    slug: str
    name: str
    customers: int
    strength: float
    days: int


class IdleOutpost(Struct, frozen=True):
    """We were there on `days` of the last 30, and of `new_two_way` new ties only so many were `born` there."""

    slug: str
    name: str
    days: int
    born: int


class ChannelUse(Struct, frozen=True, kw_only=True):
    """`days` of the last 30 on which somebody of ours did something there. `gives` and `promotes` are our own acts of
    the last 365 days; `giving` their share with its interval, null of fewer than eight (`too_few`). Of `first_seen`,
    who began here and had 90 days, `to_hub` came to a place of ours within these."""

    slug: str
    name: str
    realm: Realm
    role: Role
    contacts: int
    customers: int
    days: int
    gives: int
    promotes: int
    giving: float | None
    giving_low: float | None
    giving_high: float | None
    too_few: bool
    first_seen: int
    to_hub: int


class FeedView(Struct, frozen=True):
    """So many were first met in `first` and next in `second`, `days` later (the median)."""

    first: str
    second: str
    contacts: int
    days: float


class Outposts(Struct, frozen=True, kw_only=True):
    """Where to be and where not. Sensitive places are left out. `new_two_way`: ties both sides began in 90 days.

    `channels` and `feeding` show the most used; `more_channels` and `more_ways` are left out.
    """

    missing: list[MissingOutpost]
    idle: list[IdleOutpost]
    customers: int
    new_two_way: int
    channels: list[ChannelUse]
    more_channels: int
    feeding: list[FeedView]
    more_ways: int
    as_of: Instant
    position: int


class Network(Struct, frozen=True):
    """All people and places as read at one moment; merged contacts stand as one."""

    people: Sequence[Somebody]
    rows: Mapping[UUID, asyncpg.Record]
    aliases: Mapping[UUID, UUID]
    channels: Mapping[str, Channel]

    @property
    def realms(self) -> dict[str, Realm]:
        return {slug: channel.realm for slug, channel in self.channels.items()}

    @property
    def sensitive(self) -> list[str]:
        return [slug for slug, channel in self.channels.items() if channel.sensitive]


async def overlap(
    context: Context,
    tenant: Tenant,
    *,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Overlap:
    """As of `now`. Raises Behind."""
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        network = await read_network(connection, tenant, now)
        known = await _who_knows_whom(connection, tenant.tenant_id, network)
        booked = {
            row["contact_id"]: row for row in await connection.fetch(queries("network").booked, tenant.tenant_id, now)
        }
        movers = await asyncio.to_thread(_movers, network, known, booked, tenant, now)
        people = await names(connection, tenant.tenant_id, (one.contact_id for one in movers))
    shown = [_mover(one, people) for one in movers]
    return await asyncio.to_thread(_overlap, network, known, shown, now, position)


async def read_network(connection: Connection, tenant: Tenant, now: datetime) -> Network:
    sql, tenant_id = queries("network"), tenant.tenant_id
    channels = {
        row["slug"]: Channel(
            row["slug"], row["name"], cast(Realm, row["realm"]), cast(Role, row["role"]), cast(Access, row["access"]),
            tuple(row["topics"]), row["sensitive"],
        )
        for row in await connection.fetch(sql.described, tenant_id)
    }  # fmt: skip
    merged = await connection.fetch(sql.aliases, tenant_id)
    aliases = {row["contact_id"]: row["standing_id"] for row in merged}
    relations: dict[UUID, Relation] = {}
    for row in merged:
        if row["relation"] is not None:
            relations.setdefault(row["standing_id"], row["relation"])
    buyers = {aliases.get(row[0], row[0]) for row in await connection.fetch(sql.buyers, tenant_id)}
    weights = await weights_in_use(connection, tenant_id)
    rows = await connection.fetch(sql.people, tenant_id)
    customers = {
        row["contact_id"]
        for row in rows
        if row["contact_id"] in buyers or (row["relation"] or relations.get(row["contact_id"])) == "customer"
    }
    told_at: dict[UUID, set[str]] = {}
    members = [*customers, *(who for who, standing in aliases.items() if standing in customers)]
    for row in await connection.fetch(sql.platforms, tenant_id, members, list(channels)):
        told_at.setdefault(aliases.get(row["contact_id"], row["contact_id"]), set()).add(row["platform"])
    realms = {slug: channel.realm for slug, channel in channels.items()}
    people = await asyncio.to_thread(_people, rows, realms, relations, customers, told_at, day_of(now), weights)
    return Network(people, {row["contact_id"]: row for row in rows}, aliases, channels)


def _people(
    rows: Iterable[asyncpg.Record],
    realms: Mapping[str, Realm],
    relations: Mapping[UUID, Relation],
    customers: Collection[UUID],
    told_at: Mapping[UUID, Collection[str]],
    day: int,
    weights: Weights,
) -> list[Somebody]:
    found = []
    for row in rows:
        who = row["contact_id"]
        relationship = unpack(row)
        standing = halves.standing(relationship.strength, realms, day, weights=weights)
        found.append(
            Somebody(
                contact_id=who,
                score=row["score"],
                stage=row["stage"],
                half=cast(Half, row["half"]),
                firsts={slug: one.first_at for slug, one in relationship.channels.items()},
                online=standing.online,
                in_person=standing.in_person,
                depth=standing.depth,
                two_way=standing.two_way,
                customer=who in customers,
                relation=row["relation"] or relations.get(who),
                told_at=frozenset(told_at.get(who, ())),
            )
        )
    return found


async def _who_knows_whom(connection: Connection, tenant_id: UUID, network: Network) -> dict[UUID, set[UUID]]:
    """Without those who only met in a sensitive place."""
    pairs = await connection.fetch(queries("network").pairs, tenant_id)
    together = await connection.fetch(queries("network").together, tenant_id, network.sensitive)
    standing = network.aliases

    def known() -> dict[UUID, set[UUID]]:
        return halves.knowing(
            ((standing.get(one, one), standing.get(other, other)) for one, other in pairs),
            ([standing.get(who, who) for who in row["contact_ids"]] for row in together),
        )

    return await asyncio.to_thread(known)


def _movers(
    network: Network,
    known: Mapping[UUID, Collection[UUID]],
    booked: Mapping[UUID, asyncpg.Record],
    tenant: Tenant,
    now: datetime,
) -> list[Mover]:
    around = Surroundings(tenant.tenant_id, tenant.locality, now, Place(tenant.country, tenant.time_zone))
    ahead = {network.aliases.get(who, who): row for who, row in booked.items()}
    candidates = (
        (
            _candidate(
                one, network.rows[one.contact_id], ahead.get(one.contact_id), len(known.get(one.contact_id, ()))
            ),
            one.half,
        )
        for one in network.people
        if one.half in ("online_only", "in_person_only")
    )
    return halves.movers(candidates, around)


def _candidate(one: Somebody, row: asyncpg.Record, ahead: asyncpg.Record | None, shared: int) -> Candidate:
    return Candidate(
        contact_id=one.contact_id,
        score=one.score,
        stage=one.stage,
        given=row["given"],
        received=row["received"],
        online=one.online,
        met_at=row["met_at"],
        locality=row["locality"],
        within_reach=row["within_reach"],
        closed=row["closed"],
        left_alone=row["leave_alone"],
        strained_at=row["strained_at"],
        shared_contacts=shared,
        booked=ahead is not None and ahead["booked"],
        occasion_at=None if ahead is None else ahead["occasion_at"],
    )


def _mover(one: Mover, known: Mapping[UUID, Person]) -> MoverView:
    person = known.get(one.contact_id, Person(one.contact_id, None))
    return MoverView(person, one.to, one.score, one.shared_contacts, one.fresh, one.ask_reach)


def _overlap(
    network: Network,
    known: Mapping[UUID, Collection[UUID]],
    movers: list[MoverView],
    now: datetime,
    position: int,
) -> Overlap:
    people, realms = network.people, network.realms
    met, lags = halves.met(people), halves.lags(people, realms, now)
    depth = halves.depth_by_origin(people, realms)
    facts = Counter(one.half for one in people)
    active = Counter(halves.active_half(one.online, one.in_person) for one in people)
    return Overlap(
        headline=halves.headline(met),
        met=MetView(met.blended, met.of, _share(met)),
        half=HalfCounts(facts["online_only"], facts["in_person_only"], facts["both"], facts["named_only"]),
        active_half=ActiveCounts(active["blended"], active["online_only"], active["in_person_only"], active["quiet"]),
        blended=_blend(halves.blend(people)),
        by_stage=_by_stage(people),
        trend=FactTrend(
            _share(halves.both_by(people, realms, now)), _share(halves.both_by(people, realms, now - TREND))
        ),
        next_to_move=movers,
        online_to_in_person=_lag(lags["virtual"]),
        in_person_to_online=_lag(lags["physical"]),
        depth_online=_depth(depth.get("virtual")),
        depth_in_person=_depth(depth.get("physical")),
        relations=_relations(people),
        bridging=_bridging(people, known),
        as_of=now,
        position=position,
    )


def _share(found: Blend) -> float | None:
    return None if found.share is None else round(found.share, 3)


def _blend(found: Blend) -> BlendView:
    return BlendView(found.blended, found.of, _share(found))


def _by_stage(people: Iterable[Somebody]) -> list[StageBlend]:
    return [
        StageBlend(stage_of(stage), one.blended, one.of, _share(one))
        for stage, one in halves.blend_by_stage(people).items()
    ]


def _lag(found: Lag) -> LagView:
    wait = found.wait
    median, low, high = (_rounded(value) for value in (wait.median, wait.low, wait.high))
    return LagView(wait.ended, wait.going_on, median, low, high, _rounded(found.typical))


def _rounded(value: float | None, places: int = 1) -> float | None:
    return None if value is None else round(value, places)


def _depth(found: Mean | None) -> DepthView:
    if found is None:
        return DepthView(0, None, None, None)
    return DepthView(found.cases, *(_rounded(value, 3) for value in (found.value, found.low, found.high)))


def _relations(people: Iterable[Somebody]) -> RelationsView:
    counts = Counter(one.relation for one in people)
    told = {relation: count for relation, count in counts.items() if relation is not None}
    return RelationsView(dict(sorted(told.items())), counts[None], halves.relation_gaps(told))


def _bridging(people: Sequence[Somebody], known: Mapping[UUID, Collection[UUID]]) -> BridgingView:
    found = halves.bridging(people, known)
    share = round(found.bridges / found.of, 3) if found.of else None
    return BridgingView(found.bridges, found.of, share, found.communities, round(found.effective, 1), found.alone)


async def outposts(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 50,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Outposts:
    """As of `now`, with up to `limit` channels and ways. Raises Behind."""
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        network = await read_network(connection, tenant, now)
        today = day_of(now)
        rows = await connection.fetch(
            queries("network").own_acts, tenant.tenant_id, today - YEAR_DAYS, today - halves.PRESENCE_DAYS, today
        )
    acts = {row["slug"]: Acts(row["days"], row["gives"], row["promotes"]) for row in rows}
    return await asyncio.to_thread(_outposts, network, acts, now, limit, position)


def _outposts(network: Network, acts: Mapping[str, Acts], now: datetime, limit: int, position: int) -> Outposts:
    people, channels = network.people, network.channels
    places, fresh = halves.outposts(channels), halves.new_two_way(people, now)
    onward = halves.onward(people, halves.hubs(channels), now)
    uses = [
        _use(channel, people, acts.get(slug, Acts()), onward.get(slug, halves.Onward(0, 0)))
        for slug, channel in channels.items()
        if not channel.sensitive
    ]
    uses.sort(key=lambda one: (-one.contacts, one.slug))
    ways = halves.feeding(people, network.sensitive)
    return Outposts(
        missing=[
            MissingOutpost(slug, channels[slug].name, customers, round(score, 1), acts.get(slug, Acts()).days)
            for slug, customers, score in halves.missing_outposts(people, places, acts)[:limit]
        ],
        idle=[
            IdleOutpost(slug, channels[slug].name, acts[slug].days, born)
            for slug, born in halves.idle_outposts(fresh, places, acts)[:limit]
        ],
        customers=sum(one.customer for one in people),
        new_two_way=len(fresh),
        channels=uses[:limit],
        more_channels=max(0, len(uses) - limit),
        feeding=[FeedView(way.first, way.second, way.contacts, round(way.days, 1)) for way in ways[:limit]],
        more_ways=max(0, len(ways) - limit),
        as_of=now,
        position=position,
    )


def _use(channel: Channel, people: Sequence[Somebody], acts: Acts, onward: halves.Onward) -> ChannelUse:
    giving = halves.giving(acts)
    return ChannelUse(
        slug=channel.slug,
        name=channel.name,
        realm=channel.realm,
        role=channel.role,
        contacts=sum(channel.slug in one.firsts for one in people),
        customers=sum(one.customer and halves.seen_in(one, channel.slug) for one in people),
        days=acts.days,
        gives=acts.gives,
        promotes=acts.promotes,
        giving=None if giving is None else round(giving.value, 3),
        giving_low=None if giving is None else round(giving.low, 3),
        giving_high=None if giving is None else round(giving.high, 3),
        too_few=giving is None,
        first_seen=onward.of if channel.role == "outpost" else 0,
        to_hub=onward.came if channel.role == "outpost" else 0,
    )
