"""Ties between contacts: who knows whom, as somebody told, and as introductions make it.

That two stood in one touchpoint, or in one referral, is not told again here: the views see it there.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from msgspec import Meta, Struct

from domain import touchpoints
from domain.channels import check_slug
from domain.errors import Invalid
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.touchpoints import Reference, TouchpointRecorded

MOST_INTRODUCED = 12
SOURCE = "introduction"  # of the touchpoints it records

Pair = tuple[UUID, UUID]


class TieNoted(Event, frozen=True, kw_only=True):
    """These two know each other, as somebody told; the smaller id first."""

    TYPE: ClassVar[str] = "tie.noted"
    contact_ids: Pair

    @property
    def stream(self) -> str:
        return stream_of(self.contact_ids)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.contact_ids


class IntroductionMade(Event, frozen=True, kw_only=True):
    """These were brought together, by us or by the introducer, who then knows each of them. Personal: note."""

    TYPE: ClassVar[str] = "introduction.made"
    introduction_id: UUID
    contact_ids: tuple[UUID, ...]
    touchpoint_id: UUID
    introducer_id: UUID | None = None
    source: str | None = None
    source_id: str | None = None

    @property
    def stream(self) -> str:
        return f"introduction-{self.introduction_id}"

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.contact_ids if self.introducer_id is None else (*self.contact_ids, self.introducer_id)


class NoteTie(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Two people who know each other. Unknown ones become contacts."""

    between: Annotated[tuple[Reference, ...], Meta(min_length=2, max_length=2)]


class MakeIntroduction(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """People brought together in a channel: two or more by us, or one or more, with us, by the `introducer`.

    Unknown people become contacts. Just now where `occurred_at` is left out. A `source` with its `source_id` makes it
    safe to send twice.
    """

    people: Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=MOST_INTRODUCED)]
    channel: Annotated[str, Meta(max_length=60, examples=["email"])]
    introducer: Reference | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    note: Annotated[str, Meta(max_length=10_000)] | None = None
    source: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    source_id: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


def check(command: MakeIntroduction, *, now: datetime) -> MakeIntroduction:
    """The command itself when it can be recorded as it stands. Raises Invalid with the field."""
    check_slug(command.channel)
    if command.occurred_at is not None:
        touchpoints.check_time(command.occurred_at, now=now)
    if command.source_id is not None and command.source is None:
        raise Invalid("a source_id goes with its source", field="source")
    if command.introducer is None and len(command.people) < 2:
        raise Invalid("an introduction of ours brings two or more people together", field="people")
    return command


def introduce(
    command: MakeIntroduction, *, introduction_id: UUID, contact_ids: Sequence[UUID], introducer_id: UUID | None
) -> list[Event]:
    """The touchpoint, with those we introduced or with who introduced us, and the introduction. Raises Invalid."""
    before = {introducer_id}
    for n, contact_id in enumerate(contact_ids):
        if contact_id in before:
            raise Invalid("this person stands in the introduction twice", field=f"people[{n}]")
        before.add(contact_id)
    made = IntroductionMade(
        introduction_id=introduction_id,
        contact_ids=tuple(contact_ids),
        touchpoint_id=touchpoint_of(introduction_id),
        introducer_id=introducer_id,
        source=command.source,
        source_id=command.source_id,
        personal=NOTHING_PERSONAL if command.note is None else Personal(note=command.note),
    )
    happened = TouchpointRecorded(
        touchpoint_id=made.touchpoint_id,
        kind="introduction",
        channel=command.channel,
        direction="out" if introducer_id is None else "in",
        contact_ids=tuple(contact_ids) if introducer_id is None else (introducer_id,),
        act="give" if introducer_id is None else None,
        source=SOURCE,
        source_id=str(introduction_id),
    )
    return [happened, made]


def note(contact_ids: Sequence[UUID], *, known: bool) -> list[TieNoted]:
    """Noted once. Raises Invalid for one person with themselves."""
    both = pair(contact_ids)
    if both[0] == both[1]:
        raise Invalid("a tie is between two people", field="between[1]")
    return [] if known else [TieNoted(contact_ids=both)]


def pair(contact_ids: Sequence[UUID]) -> Pair:
    """The same whoever is named first."""
    one, other = sorted(contact_ids)
    return one, other


def introduced(made: IntroductionMade) -> list[Pair]:
    """Who knows whom by an introduction."""
    everybody = made.contact_ids if made.introducer_id is None else (*made.contact_ids, made.introducer_id)
    return [(one, other) for one, other in combinations(sorted(everybody), 2)]


def touchpoint_of(introduction_id: UUID) -> UUID:
    """The id of the touchpoint that making this introduction was."""
    return uuid5(introduction_id, "touchpoint")


def stream_of(pair: Pair) -> str:
    return f"tie-{pair[0]}-{pair[1]}"
