"""The network: its channels, each with its realm and what was done there, in all and by day."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import cast
from uuid import UUID

from domain.channels import Channel, ChannelDescribed, ChannelOpened, Realm
from domain.relationships import day_of
from domain.touchpoints import TouchpointRecorded, TouchpointRestored, TouchpointStruck, stream_of
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored


async def apply(connection: Connection, batch: Batch) -> None:
    sql = queries("network")
    for stored in batch.events:
        if isinstance(stored.event, ChannelOpened | ChannelDescribed):
            await _describe(connection, batch, stored.event.channel, stored.position)
    counts = _counts(batch)
    if counts:
        rows = [(slug, *numbers) for slug, numbers in sorted(counts.items())]
        await connection.execute(sql.count, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))
    days = await _days(connection, batch)
    if days:
        rows = [(*place, *numbers) for place, numbers in sorted(days.items())]
        await connection.execute(sql.count_days, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))


async def _describe(connection: Connection, batch: Batch, channel: Channel, position: int) -> None:
    await connection.execute(
        queries("network").describe, batch.tenant_id, batch.build, channel.slug, channel.name, channel.realm,
        channel.role, channel.access, list(channel.topics), channel.sensitive, position,
    )  # fmt: skip


def _counts(batch: Batch) -> dict[str, list[int]]:
    """What the batch adds to each channel: touchpoints, posts, reach, gives, promotes. A strike takes away."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for _, sign, fact in _changes(batch.events):
        own_act = fact.act if fact.direction != "in" else None
        to_nobody = not fact.contact_ids
        adds = (1, to_nobody, (fact.audience or 0) * to_nobody, own_act == "give", own_act == "promote")
        counts[fact.channel] = [had + sign * int(more) for had, more in zip(counts[fact.channel], adds, strict=True)]
    return counts


async def _days(connection: Connection, batch: Batch) -> dict[tuple[str, int], list[int]]:
    """What the batch adds to each channel and day of ours: acts of people, gives, promotes."""
    ours = [(stored, sign, fact) for stored, sign, fact in _changes(batch.events) if fact.direction != "in"]
    again = [stream_of(fact.touchpoint_id) for stored, _, fact in ours if stored.event is not fact]
    happened = await _happened(connection, batch.tenant_id, again)
    days: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * 3)
    for stored, sign, fact in ours:
        at = happened.get(stream_of(fact.touchpoint_id), stored.occurred_at)
        adds = (not fact.automated, fact.act == "give", fact.act == "promote")
        place = fact.channel, day_of(at)
        days[place] = [had + sign * int(more) for had, more in zip(days[place], adds, strict=True)]
    return days


async def _happened(connection: Connection, tenant_id: UUID, streams: list[str]) -> dict[str, datetime]:
    """When these touchpoints happened, which neither a strike nor a restoring says."""
    if not streams:
        return {}
    rows = await connection.fetch(queries("network").happened, tenant_id, streams)
    return {row["stream"]: row["occurred_at"] for row in rows}


def _changes(events: Iterable[Stored]) -> Iterator[tuple[Stored, int, TouchpointRecorded]]:
    """What counts from now on, and what counts no more."""
    for stored in events:
        match stored.event:
            case (TouchpointRecorded() as fact) | TouchpointRestored(restored=fact):
                yield stored, 1, fact
            case TouchpointStruck(struck=fact):
                yield stored, -1, fact
            case _:
                pass


async def realms(connection: Connection, tenant_id: UUID) -> dict[str, Realm]:
    """Each channel's realm, from the live build."""
    rows = await connection.fetch(queries("network").realms, tenant_id)
    return {row["slug"]: cast(Realm, row["realm"]) for row in rows}


PROJECTION = Projection(
    name="network",
    types=frozenset(
        event.TYPE
        for event in (ChannelOpened, ChannelDescribed, TouchpointRecorded, TouchpointStruck, TouchpointRestored)
    ),
    tables=("channel", "channel_day"),
    apply=apply,
)
