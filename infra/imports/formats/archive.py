"""A zip archive: the files in it that are of a known format, each read as it is, never unpacked to the disk.

Nothing of a name in the archive is used but to show it. What an archive may hold is bounded before it is read: members,
the size of its directory, the bytes they claim to hold (a reader never gets more than that), by how much those exceed
the archive's own, and that none of them lies in another.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from msgspec.structs import replace

from domain.errors import Invalid
from domain.imports import OwnerCandidate, Reading, Rejected, Row, Skipped
from infra.imports.formats.format import File, Format
from infra.imports.formats.texts import shown

MAX_MEMBERS = 2_000
MAX_DIRECTORY = 4 * 1024**2
MAX_BYTES = 8 * 1024**3
MAX_RATIO = 100
SMALL = 16 * 1024**2  # up to here the ratio does not matter: a table of few words packs well

_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)
_END = b"PK\x05\x06"
_LOCATOR_64 = b"PK\x06\x07"
_LOCAL = 30  # bytes, at least, before the content of a file
_READ = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # others may take any memory, or any time

_INSTEAD = "unpack it and send the files themselves"

Recognise = Callable[[File], Format]


def archive(recognise: Recognise) -> Format:
    """The format of archives of what `recognise` knows."""
    return Format(
        "archive",
        "Archive (zip) of files of these formats",
        lambda head: head.startswith("PK"),
        lambda file: _owners(file, recognise),
        lambda file, reading: _read(file, reading, recognise),
    )


def check(file: File, recognise: Recognise) -> None:
    """Raises Invalid for an archive that is damaged, too large, or holds nothing that can be read."""
    with _opened(file) as opened:
        members = _members(opened)
        if any(member.filename == "[Content_Types].xml" for member in members):
            raise Invalid("this is an Office document, such as an Excel workbook: save the table as CSV", field="file")
        if all(isinstance(_format(opened, member, recognise), str) for member in members):
            names = ", ".join(_name(member) for member in members[:8]) or "nothing"
            raise Invalid(
                f"this archive holds {names}: none of them is a file we read. Unpack it and send the file itself",
                field="file",
            )


def _read(file: File, reading: Reading, recognise: Recognise) -> Iterator[Row]:
    with _opened(file) as opened:
        for member in _members(opened):
            for row in _rows(opened, member, reading, recognise):
                yield replace(row, member=_name(member))


def _rows(opened: zipfile.ZipFile, member: zipfile.ZipInfo, reading: Reading, recognise: Recognise) -> Iterator[Row]:
    """The rows of one member; one row that says why it has none."""
    last = 0
    try:
        found = _format(opened, member, recognise)
        if isinstance(found, str):
            yield Row(1, Skipped(found))
            return
        with opened.open(member) as stream:
            for row in found.read(stream, reading):
                last = row.line
                yield row
    except Invalid as error:
        yield Row(last + 1, Rejected(error.reason, field=error.field))
    except _UNREADABLE:
        yield Row(last + 1, Rejected("the archive is damaged here: this file cannot be read on"))


def _owners(file: File, recognise: Recognise) -> list[OwnerCandidate]:
    with _opened(file) as opened:
        found: list[OwnerCandidate] = []
        for member in _members(opened):
            try:
                kind = _format(opened, member, recognise)
                if not isinstance(kind, str):
                    with opened.open(member) as stream:
                        found += kind.owners(stream)
            except (Invalid, *_UNREADABLE):
                continue  # reading it says so
    return sorted(_merged(found), key=lambda one: -one.rows)


def _merged(found: list[OwnerCandidate]) -> list[OwnerCandidate]:
    merged: dict[tuple[str, str], OwnerCandidate] = {}
    for one in found:
        before = merged.get((one.platform, one.handle))
        merged[one.platform, one.handle] = replace(before, rows=before.rows + one.rows) if before else one
    return list(merged.values())


def _format(opened: zipfile.ZipFile, member: zipfile.ZipInfo, recognise: Recognise) -> Format | str:
    """The format of a file of the archive, or why it has none."""
    if member.flag_bits & 1:
        return "this file of the archive is locked with a password: unpack it first"
    try:
        if member.compress_type in _READ:
            with opened.open(member) as stream:
                return recognise(stream)
    except Invalid as error:
        return error.reason
    except _UNREADABLE:
        pass
    return "this file of the archive is damaged, or packed in a way we do not read"


@contextmanager
def _opened(file: File) -> Iterator[zipfile.ZipFile]:
    """The archive, its claims checked. Raises Invalid."""
    size = _check_directory(file)
    try:
        opened = zipfile.ZipFile(file)
    except (*_UNREADABLE, struct.error, IndexError) as error:
        raise Invalid("this zip archive is damaged", field="file") from error
    with opened:
        claimed = sum(member.file_size for member in opened.infolist())
        if claimed > MAX_BYTES or (claimed > SMALL and claimed > size * MAX_RATIO):
            raise Invalid(f"this archive of {size:,} bytes would unpack to {claimed:,}: {_INSTEAD}", field="file")
        if _overlap(opened.infolist()):
            raise Invalid(f"files of this archive lie in one another: {_INSTEAD}", field="file")
        yield opened


def _overlap(members: list[zipfile.ZipInfo]) -> bool:
    """Whether the same bytes are those of several files."""
    places = sorted((member.header_offset, member.compress_size) for member in members)
    return any(begin + _LOCAL + size > following for (begin, size), (following, _) in pairwise(places))


def _check_directory(file: File) -> int:
    """The size of the file. Raises Invalid where the archive's directory is larger than any honest one."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise Invalid("this zip archive is damaged: it breaks off", field="file")
    members, directory = struct.unpack_from("<H L", tail, at + 10)
    if _LOCATOR_64 in tail or members > MAX_MEMBERS or directory > MAX_DIRECTORY:
        raise Invalid(f"this archive is too large, or of more than {MAX_MEMBERS:,} files: {_INSTEAD}", field="file")
    return size


def _members(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [member for member in opened.infolist() if not member.is_dir()]


def _name(member: zipfile.ZipInfo) -> str:
    """To show: the last part, whatever path it claims."""
    return shown(member.filename.replace("\\", "/").rpartition("/")[2]) or "(without a name)"
