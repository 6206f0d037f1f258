"""What every request goes through: its id, its key, its parameters, its body within limits."""

import time
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

from domain import bodies
from domain.bodies import Unsupported
from domain.errors import Invalid, Suspended
from infra import tracing
from infra.context import Context
from infra.tenants import Tenant
from services.api.parameters import parameters_of

MAX_BODY = 1_000_000
JSON = "application/json"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PATCH", "PUT", "DELETE"})

log = structlog.get_logger()
ANSWERED = Histogram(
    "rapport_request_seconds", "Requests, by route template, method and status.", ["method", "route", "status"]
)


class Caller(Struct, frozen=True):
    """Whose key the request showed."""

    tenant: Tenant
    key_id: str


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """`Authorization: Bearer rapport_live_...`; anything else is 401, the same for wrong, unknown and revoked.

    The key of a suspended tenant raises Suspended.
    """

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
        if tenant.suspended:
            raise Suspended
        return AuthenticationResult(user=Caller(tenant, key_id), auth=key_id)


class Trace:
    """One request, from its first byte to its last: its id, and how it was answered."""

    def __init__(self, method: str, send: Send) -> None:
        self.request_id = str(uuid_utils.uuid7())
        self.method = method if method in METHODS else "other"
        self._send = send
        self._began = time.perf_counter()
        self._status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableScopeHeaders.from_message(message)["X-Request-ID"] = self.request_id
        elif message["type"] == "http.response.body" and self.method == "HEAD":
            message["body"] = b""
        await self._send(message)

    def end(self, route: str) -> None:
        """One line in the log and one measurement."""
        seconds = time.perf_counter() - self._began
        ANSWERED.labels(self.method, route, self._status).observe(seconds)
        tracing.answered(self.method, route, self._status, self.request_id)
        log.info("request", method=self.method, route=route, status=self._status, ms=round(seconds * 1000, 1))


def traced(app: ASGIApp) -> ASGIApp:
    """The application with an id for each request. It stands outside the routing, so that a wrong path is seen too.

    HEAD is answered like GET, without the body.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        trace = Trace(str(scope["method"]), send)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=trace.request_id)
        scope["state"]["request_id"] = trace.request_id
        if scope["method"] == HttpMethod.HEAD:
            scope["method"] = HttpMethod.GET
        with tracing.request(trace.method, scope["headers"]):
            try:
                await app(scope, receive, trace.send)
            finally:
                trace.end(str(scope.get("path_template") or "unknown"))

    return handle


def announced(request: Request[Caller, str, State]) -> int:
    """How many bytes the body has by the request's own word; 0 where it gives none."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else 0


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
    """Before the handler: refuses a body of another form and a parameter the route does not take. Answers OPTIONS.

    Raises Unsupported, Invalid.
    """
    if request.method == HttpMethod.OPTIONS:
        return Response(None, status_code=204, headers={"Allow": ", ".join(_methods(request))})
    if request.route_handler.resolve_include_in_schema():
        _check_media_type(request)
        _check_parameters(request)
    return None


def _methods(request: Request[Caller, str, State]) -> list[str]:
    """What all handlers of this path take together; the framework's own answer knows of one of them."""
    template = request.scope["path_template"]
    taken = {str(method) for route in request.app.routes if route.path_format == template for method in route.methods}
    return sorted(taken | {"HEAD"} if "GET" in taken else taken)


def _check_media_type(request: Request[Caller, str, State]) -> None:
    read = request.route_handler.opt.get("media_types", (JSON,))
    given = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if request.method in ("POST", "PATCH") and given not in read and "*/*" not in read:
        raise Unsupported(f"send the body as {' or '.join(read[:2])}", field="Content-Type")


def _check_parameters(request: Request[Caller, str, State]) -> None:
    taken = parameters_of(request.route_handler)
    for name, value in request.query_params.multi_items():
        if name not in taken or not isinstance(taken[name].kwarg_definition, QueryParameter):
            raise Invalid("there is no such parameter", field=name[:100])
        if "\0" in str(value):
            raise Invalid("a text may not hold NUL characters", field=name)
