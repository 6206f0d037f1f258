"""The model of strength: what it is, whether all is weighed by it yet, and what another would change."""

from uuid import UUID

import msgspec
from msgspec import Struct

from domain import model
from domain.model import Model, ModelChanged
from domain.policy import NudgeKind
from infra import trials
from infra.context import Context
from infra.database import in_tenant, queries, reading
from infra.tenants import Tenant
from infra.trials import Outcome
from infra.viewpoints import Viewpoint, now_of
from infra.views import past
from infra.views.contacts import Stage, stage_of
from infra.views.freshness import check_written
from infra.views.pages import Instant
from infra.views.past import Trial

PROCESSES = ("relationships", "trial")
_CHANGED = msgspec.json.Decoder(ModelChanged)
_OUTCOME = msgspec.json.Decoder(Outcome)


class Switching(Struct, frozen=True):
    """How far the relationships were weighed anew: events read, of so many."""

    read: int
    of: int


class ModelView(Struct, frozen=True, kw_only=True):
    """`in_use`: every score shown is by this model; until then `progress` says how far it is.

    `changed_at` is null for the standard.
    """

    model: Model
    changed_at: Instant | None
    in_use: bool
    progress: Switching | None
    position: int


class Placed(Struct, frozen=True):
    score: float
    stage: Stage


class Mover(Struct, frozen=True):
    id: UUID
    name: str | None
    before: Placed
    after: Placed


class StageChange(Struct, frozen=True):
    before: Stage
    after: Stage
    contacts: int


class NudgeChange(Struct, frozen=True):
    """`nudge_id` is null for one that never came."""

    contact_id: UUID
    kind: NudgeKind
    at: Instant
    nudge_id: UUID | None


class NudgeChanges(Struct, frozen=True):
    """Of the last 90 days: `gained` would have come, were there room in the policy; `lost` came and would not have."""

    gained: list[NudgeChange]
    lost: list[NudgeChange]


class PreviewView(Struct, frozen=True, kw_only=True):
    """What a model would change today. `moved` scores change by a tenth or more; `items` are those that move most."""

    contacts: int
    moved: int
    stages: list[StageChange]
    items: list[Mover]
    nudges: NudgeChanges
    position: int


async def in_force(context: Context, tenant: Tenant, *, after: int | None = None) -> ModelView:
    """The model told last. Raises Invalid for a position nobody wrote yet."""
    sql = queries("model")
    async with reading(context.pool, tenant.tenant_id) as connection:
        [head] = await connection.fetch(queries("event_log").position, tenant.tenant_id)
        check_written(after or 0, head["position"])
        last = await connection.fetchrow(sql.last, tenant.tenant_id)
        builds = await connection.fetch(sql.builds, tenant.tenant_id)
    told = None if last is None else last["position"]
    live = next(row for row in builds if row["live"])
    building = next((row for row in builds if not row["live"]), None)
    in_use = live["model"] == told
    return ModelView(
        model=model.STANDARD if last is None else _CHANGED.decode(last["body"]).model,
        changed_at=None if last is None else last["recorded_at"],
        in_use=in_use,
        progress=None if in_use else Switching(0 if building is None else building["position"], head["position"]),
        position=head["position"],
    )


async def preview(context: Context, tenant: Tenant, tried: Model, *, limit: int = 50) -> PreviewView:
    """What this model would change. Raises Invalid, and Behind while it is being tried."""
    model.check(tried)
    seen = await begun(context, tenant, tried)
    await past.ready(context, tenant, seen, PROCESSES)
    sql = queries("trials")
    async with reading(context.pool, tenant.tenant_id) as connection:
        [counts] = await connection.fetch(sql.counts, tenant.tenant_id, seen.build)
        stages = await connection.fetch(sql.stages, tenant.tenant_id, seen.build)
        movers = await connection.fetch(sql.movers, tenant.tenant_id, seen.build, limit)
        result = await connection.fetchval(queries("viewpoints").result, tenant.tenant_id, seen.build)
    outcome = Outcome([], []) if result is None else _OUTCOME.decode(result)
    return PreviewView(
        contacts=counts["contacts"],
        moved=counts["moved"],
        stages=[StageChange(stage_of(row["before"]), stage_of(row["after"]), row["contacts"]) for row in stages],
        items=[
            Mover(
                row["contact_id"], row["name"], Placed(row["score_before"], stage_of(row["stage_before"])),
                Placed(row["score_after"], stage_of(row["stage_after"])),
            )
            for row in movers
        ],
        nudges=NudgeChanges(_changes(outcome.gained), _changes(outcome.lost)),
        position=seen.position,
    )  # fmt: skip


async def begun(context: Context, tenant: Tenant, tried: Model) -> Viewpoint:
    """The viewpoint where the relationships of now are weighed by this model."""
    now = now_of(None)
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        position = await connection.fetchval(queries("event_log").position, tenant.tenant_id)
        trial = Trial(msgspec.json.encode(ModelChanged(model=tried), order="deterministic"))
        wanted = Viewpoint(0, position, now)
        build = await past.found(connection, tenant, wanted, processes=PROCESSES, trial=trial)
    context.bell.ring()
    return Viewpoint(build, position, now)


def _changes(changed: list[trials.Changed]) -> list[NudgeChange]:
    return [NudgeChange(one.contact_id, one.kind, one.at, one.nudge_id) for one in changed]
