"""The network: its channels, each with its realm and what was done there."""

from collections import defaultdict
from typing import cast
from uuid import UUID

from domain.channels import Channel, ChannelDescribed, ChannelOpened, Realm
from domain.touchpoints import TouchpointRecorded, TouchpointRestored, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection


async def apply(connection: Connection, batch: Batch) -> None:
    sql = queries("network")
    for stored in batch.events:
        if isinstance(stored.event, ChannelOpened | ChannelDescribed):
            await _describe(connection, batch, stored.event.channel, stored.position)
    counts = _counts(batch)
    if counts:
        rows = [(slug, *numbers) for slug, numbers in sorted(counts.items())]
        await connection.execute(sql.count, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))


async def _describe(connection: Connection, batch: Batch, channel: Channel, position: int) -> None:
    await connection.execute(
        queries("network").describe, batch.tenant_id, batch.build, channel.slug, channel.name, channel.realm,
        channel.role, channel.access, list(channel.topics), channel.sensitive, position,
    )  # fmt: skip


def _counts(batch: Batch) -> dict[str, list[int]]:
    """What the batch adds to each channel: touchpoints, posts, reach, gives, promotes. A strike takes away."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for stored in batch.events:
        match stored.event:
            case (TouchpointRecorded() as fact) | TouchpointRestored(restored=fact):
                sign = 1
            case TouchpointStruck(struck=fact):
                sign = -1
            case _:
                continue
        own_act = fact.act if fact.direction != "in" else None
        to_nobody = not fact.contact_ids
        adds = (1, to_nobody, (fact.audience or 0) * to_nobody, own_act == "give", own_act == "promote")
        counts[fact.channel] = [had + sign * int(more) for had, more in zip(counts[fact.channel], adds, strict=True)]
    return counts


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
    tables=("channel",),
    apply=apply,
)
