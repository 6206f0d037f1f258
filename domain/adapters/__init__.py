"""Adapters: what the messages of each kind of sender become. Pure functions; the table is `ADAPTERS`."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from domain.adapters import calendly, eventbrite, generic, hubspot, luma, mailchimp, mastodon, plain, slack
from domain.adapters.outcomes import Message, Outcome, Unmapped
from domain.errors import Invalid
from domain.signatures import Scheme

Name = Literal[
    "generic", "plain", "calendly", "eventbrite", "luma", "hubspot", "mailchimp", "mastodon", "slack",
]  # fmt: skip


class Adapter(Struct, frozen=True):
    """`read` makes an outcome of a message; Invalid means that it cannot be mapped. `schemes` are those its sender can
    sign with, the usual one first. `form`: the body is no JSON but a form. `checks`: the address answers a GET.
    `settings` are the names of what its source may be given. `own_id` is the sender's id of a message, signed with it;
    `canonical` what of a message is the same at each sending, where not all is.
    `tells_again`: its sender tells one thing several times, with other details; what was recorded first stays."""

    read: Callable[[Message], Outcome]
    schemes: tuple[Scheme, ...]
    form: bool = False
    checks: bool = False
    maps: bool = False
    settings: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    own_id: Callable[[object], str | None] = lambda payload: None
    tells_again: bool = True
    canonical: Callable[[object], object] | None = None


ADAPTERS: Mapping[Name, Adapter] = {
    "generic": Adapter(generic.read, ("standard", "stripe", "github", "none"), maps=True, tells_again=False),
    "plain": Adapter(plain.read, ("none", "standard", "stripe", "github"), tells_again=False),
    "calendly": Adapter(calendly.read, ("stripe",)),
    "eventbrite": Adapter(eventbrite.read, ("none",), settings=("token", "api"), required=("token",)),
    "luma": Adapter(luma.read, ("none", "standard")),
    "hubspot": Adapter(hubspot.read, ("hubspot",), canonical=hubspot.canonical),
    "mailchimp": Adapter(mailchimp.read, ("none",), form=True, checks=True),
    "mastodon": Adapter(mastodon.read, ("none", "standard", "github"), settings=("account",)),
    "slack": Adapter(slack.read, ("slack",), own_id=slack.own_id),
}


def read(adapter: Name, message: Message) -> Outcome:
    """What the message becomes. Whatever the payload is, this answers."""
    try:
        return ADAPTERS[adapter].read(message)
    except Invalid as error:
        return Unmapped(f"{error.field}: {error.reason}" if error.field else error.reason)


def same(adapter: Name, payload: object, content: bytes) -> bytes:
    """What two sendings of one message have in common."""
    canonical = ADAPTERS[adapter].canonical
    return content if canonical is None else msgspec.json.encode(canonical(payload), order="deterministic")
