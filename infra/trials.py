"""Trials: what another model would have changed in the nudges of the last 90 days.

The rules of the kinds that look at strength are asked again about every contact, week by week and at each nudge that
came, once by the model in use and once by the one that is tried. All else is as it is known today.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import relationships
from domain.channels import Realm
from domain.nudges import RULES, Candidate, Surroundings
from domain.policy import NudgeKind, Place
from domain.relationships import Experience, Told, day_of
from domain.rhythm import Away
from domain.touches import Weights
from infra.database import Connection, queries
from infra.projections import merges, network, timeline
from infra.projections.nudges import policy_of
from infra.projections.relationships import away_of, weights_in_use, weights_of
from infra.tenants import Tenant
from infra.viewpoints import Viewpoint

BACK, STEP = timedelta(days=90), timedelta(days=7)
KINDS: tuple[NudgeKind, ...] = ("meet_in_person", "keep_the_rhythm")
AT_ONCE = 500


class Changed(Struct, frozen=True):
    """A nudge that would have come, or would not: about whom, of which kind, when; and which, where it came."""

    contact_id: UUID
    kind: NudgeKind
    at: datetime
    nudge_id: UUID | None = None


class Outcome(Struct, frozen=True):
    """`gained` would have come, at the first week that shows it, room in the policy given; `lost` would not."""

    gained: list[Changed]
    lost: list[Changed]


class Suggested(Struct, frozen=True):
    nudge_id: UUID
    kind: NudgeKind
    suggested_at: datetime


class Known(Struct, frozen=True):
    """A contact as it is known today, with all its touches and the nudges it had."""

    candidate: Candidate
    told: Told
    experiences: list[Experience]
    suggested: list[Suggested]


class Scene(Struct, frozen=True):
    """What is the same for all contacts."""

    around: Surroundings
    realms: Mapping[str, Realm]
    away: Away
    in_use: Weights
    tried: Weights


async def run(connection: Connection, tenant: Tenant, seen: Viewpoint) -> None:
    """Compare, and keep what came of it with the viewpoint."""
    scene = Scene(
        around=Surroundings(tenant.tenant_id, tenant.locality, seen.seen_from, Place(tenant.country, tenant.time_zone)),
        realms=await network.realms(connection, tenant.tenant_id),
        away=away_of(await policy_of(connection, tenant.tenant_id)),
        in_use=await weights_of(connection, tenant.tenant_id, await _live(connection, tenant)),
        tried=await weights_in_use(connection, tenant.tenant_id),
    )
    outcome = Outcome([], [])
    people = await connection.fetch(queries("trials").people, tenant.tenant_id)
    for start in range(0, len(people), AT_ONCE):
        ids = [row["contact_id"] for row in people[start : start + AT_ONCE]]
        for known in await _known(connection, scene, ids, seen.position):
            _compare(known, scene, outcome)
        await asyncio.sleep(0)
    await connection.execute(
        queries("viewpoints").keep_result, tenant.tenant_id, seen.build, msgspec.json.encode(outcome)
    )


async def _live(connection: Connection, tenant: Tenant) -> int:
    build: int = await connection.fetchval(queries("trials").live, tenant.tenant_id)
    return build


async def _known(connection: Connection, scene: Scene, ids: list[UUID], position: int) -> list[Known]:
    tenant_id, now = scene.around.tenant_id, scene.around.now
    members = await merges.members_of(connection, tenant_id, set(ids))
    experiences = await timeline.experiences(connection, tenant_id, members, through=position)
    suggested: dict[UUID, list[Suggested]] = {}
    for row in await connection.fetch(queries("trials").suggested, tenant_id, ids, list(KINDS), now - BACK):
        one = Suggested(row["nudge_id"], row["kind"], row["suggested_at"])
        suggested.setdefault(row["contact_id"], []).append(one)
    return [
        Known(
            Candidate(
                contact_id=row["contact_id"], locality=row["locality"], within_reach=row["within_reach"],
                left_alone=row["leave_alone"],
            ),
            Told(row["how_often"], row["closed"]),
            experiences[row["contact_id"]],
            suggested.get(row["contact_id"], []),
        )
        for row in await connection.fetch(queries("trials").facts, tenant_id, ids)
    ]  # fmt: skip


def _compare(known: Known, scene: Scene, outcome: Outcome) -> None:
    now = scene.around.now
    weeks = [now - BACK + STEP * n for n in range(BACK // STEP + 1)]
    asked = sorted({*weeks, *(one.suggested_at for one in known.suggested)})
    before, after = (dict(_wanted(known, scene, asked, weights)) for weights in (scene.in_use, scene.tried))
    for kind in KINDS:
        first = next((at for at in weeks if kind in after[at]), None)
        if first is not None and not any(kind in before[at] for at in asked):
            outcome.gained.append(Changed(known.candidate.contact_id, kind, first))
    outcome.lost.extend(
        Changed(known.candidate.contact_id, one.kind, one.suggested_at, one.nudge_id)
        for one in known.suggested
        if one.kind in before[one.suggested_at] and one.kind not in after[one.suggested_at]
    )


def _wanted(
    known: Known, scene: Scene, asked: Sequence[datetime], weights: Weights
) -> Iterator[tuple[datetime, frozenset[NudgeKind]]]:
    """The kinds whose rule speaks for a nudge at each of these instants, in order."""
    state, rest = relationships.NOBODY_YET, sorted(known.experiences, key=lambda one: one.occurred_at)
    for at in asked:
        there = [one for one in rest if one.occurred_at <= at]
        rest = rest[len(there) :]
        state = relationships.add(state, there, weights=weights)
        yield at, _kinds_at(known, scene, state, at, weights)


def _kinds_at(
    known: Known, scene: Scene, state: relationships.Relationship, at: datetime, weights: Weights
) -> frozenset[NudgeKind]:
    if known.candidate.left_alone or known.told.closed is not None or not state.channels:
        return frozenset()
    shown = relationships.picture(state, scene.realms, day_of(at), told=known.told, away=scene.away, weights=weights)
    candidate = msgspec.structs.replace(
        known.candidate,
        score=shown.assessment.score,
        stage=shown.assessment.stage,
        given=shown.assessment.given,
        received=shown.assessment.received,
        online=shown.online_points,
        met_at=shown.met_at,
        rhythm=shown.rhythm,
    )
    around = msgspec.structs.replace(scene.around, now=at)
    return frozenset(kind for kind in KINDS if RULES[kind].reason(candidate, (), around) is not None)
