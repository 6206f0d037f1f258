"""The formats of files people bring, recognised by what is in them, never by their name."""

from domain.errors import Invalid
from infra.imports.formats import archive, ics, linkedin_connections, linkedin_messages, mbox, ndjson, table
from infra.imports.formats.delimited import split
from infra.imports.formats.format import HEAD, File, Format
from infra.imports.formats.lines import head
from infra.imports.formats.texts import clean, shown

__all__ = ["FORMATS", "Format", "recognise"]

# What files begin with that are none of ours, and what to do about it.
_MAGIC = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"RIFF", "a sound or a picture"),
    (b"\x1f\x8b", "a gzip archive: unpack it and send what is in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it and send what is in it"),
    (b"Rar!", "a RAR archive: unpack it and send what is in it"),
    (b"BZh", "a bzip2 archive: unpack it and send what is in it"),
    (b"\xfd7zXZ", "an xz archive: unpack it and send what is in it"),
    (b"\xd0\xcf\x11\xe0", "an old Office document: save a table as CSV, mail as mbox"),
    (b"!BDN", "an Outlook data file (PST): export the mail as mbox"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xff\xfe\0\0", "text in UTF-32: save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32: save it as UTF-8"),
)  # fmt: skip
_TEXTS = (
    ("BEGIN:VCARD", "an address book (vCard), which is not read yet"),
    ("%!PS", "a PostScript document"),
    ("<", "a web page or XML"),
    ("{\\rtf", "a text document (RTF)"),
    ("[", "a JSON list: send one object a line (NDJSON)"),
    ("{", "JSON over several lines: send one object a line (NDJSON)"),
)

_SINGLE = (
    linkedin_connections.FORMAT, linkedin_messages.FORMAT, mbox.FORMAT, ics.FORMAT, table.FORMAT, ndjson.FORMAT
)  # fmt: skip


def _recognise_single(file: File) -> Format:
    """The format of a file that is no archive. Raises Invalid with what was found instead."""
    file.seek(0)
    begin = file.read(HEAD)
    if not begin.strip(b"\0\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise Invalid("this file is empty", field="file")
    if begin.startswith(b"PK\x03\x04"):
        raise Invalid("this is an archive inside an archive: unpack it first", field="file")
    for magic, what in _MAGIC:
        if begin.startswith(magic):
            raise Invalid(f"this is {what}", field="file")
    text = head(file)
    for one in _SINGLE:
        if one.recognise(text):
            return one
    raise Invalid(_what(text), field="file")


ARCHIVE = archive.archive(_recognise_single)
FORMATS = {one.name: one for one in (*_SINGLE, ARCHIVE)}


def recognise(file: File) -> Format:
    """The format of a seekable file, by its content. Raises Invalid (field `file`) naming what was found instead."""
    file.seek(0)
    begin = file.read(4)
    if begin == b"PK\x03\x04":
        archive.check(file, _recognise_single)
        return ARCHIVE
    if begin == b"PK\x05\x06":
        raise Invalid("this is an empty archive", field="file")
    return _recognise_single(file)


def _what(text: str) -> str:
    """What a text is that is of no known format, so that its owner knows it again."""
    begin = text.lstrip()
    for mark, what in _TEXTS:
        if begin.upper().startswith(mark.upper()):
            return f"this is {what}"
    for line in begin.split("\n")[:20]:
        for delimiter in (",", ";", "\t"):
            fields = split(line, delimiter)
            if _are_headings(fields):
                seen = ", ".join(clean(field)[:40] for field in fields[:12])
                return f"this is a table with the columns {seen}; known are {_known_tables()}"
    controls = sum(not character.isprintable() and not character.isspace() for character in text)
    if controls > len(text) // 20:
        return "this is no text, nor an archive: no file we read"
    return f"this is a text of no format we read; it begins with: {shown(begin[:80])}"


def _are_headings(fields: list[str]) -> bool:
    """Whether it is a table's first line, not a sentence with commas."""
    if len(fields) == 2:
        return all(0 < len(field.lstrip()) == len(field) < 30 for field in fields)
    return len(fields) > 2 and not fields[-1].rstrip().endswith((".", "!", "?", ":"))


def _known_tables() -> str:
    return (
        "LinkedIn's Connections.csv (First Name, Last Name, URL, Email Address, Company, Position, Connected On), "
        "LinkedIn's messages.csv (CONVERSATION ID, FROM, SENDER PROFILE URL, DATE, CONTENT) and "
        "our own (kind, when, who, where, direction, note)"
    )
