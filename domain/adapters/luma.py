"""Luma: who was checked in was there; a registration is none.

Reads `type` and of `data` `id` (or `api_id`), `user_email, user_name, user_first_name, user_last_name,
checked_in_at`, and of `data.event` `start_at, location_type`. A meeting's `location_type` other than `offline` is
virtual; where none is told the event is physical.
"""

from msgspec import Struct

from domain.adapters.outcomes import (
    Commands,
    Instant,
    Message,
    Nothing,
    Outcome,
    Unmapped,
    by_email,
    named,
    shaped,
    strict,
)
from domain.touchpoints import RecordTouchpoint


class Event(Struct):
    start_at: Instant | None = None
    location_type: str | None = None


class Guest(Struct):
    id: str | None = None
    api_id: str | None = None
    user_email: str | None = None
    user_name: str | None = None
    user_first_name: str | None = None
    user_last_name: str | None = None
    checked_in_at: Instant | None = None
    event: Event | None = None


class Kind(Struct):
    type: str


class Told(Struct):
    data: Guest


def read(message: Message) -> Outcome:
    kind = shaped(message.payload, Kind).type
    if not kind.startswith("guest."):
        return Nothing(f"{kind[:80]} is no attendance")
    guest = shaped(message.payload, Told).data
    if guest.checked_in_at is None:
        return Nothing("this guest is not checked in")
    own_id = guest.id or guest.api_id
    if own_id is None or guest.user_email is None:
        return Unmapped("the guest has no id or no e-mail address")
    event = guest.event or Event()
    attendance = RecordTouchpoint(
        kind="attendance",
        occurred_at=min(event.start_at or guest.checked_in_at, guest.checked_in_at),
        channel="event" if event.location_type in (None, "offline") else "luma",
        direction="mutual",
        people=(by_email(guest.user_email, guest.user_name or named(guest.user_first_name, guest.user_last_name)),),
        source_id=f"guest/{own_id}",
    )
    return Commands((strict(attendance),))
