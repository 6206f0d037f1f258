"""The feed of events."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from domain import events as catalogue
from domain.errors import Invalid
from infra.context import Context
from infra.tenants import Tenant
from infra.views import events
from infra.views.events import Feed


class EventController(Controller):
    path = "/v1/events"
    tags = ("Events",)

    @get(operation_id="read_feed", summary="The feed")
    async def feed(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: Annotated[int, QueryParameter(ge=0, description="The last position already seen.")] = 0,
        types: Annotated[
            str | None,
            QueryParameter(
                max_length=4000,
                description="Types, comma separated, such as `touchpoint.recorded,nudge.suggested`; all when left out.",
            ),
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="Events at most.")] = 100,
        wait: Annotated[float, QueryParameter(ge=0, le=30, description="Seconds to wait for the first event.")] = 0,
    ) -> Feed:
        """In order, without gaps, in the public thin form: ids and plain facts. Ask again with `after=position`."""
        return await events.feed(context, tenant, after=after, types=_types(types), limit=limit, wait=wait)


def _types(given: str | None) -> list[str]:
    wanted = [name.strip() for name in (given or "").split(",") if name.strip()]
    unknown = [name for name in wanted if name not in catalogue.TYPES]
    if unknown:
        raise Invalid(f"there is no event type {unknown[0]}", field="types")
    return wanted
