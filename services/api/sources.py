"""Webhooks in: sources, their messages, the quarantine."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from domain.sources import AddSource, ChangeSource, RotateSource, TryMessage
from infra.commands import sources as commands
from infra.commands.sources import Again, Trial
from infra.context import Context
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import sources
from infra.views.pages import Instant, Page
from infra.views.sources import MessageDetail, MessageView, SourceView
from infra.views.webhooks import Audits
from services.api.inbox import address
from services.api.parameters import After, Cursor, IdempotencyKey, Limit

SourceId = Annotated[UUID, PathParameter(description="The source's id.")]
MessageId = Annotated[UUID, PathParameter(description="The message's id.")]
Which = Literal["received", "recorded", "nothing", "quarantined", "dropped", "all"]


class NewSource(Struct, frozen=True):
    """The source, the secret address its messages go to, and the secret they are signed with: shown this once."""

    id: UUID
    source: SourceView
    url: str
    secret: str | None


class NewAccess(Struct, frozen=True):
    """The new address, or the new secret: shown this once. The old secret is taken too until `old_until`."""

    url: str | None
    secret: str | None
    old_until: Instant | None


class SourceController(Controller):
    path = "/v1/webhook-sources"
    tags = ("Webhooks in",)

    @post(operation_id="add_webhook_source", summary="Add a source")
    async def add(
        self,
        data: JSONBody[AddSource],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKey = None,
    ) -> NewSource:
        """It has an address of its own, which is secret, and is ready at once. What cannot be mapped waits in the
        quarantine until the mapping is mended."""
        loopback = settings.webhooks_allow_loopback
        added = await commands.add_source(
            context, tenant, data, origin=origin, loopback=loopback, idempotency_key=idempotency_key
        )
        view = await sources.source(context, tenant, added.source_id)
        return NewSource(added.source_id, view, address(settings, added.token), added.secret)

    @get(operation_id="list_webhook_sources", summary="List sources")
    async def page(
        self, context: NamedDependency[Context], tenant: NamedDependency[Tenant], after: After = None
    ) -> Page[SourceView]:
        """All of them, at most 50, with how many of their messages wait in the quarantine."""
        return await sources.all_sources(context, tenant, after=after)

    @get("/{source_id:uuid}", operation_id="get_webhook_source", summary="Show a source")
    async def one(
        self,
        source_id: SourceId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> SourceView:
        """Its settings by name alone, its address and secret never."""
        return await sources.source(context, tenant, source_id, after=after)

    @patch("/{source_id:uuid}", operation_id="change_webhook_source", summary="Change a source")
    async def change(
        self,
        source_id: SourceId,
        data: JSONBody[ChangeSource],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
    ) -> SourceView:
        """What is left out stays. Paused, its messages are taken and wait; active again, they are read."""
        loopback = settings.webhooks_allow_loopback
        await commands.change_source(context, tenant, source_id, data, origin=origin, loopback=loopback)
        return await sources.source(context, tenant, source_id)

    @delete("/{source_id:uuid}", status_code=204, operation_id="delete_webhook_source", summary="Delete a source")
    async def remove(
        self,
        source_id: SourceId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> None:
        """Its address ends at once. What waits is dropped; what was recorded stays."""
        await commands.delete_source(context, tenant, source_id, origin=origin)

    @post(
        "/{source_id:uuid}/rotate",
        status_code=200,
        operation_id="rotate_webhook_source",
        summary="Rotate the address or the secret",
    )
    async def rotate(
        self,
        source_id: SourceId,
        data: JSONBody[RotateSource],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKey = None,
    ) -> NewAccess:
        """An old address ends at once; an old secret is taken beside the new one until the overlap ends."""
        rotated = await commands.rotate_source(
            context, tenant, source_id, data, origin=origin, idempotency_key=idempotency_key
        )
        url = None if rotated.token is None else address(settings, rotated.token)
        return NewAccess(url, rotated.secret, rotated.old_until)

    @post("/{source_id:uuid}/try", status_code=200, operation_id="try_webhook_source", summary="Try a sample")
    async def attempt(
        self,
        source_id: SourceId,
        data: JSONBody[TryMessage],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> Trial:
        """What would become of this payload, by the source's mapping or another one. Nothing is recorded."""
        return await commands.try_message(context, tenant, source_id, data, idempotency_key=idempotency_key)

    @post(
        "/{source_id:uuid}/replay",
        status_code=202,
        operation_id="replay_webhook_source",
        summary="Read the quarantine anew",
    )
    async def replay(
        self,
        source_id: SourceId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Again:
        """All of the source's messages that wait there, as they came, by the mapping of now."""
        return await commands.replay_source(context, tenant, source_id, origin=origin, idempotency_key=idempotency_key)

    @get("/{source_id:uuid}/audit", operation_id="webhook_source_audit", summary="Who changed a source")
    async def audit(
        self,
        source_id: SourceId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> Audits:
        """The newest first."""
        return await sources.audits(context, tenant, source_id, after=after)


class MessageController(Controller):
    path = "/v1/webhook-messages"
    tags = ("Webhooks in",)

    @get(operation_id="list_webhook_messages", summary="List messages")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        source: Annotated[UUID | None, QueryParameter(description="Those of one source.")] = None,
        which: Annotated[
            Which, QueryParameter(name="state", description="`quarantined`: what cannot be mapped.")
        ] = "all",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[MessageView]:
        """The newest first, with what became of each. They are kept for 30 days; what waits, until it is done with."""
        state = None if which == "all" else which
        return await sources.messages(
            context, tenant, source_id=source, state=state, limit=limit, given_cursor=cursor, after=after
        )

    @get("/{message_id:uuid}", operation_id="get_webhook_message", summary="Show a message")
    async def one(
        self,
        message_id: MessageId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> MessageDetail:
        """With its content as it came."""
        return await sources.message(context, tenant, message_id, after=after)

    @post("/{message_id:uuid}/replay", status_code=202, operation_id="replay_webhook_message", summary="Read one anew")
    async def replay(
        self,
        message_id: MessageId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> Again:
        """What is quarantined, was nothing, or was dropped. What was recorded is refused."""
        return await commands.replay_message(context, tenant, message_id, idempotency_key=idempotency_key)

    @post("/{message_id:uuid}/drop", status_code=200, operation_id="drop_webhook_message", summary="Drop one")
    async def drop(
        self,
        message_id: MessageId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> Again:
        """It waits no longer, and is forgotten after 30 days."""
        return await commands.drop_message(context, tenant, message_id, idempotency_key=idempotency_key)
