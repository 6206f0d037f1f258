"""What may be recorded as a touchpoint, and how one is taken back."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import touchpoints
from domain.errors import Invalid, NotFound
from domain.event import NOTHING_PERSONAL, Personal
from domain.examples import ANA, BEN, COFFEE
from domain.touchpoints import RecordTouchpoint, Reference, StrikeTouchpoint, TouchpointRecorded, TouchpointStruck

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)


def told(**more: Any) -> RecordTouchpoint:
    given: dict[str, Any] = {
        "kind": "meeting",
        "occurred_at": NOW,
        "channel": "cafe",
        "direction": "mutual",
        "people": (Reference(email="ana@example.com"),),
    }
    return RecordTouchpoint(**given | more)


def refused(**more: Any) -> str | None:
    with pytest.raises(Invalid) as error:
        touchpoints.check(told(**more), now=NOW)
    return error.value.field


def test_a_plain_touchpoint_is_taken():
    assert touchpoints.check(told(), now=NOW) == told()


@pytest.mark.parametrize(
    "at",
    [
        datetime(1899, 12, 31, 23, 59, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        NOW + timedelta(days=1, seconds=1),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_time_before_1900_or_more_than_a_day_ahead_is_refused(at: datetime):
    assert refused(occurred_at=at) == "occurred_at"


@pytest.mark.parametrize("at", [datetime(1900, 1, 1, tzinfo=UTC), NOW + timedelta(days=1)])
def test_the_first_and_the_last_time_are_taken(at: datetime):
    assert touchpoints.check(told(occurred_at=at), now=NOW).occurred_at == at


@pytest.mark.parametrize("slug", ["", "Cafe", "the café", "-cafe", "a" * 61, "a/b"])
def test_a_channel_is_a_slug(slug: str):
    assert refused(channel=slug) == "channel"


def test_a_meeting_is_with_somebody():
    assert refused(people=()) == "with"


def test_a_post_and_what_reached_an_audience_may_be_with_nobody():
    assert touchpoints.check(told(kind="post", people=()), now=NOW)
    assert touchpoints.check(told(kind="attendance", people=(), audience=40), now=NOW)


def test_a_crowd_is_refused():
    crowd = tuple(Reference(name=f"guest {number}") for number in range(501))
    assert refused(people=crowd) == "with"
    assert touchpoints.check(told(people=crowd[:500]), now=NOW)


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        (Reference(), "with[0]"),
        (Reference(hint="the baker's sister"), "with[0]"),
        (Reference(name="  "), "with[0]"),
        (Reference(email="ana@example.com", name=" "), "with[0].name"),
        (Reference(email="ana@example.com", phone="503 555 0100"), "with[0].phone"),
        (Reference(contact_id=ANA, email="ana@example.com"), "with[0].email"),
        (Reference(platform="x"), "with[0].handle"),
        (Reference(handle="ana"), "with[0].platform"),
        (Reference(email="ana@example.com", hint="the baker's sister"), "with[0].hint"),
    ],
)
def test_a_person_is_named_in_exactly_one_way(reference: Reference, field: str):
    assert refused(people=(reference,)) == field


@pytest.mark.parametrize(
    "reference",
    [
        Reference(contact_id=ANA),
        Reference(platform="x", handle="ana", name="Ana"),
        Reference(email="ana@example.com", name="Ana"),
        Reference(phone="503 555 0100"),
        Reference(name="Ana", hint="the baker's sister"),
    ],
)
def test_each_way_of_naming_a_person_is_taken(reference: Reference):
    assert touchpoints.check(told(people=(reference,)), now=NOW)


def test_a_person_stands_once_in_a_touchpoint():
    ana = Reference(name="Ana")
    assert refused(people=(ana, Reference(name="Ben"), ana)) == "with[2]"
    assert touchpoints.check(told(people=(ana, Reference(name="Ana", hint="the other one"))), now=NOW)


def test_two_references_that_are_one_contact_are_refused():
    with pytest.raises(Invalid) as error:
        touchpoints.record(told(), touchpoint_id=COFFEE, contact_ids=[ANA, BEN, ANA])
    assert error.value.field == "with[2]"


def test_a_source_may_stand_alone_but_its_id_may_not():
    assert touchpoints.check(told(source="notebook"), now=NOW)
    assert refused(source_id="1") == "source"


def test_a_topic_says_something():
    assert refused(topics=("flour", " ")) == "topics[1]"


def test_the_fact_holds_what_was_told_and_seals_the_note():
    fact = touchpoints.record(told(minutes=45, note="about flour"), touchpoint_id=COFFEE, contact_ids=[ANA])
    assert fact == TouchpointRecorded(
        touchpoint_id=COFFEE,
        kind="meeting",
        channel="cafe",
        direction="mutual",
        contact_ids=(ANA,),
        minutes=45,
        personal=Personal(note="about flour"),
    )
    assert fact.subjects == (ANA,)
    assert fact.stream == f"touchpoint-{COFFEE}"


FACT = TouchpointRecorded(touchpoint_id=COFFEE, kind="meeting", channel="cafe", direction="mutual", contact_ids=(ANA,))


def test_a_strike_carries_what_was_struck_and_its_reason():
    noted = msgspec.structs.replace(FACT, personal=Personal(note="about flour"))
    [struck] = touchpoints.strike(StrikeTouchpoint(why="another Ana"), touchpoints.evolve(None, noted))
    assert struck == TouchpointStruck(touchpoint_id=COFFEE, struck=FACT, personal=Personal(note="another Ana"))
    assert struck.subjects == (ANA,)


def test_a_strike_without_a_reason_has_nothing_to_seal():
    [struck] = touchpoints.strike(StrikeTouchpoint(), touchpoints.evolve(None, FACT))
    assert struck.personal == NOTHING_PERSONAL


def test_a_second_strike_changes_nothing():
    state = touchpoints.evolve(None, FACT)
    [struck] = touchpoints.strike(StrikeTouchpoint(), state)
    assert touchpoints.strike(StrikeTouchpoint(), touchpoints.evolve(state, struck)) == []


def test_what_is_not_there_cannot_be_struck():
    with pytest.raises(NotFound):
        touchpoints.strike(StrikeTouchpoint(), None)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"occurred_at": "2026-05-06T12:00:00"}, "$.occurred_at"),
        ({"kind": "seance"}, "$.kind"),
        ({"direction": "sideways"}, "$.direction"),
        ({"minutes": -1}, "$.minutes"),
        ({"minutes": "45"}, "$.minutes"),
        ({"depth": 4}, "$.depth"),
        ({"automated": "yes"}, "$.automated"),
        ({"with": [{"contact_id": "ana"}]}, "$.with[0].contact_id"),
        ({"with": [{"email": "ana@example.com", "shoe_size": 38}]}, "$.with[0]"),
        ({"with": {"email": "ana@example.com"}}, "$.with"),
        ({"note": "x" * 10_001}, "$.note"),
    ],
)
def test_wrong_types_are_found_where_they_are(changed: dict[str, Any], place: str):
    item = {
        "kind": "meeting",
        "occurred_at": "2026-05-06T12:00:00Z",
        "channel": "cafe",
        "direction": "mutual",
        "with": [{"email": "ana@example.com"}],
    }
    with pytest.raises(msgspec.ValidationError, match=rf"`{place.replace('$', '[$]').replace('[0]', '.0.')}`"):
        msgspec.json.decode(msgspec.json.encode(item | changed), type=RecordTouchpoint)


def test_times_are_kept_whatever_their_offset():
    local = told(occurred_at=datetime(2026, 5, 6, 14, 0, tzinfo=timezone(timedelta(hours=2))))
    assert touchpoints.check(local, now=NOW).occurred_at == NOW


def test_ids_of_people_are_uuids():
    assert msgspec.json.decode(b'{"contact_id":"01990000-0000-7000-8000-00000000000a"}', type=Reference) == Reference(
        contact_id=UUID("01990000-0000-7000-8000-00000000000a")
    )
