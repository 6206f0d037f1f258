"""`rapport webhooks`: what its receiver says of what comes in."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from infra.commands.webhooks import new_secret
from services.webhooks import shown_type, verified

CONTENT = b'{"type":"referral.won"}'


def signed(secret: str, *, at: datetime | None = None, content: bytes = CONTENT) -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "Webhook-Id": "one",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("one", at, content.decode()),
    }


def test_a_webhook_signed_with_one_of_the_secrets_is_verified():
    old, new = new_secret(), new_secret()
    assert verified(CONTENT, signed(new), [old, new]) == "signature ok, one"


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (signed(new_secret()), CONTENT),
        ({}, CONTENT),
        ({"Webhook-Id": "one", "Webhook-Timestamp": "x", "Webhook-Signature": "v1"}, CONTENT),
    ],
)
def test_what_is_not_signed_so_is_refused_in_words(headers: dict[str, str], content: bytes):
    assert verified(content, headers, [new_secret()]).startswith("REFUSED: ")


def test_a_changed_body_and_an_old_timestamp_are_refused():
    secret = new_secret()
    assert verified(CONTENT + b" ", signed(secret), [secret]).startswith("REFUSED")
    old = signed(secret, at=datetime.now(UTC) - timedelta(minutes=6))
    assert verified(CONTENT, old, [secret]) == "REFUSED: Message timestamp too old"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}"])
def test_what_is_no_webhook_is_called_so(content: bytes):
    assert shown_type(content) == "not a webhook of ours"
