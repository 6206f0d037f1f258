"""Errors as RFC 9457 problem documents: one table from refusals to status and type, and nothing internal in the text."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import UNSET, Struct, UnsetType

from domain.errors import Conflict, Erased, Invalid, NotFound, Refused, Stale
from infra.event_log import Unavailable
from infra.projector import Behind

JSON_PROBLEM = "application/problem+json"
log = structlog.get_logger()

# Refusal -> (status, last part of the type URI, title). The first that fits.
KINDS: tuple[tuple[type[Refused], int, str, str], ...] = (
    (Invalid, 400, "invalid", "The input is not valid"),
    (NotFound, 404, "not-found", "Not found"),
    (Stale, 412, "stale", "Changed meanwhile"),
    (Erased, 410, "erased", "This person was erased"),
    (Conflict, 409, "conflict", "Conflict"),
    (Refused, 409, "refused", "A rule forbids it"),
)


class FieldError(Struct, frozen=True):
    field: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """A problem document. `field` names the input at fault, as `with[0].email`; `errors` all of them where several are."""

    type: str
    title: str
    status: int
    detail: str
    field: str | UnsetType = UNSET
    errors: list[FieldError] | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    position: int | UnsetType = UNSET


def problem_of(refusal: Refused) -> Problem:
    for kind, status, name, title in KINDS:
        if isinstance(refusal, kind):
            return Problem(type_uri(name), title, status, refusal.reason, refusal.field or UNSET)
    raise AssertionError(refusal)


def type_uri(name: str) -> str:
    return f"urn:rapport:problem:{name}"


def answer(problem: Problem, request: Request[Any, Any, Any], headers: dict[str, str] | None = None) -> Response[bytes]:
    """The document as a response; the request's id goes with it so that the log line can be found."""
    request_id = request.scope.get("state", {}).get("request_id", UNSET)
    body = msgspec.json.encode(msgspec.structs.replace(problem, request_id=request_id))
    return Response(body, status_code=problem.status, media_type=JSON_PROBLEM, headers=headers)


def on_refusal(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    return answer(problem_of(error), request)


def on_behind(request: Request[Any, Any, Any], error: Behind) -> Response[bytes]:
    problem = Problem(
        type_uri("behind"), "Not there yet", 503, "the view has not read so far: ask again", position=error.position
    )
    return answer(problem, request, {"Retry-After": "1"})


def on_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("database_unavailable", error=type(error).__name__)
    detail = "the database cannot be reached: send the same again, with the same source_id or Idempotency-Key"
    return answer(Problem(type_uri("unavailable"), "Unavailable", 503, detail), request, {"Retry-After": "1"})


def on_unreadable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """JSON nested too deep, or text that is not UTF-8: the decoder's own errors."""
    detail = "the JSON is nested too deep" if isinstance(error, RecursionError) else "the body is not UTF-8"
    return answer(Problem(type_uri("malformed"), "Malformed body", 400, detail), request)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The framework's refusals: of the body, of a parameter, of the method, of the path."""
    if isinstance(error, ValidationException):
        return answer(_validation(error), request)
    name, title = NAMES.get(error.status_code, ("error", "Error"))
    detail = DETAILS.get(error.status_code, error.detail)
    return answer(Problem(type_uri(name), title, error.status_code, detail), request, _kept(error))


def _kept(error: HTTPException) -> dict[str, str] | None:
    return dict(error.headers) if error.headers else None


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("fault", exc_info=error)
    detail = "this is our fault; the request_id finds it in our log"
    return answer(Problem(type_uri("fault"), "Internal error", 500, detail), request)


def _validation(error: ValidationException) -> Problem:
    extra = error.extra if isinstance(error.extra, list) else []
    found = [
        _plainly(str(one.get("message", "")), str(one.get("key", "")).removeprefix("data").removeprefix("."))
        for one in extra
        if isinstance(one, dict)
    ]
    if not found:
        return Problem(type_uri("malformed"), "Malformed body", 400, error.detail)
    first = problem_of(found[0])
    errors = [FieldError(one.field or "", one.reason) for one in found]
    return msgspec.structs.replace(first, errors=errors if len(errors) > 1 else UNSET)


def validation_problem(error: msgspec.ValidationError) -> Invalid:
    """The refusal behind msgspec's message, which ends in the place: "... - at `$.with[0].email`"."""
    text, _, place = str(error).partition(" - at `")
    return _plainly(text, place.rstrip("`").removeprefix("$").removeprefix("."))


def _plainly(text: str, place: str) -> Invalid:
    for opening, reason in (
        ("Object contains unknown field `", "there is no such field"),
        ("Object missing required field `", "this field is required"),
    ):
        if text.startswith(opening):
            name = text.removeprefix(opening).rstrip("`")
            return Invalid(reason, field=f"{place}.{name}" if place else name)
    return Invalid(text[:1].lower() + text[1:], field=place or None)


NAMES = {
    400: ("malformed", "Malformed request"),
    401: ("unauthorized", "Not authorised"),
    404: ("not-found", "Not found"),
    405: ("method", "Method not allowed"),
    413: ("too-large", "Too large"),
    415: ("media-type", "Unsupported media type"),
}
DETAILS = {
    404: "there is nothing at this path",
    405: "this path does not take this method",
    413: "a request takes at most 1 MB, one item at most 64 kB",
}
