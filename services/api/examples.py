"""A body for each operation that takes one, by the operation's id: shown in the OpenAPI document, sent by tests."""

import msgspec

from domain import model

MODEL = msgspec.json.decode(msgspec.json.encode(model.STANDARD))
MEETING = {
    "kind": "handshake",
    "occurred_at": "2026-05-06T08:15:00+02:00",
    "channel": "chamber",
    "direction": "mutual",
    "with": [{"email": "ana@example.com", "name": "Ana Bakes"}],
    "note": "met at the breakfast, she looks for a supplier of flour",
    "source": "notebook",
    "source_id": "2026-05-06/1",
}
MESSAGE = {
    "kind": "direct_message",
    "occurred_at": "2026-05-07T10:00:00Z",
    "channel": "linkedin",
    "direction": "in",
    "with": [{"platform": "linkedin", "handle": "ana-bakes"}],
}
POST = {
    "kind": "post",
    "occurred_at": "2026-05-08T09:00:00Z",
    "channel": "newsletter",
    "direction": "out",
    "act": "give",
    "audience": 240,
    "topics": ["sourdough"],
}

# Contacts: the tests put in ids of their own.
ANA = "01990000-0000-7000-8000-00000000000a"
OTHER_ANA = "01990000-0000-7000-8000-00000000000b"
MERGED_ANA = "01990000-0000-7000-8000-00000000000c"

BODIES: dict[str, object] = {
    "record_touchpoints": MEETING,
    "strike_touchpoint": {"why": "it was another Ana"},
    "add_contact": {
        "name": "Ana Bakes",
        "identities": [{"platform": "email", "handle": "ana@example.org"}],
        "locality": "Portland",
        "relation": "supplier",
        "interests": [{"topic": "sourdough", "learned_at": "chamber", "in_confidence": False}],
        "stated": {"known_since": "2019-04-01", "how_often": "monthly", "how_close": "familiar", "by": "the owner"},
    },
    "change_contact": {"relation": "partner", "within_reach": "yes"},
    "merge_contacts": {"contact_ids": [OTHER_ANA]},
    "merge_pairs": {"pairs": [{"contact_id": ANA, "merged_id": OTHER_ANA}]},
    "unmerge_contact": {"contact_id": MERGED_ANA},
    "tell_apart": {"contact_ids": [ANA, OTHER_ANA]},
    "describe_channel": {
        "slug": "chamber",
        "name": "Chamber of Commerce",
        "realm": "physical",
        "role": "outpost",
        "access": "members",
        "topics": ["trade"],
    },
    "make_referral": {
        "direction": "received",
        "referrer": {"email": "ana@example.com", "name": "Ana Bakes"},
        "prospect": {"name": "Ben Miller", "hint": "runs the mill cafe"},
        "by_way_of": "chamber",
        "heat": 4,
        "occurred_at": "2026-05-09T09:00:00Z",
        "note": "he looks for bread every day",
        "source": "notebook",
        "source_id": "2026-05-09/1",
    },
    "tell_outcome": {
        "outcome": "won",
        "occurred_at": "2026-05-20T12:00:00Z",
        "value": "1250.00",
        "currency": "USD",
    },
    "make_introduction": {
        "people": [{"email": "ana@example.com"}, {"email": "eve@example.com", "name": "Eve"}],
        "channel": "email",
        "occurred_at": "2026-05-10T09:00:00Z",
        "note": "both look for a stall at the market",
    },
    "note_tie": {"between": [{"email": "ana@example.com"}, {"name": "Joe Rivers"}]},
    "plan_appointment": {
        "starts_at": "2026-05-20T10:00:00+02:00",
        "ends_at": "2026-05-20T11:00:00+02:00",
        "channel": "cafe",
        "with": [{"email": "ana@example.com", "name": "Ana Bakes"}],
        "note": "the flour for summer",
        "source": "calendar",
        "source_id": "20260520-ana",
    },
    "move_appointment": {"starts_at": "2026-05-21T10:00:00+02:00", "channel": "zoom", "kind": "video_call"},
    "tell_happened": {"minutes": 50, "note": "she sends a sample"},
    "tell_missed": {"by": "them", "why": "her train stood still"},
    "cancel_appointment": {"by": "them", "why": "she is ill"},
    "plan_gathering": {
        "title": "Friday patio",
        "channel": "patio",
        "starts_at": "2026-05-08T17:00:00-07:00",
        "minutes": 120,
        "time_zone": "America/Los_Angeles",
        "place": "behind the bakery",
        "about": "Coffee, and whoever comes.",
        "cost": "15.00",
        "currency": "USD",
    },
    "change_gathering": {"occurrence": "2026-05-15", "place": "inside: it rains"},
    "cancel_gathering": {"occurrence": "2026-05-22", "why": "we are at the fair"},
    "change_gathering_link": {"act": "open"},
    "note_attendance": {
        "occurrence": "2026-05-08",
        "people": [
            {"who": {"email": "ana@example.com", "name": "Ana Bakes"}, "met": True},
            {"who": {"name": "Ben Miller", "hint": "runs the mill cafe"}},
        ],
    },
    "mute_nudges": {"kind": "keep_the_rhythm", "until": "2027-01-01T00:00:00Z"},
    "change_nudge_policy": {
        "a_day": 2,
        "quiet_hours": {"from": "18:00", "until": "09:00"},
        "opening_days": ["tuesday", "wednesday", "thursday", "friday", "saturday"],
        "away": [{"from": "2026-08-03", "until": "2026-08-14"}],
        "kinds": {"meet_in_person": {"rest_days": 90}, "keep_the_rhythm": {"on": False}},
    },
    "change_model": MODEL,
    "preview_model": MODEL,
    "accept_nudge": {"within_reach": "yes"},
    "snooze_nudge": {"until": "2026-06-01T07:00:00Z"},
    "dismiss_nudge": {"reason": "she moved to another town"},
    "finish_nudge": {"kind": "meeting", "channel": "cafe", "minutes": 45, "note": "she likes the idea"},
    "add_webhook_endpoint": {
        "url": "https://example.com/hooks/rapport",
        "types": ["referral.*", "nudge.suggested"],
        "body": "thin",
        "ordered": False,
        "at_once": 8,
        "headers": {"Authorization": "Bearer of-your-own"},
        "description": "our shop system",
    },
    "change_webhook_endpoint": {"state": "paused"},
    "rotate_webhook_secret": {"overlap_hours": 24},
    "test_webhook_endpoint": {"type": "referral.won"},
    "replay_webhooks": {"after_position": 0},
    "bring_import": "kind,when,who,where\nmeeting,2026-05-06,Ana Bakes <ana@mill.example>,cafe\n",
    "say_own_identities": {"own": [{"platform": "email", "handle": "shop@bakery.example"}]},
    "start_import": {"unsure": "wait"},
    "add_webhook_source": {
        "name": "our shop",
        "adapter": "generic",
        "scheme": "standard",
        "mapping": "{kind: 'purchase', occurred_at: time(at), channel: 'shop', direction: 'in', with: [{email: who}]}",
    },
    "change_webhook_source": {"name": "our old shop"},
    "rotate_webhook_source": {"what": "address"},
    "try_webhook_source": {"payload": {"at": 1778054100, "who": "ana@example.com"}},
}
