"""Parameters many routes take."""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated
from uuid import UUID

from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, PathParameter, QueryParameter
from litestar.typing import FieldDefinition

from domain.errors import Invalid
from domain.touchpoints import EARLIEST

LATEST = datetime(3000, 1, 1, tzinfo=UTC)
MOST_POSITIONS = 2**63 - 1

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Rows of a page.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=2000, description="`next` of the page before; left out for the first page.")
]
After = Annotated[
    int | None,
    QueryParameter(
        ge=0,
        description="A position of the log, as each write answers it: wait, up to 5 seconds, until this shows it.",
    ),
]
At = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        description="A past instant with its offset: the answer is what was known then, by all that had been recorded. "
        "Put together at the first time of asking: 503 with Retry-After while that takes longer.",
    ),
]
TrueAt = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        description="A past instant with its offset: the answer is by what had happened by then, as it is known now; "
        "with `at`, as it was known.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Makes it safe to send again: the same key with the same content changes nothing and has the same "
        "answer, with other content it is a conflict.",
    ),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=40,
        description="The `version` (the ETag) the change was made on: when it has changed since, 412.",
    ),
]
ContactId = Annotated[UUID, PathParameter(description="The contact's id.")]
TouchpointId = Annotated[UUID, PathParameter(description="The touchpoint's id: the `event_id` it was recorded under.")]
AppointmentId = Annotated[UUID, PathParameter(description="The appointment's id.")]
GatheringId = Annotated[UUID, PathParameter(description="The gathering's id.")]
NudgeId = Annotated[UUID, PathParameter(description="The nudge's id.")]


def instant(text: str | None, *, field: str) -> datetime | None:
    """An ISO 8601 instant with its offset. Raises Invalid."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Invalid("this is no time such as 2026-05-06T08:15:00Z", field=field) from error
    if at.tzinfo is None:
        raise Invalid("a time needs its offset, such as Z or +02:00", field=field)
    if not EARLIEST <= at <= LATEST:
        raise Invalid("this is before 1900 or after 3000", field=field)
    return at


def expected_version(if_match: str | None) -> int | None:
    """The version an If-Match header names; None without one, or for `*`. Raises Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = if_match.strip().strip('"')
    if not (version.isascii() and version.isdigit()) or int(version) > MOST_POSITIONS:
        raise Invalid('this takes a version, such as "17"', field="If-Match")
    return int(version)


@cache
def parameters_of(handler: BaseRouteHandler) -> dict[str, FieldDefinition]:
    """What the route takes beside its body, by the name the caller writes."""
    return {
        field.kwarg_definition.name or field.name: field
        for field in handler.parsed_fn_signature.parameters.values()
        if isinstance(field.kwarg_definition, ParameterKwarg)
    }
