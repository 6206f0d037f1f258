"""What every event of the log has in common."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct


class Personal(Struct, frozen=True, omit_defaults=True):
    """The personal fields an event may have. Stored sealed under the keys of its subjects, never in its body."""

    name: str | None = None
    hint: str | None = None
    handle: str | None = None
    locality: str | None = None
    topic: str | None = None
    note: str | None = None


NOTHING_PERSONAL = Personal()


class Event(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One fact. `personal` is empty in what is stored as the body, and empty for ever once a subject was erased."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    personal: Personal = NOTHING_PERSONAL

    @property
    def stream(self) -> str:
        """The stream the fact belongs to: `<kind>-<id>`."""
        raise NotImplementedError

    @property
    def subjects(self) -> tuple[UUID, ...]:
        """The people whose keys seal the personal fields."""
        return ()
