"""Touchpoints: one interaction each, recorded once, struck when it was wrong, never changed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from domain import bulk, identities
from domain.channels import check_slug
from domain.errors import Invalid, NotFound, Refused, field_below
from domain.event import NOTHING_PERSONAL, Event, Personal

Kind = Literal[
    "post", "mention", "comment", "like", "follow", "connect", "share", "review", "direct_message", "chat", "email",
    "call", "video_call", "handshake", "meeting", "attendance", "help", "advice", "collaboration", "introduction",
    "referral", "vouch", "purchase", "gift", "complaint", "dispute", "other",
]  # fmt: skip
Direction = Literal["in", "out", "mutual"]
Act = Literal["give", "ask", "promote", "thank", "neutral"]
About = Literal["us", "them", "other"]

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
MAX_PEOPLE = 500

Text = Annotated[str, Meta(max_length=200)]
Identity = tuple[str, str]
Named = Identity | UUID | None  # an identity, a contact's id, or nobody known: a name alone


class Reference(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One person of a touchpoint, by exactly one of: contact_id, platform + handle, email, phone, or a name alone.

    A name alone opens a new contact and never joins one; `hint` tells people of one name apart ("the baker's sister").
    """

    contact_id: UUID | None = None
    platform: Annotated[str, Meta(max_length=40)] | None = None
    handle: Annotated[str, Meta(max_length=1000)] | None = None
    email: Annotated[str, Meta(max_length=1000)] | None = None
    phone: Annotated[str, Meta(max_length=100)] | None = None
    name: Text | None = None
    hint: Text | None = None


