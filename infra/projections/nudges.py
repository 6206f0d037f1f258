"""The list of nudges and what became of each."""

from uuid import UUID

import msgspec

from domain import nudges
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored


async def apply(connection: Connection, batch: Batch) -> None:
    for stored in batch.events:
        await _apply_one(connection, batch.tenant_id, batch.build, stored)


async def _apply_one(connection: Connection, tenant_id: UUID, build: int, stored: Stored) -> None:
    sql = queries("nudges")
    match stored.event:
        case nudges.NudgeSuggested() as nudge:
            await connection.execute(
                sql.suggest, tenant_id, build, nudge.nudge_id, nudge.contact_id, nudge.kind, nudge.priority,
                msgspec.json.encode(nudge.numbers), list(nudge.touchpoint_ids), nudge.question, stored.occurred_at,
                nudge.expires_at, stored.position,
            )  # fmt: skip
        case nudges.NudgeAccepted(nudge_id=nudge_id):
            await connection.execute(sql.accept, tenant_id, build, nudge_id)
        case nudges.NudgeSnoozed(nudge_id=nudge_id, until=until):
            await connection.execute(sql.snooze, tenant_id, build, nudge_id, until, until + nudges.AFTER_SNOOZE)
        case nudges.NudgeDismissed(nudge_id=nudge_id):
            await connection.execute(sql.end, tenant_id, build, nudge_id, "dismissed", stored.occurred_at, None)
        case nudges.NudgeExpired(nudge_id=nudge_id):
            await connection.execute(sql.end, tenant_id, build, nudge_id, "expired", stored.occurred_at, None)
        case nudges.NudgeDone(nudge_id=nudge_id, touchpoint_id=touchpoint_id):
            await connection.execute(sql.end, tenant_id, build, nudge_id, "done", stored.occurred_at, touchpoint_id)
        case _:
            pass


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
        )
    ),
    tables=("nudge",),
    apply=apply,
)
