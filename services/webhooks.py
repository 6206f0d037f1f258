"""For people who build against webhooks: a local receiver that verifies and prints, and tests of any type."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from aiohttp import web
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from standardwebhooks import Webhook, WebhookVerificationError

from domain import events
from domain.deliveries import OPEN
from domain.errors import Refused
from domain.webhooks import TEST, AddEndpoint, TryEndpoint, check_type, matches
from infra.commands import webhooks as commands
from infra.context import Context
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import sources, webhooks
from services.office import chosen, opened

ORIGIN = Origin(actor="cli", source="cli")
HERE = "127.0.0.1"
PATIENCE_SECONDS = 20.0
MOST_LISTED = 200


async def listen(
    configured: Settings | None, *, tenant: UUID | None, port: int, secrets: Sequence[str], types: Sequence[str]
) -> None:
    """Receive on this machine until Ctrl-C: each webhook is verified and printed.

    With settings and no secret, an endpoint of the tenant's is made for it, and deleted at the end.
    """
    console = Console()
    async with _address(configured, tenant, port, secrets, types) as known, _receiving(port, known, console):
        console.print(f"Listening at http://{HERE}:{port}/ ... Ctrl-C ends it.")
        await _until_told()


@asynccontextmanager
async def _address(
    configured: Settings | None, tenant_id: UUID | None, port: int, secrets: Sequence[str], types: Sequence[str]
) -> AsyncIterator[Sequence[str]]:
    """The secrets to verify with."""
    if secrets or configured is None:
        yield secrets
        return
    if not configured.webhooks_allow_loopback:
        raise Refused(
            "Webhooks do not go to this machine. Start Rapport with RAPPORT_WEBHOOKS_ALLOW_LOOPBACK=1, and say the "
            "same here; or give the --secret of an endpoint that reaches this port another way."
        )
    async with opened(configured) as context:
        business = await chosen(context, tenant_id)
        wanted = AddEndpoint(url=f"http://{HERE}:{port}/", types=tuple(types) or ("*",), description="rapport listen")
        added = await commands.add_endpoint(context, business, wanted, origin=ORIGIN, loopback=True)
        try:
            yield [added.secret]
        finally:
            await commands.delete_endpoint(context, business, added.endpoint_id, origin=ORIGIN)


@asynccontextmanager
async def _receiving(port: int, secrets: Sequence[str], console: Console) -> AsyncIterator[None]:
    async def receive(request: web.Request) -> web.Response:
        content = await request.read()
        verdict = verified(content, dict(request.headers), secrets)
        console.print(f"[bold]{datetime.now(UTC).astimezone():%H:%M:%S}  {shown_type(content)}[/bold]  {verdict}")
        console.print_json(content.decode(errors="replace")) if _is_json(content) else console.print(content)
        return web.Response(status=204 if verdict.startswith("signature ok") else 400)

    app = web.Application(client_max_size=1_000_000)
    app.router.add_post("/{path:.*}", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HERE, port).start()
    except OSError as error:
        await runner.cleanup()
        raise Refused(f"Port {port} cannot be used: {error.strerror}. Choose another one with --port.") from error
    yield
    await runner.cleanup()


def verified(content: bytes, headers: dict[str, str], secrets: Sequence[str]) -> str:
    """In words: which signature it is, or why it is none."""
    if not secrets:
        return "not verified: no secret given"
    failures = []
    for secret in secrets:
        try:
            Webhook(secret).verify(content, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            failures.append(str(error))
        else:
            return f"signature ok, {headers.get('webhook-id') or headers.get('Webhook-Id')}"
    return f"REFUSED: {failures[-1]}"


def shown_type(content: bytes) -> str:
    try:
        return str(json.loads(content)["type"])
    except (ValueError, KeyError, TypeError):
        return "not a webhook of ours"


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


async def _until_told() -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def show_endpoints(configured: Settings, *, tenant: UUID | None, as_json: bool) -> None:
    async with opened(configured) as context:
        page = await webhooks.endpoints(context, await chosen(context, tenant))
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    if not page.items:
        print("None yet. POST /v1/webhook-endpoints adds one.")
        return
    table = _table("url", "types", "state", "waiting", "last delivered")
    for one in page.items:
        state = one.state if one.reason is None else f"{one.state}: {one.reason}"
        table.add_row(escape(one.url), " ".join(one.types), state, str(one.open), _instant(one.delivered_at))
    Console().print(table)


async def show_deliveries(configured: Settings, *, tenant: UUID | None, limit: int, as_json: bool) -> None:
    if not 1 <= limit <= MOST_LISTED:
        raise Refused(f"--limit is 1 to {MOST_LISTED}.")
    async with opened(configured) as context:
        page = await webhooks.deliveries(context, await chosen(context, tenant), limit=limit)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    if not page.items:
        print("Nothing was sent yet.")
        return
    table = _table("queued", "type", "state", "attempts", "last attempt", "next")
    for one in page.items:
        table.add_row(
            _instant(one.queued_at), one.type, one.state, str(one.attempts), one.reason or "", _instant(one.next_try_at)
        )
    Console().print(table)


async def show_sources(configured: Settings, *, tenant: UUID | None, as_json: bool) -> None:
    async with opened(configured) as context:
        page = await sources.all_sources(context, await chosen(context, tenant))
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    if not page.items:
        print("None yet. POST /v1/webhook-sources adds one.")
        return
    table = _table("name", "adapter", "signed", "state", "quarantined", "last message")
    for one in page.items:
        table.add_row(
            escape(one.name), one.adapter, one.scheme, one.state, str(one.quarantined), _instant(one.received_at)
        )
    Console().print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table


def _instant(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


async def trigger(configured: Settings, event_type: str, *, tenant: UUID | None) -> int:
    """Send an example of this type, marked as a test, to every active endpoint that asks for it; 1 where one failed."""
    if event_type != TEST:
        check_type(event_type, known_types=events.TYPES)
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        asking = [
            one
            for one in (await webhooks.endpoints(context, business)).items
            if one.state == "active" and (event_type == TEST or matches(one.types, event_type))
        ]
        if not asking:
            raise Refused(f"No active endpoint asks for {event_type}: add one with POST /v1/webhook-endpoints.")
        outcomes = [await _try(context, business, one.id, one.url, event_type) for one in asking]
    return 0 if all(outcomes) else 1


async def _try(context: Context, tenant: Tenant, endpoint_id: UUID, url: str, event_type: str) -> bool:
    from services.api.webhook_types import test_data  # with the whole API

    queued = await commands.try_endpoint(
        context, tenant, endpoint_id, TryEndpoint(event_type), data=test_data(event_type), origin=ORIGIN
    )
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        detail = await webhooks.delivery(context, tenant, queued.delivery_id)
        if detail.delivery.state not in OPEN:
            print(f"{url}: {detail.delivery.reason}")
            return detail.delivery.state == "delivered"
        if asyncio.get_running_loop().time() > until:
            print(f"{url}: still waiting. Does a worker run? `rapport status` tells.")
            return False
        await asyncio.sleep(0.1)
