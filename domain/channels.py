"""Channels: the places where the network lives, each in one realm, as a hub of the business's own or an outpost."""

import re
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid5

from msgspec import Meta, Struct

from domain.errors import Invalid
from domain.event import Event

Realm = Literal["virtual", "physical"]
Role = Literal["hub", "outpost"]
Access = Literal["open", "members", "private"]

SLUG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
NAMESPACE = UUID("6f0f5d0e-63c0-4c7c-8f4e-6e1f0a6c1a01")


class Channel(Struct, frozen=True, omit_defaults=True):
    """What is known of a channel. `sensitive` places (a clinic, a church) count for nothing in suggestions."""

    slug: str
    name: str
    realm: Realm
    role: Role
    access: Access = "open"
    topics: tuple[str, ...] = ()
    sensitive: bool = False


class ChannelOpened(Event, frozen=True, kw_only=True):
    """A place came into use: as described, or as the table of slugs has it."""

    TYPE: ClassVar[str] = "channel.opened"
    channel: Channel

    @property
    def stream(self) -> str:
        return stream_of(self.channel.slug)


class ChannelDescribed(Event, frozen=True, kw_only=True):
    """The channel is something else than was thought: the whole new description."""

    TYPE: ClassVar[str] = "channel.described"
    channel: Channel

    @property
    def stream(self) -> str:
        return stream_of(self.channel.slug)


class DescribeChannel(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says of a channel; what they leave out stays as it was, or as the table of slugs has it.

    A `hub` is a place of the business's own, an `outpost` somebody else's. What was met in a `sensitive` place (a
    clinic, a church) counts for nothing in suggestions.
    """

    slug: Annotated[str, Meta(max_length=60, examples=["chamber"])]
    name: Annotated[str, Meta(max_length=200)] | None = None
    realm: Realm | None = None
    role: Role | None = None
    access: Access | None = None
    topics: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=50)] | None = None
    sensitive: bool | None = None


# Words of slugs: one of the first and none of the second opens the channel as physical, where nobody described it.
PHYSICAL = frozenset(
    """
    bakery bar bni booth breakfast cafe chamber church clinic club coffee conference coworking dinner door event events
    expo fair festival gym hall home kitchen library lunch market meetup meeting neighborhood neighbourhood networking
    office outdoors party patio person pub restaurant rotary school shop show showroom stall store street studio visit
    walk warehouse workshop
    """.split()
)
VIRTUAL = frozenset(
    """
    app chat email facebook instagram linkedin mastodon online podcast remote site slack sms teams telegram threads
    tiktok twitter video virtual web webinar website whatsapp x youtube zoom
    """.split()
)
# Places of the business's own, by their whole slug.
HUBS = frozenset(
    """
    bakery blog kitchen mailing-list newsletter office own-event patio podcast shop showroom site store studio warehouse
    web website workshop
    """.split()
)


def check_slug(slug: str, *, field: str = "channel") -> str:
    """The slug itself, or Invalid."""
    if not SLUG.fullmatch(slug):
        raise Invalid(
            "a channel's slug is 1 to 60 lower-case letters, digits, dots, dashes or underscores", field=field
        )
    return slug


def by_table(slug: str) -> Channel:
    """How a channel is opened that nobody described: by the table of slugs, else a virtual outpost."""
    words = set(re.split(r"[-_.]", slug))
    return Channel(
        slug=slug,
        name=slug.replace("-", " ").replace("_", " ").capitalize(),
        realm="physical" if words & PHYSICAL and not words & VIRTUAL else "virtual",
        role="hub" if slug in HUBS else "outpost",
    )


def opened(slug: str) -> ChannelOpened:
    """The opening of a channel nobody described."""
    return ChannelOpened(channel=by_table(slug))


def opening_id(slug: str) -> UUID:
    """The event id of a channel's opening: the same for everybody who opens it at once, so it is opened once."""
    return uuid5(NAMESPACE, f"channel.opened/{slug}")


def decide(command: DescribeChannel, channel: Channel | None) -> list[Event]:
    """Describe the channel, opening it first where need be; nothing when it is so already.

    The opening is always that of the table: whoever opens it says the same, and what a person says stays.
    """
    was = channel or by_table(check_slug(command.slug, field="slug"))
    name = was.name if command.name is None else _stripped(command.name, field="name")
    topics = (
        was.topics
        if command.topics is None
        else tuple(_stripped(topic, field=f"topics[{n}]") for n, topic in enumerate(command.topics))
    )
    described = Channel(
        slug=was.slug,
        name=name,
        realm=command.realm or was.realm,
        role=command.role or was.role,
        access=command.access or was.access,
        topics=topics,
        sensitive=was.sensitive if command.sensitive is None else command.sensitive,
    )
    if channel is None:
        return [opened(was.slug), ChannelDescribed(channel=described)]
    return [] if described == channel else [ChannelDescribed(channel=described)]


def evolve(channel: Channel | None, event: Event) -> Channel | None:
    match event:
        case ChannelOpened(channel=described) | ChannelDescribed(channel=described):
            return described
        case _:
            return channel


def stream_of(slug: str) -> str:
    return f"channel-{slug}"


def _stripped(text: str, *, field: str) -> str:
    if not text.strip():
        raise Invalid("this says nothing", field=field)
    return text.strip()
