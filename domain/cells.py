"""Cells of the tables we write: what a spreadsheet would take for a formula is text again."""

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would run it, also behind spaces."""
    return f"'{text}" if text.startswith(_BEGINNINGS) or text.lstrip().startswith(_BEGINNINGS) else text
