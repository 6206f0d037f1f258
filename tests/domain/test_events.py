"""The catalogue of events: how they are stored, and what of them is public."""

import msgspec
import pytest

from domain import events
from domain.event import NOTHING_PERSONAL, Event, Personal
from domain.examples import EVENTS

SECRET = Personal(*(f"secret {field}" for field in Personal.__struct_fields__))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_nothing_personal_is_in_the_body_or_in_public(event: Event):
    told = msgspec.structs.replace(event, personal=SECRET)
    body, personal = events.encode(told)
    assert personal is not None
    assert events.with_personal(events.decode(event.TYPE, event.VERSION, body), personal) == told
    said = body.decode() + msgspec.json.encode(events.public(told)).decode()
    assert "secret" not in said


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_an_event_lies_in_a_stream_of_its_kind(event: Event):
    kinds = {
        "contact", "touchpoint", "channel", "nudge", "appointment", "referral", "introduction", "tie", "tenant",
        "webhook_endpoint", "apart", "gathering", "occurrence", "guest", "model",
    }  # fmt: skip
    assert event.stream.partition("-")[0] in kinds


def test_types_are_dotted_and_in_the_past_tense():
    assert all(name.count(".") == 1 and name.islower() for name in events.TYPES)
    assert all(
        name.endswith(("ed", "done", "struck", "made", "met", "won", "lost", "told_apart")) for name in events.TYPES
    )


def test_an_erased_event_has_nothing_personal():
    assert events.with_personal(EVENTS[0], msgspec.json.encode(Personal())).personal == NOTHING_PERSONAL
