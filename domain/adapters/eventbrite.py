"""Eventbrite: who was checked in was there; an order is no attendance.

The message says only where to ask (`api_url`, `config.action`); of the attendee that comes back this reads `id, status,
checked_in, cancelled, refunded, changed`, `profile.email, .name, .first_name, .last_name`, and `event.online_event,
.start.utc`. Asked is only at the source's own `api`, by default https://www.eventbriteapi.com, with its `token`.
"""

from msgspec import Struct

from domain.adapters.outcomes import (
    CallBack,
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

API = "https://www.eventbriteapi.com"
ACTIONS = ("attendee.checked_in", "barcode.checked_in")


class Config(Struct):
    action: str


class Thin(Struct):
    api_url: str
    config: Config


class Profile(Struct):
    email: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Start(Struct):
    utc: Instant


class Event(Struct):
    online_event: bool = False
    start: Start | None = None


class Attendee(Struct):
    id: str
    changed: Instant
    profile: Profile
    checked_in: bool = False
    cancelled: bool = False
    refunded: bool = False
    event: Event | None = None


def read(message: Message) -> Outcome:
    told = shaped(message.payload, Thin)
    if told.config.action == "test":
        return Nothing("Eventbrite's own test")
    if told.config.action not in ACTIONS:
        return Nothing(f"{told.config.action[:80]} is no attendance: only a check-in is")
    base = message.settings.get("api", API).rstrip("/")
    if not told.api_url.startswith(f"{base}/v3/") or not told.api_url.isascii() or not told.api_url.isprintable():
        return Unmapped(f"the message points elsewhere than to {base}/v3/")
    if message.answered is None:
        return CallBack(f"{told.api_url.partition('?')[0]}?expand=event")
    return _attended(shaped(message.answered, Attendee))


def _attended(attendee: Attendee) -> Outcome:
    if not attendee.checked_in or attendee.cancelled or attendee.refunded:
        return Nothing("this attendee is not checked in")
    profile = attendee.profile
    if not profile.email or "@" not in profile.email:
        return Unmapped("the attendee has no e-mail address")
    event = attendee.event or Event()
    began = event.start.utc if event.start else attendee.changed
    attendance = RecordTouchpoint(
        kind="attendance",
        occurred_at=min(began, attendee.changed),
        channel="eventbrite" if event.online_event else "event",
        direction="mutual",
        people=(by_email(profile.email, profile.name or named(profile.first_name, profile.last_name)),),
        source_id=f"attendee/{attendee.id}",
    )
    return Commands((strict(attendance),))
