"""A body for each operation that takes one, by the operation's id: shown in the OpenAPI document, sent by tests."""

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
    "describe_channel": {
        "slug": "chamber",
        "name": "Chamber of Commerce",
        "realm": "physical",
        "role": "outpost",
        "access": "members",
        "topics": ["trade"],
    },
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
    "replay_webhooks": {"after_position": 0},
}
