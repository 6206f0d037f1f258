"""Merges: contacts that turned out to be one person, and back; and pairs told apart.

Nothing is copied and no fact moves: a merge says which contact stands for another from now on. So an unmerge is exact.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from domain import contacts, ties
from domain.errors import Conflict, Invalid, NotFound
from domain.event import Event

MOST_AT_ONCE = 5_000


class _OfMerged(Event, frozen=True, kw_only=True):
    """`contact_id` is the contact that stays. The fact is the merged one's: only there it can be taken back."""

    contact_id: UUID
    merged_id: UUID

    @property
    def stream(self) -> str:
        return contacts.stream_of(self.merged_id)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return (self.contact_id, self.merged_id)


class ContactMerged(_OfMerged, frozen=True, kw_only=True):
    """The merged contact is the person that the other one is, which stands for both."""

    TYPE: ClassVar[str] = "contact.merged"


class ContactUnmerged(_OfMerged, frozen=True, kw_only=True):
    """The merged contact stands for itself again, and for those that were merged into it."""

    TYPE: ClassVar[str] = "contact.unmerged"


class ContactsToldApart(Event, frozen=True, kw_only=True):
    """These two are not the same person; the smaller id first. They are never suggested as duplicates again."""

    TYPE: ClassVar[str] = "contacts.told_apart"
    contact_ids: ties.Pair

    @property
    def stream(self) -> str:
        return apart_stream(self.contact_ids)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        return self.contact_ids


class MergeContacts(Struct, frozen=True, forbid_unknown_fields=True):
    """Contacts that are the person this one is. Either all of them are merged into it, or none."""

    contact_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=100)]


class MergePair(Struct, frozen=True, forbid_unknown_fields=True):
    """`merged_id` is the person that `contact_id`, which stays, is."""

    contact_id: UUID
    merged_id: UUID


class MergePairs(Struct, frozen=True, forbid_unknown_fields=True):
    """Pairs, each merged by itself, in order."""

    pairs: Annotated[tuple[MergePair, ...], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class UnmergeContact(Struct, frozen=True, forbid_unknown_fields=True):
    """The contact that is somebody else after all."""

    contact_id: UUID


class TellApart(Struct, frozen=True, forbid_unknown_fields=True):
    """Two contacts that are two people."""

    contact_ids: Annotated[tuple[UUID, ...], Meta(min_length=2, max_length=2)]


class Link(Struct, frozen=True):
    """Into which contact another was merged, and at which position of the log."""

    into_id: UUID
    position: int


class Alias(Struct, frozen=True):
    """Which contact stands for a merged one, and the merged one's rank among all that it stands for, from 1.

    The lower rank's word stands: first comes what was merged into the standing contact first, with all that had been
    merged into that.
    """

    standing_id: UUID
    rank: int


def moved(links: Mapping[UUID, Link], said: Iterable[tuple[Event, int]]) -> dict[UUID, Link]:
    """By merged contact, what it is merged into, after these events, each with its position."""
    links = dict(links)
    for event, position in said:
        match event:
            case ContactMerged(contact_id=into, merged_id=who):
                links[who] = Link(into, position)
            case ContactUnmerged(merged_id=who):
                links.pop(who, None)
            case _:
                pass
    return links


def aliases(links: Mapping[UUID, Link]) -> dict[UUID, Alias]:
    """For each merged contact, who stands for it.

    Links of a log never run in a circle. Where some of its events are parked they may for a while: then the oldest of
    the circle, which must have been taken back, is left out.
    """
    links = _without_circles(links)
    below: dict[UUID, list[UUID]] = {}
    for who in sorted(links, key=lambda who: (links[who].position, who)):
        below.setdefault(links[who].into_id, []).append(who)
    found: dict[UUID, Alias] = {}
    for standing in below.keys() - links.keys():
        waiting, rank = below[standing][::-1], 0
        while waiting:
            who = waiting.pop()
            rank += 1
            found[who] = Alias(standing, rank)
            waiting += below.get(who, [])[::-1]
    return found


def _without_circles(links: Mapping[UUID, Link]) -> dict[UUID, Link]:
    kept = dict(links)
    through: set[UUID] = set()
    for start in sorted(links):
        path: dict[UUID, None] = {}
        who = start
        while who in kept and who not in through:
            if who in path:
                circle = list(path)[list(path).index(who) :]
                del kept[min(circle, key=lambda one: kept[one].position)]
                break
            path[who] = None
            who = kept[who].into_id
        through.update(path)
    return kept


def standing(links: Mapping[UUID, Link], who: UUID) -> UUID:
    """Who stands for a contact: itself, where it is not merged."""
    seen: set[UUID] = set()
    while who in links and who not in seen:
        seen.add(who)
        who = links[who].into_id
    return who


def merge(command: MergePair, links: Mapping[UUID, Link], *, removed: Iterable[UUID] = ()) -> list[ContactMerged]:
    """Nothing for what is one person already. Raises Invalid, NotFound, Conflict; each says why."""
    into, who = command.contact_id, command.merged_id
    if into == who:
        raise Invalid("a contact cannot be merged with itself", field="contact_ids")
    for one in (into, who):
        if one in removed:
            raise NotFound(f"contact {one} was removed with the import that brought it", field="contact_ids")
    if who in links:
        if standing(links, who) == standing(links, into):
            return []
        raise Conflict(f"contact {who} is merged into {links[who].into_id} already: unmerge it there first")
    if standing(links, into) == who:
        raise Conflict(f"contact {into} is itself merged into {who}: it would run in a circle")
    return [ContactMerged(contact_id=into, merged_id=who)]


def unmerge(into: UUID, who: UUID, links: Mapping[UUID, Link]) -> list[ContactUnmerged]:
    """From whatever it was merged into below `into`. Raises Conflict with where it is merged, if anywhere."""
    if who not in links:
        raise Conflict(f"contact {who} is not merged", field="contact_id")
    if not _lies_below(who, into, links):
        raise Conflict(f"contact {who} is not merged into {into} but into {links[who].into_id}", field="contact_id")
    return [ContactUnmerged(contact_id=links[who].into_id, merged_id=who)]


def _lies_below(who: UUID, into: UUID, links: Mapping[UUID, Link]) -> bool:
    while who in links:
        who = links[who].into_id
        if who == into:
            return True
    return False


def tell_apart(contact_ids: Iterable[UUID], links: Mapping[UUID, Link], *, known: bool) -> list[ContactsToldApart]:
    """Remembered once. Raises Invalid for one contact with itself, Conflict while the two are merged."""
    one, other = ties.pair(list(contact_ids))
    if one == other:
        raise Invalid("this is one contact: name two", field="contact_ids[1]")
    if standing(links, one) == standing(links, other):
        raise Conflict(f"contacts {one} and {other} are merged: unmerge them first", field="contact_ids")
    return [] if known else [ContactsToldApart(contact_ids=(one, other))]


def apart_stream(pair: ties.Pair) -> str:
    return f"apart-{pair[0]}-{pair[1]}"
