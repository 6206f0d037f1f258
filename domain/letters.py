"""Letters in one spelling, whatever they were composed of, in time linear in the text.

Unicode sorts the marks on a letter, and a letter may bear marks without end: sorting them takes the square of their
number. So a text is taken in pieces; where one is cut between a letter and its marks, these stay as they are.
"""

import re
from typing import Literal
from unicodedata import combining, normalize

_PIECE = 256
# Nothing composes with an ASCII character that follows: before one, if there is one, a piece ends.
_PIECES = re.compile(rf".{{1,{_PIECE}}}(?=[\x00-\x7f]|\Z)|.{{1,{_PIECE}}}", re.DOTALL)


def composed(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Each letter as one character, where there is such a character."""
    if text.isascii():
        return text
    return "".join(normalize(form, piece) for piece in _PIECES.findall(text))


def without_accents(text: str) -> str:
    """Plain letters (NFKD), without the marks on them."""
    if text.isascii():
        return text
    pieces = (normalize("NFKD", text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))
    return "".join(letter for piece in pieces for letter in piece if not combining(letter))
