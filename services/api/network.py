"""The network: the two halves and the channels."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from infra.context import Context
from infra.tenants import Tenant
from infra.views import halves, network, occasions
from infra.views.halves import Outposts, Overlap
from infra.views.network import NetworkView
from infra.views.occasions import OccasionView
from infra.views.pages import Page
from services.api.parameters import After, At, Cursor, TrueAt
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

    @get("/overlap", operation_id="show_overlap", summary="Where the halves overlap")
    async def overlap(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Overlap:
        """The share met and the share blended, the ten to carry over next, how long that took, relations, bridges."""
        seen = await looking(context, tenant, at, true_at)
        return await halves.overlap(context, tenant, after=after, seen=seen)

    @get("/outposts", operation_id="show_outposts", summary="Where to be, and where not")
    async def outposts(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Annotated[int, QueryParameter(ge=1, le=200, description="Channels and ways shown.")] = 50,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Outposts:
        """Missing and idle outposts, giving and promoting in each channel, who came on to a hub, where ties go on.

        Sensitive channels are in none of it.
        """
        seen = await looking(context, tenant, at, true_at)
        return await halves.outposts(context, tenant, limit=limit, after=after, seen=seen)

    @get("/occasions", operation_id="list_occasions", summary="What fairs, meetups and the like led to")
    async def occasions(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Annotated[int, QueryParameter(ge=1, le=50, description="Rows of a page.")] = 20,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[OccasionView]:
        """A row for each day in a channel where people gather, the latest first: whom we met, and what followed."""
        seen = await looking(context, tenant, at, true_at)
        return await occasions.page(context, tenant, limit=limit, given_cursor=cursor, after=after, seen=seen)
