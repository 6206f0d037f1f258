"""Contacts: the list with its filters, one contact, its timeline."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import asdict

from domain import contacts
from domain.contacts import Close, Ending, Often, Relation, Within
from domain.errors import NotFound
from domain.policy import NudgeKind
from domain.relationships import STRAIN, Half, day_of, day_start, strained_until
from domain.rhythm import Status, reaching_back
from domain.strength import STAGES
from domain.touchpoints import About, Act, Direction, Kind, TouchpointRecorded
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections import merges
from infra.projections.nudges import policy_of
from infra.projections.relationships import away_of, unpack_rhythm
from infra.stored_events import decoded
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint, build_of, now_of
from infra.views import appointments, referrals
from infra.views.appointments import NextAppointment
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import ContactReferrals, VouchesView
from infra.views.rhythm import RhythmView, told

Sort = Literal["strength", "name", "last_touch", "silence"]
Stage = Literal["named_only", "by_sight", "acquaintance", "familiar", "ally", "advocate"]
READS = ("contacts", "relationships")


class Identity(Struct, frozen=True):
    platform: str
    handle: str


class Interest(Struct, frozen=True):
    topic: str
    learned_at: str | None
    in_confidence: bool
    noted_at: Instant


class Mute(Struct, frozen=True):
    kind: NudgeKind
    until: Instant


class Statement(Struct, frozen=True):
    """What the owner told: shown *as you told us*, it adds no points."""

    known_since: date | None
    how_often: Often | None
    how_close: Close | None
    by: str | None
    stated_at: Instant | None


class ContactRow(Struct, frozen=True, kw_only=True):
    """A contact in a list. `strength` is 0 to 100 and, with stage, as of `scored_at`, the start of a UTC day.

    `half` is by facts ever; `met_at` is the first touch in person; `closed` says why no nudge will come again.
    `rhythm`, of the same day, is null for somebody never in touch and for a closed relationship.
    `strained_until`: there was a complaint or dispute, and for 90 days no nudge to keep in touch; null where not.
    """

    id: UUID
    name: str | None
    hint: str | None
    identities: list[Identity]
    locality: str | None
    relation: Relation | None
    strength: float
    stage: Stage
    half: Half
    channels: list[str]
    touchpoints: int
    met_at: Instant | None
    first_touch_at: Instant | None
    last_touch_at: Instant | None
    scored_at: Instant
    rhythm: RhythmView | None
    closed: Ending | None
    strained_until: Instant | None


class MergedContact(Struct, frozen=True):
    """A contact that is one with the one that stands for it, by its own name or first identity, and what it was merged
    into: that one, or another of those it stands for."""

    id: UUID
    name: str | None
    into_id: UUID


class ContactView(ContactRow, frozen=True, kw_only=True):
    """One contact. `version` is the position of its last fact: sent back as If-Match it guards a change.

    Asked by the id of a `merged` contact, this is the one that stands for it. `leave_alone`: no nudge is about them.
    `muted`: no nudge of this kind, until then.
    """

    referrals: ContactReferrals
    vouches: VouchesView
    interests: list[Interest]
    stated: Statement | None
    within_reach: Within | None
    next_appointment: NextAppointment | None
    leave_alone: bool
    muted: list[Mute]
    merged: list[MergedContact]
    version: int
    position: int


class Moment(Struct, frozen=True, kw_only=True):
    """A touchpoint in a contact's timeline. `struck` ones do not count any more.

    `bulk` ones weigh nothing: the same words of ours went to five people within a day.
    """

    event_id: UUID
    position: int
    kind: Kind
    occurred_at: Instant
    recorded_at: Instant
    channel: str
    direction: Direction
    contact_ids: list[UUID]
    act: Act | None
    about: About | None
    minutes: int | None
    depth: int | None
    audience: int | None
    automated: bool
    bulk: bool
    topics: list[str]
    note: str | None
    source: str | None
    source_id: str | None
    struck: bool


class Filter(Struct, frozen=True, kw_only=True):
    """Which contacts: `q` in name or handle, `quiet_days` without a touch (days away left out), `min_strength` of 100,
    rhythm `status`, and whether a complaint or dispute strains them."""

    q: str | None = None
    stage: Stage | None = None
    half: Half | None = None
    channel: str | None = None
    quiet_days: int | None = None
    min_strength: float | None = None
    status: Status | None = None
    strained: bool | None = None


async def page(
    context: Context,
    tenant: Tenant,
    which: Filter,
    *,
    sort: Sort = "strength",
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> Page[ContactRow]:
    """One page of contacts. Raises Invalid for a bad cursor, Behind when the view does not reach `after` in time."""
    keys = _sort_keys(sort, given_cursor)
    position = await reached(context, tenant, READS, after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        quiet_since = (
            None if which.quiet_days is None else await _quiet_since(connection, tenant, which.quiet_days, now)
        )
        rows = await connection.fetch(
            getattr(queries("contacts"), f"page_by_{sort}"), tenant.tenant_id, *_conditions(which, quiet_since),
            limit + 1, *keys, which.strained, now - STRAIN,
        )  # fmt: skip
        shown, last = cut(rows, limit)
        ids = [row["contact_id"] for row in shown]
        known = await identities(connection, tenant.tenant_id, ids)
        merged = await _merged(connection, tenant.tenant_id, ids)
    items = [
        _row(_united(row, merged.get(row["contact_id"], [])), known.get(row["contact_id"], []), now) for row in shown
    ]
    return Page(items, None if last is None else cursor(_sort_key(sort, last), last["contact_id"]), position)


async def _quiet_since(connection: Connection, tenant: Tenant, quiet_days: int, now: datetime) -> datetime:
    """When so many days of silence began; the days the business was away are none."""
    away = away_of(await policy_of(connection, tenant.tenant_id))
    return now - timedelta(days=reaching_back(quiet_days, day_of(now), away))


def _conditions(which: Filter, quiet_since: datetime | None) -> tuple[object, ...]:
    like = (
        None if which.q is None else "%" + which.q.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    )
    stage = None if which.stage is None else STAGES.index(which.stage)
    return like, stage, which.half, which.channel, quiet_since, which.min_strength, which.status


def _sort_keys(sort: Sort, given: str | None) -> tuple[object, object]:
    keys = keys_of(given, KEYS[sort])
    if keys is None:
        return None, None
    if sort == "last_touch" and keys[0] is None:
        return NEVER, keys[1]
    return keys[0], keys[1]


NEVER = datetime.min.replace(tzinfo=UTC)
KEYS: dict[Sort, type[tuple[object, UUID]]] = {
    "strength": tuple[float, UUID],
    "name": tuple[str, UUID],
    "last_touch": tuple[datetime | None, UUID],
    "silence": tuple[float, UUID],
}


def _sort_key(sort: Sort, row: asyncpg.Record) -> object:
    match sort:
        case "strength":
            return row["score"]
        case "name":
            return row["sort_name"]
        case "last_touch":
            return row["last_touch_at"]
        case "silence":
            return -1.0 if row["silence_ratio"] is None else row["silence_ratio"]


async def identities(connection: Connection, tenant_id: UUID, contact_ids: list[UUID]) -> dict[UUID, list[Identity]]:
    """Of standing contacts: their own, then those of whom they stand for."""
    found: dict[UUID, list[Identity]] = {}
    for row in await connection.fetch(queries("contacts").identities, tenant_id, contact_ids):
        found.setdefault(row["contact_id"], []).append(Identity(row["platform"], row["handle"]))
    return found


async def _merged(connection: Connection, tenant_id: UUID, contact_ids: list[UUID]) -> dict[UUID, list[asyncpg.Record]]:
    """By standing contact, what was told of those merged into it."""
    found: dict[UUID, list[asyncpg.Record]] = {}
    for row in await connection.fetch(queries("contacts").merged, tenant_id, contact_ids):
        found.setdefault(row["standing_id"], []).append(row)
    return found


def _united(row: asyncpg.Record, merged: Sequence[asyncpg.Record]) -> Mapping[str, Any]:
    """The row with what it does not tell itself from those merged into it, in their order."""
    own, people = dict(row), [dict(row), *map(dict, merged)]
    return own | {field: contacts.united(field, people) for field in contacts.WORDS if merged and field in own}


def _row(row: Mapping[str, Any], known: list[Identity], now: datetime) -> ContactRow:
    return ContactRow(
        id=row["contact_id"],
        name=row["name"],
        hint=row["hint"],
        identities=known,
        locality=row["locality"],
        relation=row["relation"],
        strength=row["score"] or 0.0,
        stage=stage_of(row["stage"] or 0),
        half=row["half"] or "named_only",
        channels=row["channels"] or [],
        touchpoints=row["touchpoints"] or 0,
        met_at=row["met_at"],
        first_touch_at=row["first_touch_at"],
        last_touch_at=row["last_touch_at"],
        scored_at=day_start(row["scored_day"] or 0),
        rhythm=told(unpack_rhythm(row["rhythm"])),
        closed=row["closed"],
        strained_until=strained_until(row["strained_at"], now),
    )


def stage_of(number: int) -> Stage:
    return cast(Stage, STAGES[number])


async def one(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    *,
    after: int | None = None,
    seen: Viewpoint | None = None,
) -> ContactView:
    """One contact. Raises NotFound, Behind."""
    position = await reached(context, tenant, (*READS, *referrals.READS, "appointments", "nudges"), after, seen)
    now = now_of(seen)
    async with reading(context.pool, tenant.tenant_id, build=build_of(seen)) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        own = await connection.fetchrow(queries("contacts").one, tenant.tenant_id, group[0])
        if own is None:
            raise NotFound("there is no such contact")
        merged = (await _merged(connection, tenant.tenant_id, group[:1])).get(group[0], [])
        known = await identities(connection, tenant.tenant_id, group[:1])
        called = await _handles(connection, tenant.tenant_id, [one["contact_id"] for one in merged])
        interests = await connection.fetch(queries("contacts").interests, tenant.tenant_id, group)
        referred, vouches = await referrals.of_contact(connection, tenant.tenant_id, group)
        meeting = await appointments.next_with(connection, tenant.tenant_id, group, now=now)
        mutes = await connection.fetch(queries("nudges").mutes, tenant.tenant_id, group, now)
    row = _united(own, merged)
    return ContactView(
        **asdict(_row(row, known.get(group[0], []), now)),
        referrals=referred,
        vouches=vouches,
        interests=[Interest(i["topic"], i["learned_at"] or None, i["in_confidence"], i["noted_at"]) for i in interests],
        stated=_statement(row),
        within_reach=row["within_reach"],
        next_appointment=meeting,
        leave_alone=row["leave_alone"],
        muted=[Mute(mute["kind"], mute["until"]) for mute in mutes],
        merged=[
            MergedContact(one["contact_id"], one["name"] or called.get(one["contact_id"]), one["into_id"])
            for one in merged
        ],
        version=row["stream_position"],
        position=position,
    )


async def _handles(connection: Connection, tenant_id: UUID, contact_ids: list[UUID]) -> dict[UUID, str]:
    """The first identity of each of these contacts, merged or not."""
    rows = await connection.fetch(queries("contacts").handles, tenant_id, contact_ids)
    return {row["contact_id"]: row["handle"] for row in rows}


def _statement(row: Mapping[str, Any]) -> Statement | None:
    if row["stated_at"] is None:
        return None
    return Statement(row["known_since"], row["how_often"], row["how_close"], row["stated_by"], row["stated_at"])


async def timeline(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[Moment]:
    """A contact's touchpoints, with those of whom it stands for, each once; the newest first, struck ones among them.

    Raises NotFound, Invalid, Behind.
    """
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, ("contacts", "timeline"), after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        group = await merges.everybody(connection, tenant.tenant_id, contact_id)
        if not await connection.fetchval(queries("contacts").exists, tenant.tenant_id, group[0]):
            raise NotFound("there is no such contact")
        rows = await connection.fetch(queries("timeline").page, tenant.tenant_id, group, *keys, limit + 1)
        shown, last = cut(rows, limit)
        items = [
            _moment(row, cast(TouchpointRecorded, fact))
            for row, fact in await decoded(context, tenant, connection, shown)
        ]
    return Page(items, None if last is None else cursor(last["occurred_at"], last["touchpoint_id"]), position)


def _moment(row: asyncpg.Record, fact: TouchpointRecorded) -> Moment:
    return Moment(
        event_id=fact.touchpoint_id,
        position=row["position"],
        kind=fact.kind,
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        channel=fact.channel,
        direction=fact.direction,
        contact_ids=list(fact.contact_ids),
        act=fact.act,
        about=fact.about,
        minutes=fact.minutes,
        depth=fact.depth,
        audience=fact.audience,
        automated=fact.automated,
        bulk=row["bulk"],
        topics=list(fact.topics),
        note=fact.personal.note,
        source=fact.source,
        source_id=fact.source_id,
        struck=row["struck_at_position"] is not None,
    )
