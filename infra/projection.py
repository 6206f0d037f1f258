"""What a projection is to the projector."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from msgspec import MsgspecError, Struct

from domain.event import Event
from domain.events import UnknownEvent
from infra.database import Connection
from infra.sealing import WrongKey

PROJECT = Path(__file__).parents[1]
OURS = (f"{PROJECT}/infra/", f"{PROJECT}/domain/", f"{PROJECT}/services/")


class Stored(Struct, frozen=True):
    """An event as it lies in the log, decoded; personal fields readable only for projections that ask for them."""

    position: int
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    event: Event


class Batch(Struct, frozen=True):
    """A run of one tenant's events for one build. What the projection follows is complete up to `reach`, at or past the
    last of them. `again`: these were parked before."""

    tenant_id: UUID
    build: int
    events: Sequence[Stored]
    reach: int
    now: datetime
    again: bool = False


class Projection(Struct, frozen=True):
    """`apply` writes what the batch changes, in the projector's transaction. `types` are the events it reads; `follows`
    the projections whose live rows it reads; `tables` are emptied of a build that is given up."""

    name: str
    types: frozenset[str]
    tables: tuple[str, ...]
    apply: Callable[[Connection, Batch], Awaitable[None]]
    follows: tuple[str, ...] = ()
    personal: bool = False


async def attempted(connection: Connection, work: Awaitable[object]) -> str | None:
    """Do the work within the running transaction: None, or with nothing of it written, what went wrong.

    A lost connection goes on up.
    """
    try:
        async with connection.transaction():
            await work
    except Exception as error:
        if connection.is_closed():
            raise
        return told(error)
    return None


def told(error: Exception) -> str:
    """What went wrong and where, without the values it went wrong with: they may be personal."""
    if isinstance(error, UnknownEvent | MsgspecError | WrongKey):
        return f"{type(error).__name__}: {error}"[:500]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(OURS)]
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where
