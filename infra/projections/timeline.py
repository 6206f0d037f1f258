"""The timeline: one row for each contact of a touchpoint, with the positions at which it came and was struck, and
whether the same words of ours went to many within a day.

Beside them stand the decisions on referrals, of which it tells what a won one is to who made it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec

from domain import referrals
from domain.bulk import WITHIN, Sent, bulk
from domain.referrals import Fact, ReferralLost, ReferralWon
from domain.relationships import Experience, day_of
from domain.touches import Touch
from domain.touchpoints import TouchpointRecorded, TouchpointRestored, TouchpointStruck
from infra.database import Connection, queries
from infra.projection import Batch, Projection, Stored

_JSON = msgspec.json.Encoder()
EVER = datetime(1890, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


async def apply(connection: Connection, batch: Batch) -> None:
    sql = queries("timeline")
    rows = [row for stored in batch.events for row in _rows(stored)]
    if rows:
        await connection.execute(sql.insert, batch.tenant_id, batch.build, *map(list, zip(*rows, strict=True)))
    for statement, marks in groupby(_marks(batch.events), key=lambda mark: mark[0]):
        columns = zip(*(mark[1:] for mark in marks), strict=True)
        await connection.execute(getattr(sql, statement), batch.tenant_id, batch.build, *map(list, columns))
    await _mark_bulk(connection, batch)
    for stored in batch.events:
        if isinstance(stored.event, ReferralWon | ReferralLost) and stored.event.direction == "received":
            await _decide(connection, batch, stored, stored.event)


async def _decide(connection: Connection, batch: Batch, stored: Stored, event: ReferralWon | ReferralLost) -> None:
    outcome = "won" if isinstance(event, ReferralWon) else "lost"
    await connection.execute(
        queries("timeline").decide, batch.tenant_id, batch.build, event.referrer_id, event.referral_id,
        stored.position, referrals.touchpoint_of(event.referral_id), outcome, stored.occurred_at,
    )  # fmt: skip


async def _mark_bulk(connection: Connection, batch: Batch) -> None:
    """What the batch made bulk, or no more so."""
    changed = [
        (row["contact_id"], row["touchpoint_id"], is_bulk)
        for row, is_bulk in await _judged(connection, batch, "counts", build=batch.build)
        if is_bulk != row["bulk"]
    ]
    if changed:
        columns = map(list, zip(*changed, strict=True))
        await connection.execute(queries("timeline").mark_bulk, batch.tenant_id, batch.build, *columns)


async def weighed_anew(connection: Connection, batch: Batch) -> set[UUID]:
    """Whose touch counts no more, or again, because of what the batch says of the same words to others.

    By the live rows as far as these have come, against what counted before the batch.
    """
    judged = await _judged(connection, batch, "counted", build=None)
    return {row["contact_id"] for row, was_bulk in judged if row["bulk"] != was_bulk}


async def _judged(
    connection: Connection, batch: Batch, counting: Literal["counts", "counted"], *, build: int | None
) -> list[tuple[asyncpg.Record, bool]]:
    """What may be bulk because of the batch, with whether it is, of what counts now or counted before the batch.

    Of `build`, or of the live one. What is struck is no bulk.
    """
    spans = _spans(batch.events)
    if not spans:
        return []
    before = batch.events[0].position - 1
    asked = [(mark, first - 2 * WITHIN, last + 2 * WITHIN) for mark, (first, last) in spans.items()]
    rows = await connection.fetch(
        queries("timeline").words_sent, batch.tenant_id, build, *map(list, zip(*asked, strict=True)), before
    )
    by_words: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        by_words.setdefault(row["text_mark"], []).append(row)
    found = []
    for mark, sent in by_words.items():
        first, last = spans[mark]
        mass = bulk(Sent(row["touchpoint_id"], row["contact_id"], row["occurred_at"]) for row in sent if row[counting])
        found += [
            (row, row[counting] and row["touchpoint_id"] in mass)
            for row in sent
            if first - WITHIN <= row["occurred_at"] <= last + WITHIN
        ]
    return found


def _spans(events: Iterable[Stored]) -> dict[str, tuple[datetime, datetime]]:
    """The marks of texts that were told, struck or restored, with the first and the last time of each.

    A strike happened when it was said; what it strikes is found by its words at any time.
    """
    spans: dict[str, tuple[datetime, datetime]] = {}
    for stored in events:
        match stored.event:
            case TouchpointRecorded(text_mark=str() as mark):
                first, last = spans.get(mark, (stored.occurred_at, stored.occurred_at))
                spans[mark] = min(first, stored.occurred_at), max(last, stored.occurred_at)
            case (
                TouchpointStruck(struck=TouchpointRecorded(text_mark=str() as mark))
                | TouchpointRestored(restored=TouchpointRecorded(text_mark=str() as mark))
            ):
                spans[mark] = EVER
            case _:
                pass
    return spans


def _marks(events: Iterable[Stored]) -> Iterator[tuple[str, UUID, UUID, int]]:
    """What is struck or restored, in order: one touchpoint may be both within a batch."""
    for stored in events:
        match stored.event:
            case TouchpointStruck(touchpoint_id=touchpoint_id, struck=fact):
                statement = "strike"
            case TouchpointRestored(touchpoint_id=touchpoint_id, restored=fact):
                statement = "restore"
            case _:
                continue
        yield from ((statement, who, touchpoint_id, stored.position) for who in fact.contact_ids)


def _rows(stored: Stored) -> list[tuple[object, ...]]:
    fact = stored.event
    if not isinstance(fact, TouchpointRecorded):
        return []
    said = (
        fact.touchpoint_id, stored.position, stored.occurred_at, fact.kind, fact.channel, fact.direction, fact.act,
        fact.about, fact.minutes, fact.depth, fact.audience, len(fact.contact_ids), fact.automated,
        _JSON.encode(fact.topics).decode(), fact.text_mark,
    )  # fmt: skip
    return [(who, *said) for who in fact.contact_ids]


async def experiences(
    connection: Connection, tenant_id: UUID, members: Mapping[UUID, Sequence[UUID]], *, through: int
) -> dict[UUID, list[Experience]]:
    """By standing contact, the unstruck touches of all that are one with it as known at a position, and their
    conversions, from the live build. A touch that several of them had stands there for each."""
    stands = {who: standing for standing, group in members.items() for who in group}
    found: dict[UUID, list[Experience]] = {who: [] for who in members}
    for row in await connection.fetch(queries("timeline").touches, tenant_id, list(stands), through):
        found[stands[row["contact_id"]]].append(Experience(touch_of(row), row["occurred_at"]))
    decided = await connection.fetch(queries("timeline").conversions, tenant_id, list(stands), through, None)
    for who, converted in conversions(decided, found, stands).items():
        found[who] += converted
    return found


async def experiences_until(
    connection: Connection, tenant_id: UUID, group: Sequence[UUID], until: datetime | None
) -> list[Experience]:
    """The unstruck touches of contacts that are one, each once, that had happened by an instant, and the conversions
    by then."""
    sql = queries("timeline")
    rows = await connection.fetch(sql.touches_until, tenant_id, list(group), until)
    found = list({row["touchpoint_id"]: Experience(touch_of(row), row["occurred_at"]) for row in rows}.values())
    decided = await connection.fetch(sql.conversions, tenant_id, list(group), None, until)
    stands = dict.fromkeys(group, group[0])
    return found + conversions(decided, {group[0]: found}, stands).get(group[0], [])


def conversions(
    decided: Iterable[asyncpg.Record], known: Mapping[UUID, Sequence[Experience]], stands: Mapping[UUID, UUID]
) -> dict[UUID, list[Experience]]:
    """By standing contact, what decisions on referrals come to, where the referral is among the contact's touches."""
    facts: dict[tuple[UUID, UUID, UUID], list[Fact]] = {}
    for row in decided:
        of = stands[row["contact_id"]], row["referral_id"], row["touchpoint_id"]
        facts.setdefault(of, []).append(Fact(row["outcome"], row["occurred_at"], row["position"]))
    found: dict[UUID, list[Experience]] = {}
    for (who, referral_id, touchpoint_id), told in facts.items():
        channel = next((one.touch.context for one in known[who] if one.touch.touchpoint_id == touchpoint_id), None)
        if channel is not None and (one := referrals.conversion(referral_id, channel, told)) is not None:
            found.setdefault(who, []).append(one)
    return found


def recorded(fact: TouchpointRecorded, occurred_at: datetime) -> Experience:
    """A touchpoint as the row it becomes is read."""
    touch = Touch(
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
    return Experience(touch, occurred_at)


def touch_of(row: asyncpg.Record) -> Touch:
    """A timeline row as the strength model takes it; people named count as its audience where more are not given.

    What is bulk is as good as automated.
    """
    return Touch(
        touchpoint_id=row["touchpoint_id"],
        day=day_of(row["occurred_at"]),
        kind=row["kind"],
        direction=row["direction"],
        context=row["channel"],
        act=row["act"],
        depth=row["depth"],
        minutes=row["minutes"],
        audience=max(row["audience"] or 1, row["people"]),
        automated=row["automated"] or row["bulk"],
    )


PROJECTION = Projection(
    name="timeline",
    types=frozenset(
        event.TYPE for event in (TouchpointRecorded, TouchpointStruck, TouchpointRestored, ReferralWon, ReferralLost)
    ),
    tables=("timeline", "conversion"),
    apply=apply,
)
