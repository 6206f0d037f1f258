"""Errors as RFC 9457 problem documents: one table from refusals to status and type, nothing internal in the text."""

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotAuthorizedException, ValidationException
from msgspec import UNSET, Struct, UnsetType
from prometheus_client import Counter

from domain.bodies import TooLarge, TooMany, Unreadable, Unsupported
from domain.errors import Busy, Conflict, Erased, Invalid, NotFound, NotUnderstood, Refused, Stale, Suspended
from domain.events import UnknownEvent
from domain.signatures import Unverified
from domain.wording import in_words
from infra.projection import told
from infra.projector import Behind
from services.api.parameters import parameters_of
from services.api.requests import Caller

TYPE = "urn:rapport:problem:"
JSON_PROBLEM = "application/problem+json"
AnyRequest = Request[Caller, str, State]

log = structlog.get_logger()
PROBLEMS = Counter("rapport_problems", "Refusals and faults, of requests and of items of a batch.", ["type", "status"])

# Refusal -> (status, last part of the type URI, title). The first that fits.
KINDS: tuple[tuple[type[Refused], int, str, str], ...] = (
    (Unreadable, 400, "malformed", "Malformed body"),
    (TooLarge, 413, "too-large", "Too large"),
    (TooMany, 422, "batch-size", "Not a batch of this size"),
    (Unsupported, 415, "media-type", "Unsupported media type"),
    (Unverified, 401, "unauthorized", "Not authorised"),
    (Suspended, 403, "suspended", "Suspended"),
    (Invalid, 400, "invalid", "The input is not valid"),
    (NotFound, 404, "not-found", "Not found"),
    (Stale, 412, "stale", "Changed meanwhile"),
    (Erased, 410, "erased", "This person was erased"),
    (NotUnderstood, 503, "not-understood", "Not understood"),
    (Busy, 503, "busy", "Busy"),
    (Conflict, 409, "conflict", "Conflict"),
    (Refused, 409, "refused", "A rule forbids it"),
)
# The framework's own: status -> (last part of the type URI, title, detail; None keeps the framework's).
STATUSES: dict[int, tuple[str, str, str | None]] = {
    400: ("malformed", "Malformed request", None),
    401: ("unauthorized", "Not authorised", "show a valid API key: Authorization: Bearer rapport_live_..."),
    404: ("not-found", "Not found", "there is nothing at this path"),
    405: ("method", "Method not allowed", "this path does not take this method"),
    413: ("too-large", "Too large", "a request takes at most 1 MB"),
}


class FieldError(Struct, frozen=True):
    field: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """A problem document. `field` names the input at fault as the caller wrote it, such as `with[0].email`.

    `errors` has all of them where several are; `request_id` finds the request in our log; `position`, when a view is
    behind, is how far it has read.
    """

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


def counted(problem: Problem) -> Problem:
    """The problem, counted once: it is about to be told."""
    PROBLEMS.labels(problem.type.removeprefix(TYPE), problem.status).inc()
    return problem


def type_uri(name: str) -> str:
    return f"{TYPE}{name}"


def answer(problem: Problem, request: AnyRequest, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The document as a response; the request's id goes with it so that the log line can be found."""
    body = msgspec.json.encode(
        msgspec.structs.replace(counted(problem), request_id=request.scope["state"]["request_id"])
    )
    return Response(body, status_code=problem.status, media_type=JSON_PROBLEM, headers=headers)


def on_refusal(request: AnyRequest, error: Refused) -> Response[bytes]:
    return answer(problem_of(error), request, {"Retry-After": "5"} if isinstance(error, Busy) else None)


def on_behind(request: AnyRequest, error: Behind) -> Response[bytes]:
    detail = "the view has not read so far yet: ask again"
    problem = Problem(type_uri("behind"), "Not there yet", 503, detail, "after", position=error.position)
    return answer(problem, request, {"Retry-After": "1"})


def on_unavailable(request: AnyRequest, error: Exception) -> Response[bytes]:
    log.error("database_unavailable", error=told(error))
    detail = "the database cannot be reached: send the same again, with the same source_id or Idempotency-Key"
    return answer(Problem(type_uri("unavailable"), "Unavailable", 503, detail), request, {"Retry-After": "1"})


def on_unknown_event(request: AnyRequest, error: UnknownEvent) -> Response[bytes]:
    """A view made by a newer version leads to what only that can read."""
    return on_refusal(request, NotUnderstood())


def on_fault(request: AnyRequest, error: Exception) -> Response[bytes]:
    log.error("fault", exc_info=error)
    detail = "this is our fault; the request_id finds it in our log"
    return answer(Problem(type_uri("fault"), "Internal error", 500, detail), request)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """The framework's refusals: of a parameter, of the key, of the method, of the path."""
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return answer(_of_parameters(request, error.extra), request)
    name, title, detail = STATUSES.get(error.status_code, ("error", "Error", None))
    problem = Problem(type_uri(name), title, error.status_code, detail or error.detail)
    if isinstance(error, NotAuthorizedException):
        problem = msgspec.structs.replace(problem, field="Authorization")
    return answer(problem, request, dict(error.headers or {}))


def _of_parameters(request: AnyRequest, found: list[dict[str, str]]) -> Problem:
    written = {field.name: (name, field) for name, field in parameters_of(request.route_handler).items()}
    refusals = []
    for one in found:
        name, field = written[one["key"]]
        reason = in_words(one["message"], "", field.annotation).reason
        refusals.append(Invalid(reason, field=name))
    errors = [FieldError(one.field or "", one.reason) for one in refusals]
    return msgspec.structs.replace(problem_of(refusals[0]), errors=errors if len(errors) > 1 else UNSET)
