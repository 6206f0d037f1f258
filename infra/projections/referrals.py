"""Referrals with their fates, and who knows whom as far as it was told.

Whether the touchpoint of one still counts is asked of the timeline: so the order in which events come does not matter.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal
from uuid import UUID

import msgspec

from domain import referrals, ties
from domain.event import Event
from domain.referrals import Fact, ReferralMade
from domain.ties import IntroductionMade, TieNoted
from domain.touchpoints import TouchpointRecorded, TouchpointRestored, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored

_FACTS = msgspec.msgpack.Decoder(list[Fact])
_PACK = msgspec.msgpack.Encoder()
TOLD = (
    referrals.ReferralContacted,
    referrals.ReferralMet,
    referrals.ReferralWon,
    referrals.ReferralLost,
    referrals.ReferralThanked,
)


async def apply(connection: Connection, batch: Batch) -> None:
    """New ones in bulk; those of which something new is known are judged again from all that was told of them."""
    await _make(connection, batch)
    await _tie(connection, batch)
    await _judge(connection, batch, _news(batch.events))
    await _withdraw_ties(connection, batch)


def _news(events: Iterable[Stored]) -> dict[UUID, list[Fact]]:
    """By referral, what was told of it; nothing where only its touchpoint may count no more."""
    news: dict[UUID, list[Fact]] = {}
    for stored in events:
        event, touchpoint = stored.event, _touchpoint(stored.event)
        if isinstance(event, ReferralMade):
            news.setdefault(event.referral_id, [])
        elif isinstance(event, TOLD):
            told = referrals.fact_of(event, stored.occurred_at, order=stored.position)
            news.setdefault(event.referral_id, []).extend([told] if told else [])
        elif touchpoint is not None and touchpoint.source == referrals.SOURCE:
            news.update({one: [] for one in _uuids(touchpoint.source_id) if one not in news})
    return news


async def _make(connection: Connection, batch: Batch) -> None:
    rows = [
        (
            made.referral_id, made.direction, made.referrer_id, made.prospect_id, made.heat, made.channel,
            made.touchpoint_id, stored.occurred_at, stored.position,
        )
        for stored in batch.events
        if isinstance(made := stored.event, ReferralMade)
    ]  # fmt: skip
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(queries("referrals").make, batch.tenant_id, batch.build, *columns, _PACK.encode([]))


async def _judge(connection: Connection, batch: Batch, news: dict[UUID, list[Fact]]) -> None:
    if not news:
        return
    sql = queries("referrals")
    found = await connection.fetch(sql.load, batch.tenant_id, batch.build, list(news))
    told = {row["referral_id"]: _together(_FACTS.decode(row["told"]), news[row["referral_id"]]) for row in found}
    touchpoints = [
        (row["referrer_id"], touchpoint_id)
        for row in found
        for touchpoint_id in (row["touchpoint_id"], *_thanks(told[row["referral_id"]]))
    ]
    struck = await _struck(connection, batch.tenant_id, touchpoints)
    rows = [_row(row["referral_id"], told[row["referral_id"]], row["touchpoint_id"], struck) for row in found]
    if rows:
        await connection.execute(sql.judge, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))


def _together(known: Iterable[Fact], new: Iterable[Fact]) -> list[Fact]:
    """In the order of the log, each once."""
    by_position = {fact.order: fact for fact in (*known, *new)}
    return [by_position[position] for position in sorted(by_position)]


def _thanks(told: Iterable[Fact]) -> list[UUID]:
    return [fact.touchpoint_id for fact in told if fact.touchpoint_id is not None]


def _row(referral_id: UUID, told: list[Fact], touchpoint_id: UUID, struck: Collection[UUID]) -> tuple[object, ...]:
    came = referrals.fate(told, struck=struck)
    value = None if came.value is None else Decimal(came.value.amount)
    currency = None if came.value is None else came.value.currency
    return (
        referral_id, _PACK.encode(told), came.status, came.contacted_at, came.met_at, came.decided_at, value, currency,
        came.thanked_at, touchpoint_id in struck,
    )  # fmt: skip


async def _struck(connection: Connection, tenant_id: UUID, touchpoints: list[tuple[UUID, UUID]]) -> set[UUID]:
    """Which of these (contact, touchpoint) count no more."""
    if not touchpoints:
        return set()
    columns = map(list, zip(*touchpoints, strict=True))
    rows = await connection.fetch(queries("referrals").struck, tenant_id, *columns)
    return {row["touchpoint_id"] for row in rows}


async def _tie(connection: Connection, batch: Batch) -> None:
    rows = [
        (*sides, stored.position, touchpoint_id, stored.occurred_at)
        for stored in batch.events
        for pair, touchpoint_id in _pairs(stored)
        for sides in (pair, pair[::-1])
    ]
    if rows:
        await connection.execute(
            queries("referrals").tie, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True))
        )


def _pairs(stored: Stored) -> list[tuple[ties.Pair, UUID | None]]:
    match stored.event:
        case TieNoted(contact_ids=pair):
            return [(pair, None)]
        case IntroductionMade() as made:
            return [(pair, made.touchpoint_id) for pair in ties.introduced(made)]
        case _:
            return []


async def _withdraw_ties(connection: Connection, batch: Batch) -> None:
    """Ties of introductions whose touchpoint was struck, also when that came to be known first."""
    told: dict[UUID, UUID] = {}
    for stored in batch.events:
        touchpoint = _touchpoint(stored.event)
        if isinstance(made := stored.event, IntroductionMade):
            told[made.touchpoint_id] = made.contact_ids[0] if made.introducer_id is None else made.introducer_id
        elif touchpoint is not None and touchpoint.source == ties.SOURCE and touchpoint.contact_ids:
            told[touchpoint.touchpoint_id] = touchpoint.contact_ids[0]
    if told:
        struck = await _struck(connection, batch.tenant_id, [(who, which) for which, who in told.items()])
        await connection.execute(
            queries("referrals").withdraw_ties, batch.tenant_id, batch.build, list(told), list(struck)
        )


def _touchpoint(event: Event) -> TouchpointRecorded | None:
    """The touchpoint of which this says whether it counts."""
    match event:
        case TouchpointStruck(struck=touchpoint) | TouchpointRestored(restored=touchpoint):
            return touchpoint
        case _:
            return None


def _uuids(text: str | None) -> list[UUID]:
    """The id a source_id is; none where somebody else's source is called like ours."""
    try:
        return [UUID(text)]
    except (TypeError, ValueError):
        return []


PROJECTION = Projection(
    name="referrals",
    types=frozenset(
        event.TYPE for event in (ReferralMade, *TOLD, IntroductionMade, TieNoted, TouchpointStruck, TouchpointRestored)
    ),
    tables=("referral", "tie"),
    apply=apply,
    follows=("timeline",),
)
