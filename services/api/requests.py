"""What every request goes through: its id, its key, its body within limits."""

import time
from typing import Any

import structlog
import uuid_utils.compat as uuid_utils
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException
from litestar.middleware import ASGIMiddleware
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Struct
from prometheus_client import Histogram

from domain.errors import Invalid
from infra.context import Context
from infra.tenants import Tenant

MAX_BODY = 1_000_000
MAX_KEY = 200

log = structlog.get_logger()
ANSWERED = Histogram("rapport_request_seconds", "Requests, by route template, method and status.", ["method", "route", "status"])


class Caller(Struct, frozen=True):
    """Whose key the request showed."""

    tenant: Tenant
    key_id: str


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """`Authorization: Bearer rapport_live_...`; anything else is 401, the same for wrong, unknown and revoked."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        context: Context = connection.app.state["context"]
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        found = await context.keys.tenant_of(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise NotAuthorizedException(
                "show a valid API key: Authorization: Bearer rapport_live_...", headers={"WWW-Authenticate": "Bearer"}
            )
        tenant, key_id = found
        structlog.contextvars.bind_contextvars(tenant=str(tenant.tenant_id))
        return AuthenticationResult(user=Caller(tenant, key_id), auth=key_id)


class Traced(ASGIMiddleware):
    """Gives each request an id, answers it as X-Request-ID, and writes one line and one measurement."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request_id = str(uuid_utils.uuid7())
        method = str(scope.get("method"))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        scope["state"]["request_id"] = request_id
        began = time.perf_counter()
        status = 500

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await next_app(scope, receive, send_traced)
        finally:
            seconds = time.perf_counter() - began
            route = str(scope.get("path_template") or "unknown")
            ANSWERED.labels(method, route, status).observe(seconds)
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


class StrictRequest(Request[Caller, str, Any]):
    """A body without NUL characters: PostgreSQL keeps none in a text."""

    async def body(self) -> bytes:
        body = await super().body()
        refuse_nul(body)
        return body


def refuse_nul(body: bytes) -> None:
    """Raises Invalid when a string in this JSON holds U+0000."""
    if b"\\u0000" in body.replace(b"\\\\", b""):
        raise Invalid("a text may not hold NUL characters")


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """The Idempotency-Key header, or None. Raises Invalid when it is empty or longer than 200 characters."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key.strip()) <= MAX_KEY:
        raise Invalid(f"an Idempotency-Key has 1 to {MAX_KEY} characters", field="Idempotency-Key")
    return key.strip() if key is not None else None
