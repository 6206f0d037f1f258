"""SIGCOMM 2009: who was tied online, who stood near whom, and where each came from."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from domain.errors import Invalid
from services.evaluation.files import Exchange, Found

OPENED = datetime(2009, 8, 17, 6, tzinfo=UTC)  # eight in the morning in Barcelona
NAMED_AT_MOST = 12  # people: a message to a larger group speaks to nobody in particular
APART = 600  # seconds between two sightings that make two meetings of them
MET = 900  # seconds together that are a meeting, not the same room
ONLINE, FACEBOOK = "mobiclique", "facebook"

Person = int
Two = tuple[Person, Person]


class Stay(NamedTuple):
    """Two phones near each other, from the first to the last sighting, in seconds from the opening."""

    began: int
    ended: int

    @property
    def met(self) -> bool:
        return self.ended - self.began >= MET


class Conference(Struct, frozen=True):
    """`told` is seconds from the opening, who, whom: messages and friends added online."""

    friends: list[Two]
    told: list[tuple[int, Person, Person, str]]
    stays: dict[Two, list[Stay]]
    cities: dict[Person, int]

    @property
    def people(self) -> list[Person]:
        return sorted({who for pair in [*self.friends, *self.stays] for who in pair})


def read(folder: Path) -> Conference:
    """Raises Invalid where a file of the set is missing."""
    members: dict[int, dict[Person, int]] = defaultdict(dict)
    for who, group in _numbers(folder, "interests1"):
        members[group][who] = 0
    for who, group, at in _numbers(folder, "interests2"):
        members[group].setdefault(who, at)
    told = [(at, one, other, "connect") for one, other, at in _numbers(folder, "friends2") if one != other]
    for row in _rows(folder, "messages"):
        sender, at, reach, to = int(row[1]), int(row[2]), row[3], int(row[4])
        told += [(at, sender, who, "direct_message") for who in _hearing(sender, at, reach, to, members)]
    cities = {int(who): int(value) for who, key, value in _rows(folder, "participants") if key == "city"}
    friends = sorted({_two(one, other) for one, other in _numbers(folder, "friends1") if one != other})
    return Conference(friends, sorted(told), _stays(_numbers(folder, "proximities")), cities)


def exchanges(folder: Path) -> Found:
    """All of it as contacts of two people: messages, friends added, and time together of five minutes or more."""
    told = read(folder)
    opened = OPENED.timestamp()
    online = [Exchange(opened + at, str(one), str(other), kind, ONLINE) for at, one, other, kind in told.told]
    near = [
        Exchange(
            opened + stay.began, str(one), str(other), "meeting" if stay.met else "handshake", "conference",
            (stay.ended - stay.began) // 60,
        )
        for (one, other), stays in told.stays.items()
        for stay in stays
        if stay.ended - stay.began >= MET / 3
    ]  # fmt: skip
    once = sorted({*online, *near})
    return Found(once, len(online) + len(near), len(online) + len(near) - len(once))


def _hearing(sender: Person, at: int, reach: str, to: int, members: dict[int, dict[Person, int]]) -> Iterable[Person]:
    """One person, or a group of no more than a dozen; what went to everybody speaks to nobody."""
    if reach == "U":
        return [to] if to != sender else []
    hearing = {who for who, since in members[to].items() if since <= at} - {sender} if reach == "M" else set()
    return sorted(hearing) if len(hearing) <= NAMED_AT_MOST else []


def _rows(folder: Path, name: str) -> list[list[str]]:
    try:
        text = (folder / f"{name}.arff").read_text()
    except OSError as error:
        raise Invalid(f"{folder / name}.arff cannot be read: {error.strerror}") from error
    return [row.split(",") for row in text.partition("@data")[2].split()]


def _numbers(folder: Path, name: str) -> list[list[int]]:
    return [[int(cell) for cell in row] for row in _rows(folder, name)]


def _two(one: Person, other: Person) -> Two:
    return (one, other) if one < other else (other, one)


def _stays(sightings: list[list[int]]) -> dict[Two, list[Stay]]:
    """Either one seeing the other is a sighting of both."""
    seen: dict[Two, set[int]] = defaultdict(set)
    for at, one, other in sightings:
        seen[_two(one, other)].add(at)
    return {pair: list(_together(sorted(times))) for pair, times in seen.items()}


def _together(times: list[int]) -> Iterator[Stay]:
    began = times[0]
    for at, following in pairwise(times):
        if following - at >= APART:
            yield Stay(began, at)
            began = following
    yield Stay(began, times[-1])
