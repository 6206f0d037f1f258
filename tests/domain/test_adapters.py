"""What the messages of each sender become: their shapes as the senders document them."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import adapters
from domain.adapters import ADAPTERS, Name
from domain.adapters.outcomes import CallBack, Challenge, Commands, Message, NotCome, Nothing, Unmapped
from domain.appointments import PlanAppointment
from domain.touchpoints import RecordTouchpoint

NOW = datetime(2026, 5, 6, 8, 15, tzinfo=UTC)


def read(adapter: Name, payload: object, **more: Any) -> Any:
    return adapters.read(adapter, Message(payload, NOW, **more))


def one(outcome: object) -> dict[str, Any]:
    """The one command, as the API would take it."""
    assert isinstance(outcome, Commands), outcome
    [command] = outcome.commands
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(command))
    return found


def calendly(event: str, **more: Any) -> dict[str, Any]:
    payload = {
        "uri": "https://api.calendly.com/scheduled_events/E1/invitees/I1",
        "email": "ana@example.com",
        "name": "Ana Bakes",
        "status": "active",
        "rescheduled": False,
        "tracking": {"utm_source": None},
        "questions_and_answers": [{"question": "What about?", "answer": "flour", "position": 0}],
        "scheduled_event": {
            "uri": "https://api.calendly.com/scheduled_events/E1",
            "name": "A coffee",
            "start_time": "2026-05-20T10:00:00.000000Z",
            "end_time": "2026-05-20T10:30:00.000000Z",
            "location": {"type": "physical", "location": "Main Street 1"},
            "event_guests": [{"email": "ben@example.com"}, {"email": "ana@example.com"}],
            "event_memberships": [{"user": "https://api.calendly.com/users/U1"}],
        },
    }
    return {"event": event, "created_at": "2026-05-06T08:00:00.000000Z", "payload": payload | more}


def test_a_booking_is_planned_where_it_takes_place():
    plan = one(read("calendly", calendly("invitee.created")))
    assert plan == {
        "starts_at": "2026-05-20T10:00:00Z",
        "ends_at": "2026-05-20T10:30:00Z",
        "channel": "meeting",
        "kind": "meeting",
        "with": [{"email": "ana@example.com", "name": "Ana Bakes"}, {"email": "ben@example.com"}],
        "note": "A coffee",
        "source_id": "https://api.calendly.com/scheduled_events/E1/invitees/I1",
        "sequence": 0,
    }


@pytest.mark.parametrize(
    ("place", "channel", "kind"),
    [
        ("zoom", "zoom", "video_call"),
        ("google_conference", "google-meet-video", "video_call"),
        ("inbound_call", "phone", "call"),
        ("ask_invitee", "calendly", "video_call"),
    ],
)
def test_the_place_of_a_booking_tells_physical_from_virtual(place: str, channel: str, kind: str):
    payload = calendly("invitee.created")
    payload["payload"]["scheduled_event"]["location"] = {"type": place, "join_url": "https://example.com/x"}
    plan = one(read("calendly", payload))
    assert (plan["channel"], plan["kind"]) == (channel, kind)


def test_a_reschedule_calls_one_off_and_plans_another():
    old, new = "https://api.calendly.com/invitees/OLD", "https://api.calendly.com/invitees/NEW"
    told = read("calendly", calendly("invitee.canceled", uri=old, rescheduled=True, new_invitee=new))
    assert isinstance(told, Commands)
    before, off = (msgspec.to_builtins(command) for command in told.commands)
    on = one(read("calendly", calendly("invitee.created", uri=new, old_invitee=old)))
    assert (before["source_id"], before.get("cancelled"), before["sequence"]) == (old, None, 0)
    assert (off["source_id"], off["cancelled"], off["sequence"]) == (old, True, 1)
    assert (on["source_id"], on.get("cancelled")) == (new, None)


def test_a_no_show_is_a_missed_appointment_and_taken_back_it_waits():
    told = calendly("invitee_no_show.created", no_show={"uri": "x", "created_at": "2026-05-20T11:00:00Z"})
    assert read("calendly", told) == Commands((NotCome(told["payload"]["uri"]),))
    assert isinstance(read("calendly", calendly("invitee_no_show.deleted")), Unmapped)
    assert isinstance(read("calendly", {"event": "routing_form_submission.created", "payload": {}}), Nothing)


CHECKED_IN = {
    "api_url": "https://www.eventbriteapi.com/v3/events/1/attendees/7/",
    "config": {"action": "attendee.checked_in", "endpoint_url": "https://x", "user_id": "1", "webhook_id": "2"},
}
ATTENDEE = {
    "id": "7", "event_id": "1", "order_id": "3", "checked_in": True, "cancelled": False, "refunded": False,
    "status": "Checked In", "ticket_class_name": "Free", "answers": [], "created": "2026-05-01T00:00:00Z",
    "changed": "2026-05-06T08:00:00Z",
    "profile": {"first_name": "Ana", "last_name": "Bakes", "email": "ana@example.com"},
    "event": {"online_event": False, "start": {"utc": "2026-05-06T07:30:00Z", "timezone": "Europe/Berlin"}},
}  # fmt: skip


def test_eventbrite_is_asked_and_who_was_checked_in_was_there():
    asked = read("eventbrite", CHECKED_IN, settings={"token": "t"})
    assert asked == CallBack("https://www.eventbriteapi.com/v3/events/1/attendees/7/?expand=event")
    attendance = one(read("eventbrite", CHECKED_IN, answered=ATTENDEE))
    assert attendance == {
        "kind": "attendance", "occurred_at": "2026-05-06T07:30:00Z", "channel": "event", "direction": "mutual",
        "with": [{"email": "ana@example.com", "name": "Ana Bakes"}], "source_id": "attendee/7",
    }  # fmt: skip
    online = ATTENDEE | {"event": {"online_event": True}}
    assert one(read("eventbrite", CHECKED_IN, answered=online))["channel"] == "eventbrite"


@pytest.mark.parametrize("change", [{"checked_in": False}, {"cancelled": True}, {"refunded": True}])
def test_an_attendee_who_was_not_there_is_nothing(change: dict[str, bool]):
    assert isinstance(read("eventbrite", CHECKED_IN, answered=ATTENDEE | change), Nothing)


def test_an_order_is_no_attendance_and_eventbrite_is_asked_at_its_own_address_only():
    order = CHECKED_IN | {"config": {"action": "order.placed"}}
    assert isinstance(read("eventbrite", order), Nothing)
    for url in ("https://evil.example/v3/x", "https://www.eventbriteapi.com.evil.example/v3/", "http://127.0.0.1/v3/"):
        assert isinstance(read("eventbrite", CHECKED_IN | {"api_url": url}), Unmapped)


def luma(**more: Any) -> dict[str, Any]:
    guest = {"id": "gst-1", "user_id": "usr-1", "user_email": "ana@example.com", "user_name": "Ana Bakes"}
    return {"type": "guest.updated", "data": guest | {"approval_status": "approved", "check_in_qr_code": "x"} | more}


def test_luma_counts_who_was_checked_in_and_no_registration():
    assert isinstance(read("luma", luma()), Nothing)
    event = {"start_at": "2026-05-06T07:00:00.000Z", "location_type": "offline"}
    attendance = one(read("luma", luma(checked_in_at="2026-05-06T07:10:00.000Z", event=event)))
    assert (attendance["kind"], attendance["channel"], attendance["source_id"]) == (
        "attendance",
        "event",
        "guest/gst-1",
    )
    assert attendance["occurred_at"] == "2026-05-06T07:00:00Z"
    virtual = luma(checked_in_at="2026-05-06T07:10:00.000Z", event={"location_type": "zoom"})
    assert one(read("luma", virtual))["channel"] == "luma"
    assert isinstance(read("luma", luma(checked_in_at="2026-05-06T07:10:00Z", user_email=None)), Unmapped)


def hubspot(kind: str, attempt: int = 0) -> dict[str, Any]:
    return {
        "eventId": 100, "subscriptionId": 5, "portalId": 62515, "appId": 54321, "occurredAt": 1564113600000,
        "subscriptionType": kind, "attemptNumber": attempt, "objectId": 123, "changeSource": "CRM", "sourceId": "x",
    }  # fmt: skip


def test_a_privacy_deletion_of_hubspot_waits_and_changed_records_are_nothing():
    waits = read("hubspot", [hubspot("contact.creation"), hubspot("contact.privacyDeletion")])
    assert isinstance(waits, Unmapped)
    assert "123" in waits.reason
    assert isinstance(read("hubspot", [hubspot("contact.propertyChange"), hubspot("contact.merge")]), Nothing)
    first, second = ([hubspot("contact.merge", attempt)] for attempt in (0, 1))
    assert adapters.same("hubspot", first, b"a") == adapters.same("hubspot", second, b"b")


def mailchimp(kind: str, **more: str) -> dict[str, str]:
    form = {"type": kind, "fired_at": "2026-03-26 21:35:57", "data[id]": "8a25", "data[email]": "ana@example.com"}
    return form | {"data[merges][FNAME]": "Ana", "data[merges][LNAME]": "Bakes"} | more


def test_who_subscribes_follows_and_who_unsubscribes_does_nothing_together_with_us():
    follow = one(read("mailchimp", mailchimp("subscribe")))
    assert (follow["kind"], follow["channel"], follow["direction"]) == ("follow", "newsletter", "in")
    assert (follow["with"], follow["occurred_at"]) == (
        [{"email": "ana@example.com", "name": "Ana Bakes"}], "2026-03-26T21:35:57Z",
    )  # fmt: skip
    assert isinstance(read("mailchimp", mailchimp("unsubscribe")), Nothing)
    assert one(read("mailchimp", mailchimp("campaign", **{"data[status]": "sent"})))["kind"] == "post"
    assert isinstance(read("mailchimp", mailchimp("subscribe", fired_at="yesterday")), Unmapped)


def notification(kind: str, **more: Any) -> dict[str, Any]:
    account = {"id": "1", "acct": "ana@other.example", "url": "https://other.example/@ana", "display_name": "Ana"}
    told = {"id": "34975861", "type": kind, "created_at": "2026-05-06T08:00:00.000Z", "account": account}
    return told | {"status": {"id": "9", "content": "<p>hello</p>", "visibility": "public"}} | more


def test_what_comes_from_mastodon_comes_from_them():
    mention = one(read("mastodon", notification("mention")))
    assert (mention["kind"], mention["direction"], mention["channel"]) == ("mention", "in", "mastodon")
    assert mention["with"] == [{"platform": "mastodon", "handle": "ana@other.example", "name": "Ana"}]
    assert "note" not in mention
    direct = notification("mention", status={"visibility": "direct"})
    assert one(read("mastodon", direct))["kind"] == "direct_message"
    assert one(read("mastodon", notification("favourite")))["kind"] == "like"
    ours = notification("follow", account={"acct": "ben", "url": "https://our.example/@ben"})
    assert one(read("mastodon", ours))["with"][0]["handle"] == "ben@our.example"
    assert isinstance(read("mastodon", notification("poll")), Nothing)


def test_an_activity_counts_where_it_mentions_us():
    activity = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": "https://other.example/users/ana/1", "type": "Create",
        "actor": "https://other.example/users/ana", "published": "2026-05-06T08:00:00Z",
        "object": {"type": "Note", "content": "hi", "tag": [{"type": "Mention", "name": "@us@our.example"}]},
    }  # fmt: skip
    mention = one(read("mastodon", activity, settings={"account": "@Us@our.example"}))
    assert mention["with"] == [{"platform": "mastodon", "handle": "ana@other.example"}]
    assert isinstance(read("mastodon", activity, settings={"account": "@them@our.example"}), Nothing)


def slack(**event: Any) -> dict[str, Any]:
    told = {"type": "app_mention", "user": "U061F7AUR", "text": "hi", "ts": "1778054100.000100", "channel": "C1"}
    return {
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": 1778054100,
        "team_id": "T1",
        "event": told | event,
    }


def test_slack_tells_of_mentions_and_direct_messages_by_people():
    mention = one(read("slack", slack()))
    assert (mention["kind"], mention["occurred_at"]) == ("mention", "2026-05-06T07:55:00Z")
    assert mention["with"] == [{"platform": "slack", "handle": "U061F7AUR"}]
    assert one(read("slack", slack(type="message", channel_type="im")))["kind"] == "direct_message"
    for nothing in ({"bot_id": "B1"}, {"subtype": "message_changed"}, {"type": "message", "channel_type": "channel"}):
        assert isinstance(read("slack", slack(**nothing)), Nothing)
    assert read("slack", {"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}) == Challenge("3eZbrw1a")


TOUCHPOINT = {"kind": "meeting", "occurred_at": "2026-05-06T08:15:00Z", "channel": "cafe", "direction": "mutual",
              "with": [{"email": "ana@example.com"}]}  # fmt: skip


def test_a_plain_one_is_a_touchpoint_or_a_list_and_says_what_is_wrong_with_which():
    assert one(read("plain", TOUCHPOINT)) == TOUCHPOINT
    assert len(read("plain", [TOUCHPOINT, TOUCHPOINT | {"kind": "call"}]).commands) == 2
    assert read("plain", [TOUCHPOINT, TOUCHPOINT | {"kind": "dance"}]).reason.startswith("[1].kind: this takes one of")
    assert read("plain", {"kind": "meeting"}).reason == "occurred_at: this field is required"
    assert isinstance(read("plain", [TOUCHPOINT] * 201), Unmapped)
    assert isinstance(read("plain", 5), Unmapped)


def test_a_generic_one_is_what_its_mapping_makes_of_it():
    mapping = "{kind: 'purchase', channel: 'shop', direction: 'in', with: [{email: buyer, name: name}]}"
    bought = one(read("generic", {"buyer": "ana@example.com", "name": None}, mapping=mapping))
    assert bought == {
        "kind": "purchase", "occurred_at": "2026-05-06T08:15:00Z", "channel": "shop", "direction": "in",
        "with": [{"email": "ana@example.com"}],
    }  # fmt: skip
    assert read("generic", {"buyer": 5}, mapping=mapping) == Unmapped(
        "with[0].email: this takes text or null, not a whole number"
    )
    assert isinstance(read("generic", {}, mapping="nothing"), Nothing)
    assert isinstance(read("generic", {}), Unmapped)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KNOWN: list[tuple[Name, Any]] = [
    ("calendly", calendly("invitee.created")), ("calendly", calendly("invitee_no_show.created")),
    ("eventbrite", CHECKED_IN), ("luma", luma(checked_in_at="2026-05-06T07:10:00Z")),
    ("hubspot", [hubspot("contact.merge")]), ("mailchimp", mailchimp("subscribe")),
    ("mastodon", notification("mention")), ("slack", slack()), ("plain", TOUCHPOINT), ("generic", TOUCHPOINT),
]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, inner in inside for place in places(inner, (*at, key)))]


def spoilt(value: Any, at: tuple[Any, ...], by: object) -> Any:
    if not at:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = spoilt(value[at[0]], at[1:], by)
    return copy


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_whatever_stands_in_a_message_has_an_answer(data: st.DataObject):
    adapter, payload = data.draw(st.sampled_from(KNOWN))
    payload = spoilt(payload, data.draw(st.sampled_from(places(payload))), data.draw(ANYTHING))
    answered = data.draw(st.none() | ANYTHING | st.just(ATTENDEE))
    outcome = adapters.read(adapter, Message(payload, NOW, mapping="@", answered=answered))
    assert isinstance(outcome, Commands | Nothing | Unmapped | CallBack | Challenge)
    if isinstance(outcome, Commands):
        assert all(isinstance(one, RecordTouchpoint | PlanAppointment | NotCome) for one in outcome.commands)


def test_every_adapter_is_tried():
    assert {name for name, _ in KNOWN} == ADAPTERS.keys()
