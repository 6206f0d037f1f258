"""Contacts: the people and organisations a tenant knows, and the facts about them beside the touchpoints."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid5

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from domain.channels import check_slug
from domain.errors import Invalid, NotFound
from domain.event import Event, Personal

Relation = Literal["customer", "supplier", "partner", "mentor", "employee", "prospect", "other"]
Often = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "rarely"]
Close = Literal["by_sight", "acquaintance", "familiar", "ally", "advocate"]
Within = Literal["yes", "no", "unknown"]
Ending = Literal["died", "moved", "ended", "said_no"]

NAMESPACE = UUID("6f0f5d0e-63c0-4c7c-8f4e-6e1f0a6c1a02")
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class _OfContact(Event, frozen=True, kw_only=True):
    contact_id: UUID

    @property
    def stream(self) -> str:
        return stream_of(self.contact_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id,)


class ContactAdded(_OfContact, frozen=True, kw_only=True):
    """Somebody is known, by a name, or by nothing but an identity that follows. Personal: name, hint."""

    TYPE: ClassVar[str] = "contact.added"


class IdentityNoted(_OfContact, frozen=True, kw_only=True):
    """How the contact is called on a platform. Personal: handle."""

    TYPE: ClassVar[str] = "contact.identity_noted"
    platform: str


class ContactNamed(_OfContact, frozen=True, kw_only=True):
    """A name for one known by an identity alone, or a better name. Personal: name."""

    TYPE: ClassVar[str] = "contact.named"


class LocalityNoted(_OfContact, frozen=True, kw_only=True):
    """Where the contact lives or works. Personal: locality, nothing when it is no more known."""

    TYPE: ClassVar[str] = "contact.locality_noted"


class RelationNoted(_OfContact, frozen=True, kw_only=True):
    """What the contact is to the business."""

    TYPE: ClassVar[str] = "contact.relation_noted"
    relation: Relation | None


class InterestNoted(_OfContact, frozen=True, kw_only=True):
    """What the contact cares about, and in which channel that was learned. Personal: topic.

    An interest told in confidence is never used in a reason shown to anyone else.
    """

    TYPE: ClassVar[str] = "contact.interest_noted"
    learned_at: str | None = None
    in_confidence: bool = False


class RelationshipStated(_OfContact, frozen=True, kw_only=True):
    """What the owner says of a relationship older than the log. Adds no points; shown *as you told us*."""

    TYPE: ClassVar[str] = "relationship.stated"
    known_since: date | None = None
    how_often: Often | None = None
    how_close: Close | None = None
    by: str | None = None


class ReachNoted(_OfContact, frozen=True, kw_only=True):
    """Whether a meeting in person is within reach, where no locality says so."""

    TYPE: ClassVar[str] = "contact.reach_noted"
    within_reach: Within


class LeaveAloneNoted(_OfContact, frozen=True, kw_only=True):
    """Whether the contact is to be left alone: then no nudge of any kind is about them."""

    TYPE: ClassVar[str] = "contact.leave_alone_noted"
    leave_alone: bool


class RelationshipClosed(_OfContact, frozen=True, kw_only=True):
    """No nudge ever again."""

    TYPE: ClassVar[str] = "relationship.closed"
    ending: Ending


class ContactRemoved(_OfContact, frozen=True, kw_only=True):
    """Nobody needs it in a list: the import that brought it was undone, and nothing else knows the contact.

    Whatever is said of the contact later brings it back; its identities stay its own.
    """

    TYPE: ClassVar[str] = "contact.removed"
    undo_of: UUID


class ContactRestored(_OfContact, frozen=True, kw_only=True):
    """An import brought the contact again, and nothing new to say of it."""

    TYPE: ClassVar[str] = "contact.restored"


# What is said of somebody who is there. Any of it brings a removed contact back.
FACTS = (
    ContactAdded,
    ContactNamed,
    IdentityNoted,
    LocalityNoted,
    RelationNoted,
    InterestNoted,
    RelationshipStated,
    ReachNoted,
    RelationshipClosed,
    ContactRestored,
)


# What is told of a contact, and of which those merged into it may have a word where it has none.
WORDS = (
    "name", "hint", "locality", "relation", "known_since", "how_often", "how_close", "stated_by", "stated_at",
    "within_reach", "leave_alone", "closed",
)  # fmt: skip


class IdentityGiven(Struct, frozen=True, forbid_unknown_fields=True):
    platform: Annotated[str, Meta(max_length=40)]
    handle: Annotated[str, Meta(max_length=1000)]


class InterestGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """What they care about, the slug of the channel where that was learned, and whether in confidence."""

    topic: Annotated[str, Meta(max_length=80)]
    learned_at: Annotated[str, Meta(max_length=60)] | None = None
    in_confidence: bool = False


class Stated(Struct, frozen=True, forbid_unknown_fields=True):
    known_since: date | None = None
    how_often: Often | None = None
    how_close: Close | None = None
    by: Annotated[str, Meta(max_length=80)] | None = None


class AddContact(Struct, frozen=True, forbid_unknown_fields=True):
    """A person the business knows: at least a name or one identity.

    `hint` tells people of one name apart. `stated` is what the owner says of a relationship older than the log.
    """

    name: Name | None = None
    hint: Name | None = None
    identities: Annotated[tuple[IdentityGiven, ...], Meta(max_length=50)] = ()
    locality: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    relation: Relation | None = None
    interests: Annotated[tuple[InterestGiven, ...], Meta(max_length=100)] = ()
    stated: Stated | None = None


class ChangeContact(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise: a field left out stays, lists add to what is there.

    `null` takes locality or relation away. `within_reach`: whether one can meet in person. `leave_alone` and `closed`
    end all nudges about them.
    """

    name: Name | UnsetType = UNSET
    identities: Annotated[tuple[IdentityGiven, ...], Meta(max_length=50)] = ()
    locality: Annotated[str, Meta(min_length=1, max_length=120)] | None | UnsetType = UNSET
    relation: Relation | None | UnsetType = UNSET
    interests: Annotated[tuple[InterestGiven, ...], Meta(max_length=100)] = ()
    stated: Stated | UnsetType = UNSET
    within_reach: Within | UnsetType = UNSET
    leave_alone: bool | UnsetType = UNSET
    closed: Ending | UnsetType = UNSET


