"""Relationships: each contact's strength state and what lists show of it, as of the tenant's current UTC day."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

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


async def apply(connection: Connection, batch: Batch) -> None:
    """New touches are added to the states; struck, late or replayed ones fold their contacts again from the timeline."""
    news = _news(batch.events)
    moved = {
        stored.event.channel.slug for stored in batch.events if isinstance(stored.event, ChannelOpened | ChannelDescribed)
    }
    states = await _load(connection, batch.tenant_id, batch.build, list(news), moved)
    again = set(news) if batch.again else _struck(batch.events)
    folded = {}
    for who, touches in news.items():
        try:
            folded[who] = relationships.add(states.get(who, NOBODY_YET), touches)
        except OutOfOrder:
            again.add(who)
    folded |= await _fold_again(connection, batch, again)
    await _store(connection, batch, {**states, **folded})


def _news(events: Iterable[Stored]) -> dict[UUID, list[Experience]]:
    """The new touches by contact; a contact that was only added has none yet."""
    news: dict[UUID, list[Experience]] = {}
    for stored in events:
        match stored.event:
            case ContactAdded(contact_id=who):
                news.setdefault(who, [])
            case TouchpointRecorded(contact_ids=ids):
                for who in ids:
                    news.setdefault(who, []).append(Experience(_touch(stored), stored.occurred_at))
            case TouchpointStruck(struck=fact):
                for who in fact.contact_ids:
                    news.setdefault(who, [])
            case _:
                pass
    return news


def _touch(stored: Stored) -> Touch:
    fact = stored.event
    assert isinstance(fact, TouchpointRecorded)
    return Touch(
        touchpoint_id=fact.touchpoint_id,
        day=day_of(stored.occurred_at),
        kind=fact.kind,
        direction=fact.direction,
        context=fact.channel,
        act=fact.act,
        depth=fact.depth,
        minutes=fact.minutes,
        audience=max(fact.audience or 1, len(fact.contact_ids)),
        automated=fact.automated,
    )


def _struck(events: Iterable[Stored]) -> set[UUID]:
    return {who for stored in events if isinstance(stored.event, TouchpointStruck) for who in stored.event.struck.contact_ids}


async def _load(
    connection: Connection, tenant_id: UUID, build: int, contact_ids: list[UUID], moved: set[str]
) -> dict[UUID, Relationship]:
    """The stored states of these contacts, and of all that were ever in a channel that is now something else."""
    rows = await connection.fetch(queries("relationships").states, tenant_id, build, contact_ids, list(moved))
    return {row["contact_id"]: unpack(row["strength"], row["facts"], row["last_touch_at"]) for row in rows}


def unpack(strength: bytes, facts: bytes, last_touch_at: datetime | None) -> Relationship:
    return Relationship(_STRENGTH.decode(strength), _FACTS.decode(facts), last_touch_at)


async def _fold_again(connection: Connection, batch: Batch, contact_ids: set[UUID]) -> dict[UUID, Relationship]:
    if not contact_ids:
        return {}
    found = await timeline.experiences(connection, batch.tenant_id, list(contact_ids), through=batch.through)
    return {who: relationships.fold(touches) for who, touches in found.items()}


async def _store(connection: Connection, batch: Batch, states: Mapping[UUID, Relationship]) -> None:
    if not states:
        return
    realms = await network.realms(connection, batch.tenant_id)
    rows = [_row(who, state, realms, batch.now) for who, state in sorted(states.items())]
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
    """Bring up to 2,000 stored pictures to the current UTC day; how many there were. The caller holds the checkpoint."""
    rows = await connection.fetch(queries("relationships").aged, tenant_id, build, day_of(now), RESCORED_AT_ONCE)
    if rows:
        realms = await network.realms(connection, tenant_id)
        states = {row["contact_id"]: unpack(row["strength"], row["facts"], row["last_touch_at"]) for row in rows}
        columns = map(list, zip(*(_row(who, state, realms, now) for who, state in states.items()), strict=True))
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
