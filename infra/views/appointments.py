"""Appointments as people read them: what is to come, what waits for an answer, and what became of the rest."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct

from domain import appointments
from domain.appointments import ASKED, AppointmentKind, Party, Shown
from domain.errors import NotFound
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections import merges
from infra.stored_events import decoded
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import Person, names

States = Literal["open", "planned", "to_confirm", "unanswered", "happened", "missed", "cancelled", "all"]
Answer = Literal["happened", "missed", "cancel"]
READS = ("appointments", "contacts")
STATES: dict[States, list[str]] = {
    "open": ["planned", "to_confirm"],
    "all": ["planned", "to_confirm", "unanswered", "happened", "missed", "cancelled"],
}
OPEN: frozenset[States] = frozenset({"open", "planned", "to_confirm"})
ANSWERS: tuple[Answer, ...] = ("happened", "missed", "cancel")
WERE_TO: dict[AppointmentKind, str] = {
    "video_call": "have a video call with",
    "call": "speak with",
    "attendance": "be there with",
    "help": "help",
}


class Attendee(Struct, frozen=True):
    """Somebody of an appointment. `came` is null as long as nobody said."""

    contact_id: UUID
    name: str | None
    came: bool | None


class AppointmentView(Struct, frozen=True, kw_only=True):
    """`when` has the times in the business's own zone. After its end a `question` waits for one of the `answers`.

    `to_confirm` waits, `unanswered` waited too long: nothing is assumed. `by` says who cancelled or did not come.
    `touchpoint_id` is that of what happened. Its `version` sent back as If-Match guards a change.
    """

    id: UUID
    state: Shown
    starts_at: Instant
    ends_at: Instant
    when: str
    channel: str
    kind: AppointmentKind
    people: list[Attendee]
    note: str | None
    question: str | None
    answers: list[Answer]
    by: Party | None
    touchpoint_id: UUID | None
    source: str | None
    source_id: str | None
    version: int


class OneAppointment(AppointmentView, frozen=True, kw_only=True):
    position: int


class NextAppointment(Struct, frozen=True):
    """The next meeting planned with somebody."""

    id: UUID
    starts_at: Instant
    ends_at: Instant
    channel: str
    kind: AppointmentKind


class Filter(Struct, frozen=True, kw_only=True):
    """Which appointments: those that are not over before `since` and begin before `until`, with `contact_id`."""

    state: States = "open"
    since: datetime | None = None
    until: datetime | None = None
    contact_id: UUID | None = None


async def page(
    context: Context,
    tenant: Tenant,
    which: Filter,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[AppointmentView]:
    """By start, the earliest first. Raises Invalid for a bad cursor, Behind."""
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after)
    now = datetime.now(UTC)
    async with reading(context.pool, tenant.tenant_id) as connection:
        who = which.contact_id
        group = None if who is None else await merges.everybody(connection, tenant.tenant_id, who)
        rows = await connection.fetch(
            getattr(queries("appointments"), _statement(which)), tenant.tenant_id, group, now, now - ASKED,
            STATES.get(which.state, [which.state]), which.since, which.until, *keys, limit + 1,
        )  # fmt: skip
        shown, last = cut(rows, limit)
        items = await _views(context, tenant, connection, shown, now)
    return Page(items, None if last is None else cursor(last["starts_at"], last["appointment_id"]), position)


def _statement(which: Filter) -> str:
    if which.contact_id is not None:
        return "page_of_contact"
    return "page_open" if which.state in OPEN else "page"


async def one(context: Context, tenant: Tenant, appointment_id: UUID, *, after: int | None = None) -> OneAppointment:
    """Raises NotFound, Behind."""
    position = await reached(context, tenant, READS, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("appointments").one, tenant.tenant_id, appointment_id)
        if row is None:
            raise NotFound("there is no such appointment")
        [view] = await _views(context, tenant, connection, [row], datetime.now(UTC))
    fields = {name: getattr(view, name) for name in view.__struct_fields__}
    return OneAppointment(**fields, position=position)


async def next_with(
    connection: Connection, tenant_id: UUID, group: list[UUID], *, now: datetime
) -> NextAppointment | None:
    """The next one planned with one of contacts that are one that has not ended; None where none is."""
    row = await connection.fetchrow(queries("appointments").next_with, tenant_id, group, now)
    return None if row is None else NextAppointment(*row.values())


async def soon_met(connection: Connection, tenant_id: UUID, *, now: datetime, until: datetime) -> dict[UUID, datetime]:
    """The contacts with whom something is planned until then, and when first."""
    rows = await connection.fetch(queries("appointments").soon_met, tenant_id, now, until)
    return {row["contact_id"]: row["starts_at"] for row in rows}


async def _views(
    context: Context, tenant: Tenant, connection: Connection, rows: Sequence[asyncpg.Record], now: datetime
) -> list[AppointmentView]:
    people: dict[UUID, list[Attendee]] = {row["appointment_id"]: [] for row in rows}
    found = await connection.fetch(queries("appointments").people, tenant.tenant_id, list(people))
    known = await names(connection, tenant.tenant_id, {person["contact_id"] for person in found})
    for person in found:
        who = known.get(person["contact_id"], Person(person["contact_id"], None))
        attendee = Attendee(who.id, who.name, person["came"])
        people[person["appointment_id"]].append(attendee)
    zone = ZoneInfo(tenant.time_zone)
    return [
        _view(row, event.personal.note, people[row["appointment_id"]], zone, now)
        for row, event in await decoded(context, tenant, connection, rows)
    ]


def _view(
    row: asyncpg.Record, note: str | None, people: list[Attendee], zone: ZoneInfo, now: datetime
) -> AppointmentView:
    state = appointments.shown(row["state"], row["ends_at"], now=now)
    when = in_words(row["starts_at"], row["ends_at"], zone)
    asks = state == "to_confirm"
    return AppointmentView(
        id=row["appointment_id"],
        state=state,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        when=when,
        channel=row["channel"],
        kind=row["kind"],
        people=people,
        note=note,
        question=_question(row["kind"], people, when) if asks else None,
        answers=list(ANSWERS) if asks else [],
        by=row["by"],
        touchpoint_id=row["touchpoint_id"] if state == "happened" else None,
        source=row["source"],
        source_id=row["source_id"],
        version=row["version_position"],
    )


def _question(kind: AppointmentKind, people: Sequence[Attendee], when: str) -> str:
    return f"Did it happen? You were to {WERE_TO.get(kind, 'meet')} {attendees(people)} on {when}."


def attendees(people: Sequence[Attendee]) -> str:
    """Ana, Ben and 3 more."""
    known = [one.name or "somebody" for one in people]
    if len(known) > 3:
        return f"{', '.join(known[:2])} and {len(known) - 2} more"
    return " and ".join(part for part in (", ".join(known[:-1]), *known[-1:]) if part)


def in_words(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Wednesday 6 May 2026, 10:00 to 11:00 CEST: days and times as they are in that zone."""
    starts, ends = starts_at.astimezone(zone), ends_at.astimezone(zone)
    begins = f"{_day(starts)}, {starts:%H:%M}"
    if starts.tzname() != ends.tzname():
        begins += f" {starts:%Z}"
    day = "" if starts.date() == ends.date() else f"{_day(ends)}, "
    return f"{begins} to {day}{ends:%H:%M %Z}"


def _day(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%B} {at.year}"
