"""Lines of a file, one at a time, whatever it is written in: UTF-8, UTF-16 with its mark, or Windows-1252.

A file is read as Windows-1252 when it cannot be anything else: not one of its letters beyond ASCII is UTF-8, and each
is one of Windows-1252. In a UTF-8 file a line that is none is at fault by itself, with its column.
"""

import codecs
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from domain.imports import Rejected
from infra.imports.formats.format import HEAD, File

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE = 1_048_576
_CHUNK = 65_536
_BEYOND_ASCII = bytes(range(0x80, 0x100))
_NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
# A run of bytes beyond ASCII that is UTF-8 from its beginning to its end.
_UTF_8 = re.compile(
    rb"(?<![\x80-\xff])(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|"
    rb"\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|"
    rb"\xf4[\x80-\x8f][\x80-\xbf]{2})++(?![\x80-\xff])"
)


class Line(NamedTuple):
    """`text` without the end of line; empty where there is a `fault`."""

    number: int
    text: str
    fault: Rejected | None = None


def lines(file: File, *, most: int = MAX_LINE, unicode: bool = False) -> Iterator[Line]:
    """Each line, from the start of the file. One longer than `most` bytes is passed over and at fault.

    What has to be `unicode` is not read as Windows-1252.
    """
    stream = as_utf8(file, unicode=unicode)
    number = 0
    while raw := stream.readline(most + 2):
        number += 1
        if len(raw) - 2 > most or (len(raw) - 2 == most and not raw.endswith(b"\n")):
            _pass_over(stream, raw)
            yield Line(number, "", too_long(raw, most))
        else:
            yield line(number, raw.removesuffix(b"\n").removesuffix(b"\r"))


def too_long(raw: bytes, most: int) -> Rejected:
    column = len(raw[:most].decode(errors="ignore")) + 1
    return Rejected(f"this line is longer than {most:,} bytes", column=column)


def line(number: int, raw: bytes) -> Line:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode()) + 1
        return Line(number, "", Rejected("this is not UTF-8: save the file as UTF-8", column=column))
    if (at := text.find("\0")) >= 0:
        return Line(number, "", Rejected("a text may not hold NUL characters", column=at + 1))
    return Line(number, text)


def _pass_over(stream: File, begun: bytes) -> None:
    while begun and not begun.endswith(b"\n"):
        begun = stream.readline(_CHUNK)


def head(file: File) -> str:
    """The beginning of the file as text: its whole lines, what is no text replaced. No more is looked at."""
    file.seek(0)
    raw = as_utf8(io.BytesIO(file.read(HEAD))).read(HEAD)
    whole = raw if len(raw) < HEAD else raw[: raw.rfind(b"\n") + 1] or raw
    return whole.decode(errors="replace")


def as_utf8(file: File, *, unicode: bool = False) -> File:
    """The file from its start, as UTF-8 without a mark, with LF or CRLF at its lines' ends."""
    file.seek(0)
    begin = file.read(HEAD)
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if begin.startswith(mark):
            text = begin[: len(begin) // 2 * 2].decode(encoding, errors="replace")
            return _recoded(file, encoding, skip=len(mark), cr_alone="\r" in text and "\n" not in text)
    cr_alone = b"\r" in begin and b"\n" not in begin
    if begin.startswith(codecs.BOM_UTF8):
        return _recoded(file, None, skip=3, cr_alone=cr_alone)
    return _recoded(file, "cp1252" if not unicode and _is_windows_1252(file) else None, skip=0, cr_alone=cr_alone)


def _is_windows_1252(file: File) -> bool:
    """Whether no run of bytes beyond ASCII is UTF-8, there are some, and all are letters of Windows-1252."""
    file.seek(0)
    found, kept = False, b""
    while chunk := file.read(_CHUNK):
        if not kept and chunk.isascii():
            continue
        chunk = kept + chunk
        ended = chunk.rstrip(_BEYOND_ASCII)
        kept = chunk[len(ended) :] if len(chunk) - len(ended) < _CHUNK else b""  # it goes on in the next
        chunk = chunk[: len(chunk) - len(kept)]
        if not _only_windows(chunk):
            return False
        found = found or not chunk.isascii()
    return _only_windows(kept) and (found or bool(kept))


def _only_windows(chunk: bytes) -> bool:
    return chunk.isascii() or not (_NOT_WINDOWS.search(chunk) or _UTF_8.search(chunk))


def _recoded(file: File, encoding: str | None, *, skip: int, cr_alone: bool) -> File:
    file.seek(skip)
    if encoding is None and not cr_alone:
        return file
    return io.BufferedReader(_Recoded(file, encoding, cr_alone=cr_alone), _CHUNK)


class _Recoded(io.RawIOBase):
    """A file in another encoding, read as UTF-8. What it cannot be read as comes out as bytes that are no UTF-8."""

    def __init__(self, file: File, encoding: str | None, *, cr_alone: bool) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass") if encoding else None
        self._ends = (b"\r", b"\n") if cr_alone else None
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready and not self._ended:
            self._ready = self._next()
        taken = self._ready[: len(room)]
        room[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def _next(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        self._ended = not chunk
        done = self._decoded(chunk) if self._decoder else chunk
        return done.replace(*self._ends) if self._ends else done

    def _decoded(self, chunk: bytes) -> bytes:
        assert self._decoder is not None  # noqa: S101
        try:
            return self._decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._decoder.reset()
            return b"\xff"
