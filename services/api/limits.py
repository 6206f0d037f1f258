"""What is bounded before anything is read: the headers and the address of a request."""

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from services.api.problems import JSON_PROBLEM, Problem, counted, type_uri

LONGEST_HEADER = 8_000
LONGEST_ADDRESS = 32_000  # 2,000 characters of a cursor may be twelve bytes each


def limited(app: ASGIApp) -> ASGIApp:
    """The application, which sees no header and no address longer than any it takes."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        problem = _too_long(scope) if scope["type"] == ScopeType.HTTP else None
        if problem is None:
            await app(scope, receive, send)
        else:
            await _refuse(problem, scope, send)

    return handle


def _too_long(scope: Scope) -> Problem | None:
    if len(scope["path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
        detail = f"the path and its parameters take at most {LONGEST_ADDRESS:,} bytes together"
        return Problem(type_uri("address-too-long"), "Address too long", 414, detail)
    for name, value in scope["headers"]:
        if len(name) + len(value) > LONGEST_HEADER:
            detail = f"a header takes at most {LONGEST_HEADER:,} characters"
            field = name[:100].decode("latin-1")
            return Problem(type_uri("header-too-long"), "Header too long", 431, detail, field)
    return None


async def _refuse(problem: Problem, scope: Scope, send: Send) -> None:
    told = msgspec.structs.replace(counted(problem), request_id=scope["state"]["request_id"])
    body = msgspec.json.encode(told)
    headers = [(b"content-type", JSON_PROBLEM.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
