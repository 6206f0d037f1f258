"""The engine behind the nudges: a checkpointed process, no projection, so a rebuild never suggests anything.

It sees in what happened later what was done, lets expire what nobody did, and suggests. It looks at the projections it
follows, not at the log. Its events and its checkpoint commit together; it waits until its projections have seen what it
said last.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from domain import nudges
from domain.event import Event
from domain.nudges import Candidate, Nudge, NudgeSuggested, Surroundings
from domain.relationships import realm_of
from infra import event_log, metrics
from infra.database import Connection, queries
from infra.event_log import Append
from infra.projections import network, timeline
from infra.stored_events import CANONICAL, Origin, draft
from infra.tenants import Tenant

LONGEST_REST = max(rule.rests for rule in nudges.RULES.values())


class HeadHeld(Exception):
    """Somebody holds the tenant's head: later, so that no other tenant has to wait for that."""


async def advance(connection: Connection, tenant: Tenant, to_position: int) -> None:
    """Say what follows from the log up to `to_position`. The caller holds the engine's checkpoint."""
    said = await think(connection, tenant)
    await connection.execute(queries("projector").advance, tenant.tenant_id, "nudge_engine", 1, to_position, said)


async def think(connection: Connection, tenant: Tenant) -> int:
    """What follows from what is known and from the hour; the position of the last event said, 0 for nothing."""
    now = datetime.now(UTC)
    past = await _past(connection, tenant.tenant_id, now)
    said = await _seen_done(connection, tenant.tenant_id, past)
    ended = {event.nudge_id for event in said}
    said += [event for nudge in past if nudge.nudge_id not in ended for event in nudges.expire(nudge, now)]
    around = Surroundings(tenant.tenant_id, tenant.locality, now, day_began(now, tenant.time_zone))
    suggested: list[NudgeSuggested] = []
    if nudges.room(past, around):
        suggested = nudges.suggest(await _candidates(connection, tenant.tenant_id), past, around)
    kinds = {nudges.stream_of(nudge.nudge_id): nudge.kind for nudge in past}
    kinds |= {nudge.stream: nudge.kind for nudge in suggested}
    return await _say(connection, tenant, [*said, *suggested], kinds, now)


def day_began(now: datetime, time_zone: str) -> datetime:
    """The start of the tenant's own day; where that midnight comes twice, the first of them."""
    local = now.astimezone(ZoneInfo(time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


async def _past(connection: Connection, tenant_id: UUID, now: datetime) -> list[Nudge]:
    rows = await connection.fetch(queries("nudges").past, tenant_id, now - LONGEST_REST)
    return [Nudge(**dict(row)) for row in rows]


async def _seen_done(connection: Connection, tenant_id: UUID, past: Sequence[Nudge]) -> list[nudges.Ended]:
    """The first fitting deed after each open suggestion, whenever it came to be known."""
    still_open = {nudge.contact_id: nudge for nudge in past if nudge.state in nudges.OPEN}
    if not still_open:
        return []
    realms = await network.realms(connection, tenant_id)
    since = [nudge.suggested_at for nudge in still_open.values()]
    said: dict[UUID, nudges.Ended] = {}
    for row in await connection.fetch(queries("timeline").touches_since, tenant_id, list(still_open), since):
        nudge, touch = still_open[row["contact_id"]], timeline.touch_of(row)
        for event in nudges.seen_done(nudge, touch, row["occurred_at"], realm_of(touch.context, realms)):
            said.setdefault(nudge.nudge_id, event)
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


async def _say(
    connection: Connection, tenant: Tenant, said: Sequence[Event], kinds: Mapping[str, str], now: datetime
) -> int:
    """Append, each by itself, under ids that a second try gives again. Raises HeadHeld."""
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
    if any(verdict.judgement == "busy" for verdict in verdicts):
        raise HeadHeld
    for event, verdict in zip(said, verdicts, strict=True):
        if verdict.judgement == "recorded":
            metrics.count_nudge(kinds[event.stream], event)
    return max((verdict.position or 0 for verdict in verdicts), default=0)


def _event_id(event: Event) -> UUID:
    if isinstance(event, NudgeSuggested):
        return event.nudge_id
    data = msgspec.to_builtins(event)
    return uuid5(UUID(data["nudge_id"]), event.TYPE)
