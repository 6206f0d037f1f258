"""Archives: what is in them is read where it stands, and none can do harm."""

import io
import struct
import zipfile

import pytest

from domain.errors import Invalid
from domain.imports import Rejected, Skipped, TouchpointRow
from infra.imports.formats import recognise
from tests.infra.imports.formats.files import file, rows

CONNECTIONS = (
    "Notes:\n\nFirst Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
    "Ana,Lopez,https://www.linkedin.com/in/ana,,Acme,Owner,15 Jan 2024\n"
)
TABLE = "kind,when,who,direction\ncall,2026-05-06,Bob,in\ncall,never,Bob,in\n"


def packed(members: dict[str, str | bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


def refused(content: bytes) -> str:
    with pytest.raises(Invalid) as error:
        recognise(file(content))
    assert error.value.field == "file"
    return error.value.reason


def test_each_known_file_of_an_archive_is_read():
    found = rows(packed({"Connections.csv": CONNECTIONS, "mine.csv": TABLE}), named="archive")
    assert [(row.member, row.line, type(row.outcome)) for row in found] == [
        ("Connections.csv", 4, TouchpointRow), ("mine.csv", 2, TouchpointRow), ("mine.csv", 3, Rejected),
    ]  # fmt: skip
    first = found[0].outcome
    assert isinstance(first, TouchpointRow)
    assert first.record.source == "linkedin_connections", "as the file by itself would be recorded"


def test_other_files_are_skipped_each_with_its_reason():
    inner = packed({"Connections.csv": CONNECTIONS})
    content = packed({"a/": "", "Rich_Media.csv": "Time,Media Link\n", "inner.zip": inner, "mine.csv": TABLE})
    media, nested, *_ = rows(content, named="archive")
    assert isinstance(media.outcome, Skipped)
    assert "Time, Media Link" in media.outcome.reason
    assert nested.outcome == Skipped("this is an archive inside an archive: unpack it first")


def test_an_archive_of_nothing_known_is_refused_with_what_it_holds():
    reason = refused(packed({"photo.jpg": b"\xff\xd8\xff\xe0", "notes.txt": "hello"}))
    assert "photo.jpg, notes.txt" in reason
    assert "none of them" in reason
    assert refused(packed({})) == "this is an empty archive"


def test_a_path_in_an_archive_is_a_name_to_show_and_no_more():
    found = rows(packed({"../../etc/mine.csv": TABLE, "C:\\x\\y.csv": TABLE, "/root/z.csv": TABLE}), named="archive")
    assert sorted({row.member or "" for row in found}) == ["mine.csv", "y.csv", "z.csv"]


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_read():
    assert "would unpack to" in refused(packed({"bomb.csv": TABLE.encode() + b"\n" * 40_000_000}))


def test_an_archive_that_claims_too_much_is_refused():
    content = bytearray(packed({"mine.csv": TABLE}))
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 0xFFFFFFF0)
    assert "would unpack to" in refused(bytes(content))


def test_an_archive_of_too_many_files_is_refused():
    assert "2,000 files" in refused(packed({f"{n}.csv": "" for n in range(2_001)}))


def test_a_locked_file_is_named():
    content = bytearray(packed({"mine.csv": TABLE, "b.csv": TABLE}, how=zipfile.ZIP_STORED))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + at] |= 1
    locked, *others = rows(bytes(content), named="archive")
    assert locked.outcome == Skipped("this file of the archive is locked with a password: unpack it first")
    assert len(others) == 2


def test_a_damaged_archive_is_refused_or_read_as_far_as_it_goes():
    whole = packed({"mine.csv": TABLE + "call,2026-05-06,Cy,in\n" * 30_000, "b.csv": TABLE})
    assert "damaged" in refused(whole[:-30])
    spoilt = bytearray(whole)
    spoilt[300:340] = b"\xff" * 40
    found = rows(bytes(spoilt), named="archive")
    assert any(isinstance(row.outcome, Rejected | Skipped) and "damaged" in row.outcome.reason for row in found)
    assert [row.line for row in found if row.member == "b.csv"] == [2, 3]
