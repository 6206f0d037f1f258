"""The list of nudges and what became of each."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from domain import nudges
from domain.nudges import Nudge
from domain.policy import STANDARD, NudgePolicyChanged, Policy
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored

REMEMBERED = timedelta(days=400)


async def apply(connection: Connection, batch: Batch) -> None:
    for stored in batch.events:
        await _apply_one(connection, batch.tenant_id, batch.build, stored)


async def _apply_one(connection: Connection, tenant_id: UUID, build: int, stored: Stored) -> None:
    sql, here, at = queries("nudges"), stored.position, stored.occurred_at
    match stored.event:
        case nudges.NudgeSuggested() as nudge:
            await connection.execute(
                sql.suggest, tenant_id, build, nudge.nudge_id, nudge.contact_id, nudge.kind, nudge.priority,
                msgspec.json.encode(nudge.numbers), list(nudge.touchpoint_ids), nudge.question, at,
                nudge.expires_at, here, nudge.referral_id,
            )  # fmt: skip
        case nudges.NudgeAccepted(nudge_id=nudge_id):
            await connection.execute(sql.accept, tenant_id, build, nudge_id, here)
        case nudges.NudgeSnoozed(nudge_id=nudge_id, until=until):
            await connection.execute(sql.snooze, tenant_id, build, nudge_id, here, until, until + nudges.AFTER_SNOOZE)
        case nudges.NudgeDismissed(nudge_id=nudge_id):
            await connection.execute(sql.end, tenant_id, build, nudge_id, here, "dismissed", at, None, None)
        case nudges.NudgeExpired(nudge_id=nudge_id, because=because):
            await connection.execute(sql.end, tenant_id, build, nudge_id, here, "expired", at, None, because)
        case nudges.NudgeDone(nudge_id=nudge_id, touchpoint_id=touchpoint_id):
            await connection.execute(sql.end, tenant_id, build, nudge_id, here, "done", at, touchpoint_id, None)
        case nudges.NudgeMuted(contact_id=who, kind=kind, until=None):
            await connection.execute(sql.unmute, tenant_id, build, who, kind)
        case nudges.NudgeMuted(contact_id=who, kind=kind, until=until):
            await connection.execute(sql.mute, tenant_id, build, who, kind, until)
        case NudgePolicyChanged(policy=policy):
            await connection.execute(sql.set_policy, tenant_id, build, msgspec.json.encode(policy), at, here)
        case _:
            pass


async def policy_of(connection: Connection, tenant_id: UUID) -> Policy:
    """The policy in force; the standard where none was ever set."""
    row = await connection.fetchrow(queries("nudges").policy, tenant_id)
    return STANDARD if row is None else _POLICY.decode(row["policy"])


async def past_of(connection: Connection, tenant_id: UUID, now: datetime) -> list[Nudge]:
    """The nudges that decide about new ones."""
    rows = await connection.fetch(queries("nudges").past, tenant_id, now - REMEMBERED)
    return [Nudge(**dict(row)) for row in rows]


_POLICY = msgspec.json.Decoder(Policy)
PROJECTION = Projection(
    name="nudges",
    types=frozenset(
        event.TYPE
        for event in (
            nudges.NudgeSuggested,
            nudges.NudgeAccepted,
            nudges.NudgeSnoozed,
            nudges.NudgeDismissed,
            nudges.NudgeDone,
            nudges.NudgeExpired,
            nudges.NudgeMuted,
            NudgePolicyChanged,
        )
    ),
    tables=("nudge", "nudge_policy", "nudge_mute"),
    apply=apply,
)
