"""Tables of delimited text: the header found wherever it stands, then each record with its line, or what is wrong.

Whatever is wrong with a record's quotes, the record after it is found again: nothing is swallowed to the end of the
file. A record takes at most 1 MiB and 20,000 lines, a header 16 KiB and 500 columns.
"""

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from domain.errors import Invalid
from domain.imports import Rejected
from infra.imports.formats.format import File
from infra.imports.formats.lines import MAX_LINE, Line, head, lines
from infra.imports.formats.texts import folded

csv.field_size_limit(MAX_LINE)  # the module's own is 128 KiB, less than a long message

_DELIMITERS = (",", ";", "\t")
_HEADER_WITHIN = 60  # lines
_HEADER = 16_384
_COLUMNS = 500
_MOST_LINES = 20_000


class Layout(Struct, frozen=True):
    """The columns a table can have, by the names their headers go by, and those it is recognised by.

    Of each group of `needs` one has to be there. `short_rows`: fields left out at the end of a row are empty.
    """

    names: Mapping[str, frozenset[str]]
    needs: tuple[tuple[str, ...], ...]
    short_rows: bool = False

    def places(self, header: Sequence[str]) -> dict[str, int] | None:
        """Where each column stands; None where this is not the header of such a table."""
        words = [folded(name) for name in header]
        found = {
            column: next(place for place, word in enumerate(words) if word in names)
            for column, names in self.names.items()
            if not names.isdisjoint(words)
        }
        return found if all(any(column in found for column in group) for group in self.needs) else None


def layout(needs: Sequence[Sequence[str]], *, short_rows: bool = False, **names: str) -> Layout:
    """The names of each column divided by `|`."""
    spelled = {column: frozenset(folded(name) for name in several.split("|")) for column, several in names.items()}
    return Layout(spelled, tuple(map(tuple, needs)), short_rows)


class Header(NamedTuple):
    line: int
    delimiter: str
    width: int
    places: dict[str, int]

    def column(self, name: str) -> int | None:
        """The number of a column, from 1."""
        place = self.places.get(name)
        return None if place is None else place + 1


class Record(NamedTuple):
    """One record: its cells by column, mended and stripped, `""` where there are none; or what is wrong with it."""

    line: int
    cells: dict[str, str]
    fault: Rejected | None = None


def find_header(text: str, layout: Layout) -> Header | None:
    """The header among the first lines of a file; what stands before it says nothing about people."""
    for number, line in enumerate(text[:_HEADER].split("\n")[:_HEADER_WITHIN], 1):
        for delimiter in _DELIMITERS:
            fields = split(line, delimiter) if delimiter in line else []
            if 1 < len(fields) <= _COLUMNS and (places := layout.places(fields)):
                return Header(number, delimiter, len(fields), places)
    return None


def split(line: str, delimiter: str) -> list[str]:
    """The fields of one line; none where its quotes do not match."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


class Table:
    """A file as records below a header. Raises Invalid when the header is not there."""

    def __init__(self, file: File, layout: Layout) -> None:
        found = find_header(head(file), layout)
        if found is None:
            raise Invalid("the header of this table is not there", field="file")
        self.header = found
        self._short_rows = layout.short_rows
        self._file = file

    def __iter__(self) -> Iterator[Record]:
        below = lines(self._file)
        for _ in range(self.header.line):
            next(below, None)
        for number, fields, fault in _records(below, self.header.delimiter):
            fault = fault or self._wrong_width(fields)
            yield Record(number, {}, fault) if fault else Record(number, self._cells(fields))

    def _cells(self, fields: Sequence[str]) -> dict[str, str]:
        return {
            name: fields[place].strip() if place < len(fields) else "" for name, place in self.header.places.items()
        }

    def _wrong_width(self, fields: Sequence[str]) -> Rejected | None:
        """Empty fields beyond the header say nothing."""
        width = self.header.width
        if len(fields) == width:
            return None
        if any(map(str.strip, fields[width:])) or (len(fields) < width and not self._short_rows):
            return Rejected(
                f"this row has {len(fields)} fields, the header {width}", column=min(len(fields), width + 1)
            )
        return None


class _Unclosed(Exception):
    """A quote does not end where it may."""


class _Feed:
    """The lines a csv.reader takes, kept until the record they make is whole."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._again: deque[tuple[Line, bool]] = deque()
        self.taken: list[Line] = []
        self._alone = False
        self._size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if self._alone or self._size > MAX_LINE or len(self.taken) > _MOST_LINES:
            raise _Unclosed
        line, self._alone = self._again.popleft() if self._again else (next(self._source), False)
        self.taken.append(line)
        self._size += len(line.text) + 1
        if line.fault is not None:
            raise _Unclosed
        return f"{line.text}\n"

    def begin(self) -> None:
        self.taken, self._alone, self._size = [], False, 0

    def give_back(self) -> None:
        """All lines of a failed record but its first: they are read again, each alone, the last as any other."""
        *between, last = self.taken[1:]
        self._again.extendleft([(last, False), *((line, True) for line in reversed(between))])


def _records(source: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str], Rejected | None]]:
    """The number of the first line, and the fields, or what is wrong. Blank lines are none."""
    feed = _Feed(source)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (_Unclosed, csv.Error):
            first = feed.taken[0]
            if len(feed.taken) > 1:
                feed.give_back()
            yield first.number, [], first.fault or _wrong_quotes(first.text, delimiter)
        else:
            if fields:
                yield feed.taken[0].number, fields, None


def _wrong_quotes(text: str, delimiter: str) -> Rejected:
    """The first place of a line at which a quoted field goes on after its end, or begins and does not end."""
    at = 0
    while at < len(text):
        if text[at] != '"':
            at = text.find(delimiter, at) + 1 or len(text)
            continue
        end = _end_of_quoted(text, at)
        if end is None:
            return Rejected("a quote opens here and is not closed as it should be", column=at + 1)
        if end < len(text) and text[end] != delimiter:
            return Rejected("a quoted field goes on after its closing quote", column=end + 1)
        at = end + 1
    return Rejected("this line is no row of a table")


def _end_of_quoted(text: str, begin: int) -> int | None:
    """The place after the closing quote of the field that begins there."""
    at = text.find('"', begin + 1)
    while at >= 0 and text[at + 1 : at + 2] == '"':
        at = text.find('"', at + 2)
    return None if at < 0 else at + 1
