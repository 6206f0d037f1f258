"""Imports: what the rows of a file people bring become, and whom they are about.

A reader turns each row of its file into exactly one Row, in the order of the file: nothing is dropped in silence. What
it yields is a proposal; the road judges it like anything else that comes in.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from domain.contacts import IdentityGiven
from domain.touchpoints import RecordTouchpoint, Reference


class Person(Struct, frozen=True, omit_defaults=True):
    """Somebody a row names: in one way for touchpoints (`reference`), and by what else the file knows.

    `signs` are short plain facts that help to tell business from private: `category:family`, `calendar:private`.
    """

    reference: Reference
    also: tuple[IdentityGiven, ...] = ()
    organisation: str | None = None
    role: str | None = None
    signs: tuple[str, ...] = ()


class TouchpointRow(Struct, frozen=True, tag="touchpoint"):
    """An interaction. `record` has its source and source_id set, so that the same row is recorded once.

    `people` runs beside `record.people`. `text_digest` tells equal texts apart from others; the text itself is gone.
    """

    record: RecordTouchpoint
    people: tuple[Person, ...]
    text_digest: bytes | None = None


class ContactRow(Struct, frozen=True, tag="contact"):
    """An entry of an address book: somebody known, no interaction."""

    person: Person
    source: str
    source_id: str


class AppointmentRow(Struct, frozen=True, tag="appointment"):
    """A meeting planned, or called off. No touchpoint before it happened. Times are in UTC."""

    source: str
    source_id: str
    starts_at: datetime
    ends_at: datetime
    channel: str
    people: tuple[Person, ...]
    cancelled: bool = False


class Skipped(Struct, frozen=True, tag="skipped"):
    """Understood, and rightly no fact for us: a draft, a list mail, a mail to oneself."""

    reason: str


class Rejected(Struct, frozen=True, tag="rejected"):
    """Not understood. `column` counts from 1, in characters of a line or fields of a table, as `field` says."""

    reason: str
    column: int | None = None
    field: str | None = None


class Row(Struct, frozen=True):
    """One row of the file. `line` counts from 1, where the row begins; `excerpt` shows it, cut short, to people.

    In an archive `member` is the name of the file in it, and `line` counts there.
    """

    line: int
    outcome: TouchpointRow | ContactRow | AppointmentRow | Skipped | Rejected
    excerpt: str = ""
    member: str | None = None


class OwnerCandidate(Struct, frozen=True):
    """An identity that may be the business's own in this file, and how many rows speak for it."""

    platform: str
    handle: str
    name: str | None
    rows: int


class Reading(Struct, frozen=True):
    """What a reader has to know beside the file. `own` are the business's identities, normalised as identities are."""

    own: frozenset[tuple[str, str]]
    country: str | None
    time_zone: str
    now: datetime


Sort = Literal["business", "private", "unsure"]
Unsure = Literal["business", "private", "wait"]
State = Literal[
    "reading", "sorting", "needs_owner", "ready", "running", "answering", "done", "undoing", "undone", "cancelled",
    "failed",
]  # fmt: skip
Outcome = Literal["recorded", "known", "skipped", "rejected", "waiting", "private", "undone"]
OUTCOMES: tuple[Outcome, ...] = ("recorded", "known", "skipped", "rejected", "waiting", "private", "undone")
ImportId = UUID

# What a person may ask of an import, and in which states.
MAY_START = frozenset({"ready", "done"})
MAY_SAY_OWN = frozenset({"needs_owner", "ready"})
MAY_UNDO = frozenset({"needs_owner", "ready", "done", "cancelled", "failed"})
MAY_CANCEL = frozenset({"reading", "sorting", "needs_owner", "ready", "running", "answering"})


class Sorted(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says of somebody in the file: `id` as the dry run shows it."""

    id: UUID
    sort: Literal["business", "private"]


class StartImport(Struct, frozen=True, forbid_unknown_fields=True):
    """Record what the dry run showed. `unsure` says what becomes of people nobody sorted: they wait when left out."""

    people: Annotated[tuple[Sorted, ...], Meta(max_length=10_000)] = ()
    unsure: Unsure | None = None


class SayOwn(Struct, frozen=True, forbid_unknown_fields=True):
    """Which identities are the business's own: asked once, remembered for every file that comes later."""

    own: Annotated[tuple[IdentityGiven, ...], Meta(min_length=1, max_length=100)]
