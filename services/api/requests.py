"""What every request goes through: its id, its key, its parameters, its body within limits."""

import time
from collections.abc import Sequence
from functools import cache

import msgspec
import structlog
import uuid_utils.compat as uuid_utils
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders, State
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.params import QueryParameter
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Struct
from prometheus_client import Histogram

from domain.errors import Invalid
from infra.context import Context
from infra.tenants import Tenant
from services.api import bodies
from services.api.bodies import Unsupported
from services.api.parameters import parameters_of

MAX_BODY = 1_000_000
JSON = "application/json"

log = structlog.get_logger()
ANSWERED = Histogram(
    "rapport_request_seconds", "Requests, by route template, method and status.", ["method", "route", "status"]
)


class Caller(Struct, frozen=True):
    """Whose key the request showed."""

    tenant: Tenant
    key_id: str


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """`Authorization: Bearer rapport_live_...`; anything else is 401, the same for wrong, unknown and revoked."""

    async def authenticate_request(
        self, connection: ASGIConnection[BaseRouteHandler, Caller, str, State]
    ) -> AuthenticationResult:
        context: Context = connection.app.state["context"]
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        found = await context.keys.tenant_of(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise NotAuthorizedException(headers={"WWW-Authenticate": "Bearer"})
        tenant, key_id = found
        structlog.contextvars.bind_contextvars(tenant=str(tenant.tenant_id))
        return AuthenticationResult(user=Caller(tenant, key_id), auth=key_id)


def traced(app: ASGIApp) -> ASGIApp:
    """The application with an id for each request, answered as X-Request-ID, one line in the log and one measurement.

    It stands outside the routing, so that a wrong path is seen too, and answers HEAD like GET, without the body.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id, method = str(uuid_utils.uuid7()), str(scope["method"])
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        scope["state"]["request_id"] = request_id
        began, status = time.perf_counter(), 500

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Request-ID"] = request_id
            elif message["type"] == "http.response.body" and method == "HEAD":
                message["body"] = b""
            await send(message)

        if method == "HEAD":
            scope["method"] = HttpMethod.GET
        try:
            await app(scope, receive, send_traced)
        finally:
            seconds = time.perf_counter() - began
            route = str(scope.get("path_template") or "unknown")
            ANSWERED.labels(method, route, status).observe(seconds)
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))

    return handle


class StrictRequest(Request[Caller, str, State]):
    """A JSON body is decoded as the type the handler takes, and nothing in it is converted. An empty one is `{}`."""

    async def body(self) -> bytes:
        return await super().body() or b"{}"

    async def json(self) -> object:
        wanted = self.route_handler.parsed_data_field
        assert wanted is not None  # noqa: S101 - the framework asks for handlers that take `data`
        return bodies.decode(await self.body(), _decoder(wanted.annotation))


@cache
def _decoder(of: type) -> msgspec.json.Decoder[object]:
    return msgspec.json.Decoder(of)


async def screen(request: Request[Caller, str, State]) -> Response[None] | None:
    """Before the handler: a body is of a form the route reads, each query parameter one it takes. Answers OPTIONS.

    Raises Unsupported, Invalid.
    """
    handler = request.route_handler
    if request.method == HttpMethod.OPTIONS:
        return Response(None, status_code=204, headers={"Allow": ", ".join(_methods(request))})
    if not handler.resolve_include_in_schema():
        return None
    if request.method in ("POST", "PATCH"):
        _check_media_type(request.headers.get("content-type", JSON), handler.opt.get("media_types", (JSON,)))
    for name, value in request.query_params.multi_items():
        taken = parameters_of(handler)
        if name not in taken or not isinstance(taken[name].kwarg_definition, QueryParameter):
            raise Invalid("there is no such parameter", field=name[:100])
        if "\0" in str(value):
            raise Invalid("a text may not hold NUL characters", field=name)
    return None


def _methods(request: Request[Caller, str, State]) -> list[str]:
    """What all handlers of this path take together; the framework's own answer knows of one of them."""
    template = request.scope["path_template"]
    taken = {str(method) for route in request.app.routes if route.path_format == template for method in route.methods}
    return sorted(taken | {"HEAD"} if "GET" in taken else taken)


def _check_media_type(content_type: str, read: Sequence[str]) -> None:
    if content_type.partition(";")[0].strip().lower() not in read:
        raise Unsupported(f"send the body as {' or '.join(read[:2])}", field="Content-Type")
