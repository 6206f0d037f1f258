"""Parameters many routes take."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request
from litestar.params import QueryParameter

from domain.errors import Invalid

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Rows of a page, at most 200.")]
Cursor = Annotated[str | None, QueryParameter(max_length=2000, description="`next` of the page before.")]
After = Annotated[
    int | None,
    QueryParameter(ge=0, description="Wait, up to 5 seconds, until the view has this position of the log."),
]


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
    return at


def expected_version(request: Request[Any, Any, Any]) -> int | None:
    """If-Match: the `version` the change was made on. Raises Invalid."""
    given = request.headers.get("if-match")
    if given is None:
        return None
    try:
        return int(given.strip().strip('"'))
    except ValueError as error:
        raise Invalid("If-Match takes the version of the contact", field="If-Match") from error
