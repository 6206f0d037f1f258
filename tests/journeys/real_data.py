"""Real people: the sets beside the project, told as the touchpoints of single people in them, and how views are read.

Nothing of the data is part of the project; the tests of a set that is not there are skipped.
"""

import csv
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.road import Business

DATA = Path(__file__).parents[3] / "shared" / "data"

Person = int
Touchpoint = dict[str, Any]


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not (DATA / name).is_dir(), reason=f"{name} is not there: ../shared/data beside the project"
    )


async def every(business: Business, path: str, **params: Any) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    page = await business.get(path, limit=50, **params)
    items: list[dict[str, Any]] = page["items"]
    while page["next"] is not None:
        page = await business.get(path, limit=50, cursor=page["next"], **params)
        items += page["items"]
    return items


async def by_handle(business: Business, platform: str) -> dict[str, dict[str, Any]]:
    """Every contact, by its handle on a platform on which each of them has one."""
    contacts = await every(business, "/v1/contacts")
    found = {
        one["handle"]: contact for contact in contacts for one in contact["identities"] if one["platform"] == platform
    }
    assert len(found) == len(contacts)
    return found


async def recorded(business: Business) -> list[dict[str, Any]]:
    """The facts of every touchpoint, from the feed."""
    facts: list[dict[str, Any]] = []
    feed = await business.get("/v1/events", types="touchpoint.recorded", limit=1000)
    while feed["items"]:
        facts += [one["data"] for one in feed["items"]]
        feed = await business.get("/v1/events", types="touchpoint.recorded", limit=1000, after=feed["position"])
    return facts


async def strengths(business: Business, contacts: dict[str, dict[str, Any]], at: datetime) -> dict[str, dict[str, Any]]:
    """The strength at an instant of everybody ever touched, by handle, with the weights behind each part.

    Which of several touchpoints of one weight is named depends on their ids, and these are the tenant's own.
    """
    found = {}
    for who, contact in ((who, one) for who, one in contacts.items() if one["touchpoints"]):
        seen = await business.get(f"/v1/contacts/{contact['id']}/strength", true_at=at.isoformat())
        for part in seen["parts"].values():
            part["touchpoints"] = [one["weight"] for one in part["touchpoints"]]
        found[who] = {key: value for key, value in seen.items() if key not in ("contact_id", "position")}
    return found


