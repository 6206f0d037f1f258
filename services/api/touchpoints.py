"""POST /v1/touchpoints: one object, an array or NDJSON; each item is judged by itself."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, HTTPException
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Struct, UnsetType

from domain.errors import Invalid, Refused
from domain.touchpoints import RecordTouchpoint, StrikeTouchpoint
from infra import commands
from infra.commands import Origin, Recorded
from infra.context import Context
from infra.tenants import Tenant
from services.api.openapi import TouchpointOperation
from services.api.problems import Problem, problem_of, validation_problem
from services.api.requests import idempotency_key, refuse_nul

MAX_ITEM = 64_000
MAX_ITEMS = 1_000
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_ITEM = msgspec.json.Decoder(RecordTouchpoint)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class Result(Struct, frozen=True):
    """What became of one item. `event_id` is also the touchpoint's id; `contact_ids` in the order of `with`."""

    status: str
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

    @post(status_code=200, operation_class=TouchpointOperation, summary="Record touchpoints", raises=[ClientException])
    async def record(
        self,
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> Response[Results]:
        """Record one touchpoint (an object), or up to 1,000 (an array, or one JSON object a line as NDJSON).

        Each item is recorded, recognised as a duplicate, or rejected by itself; its neighbours do not suffer. The
        answer is 200 when at least one item was recorded or known, else 422. A `source` with its `source_id`, or an
        `Idempotency-Key`, makes it safe to send twice.
        """
        key = idempotency_key(request)
        items = [_read(raw) for raw in _split(await _whole(request), request.headers.get("content-type", ""))]
        done = await commands.record_touchpoints(context, tenant, items, origin=origin, idempotency_key=key)
        results = [_result(one) for one in done]
        position = max((one.position for one in done if one.position is not None), default=None)
        known = any(one.status != "rejected" for one in done)
        return Response(Results(results, position), status_code=200 if known else 422)

    @post("/{touchpoint_id:uuid}/strike", status_code=200, summary="Take a touchpoint back")
    async def strike(
        self,
        touchpoint_id: FromPath[UUID],
        data: JSONBody[StrikeTouchpoint],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> Receipt:
        """It did not happen, or not so. It counts no more; the log keeps both facts. Twice is as good as once."""
        done = await commands.strike_touchpoint(
            context, tenant, touchpoint_id, data, origin=origin, idempotency_key=idempotency_key(request)
        )
        return Receipt(done.position)


async def _whole(request: Request[Any, Any, Any]) -> bytes:
    """The body, given up as soon as it is too large."""
    return b"".join([chunk async for chunk in request.stream()])


def _split(body: bytes, content_type: str) -> Sequence[bytes | msgspec.Raw]:
    """The items, unread. Raises a 400 for what is no JSON at all, 422 for none or more than 1,000."""
    if content_type.partition(";")[0].strip().lower() in NDJSON:
        items: Sequence[bytes | msgspec.Raw] = [line for line in body.splitlines() if line.strip()]
    elif body.lstrip()[:1] == b"[":
        items = _array(body)
    else:
        items = [body]
    if not 1 <= len(items) <= MAX_ITEMS:
        raise HTTPException(status_code=422, detail=f"send 1 to {MAX_ITEMS} touchpoints, not {len(items)}")
    return items


def _array(body: bytes) -> list[msgspec.Raw]:
    try:
        return _ITEMS.decode(body)
    except msgspec.DecodeError as error:
        raise ClientException(f"the body is not a JSON array: {error}") from error


def _read(raw: bytes | msgspec.Raw) -> RecordTouchpoint | Refused:
    """The item as a command, or why it is none."""
    if len(bytes(raw)) > MAX_ITEM:
        return Invalid("one touchpoint takes at most 64 kB")
    try:
        refuse_nul(bytes(raw))
        return _ITEM.decode(raw)
    except Refused as error:
        return error
    except msgspec.ValidationError as error:
        return validation_problem(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Invalid(f"this is not JSON: {error}")
    except RecursionError:
        return Invalid("the JSON is nested too deep")


def _result(one: Recorded) -> Result:
    problem = UNSET if one.problem is None else problem_of(one.problem)
    return Result(one.status, one.event_id, list(one.contact_ids), one.position, problem)