class RecordTouchpoint(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One interaction, as the caller tells it.

    `occurred_at` carries its offset; it is kept in UTC. `channel` is the slug of the place; an unknown one is opened.
    `direction` is `out` for ours, `in` for theirs, `mutual` for both. `with` names the people; only a post, or what
    has an `audience`, may be with nobody. `act` is what it did, `about` whose matter it was. A `depth`, 0 to 3, stands
    above that of the kind. `audience` is how many it reached; `automated`, that no person wrote it. The same words
    of ours to five people within a day weigh nothing (a `note` of something written is its text). A `source` with
    its `source_id` makes it safe to send twice.
    """

    kind: Kind
    occurred_at: Annotated[datetime, Meta(tz=True)]
    channel: Annotated[str, Meta(max_length=60, examples=["chamber", "linkedin"])]
    direction: Direction
    people: tuple[Reference, ...] = field(name="with", default=())
    act: Act | None = None
    about: About | None = None
    minutes: Annotated[int, Meta(ge=0, le=14_400)] | None = None
    depth: Annotated[int, Meta(ge=0, le=3)] | None = None
    audience: Annotated[int, Meta(ge=0, le=100_000_000)] | None = None
    automated: bool = False
    topics: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=20)] = ()
    note: Annotated[str, Meta(max_length=10_000)] | None = None
    source: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    source_id: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


class TouchpointRecorded(Event, frozen=True, kw_only=True):
    """It happened. `contact_ids` in the order they were given; empty when it addressed a channel, not people."""

    TYPE: ClassVar[str] = "touchpoint.recorded"

    touchpoint_id: UUID
    kind: Kind
    channel: str
    direction: Direction
    contact_ids: tuple[UUID, ...] = ()
    act: Act | None = None
    about: About | None = None
    minutes: int | None = None
    depth: int | None = None
    audience: int | None = None
    automated: bool = False
    topics: tuple[str, ...] = ()
    source: str | None = None
    source_id: str | None = None
    text_mark: str | None = None  # a keyed digest of the words we wrote, to know them again; it stays in the log

    @property
    def stream(self) -> str:
        return stream_of(self.touchpoint_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.contact_ids


class TouchpointStruck(Event, frozen=True, kw_only=True):
    """It did not happen, or not so: it counts no more. Carries what was struck, so that counts can be taken back.

    `undo_of` is the import that was undone, where no person struck this very touchpoint.
    """

    TYPE: ClassVar[str] = "touchpoint.struck"

    touchpoint_id: UUID
    struck: TouchpointRecorded
    undo_of: UUID | None = None

    @property
    def stream(self) -> str:
        return stream_of(self.touchpoint_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.struck.contact_ids


class TouchpointRestored(Event, frozen=True, kw_only=True):
    """It counts again: an import brought once more what the undo of an import had struck."""

    TYPE: ClassVar[str] = "touchpoint.restored"

    touchpoint_id: UUID
    restored: TouchpointRecorded

    @property
    def stream(self) -> str:
        return stream_of(self.touchpoint_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.restored.contact_ids


class StrikeTouchpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Take a touchpoint back. The log keeps both facts."""

    why: Text | None = None


def check(command: RecordTouchpoint, *, now: datetime) -> RecordTouchpoint:
    """The command itself when it can be recorded as it stands; Invalid, naming the field, when not."""
    check_slug(command.channel)
    check_time(command.occurred_at, now=now)
    if command.source_id is not None and command.source is None:
        raise Invalid("a source_id goes with its source", field="source")
    for index, topic in enumerate(command.topics):
        if not topic.strip():
            raise Invalid("a topic says something", field=f"topics[{index}]")
    if len(command.people) > MAX_PEOPLE:
        raise Invalid(f"one touchpoint names at most {MAX_PEOPLE} people", field="with")
    if not command.people and command.kind != "post" and command.audience is None:
        raise Invalid("say with whom, or give an audience: only a post may be with nobody", field="with")
    before: set[Reference] = set()
    for index, reference in enumerate(command.people):
        check_reference(reference, at=f"with[{index}]")
        if reference in before:
            raise Invalid("this person stands in the touchpoint twice", field=f"with[{index}]")
        before.add(reference)
    return command


def check_time(at: datetime, *, now: datetime, field: str = "occurred_at") -> datetime:
    if not EARLIEST <= at <= now + AHEAD:
        raise Invalid("this is before 1900 or more than a day ahead", field=field)
    return at


def check_reference(reference: Reference, *, at: str) -> None:
    """Exactly one way of naming the person, and a name that says something."""
    ways = [
        way
        for way, given in (
            ("contact_id", reference.contact_id),
            ("platform", reference.platform if reference.platform is not None else reference.handle),
            ("email", reference.email),
            ("phone", reference.phone),
        )
        if given is not None
    ]
    if len(ways) > 1:
        raise Invalid(f"name the person in one way, not by {' and '.join(ways)}", field=f"{at}.{ways[1]}")
    if not ways and (reference.name is None or not reference.name.strip()):
        raise Invalid("name the person: contact_id, platform and handle, email, phone, or a name", field=at)
    if reference.name is not None and not reference.name.strip():
        raise Invalid("a name says something", field=f"{at}.name")
    if ways == ["platform"] and (reference.platform is None or reference.handle is None):
        raise Invalid(
            "platform and handle go together", field=f"{at}.{'handle' if reference.handle is None else 'platform'}"
        )
    if reference.hint is not None and ways:
        raise Invalid("a hint goes with a name alone", field=f"{at}.hint")


def named(reference: Reference, *, country: str, at: str) -> Named:
    """Whom a checked reference names. Raises Invalid with the field below `at`."""
    with field_below(at):
        if reference.contact_id is not None:
            return reference.contact_id
        if reference.email is not None:
            return identities.normalise("email", reference.email, country=country)
        if reference.phone is not None:
            return identities.normalise("phone", reference.phone, country=country)
        if reference.platform is not None and reference.handle is not None:
            return identities.given(reference.platform, reference.handle, country=country)
    return None


def all_named(command: RecordTouchpoint, *, country: str) -> tuple[Named, ...]:
    """The people of a checked command, in its order. Raises Invalid with the field, and for one named twice."""
    people = tuple(named(reference, country=country, at=f"with[{n}]") for n, reference in enumerate(command.people))
    check_distinct(people)
    return people


def check_distinct(people: Sequence[Named]) -> None:
    """Invalid when two references are, or turned out to be, one contact."""
    before: set[Named] = set()
    for index, who in enumerate(people):
        if who is not None and who in before:
            raise Invalid("this person stands in the touchpoint twice", field=f"with[{index}]")
        before.add(who)


def words_to_mark(command: RecordTouchpoint) -> str | None:
    """The words of what we wrote to somebody ourselves; None where it is not that, or says hardly anything."""
    if command.direction != "out" or command.kind not in bulk.WRITTEN or command.automated or command.note is None:
        return None
    return bulk.words_of(command.note)


def record(
    command: RecordTouchpoint, *, touchpoint_id: UUID, contact_ids: Sequence[UUID], text_mark: str | None = None
) -> TouchpointRecorded:
    """The fact of a checked command whose people are known. What a scheduler sent for us is automated."""
    check_distinct(contact_ids)
    return TouchpointRecorded(
        touchpoint_id=touchpoint_id,
        kind=command.kind,
        channel=command.channel,
        direction=command.direction,
        contact_ids=tuple(contact_ids),
        act=command.act,
        about=command.about,
        minutes=command.minutes,
        depth=command.depth,
        audience=command.audience,
        automated=command.automated or (command.direction == "out" and bulk.by_scheduler(command.source)),
        topics=command.topics,
        source=command.source,
        source_id=command.source_id,
        text_mark=text_mark,
        personal=NOTHING_PERSONAL if command.note is None else Personal(note=command.note),
    )


class Touchpoint(Struct, frozen=True):
    """What a decision about a touchpoint needs of it. `by_hand`: a person struck it, not the undo of an import."""

    recorded: TouchpointRecorded
    struck: bool = False
    by_hand: bool = False


def evolve(touchpoint: Touchpoint | None, event: Event) -> Touchpoint | None:
    match event:
        case TouchpointRecorded():
            return Touchpoint(event)
        case TouchpointStruck(struck=recorded, undo_of=undo_of):
            return Touchpoint(recorded, struck=True, by_hand=undo_of is None)
        case TouchpointRestored(restored=recorded):
            return Touchpoint(recorded)
        case _:
            return touchpoint


def strike(command: StrikeTouchpoint, touchpoint: Touchpoint | None) -> list[Event]:
    """Struck once; a second strike changes nothing."""
    if touchpoint is None:
        raise NotFound("there is no such touchpoint")
    if touchpoint.struck:
        return []
    plain = replace(touchpoint.recorded, personal=NOTHING_PERSONAL)
    return [TouchpointStruck(touchpoint_id=plain.touchpoint_id, struck=plain, personal=Personal(note=command.why))]


def undo(touchpoint: Touchpoint | None, *, of: UUID) -> list[Event]:
    """Struck because its import is undone; nothing for what is struck already."""
    if touchpoint is None or touchpoint.struck:
        return []
    plain = replace(touchpoint.recorded, personal=NOTHING_PERSONAL)
    return [TouchpointStruck(touchpoint_id=plain.touchpoint_id, struck=plain, undo_of=of)]


def restore(touchpoint: Touchpoint | None) -> list[Event]:
    """It counts again, where the undo of an import struck it. What a person took back stays so: Refused."""
    if touchpoint is None:
        raise NotFound("there is no such touchpoint")
    if not touchpoint.struck:
        return []
    if touchpoint.by_hand:
        raise Refused("taken back by hand")
    plain = replace(touchpoint.recorded, personal=NOTHING_PERSONAL)
    return [TouchpointRestored(touchpoint_id=plain.touchpoint_id, restored=plain)]


def stream_of(touchpoint_id: UUID) -> str:
    return f"touchpoint-{touchpoint_id}"