class Contact(Struct, frozen=True):
    """What a decision about a contact needs to know of it."""

    contact_id: UUID
    name: str | None = None
    locality: str | None = None
    relation: Relation | None = None
    identities: frozenset[tuple[str, str]] = frozenset()
    interests: frozenset[tuple[str, str | None, bool]] = frozenset()
    stated: RelationshipStated | None = None
    within_reach: Within | None = None
    leave_alone: bool = False
    closed: Ending | None = None
    removed: bool = False
    told: frozenset[str] = frozenset()  # of which of these fields there was ever a word, if only that there is nothing


def add(command: AddContact, *, contact_id: UUID, identities: Iterable[tuple[str, str]]) -> list[Event]:
    """The facts of a new contact; `identities` are the command's, normalised. The first one opens the contact."""
    name = stripped(command.name, field="name")
    if name is None and not command.identities:
        raise Invalid("a contact has a name or an identity", field="name")
    rest = ChangeContact(
        locality=UNSET if command.locality is None else command.locality,
        relation=UNSET if command.relation is None else command.relation,
        interests=command.interests,
        stated=UNSET if command.stated is None else command.stated,
    )
    opened = opening(contact_id, name=name, hint=stripped(command.hint, field="hint"), identities=identities)
    return [*opened, *change(rest, fold(opened), identities=())]


def opening(
    contact_id: UUID, *, name: str | None, hint: str | None = None, identities: Iterable[tuple[str, str]] = ()
) -> list[Event]:
    """The first facts of somebody not known before."""
    added = ContactAdded(contact_id=contact_id, personal=Personal(name=name, hint=hint))
    return [added, *(_noted(contact_id, platform, handle) for platform, handle in identities)]


def change(command: ChangeContact, contact: Contact | None, *, identities: Iterable[tuple[str, str]]) -> list[Event]:
    """The facts that make the contact so; none for what is so already."""
    if contact is None:
        raise NotFound("there is no such contact")
    return [
        *_naming(command, contact),
        *(_noted(contact.contact_id, *known) for known in identities if known not in contact.identities),
        *_placing(command, contact),
        *_interests(command, contact),
        *_standing(command, contact),
    ]


def complete(contact: Contact, *, name: str | None, identities: Iterable[tuple[str, str]] = ()) -> list[Event]:
    """What an address book adds to somebody known: a name where there is none, identities. One removed comes back."""
    who = contact.contact_id
    named = [ContactNamed(contact_id=who, personal=Personal(name=name))] if name and not contact.name else []
    noted = [_noted(who, *known) for known in identities if known not in contact.identities]
    if contact.removed and not named and not noted:
        return [ContactRestored(contact_id=who)]
    return [*named, *noted]


def united(field: str, people: Sequence[Mapping[str, Any]]) -> Any:
    """The first word on this of contacts that are one; also that there is nothing, where one was `told` so."""
    return next((one[field] for one in people if one[field] or field in one["told"]), people[0][field])


def remove(contact: Contact | None, *, undo_of: UUID) -> list[Event]:
    """Taken out of lists. Said again of one who is out already it changes nothing: a touchpoint may have brought them
    back, which this stream does not tell."""
    if contact is None:
        return []
    return [ContactRemoved(contact_id=contact.contact_id, undo_of=undo_of)]


def _naming(command: ChangeContact, contact: Contact) -> list[Event]:
    if command.name is UNSET:
        return []
    name = stripped(command.name, field="name")
    return [] if name == contact.name else [ContactNamed(contact_id=contact.contact_id, personal=Personal(name=name))]


