"""A file is known by what is in it; what is none of ours is refused by its name."""

import io
import zipfile

import pytest

from domain.errors import Invalid
from infra.imports.formats import FORMATS, recognise
from tests.infra.imports.formats.files import file

CONNECTIONS = "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"


def refused(content: bytes | str) -> str:
    with pytest.raises(Invalid) as error:
        recognise(file(content))
    assert error.value.field == "file"
    return error.value.reason


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CONNECTIONS, "linkedin_connections"),
        ("kind,when,who,where,direction,note\n", "table"),
        ("art;wann;wer;wo;richtung;notiz\n", "table"),
        ("kind\twhen\twho\n", "table"),
        ('{"kind": "call"}\n', "ndjson"),
    ],
)
def test_each_format_is_known_by_its_content(content: str, name: str):
    assert recognise(file(content)).name == name
    assert recognise(file(content.encode("utf-8-sig"))).name == name
    assert recognise(file(content.replace("\n", "\r\n").encode("utf-16"))).name == name
    assert FORMATS[name].name == name


@pytest.mark.parametrize("content", [b"", b" \n\t", b"\xef\xbb\xbf", b"\0\0\0", "\ufeff\n".encode("utf-16")])
def test_an_empty_file_is_refused(content: bytes):
    assert refused(content) == "this file is empty"


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0", "a picture (JPEG)"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
        (b"!BDN", "Outlook"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "vCard"),
        (b"<!doctype html><p>hello", "web page"),
        (b'[{"kind": "call"}]', "one object a line"),
        (b'{\n  "kind": "call"\n}', "one object a line"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07", "no text"),
        (b"Dear Ana, it was good to see you.", "begins with: Dear Ana"),
        (b"All of this is made up: people, firms, words and days.\n", "begins with: All of this"),
    ],
)
def test_what_is_no_such_file_is_refused_by_its_name(begin: bytes, said: str):
    assert said in refused(begin)


def test_an_unknown_table_is_refused_with_its_columns_and_the_known_ones():
    reason = refused("Order #,Order Date,First Name,Last Name,Email\n1,2026-01-01,Ana,Lopez,ana@example.com\n")
    assert "Order #, Order Date, First Name, Last Name, Email" in reason
    assert "Connected On" in reason
    assert "kind, when, who" in reason


def test_a_workbook_is_told_to_be_saved_as_csv():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert "save the table as CSV" in refused(packed.getvalue())
