"""The engine behind the nudges: a checkpointed process, no projection, so a rebuild never suggests anything.

It sees in what happened later what was done, lets expire what nobody did, and suggests. It looks at the projections it
follows, not at the log. Its events and its checkpoint commit together; it waits until its projections have seen what it
said last.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from domain import choosing, contacts, nudges, policy
from domain.event import Event
from domain.nudges import Candidate, Handed, Nudge, NudgeSuggested, Surroundings
from domain.policy import Place
from domain.relationships import realm_of
from infra import event_log, metrics
from infra.database import Connection, queries
from infra.event_log import Append
from infra.projections import network, timeline
from infra.projections.nudges import past_of, policy_of
from infra.projections.relationships import unpack_rhythm
from infra.stored_events import CANONICAL, Origin, draft
from infra.tenants import Tenant

OWED = nudges.THANKS_NO_MORE + nudges.RULES["thank_referrer"].lasts + nudges.LONGEST_SNOOZE + nudges.AFTER_SNOOZE
AGAIN_AT_LATEST = timedelta(days=30)


class Thought(Struct, frozen=True):
    """The position of the last event said, 0 for nothing; and when to think again though nothing happens."""

    said: int
    again_at: datetime


class HeadHeld(Exception):
    """Somebody holds the tenant's head: later, so that no other tenant has to wait for that."""


async def advance(connection: Connection, tenant: Tenant, to_position: int) -> None:
    """Say what follows from the log up to `to_position`. The caller holds the engine's checkpoint."""
    thought = await think(connection, tenant)
    await connection.execute(
        queries("projector").advance, tenant.tenant_id, "nudge_engine", 1, to_position, thought.said
    )
    await connection.execute(queries("nudges").due_by, tenant.tenant_id, thought.again_at)


async def think(connection: Connection, tenant: Tenant) -> Thought:
    """What follows from what is known and from the hour.

    What is done or over is said at any hour; suggested is in the opening hours alone. Of a suspended tenant nothing is
    said: it looks at what is so, not at what happened, so all of it is seen when the tenant is resumed.
    """
    now = datetime.now(UTC)
    if tenant.suspended:
        return Thought(0, now + AGAIN_AT_LATEST)
    around = Surroundings(
        tenant_id=tenant.tenant_id,
        locality=tenant.locality,
        now=now,
        place=Place(tenant.country, tenant.time_zone),
        policy=await policy_of(connection, tenant.tenant_id),
    )
    past = await past_of(connection, tenant.tenant_id, now)
    unthanked = await _unthanked(connection, around)
    said: list[Event] = list(await _ended(connection, around, past, unthanked))
    if policy.is_open(around.policy, now, around.place) and choosing.room_today(past, around):
        said += await _suggested(connection, around, past, unthanked)
    return Thought(await _say(connection, tenant, said, past, now), _again_at(around, unthanked))


async def _suggested(
    connection: Connection, around: Surroundings, past: Sequence[Nudge], unthanked: Mapping[UUID, tuple[Handed, ...]]
) -> list[NudgeSuggested]:
    rows = await connection.fetch(queries("nudges").candidates, around.tenant_id, around.now, list(unthanked))
    usual = await connection.fetchrow(queries("nudges").usual_trend, around.tenant_id) if rows else None
    around = replace(around, usual_trend=usual["usual_trend"], people=usual["people"]) if usual else around
    return choosing.suggest(await _candidates(connection, around, rows, unthanked), past, around)


def _again_at(around: Surroundings, unthanked: Mapping[UUID, tuple[Handed, ...]]) -> datetime:
    """When the business opens next, or when in its hours thanks will have been owed for a day."""
    times = [policy.next_opening(around.policy, around.now, around.place), around.now + AGAIN_AT_LATEST]
    owed = [one.made_at + nudges.THANKS_WITHIN for handed in unthanked.values() for one in handed]
    times += [at for at in owed if at > around.now and policy.is_open(around.policy, at, around.place)]
    return min(at for at in times if at is not None)


async def _unthanked(connection: Connection, around: Surroundings) -> dict[UUID, tuple[Handed, ...]]:
    """By referrer, the referrals nobody was thanked for, as far back as a nudge about one may be open."""
    since = around.now - OWED
    found: dict[UUID, tuple[Handed, ...]] = {}
    for row in await connection.fetch(queries("nudges").unthanked, around.tenant_id, since):
        one = Handed(row["referral_id"], row["made_at"], row["touchpoint_id"])
        found[row["referrer_id"]] = (*found.get(row["referrer_id"], ()), one)
    return found


