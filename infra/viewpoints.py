"""Viewpoints: the past as it was seen at an instant, and the present under a model that is tried.

Each is a build of the projections under one number below zero, made by the worker on the road every build takes, so
what a view shows of the past comes from the same code and the same statements as what it shows of today.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from domain import events
from domain.touchpoints import TouchpointRestored, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Stored


class Viewpoint(Struct, frozen=True):
    """Up to `position` of the log and, where `true_at` is given, of that what had happened by then.

    `seen_from` is the instant that is taken for now.
    """

    build: int
    position: int
    seen_from: datetime
    true_at: datetime | None = None


def build_of(seen: Viewpoint | None) -> int | None:
    """The build to read; None for the live ones."""
    return None if seen is None else seen.build


def now_of(seen: Viewpoint | None) -> datetime:
    """Now, or what is taken for it."""
    return datetime.now(UTC) if seen is None else seen.seen_from


async def enter(connection: Connection, tenant_id: UUID, build: int) -> Viewpoint:
    """Let the running transaction look from there: its live builds are those of the viewpoint."""
    [row] = await connection.fetch(queries("viewpoints").enter, tenant_id, build)
    return Viewpoint(row["build"], row["position"], row["seen_from"], row["true_at"])


async def clear(connection: Connection, tenant_id: UUID, tables: Iterable[str], *, unused: timedelta, most: int) -> int:
    """Give up those nobody looked at for so long, and the longest unused of more than `most`; how many are left."""
    sql = queries("viewpoints")
    for row in await connection.fetch(sql.unused, tenant_id, unused, most):
        for table in tables:
            await connection.execute(getattr(queries("builds"), f"empty_{table}"), tenant_id, row["build"])
        await connection.execute(sql.drop_builds, tenant_id, row["build"])
        await connection.execute(sql.drop, tenant_id, row["build"])
    left: int = await connection.fetchval(sql.count, tenant_id)
    return left


async def happened(connection: Connection, tenant_id: UUID, stored: Sequence[Stored], until: datetime) -> list[Stored]:
    """Without what happened later; a strike goes with the touchpoint it struck. What merely is the case stays."""
    struck = [one.event.touchpoint_id for one in stored if isinstance(one.event, TouchpointStruck | TouchpointRestored)]
    later = {row["event_id"] for row in await connection.fetch(queries("viewpoints").later, tenant_id, struck, until)}
    return [one for one in stored if _had_happened(one, later, until)]


def _had_happened(one: Stored, later: set[UUID], until: datetime) -> bool:
    if isinstance(one.event, TouchpointStruck | TouchpointRestored):
        return one.event.touchpoint_id not in later
    return events.is_standing(one.event) or one.occurred_at <= until
