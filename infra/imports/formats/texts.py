"""Texts of files as we keep them: one spelling, short enough to show, or a digest alone."""

import re
from hashlib import sha256
from unicodedata import category

from ftfy import TextFixerConfig, fix_encoding

from domain.bulk import without_greeting
from domain.letters import composed, without_accents

# Of what ftfy can mend, only what has one reading: whole texts that are UTF-8 read as another encoding.
_CERTAIN = TextFixerConfig(
    restore_byte_a0=False, replace_lossy_sequences=False, decode_inconsistent_utf8=False, fix_c1_controls=False
)
_SHOWN = 160
_FOLDED = 1_000  # of a text whose words are compared with known ones
_DIGESTED = 65_536
_FEW = 40


def mended(text: str) -> str:
    """UTF-8 that was read as something else (`JosÃ©`) put right where that is certain; else the text itself."""
    return text if text.isascii() else fix_encoding(text, _CERTAIN)


def clean(text: str) -> str:
    """A name or another short text: mended, composed, without control characters, spaces collapsed."""
    if not text.isascii():
        text = composed(mended(text))
    if not text.isprintable():
        text = "".join(" " if character.isspace() else character for character in text if _shows(character))
    return " ".join(text.split())


def _shows(character: str) -> bool:
    """Whether a character is seen, or is white space; soft hyphens, marks of direction and controls are neither."""
    return character.isspace() or category(character) not in ("Cc", "Cf")


def folded(text: str) -> str:
    """For comparing words: lower-case, without accents, `_` and `-` as spaces; of a long text its beginning."""
    plain = without_accents(text[:_FOLDED].casefold())
    return " ".join(clean(plain).replace("_", " ").replace("-", " ").split())


def slug(name: str) -> str:
    """The slug of a channel somebody calls so; empty when nothing of the name can stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", folded(name)).strip("-")[:60].rstrip("-")


def shown(*parts: str | None) -> str:
    """What a row is known by, for people; never the text of a message."""
    text = ", ".join(clean(part[: 4 * _SHOWN]) for part in parts if part)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def content_id(*parts: str) -> str:
    """An id for what has none of its own: the same parts, the same id."""
    framed = b"".join(len(raw).to_bytes(8) + raw for raw in (part.encode(errors="surrogatepass") for part in parts))
    return sha256(framed).hexdigest()[:32]


def digest(text: str) -> bytes | None:
    """What tells equal texts from others: without the greeting and the spaces; None for a text of a few words.

    A few words (`happy birthday!`) are equal without being a mailing.
    """
    words = " ".join(without_greeting(text.strip()[:_DIGESTED].casefold()).split())
    return sha256(words.encode(errors="surrogatepass")).digest()[:16] if len(words) >= _FEW else None
