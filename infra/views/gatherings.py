"""Gatherings as people read them: what is to come, who wants to come, who was there, and what it led to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from domain import recurrence, yields
from domain.errors import NotFound
from domain.money import Money
from domain.recurrence import Occurrence, Schedule
from domain.yields import FOLLOW_UP, IN_TOUCH_FROM, IN_TOUCH_UNTIL, REFERRED, Guest, Yield
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.links import token_of
from infra.stored_events import decoded
from infra.tenants import Tenant
from infra.views.appointments import in_words
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import Person, names

States = Literal["open", "all"]
State = Literal["planned", "over", "cancelled"]
When = Literal["coming", "past"]
READS = ("gatherings", "contacts")
YIELD_READS = ("gatherings", "contacts", "timeline", "referrals", "relationships")
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_SCHEDULE = msgspec.json.Decoder(Schedule)


class Next(Struct, frozen=True):
    """The next occurrence; `when` in words, in the gathering's own zone."""

    occurrence: date
    starts_at: Instant
    when: str


class GatheringView(Struct, frozen=True, kw_only=True):
    """A gathering as it is planned now. `next` is the next one that takes place, within two years.

    `guests` entered themselves on the public page, which is at `link` while it is open. Its `version` sent back as
    If-Match guards a change.
    """

    id: UUID
    title: str
    channel: str
    state: State
    starts_at: Instant
    minutes: int
    time_zone: str
    place: str | None
    repeats: str | None
    until: date | None
    open: bool
    about: str | None
    cost: Money | None
    next: Next | None
    guests: int
    link: str | None
    version: int


class OneGathering(GatheringView, frozen=True, kw_only=True):
    position: int


class OccurrenceView(Struct, frozen=True, kw_only=True):
    """One time it takes place, called by the day it was planned for. `came` were checked in, `met` of them by us."""

    occurrence: date
    starts_at: Instant
    ends_at: Instant
    when: str
    title: str
    place: str | None
    cancelled: bool
    why: str | None
    came: int
    met: int


class GuestView(Struct, frozen=True):
    """Somebody who entered themselves; `wrote` and `handle` are their own words, `name` the contact's."""

    contact_id: UUID
    name: str | None
    wrote: str | None
    handle: str | None
    entered_at: Instant


class AttendanceView(Struct, frozen=True):
    """Somebody who was there, and the touchpoint that is."""

    occurrence: date
    contact_id: UUID
    name: str | None
    met: bool
    touchpoint_id: UUID


class YieldView(Yield, frozen=True, kw_only=True):
    """What it led to, `in_words` too. Everything is counted from the first time somebody was met there."""

    in_words: list[str]
    occurrences: int
    position: int


