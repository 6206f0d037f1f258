"""Nudges: the list, and what people answer."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from domain.errors import Conflict, NotFound
from domain.nudges import NAMESPACE, AcceptNudge, Command, DismissNudge, FinishNudge, SnoozeNudge
from domain.touchpoints import Kind, RecordTouchpoint, Reference
from infra import commands
from infra.commands import Origin
from infra.context import Context
from infra.tenants import Tenant
from infra.views import nudges
from infra.views.nudges import NudgeView, States
from infra.views.pages import Page
from services.api.parameters import After, Cursor, Limit
from services.api.requests import idempotency_key


class DoneElsewhere(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done, where and when: recorded as a touchpoint with the contact. Left out: a meeting, just now."""

    kind: Kind = "meeting"
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    channel: Annotated[str, Meta(max_length=60)] = "in-person"
    minutes: Annotated[int, Meta(ge=0, le=14_400)] | None = None
    note: Annotated[str, Meta(max_length=10_000)] | None = None


class NudgeController(Controller):
    path = "/v1/nudges"
    tags = ("Nudges",)

    @get(summary="List nudges")
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

    @post("/{nudge_id:uuid}/accept", status_code=200, summary="I will")
    async def accept(
        self,
        nudge_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        data: JSONBody[AcceptNudge | None] = None,
    ) -> NudgeView:
        """Where the nudge asks "within reach?", `within_reach` answers: `no` and `unknown` end it, `yes` keeps it."""
        return await _answer(context, tenant, origin, request, nudge_id, data or AcceptNudge())

    @post("/{nudge_id:uuid}/snooze", status_code=200, summary="Later")
    async def snooze(
        self,
        nudge_id: FromPath[UUID],
        data: JSONBody[SnoozeNudge],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> NudgeView:
        """It comes back `until` then, within 180 days."""
        return await _answer(context, tenant, origin, request, nudge_id, data)

    @post("/{nudge_id:uuid}/dismiss", status_code=200, summary="No")
    async def dismiss(
        self,
        nudge_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        data: JSONBody[DismissNudge | None] = None,
    ) -> NudgeView:
        """It does not come back for as long as its kind rests: 60 days for a meeting in person."""
        return await _answer(context, tenant, origin, request, nudge_id, data or DismissNudge())

    @post("/{nudge_id:uuid}/done", status_code=200, summary="Done elsewhere")
    async def done(
        self,
        nudge_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        data: JSONBody[DoneElsewhere | None] = None,
    ) -> NudgeView:
        """Records what was done as a touchpoint: a nudge is never done by a click alone. Twice records once."""
        nudge = await nudges.one(context, tenant, nudge_id)
        if nudge.done_by is not None:
            return nudge
        told = data or DoneElsewhere()
        fact = RecordTouchpoint(
            kind=told.kind,
            occurred_at=told.occurred_at or datetime.now(UTC),
            channel=told.channel,
            direction="mutual",
            people=(Reference(contact_id=nudge.contact_id),),
            minutes=told.minutes,
            note=told.note,
        )
        key = f"done/{uuid5(NAMESPACE, str(nudge_id))}"
        [recorded] = await commands.record_touchpoints(context, tenant, [fact], origin=origin, idempotency_key=key)
        if recorded.problem is not None and not isinstance(recorded.problem, Conflict):
            raise recorded.problem
        if recorded.event_id is None:
            raise NotFound("there is no such nudge")
        return await _answer(context, tenant, origin, request, nudge_id, FinishNudge(recorded.event_id))


async def _answer(
    context: Context, tenant: Tenant, origin: Origin, request: Request[Any, Any, Any], nudge_id: UUID, command: Command
) -> NudgeView:
    done = await commands.answer_nudge(
        context, tenant, nudge_id, command, origin=origin, idempotency_key=idempotency_key(request)
    )
    return await nudges.one(context, tenant, nudge_id, after=done.position)