def _placing(command: ChangeContact, contact: Contact) -> list[Event]:
    who, events = contact.contact_id, list[Event]()
    if command.locality is not UNSET:
        place = stripped(command.locality, field="locality")
        if not _told(contact, "locality", place):
            events.append(LocalityNoted(contact_id=who, personal=Personal(locality=place)))
    if command.relation is not UNSET and not _told(contact, "relation", command.relation):
        events.append(RelationNoted(contact_id=who, relation=command.relation))
    return events


def _told(contact: Contact, field: str, value: object) -> bool:
    """Whether it is so already. That there is nothing is a word too: it stands over that of those merged into it."""
    return value == getattr(contact, field) and (bool(value) or field in contact.told)


def _interests(command: ChangeContact, contact: Contact) -> list[Event]:
    told = [_interest(given, at=f"interests[{n}]") for n, given in enumerate(command.interests)]
    return [
        InterestNoted(
            contact_id=contact.contact_id,
            learned_at=learned_at,
            in_confidence=in_confidence,
            personal=Personal(topic=topic),
        )
        for topic, learned_at, in_confidence in dict.fromkeys(told)
        if (topic, learned_at, in_confidence) not in contact.interests
    ]


def _interest(given: InterestGiven, *, at: str) -> tuple[str, str | None, bool]:
    topic = given.topic.strip()
    if not topic:
        raise Invalid("a topic says something", field=f"{at}.topic")
    if given.learned_at is not None:
        check_slug(given.learned_at, field=f"{at}.learned_at")
    return topic, given.learned_at, given.in_confidence


def _standing(command: ChangeContact, contact: Contact) -> list[Event]:
    who, events = contact.contact_id, list[Event]()
    if command.stated is not UNSET:
        said = command.stated
        stated = RelationshipStated(
            contact_id=who, known_since=said.known_since, how_often=said.how_often, how_close=said.how_close, by=said.by
        )
        if stated != contact.stated:
            events.append(stated)
    if command.within_reach is not UNSET and command.within_reach != contact.within_reach:
        events.append(ReachNoted(contact_id=who, within_reach=command.within_reach))
    if command.leave_alone is not UNSET and not _told(contact, "leave_alone", command.leave_alone):
        events.append(LeaveAloneNoted(contact_id=who, leave_alone=command.leave_alone))
    if command.closed is not UNSET and command.closed != contact.closed:
        events.append(RelationshipClosed(contact_id=who, ending=command.closed))
    return events


def evolve(contact: Contact | None, event: Event) -> Contact | None:
    """Whatever is said of a removed contact brings it back."""
    if contact is not None and contact.removed:
        contact = replace(contact, removed=False)
    match event:
        case ContactAdded(contact_id=contact_id, personal=personal):
            return Contact(contact_id, name=personal.name)
        case _ if contact is None:
            return None
        case ContactRemoved():
            return replace(contact, removed=True)
        case ContactNamed(personal=personal):
            return replace(contact, name=personal.name)
        case IdentityNoted(platform=platform, personal=personal):
            return replace(contact, identities=contact.identities | {(platform, personal.handle or "")})
        case LocalityNoted(personal=personal):
            return replace(contact, locality=personal.locality, told=contact.told | {"locality"})
        case RelationNoted(relation=relation):
            return replace(contact, relation=relation, told=contact.told | {"relation"})
        case InterestNoted(learned_at=learned_at, in_confidence=in_confidence, personal=personal):
            return replace(contact, interests=contact.interests | {(personal.topic or "", learned_at, in_confidence)})
        case RelationshipStated():
            return replace(contact, stated=event)
        case ReachNoted(within_reach=within_reach):
            return replace(contact, within_reach=within_reach)
        case LeaveAloneNoted(leave_alone=leave_alone):
            return replace(contact, leave_alone=leave_alone, told=contact.told | {"leave_alone"})
        case RelationshipClosed(ending=ending):
            return replace(contact, closed=ending)
        case _:
            return contact


def fold(events: Iterable[Event]) -> Contact | None:
    contact = None
    for event in events:
        contact = evolve(contact, event)
    return contact


def opening_id(contact_id: UUID, fact: str) -> UUID:
    """The event id of a fact that opens a contact: the same in each item that would open it, so it is stored once."""
    return uuid5(NAMESPACE, f"{contact_id}/{fact}")


def stream_of(contact_id: UUID) -> str:
    return f"contact-{contact_id}"


def stripped(text: str | None, *, field: str) -> str | None:
    """The text without spaces around it; Invalid when nothing is left."""
    if text is None:
        return None
    if not text.strip():
        raise Invalid("this says nothing", field=field)
    return text.strip()


def _noted(contact_id: UUID, platform: str, handle: str) -> IdentityNoted:
    return IdentityNoted(contact_id=contact_id, platform=platform, personal=Personal(handle=handle))
