"""Deliveries: what becomes of one webhook as it is sent, refused, sent again. Pure: time and chance are arguments.

A delivery waits, is sent under a lease, and is delivered, or waits again, or is exhausted. An endpoint that fails too
often has its breaker opened: then nothing is burnt, one probe goes out now and then. One that only fails for days is
disabled.
"""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

State = Literal["waiting", "sending", "delivered", "exhausted", "cancelled"]
OPEN: frozenset[State] = frozenset({"waiting", "sending"})

ATTEMPT = timedelta(seconds=15)
LEASE = ATTEMPT + timedelta(seconds=15)
SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)  # fmt: skip
JITTER = 0.2
LONGEST_RETRY_AFTER = timedelta(hours=1)
AFTER_OUR_FAULT = timedelta(seconds=30)

BREAKER_WINDOW = timedelta(minutes=5)
BREAKER_LEAST = 10
BREAKER_SHARE = 0.7
FIRST_PROBE = timedelta(seconds=30)
LAST_PROBE = timedelta(minutes=10)
MOST_REMEMBERED = 100

DISABLED_AFTER = timedelta(days=5)
LEAST_FAILURES = 20

Failure = Literal[
    "timeout", "connection_refused", "connection_lost", "tls", "no_such_host", "not_allowed", "bad_answer", "resolver",
    "worker_lost",
]  # fmt: skip
OURS: frozenset[Failure] = frozenset({"resolver"})
PLAIN: dict[Failure, str] = {
    "timeout": "it did not answer within 15 seconds",
    "connection_refused": "nothing accepts connections at this address",
    "connection_lost": "the connection broke before the answer was complete",
    "tls": "its certificate or its encryption is not in order",
    "no_such_host": "there is no host of this name",
    "not_allowed": "the name leads to an address that is not in the public internet",
    "bad_answer": "what it answered is not HTTP",
    "resolver": "we could not look up the name: our own fault, this attempt does not count",
    "worker_lost": "our worker was lost before it knew the answer: it may have arrived",
}


class Answer(Struct, frozen=True):
    """What an attempt came to: a status, or why there is none. `retry_after` is the header as it came."""

    status: int | None = None
    failure: Failure | None = None
    retry_after: str | None = None

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == 410

    @property
    def ours(self) -> bool:
        return self.failure in OURS

    def words(self) -> str:
        """In plain words, for the log people read."""
        if self.failure is not None:
            return PLAIN[self.failure]
        if self.good:
            return "delivered"
        if self.gone:
            return "it answered 410: it wants no more webhooks, and was disabled"
        if self.status is not None and 300 <= self.status < 400:
            return f"it answered {self.status}: a redirect, which is not followed"
        return f"it answered {self.status}"


class Delivery(Struct, frozen=True):
    """One event on its way to one endpoint. `attempts` are those that count; `lease` tells whose result is taken."""

    state: State
    attempts: int
    due_at: datetime
    lease: UUID | None = None
    lease_until: datetime | None = None


def take(delivery: Delivery, *, lease: UUID, now: datetime) -> Delivery:
    """Taken for sending. A lease that ran out was an attempt whose end nobody knows: it counts, and may be the last."""
    attempts = delivery.attempts + (delivery.state == "sending")
    if attempts > len(SCHEDULE):
        return Delivery("exhausted", attempts, delivery.due_at)
    return Delivery("sending", attempts, delivery.due_at, lease, now + LEASE)


def may_be_taken(delivery: Delivery, *, now: datetime) -> bool:
    if delivery.state == "waiting":
        return delivery.due_at <= now
    return delivery.state == "sending" and delivery.lease_until is not None and delivery.lease_until <= now


def after(delivery: Delivery, answer: Answer, *, now: datetime, chance: float) -> Delivery:
    """What follows from an answer. `chance` in 0..1 spreads the next attempt by up to 20 % either way."""
    if answer.ours:
        return Delivery("waiting", delivery.attempts, now + AFTER_OUR_FAULT)
    attempts = delivery.attempts + 1
    if answer.good:
        return Delivery("delivered", attempts, delivery.due_at)
    if attempts > len(SCHEDULE):
        return Delivery("exhausted", attempts, delivery.due_at)
    return Delivery("waiting", attempts, now + pause(attempts, answer, now=now, chance=chance))


def pause(attempts: int, answer: Answer, *, now: datetime, chance: float) -> timedelta:
    """How long to wait after so many attempts; what the receiver asks for is obeyed within bounds."""
    planned = SCHEDULE[attempts - 1]
    base = planned * (1 - JITTER + 2 * JITTER * chance)
    asked = _asked(answer, now)
    if asked is None:
        return base
    return max(base, min(asked, max(2 * planned, LONGEST_RETRY_AFTER)))


def _asked(answer: Answer, now: datetime) -> timedelta | None:
    """What Retry-After says with 429 or 503, in seconds or as a date of RFC 9110; nothing for nonsense."""
    said = (answer.retry_after or "").strip()
    if answer.status not in (429, 503) or not said:
        return None
    if said.isascii() and said.isdigit():
        return timedelta(seconds=min(int(said[:10]), 10**9))
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return None if at.tzinfo is None else max(at - now, timedelta(0))


class Breaker(Struct, frozen=True, omit_defaults=True):
    """`recent` are the last outcomes with their times. Open while `probe_at` is set: then one probe at that time."""

    recent: tuple[tuple[datetime, bool], ...] = ()
    probe_at: datetime | None = None
    opened: int = 0


def breaker_after(breaker: Breaker, answer: Answer, *, now: datetime) -> Breaker:
    """Opens at 70 % failures of at least 10 within 5 minutes; a good answer closes it; each failed probe doubles the
    pause, from 30 s to 10 min. Our own faults say nothing."""
    if answer.ours:
        return breaker
    if breaker.probe_at is not None:
        if answer.good:
            return Breaker(recent=((now, True),))
        return replace(breaker, probe_at=now + _probe_pause(breaker.opened), opened=breaker.opened + 1)
    recent = (*(one for one in breaker.recent if now - one[0] < BREAKER_WINDOW), (now, answer.good))[-MOST_REMEMBERED:]
    failed = sum(not good for _, good in recent)
    if not answer.good and len(recent) >= BREAKER_LEAST and failed >= BREAKER_SHARE * len(recent):
        return Breaker(recent=recent, probe_at=now + _probe_pause(0), opened=1)
    return Breaker(recent=recent)


def _probe_pause(opened: int) -> timedelta:
    return min(FIRST_PROBE * (1 << min(opened, 10)), LAST_PROBE)


class Health(Struct, frozen=True, omit_defaults=True):
    """Of an endpoint since its last success: when it began to fail, how often, and whether that was said."""

    failing_since: datetime | None = None
    failures: int = 0
    warned: bool = False


Verdict = Literal["fine", "warn", "disable"]


def health_after(health: Health, answer: Answer, *, now: datetime) -> tuple[Health, Verdict]:
    """Disabled after five days of only failures, at least 20 of them; warned of half way there."""
    if answer.ours:
        return health, "fine"
    if answer.good:
        return Health(), "fine"
    since = health.failing_since or now
    failing = Health(since, health.failures + 1, health.warned)
    if answer.gone:
        return failing, "disable"
    span = now - since
    if span >= DISABLED_AFTER and failing.failures >= LEAST_FAILURES:
        return failing, "disable"
    if span >= DISABLED_AFTER / 2 and failing.failures >= LEAST_FAILURES / 2 and not failing.warned:
        return replace(failing, warned=True), "warn"
    return failing, "fine"
