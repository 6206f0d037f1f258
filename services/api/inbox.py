"""POST /v1/in/{token}: where webhooks come in. No key: the address is secret, and most senders sign."""

from typing import Annotated

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import PathParameter

from domain.adapters.outcomes import Challenge
from domain.bodies import TooLarge
from domain.signatures import Signed, Unverified
from domain.sources import MAX_MESSAGE
from infra import inbox
from infra.context import Context
from infra.inbox import Receipt
from infra.settings import Settings
from services.api.requests import Caller, announced

Token = Annotated[str, PathParameter(description="What makes the address secret.")]


class InboxController(Controller):
    """No part of the API's document: it is for the systems of others, and takes what they send."""

    path = "/v1/in"
    include_in_schema = False

    @post("/{token:str}", status_code=202)
    async def receive(
        self,
        token: Token,
        request: Request[Caller, str, State],
        context: NamedDependency[Context],
        settings: NamedDependency[Settings],
    ) -> Response[Receipt] | Response[dict[str, str]]:
        """Kept first, then read. The same again is answered the same and changes nothing."""
        content = await _whole(request)
        signed = Signed(content, dict(request.headers), address(settings, token))
        received = await inbox.receive(context, token, signed)
        if isinstance(received, Challenge):
            return Response({"challenge": received.said}, status_code=200)
        return Response(received, status_code=202)

    @get("/{token:str}")
    async def answer_check(self, token: Token, context: NamedDependency[Context]) -> Response[None]:
        """Some senders look whether anybody is here when the address is saved."""
        if not await inbox.answers_check(context, token):
            raise Unverified
        return Response(None, status_code=200)


def address(settings: Settings, token: str) -> str:
    """Where a source's messages go."""
    return f"{settings.public_address}/v1/in/{token}"


async def _whole(request: Request[Caller, str, State]) -> bytes:
    """The body, given up as soon as it is too large, also where nobody said beforehand how large it is."""
    if announced(request) > MAX_MESSAGE:
        raise TooLarge("a message takes at most 64 kB")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_MESSAGE:
            raise TooLarge("a message takes at most 64 kB")
    return bytes(body)
