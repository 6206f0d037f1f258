"""What a projection is to the projector."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from domain.event import Event
from infra.database import Connection


class Stored(Struct, frozen=True):
    """An event as it lies in the log, decoded; personal fields readable only for projections that ask for them."""

    position: int
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    event: Event


class Batch(Struct, frozen=True):
    """A run of one tenant's events for one build. The build then stands at `through`; `again` when these were parked."""

    tenant_id: UUID
    build: int
    events: Sequence[Stored]
    through: int
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
