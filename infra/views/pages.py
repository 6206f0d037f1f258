"""Pages by key: a cursor says after which row the next page begins."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from domain.errors import Invalid

Instant = Annotated[datetime, Meta(tz=True)]
Row = TypeVar("Row")
Cursor = TypeVar("Cursor", bound=tuple[object, ...])


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
        keys = msgspec.json.decode(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)), type=of)
        if not all(map(_storable, keys)):
            raise ValueError
        return keys
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid("this is no cursor of this list", field="cursor") from error


def _storable(key: object) -> bool:
    """Whether PostgreSQL takes it: no NUL, no time at the ends of Python's calendar."""
    if isinstance(key, datetime):
        return 1 < key.year < 9999
    return not (isinstance(key, str) and "\0" in key)


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """A page out of limit + 1 rows, and its last row where another page follows."""
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)
