"""The model of strength: shown, changed, tried."""

from typing import Annotated

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from domain.model import Model
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import model
from infra.views.model import ModelView, PreviewView
from services.api.parameters import After
from services.api.touchpoints import Receipt


class ModelController(Controller):
    path = "/v1/model"
    tags = ("Model",)

    @get(operation_id="show_model", summary="The model of strength")
    async def show(
        self, context: NamedDependency[Context], tenant: NamedDependency[Tenant], after: After = None
    ) -> ModelView:
        """What each kind of touchpoint is worth, how fast it fades, what the parts of the score are worth."""
        return await model.in_force(context, tenant, after=after)

    @put(operation_id="change_model", summary="Change the model of strength")
    async def change(
        self,
        data: JSONBody[Model],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> Receipt:
        """The whole model. Everything is weighed anew beside what is shown, then takes its place at once.

        Until then the scores are by the model before: GET shows how far it is. The same again changes nothing.
        """
        done = await commands.change_model(context, tenant, data, origin=origin)
        return Receipt(done.position)

    @post("/preview", status_code=200, operation_id="preview_model", summary="Try another model")
    async def preview(
        self,
        data: JSONBody[Model],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Annotated[int, QueryParameter(ge=0, le=1000, description="Contacts shown of those that move.")] = 50,
    ) -> PreviewView:
        """Which contacts and stages would move, and which nudges of the last 90 days would have differed.

        Nothing is changed. 503 with Retry-After while it is worked out: send the same again.
        """
        return await model.preview(context, tenant, data, limit=limit)
