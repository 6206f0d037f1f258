"""The worked example of the strength model: one contact, from a handshake to a referral that became business."""

from uuid import UUID

from msgspec import Struct

from domain.touches import Touch

FIRST_DAY = 19_723  # 2024-01-01


class Extra(Struct, frozen=True):
    """What a row says beyond who, where and when."""

    act: str | None = None


# Days since the first meeting, kind, direction, channel, and what else is known.
HISTORY: list[tuple[int, str, str, str, Extra]] = [
    (0, "handshake", "mutual", "chamber", Extra()),
    (2, "direct_message", "out", "linkedin", Extra()),
    (2, "direct_message", "in", "linkedin", Extra()),
    (9, "comment", "out", "twitter", Extra()),
    (9, "like", "in", "twitter", Extra()),
    (20, "call", "mutual", "phone", Extra()),
    (41, "meeting", "mutual", "cafe", Extra()),
    (55, "email", "out", "email", Extra()),
    (56, "email", "in", "email", Extra()),
    (70, "help", "out", "email", Extra(act="give")),
    (83, "meeting", "mutual", "cafe", Extra()),
    (97, "referral", "in", "email", Extra()),
    (98, "email", "out", "email", Extra(act="thank")),
    (121, "meeting", "mutual", "cafe", Extra()),
    (130, "referral_converted", "in", "email", Extra()),
]


def touches(*, until: int | None = None, first_day: int = FIRST_DAY) -> list[Touch]:
    """The history as touches, up to and with `until` days after the first meeting."""
    return [
        Touch(UUID(int=number), first_day + offset, kind, direction, context, act=extra.act)
        for number, (offset, kind, direction, context, extra) in enumerate(HISTORY)
        if until is None or offset <= until
    ]
