"""Relationships: each contact's strength state and what lists show of it, as of the tenant's current UTC day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain import contacts, model, relationships
from domain.appointments import AppointmentMoved, AppointmentPlanned
from domain.channels import ChannelDescribed, ChannelOpened, Realm
from domain.contacts import ContactAdded, ContactRemoved, RelationshipClosed, RelationshipStated
from domain.merges import ContactMerged, ContactUnmerged
from domain.model import ModelChanged
from domain.policy import NudgePolicyChanged, Policy
from domain.referrals import ReferralLost, ReferralMade, ReferralWon
from domain.relationships import NOBODY_YET, NOTHING_TOLD, Experience, Relationship, Told, day_of
from domain.rhythm import ENOUGH, Away, Rhythm, away_days
from domain.strength import OutOfOrder, Strength
from domain.ties import IntroductionMade, TieNoted
from domain.touches import Weights
from domain.touchpoints import TouchpointRecorded, TouchpointRestored, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored
from infra.projections import merges, network, timeline
from infra.projections.nudges import policy_of

RESCORED_AT_ONCE = 2_000
# What a row shows of its state. Rows of an older number are looked at again with the next scores.
SHOWS = 1
_STRENGTH = msgspec.msgpack.Decoder(Strength)
_FACTS = msgspec.msgpack.Decoder(dict[str, relationships.Presence])
_PACK = msgspec.msgpack.Encoder()
_RHYTHM = msgspec.msgpack.Decoder(Rhythm)


MERGING = (ContactMerged, ContactUnmerged)
# What else speaks of people who are there: any of it brings a removed one back.
NAMING = (*contacts.FACTS, AppointmentPlanned, AppointmentMoved, ReferralMade, IntroductionMade, TieNoted, *MERGING)


class Kept(Struct, frozen=True):
    """A stored relationship and the position up to which it is folded, which may be past the build's."""

    relationship: Relationship = NOBODY_YET
    folded_to: int = 0


class News(Struct, frozen=True):
    """What an event is to one contact: a touch, a change of earlier ones, or neither: added, or something told.

    `there`: it speaks of somebody who is there, as all but a strike do.
    """

    position: int
    experience: Experience | None = None
    changes: bool = False
    there: bool = True


async def apply(connection: Connection, batch: Batch) -> None:
    """New touches are added to the states. Struck, late or replayed ones, decisions on referrals, and merges fold their
    contacts again from the timeline.

    A row is of a standing contact, with all that it stands for as far as the contacts have come: that may be ahead, and
    a merge or unmerge still to be seen here then folds again all whom it is about. Folding
    reads as far as the timeline has come: in a long catch-up each contact is folded again once, not once a batch.
    """
    weights = await weights_of(connection, batch.tenant_id, batch.build)
    described = _described(batch.events)
    news = _news(batch.events)
    back, removed = await _removals(connection, batch, news)
    moved = {who for one in batch.events if isinstance(one.event, MERGING) for who in one.event.subjects}
    bulk = await timeline.weighed_anew(connection, batch)
    stands = await merges.standing_of(connection, batch.tenant_id, news.keys() | back | removed | moved | bulk)
    again = {stands.get(who, who) for who in back | removed | moved | bulk}
    await _take_out(connection, batch, moved & stands.keys())
    gone = await _all_removed(connection, batch, {stands.get(who, who) for who in news.keys() | again})
    by_contact = _standing(news, stands)
    kept = await _load(connection, batch, list(by_contact), described)
    changed = {who: one for who, one in kept.items() if described & one.relationship.channels.keys()}
    for who, told in by_contact.items():
        one = kept.get(who, NEW)
        fresh = told if batch.again else [each for each in told if each.position > one.folded_to]
        if batch.again or any(each.changes for each in fresh):
            again.add(who)
        elif fresh:
            try:
                touches = [each.experience for each in fresh if each.experience is not None]
                changed[who] = Kept(relationships.add(one.relationship, touches, weights=weights), fresh[-1].position)
            except OutOfOrder:
                again.add(who)
    changed |= await _fold_again(connection, batch, again - gone, weights)
    await _store(connection, batch, {who: one for who, one in changed.items() if who not in gone}, weights)
    await _take_out(connection, batch, gone)
    if any(isinstance(one.event, NudgePolicyChanged) for one in batch.events):
        await _look_at_all_again(connection, batch)
    if any(isinstance(one.event, ModelChanged) for one in batch.events):
        await _weigh_all_anew(connection, batch)


NEW = Kept()


def _described(events: Iterable[Stored]) -> set[str]:
    """The channels that may be in another realm now."""
    return {one.event.channel.slug for one in events if isinstance(one.event, ChannelOpened | ChannelDescribed)}


