"""Channels: the places where the network lives."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from domain.channels import DescribeChannel
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import network
from infra.views.network import ChannelView
from infra.views.pages import Page
from services.api.parameters import After, Cursor, IdempotencyKey, Limit
from services.api.touchpoints import Receipt


class ChannelController(Controller):
    path = "/v1/channels"
    tags = ("Network",)

    @get(operation_id="list_channels", summary="List channels")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[ChannelView]:
        """By slug, with what was done there."""
        return await network.channels(context, tenant, limit=limit, given_cursor=cursor, after=after)

    @post(operation_id="describe_channel", summary="Open or describe a channel")
    async def describe(
        self,
        data: JSONBody[DescribeChannel],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Receipt:
        """What is left out stays as it was, or as the table of slugs has it.

        Another realm moves everybody met there to another half; no strength changes by it.
        """
        done = await commands.describe_channel(context, tenant, data, origin=origin, idempotency_key=idempotency_key)
        return Receipt(done.position)
