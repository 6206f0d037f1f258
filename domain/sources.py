"""Webhooks in: the sources of a tenant, each with a secret address, and the messages that come there."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from domain import mappings, signatures
from domain.adapters import ADAPTERS, Adapter, Name
from domain.addresses import check_url
from domain.bodies import TooLarge, Unreadable
from domain.errors import Invalid
from domain.signatures import Scheme

State = Literal["active", "paused"]
MessageState = Literal["received", "recorded", "nothing", "quarantined", "dropped"]

MOST_SOURCES = 50
MAX_MESSAGE = 64_000
DEEPEST = 64
KEPT = timedelta(days=30)
LONGEST_ID = 200

Label = Annotated[str, Meta(min_length=1, max_length=100)]
Mapped = Annotated[str, Meta(min_length=1, max_length=mappings.LONGEST)]
Secret = Annotated[str, Meta(min_length=1, max_length=500)]
Settings = Annotated[dict[str, Annotated[str, Meta(max_length=500)]], Meta(max_length=10)]


class AddSource(Struct, frozen=True, forbid_unknown_fields=True):
    """Who sends, and how. Left out, the scheme is the adapter's usual one, and the secret is made here. `settings` are
    the adapter's: `token` and `api` of Eventbrite, `account` of Mastodon."""

    name: Label
    adapter: Name
    scheme: Scheme | None = None
    secret: Secret | None = None
    mapping: Mapped | None = None
    settings: Settings = {}


class ChangeSource(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. What comes while it is paused waits."""

    name: Label | UnsetType = UNSET
    mapping: Mapped | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    state: State | UnsetType = UNSET


class RotateSource(Struct, frozen=True, forbid_unknown_fields=True):
    """A new `address`: the old one ends at once. Or a new `secret`, the sender's own or one made here: the old one is
    taken too for so many hours."""

    what: Literal["address", "secret"] = "secret"
    secret: Secret | None = None
    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class TryMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A sample, as the sender would send it (a form as an object of its fields), and another mapping than the source's
    to try it with."""

    payload: msgspec.Raw
    mapping: Mapped | None = None


def scheme_of(command: AddSource) -> Scheme:
    return command.scheme or ADAPTERS[command.adapter].schemes[0]


def check(command: AddSource, *, loopback: bool) -> None:
    """Raises Invalid with the field."""
    adapter, scheme = ADAPTERS[command.adapter], scheme_of(command)
    if scheme not in adapter.schemes:
        raise Invalid(f"{command.adapter} takes {' or '.join(adapter.schemes)}", field="scheme")
    if command.secret is not None:
        signatures.check_secret(scheme, command.secret)
    check_mapping(adapter, command.mapping)
    check_settings(adapter, command.settings, loopback=loopback)


def check_mapping(adapter: Adapter, mapping: str | None | UnsetType) -> None:
    if mapping is None or mapping is UNSET:
        return
    if not adapter.maps:
        raise Invalid("only a generic source has a mapping", field="mapping")
    mappings.check(mapping)


def check_settings(adapter: Adapter, settings: Mapping[str, str], *, loopback: bool) -> None:
    for name in settings:
        if name not in adapter.settings:
            raise Invalid("this adapter has no such setting", field=f"settings.{name[:60]}")
    for name in adapter.required:
        if not settings.get(name):
            raise Invalid("this adapter needs it", field=f"settings.{name}")
    for name, value in settings.items():
        if not value.isascii() or not value.isprintable():
            raise Invalid("this takes printable ASCII characters", field=f"settings.{name}")
    if "api" in settings:
        try:
            check_url(settings["api"], loopback=loopback)
        except Invalid as error:
            raise Invalid(error.reason, field="settings.api") from None


def check_depth(payload: object) -> None:
    """Raises Unreadable for what is nested deeper than anybody's message."""
    within = [iter((payload,))]
    while within:
        for value in within[-1]:
            if isinstance(value, dict | list):
                within.append(iter(value.values() if isinstance(value, dict) else value))
                break
        else:
            within.pop()
        if len(within) > DEEPEST:
            raise Unreadable(f"this JSON is nested deeper than {DEEPEST} levels")


def check_size(content: bytes, *, field: str | None = None) -> None:
    """Raises TooLarge."""
    if len(content) > MAX_MESSAGE:
        raise TooLarge(f"a message takes at most {MAX_MESSAGE // 1_000} kB", field=field)
