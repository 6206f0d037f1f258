"""Nudges: the list, and what people answer."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct

from domain.nudges import AcceptNudge, Command, DismissNudge, SnoozeNudge, TellDone
from domain.policy import Policy
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import nudges
from infra.views.nudges import NudgeView, PolicyView, States
from infra.views.pages import Page
from services.api.parameters import After, Cursor, IdempotencyKey, Limit, NudgeId


class NudgeReceipt(Struct, frozen=True):
    """The nudge, and the position from which the list shows the answer."""

    id: UUID
    position: int


class PolicyReceipt(Struct, frozen=True):
    """The position from which the policy is in force."""

    position: int


class NudgeController(Controller):
    path = "/v1/nudges"
    tags = ("Nudges",)

    @get(operation_id="list_nudges", summary="List nudges")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        which: Annotated[States, QueryParameter(name="state", description="`open`: to be acted on now.")] = "open",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[NudgeView]:
        """The newest first, each with its reason, the numbers behind it and the touchpoints it rests on."""
        return await nudges.page(context, tenant, state=which, limit=limit, given_cursor=cursor, after=after)

    @post("/{nudge_id:uuid}/accept", status_code=200, operation_id="accept_nudge", summary="Accept a nudge")
    async def accept(
        self,
        nudge_id: NudgeId,
        data: JSONBody[AcceptNudge],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> NudgeReceipt:
        """Where the nudge asks "within reach?", `within_reach` answers: `no` and `unknown` end it, `yes` keeps it."""
        return await _answer(context, tenant, origin, nudge_id, data, idempotency_key)

    @post("/{nudge_id:uuid}/snooze", status_code=200, operation_id="snooze_nudge", summary="Snooze a nudge")
    async def snooze(
        self,
        nudge_id: NudgeId,
        data: JSONBody[SnoozeNudge],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> NudgeReceipt:
        """It comes back `until` then, within 180 days."""
        return await _answer(context, tenant, origin, nudge_id, data, idempotency_key)

    @post("/{nudge_id:uuid}/dismiss", status_code=200, operation_id="dismiss_nudge", summary="Dismiss a nudge")
    async def dismiss(
        self,
        nudge_id: NudgeId,
        data: JSONBody[DismissNudge],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> NudgeReceipt:
        """It does not come back for as long as its kind rests; dismissed twice, for half a year."""
        return await _answer(context, tenant, origin, nudge_id, data, idempotency_key)

    @post("/{nudge_id:uuid}/done", status_code=200, operation_id="finish_nudge", summary="Say that a nudge was done")
    async def done(
        self,
        nudge_id: NudgeId,
        data: JSONBody[TellDone],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> NudgeReceipt:
        """Records what was done as a touchpoint: a nudge is never done by a click alone. Twice records once."""
        done = await commands.finish_nudge(
            context, tenant, nudge_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return NudgeReceipt(nudge_id, done.position)


class PolicyController(Controller):
    path = "/v1/nudge-policy"
    tags = ("Nudges",)

    @get(operation_id="show_nudge_policy", summary="The policy of nudges")
    async def show(
        self, context: NamedDependency[Context], tenant: NamedDependency[Tenant], after: After = None
    ) -> PolicyView:
        """How many nudges come, at which hours and days, of which kinds; and whether any may come now."""
        return await nudges.in_force(context, tenant, after=after)

    @put(operation_id="change_nudge_policy", summary="Change the policy of nudges")
    async def change(
        self,
        data: JSONBody[Policy],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> PolicyReceipt:
        """The whole policy: what is left out becomes the standard again. The same again changes nothing."""
        done = await commands.change_nudge_policy(context, tenant, data, origin=origin)
        return PolicyReceipt(done.position)


async def _answer(
    context: Context, tenant: Tenant, origin: Origin, nudge_id: UUID, command: Command, idempotency_key: str | None
) -> NudgeReceipt:
    done = await commands.answer_nudge(
        context, tenant, nudge_id, command, origin=origin, idempotency_key=idempotency_key
    )
    return NudgeReceipt(nudge_id, done.position)
