"""Channels: opened as described, or described anew."""

from domain import channels
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.context import Context
from infra.stored_events import Origin, keyed_id
from infra.tenants import Tenant


async def describe_channel(
    context: Context,
    tenant: Tenant,
    command: channels.DescribeChannel,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Open a channel as described, or describe it anew. Raises Invalid."""
    channels.check_slug(command.slug, field="slug")

    def decision(known: Known) -> Decision:
        return Decision(channels.decide(command, known.fold(channels.evolve)))

    event_id = keyed_id(tenant, "channels", idempotency_key)
    question = Question(channels.stream_of(command.slug), decision, command, event_id)
    return await decide(context, tenant, question, origin=origin)
