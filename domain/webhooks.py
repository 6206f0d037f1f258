"""Webhooks out: the endpoints of a tenant, what each is told, and in what form."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.addresses import check_url
from domain.errors import Invalid
from domain.event import Event

State = Literal["active", "paused", "disabled"]
Body = Literal["thin", "full"]

MOST_ENDPOINTS = 50
MOST_HEADERS = 20
AT_ONCE = 16
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)
TEST = "webhook.test"
REPLAY_SPAN = timedelta(days=30)

_RESERVED = frozenset(
    ("host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer", "upgrade", "expect",
     "keep-alive", "proxy-authorization", "proxy-connection", "user-agent", "accept-encoding", "cookie")
)  # fmt: skip

Pattern = Annotated[str, Meta(min_length=1, max_length=80, examples=["referral.*"])]
Url = Annotated[str, Meta(min_length=1, max_length=2_000, examples=["https://example.com/hooks/rapport"])]
Headers = Annotated[dict[str, str], Meta(max_length=MOST_HEADERS)]
Description = Annotated[str, Meta(max_length=200)]
AtOnce = Annotated[int, Meta(ge=1, le=AT_ONCE)]


class AddEndpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send what. `types` are event types, `*` for all, `referral.*` for a family. A `thin` body holds ids and
    plain facts; a `full` one also the names and notes of the event. `ordered` sends one at a time, in the log's order:
    nothing goes out before what came first was delivered or given up. `at_once` bounds how many are under way."""

    url: Url
    types: Annotated[tuple[Pattern, ...], Meta(min_length=1, max_length=50)] = ("*",)
    body: Body = "thin"
    ordered: bool = False
    at_once: AtOnce = 8
    headers: Headers = {}
    description: Description = ""


class ChangeEndpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays. `state` pauses, resumes, and enables again what was disabled."""

    url: Url | UnsetType = UNSET
    types: Annotated[tuple[Pattern, ...], Meta(min_length=1, max_length=50)] | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    at_once: AtOnce | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    state: Literal["active", "paused"] | UnsetType = UNSET


class RotateSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """The old secret signs too for so many hours: 24 where nothing is said, 0 to end it at once, at most 168."""

    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class TryEndpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Send a test, marked as one: `webhook.test`, or an example of an event type."""

    type: Annotated[str, Meta(min_length=1, max_length=80)] = TEST


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Send again, exactly one way: from behind a position of the log (0: from its beginning), a time span, or all that
    failed since a time. `types` narrows it to some of the endpoint's."""

    after_position: Annotated[int, Meta(ge=0)] | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None
    failed_since: Annotated[datetime, Meta(tz=True)] | None = None
    types: Annotated[tuple[Pattern, ...], Meta(max_length=50)] = ()


class _OfEndpoint(Event, frozen=True, kw_only=True):
    endpoint_id: UUID

    @property
    def stream(self) -> str:
        return f"webhook_endpoint-{self.endpoint_id}"


class EndpointWarned(_OfEndpoint, frozen=True, kw_only=True):
    """Only failures for half of the time after which it is disabled."""

    TYPE: ClassVar[str] = "webhook_endpoint.warned"
    failing_since: datetime
    failures: int


class EndpointDisabled(_OfEndpoint, frozen=True, kw_only=True):
    """Nothing is sent to it any more until somebody enables it. What is due then waits."""

    TYPE: ClassVar[str] = "webhook_endpoint.disabled"
    reason: Literal["gone", "only_failures"]


def check(command: AddEndpoint | ChangeEndpoint, *, known_types: Iterable[str], loopback: bool) -> None:
    """Raises Invalid with the field."""
    if command.url is not UNSET:
        check_url(command.url, loopback=loopback)
    if command.types is not UNSET:
        check_types(command.types, known_types=known_types)
    if command.headers is not UNSET:
        _check_headers(command.headers)


def check_types(patterns: Iterable[str], *, known_types: Iterable[str]) -> None:
    known = set(known_types)
    for n, pattern in enumerate(patterns):
        if not any(matches((pattern,), one) for one in known):
            raise Invalid(f"there is no event type {pattern}", field=f"types[{n}]")


def check_type(event_type: str, *, known_types: Iterable[str]) -> None:
    if event_type not in known_types:
        raise Invalid(f"there is no event type {event_type}", field="type")


def matches(patterns: Iterable[str], event_type: str) -> bool:
    """Whether a type is among these: by its name, by its family (`referral.*`), or as any (`*`)."""
    family = event_type.partition(".")[0] + ".*"
    return any(pattern in ("*", family, event_type) for pattern in patterns)


def _check_headers(headers: Mapping[str, str]) -> None:
    if len({name.lower() for name in headers}) < len(headers):
        raise Invalid("a header stands here twice", field="headers")
    for name, value in headers.items():
        at = f"headers.{name[:60]}"
        if not name or len(name) > 60 or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise Invalid("a header's name is made of letters, digits and hyphens", field=at)
        if name.lower() in _RESERVED or name.lower().startswith("webhook-"):
            raise Invalid("this header is ours to set", field=at)
        if len(value) > 1_000 or not value.isascii() or not value.isprintable():
            raise Invalid("a header's value is at most 1,000 printable ASCII characters", field=at)


def check_replay(command: Replay, *, head: int, now: datetime, known_types: Iterable[str]) -> None:
    """Raises Invalid with the field."""
    ways = [
        name
        for name, given in (
            ("after_position", command.after_position),
            ("since", command.since),
            ("failed_since", command.failed_since),
        )
        if given is not None
    ]
    if len(ways) != 1:
        raise Invalid("say from where: after_position, since or failed_since, one of them", field="after_position")
    if command.after_position is not None and command.after_position > head:
        raise Invalid(f"the log ends at position {head}", field="after_position")
    if command.until is not None and (command.since is None or command.until <= command.since):
        raise Invalid("until goes with since and lies after it", field="until")
    for field, at in (("since", command.since), ("failed_since", command.failed_since)):
        if at is not None and not now - REPLAY_SPAN <= at <= now:
            raise Invalid("at most 30 days back; for more, replay from a position", field=field)
    check_types(command.types, known_types=known_types)


class Secret(Struct, frozen=True):
    """A signing secret, `whsec_...`; without an end it is the present one."""

    value: str
    until: datetime | None = None


def live(secrets: Iterable[Secret], *, now: datetime) -> list[Secret]:
    """Those that sign now, the present one first."""
    living = [secret for secret in secrets if secret.until is None or secret.until > now]
    return sorted(living, key=lambda secret: secret.until or datetime.max.replace(tzinfo=UTC), reverse=True)


def rotated(secrets: Iterable[Secret], new: str, *, overlap: timedelta, now: datetime) -> list[Secret]:
    """The new one, and the old ones until the overlap ends; none beyond."""
    ends = now + overlap
    kept = [Secret(old.value, min(old.until or ends, ends)) for old in live(secrets, now=now)]
    return [Secret(new), *(secret for secret in kept if secret.until is not None and secret.until > now)]
