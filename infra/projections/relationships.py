"""Relationships: each contact's strength state and what lists show of it, as of the tenant's current UTC day."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain import relationships
from domain.channels import ChannelDescribed, ChannelOpened, Realm
from domain.contacts import ContactAdded
from domain.relationships import NOBODY_YET, Experience, Relationship, day_of
from domain.strength import OutOfOrder, Strength
from domain.touches import Touch
from domain.touchpoints import TouchpointRecorded, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored
from infra.projections import network, timeline

RESCORED_AT_ONCE = 2_000
_STRENGTH = msgspec.msgpack.Decoder(Strength)
_FACTS = msgspec.msgpack.Decoder(dict[str, relationships.Presence])
_PACK = msgspec.msgpack.Encoder()


class Kept(Struct, frozen=True):
    """A stored relationship and the position up to which it is folded, which may be past the build's."""

    relationship: Relationship = NOBODY_YET
    folded_to: int = 0


class News(Struct, frozen=True):
    """What an event is to one contact: a touch, a strike, or neither where it was only added."""

    position: int
    experience: Experience | None = None
    struck: bool = False


async def apply(connection: Connection, batch: Batch) -> None:
    """New touches are added to the states. Struck, late or replayed ones fold their contacts again from the timeline.

    That reads as far as the timeline has come: in a long catch-up each contact is folded again once, not once a batch.
    """
    described = _described(batch.events)
    news = _news(batch.events)
    kept = await _load(connection, batch, list(news), described)
    changed = {who: one for who, one in kept.items() if described & one.relationship.channels.keys()}
    again = set()
    for who, told in news.items():
        one = kept.get(who, NEW)
        fresh = told if batch.again else [each for each in told if each.position > one.folded_to]
        if batch.again or any(each.struck for each in fresh):
            again.add(who)
        elif fresh:
            try:
                touches = [each.experience for each in fresh if each.experience is not None]
                changed[who] = Kept(relationships.add(one.relationship, touches), fresh[-1].position)
            except OutOfOrder:
                again.add(who)
    changed |= await _fold_again(connection, batch, again)
    await _store(connection, batch, changed)


NEW = Kept()


def _described(events: Iterable[Stored]) -> set[str]:
    """The channels that may be in another realm now."""
    return {one.event.channel.slug for one in events if isinstance(one.event, ChannelOpened | ChannelDescribed)}


def _news(events: Iterable[Stored]) -> dict[UUID, list[News]]:
    """By contact, in order."""
    news: dict[UUID, list[News]] = {}
    for stored in events:
        match stored.event:
            case ContactAdded(contact_id=who):
                news.setdefault(who, []).append(News(stored.position))
            case TouchpointRecorded() as fact:
                one = News(stored.position, Experience(_touch(fact, stored.occurred_at), stored.occurred_at))
                for who in fact.contact_ids:
                    news.setdefault(who, []).append(one)
            case TouchpointStruck(struck=fact):
                for who in fact.contact_ids:
                    news.setdefault(who, []).append(News(stored.position, struck=True))
            case _:
                pass
    return news


def _touch(fact: TouchpointRecorded, occurred_at: datetime) -> Touch:
    return Touch(
        touchpoint_id=fact.touchpoint_id,
        day=day_of(occurred_at),
        kind=fact.kind,
        direction=fact.direction,
        context=fact.channel,
        act=fact.act,
        depth=fact.depth,
        minutes=fact.minutes,
        audience=max(fact.audience or 1, len(fact.contact_ids)),
        automated=fact.automated,
    )


async def _load(connection: Connection, batch: Batch, contact_ids: list[UUID], described: set[str]) -> dict[UUID, Kept]:
    """The stored states of these contacts, and of all that were ever in a channel that is now something else."""
    rows = await connection.fetch(
        queries("relationships").states, batch.tenant_id, batch.build, contact_ids, list(described)
    )
    return {row["contact_id"]: Kept(_unpacked(row), row["folded_to"]) for row in rows}


def _unpacked(row: asyncpg.Record) -> Relationship:
    return unpack(row["strength"], row["facts"], row["last_touch_at"])


def unpack(strength: bytes, facts: bytes, last_touch_at: datetime | None) -> Relationship:
    return Relationship(_STRENGTH.decode(strength), _FACTS.decode(facts), last_touch_at)


async def _fold_again(connection: Connection, batch: Batch, contact_ids: set[UUID]) -> dict[UUID, Kept]:
    if not contact_ids:
        return {}
    found = await timeline.experiences(connection, batch.tenant_id, list(contact_ids), through=batch.reach)
    return {who: Kept(relationships.fold(touches), batch.reach) for who, touches in found.items()}


async def _store(connection: Connection, batch: Batch, changed: Mapping[UUID, Kept]) -> None:
    if not changed:
        return
    realms = await network.realms(connection, batch.tenant_id)
    rows = [(*_row(who, one.relationship, realms, batch.now), one.folded_to) for who, one in sorted(changed.items())]
    columns = map(list, zip(*rows, strict=True))
    await connection.execute(queries("relationships").store, batch.tenant_id, batch.build, *columns)


def _row(who: UUID, state: Relationship, realms: Mapping[str, Realm], now: datetime) -> tuple[object, ...]:
    day = day_of(now)
    seen = relationships.picture(state, realms, day)
    return (
        who, _PACK.encode(state.strength), _PACK.encode(state.channels), "\n".join(state.channels), seen.touchpoints,
        seen.assessment.score, seen.assessment.stage, seen.half, seen.met_at, seen.first_touch_at, seen.last_touch_at,
        seen.online_points, seen.assessment.given, seen.assessment.received, day,
    )  # fmt: skip


async def rescore(connection: Connection, tenant_id: UUID, build: int, *, now: datetime) -> int:
    """Bring up to 2,000 stored pictures to the current UTC day; how many they were. The caller holds the checkpoint."""
    rows = await connection.fetch(queries("relationships").aged, tenant_id, build, day_of(now), RESCORED_AT_ONCE)
    if rows:
        realms = await network.realms(connection, tenant_id)
        fresh = [(*_row(row["contact_id"], _unpacked(row), realms, now), row["folded_to"]) for row in rows]
        columns = map(list, zip(*fresh, strict=True))
        await connection.execute(queries("relationships").store, tenant_id, build, *columns)
    return len(rows)


PROJECTION = Projection(
    name="relationships",
    types=frozenset(
        {ContactAdded.TYPE, TouchpointRecorded.TYPE, TouchpointStruck.TYPE, ChannelOpened.TYPE, ChannelDescribed.TYPE}
    ),
    tables=("relationship",),
    apply=apply,
    follows=("timeline", "network"),
)
