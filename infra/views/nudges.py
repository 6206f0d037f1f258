"""Nudges as people read them: what to do, why now, the numbers behind it, the facts it rests on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct

from domain import choosing, policy, rhythm
from domain.nudges import OPEN, Because, State
from domain.policy import NudgeKind, Place, Policy
from domain.relationships import day_of
from domain.rhythm import Away
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.projections.nudges import past_of, policy_of
from infra.projections.relationships import away_of
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of
from infra.views.referrals import Person, names

States = Literal["open", "suggested", "accepted", "snoozed", "dismissed", "done", "expired", "all"]
READS = ("nudges", "contacts", "timeline", "network", "referrals")
STATES: dict[States, list[str]] = {
    "open": ["suggested", "accepted", "due"],
    "all": ["suggested", "accepted", "snoozed", "dismissed", "done", "expired"],
}
Numbers = dict[str, float]


class NudgeView(Struct, frozen=True, kw_only=True):
    """`title` says what to do, `reason` why now, `why` which values set it off: all `numbers`, with the
    `touchpoint_ids` behind them. A `question` waits for an answer. `because` says why one ended before its time.
    """

    id: UUID
    kind: NudgeKind
    state: State
    priority: int
    contact_id: UUID
    contact_name: str | None
    title: str
    reason: str
    why: str
    numbers: Numbers
    touchpoint_ids: list[UUID]
    referral_id: UUID | None
    question: str | None
    suggested_at: Instant
    expires_at: Instant
    snoozed_until: Instant | None
    ended_at: Instant | None
    because: Because | None
    done_by: UUID | None


class PolicyView(Struct, frozen=True, kw_only=True):
    """The policy in force, since `set_at`; null where it is the standard one and never was another.

    `open_now`: something may be suggested now; it may again from `opens_at`, null where that is not within two years.
    `slowed` kinds come half as often, as more than half of the last ten were dismissed.
    """

    policy: Policy
    set_at: Instant | None
    open_now: bool
    opens_at: Instant | None
    slowed: list[NudgeKind]
    position: int


class Told(Struct, frozen=True):
    """What a reason is told from: how the contact is called, the values, and where they are known, the last time they
    were in touch and the referral it is about. `days` have gone by since it was suggested, those away left out."""

    contact: Person
    name: str
    numbers: Numbers
    days: int
    last: asyncpg.Record | None
    handed: asyncpg.Record | None
    prospect: str
    time_zone: str


async def page(
    context: Context,
    tenant: Tenant,
    *,
    state: States = "open",
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[NudgeView]:
    """The newest first. `open` are the suggested, the accepted, and the snoozed whose time has come."""
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    position = await reached(context, tenant, READS, after)
    now = datetime.now(UTC)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(
            queries("nudges").page, tenant.tenant_id, STATES.get(state, [state]), now, *keys, limit + 1
        )
        shown, last = cut(rows, limit)
        told = await _told(connection, tenant, shown, now)
    items = [_view(row, told[row["nudge_id"]]) for row in shown]
    return Page(items, None if last is None else cursor(last["suggested_at"], last["nudge_id"]), position)


async def in_force(context: Context, tenant: Tenant, *, after: int | None = None) -> PolicyView:
    """The policy. Raises Behind."""
    position = await reached(context, tenant, ("nudges",), after)
    now, place = datetime.now(UTC), Place(tenant.country, tenant.time_zone)
    async with reading(context.pool, tenant.tenant_id) as connection:
        row = await connection.fetchrow(queries("nudges").policy, tenant.tenant_id)
        known = await policy_of(connection, tenant.tenant_id)
        past = await past_of(connection, tenant.tenant_id, now)
    return PolicyView(
        policy=known,
        set_at=None if row is None else row["set_at"],
        open_now=policy.is_open(known, now, place),
        opens_at=policy.next_opening(known, now, place),
        slowed=sorted(choosing.slowed(past)),
        position=position,
    )


async def _told(
    connection: Connection, tenant: Tenant, rows: Sequence[asyncpg.Record], now: datetime
) -> dict[UUID, Told]:
    """By nudge. Of the facts behind it the first is the latest."""
    sql = queries("nudges")
    behind = [(row["contact_id"], row["touchpoint_ids"][0]) for row in rows if row["touchpoint_ids"]]
    columns = map(list, zip(*behind, strict=True)) if behind else ([], [])
    last = {
        (one["contact_id"], one["touchpoint_id"]): one
        for one in await connection.fetch(sql.last_times, tenant.tenant_id, *columns)
    }
    about = [row["referral_id"] for row in rows if row["referral_id"]]
    handed = {one["referral_id"]: one for one in await connection.fetch(sql.handed, tenant.tenant_id, about)}
    people = [row["contact_id"] for row in rows] + [one["prospect_id"] for one in handed.values()]
    known = await names(connection, tenant.tenant_id, people)
    away = away_of(await policy_of(connection, tenant.tenant_id))
    told = {}
    for row in rows:
        referral = handed.get(row["referral_id"])
        prospect = known.get(referral["prospect_id"]) if referral else None
        contact = known.get(row["contact_id"], Person(row["contact_id"], None))
        told[row["nudge_id"]] = Told(
            contact=contact,
            name=contact.name or "this contact",
            numbers=msgspec.json.decode(row["numbers"], type=Numbers),
            days=_days_since(row["suggested_at"], now, away) if row["state"] in OPEN else 0,
            last=last.get((row["contact_id"], next(iter(row["touchpoint_ids"]), None))),
            handed=referral,
            prospect=(prospect and prospect.name) or "somebody",
            time_zone=tenant.time_zone,
        )
    return told


def _days_since(at: datetime, now: datetime, away: Away) -> int:
    return max(0, (now - at).days - rhythm.days_away(day_of(at), day_of(now), away))


def _view(row: asyncpg.Record, told: Told) -> NudgeView:
    kind: NudgeKind = row["kind"]
    return NudgeView(
        id=row["nudge_id"],
        kind=kind,
        state=row["state"],
        priority=row["priority"],
        contact_id=told.contact.id,
        contact_name=told.contact.name,
        title=TITLES[kind],
        reason=REASONS[kind](told),
        why=WHYS[kind](told) + _besides(told),
        numbers=told.numbers,
        touchpoint_ids=row["touchpoint_ids"],
        referral_id=row["referral_id"],
        question=QUESTIONS.get(row["question"]) if row["state"] in ("suggested", "snoozed") else None,
        suggested_at=row["suggested_at"],
        expires_at=row["expires_at"],
        snoozed_until=row["snoozed_until"],
        ended_at=row["ended_at"],
        because=row["because"],
        done_by=row["done_by"],
    )


def _thank_referrer(told: Told) -> str:
    if told.handed is None:
        return f"{told.name} sent you somebody. Thank them in two lines of your own, not by a template."
    day = told.handed["made_at"].astimezone(ZoneInfo(told.time_zone)).date()
    return (
        f"{told.name} sent you {told.prospect} on {day:%-d %B %Y}; {FATES[told.handed['status']]}."
        " Thank them in two lines of your own, not by a template."
    )


def _why_thank_referrer(told: Told) -> str:
    return f"{told.numbers['hours']:g} hours after the referral nobody had said thanks for it."


def _meet_in_person(told: Told) -> str:
    shared = int(told.numbers["shared_contacts"])
    together = f" You share {shared} contact{'s' if shared > 1 else ''}." if shared else ""
    return (
        f"You and {told.name} talk online, both ways (strength {told.numbers['score']:g},"
        f" {told.numbers['online_points']:g} points online), and have never met.{together}"
        " Meet for a coffee in a public place, or over video: either is fine."
    )


def _why_meet_in_person(told: Told) -> str:
    return (
        f"Strength {told.numbers['score']:g} of 100, online {told.numbers['online_points']:g} points,"
        f" given {told.numbers['given']:g} and received {told.numbers['received']:g}; no touchpoint in person ever."
    )


def _keep_the_rhythm(told: Told) -> str:
    says = "As you told us" if "as_told" in told.numbers else "Usually"
    silent = int(told.numbers["silent_days"]) + told.days
    every = rhythm.every(told.numbers["cadence_days"])
    return f"{says} {every}, now {silent} days.{_last_time(told.last)} A call or a few lines are enough."


def _last_time(last: asyncpg.Record | None) -> str:
    if last is None:
        return ""
    place = f" {'at' if last['realm'] == 'physical' else 'on'} {last['channel_name']}" if last["channel_name"] else ""
    if last["channel"] in PLACELESS:
        place = ""
    about = f", about {' and '.join(last['topics'][:2])}" if last["topics"] else ""
    return f" Last time: {KINDS.get(last['kind'], last['kind'])}{place}{about}."


def _why_keep_the_rhythm(told: Told) -> str:
    numbers = told.numbers
    others = f", of all your relationships {numbers['usual_trend']:+g}" if "usual_trend" in numbers else ""
    return (
        f"Of the gaps between the two of you {numbers['gaps_as_long']:.0%} are as long as {numbers['silent_days']:g}"
        f" days. Strength {numbers['score']:g} of 100; the chance that it goes on is {numbers['still_alive']:.0%};"
        f" trend {numbers['trend']:+g}{others}."
    )


def _besides(told: Told) -> str:
    return " Most of this kind were dismissed lately, so they come half as often." if "slowed" in told.numbers else ""


TITLES: dict[NudgeKind, str] = {
    "thank_referrer": "Say thank you",
    "meet_in_person": "Meet in person",
    "keep_the_rhythm": "Get in touch again",
}
REASONS = {
    "thank_referrer": _thank_referrer,
    "meet_in_person": _meet_in_person,
    "keep_the_rhythm": _keep_the_rhythm,
}
WHYS = {
    "thank_referrer": _why_thank_referrer,
    "meet_in_person": _why_meet_in_person,
    "keep_the_rhythm": _why_keep_the_rhythm,
}
QUESTIONS: dict[str | None, str] = {"within_reach": "within reach?"}
FATES = {
    "open": "nobody has been in touch with them yet",
    "contacted": "you have been in touch",
    "met": "you have met",
    "won": "it became business",
    "lost": "it came to nothing, and thanks are due all the same",
}
KINDS = {
    "direct_message": "a message",
    "chat": "a chat",
    "email": "an e-mail",
    "call": "a call",
    "video_call": "a video call",
    "handshake": "a handshake",
    "meeting": "a meeting",
    "attendance": "the same event",
    "help": "help",
    "advice": "advice",
    "collaboration": "work together",
    "introduction": "an introduction",
    "referral": "a referral",
    "vouch": "a recommendation",
    "purchase": "a purchase",
    "gift": "a gift",
    "comment": "a comment",
    "mention": "a mention",
    "like": "a like",
    "share": "a share",
    "review": "a review",
    "other": "something else",
}
PLACELESS = frozenset({"email", "phone", "in-person"})
