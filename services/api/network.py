"""The network: the two halves and the channels."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from infra.context import Context
from infra.tenants import Tenant
from infra.views import network
from infra.views.network import NetworkView
from services.api.parameters import After, At, TrueAt
from services.api.past import looking


class NetworkController(Controller):
    path = "/v1/network"
    tags = ("Network",)

    @get(operation_id="show_network", summary="The two halves")
    async def whole(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Annotated[int, QueryParameter(ge=0, le=200, description="People shown of each half.")] = 10,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> NetworkView:
        """Who is online only, in person only, both, or known by name alone: counts, the strongest of each, channels."""
        seen = await looking(context, tenant, at, true_at)
        return await network.whole(context, tenant, limit=limit, after=after, seen=seen)
