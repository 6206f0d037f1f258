"""Calendly: bookings are appointments, the invitee's address is their id.

Reads `event` and of the payload `uri, name, first_name, last_name, email, rescheduled`, `no_show` and of its
`scheduled_event` `name, start_time, end_time, location.type, location.join_url, event_guests[].email`.
`invitee.created` plans, `invitee.canceled` calls off; a reschedule sends both, of two invitees: one is called off and
one planned. Of one invitee they may come in either order: what is called off is told as planned before, and the booking
that comes after its end is the older one of the two. `invitee_no_show.created` is a missed appointment; taken back,
somebody has to answer anew, so that waits. The place decides the channel: `physical` is a meeting, calls are calls, the
rest is video.
"""

from msgspec import Struct
from msgspec.structs import replace

from domain.adapters.outcomes import (
    Commands,
    Instant,
    Message,
    NotCome,
    Nothing,
    Outcome,
    Unmapped,
    by_email,
    named,
    shaped,
    strict,
)
from domain.appointments import AppointmentKind, PlanAppointment

PLACES: dict[str, tuple[str, AppointmentKind]] = {
    "physical": ("meeting", "meeting"),
    "outbound_call": ("phone", "call"),
    "inbound_call": ("phone", "call"),
    "zoom": ("zoom", "video_call"),
    "zoom_conference": ("zoom", "video_call"),
    "google_conference": ("google-meet-video", "video_call"),
    "microsoft_teams_conference": ("teams", "video_call"),
    "webex_conference": ("webex-video", "video_call"),
    "gotomeeting": ("gotomeeting-video", "video_call"),
}
UNTOLD: tuple[str, AppointmentKind] = ("calendly", "video_call")

BOOKED, CALLED_OFF = 0, 1  # an invitee is never booked anew: that is another invitee


class Location(Struct):
    type: str = ""


class Guest(Struct):
    email: str


class Scheduled(Struct):
    start_time: Instant
    end_time: Instant
    name: str | None = None
    location: Location | None = None
    event_guests: tuple[Guest, ...] = ()


class Invitee(Struct):
    uri: str
    email: str
    scheduled_event: Scheduled
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Kind(Struct):
    event: str


class Told(Struct):
    payload: Invitee


class OnlyInvitee(Struct):
    uri: str = ""
    invitee: str | None = None


class Missed(Struct):
    payload: OnlyInvitee


def read(message: Message) -> Outcome:
    match shaped(message.payload, Kind).event:
        case "invitee.created":
            return Commands((strict(_booked(message.payload)),))
        case "invitee.canceled":
            booked = _booked(message.payload)
            return Commands((strict(booked), strict(replace(booked, cancelled=True, sequence=CALLED_OFF))))
        case "invitee_no_show.created":
            missed = shaped(message.payload, Missed).payload
            return Commands((NotCome(missed.invitee or missed.uri),))
        case "invitee_no_show.deleted":
            return Unmapped("a no-show was taken back: answer the appointment anew, then drop this")
        case other:
            return Nothing(f"{other[:80]} is no booking")


def _booked(payload: object) -> PlanAppointment:
    told = shaped(payload, Told).payload
    event = told.scheduled_event
    channel, kind = PLACES.get(event.location.type, UNTOLD) if event.location else UNTOLD
    guests = dict.fromkeys(guest.email for guest in event.event_guests)
    guests.pop(told.email, None)
    return PlanAppointment(
        starts_at=event.start_time,
        ends_at=event.end_time,
        channel=channel,
        kind=kind,
        people=(
            by_email(told.email, told.name or named(told.first_name, told.last_name)),
            *(by_email(guest, None) for guest in guests),
        ),
        note=None if event.name is None else event.name[:10_000],
        source_id=told.uri,
        sequence=BOOKED,
    )
