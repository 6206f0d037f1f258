"""Nudges as people read them: one sentence, the numbers behind it, the facts it rests on."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain.nudges import NudgeKind, State
from infra.context import Context
from infra.database import in_tenant, queries
from infra.tenants import Tenant
from infra.views.freshness import reached
from infra.views.pages import Instant, Page, cursor, cut, keys_of

States = Literal["open", "suggested", "accepted", "snoozed", "dismissed", "done", "expired", "all"]
READS = ("nudges", "contacts")
STATES: dict[States, list[str]] = {
    "open": ["suggested", "accepted", "due"],
    "all": ["suggested", "accepted", "snoozed", "dismissed", "done", "expired"],
}


class NudgeView(Struct, frozen=True, kw_only=True):
    """`reason` says why, with its `numbers`; `touchpoint_ids` are behind it. A `question` waits for an answer."""

    id: UUID
    kind: NudgeKind
    state: State
    priority: int
    contact_id: UUID
    contact_name: str | None
    reason: str
    numbers: dict[str, float]
    touchpoint_ids: list[UUID]
    question: str | None
    suggested_at: Instant
    expires_at: Instant
    snoozed_until: Instant | None
    ended_at: Instant | None
    done_by: UUID | None


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
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(
            queries("nudges").page, tenant.tenant_id, STATES.get(state, [state]), datetime.now(UTC), *keys, limit + 1
        )
    shown, last = cut(rows, limit)
    items = [_view(row) for row in shown]
    return Page(items, None if last is None else cursor(last["suggested_at"], last["nudge_id"]), position)


def _view(row: asyncpg.Record) -> NudgeView:
    numbers = msgspec.json.decode(row["numbers"], type=dict[str, float])
    name = row["name"] or row["handle"]
    return NudgeView(
        id=row["nudge_id"],
        kind=row["kind"],
        state=row["state"],
        priority=row["priority"],
        contact_id=row["contact_id"],
        contact_name=name,
        reason=REASONS[row["kind"]](name or "this contact", numbers),
        numbers=numbers,
        touchpoint_ids=row["touchpoint_ids"],
        question=QUESTIONS.get(row["question"]) if row["state"] in ("suggested", "snoozed") else None,
        suggested_at=row["suggested_at"],
        expires_at=row["expires_at"],
        snoozed_until=row["snoozed_until"],
        ended_at=row["ended_at"],
        done_by=row["done_by"],
    )


def _meet_in_person(name: str, numbers: dict[str, float]) -> str:
    shared = int(numbers["shared_contacts"])
    together = f" You share {shared} contact{'s' if shared > 1 else ''}." if shared else ""
    return (
        f"You and {name} talk online, both ways (strength {numbers['score']:g},"
        f" {numbers['online_points']:g} points online), and have never met.{together}"
        " Meet for a coffee in a public place, or over video: either is fine."
    )


REASONS = {"meet_in_person": _meet_in_person}
QUESTIONS: dict[str | None, str] = {"within_reach": "within reach?"}
