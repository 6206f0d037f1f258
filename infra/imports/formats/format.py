"""What a format of files is to the rest: a name, and three functions over a file that can be read from its start."""

from collections.abc import Callable, Iterator
from typing import IO

from msgspec import Struct

from domain.imports import OwnerCandidate, Reading, Row

File = IO[bytes]
HEAD = 65_536


class Format(Struct, frozen=True):
    """`name` is also the source of what its rows record.

    `recognise` judges the beginning of a file, as text. `owners` says who in the file may be the business itself, the
    likeliest first. `read` yields one row for each record of the file, in its order, and holds no more than one of
    them; it raises Invalid for a file that is none of its own, nothing else.
    """

    name: str
    title: str
    recognise: Callable[[str], bool]
    owners: Callable[[File], list[OwnerCandidate]]
    read: Callable[[File, Reading], Iterator[Row]]


def nobody(file: File) -> list[OwnerCandidate]:
    """A file that does not say whose it is."""
    return []
