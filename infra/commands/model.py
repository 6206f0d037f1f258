"""The model of strength: changed as a whole."""

from domain import model
from domain.model import Model
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.context import Context
from infra.stored_events import Origin, keyed_id
from infra.tenants import Tenant


async def change_model(context: Context, tenant: Tenant, wanted: Model, *, origin: Origin) -> Done:
    """Relationships are weighed like this from now on, as soon as all were weighed anew. Raises Invalid."""

    def decision(known: Known) -> Decision:
        return Decision(model.change(wanted, known.fold(model.evolve)))

    question = Question(model.STREAM, decision, wanted, keyed_id(tenant, "model", None))
    return await decide(context, tenant, question, origin=origin)