async def _ended(
    connection: Connection, around: Surroundings, past: Sequence[Nudge], unthanked: Mapping[UUID, tuple[Handed, ...]]
) -> list[nudges.Ended]:
    """What was done, and what is over without it."""
    still_open = [nudge for nudge in past if nudge.state in nudges.OPEN]
    if not still_open:
        return []
    said = await _seen_done(connection, around.tenant_id, still_open)
    done = {event.nudge_id for event in said}
    left = [nudge for nudge in still_open if nudge.nudge_id not in done]
    ids = [nudge.contact_id for nudge in left]
    rows = await connection.fetch(queries("nudges").known, around.tenant_id, around.now, ids)
    known = {one.contact_id: one for one in await _candidates(connection, around, rows, unthanked)}
    over = [nudges.expire(nudge, known.get(nudge.contact_id), around.policy, around.now) for nudge in left]
    return said + [event for events in over for event in events]


async def _seen_done(connection: Connection, tenant_id: UUID, still_open: Sequence[Nudge]) -> list[nudges.Ended]:
    """The first fitting deed after each open suggestion, whenever it came to be known."""
    by_contact: dict[UUID, list[Nudge]] = {}
    for nudge in still_open:  # several, where contacts that had one each were merged
        by_contact.setdefault(nudge.contact_id, []).append(nudge)
    realms = await network.realms(connection, tenant_id)
    since = [min(nudge.suggested_at for nudge in theirs) for theirs in by_contact.values()]
    said: dict[UUID, nudges.Ended] = {}
    for row in await connection.fetch(queries("timeline").touches_since, tenant_id, list(by_contact), since):
        touch, at = timeline.touch_of(row), row["occurred_at"]
        for nudge in by_contact[row["contact_id"]]:
            if at > nudge.suggested_at:
                for event in nudges.seen_done(nudge, touch, at, realm_of(touch.context, realms)):
                    said.setdefault(nudge.nudge_id, event)
    return list(said.values())


async def _candidates(
    connection: Connection,
    around: Surroundings,
    rows: Sequence[asyncpg.Record],
    unthanked: Mapping[UUID, tuple[Handed, ...]],
) -> list[Candidate]:
    """What they do not tell themselves is told by those merged into them."""
    ids = [row["contact_id"] for row in rows]
    words = {row["contact_id"]: [dict(row)] for row in rows}
    for row in await connection.fetch(queries("contacts").merged, around.tenant_id, ids):
        words[row["standing_id"]].append(dict(row))
    return [_candidate(row, words[row["contact_id"]], unthanked) for row in rows]


def _candidate(
    row: asyncpg.Record, words: Sequence[Mapping[str, Any]], unthanked: Mapping[UUID, tuple[Handed, ...]]
) -> Candidate:
    return Candidate(
        contact_id=row["contact_id"],
        score=row["score"],
        stage=row["stage"],
        given=row["given"],
        received=row["received"],
        online=row["online_points"],
        met_at=row["met_at"],
        locality=contacts.united("locality", words),
        within_reach=contacts.united("within_reach", words),
        closed=row["removed"] or contacts.united("closed", words) is not None,
        left_alone=contacts.united("leave_alone", words),
        muted=frozenset(row["muted"]),
        strained_at=row["strained_at"],
        shared_contacts=row["shared_contacts"],
        rhythm=unpack_rhythm(row["rhythm"]),
        unthanked=unthanked.get(row["contact_id"], ()),
        booked=row["booked"],
        occasion_at=row["occasion_at"],
        touchpoint_ids=tuple(row["touchpoint_ids"]),
    )


async def _say(
    connection: Connection, tenant: Tenant, said: Sequence[Event], past: Sequence[Nudge], now: datetime
) -> int:
    """Append, each by itself, under ids that a second try gives again. Raises HeadHeld.

    What ends a nudge is said only where nobody answered meanwhile: its stream still ends where the list has it.
    """
    if not said:
        return 0
    meta = CANONICAL.encode(Origin(actor="nudge_engine", source="worker"))
    ends_at = {nudges.stream_of(nudge.nudge_id): nudge.stream_position for nudge in past}
    appends = [
        Append(
            tenant.tenant_id,
            (draft(event, _event_id(event), now, tenant, {}),),
            tenant.keys.fingerprint(CANONICAL.encode(event)),
            meta,
            subjects=event.subjects,
            expected=None if (end := ends_at.get(event.stream)) is None else (event.stream, end),
        )
        for event in said
    ]
    verdicts = await event_log.append_now(connection, appends, waits=True)
    if any(verdict.judgement == "busy" for verdict in verdicts):
        raise HeadHeld
    kinds = {nudges.stream_of(nudge.nudge_id): nudge.kind for nudge in past}
    for event, verdict in zip(said, verdicts, strict=True):
        if verdict.judgement == "recorded":
            kind = event.kind if isinstance(event, NudgeSuggested) else kinds[event.stream]
            metrics.count_nudge(kind, event)
    return max((verdict.position or 0 for verdict in verdicts), default=0)


def _event_id(event: Event) -> UUID:
    if isinstance(event, NudgeSuggested):
        return event.nudge_id
    data = msgspec.to_builtins(event)
    return uuid5(UUID(data["nudge_id"]), event.TYPE)
