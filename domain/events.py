"""The catalogue: every type of event the log may hold, by name and version, and its public thin form."""

import msgspec
from msgspec import Struct

from domain import (
    appointments,
    attendance,
    channels,
    contacts,
    gatherings,
    merges,
    model,
    money,
    nudges,
    policy,
    referrals,
    ties,
    touchpoints,
    webhooks,
)
from domain.event import NOTHING_PERSONAL, Event, Personal

TYPES: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        touchpoints.TouchpointRecorded,
        touchpoints.TouchpointStruck,
        touchpoints.TouchpointRestored,
        contacts.ContactAdded,
        contacts.ContactNamed,
        contacts.IdentityNoted,
        contacts.LocalityNoted,
        contacts.RelationNoted,
        contacts.InterestNoted,
        contacts.ReachNoted,
        contacts.RelationshipStated,
        contacts.RelationshipClosed,
        contacts.ContactRemoved,
        contacts.ContactRestored,
        contacts.LeaveAloneNoted,
        merges.ContactMerged,
        merges.ContactUnmerged,
        merges.ContactsToldApart,
        channels.ChannelOpened,
        channels.ChannelDescribed,
        referrals.ReferralMade,
        referrals.ReferralContacted,
        referrals.ReferralMet,
        referrals.ReferralWon,
        referrals.ReferralLost,
        referrals.ReferralThanked,
        ties.IntroductionMade,
        ties.TieNoted,
        money.CurrencySettled,
        nudges.NudgeSuggested,
        nudges.NudgeAccepted,
        nudges.NudgeSnoozed,
        nudges.NudgeDismissed,
        nudges.NudgeDone,
        nudges.NudgeExpired,
        nudges.NudgeMuted,
        policy.NudgePolicyChanged,
        model.ModelChanged,
        appointments.AppointmentPlanned,
        appointments.AppointmentMoved,
        appointments.AppointmentCancelled,
        appointments.AppointmentHappened,
        appointments.AppointmentMissed,
        gatherings.GatheringPlanned,
        gatherings.GatheringChanged,
        gatherings.GatheringCancelled,
        gatherings.OccurrenceChanged,
        gatherings.OccurrenceCancelled,
        gatherings.LinkOpened,
        gatherings.LinkClosed,
        gatherings.GuestEntered,
        attendance.Attended,
        attendance.AttendanceStruck,
        webhooks.EndpointWarned,
        webhooks.EndpointDisabled,
    )
}
# What stays in the log: personal fields, and what stands for one.
INTERNAL = frozenset({"personal", "text_mark"})
_DECODERS = {name: msgspec.json.Decoder(event) for name, event in TYPES.items()}
_PERSONAL = msgspec.json.Decoder(Personal)
_ENCODER = msgspec.json.Encoder()


# The beginnings of types that say what is the case, not what happened: they have no time of their own.
STANDING = ("contact.", "contacts.", "channel.", "tie.", "currency.", "model.", "nudge_policy.")


class UnknownEvent(Exception):
    """The log holds an event of a type or version this program does not know."""


def encode(event: Event) -> tuple[bytes, bytes | None]:
    """The body, and the personal part still readable (None when there is none)."""
    if event.personal == NOTHING_PERSONAL:
        return _ENCODER.encode(event), None
    return _ENCODER.encode(msgspec.structs.replace(event, personal=NOTHING_PERSONAL)), _ENCODER.encode(event.personal)


def decode(name: str, version: int, body: bytes) -> Event:
    """The event of a stored body. Raises UnknownEvent, or msgspec's error when the body is not what the type says."""
    known = TYPES.get(name)
    if known is None or version != known.VERSION:
        raise UnknownEvent(f"{name} version {version}")
    return _DECODERS[name].decode(body)


def understood(name: str, version: int, body: bytes) -> Event | None:
    """As `decode`, but None for what this program cannot read: another version of it may have written that."""
    try:
        return decode(name, version, body)
    except (UnknownEvent, msgspec.MsgspecError):
        return None


def is_standing(event: Event) -> bool:
    """Whether it says what is the case, whenever that was said."""
    return event.TYPE.startswith(STANDING)


def with_personal(event: Event, personal: bytes) -> Event:
    """The event with its unsealed personal part."""
    return msgspec.structs.replace(event, personal=_PERSONAL.decode(personal))


def public(event: Event) -> dict[str, object]:
    """The thin form of feed and webhooks: ids and plain facts, every field each time, never a personal one."""
    return _plain(event)


def _plain(value: Struct) -> dict[str, object]:
    fields = {
        field.encode_name: getattr(value, field.name)
        for field in msgspec.structs.fields(value)
        if field.name not in INTERNAL
    }
    return {
        name: _plain(found) if isinstance(found, Struct) else msgspec.to_builtins(found)
        for name, found in fields.items()
    }
