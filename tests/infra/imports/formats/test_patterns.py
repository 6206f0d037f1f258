"""Regular expressions that meet a file: twice the text takes at most three times as long, or they get little text."""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from domain import bulk, identities, labels, letters, privacy
from infra.imports.formats import (
    dates,
    delimited,
    entries,
    ics,
    lines,
    linkedin_messages,
    mails,
    mbox,
    ndjson,
    people,
    table,
    texts,
    zones,
)
from tests import measuring

NOISE = 0.02  # seconds
LONG = 20_000
# Longer texts some never get: they are cut, or refused, before.
AT_MOST = {
    "dates._NUMBERS": 100,
    "dates._WORDS": 100,
    "identities.ADDRESS": identities.MAX_WRITTEN,
    "identities.EMAIL": identities.MAX_WRITTEN,
    "identities.PLATFORM": 40,
    "mails._PLAIN_ADDRESS": 1_000,
    "mails._QUOTE_BEGINS": 300,
    "mbox._ADDRESSED": 300,
    "mbox._AUTOMATIC": 320,
    "mbox._CLOCK": 300,
    "mbox._DAY": 300,
    "mbox._FIELD": 1_000,
    "people._PHONE": 1_500,
    "people._PLATFORM_HANDLE": 1_500,
    "people._WITH_NAME": 3_000,
    "linkedin_messages._ADVERTISEMENT": 2_000,
}
# How each is asked: everywhere in a text, unless it has to be the whole or the beginning of it.
WHOLE = {
    "dates._NUMBERS", "dates._WORDS", "identities.EMAIL", "identities.PLATFORM", "mails._CHARSET",
    "mails._PLAIN_ADDRESS", "mbox._AUTOMATIC", "people._PHONE", "people._PLATFORM_HANDLE", "people._WITH_NAME",
}  # fmt: skip
BEGINNING = {
    "bulk.GREETING", "entries._MARK", "entries._NAME", "identities.ADDRESS", "mails._HEAD", "mails._QUOTE_BEGINS",
    "mbox._ADDRESSED", "mbox._FIELD",
}  # fmt: skip
MODULES: list[ModuleType] = [
    bulk, dates, delimited, entries, ics, identities, labels, letters, lines, linkedin_messages, mails, mbox, ndjson,
    people, privacy, table, texts, zones,
]  # fmt: skip
PATTERNS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
}
ATOMS = [
    "a", "1", " ", "\n", "\n ", "a.", "a-", "a:", "a ", "1,", "1.", "1 ", "(", ")", "()", "[", "<", "<a", "<>", '"',
    "\"\\", "\\", ";", ",", ":", "/", "@", "a@", "@a", ".@", "a at ", " at ", "(at)", "=?", "\u0300", "é", "\x80",
    "Ã©", "From ", "From:", "From: \n ", "Jan ", "Jan 1 ", "Jan 1 1:", "https://", "https://a.", "http://a", "www.",
    "+1", "ext", "x1", "am ", "on ", "- ", "--", "wrote:", "on a wrote", "am schrieb", "le a", "&#9", "&#0",
    "BEGIN:", "BEGIN:A", "END:A ", "UID:", "UID;", "TZID=", "TZID;", "TZID=a/", ";RANGE=", "hi ", "hi a", "dear",
    "you ", "we ", "Sie ", "Ihr", "do you know who", "unser", "a_", "1€", "$ ", "5 % ", "%first", "no-", "no-reply",
    "noreply", "de ", "1st ", "1. May", "1/1/20 1", "12:30 p",
]  # fmt: skip


def asked(name: str) -> Callable[[Any], object]:
    pattern = PATTERNS[name]
    if name in WHOLE:
        return pattern.fullmatch
    return pattern.match if name in BEGINNING else pattern.findall


def seconds(ask: Callable[[Any], object], text: str | bytes) -> float:
    return measuring.seconds(lambda: ask(text), enough=NOISE * 10)


@pytest.mark.parametrize("name", PATTERNS)
def test_twice_the_text_takes_at_most_three_times_as_long(name: str):
    ask, most = asked(name), AT_MOST.get(name, LONG)
    for before in ("", "a", "From ", "TZID="):
        for atom in ATOMS:
            text = before + atom * (most // len(atom))
            given: list[str | bytes] = [text[: most // 2], text[: most - 1] + "\0"]
            if isinstance(PATTERNS[name].pattern, bytes):
                given = [one.encode() for one in given if isinstance(one, str)]
            once, twice = (seconds(ask, one) for one in given)
            assert twice <= 3 * once + NOISE, (before, atom)


def test_each_is_asked_as_the_readers_ask_it():
    assert set(AT_MOST) | WHOLE | BEGINNING <= set(PATTERNS)
