"""What an adapter makes of a message: commands, nothing, or that it cannot be mapped, each with its reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from domain import bodies
from domain.appointments import PlanAppointment
from domain.errors import Invalid
from domain.touchpoints import RecordTouchpoint, Reference
from domain.wording import in_words

Shape = TypeVar("Shape")
Instant = Annotated[datetime, Meta(tz=True)]
MOST = 200


class NotCome(Struct, frozen=True):
    """Somebody did not come to the appointment that the source calls so."""

    source_id: str
    by: Literal["us", "them"] = "them"


Command = RecordTouchpoint | PlanAppointment | NotCome


class Commands(Struct, frozen=True):
    """What is to be recorded. A `source_id` that the sender itself gave stays; the others are counted."""

    commands: tuple[Command, ...]


class Nothing(Struct, frozen=True):
    """It was read, and is nothing to be recorded."""

    reason: str


class Unmapped(Struct, frozen=True):
    """It waits in the quarantine until somebody looks at it."""

    reason: str


class CallBack(Struct, frozen=True):
    """The message says only where to ask: at this address."""

    url: str


class Challenge(Struct, frozen=True):
    """The sender asks whether anybody is here, and wants this said."""

    said: str


Outcome = Commands | Nothing | Unmapped | CallBack | Challenge


class Message(Struct, frozen=True):
    """What came in, read as JSON (a form as an object of its fields), and what its source was given for it.

    `answered` is what came back where the adapter asked to call back.
    """

    payload: object
    received_at: datetime
    mapping: str | None = None
    settings: Mapping[str, str] = {}
    answered: object = None


def shaped(payload: object, shape: type[Shape]) -> Shape:
    """The payload as far as this shape reads it, the rest of it ignored. Raises Invalid with the field."""
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise in_words(text, place.rstrip("`").removeprefix("$").removeprefix("."), shape) from None


def strict(command: Command) -> Command:
    """The command as if it had come through the API: within the same limits. Raises Invalid with the field."""
    if isinstance(command, RecordTouchpoint):
        return bodies.touchpoint(msgspec.json.encode(command))
    return bodies.decode(msgspec.json.encode(command), msgspec.json.Decoder(type(command)))


def touchpoints(found: object) -> tuple[RecordTouchpoint, ...]:
    """One touchpoint in the API's own form, or a list of them. Raises Invalid with the field."""
    items: Sequence[object] = found if isinstance(found, list) else [found]
    if len(items) > MOST:
        raise Invalid(f"one message holds at most {MOST} touchpoints")
    told = []
    for n, item in enumerate(items):
        try:
            told.append(bodies.touchpoint(msgspec.json.encode(item)))
        except Invalid as error:
            if not isinstance(found, list):
                raise
            raise Invalid(error.reason, field=f"[{n}].{error.field}" if error.field else f"[{n}]") from error
    return tuple(told)


def by_email(address: str, name: str | None) -> Reference:
    return Reference(email=address, name=named(name))


def named(*names: str | None) -> str | None:
    """The name these parts make, cut to what a name takes; None where they say nothing."""
    whole = " ".join(" ".join(part for part in names if part).split())
    return whole[:200] or None
