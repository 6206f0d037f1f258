"""Files of contacts in every form people have them, and what is said of those that cannot be read."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import Invalid
from services.evaluation import files
from services.evaluation.files import Exchange, Found, columns_of, read

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC).timestamp()
EXPECTED = [
    Exchange(AT, "ann", "bob", "email", "email"),
    Exchange(AT + 60, "bob", "ann", "email", "email"),
]


def found(folder: Path, text: str | bytes, columns: str = "time,from,to", **more: object) -> Found:
    path = folder / "contacts.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, columns_of(columns), **({"kind": "email"} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "1769851800 ann bob\n1769851860 bob ann\n",
        "1769851800\tann\tbob\n1769851860\tbob\tann",
        "1769851860,bob,ann\n1769851800,ann,bob\n",
        "1769851800;ann;bob\r\n1769851860;bob;ann\r\n",
        "time,from,to\n1769851800,ann,bob\n1769851860,bob,ann\n",
        "when who whom\n1769851800 ann bob\n1769851860 bob ann\n",
        "# a comment\n% another\n\n1769851800 ann bob\n  # more\n1769851860 bob ann\n",
        "2026-01-31T09:30:00Z ann bob\n2026-01-31T10:31:00+01:00 bob ann\n",
        '"2026-01-31 09:30:00","ann","bob"\n"2026-01-31 09:31:00","bob","ann"\n',
        "1769851800.0 ann bob 17 x\n1.76985186e9 bob ann 18 y\n",
        "\ufeff1769851800 ann bob\n1769851860 bob ann\n",
        gzip.compress(b"1769851800 ann bob\n1769851860 bob ann\n", mtime=0),
    ],
)
def test_one_set_in_every_form_is_one_set(tmp_path: Path, text: str | bytes):
    assert found(tmp_path, text).exchanges == EXPECTED


def test_columns_stand_in_any_order_and_some_are_passed_over(tmp_path: Path):
    told = found(tmp_path, "ann bob x 1769851800\nbob ann x 1769851860\n", "from,to,-,time")
    assert told.exchanges == EXPECTED


def test_times_count_from_the_epoch_that_was_said(tmp_path: Path):
    told = found(tmp_path, "0 ann bob\n60 bob ann\n", epoch=datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    assert told.exchanges == EXPECTED


def test_kinds_and_lengths_are_told_by_the_row(tmp_path: Path):
    told = found(
        tmp_path, "1,ann,bob,call,125\n2,ann,bob,call,0\n3,ann,bob,meeting,1800\n", "time,from,to,kind,seconds"
    )
    assert [(one.kind, one.minutes, one.channel, one.mutual) for one in told.exchanges] == [
        ("call", 2, "phone", False), ("meeting", 30, "meeting", True),
    ]  # fmt: skip
    assert told.unspoken == 1


def test_each_contact_counts_once_and_the_others_are_counted(tmp_path: Path):
    told = found(tmp_path, "5 ann bob\n1 ann bob\n5 ann bob\n3 ann ann\n")
    assert [one.at for one in told.exchanges] == [1, 5]
    assert (told.rows, told.repeats, told.alone) == (4, 1, 1)


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("1 ann bob\nnoon ann bob\n", "time,from,to", r"line 2: 'noon' is no time"),
        ("1 ann bob\n\n# x\n2 ann\n", "time,from,to", "line 4: there are 2 columns, and 3 were named"),
        ("99999999999 ann bob\n", "time,from,to", "line 1: no contact was at 5138-11-16 .* --epoch"),
        ("-9e99 ann bob\n", "time,from,to", "line 1: -9e99 seconds is no time"),
        ("nan1 ann bob\n", "time,from,to", "line 1: 'nan1' is no time"),
        ("1 ann bob sms\n", "time,from,to,kind", "line 1: 'sms' is no kind of touchpoint"),
        ("1 ann bob long\n", "time,from,to,minutes", "line 1: 'long' is no number of minutes"),
        ("1 ann bob 99999\n", "time,from,to,minutes", "line 1: .* longer than ten days"),
        ("1,,bob\n", "time,from,to", "line 1: a person is named by 1 to 100 characters"),
        (f"1,{'x' * 101},bob\n", "time,from,to", "line 1: a person is named by"),
        ("# nothing\n", "time,from,to", "has no rows"),
        ("", "time,from,to", "has no rows"),
        (b"1 ann bob\n2 \xff\xfe bob\n", "time,from,to", "no text in UTF-8"),
        (gzip.compress(b"1 ann bob\n" * 100, mtime=0)[:-9], "time,from,to", "its end is missing"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, text: str | bytes, columns: str, says: str):
    with pytest.raises(Invalid, match=says):
        found(tmp_path, text, columns)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("time,from", "to is missing"),
        ("time,from,to,weight", "'weight' is none of"),
        ("time,from,to,to", "named twice"),
    ],
)
def test_columns_are_checked_before_the_file(columns: str, says: str):
    with pytest.raises(Invalid, match=says):
        columns_of(columns)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(Invalid, match="cannot be read"):
        read(tmp_path / "none.txt", columns_of("time,from,to"))


def test_sightings_less_than_a_minute_apart_are_one_meeting():
    from services.evaluation.sets import meetings

    scans = [Exchange(at, *pair, "chat", "meeting") for at in (0, 20, 40, 160) for pair in (("1", "2"), ("2", "1"))]
    told = sorted(meetings(scans, apart=60, lasts=20, kind="chat"))
    assert told == [Exchange(0, "1", "2", "chat", "meeting", 1), Exchange(160, "1", "2", "chat", "meeting", 0)]
    assert files.channel_of("chat") == "meeting"
