"""In which half a channel lies, and what describing one comes to."""

from typing import Any

import pytest

from domain import channels
from domain.channels import Channel, ChannelDescribed, ChannelOpened, DescribeChannel
from domain.errors import Invalid
from domain.event import Event


def described(channel: Channel | None, **more: Any) -> list[Event]:
    return channels.decide(DescribeChannel(**{"slug": "the-place"} | more), channel)


def known(*events: Event) -> Channel | None:
    channel = None
    for event in events:
        channel = channels.evolve(channel, event)
    return channel


@pytest.mark.parametrize(
    "slug", ["chamber", "cafe", "shop", "bni", "event", "rotary-club", "corner_cafe", "farmers.market"]
)
def test_places_where_people_meet_are_physical(slug: str):
    assert channels.by_table(slug).realm == "physical"


@pytest.mark.parametrize("slug", ["linkedin", "email", "phone", "anything", "online-event", "video-meeting", "shopify"])
def test_all_else_is_virtual(slug: str):
    assert channels.by_table(slug).realm == "virtual"


@pytest.mark.parametrize(("slug", "role"), [("newsletter", "hub"), ("shop", "hub"), ("linkedin", "outpost")])
def test_places_of_ones_own_are_hubs(slug: str, role: str):
    assert channels.by_table(slug).role == role


def test_a_name_is_made_of_the_slug():
    assert channels.by_table("corner-cafe").name == "Corner cafe"


def test_a_channel_is_opened_once_whoever_opens_it():
    assert channels.opening_id("cafe") == channels.opening_id("cafe") != channels.opening_id("shop")
    assert channels.opened("cafe").stream == "channel-cafe"


def test_describing_an_unknown_channel_opens_it_by_the_table_first():
    opened, told = described(None, realm="physical")
    assert opened == ChannelOpened(channel=channels.by_table("the-place"))
    assert isinstance(told, ChannelDescribed)
    assert known(opened, told) == Channel("the-place", "The place", "physical", "outpost")


def test_what_is_left_out_stays():
    first = known(*described(None, realm="physical", topics=("trade",), sensitive=True))
    second = known(ChannelOpened(channel=first), *described(first, name="The Place"))  # type: ignore[arg-type]
    assert second == Channel("the-place", "The Place", "physical", "outpost", "open", ("trade",), True)


def test_the_same_description_twice_changes_nothing():
    place = known(*described(None, realm="physical"))
    assert described(place, realm="physical", name="The place") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "The Place"}, "slug"),
        ({"name": " "}, "name"),
        ({"topics": ("trade", "")}, "topics[1]"),
    ],
)
def test_what_says_nothing_is_refused(change: dict[str, Any], field: str):
    with pytest.raises(Invalid) as error:
        described(None, **change)
    assert error.value.field == field
