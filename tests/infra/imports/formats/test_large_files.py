"""Files larger than memory should be: made while they are read, and read in little of it."""

import io
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import pytest

from domain.imports import TouchpointRow
from infra.imports.formats import FORMATS, recognise
from tests.infra.imports.formats.files import READING

LITTLE = 24 * 1024**2


class Made(io.RawIOBase):
    """A file of a head and `count` pieces of one length, none of which is there before it is read."""

    def __init__(self, head: bytes, piece: Callable[[int], bytes], count: int) -> None:
        self._head, self._piece, self._length = head, lru_cache(1)(piece), len(piece(0))
        self.size = len(head) + count * self._length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        if self._at < len(self._head):
            taken = self._head[self._at :]
        else:
            number, begun = divmod(self._at - len(self._head), self._length)
            taken = self._piece(number)[begun:] if self._at < self.size else b""
        taken = taken[: len(buffer)]
        buffer[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)


def mail(n: int) -> bytes:
    head = (
        "From ana@example.com Wed May  6 08:15:00 2026\nFrom: owner@bakery.example\n"
        f"To: p{n:07}@example.com\nDate: Wed, 06 May 2026 08:15:00 +0200\nMessage-ID: <{n:07}@bakery.example>\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nPlease find it attached.\n--b\n'
    )
    attached = "Content-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\n" + ("A" * 998 + "\n") * 2_000
    return f"{head}{attached}--b--\n\n".encode()


def row(n: int) -> bytes:
    return f'call,2026-05-06 08:15,"Ana {n:07}",phone,in,"a note, of some length, that says {n:07}"\n'.encode()


def touchpoint(n: int) -> bytes:
    return (
        '{"kind":"call","occurred_at":"2026-05-06T08:15:00Z","channel":"phone","direction":"in",'
        f'"with":[{{"email":"p{n:07}@example.com"}}]}}\n'
    ).encode()


def entry(n: int) -> bytes:
    return (
        f"BEGIN:VEVENT\nUID:{n:07}\nDTSTART:20260506T150000Z\nATTENDEE:mailto:p{n:07}@example.com\n"
        f"DESCRIPTION:{'x' * 20_000}\nEND:VEVENT\n"
    ).encode()


FILES = {
    "mbox": (b"", mail, 100),  # 200 MB
    "table": (b"kind,when,who,where,direction,note\n", row, 5_000),
    "ndjson": (b"", touchpoint, 5_000),
    "ics": (b"BEGIN:VCALENDAR\n", entry, 500),
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_read_in_little_memory(name: str):
    head, piece, count = FILES[name]
    with io.BufferedReader(Made(head, piece, count), 65_536) as file:
        tracemalloc.start()
        try:
            found = Counter(type(one.outcome) for one in recognise(file).read(file, READING))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == {TouchpointRow: count}
    assert peak < LITTLE


def test_one_line_of_two_hundred_megabytes_is_passed_over_in_little_memory():
    with io.BufferedReader(Made(b"kind,when,who\ncall,2026-05-06,", lambda n: b"x" * 1_048_576, 200), 65_536) as file:
        tracemalloc.start()
        try:
            [only] = FORMATS["table"].read(file, READING)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (only.line, only.outcome.column) == (2, 1_048_577)  # type: ignore[union-attr]
    assert peak < LITTLE
