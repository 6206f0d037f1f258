"""Pages by key: a cursor says after which row the next page begins."""

import base64
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from domain.errors import Invalid

Row = TypeVar("Row")
Cursor = TypeVar("Cursor")


class Page(Struct, Generic[Row], frozen=True):
    """One page. `next` is the cursor of the page that follows, null at the end; `position` how far the view read."""

    items: list[Row]
    next: str | None
    position: int


def cursor(*keys: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(keys)).decode().rstrip("=")


def keys_of(given: str | None, of: type[Cursor]) -> Cursor | None:
    """The keys a cursor holds, as the tuple type says. Raises Invalid for what is no cursor of this list."""
    if given is None:
        return None
    try:
        written = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        if b"\\u0000" in written:
            raise ValueError("PostgreSQL keeps no NUL")
        return msgspec.json.decode(written, type=of)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid("this is no cursor of this list", field="cursor") from error


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """A page out of limit + 1 rows, and its last row where another page follows."""
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)