async def page(
    context: Context,
    tenant: Tenant,
    *,
    address: str,
    state: States = "open",
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[GatheringView]:
    """The newest first; `open` without those that are over. Public pages are below `address`.

    Raises Invalid for a bad cursor, Behind.
    """
    [last] = keys_of(given_cursor, tuple[int]) or (None,)
    position = await reached(context, tenant, READS, after)
    now = datetime.now(UTC)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(
            queries("gatherings").page, tenant.tenant_id, now if state == "open" else None, last, limit + 1
        )
    shown, last_row = cut(rows, limit)
    items = [_view(row, tenant, address, now) for row in shown]
    return Page(items, None if last_row is None else cursor(last_row["planned_position"]), position)


async def one(
    context: Context, tenant: Tenant, gathering_id: UUID, *, address: str, after: int | None = None
) -> OneGathering:
    """Raises NotFound, Behind."""
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await _row(connection, tenant, gathering_id)
    return OneGathering(**asdict(_view(row, tenant, address, datetime.now(UTC))), position=position)


async def occurrences(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    *,
    when: When = "coming",
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[OccurrenceView]:
    """Those to come, within two years, the next first; or those past, the latest first. Raises NotFound, Invalid."""
    key = keys_of(given_cursor, tuple[datetime, date])
    position = await reached(context, tenant, READS, after)
    now = datetime.now(UTC)
    async with reading(context.pool, tenant.tenant_id) as connection:
        schedule = schedule_of(await _row(connection, tenant, gathering_id))
        found = _listed(schedule, when, now)
        if key is not None:
            found = [one for one in found if (_key(one) > key if when == "coming" else _key(one) < key)]
        shown, last = cut(found, limit)
        days = [one.occurrence for one in shown]
        rows = await connection.fetch(queries("gatherings").came, tenant.tenant_id, gathering_id, days)
    came = {row["occurrence"]: (row["came"], row["met"]) for row in rows}
    items = [_occurrence(one, *came.get(one.occurrence, (0, 0))) for one in shown]
    return Page(items, None if last is None else cursor(*_key(last)), position)


def _listed(schedule: Schedule, when: When, now: datetime) -> list[Occurrence]:
    if when == "coming":
        return recurrence.occurrences(schedule, since=now, until=now + recurrence.AHEAD)
    found = recurrence.occurrences(schedule, since=EARLIEST, until=now)
    return [one for one in reversed(found) if one.ends_at <= now]


def _key(one: Occurrence) -> tuple[datetime, date]:
    return one.starts_at, one.occurrence


async def guests(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[GuestView]:
    """In the order they entered. Raises NotFound, Invalid for a bad cursor, Behind."""
    [last] = keys_of(given_cursor, tuple[int]) or (None,)
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        await _row(connection, tenant, gathering_id)
        rows = await connection.fetch(queries("gatherings").guests, tenant.tenant_id, gathering_id, last, limit + 1)
        shown, last_row = cut(rows, limit)
        told = await decoded(context, tenant, connection, shown)
        known = await names(connection, tenant.tenant_id, {row["contact_id"] for row in shown})
    items = [
        GuestView(*_named(row["contact_id"], known), event.personal.name, event.personal.handle, row["entered_at"])
        for row, event in told
    ]
    return Page(items, None if last_row is None else cursor(last_row["position"]), position)


async def attendance(
    context: Context,
    tenant: Tenant,
    gathering_id: UUID,
    *,
    occurrence: date | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[AttendanceView]:
    """The latest occurrence first, or one only. Raises NotFound, Invalid for a bad cursor, Behind."""
    keys = keys_of(given_cursor, tuple[date, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        await _row(connection, tenant, gathering_id)
        rows = await connection.fetch(
            queries("gatherings").attendance, tenant.tenant_id, gathering_id, occurrence, *keys, limit + 1
        )
        shown, last = cut(rows, limit)
        known = await names(connection, tenant.tenant_id, {row["contact_id"] for row in shown})
    items = [
        AttendanceView(row["occurrence"], *_named(row["contact_id"], known), row["met"], row["touchpoint_id"])
        for row in shown
    ]
    return Page(items, None if last is None else cursor(last["occurrence"], last["contact_id"]), position)


def _named(contact_id: UUID, known: Mapping[UUID, Person]) -> tuple[UUID, str | None]:
    """Who stands for the contact, and what they are called."""
    who = known.get(contact_id, Person(contact_id, None))
    return who.id, who.name


async def led_to(context: Context, tenant: Tenant, gathering_id: UUID, *, after: int | None = None) -> YieldView:
    """What came of it so far. Raises NotFound, Behind."""
    position = await reached(context, tenant, YIELD_READS, after)
    now = datetime.now(UTC)
    async with reading(context.pool, tenant.tenant_id) as connection:
        schedule = schedule_of(await _row(connection, tenant, gathering_id))
        rows = await connection.fetch(
            queries("gatherings").yield_people, tenant.tenant_id, gathering_id, now, FOLLOW_UP, IN_TOUCH_FROM,
            IN_TOUCH_UNTIL, REFERRED,
        )  # fmt: skip
        held = await connection.fetch(queries("gatherings").held, tenant.tenant_id, gathering_id, now)
    people = [Guest(**{name: row[name] for name in Guest.__struct_fields__}) for row in rows]
    found = yields.reckon(people, cost=schedule.plan.cost, held=len(held), now=now)
    return YieldView(**asdict(found), in_words=yields.in_words(found), occurrences=len(held), position=position)


async def _row(connection: Connection, tenant: Tenant, gathering_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(queries("gatherings").one, tenant.tenant_id, gathering_id)
    if row is None:
        raise NotFound("there is no such gathering")
    return row


def schedule_of(row: asyncpg.Record) -> Schedule:
    return _SCHEDULE.decode(row["schedule"])


def _view(row: asyncpg.Record, tenant: Tenant, address: str, now: datetime) -> GatheringView:
    schedule = schedule_of(row)
    plan, coming = schedule.plan, recurrence.coming(schedule, now=now)
    return GatheringView(
        id=row["gathering_id"],
        title=plan.title,
        channel=plan.channel,
        state=_state(schedule, row["over_at"], now),
        starts_at=plan.starts_at,
        minutes=plan.minutes,
        time_zone=plan.time_zone,
        place=plan.place,
        repeats=plan.repeats,
        until=plan.until,
        open=plan.open,
        about=plan.about,
        cost=plan.cost,
        next=_next(coming),
        guests=row["guests"],
        link=None if row["link_id"] is None else f"{address}/g/{token_of(tenant, row['link_id'])}",
        version=row["position"],
    )


def _state(schedule: Schedule, over_at: datetime | None, now: datetime) -> State:
    if schedule.ended is not None:
        return "cancelled"
    return "planned" if over_at is None or over_at > now else "over"


def _next(coming: Sequence[Occurrence]) -> Next | None:
    if not coming:
        return None
    first = coming[0]
    return Next(first.occurrence, first.starts_at, when(first))


def when(one: Occurrence) -> str:
    """Friday 8 May 2026, 17:00 to 19:00 PDT."""
    return in_words(one.starts_at, one.ends_at, one.plan.zone)


def _occurrence(one: Occurrence, came: int, met: int) -> OccurrenceView:
    return OccurrenceView(
        occurrence=one.occurrence,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        when=when(one),
        title=one.plan.title,
        place=one.place,
        cancelled=one.cancelled,
        why=one.why,
        came=came,
        met=met,
    )
