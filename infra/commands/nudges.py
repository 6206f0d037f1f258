"""Nudges: what people answer to them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from domain import contacts, nudges, policy
from domain.errors import Conflict, NotFound, Refused
from domain.touchpoints import RecordTouchpoint, Reference
from infra import metrics
from infra.commands.decisions import Decision, Done, Known, Question, decide
from infra.commands.merges import check_stands, who_stands
from infra.commands.touchpoints import record_touchpoints
from infra.context import Context
from infra.database import in_tenant
from infra.stored_events import Happened, Origin, keyed_id, read_stream
from infra.tenants import Tenant


async def answer_nudge(
    context: Context,
    tenant: Tenant,
    nudge_id: UUID,
    command: nudges.Command,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
    told: Struct | None = None,
) -> Done:
    """What a member answers to a nudge. `told` is what they said where the command was made from it.

    Raises NotFound, Refused, Invalid; Conflict for other content under the same key.
    """
    now = datetime.now(UTC)
    kind = ""

    def decision(known: Known) -> Decision:
        nonlocal kind
        nudge = _nudge(known.stored)
        kind = nudge.kind if nudge else ""
        return Decision(nudges.decide(command, nudge, now=now))

    event_id = keyed_id(tenant, f"nudges/{nudge_id}/{type(command).__name__}", idempotency_key)
    question = Question(nudges.stream_of(nudge_id), decision, told or command, event_id)
    done = await decide(context, tenant, question, origin=origin)
    if done.lead is not None and not done.duplicate:
        metrics.count_nudge(kind, done.lead)
    return done


async def finish_nudge(
    context: Context,
    tenant: Tenant,
    nudge_id: UUID,
    told: nudges.TellDone,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> Done:
    """Done elsewhere: what was done is recorded as a touchpoint, once, and the nudge is done by it.

    Raises NotFound, Invalid; Refused when the nudge ended otherwise; Conflict for other content under the same key.
    """
    async with in_tenant(context.pool, tenant.tenant_id) as connection:
        stored = await read_stream(context, tenant, connection, nudges.stream_of(nudge_id))
    state = _nudge(stored)
    if state is None:
        raise NotFound("there is no such nudge")
    if state.state not in nudges.OPEN and state.state != "done":
        raise Refused(f"this nudge is {state.state}")
    fact = RecordTouchpoint(
        kind=told.kind,
        occurred_at=told.occurred_at or datetime.now(UTC),
        channel=told.channel,
        direction="mutual",
        people=(Reference(contact_id=state.contact_id),),
        minutes=told.minutes,
        note=told.note,
        source="nudge",
        source_id=str(nudge_id),
    )
    [recorded] = await record_touchpoints(context, tenant, [fact], origin=origin)
    if recorded.event_id is None or (recorded.problem is not None and not isinstance(recorded.problem, Conflict)):
        raise recorded.problem or NotFound("there is no such contact")
    command = nudges.FinishNudge(recorded.event_id)
    return await answer_nudge(
        context, tenant, nudge_id, command, origin=origin, idempotency_key=idempotency_key, told=told
    )


async def mute_nudges(
    context: Context,
    tenant: Tenant,
    contact_id: UUID,
    command: nudges.MuteNudges,
    *,
    origin: Origin,
    idempotency_key: str | None = None,
) -> tuple[UUID, Done]:
    """A kind of nudge leaves a contact in peace: the one that stands for it, whose id it answers. Raises NotFound,
    Invalid."""
    now = datetime.now(UTC)
    who = await who_stands(context, tenant, contact_id)

    def decision(known: Known) -> Decision:
        check_stands(known)
        facts = [event for event, _ in known.stored]
        muted = [fact for fact in facts if isinstance(fact, nudges.NudgeMuted)]
        return Decision(nudges.mute(command, contacts.fold(facts), muted, now=now))

    event_id = keyed_id(tenant, f"contacts/{contact_id}/mute", idempotency_key)
    stream, asked_of = contacts.stream_of(who), contacts.stream_of(contact_id)
    question = Question(stream, decision, command, event_id, asked_of=asked_of)
    return who, await decide(context, tenant, question, origin=origin)


async def change_nudge_policy(context: Context, tenant: Tenant, wanted: policy.Policy, *, origin: Origin) -> Done:
    """The business's nudges come like this from now on. Raises Invalid."""
    place = policy.Place(tenant.country, tenant.time_zone)

    def decision(known: Known) -> Decision:
        return Decision(policy.change(wanted, known.fold(policy.evolve), place=place))

    question = Question(policy.STREAM, decision, wanted, keyed_id(tenant, "nudge-policy", None))
    return await decide(context, tenant, question, origin=origin)


def _nudge(stored: Iterable[Happened]) -> nudges.Nudge | None:
    state: nudges.Nudge | None = None
    for event, at in stored:
        state = nudges.evolve(state, event, at)
    return state
