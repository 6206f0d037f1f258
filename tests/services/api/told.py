"""Touchpoints as callers tell them, for the tests of the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

NOBODY = "00000000-0000-7000-8000-000000000000"


def ago(days: float) -> str:
    """An instant so many days before now."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def touchpoint(*people: str, **more: Any) -> dict[str, Any]:
    """An e-mail to these addresses, or what else is said of it; `people` may stand as `with` too."""
    told = {
        "kind": "email",
        "occurred_at": "2026-05-06T08:15:00Z",
        "channel": "email",
        "direction": "out",
        "with": [{"email": address} for address in people or ("ana@example.com",)],
    }
    return told | more


def friendship(address: str, *, name: str | None = None) -> list[dict[str, Any]]:
    """Two months of talk online, both ways, up to today: enough for a nudge to meet."""
    who = {"email": address} | ({"name": name} if name else {})
    return [
        touchpoint(occurred_at=ago(day), direction=("in", "out")[day % 2], **{"with": [who]}) for day in range(1, 60, 3)
    ]
