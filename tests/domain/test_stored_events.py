"""What was ever stored can be read for ever: the specimens are frozen bytes and never change."""

from pathlib import Path

import pytest

from domain import events
from domain.event import Event
from domain.examples import EVENTS, PERSONAL

SPECIMENS = Path(__file__).parents[1] / "stored_events"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_a_stored_event_is_read_as_what_it_was(event: Event):
    body = (SPECIMENS / f"{event.TYPE}.v{event.VERSION}.json").read_bytes()
    assert events.decode(event.TYPE, event.VERSION, body) == event
    assert events.encode(event) == (body, None)


def test_a_stored_personal_part_is_read_as_what_it_was():
    stored = (SPECIMENS / "personal.v1.json").read_bytes()
    assert events.with_personal(EVENTS[0], stored).personal == PERSONAL


def test_every_type_has_its_example_and_every_version_its_specimen():
    assert {event.TYPE for event in EVENTS} == set(events.TYPES)
    current = {f"{name}.v{event.VERSION}.json" for name, event in events.TYPES.items()}
    assert current <= {path.name for path in SPECIMENS.iterdir()}


def test_an_unknown_type_or_version_is_refused():
    with pytest.raises(events.UnknownEvent):
        events.decode("touchpoint.imagined", 1, b"{}")
    with pytest.raises(events.UnknownEvent):
        events.decode("touchpoint.recorded", 99, b"{}")


def test_the_public_form_never_holds_a_personal_field():
    for event in EVENTS:
        assert "personal" not in events.public(
            events.with_personal(event, (SPECIMENS / "personal.v1.json").read_bytes())
        )
