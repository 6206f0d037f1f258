"""POST /v1/touchpoints: one object, an array or NDJSON; each item is judged by itself."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import structlog
from litestar import Controller, Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET, Struct, UnsetType

from domain import bodies
from domain.bodies import Piece, TooLarge, TooMany, Unreadable
from domain.errors import Refused
from domain.touchpoints import RecordTouchpoint, StrikeTouchpoint
from infra import commands
from infra.commands import Recorded
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from services.api.parameters import IdempotencyKey, TouchpointId
from services.api.problems import Problem, counted, problem_of
from services.api.requests import JSON, Caller

MAX_ITEMS = 1_000
LOGGED = 10  # ids of a batch that stand in the log line of its request
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class Result(Struct, frozen=True):
    """What became of one item. `event_id` is also the touchpoint's id; `contact_ids` in the order of `with`."""

    status: Literal["recorded", "duplicate", "rejected"]
    event_id: UUID | None
    contact_ids: list[UUID]
    position: int | None
    problem: Problem | UnsetType = UNSET


class Results(Struct, frozen=True):
    """One result for each item, in its order; `position` of the last of them, to be given as `after` to a read."""

    results: list[Result]
    position: int | None


class Receipt(Struct, frozen=True):
    """The position from which a view shows the change."""

    position: int


class TouchpointController(Controller):
    path = "/v1/touchpoints"
    tags = ("Touchpoints",)

    @post(status_code=200, operation_id="record_touchpoints", summary="Record touchpoints", media_types=(JSON, *NDJSON))
    async def record(
        self,
        request: Request[Caller, str, State],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Results]:
        """Record one touchpoint (an object), or up to 1,000 (an array, or one JSON object a line as NDJSON).

        Each item is recorded, recognised as a duplicate, or rejected by itself; its neighbours do not suffer. The
        answer is 200 when at least one item was recorded or known, else 422. A `source` with its `source_id`, or an
        `Idempotency-Key`, makes it safe to send twice.
        """
        items = _read(await _whole(request), request.headers.get("content-type", JSON))
        done = await commands.record_touchpoints(context, tenant, items, origin=origin, idempotency_key=idempotency_key)
        position = max((one.position for one in done if one.position is not None), default=None)
        known = [str(one.event_id) for one in done if one.status != "rejected"]
        structlog.contextvars.bind_contextvars(event_ids=known[:LOGGED], rejected=len(done) - len(known))
        return Response(Results(list(map(_result, done)), position), status_code=200 if known else 422)

    @post(
        "/{touchpoint_id:uuid}/strike",
        status_code=200,
        operation_id="strike_touchpoint",
        summary="Take a touchpoint back",
    )
    async def strike(
        self,
        touchpoint_id: TouchpointId,
        data: JSONBody[StrikeTouchpoint],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Receipt:
        """It did not happen, or not so. It counts no more; the log keeps both facts. Twice is as good as once."""
        done = await commands.strike_touchpoint(
            context, tenant, touchpoint_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return Receipt(done.position)


async def _whole(request: Request[Caller, str, State]) -> bytes:
    """The body, given up as soon as it is too large."""
    return b"".join([chunk async for chunk in request.stream()])


def _read(body: bytes, content_type: str) -> list[RecordTouchpoint | Refused]:
    """Each item as a command, or why it is none. Raises Unreadable, TooLarge; TooMany for none or more than 1,000."""
    if content_type.partition(";")[0].strip().lower() in NDJSON:
        return _judged(bodies.lines(body, most=MAX_ITEMS))
    match body.lstrip()[:1]:
        case b"[":
            return _judged(bodies.items(body, most=MAX_ITEMS))
        case b"{":
            [one] = _judged([body])
            if isinstance(one, Unreadable | TooLarge):
                raise one
            return [one]
        case _:
            raise Unreadable("send one touchpoint as a JSON object, several as an array or as NDJSON")


def _judged(pieces: Sequence[Piece]) -> list[RecordTouchpoint | Refused]:
    if not pieces:
        raise TooMany(f"send 1 to {MAX_ITEMS:,} touchpoints at once, not 0")
    return [_item(bytes(piece)) for piece in pieces]


def _item(raw: bytes) -> RecordTouchpoint | Refused:
    try:
        return bodies.touchpoint(raw)
    except Refused as refusal:
        refusal.__cause__ = refusal.__context__ = None  # a thousand of them would keep all that was read
        return refusal.with_traceback(None)


def _result(one: Recorded) -> Result:
    problem = UNSET if one.problem is None else counted(problem_of(one.problem))
    return Result(one.status, one.event_id, list(one.contact_ids), one.position, problem)
