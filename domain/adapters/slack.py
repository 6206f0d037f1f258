"""Slack's Events API: who mentions us or writes to us.

Reads `type, challenge, event_id` and of `event` `type, channel_type, user, bot_id, subtype, ts`. `url_verification` is
answered with its challenge; `app_mention` is a mention, `message` in an `im` a direct message, both from them. What a
bot wrote or what only changes a message is nothing; the words themselves are not kept.
"""

from datetime import UTC, datetime

from msgspec import Struct

from domain.adapters.outcomes import Challenge, Commands, Message, Nothing, Outcome, shaped, strict
from domain.errors import Invalid
from domain.touchpoints import Kind, RecordTouchpoint, Reference


class Envelope(Struct):
    type: str
    challenge: str = ""


class Event(Struct):
    type: str
    ts: str = ""
    user: str | None = None
    channel_type: str | None = None
    bot_id: str | None = None
    subtype: str | None = None


class Callback(Struct):
    event_id: str
    event: Event


def read(message: Message) -> Outcome:
    envelope = shaped(message.payload, Envelope)
    if envelope.type == "url_verification":
        return Challenge(envelope.challenge)
    if envelope.type != "event_callback":
        return Nothing(f"{envelope.type[:80]} is nothing between us and anybody")
    event = shaped(message.payload, Callback).event
    if event.bot_id or event.subtype or event.user is None:
        return Nothing("no person wrote it")
    if event.type == "app_mention":
        return _told("mention", event, event.user)
    if event.type == "message" and event.channel_type == "im":
        return _told("direct_message", event, event.user)
    return Nothing(f"{event.type[:80]} is not said to us")


def own_id(payload: object) -> str | None:
    found = payload.get("event_id") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None


def _told(kind: Kind, event: Event, user: str) -> Outcome:
    touchpoint = RecordTouchpoint(
        kind=kind,
        occurred_at=_at(event.ts),
        channel="slack",
        direction="in",
        people=(Reference(platform="slack", handle=user),),
    )
    return Commands((strict(touchpoint),))


def _at(ts: str) -> datetime:
    seconds = ts.partition(".")[0]
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        raise Invalid("this is no time such as 1767225600.000100", field="event.ts")
    return datetime.fromtimestamp(int(seconds), UTC)
