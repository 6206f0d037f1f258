"""Unicode's normal forms in time linear in the text, where many marks in a row cost the library their square."""

from collections.abc import Iterator
from typing import Literal
from unicodedata import combining, normalize

SHORT = 200
MOST_MARKS = 30  # on one letter; UAX 15 calls a text without more stream-safe


def normal(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """The text in this form. Of more than 30 marks on one letter, which no language has, the rest is left out."""
    return normalize(form, text if text.isascii() or len(text) <= SHORT else "".join(_stream_safe(text)))


def _stream_safe(text: str) -> Iterator[str]:
    marks = 0
    for letter in text:
        marks = marks + 1 if combining(letter) else 0
        if marks <= MOST_MARKS:
            yield letter