def as_others_see(contacts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Contacts without the ids that are one tenant's own."""
    return {who: {key: value for key, value in one.items() if key != "id"} for who, one in contacts.items()}


# SIGCOMM 2009: 76 people carry a phone that sees the others' phones and passes on their messages.

OPENED = datetime(2009, 8, 17, 8, tzinfo=ZoneInfo("Europe/Madrid"))  # in Barcelona, summer time
CLOSED = datetime(2009, 8, 22, tzinfo=UTC)
APP, HALLS = "mobiclique", "conference"
ATTENDEES = 76
NAMED_AT_MOST = 12  # people: a message to a larger group speaks to nobody in particular


class Message(NamedTuple):
    """`reach`: U to one person, M to a group, B to everybody; `to` is a person or a group, by `reach` alone."""

    id: int
    sender: Person
    at: int
    reach: str
    to: int


class FriendAdded(NamedTuple):
    by: Person
    friend: Person
    at: int


class Meeting(NamedTuple):
    """From the first to the last sighting, in seconds. Phones look around every two minutes."""

    one: Person
    other: Person
    began: int
    ended: int


class Conference:
    """Who knew whom before, who wrote, who stood near whom, and who shares which groups since when."""

    def __init__(self, folder: Path) -> None:
        def numbers(name: str) -> list[list[int]]:
            return [[int(cell) for cell in row] for row in _arff(folder / f"{name}.arff")]

        self.friends = {frozenset(row) for row in numbers("friends1")}
        self.friends_added = [FriendAdded(*row) for row in numbers("friends2")]
        self.messages = [
            Message(int(number), int(sender), int(at), reach, int(to))
            for number, sender, at, reach, to in _arff(folder / "messages.arff")
        ]
        self.meetings = list(_meetings(numbers("proximities")))
        self.groups: dict[int, dict[Person, int]] = defaultdict(dict)
        for who, group in numbers("interests1"):
            self.groups[group][who] = 0
        for who, group, at in numbers("interests2"):
            self.groups[group].setdefault(who, at)

    def best_documented(self, people: int) -> list[Person]:
        """Those that most friendships and most messages from one to one name."""
        written = [{one.sender, one.to} for one in self.messages if one.reach == "U"]
        added = [{one.by, one.friend} for one in self.friends_added]
        named = [who for pair in [*written, *added, *self.friends] for who in pair]
        return sorted(set(named), key=lambda who: (-named.count(who), who))[:people]

    def known_before(self, me: Person) -> list[dict[str, Any]]:
        """Facebook friends as contacts, with the groups that they and I are in."""
        friends = sorted(who for pair in self.friends if me in pair for who in pair - {me})
        return [
            {
                "name": f"Attendee {who}",
                "identities": [attendee(who), {"platform": "facebook", "handle": f"attendee.{who}"}],
                "stated": {"known_since": "2009-08-16", "by": "facebook"},
                "interests": [
                    interest(group, "facebook") for group, since in self.shared(me, who).items() if not since
                ],
            }
            for who in friends
        ]

    def shared(self, me: Person, other: Person) -> dict[int, int]:
        """The groups both are in, and since when the other one is; those that most people are in tell nothing."""
        return {
            group: members[other]
            for group, members in self.groups.items()
            if {me, other} <= members.keys() and len(members) < ATTENDEES / 2
        }

    def touchpoints(self, me: Person) -> list[Touchpoint]:
        """All that happened to one person, in the order it happened."""
        told = [
            *(one for message in self.messages for one in self._written(message, me)),
            *(one for added in self.friends_added for one in _befriended(added, me)),
            *(_met(meeting, me) for meeting in self.meetings if me in (meeting.one, meeting.other)),
        ]
        return sorted(told, key=lambda one: (one["occurred_at"], one["source_id"]))

    def _written(self, message: Message, me: Person) -> Iterator[Touchpoint]:
        """A tie with whom it speaks to: one, or a small group. To more, mine is of the place, and theirs is no tie."""
        mine = message.sender == me
        telling: dict[str, Any] = {"at": message.at, "channel": APP, "source_id": f"message/{message.id}"}
        if message.reach == "U" and me in (message.sender, message.to):
            other = message.to if mine else message.sender
            yield _told("direct_message", "out" if mine else "in", [other], **telling)
        elif message.reach == "M" and me in (hearing := self._in_group(message)):
            audience, others = len(hearing) - 1, hearing - {me}
            if audience <= NAMED_AT_MOST:
                people = sorted(others) if mine else [message.sender]
                yield _told("direct_message", "out" if mine else "in", people, audience=audience, **telling)
            elif mine:
                yield _told("direct_message", "out", [], audience=audience, **telling)
        elif message.reach == "B" and mine:
            yield _told("post", "out", [], audience=ATTENDEES - 1, **telling)

    def _in_group(self, message: Message) -> set[Person]:
        return {message.sender, *(who for who, since in self.groups[message.to].items() if since <= message.at)}


def _arff(path: Path) -> list[list[str]]:
    return [row.split(",") for row in path.read_text().partition("@data")[2].split()]


def _meetings(sightings: Iterable[Iterable[int]]) -> Iterator[Meeting]:
    """Either one seeing the other is a sighting of both; sightings less than ten minutes apart are one meeting."""
    seen: dict[tuple[Person, Person], list[int]] = defaultdict(list)
    for at, one, other in sightings:
        insort(seen[min(one, other), max(one, other)], at)
    for pair, times in seen.items():
        began = times[0]
        for at, following in pairwise(times):
            if following - at >= 600:
                yield Meeting(*pair, began, at)
                began = following
        yield Meeting(*pair, began, times[-1])


def _befriended(added: FriendAdded, me: Person) -> Iterator[Touchpoint]:
    if me in (added.by, added.friend):
        other = added.friend if me == added.by else added.by
        source_id = f"friend/{added.by}/{added.friend}"
        yield _told(
            "connect", "out" if me == added.by else "in", [other], at=added.at, channel=APP, source_id=source_id
        )


def _met(meeting: Meeting, me: Person) -> Touchpoint:
    """Below five minutes they were in the same room, below fifteen they said hello, from there on they met."""
    seconds = meeting.ended - meeting.began
    other = meeting.other if me == meeting.one else meeting.one
    kind = "attendance" if seconds < 300 else "handshake" if seconds < 900 else "meeting"
    return _told(
        kind, "mutual", [other], at=meeting.began, channel=HALLS,
        source_id=f"meeting/{meeting.one}/{meeting.other}/{meeting.began}", minutes=seconds // 60,
    )  # fmt: skip


def _told(
    kind: str, direction: str, people: list[Person], *, at: int, channel: str, source_id: str, **more: int
) -> Touchpoint:
    return {
        "kind": kind,
        "occurred_at": (OPENED + timedelta(seconds=at)).isoformat(),
        "channel": channel,
        "direction": direction,
        "with": [attendee(who) | {"name": f"Attendee {who}"} for who in people],
        "source": "sigcomm2009",
        "source_id": source_id,
        **more,
    }


def attendee(who: Person) -> dict[str, str]:
    return {"platform": APP, "handle": str(who)}


def interest(group: int, learned_at: str) -> dict[str, str]:
    return {"topic": f"group {group}", "learned_at": learned_at}


# Copenhagen: 28 days of text messages and calls of 800 students, and who is whose friend on Facebook at some time.

# The data tell seconds only: this Monday is as good as any.
BEGAN = datetime(2014, 2, 3, tzinfo=ZoneInfo("Europe/Copenhagen"))
OVER = datetime(2014, 3, 4, tzinfo=UTC)


class Row(NamedTuple):
    """A text message, or a call with its seconds; `number` counts the rows of its file."""

    medium: str
    number: int
    at: int
    sender: Person
    receiver: Person
    seconds: int | None = None


class Students:
    """Every text message and every call, and the Facebook friends."""

    def __init__(self, folder: Path) -> None:
        def numbers(name: str) -> list[list[int]]:
            with (folder / f"{name}.csv").open(newline="") as lines:
                return [[int(cell) for cell in row] for row in list(csv.reader(lines))[1:]]

        self.messages = [Row("sms", number, *row) for number, row in enumerate(numbers("sms"))]
        self.calls = [Row("call", number, *row) for number, row in enumerate(numbers("calls"))]
        self.friends = {frozenset(row) for row in numbers("fb_friends")}
        self.unanswered = [call for call in self.calls if not spoken(call)]
        self.twice = list(_logged_twice(filter(spoken, self.calls)))
        dropped = {*self.unanswered, *self.twice}
        self.exchanges = [*self.messages, *(call for call in self.calls if call not in dropped)]

    def best_connected(self, people: int) -> list[Person]:
        """Those with the most people they wrote to, heard from or spoke with."""
        partners: dict[Person, set[Person]] = defaultdict(set)
        for row in self.exchanges:
            partners[row.sender].add(row.receiver)
            partners[row.receiver].add(row.sender)
        return sorted(partners, key=lambda who: (-len(partners[who]), who))[:people]

    def most_missed(self) -> Person:
        """Who knows most people by nothing but calls that nobody answered."""
        known = {frozenset({row.sender, row.receiver}) for row in self.exchanges} | self.friends
        missed = {frozenset({call.sender, call.receiver}) for call in self.unanswered} - known
        named = [who for pair in missed for who in pair]
        return min(named, key=lambda who: (-named.count(who), who))

    def friends_of(self, me: Person) -> list[Person]:
        return sorted(who for pair in self.friends if me in pair for who in pair - {me})

    def touchpoints(self, me: Person) -> list[Touchpoint]:
        """All that one person wrote, read and spoke, in the order it happened."""
        mine = [row for row in self.exchanges if me in (row.sender, row.receiver)]
        return [_exchanged(row, me) for row in sorted(mine, key=lambda row: (row.at, row.medium, row.number))]


def spoken(call: Row) -> bool:
    """A missed call (-1) is no conversation, and neither is one in which nobody had a second to speak (0)."""
    return call.seconds is not None and call.seconds > 0


def _logged_twice(calls: Iterable[Row]) -> Iterator[Row]:
    """Both phones logged some calls: what begins while the same person still calls the same one is that call again."""
    ends: dict[tuple[Person, Person], int] = {}
    for call in calls:
        pair = call.sender, call.receiver
        if call.at < ends.get(pair, 0):
            yield call
        else:
            ends[pair] = call.at + (call.seconds or 0)


def _exchanged(row: Row, me: Person) -> Touchpoint:
    mine = row.sender == me
    spoken_for = {} if row.seconds is None else {"minutes": round(row.seconds / 60)}
    return {
        "kind": "direct_message" if row.medium == "sms" else "call",
        "occurred_at": (BEGAN + timedelta(seconds=row.at)).isoformat(),
        "channel": "sms" if row.medium == "sms" else "phone",
        "direction": "out" if mine else "in",
        "with": [{"phone": phone(row.receiver if mine else row.sender)}],
        "source": "copenhagen",
        "source_id": f"{row.medium}/{row.number}",
        **spoken_for,
    }


def phone(who: Person) -> str:
    """A number that is kept free for films and tests."""
    return f"+447700900{who:03d}"
