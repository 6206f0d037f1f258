"""Webhooks out: endpoints, what was sent to them, and sending again."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from domain.webhooks import AddEndpoint, ChangeEndpoint, Replay, RotateSecret, TryEndpoint
from infra.commands import webhooks as commands
from infra.context import Context
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import webhooks
from infra.views.pages import Instant, Page
from infra.views.webhooks import (
    Audits,
    DeliveryDetail,
    DeliveryView,
    EndpointView,
    Replays,
    Statistics,
)
from services.api.parameters import After, Cursor, IdempotencyKey, Limit, instant
from services.api.webhook_types import test_data

EndpointId = Annotated[UUID, PathParameter(description="The endpoint's id.")]
DeliveryId = Annotated[UUID, PathParameter(description="The delivery's id.")]
Which = Literal["open", "waiting", "sending", "delivered", "exhausted", "cancelled", "all"]


class NewEndpoint(Struct, frozen=True):
    """The endpoint, and the secret its webhooks are signed with: shown this once."""

    id: UUID
    endpoint: EndpointView
    secret: str


class NewSecret(Struct, frozen=True):
    """Shown this once. The old one signs too until `old_until`."""

    secret: str
    old_until: Instant


class DeliveryReceipt(Struct, frozen=True):
    """The delivery that was queued."""

    id: UUID


class ReplayReceipt(Struct, frozen=True):
    """The replay, and the stretch of the log it covers."""

    id: UUID
    after_position: int
    through_position: int


class WebhookController(Controller):
    path = "/v1/webhook-endpoints"
    tags = ("Webhooks",)

    @post(operation_id="add_webhook_endpoint", summary="Add an endpoint")
    async def add(
        self,
        data: JSONBody[AddEndpoint],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKey = None,
    ) -> NewEndpoint:
        """It is told what happens from now on; a replay tells it what happened before. Each webhook is signed as
        Standard Webhooks has it, and tried 11 times over about 75 hours."""
        loopback = settings.webhooks_allow_loopback
        added = await commands.add_endpoint(
            context, tenant, data, origin=origin, loopback=loopback, idempotency_key=idempotency_key
        )
        view = await webhooks.endpoint(context, tenant, added.endpoint_id)
        return NewEndpoint(added.endpoint_id, view, added.secret)

    @get(operation_id="list_webhook_endpoints", summary="List endpoints")
    async def page(
        self, context: NamedDependency[Context], tenant: NamedDependency[Tenant], after: After = None
    ) -> Page[EndpointView]:
        """All of them, at most 50, with how sending goes."""
        return await webhooks.endpoints(context, tenant, after=after)

    @get("/{endpoint_id:uuid}", operation_id="get_webhook_endpoint", summary="Show an endpoint")
    async def one(
        self,
        endpoint_id: EndpointId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> EndpointView:
        """Its headers by name alone, its secret never."""
        return await webhooks.endpoint(context, tenant, endpoint_id, after=after)

    @patch("/{endpoint_id:uuid}", operation_id="change_webhook_endpoint", summary="Change an endpoint")
    async def change(
        self,
        endpoint_id: EndpointId,
        data: JSONBody[ChangeEndpoint],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
    ) -> EndpointView:
        """What is left out stays. Paused, its webhooks wait; active again, they go out."""
        loopback = settings.webhooks_allow_loopback
        await commands.change_endpoint(context, tenant, endpoint_id, data, origin=origin, loopback=loopback)
        return await webhooks.endpoint(context, tenant, endpoint_id)

    @delete(
        "/{endpoint_id:uuid}", status_code=204, operation_id="delete_webhook_endpoint", summary="Delete an endpoint"
    )
    async def remove(
        self,
        endpoint_id: EndpointId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> None:
        """What waits for it is cancelled; the log of what was sent stays."""
        await commands.delete_endpoint(context, tenant, endpoint_id, origin=origin)

    @post(
        "/{endpoint_id:uuid}/rotate", status_code=200, operation_id="rotate_webhook_secret", summary="Rotate the secret"
    )
    async def rotate(
        self,
        endpoint_id: EndpointId,
        data: JSONBody[RotateSecret],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> NewSecret:
        """Both secrets sign until the overlap ends, so that a receiver can change over without losing any."""
        rotated = await commands.rotate_secret(
            context, tenant, endpoint_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return NewSecret(rotated.secret, rotated.old_until)

    @post(
        "/{endpoint_id:uuid}/test", status_code=202, operation_id="test_webhook_endpoint", summary="Send a test event"
    )
    async def test(
        self,
        endpoint_id: EndpointId,
        data: JSONBody[TryEndpoint],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> DeliveryReceipt:
        """`webhook.test`, or the example of an event type; marked `test: true`, sent once, and in no statistics."""
        queued = await commands.try_endpoint(
            context, tenant, endpoint_id, data, data=test_data(data.type), origin=origin,
            idempotency_key=idempotency_key,
        )  # fmt: skip
        return DeliveryReceipt(queued.delivery_id)

    @post("/{endpoint_id:uuid}/replay", status_code=202, operation_id="replay_webhooks", summary="Send the past again")
    async def replay(
        self,
        endpoint_id: EndpointId,
        data: JSONBody[Replay],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ReplayReceipt:
        """From any position of the log, even from before the endpoint was there. Same webhook-ids as the first time;
        what happens meanwhile goes first."""
        asked = await commands.replay(
            context, tenant, endpoint_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return ReplayReceipt(asked.replay_id, asked.after_position, asked.through_position)

    @get("/{endpoint_id:uuid}/replays", operation_id="list_webhook_replays", summary="List replays")
    async def replays(
        self,
        endpoint_id: EndpointId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> Replays:
        """The newest first, with how far each has come."""
        return await webhooks.replays(context, tenant, endpoint_id, after=after)

    @get("/{endpoint_id:uuid}/statistics", operation_id="webhook_statistics", summary="How sending goes")
    async def statistics(
        self,
        endpoint_id: EndpointId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        hours: Annotated[int, QueryParameter(ge=1, le=720, description="How far back.")] = 48,
        after: After = None,
    ) -> Statistics:
        """Delivered and failed attempts by hour, and how long the answers took."""
        return await webhooks.statistics(context, tenant, endpoint_id, hours=hours, after=after)

    @get("/{endpoint_id:uuid}/audit", operation_id="webhook_audit", summary="Who changed an endpoint")
    async def audit(
        self,
        endpoint_id: EndpointId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> Audits:
        """The newest first."""
        return await webhooks.audits(context, tenant, endpoint_id, after=after)


class DeliveryController(Controller):
    path = "/v1/webhook-deliveries"
    tags = ("Webhooks",)

    @get(operation_id="list_webhook_deliveries", summary="List deliveries")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        endpoint: Annotated[UUID | None, QueryParameter(description="Those of one endpoint.")] = None,
        which: Annotated[Which, QueryParameter(name="state", description="`open`: waiting or being sent.")] = "all",
        of_type: Annotated[
            str | None, QueryParameter(name="type", max_length=80, description="Those of one event type.")
        ] = None,
        since: Annotated[
            str | None, QueryParameter(max_length=40, description="Queued at this instant or later, with its offset.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[DeliveryView]:
        """The newest first, with what the last attempt came to and when the next one is due."""
        states = {"all": (), "open": ("waiting", "sending")}.get(which, (which,))
        return await webhooks.deliveries(
            context, tenant, endpoint_id=endpoint, states=states, event_type=of_type,  # type: ignore[arg-type]
            since=instant(since, field="since"), limit=limit, given_cursor=cursor, after=after,
        )  # fmt: skip

    @get("/{delivery_id:uuid}", operation_id="get_webhook_delivery", summary="Show a delivery")
    async def one(
        self,
        delivery_id: DeliveryId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> DeliveryDetail:
        """Every attempt, with what was sent and the first 16 kB of what came back."""
        return await webhooks.delivery(context, tenant, delivery_id, after=after)

    @post("/{delivery_id:uuid}/redeliver", status_code=202, operation_id="redeliver_webhook", summary="Send one again")
    async def redeliver(
        self,
        delivery_id: DeliveryId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> DeliveryReceipt:
        """A delivery of its own, with the same webhook-id. What is still under way is refused."""
        queued = await commands.redeliver(context, tenant, delivery_id, origin=origin, idempotency_key=idempotency_key)
        return DeliveryReceipt(queued.delivery_id)