def _news(events: Iterable[Stored]) -> dict[UUID, list[News]]:
    """By contact, in order."""
    news: dict[UUID, list[News]] = {}
    for stored in events:
        match stored.event:
            case ContactAdded(contact_id=who) | RelationshipStated(contact_id=who) | RelationshipClosed(contact_id=who):
                news.setdefault(who, []).append(News(stored.position))
            case TouchpointRecorded() as fact:
                one = News(stored.position, timeline.recorded(fact, stored.occurred_at))
                for who in fact.contact_ids:
                    news.setdefault(who, []).append(one)
            case TouchpointStruck(struck=fact):
                for who in fact.contact_ids:
                    news.setdefault(who, []).append(News(stored.position, changes=True, there=False))
            case TouchpointRestored(restored=fact):
                for who in fact.contact_ids:
                    news.setdefault(who, []).append(News(stored.position, changes=True))
            case (ReferralWon() | ReferralLost()) as decided if decided.direction == "received":
                news.setdefault(decided.referrer_id, []).append(News(stored.position, changes=True))
            case _:
                pass
    return news


def _standing(news: Mapping[UUID, Sequence[News]], stands: Mapping[UUID, UUID]) -> dict[UUID, list[News]]:
    """By who stands for the contacts now, in order: what several of them had counts once."""
    found: dict[UUID, dict[int, News]] = {}
    for who, told in news.items():
        found.setdefault(stands.get(who, who), {}).update({one.position: one for one in told})
    return {who: [told[position] for position in sorted(told)] for who, told in found.items()}


async def _removals(
    connection: Connection, batch: Batch, news: Mapping[UUID, Sequence[News]]
) -> tuple[set[UUID], set[UUID]]:
    """Those who were once removed and are back, to be folded again; and those who are removed now."""
    taken_out: dict[UUID, int] = {}
    seen: dict[UUID, int] = {who: max(one.position * one.there for one in told) for who, told in news.items()}
    for stored in batch.events:
        match stored.event:
            case ContactRemoved(contact_id=who):
                taken_out[who] = stored.position
                seen.setdefault(who, 0)
            case event if isinstance(event, NAMING):
                seen.update({who: max(stored.position, seen.get(who, 0)) for who in event.subjects})
    if not seen:
        return set(), set()
    return await _write_removals(connection, batch, taken_out, seen)


async def _write_removals(
    connection: Connection, batch: Batch, taken_out: Mapping[UUID, int], seen: Mapping[UUID, int]
) -> tuple[set[UUID], set[UUID]]:
    sql = queries("relationships")
    if taken_out:
        await connection.execute(sql.remove, batch.tenant_id, batch.build, list(taken_out), list(taken_out.values()))
    rows = await connection.fetch(sql.see_removed, batch.tenant_id, batch.build, list(seen), list(seen.values()))
    removed = {row["contact_id"] for row in rows if row["removed"]}
    return {row["contact_id"] for row in rows} - removed, removed


async def _all_removed(connection: Connection, batch: Batch, contact_ids: set[UUID]) -> set[UUID]:
    """Those of these standing contacts who are removed, with all that they stand for: they have no row."""
    if not contact_ids:
        return set()
    rows = await connection.fetch(queries("relationships").all_removed, batch.tenant_id, batch.build, list(contact_ids))
    return {row["contact_id"] for row in rows}


async def _take_out(connection: Connection, batch: Batch, contact_ids: set[UUID]) -> None:
    if contact_ids:
        await connection.execute(queries("relationships").take_out, batch.tenant_id, batch.build, list(contact_ids))


async def _load(connection: Connection, batch: Batch, contact_ids: list[UUID], described: set[str]) -> dict[UUID, Kept]:
    """The stored states of these contacts, and of all that were ever in a channel that is now something else."""
    rows = await connection.fetch(
        queries("relationships").states, batch.tenant_id, batch.build, contact_ids, list(described)
    )
    return {row["contact_id"]: Kept(unpack(row), row["folded_to"]) for row in rows}


def unpack(row: asyncpg.Record | Mapping[str, Any]) -> Relationship:
    """The state of a stored row."""
    strength, facts = _STRENGTH.decode(row["strength"]), _FACTS.decode(row["facts"])
    return Relationship(strength, facts, row["last_touch_at"], row["strained_at"])


async def _fold_again(
    connection: Connection, batch: Batch, contact_ids: set[UUID], weights: Weights
) -> dict[UUID, Kept]:
    if not contact_ids:
        return {}
    members = await merges.members_of(connection, batch.tenant_id, contact_ids)
    found = await timeline.experiences(connection, batch.tenant_id, members, through=batch.reach)
    return {who: Kept(relationships.fold(touches, weights=weights), batch.reach) for who, touches in found.items()}


async def _store(connection: Connection, batch: Batch, changed: Mapping[UUID, Kept], weights: Weights) -> None:
    if not changed:
        return
    await _write(connection, batch.tenant_id, batch.build, changed, day_of(batch.now), weights)


async def _look_at_all_again(connection: Connection, batch: Batch) -> None:
    """Days away are no silence: where they change, every rhythm may. The next scores, which are due now, see to it."""
    await connection.execute(queries("relationships").outdate, batch.tenant_id, batch.build)
    await connection.execute(queries("projector").set_due, batch.tenant_id, "rescore", batch.now)


