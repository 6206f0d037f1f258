"""Files of who was in touch with whom and when: `time from to [kind]`, as networks of contacts are published."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, get_args

from msgspec import Struct

from domain.errors import Invalid
from domain.touchpoints import AHEAD, EARLIEST, Kind

COLUMNS = ("time", "from", "to", "kind", "minutes", "seconds", "-")
NEEDED = ("time", "from", "to")
KINDS: frozenset[str] = frozenset(get_args(Kind))
TOGETHER = frozenset({"meeting", "handshake", "attendance", "chat", "collaboration"})
CHANNELS = {"email": "email", "direct_message": "messages", "call": "phone", "video_call": "video"}
COMMENTS = ("#", "%")
LONGEST_NAME, LONGEST_MINUTES = 100, 14_400
GZIP = b"\x1f\x8b"
UNIX = datetime(1970, 1, 1, tzinfo=UTC)


class Exchange(NamedTuple):
    """One contact of two people. `at` is seconds since 1970-01-01 UTC; `minutes` is its length, where it is known."""

    at: float
    sender: str
    receiver: str
    kind: str
    channel: str
    minutes: int | None = None

    @property
    def mutual(self) -> bool:
        return self.kind in TOGETHER


class Found(Struct, frozen=True):
    """What a file told: each contact once, in order of time, and how many of its rows say no more than that.

    `repeats` are rows that stand there twice, `alone` those of somebody with themselves, `unspoken` calls of 0 seconds.
    """

    exchanges: list[Exchange]
    rows: int
    repeats: int = 0
    alone: int = 0
    unspoken: int = 0


def columns_of(given: str) -> tuple[str, ...]:
    """The names of a file's columns, in their order. Raises Invalid."""
    names = tuple(name.strip() for name in given.split(","))
    for name in names:
        if name not in COLUMNS:
            raise Invalid(f"--columns: {name!r} is none of {', '.join(COLUMNS)} (- is passed over)")
        if name != "-" and names.count(name) > 1:
            raise Invalid(f"--columns: {name} is named twice")
    for name in NEEDED:
        if name not in names:
            raise Invalid(f"--columns: {name} is missing")
    return names


def read(
    path: Path,
    columns: Sequence[str],
    *,
    epoch: datetime = UNIX,
    kind: str = "direct_message",
    channel: str | None = None,
) -> Found:
    """All contacts of a file. Raises Invalid with the number of the first line that cannot be read."""
    latest = datetime.now(UTC) + AHEAD
    found: dict[Exchange, None] = {}
    rows = alone = unspoken = 0
    with opened(path) as text:
        for number, row in _rows(text, columns, epoch):
            rows += 1
            try:
                exchange = _exchange(row, epoch, kind, channel, latest)
            except ValueError as error:
                raise Invalid(f"line {number}: {error}") from None
            if exchange.sender == exchange.receiver:
                alone += 1
            elif "seconds" in row and not exchange.minutes:
                unspoken += 1
            else:
                found[exchange] = None
    if not rows:
        raise Invalid(f"{path.name} has no rows")
    return Found(sorted(found), rows, rows - alone - unspoken - len(found), alone, unspoken)


@contextmanager
def opened(path: Path) -> Iterator[Iterable[str]]:
    """The lines of a text, packed by gzip or not. Raises Invalid where it is none."""
    try:
        with path.open("rb") as raw:
            is_packed = raw.peek(2)[:2] == GZIP
            with TextIOWrapper(gzip.GzipFile(fileobj=raw) if is_packed else raw, encoding="utf-8-sig") as text:
                yield text
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, EOFError) as error:
        raise Invalid(f"{path.name} is no text in UTF-8, or its end is missing") from error


def _rows(text: Iterable[str], columns: Sequence[str], epoch: datetime) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by its columns, with its line's number, without comments and the names of the columns."""
    numbered = ((number, line) for number, line in enumerate(text, start=1) if not _is_empty(line))
    for number, cells in _cells(numbered):
        if len(cells) < len(columns):
            raise Invalid(f"line {number}: there are {len(cells)} columns, and {len(columns)} were named")
        yield number, dict(zip(columns, map(str.strip, cells), strict=False))


def _is_empty(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith(COMMENTS)


def _cells(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line, separated as those of the first are; a first line without any number is a heading."""
    rest = iter(numbered)
    first = next(rest, None)
    if first is None:
        return
    separator = next((one for one in (",", ";", "\t") if one in first[1]), None)
    for number, line in chain([first], rest):
        cells = line.split() if separator is None else next(csv.reader([line], delimiter=separator))
        if number != first[0] or any(character.isdigit() for character in line):
            yield number, cells


def _exchange(row: dict[str, str], epoch: datetime, kind: str, channel: str | None, latest: datetime) -> Exchange:
    """Raises ValueError, whose text says what is wrong."""
    at = _time(row["time"], epoch)
    if not EARLIEST <= at <= latest:
        raise ValueError(f"no contact was at {at:%Y-%m-%d %H:%M}; --epoch says when the time 0 was")
    its_kind = row.get("kind", kind)
    if its_kind not in KINDS:
        raise ValueError(f"{its_kind!r} is no kind of touchpoint; these are: {', '.join(sorted(KINDS))}")
    where = channel or channel_of(its_kind)
    return Exchange(at.timestamp(), _who(row["from"]), _who(row["to"]), its_kind, where, _minutes(row))


def _time(cell: str, epoch: datetime) -> datetime:
    try:
        return epoch + timedelta(seconds=float(cell))
    except OverflowError:
        raise ValueError(f"{cell} seconds is no time") from None
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is no time: seconds, or a date and time as in 2026-01-31T09:30:00Z") from None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def _who(cell: str) -> str:
    if not 0 < len(cell) <= LONGEST_NAME or "\0" in cell:
        raise ValueError(f"a person is named by 1 to {LONGEST_NAME} characters")
    return cell


def _minutes(row: dict[str, str]) -> int | None:
    """Of a call that lasted any second at least one: less is none."""
    for unit, per_minute in (("minutes", 1), ("seconds", 60)):
        if unit in row:
            try:
                length = float(row[unit])
            except ValueError:
                raise ValueError(f"{row[unit]!r} is no number of {unit}") from None
            if not length <= LONGEST_MINUTES * per_minute:
                raise ValueError(f"{row[unit]} {unit} is longer than ten days")
            return max(1, round(length / per_minute)) if length > 0 else 0
    return None


def channel_of(kind: str) -> str:
    """Where such a contact is had, where nobody says."""
    return CHANNELS.get(kind, "meeting" if kind in TOGETHER else "online")


def first(found: Found, most: int | None) -> Found:
    """The earliest so many contacts."""
    kept = list(islice(found.exchanges, most))
    return Found(kept, found.rows, found.repeats, found.alone, found.unspoken)
