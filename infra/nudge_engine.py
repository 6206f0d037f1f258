"""The engine behind the nudges: a checkpointed process, no projection, so a rebuild never suggests anything.

It sees in later touchpoints what was done, lets expire what nobody did, and suggests. Its events and its checkpoint
commit together; it waits until its projections have seen what it said last.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from domain import events, nudges
from domain.event import Event
from domain.nudges import Candidate, Nudge, NudgeSuggested, Surroundings
from domain.relationships import realm_of
from domain.touchpoints import TouchpointRecorded
from infra import event_log
from infra.commands import CANONICAL, Origin, draft
from infra.context import Context
from infra.database import Connection, queries
from infra.event_log import Append
from infra.projections import network
from infra.tenants import Tenant

BATCH = 5_000
LONGEST_REST = max(rule.rests for rule in nudges.RULES.values())


async def advance(
    context: Context, connection: Connection, tenant: Tenant, from_position: int, to_position: int
) -> None:
    """Read on to `to_position` and say what follows. The caller holds the engine's checkpoint."""
    rows = await connection.fetch(
        queries("event_log").after_of_types, tenant.tenant_id, from_position, [TouchpointRecorded.TYPE], BATCH
    )
    rows = [row for row in rows if row["position"] <= to_position]
    through = rows[-1]["position"] if len(rows) == BATCH else to_position
    said = await think(context, connection, tenant, rows)
    await connection.execute(queries("projector").advance, tenant.tenant_id, "nudge_engine", 1, through, said)


async def think(context: Context, connection: Connection, tenant: Tenant, rows: Sequence[asyncpg.Record]) -> int:
    """What follows from these touchpoints and from the hour; the position of the last event said, 0 for nothing."""
    now = datetime.now(UTC)
    past = await _past(connection, tenant.tenant_id, now)
    said = await _seen_done(connection, tenant, past, rows)
    ended = {event.nudge_id for event in said if isinstance(event, nudges.NudgeDone)}
    said += [event for nudge in past if nudge.nudge_id not in ended for event in nudges.expire(nudge, now)]
    around = Surroundings(tenant.tenant_id, tenant.locality, now, day_began(now, tenant.time_zone))
    if nudges.room(past, around):
        said += nudges.suggest(await _candidates(connection, tenant.tenant_id), past, around)
    return await _say(connection, tenant, said, now)


def day_began(now: datetime, time_zone: str) -> datetime:
    """The start of the tenant's own day."""
    return now.astimezone(ZoneInfo(time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)


async def _past(connection: Connection, tenant_id: UUID, now: datetime) -> list[Nudge]:
    rows = await connection.fetch(queries("nudges").past, tenant_id, now - LONGEST_REST)
    return [Nudge(**dict(row)) for row in rows]


async def _seen_done(
    connection: Connection, tenant: Tenant, past: Sequence[Nudge], rows: Sequence[asyncpg.Record]
) -> list[Event]:
    still_open = {nudge.contact_id: nudge for nudge in past if nudge.state in nudges.OPEN}
    if not still_open or not rows:
        return []
    realms = await network.realms(connection, tenant.tenant_id)
    said: dict[UUID, Event] = {}
    for row in rows:
        fact = events.decode(row["type"], row["version"], row["body"])
        if not isinstance(fact, TouchpointRecorded):
            continue
        for who in still_open.keys() & set(fact.contact_ids):
            for event in nudges.seen_done(still_open[who], fact, row["occurred_at"], realm_of(fact.channel, realms)):
                said.setdefault(still_open[who].nudge_id, event)
    return list(said.values())


async def _candidates(connection: Connection, tenant_id: UUID) -> list[Candidate]:
    rows = await connection.fetch(queries("nudges").online_candidates, tenant_id)
    return [
        Candidate(
            contact_id=row["contact_id"],
            score=row["score"],
            given=row["given"],
            received=row["received"],
            online=row["online_points"],
            met_at=row["met_at"],
            locality=row["locality"],
            within_reach=row["within_reach"],
            closed=row["closed"],
            shared_contacts=row["shared_contacts"],
            touchpoint_ids=tuple(row["touchpoint_ids"]),
        )
        for row in rows
    ]


async def _say(connection: Connection, tenant: Tenant, said: Sequence[Event], now: datetime) -> int:
    """Append, each by itself, under ids that a second try gives again."""
    if not said:
        return 0
    meta = CANONICAL.encode(Origin(actor="nudge_engine", source="worker"))
    appends = [
        Append(
            tenant.tenant_id,
            (draft(event, _event_id(event), now, tenant, {}),),
            tenant.keys.fingerprint(CANONICAL.encode(event)),
            meta,
            subjects=event.subjects,
        )
        for event in said
    ]
    verdicts = await event_log.append_now(connection, appends, waits=True)
    return max((verdict.position or 0 for verdict in verdicts), default=0)


def _event_id(event: Event) -> UUID:
    if isinstance(event, NudgeSuggested):
        return event.nudge_id
    data = msgspec.to_builtins(event)
    return uuid5(UUID(data["nudge_id"]), event.TYPE)