async def _weigh_all_anew(connection: Connection, batch: Batch) -> None:
    """Another model: beside the live build another begins, and takes its place when it has caught up."""
    [build] = await connection.fetch(queries("viewpoints").model, batch.tenant_id, batch.build)
    if batch.build > 0 and any(one.position > (build["position"] or 0) for one in batch.events):
        await connection.execute(queries("projector").start_build, batch.tenant_id, "relationships")


async def weights_of(connection: Connection, tenant_id: UUID, build: int) -> Weights:
    """By what the relationships of a build are weighed."""
    [found] = await connection.fetch(queries("viewpoints").model, tenant_id, build)
    return model.weights_of(found["model"])


async def weights_in_use(connection: Connection, tenant_id: UUID) -> Weights:
    """By what the relationships that are looked at are weighed."""
    return await weights_of(connection, tenant_id, await connection.fetchval(queries("relationships").looked_at))


async def _write(
    connection: Connection, tenant_id: UUID, build: int, kept: Mapping[UUID, Kept], day: int, weights: Weights
) -> None:
    realms = await network.realms(connection, tenant_id)
    told = await _told(connection, tenant_id, list(kept))
    away = away_of(await policy_of(connection, tenant_id))
    rows = [
        (*_row(who, one.relationship, realms, day, told.get(who, NOTHING_TOLD), away, weights), one.folded_to)
        for who, one in sorted(kept.items())
    ]
    columns = map(list, zip(*rows, strict=True))
    await connection.execute(queries("relationships").store, tenant_id, build, SHOWS, *columns)


async def _told(connection: Connection, tenant_id: UUID, contact_ids: list[UUID]) -> dict[UUID, Told]:
    """What the owner told of each standing contact: its own word, else that of those merged into it."""
    members = await merges.members_of(connection, tenant_id, contact_ids)
    everybody = [who for group in members.values() for who in group]
    rows = {
        row["contact_id"]: row for row in await connection.fetch(queries("relationships").told, tenant_id, everybody)
    }
    words = {standing: [rows[who] for who in group if who in rows] for standing, group in members.items()}
    return {
        who: Told(
            next((row["how_often"] for row in said if row["how_often"]), None),
            next((row["closed"] for row in said if row["closed"]), None),
        )
        for who, said in words.items()
        if said
    }


def _row(
    who: UUID,
    state: Relationship,
    realms: Mapping[str, Realm],
    day: int,
    told: Told,
    away: Away,
    weights: Weights,
) -> tuple[object, ...]:
    seen = relationships.picture(state, realms, day, told=told, away=away, weights=weights)
    beat = seen.rhythm
    return (
        who, _PACK.encode(state.strength), _PACK.encode(state.channels), "\n".join(state.channels), seen.touchpoints,
        seen.assessment.score, seen.assessment.stage, seen.half, seen.met_at, seen.first_touch_at, seen.last_touch_at,
        seen.online_points, seen.assessment.given, seen.assessment.received, day,
        *((None,) * 4 if beat is None else (_PACK.encode(beat), beat.status, beat.ratio, _telling_trend(beat))),
        state.strained_at,
    )  # fmt: skip


def _telling_trend(beat: Rhythm) -> float | None:
    """The trend where it says something of the business: of ties with a rhythm of their own that go on."""
    return None if beat.contact_days < ENOUGH or beat.status == "dormant" else beat.trend


def away_of(policy: Policy) -> Away:
    """When the business was or will be away."""
    return away_days([(away.from_, away.until) for away in policy.away])


def unpack_rhythm(packed: bytes | None) -> Rhythm | None:
    return None if packed is None else _RHYTHM.decode(packed)


async def states(connection: Connection, tenant_id: UUID) -> dict[UUID, Relationship]:
    """Every relationship's state, from the live build."""
    rows = await connection.fetch(queries("relationships").all_states, tenant_id)
    return {row["contact_id"]: unpack(row) for row in rows}


async def rescore(connection: Connection, tenant_id: UUID, build: int, *, now: datetime) -> int:
    """Bring up to 2,000 stored pictures to the current UTC day; how many they were. The caller holds the checkpoint."""
    day = day_of(now)
    rows = await connection.fetch(queries("relationships").aged, tenant_id, build, day, SHOWS, RESCORED_AT_ONCE)
    if rows:
        kept = {row["contact_id"]: Kept(unpack(row), row["folded_to"]) for row in rows}
        await _write(connection, tenant_id, build, kept, day, await weights_of(connection, tenant_id, build))
    return len(rows)


PROJECTION = Projection(
    name="relationships",
    types=frozenset(
        event.TYPE
        for event in (
            *NAMING,
            ContactRemoved,
            TouchpointRecorded,
            TouchpointStruck,
            TouchpointRestored,
            ReferralWon,
            ReferralLost,
            ChannelOpened,
            ChannelDescribed,
            NudgePolicyChanged,
            ModelChanged,
        )
    ),
    tables=("relationship", "removed_contact"),
    apply=apply,
    follows=("contacts", "timeline", "network", "nudges"),
)
