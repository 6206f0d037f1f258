"""Appointments: planned, moved, and what became of them."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct

from domain.appointments import CancelAppointment, MoveAppointment, PlanAppointment, TellHappened, TellMissed
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import appointments
from infra.views.appointments import AppointmentView, Filter, OneAppointment, States
from infra.views.pages import Page
from services.api.parameters import (
    After,
    AppointmentId,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    expected_version,
    instant,
)


class AppointmentReceipt(Struct, frozen=True):
    """The appointment, and the position from which the views show the change."""

    id: UUID
    position: int


class AppointmentController(Controller):
    path = "/v1/appointments"
    tags = ("Appointments",)

    @get(operation_id="list_appointments", summary="List appointments")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        which: Annotated[
            States,
            QueryParameter(
                name="state",
                description="`open`: to come, or `to_confirm`: over, and nobody said yet whether it happened.",
            ),
        ] = "open",
        since: Annotated[
            str | None,
            QueryParameter(name="from", max_length=40, description="An instant with its offset: not over before then."),
        ] = None,
        until: Annotated[
            str | None,
            QueryParameter(name="to", max_length=40, description="An instant with its offset: begins before then."),
        ] = None,
        contact: Annotated[
            UUID | None, QueryParameter(description="A contact's id: planned or held with them.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[AppointmentView]:
        """By start, the earliest first. What waits for an answer has its question, in words, and the ways to answer."""
        asked = Filter(
            state=which,
            since=instant(since, field="from"),
            until=instant(until, field="to"),
            contact_id=contact,
        )
        return await appointments.page(context, tenant, asked, limit=limit, given_cursor=cursor, after=after)

    @post(operation_id="plan_appointment", summary="Plan an appointment")
    async def plan(
        self,
        data: JSONBody[PlanAppointment],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> AppointmentReceipt:
        """It is no touchpoint before it happened.

        The same `source` and `source_id` again with other content move it, with `cancelled` they call it off.
        """
        appointment_id, done = await commands.plan_appointment(
            context, tenant, data, origin=origin, idempotency_key=idempotency_key
        )
        return AppointmentReceipt(appointment_id, done.position)

    @get("/{appointment_id:uuid}", operation_id="show_appointment", summary="One appointment")
    async def one(
        self,
        appointment_id: AppointmentId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> Response[OneAppointment]:
        """As it stands now. Its `version` is the ETag: send it back as If-Match."""
        found = await appointments.one(context, tenant, appointment_id, after=after)
        return Response(found, headers={"ETag": f'"{found.version}"'})

    @patch("/{appointment_id:uuid}", operation_id="move_appointment", summary="Move or change an appointment")
    async def move(
        self,
        appointment_id: AppointmentId,
        data: JSONBody[MoveAppointment],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> AppointmentReceipt:
        """Fields left out stay; `with` names all people anew. One that was cancelled or missed is planned again."""
        done = await commands.move_appointment(
            context, tenant, appointment_id, data, origin=origin, idempotency_key=idempotency_key,
            expected_position=expected_version(if_match),
        )  # fmt: skip
        return AppointmentReceipt(appointment_id, done.position)

    @post(
        "/{appointment_id:uuid}/happened",
        status_code=200,
        operation_id="tell_happened",
        summary="Say that an appointment happened",
    )
    async def happened(
        self,
        appointment_id: AppointmentId,
        data: JSONBody[TellHappened],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> AppointmentReceipt:
        """Records it as a touchpoint, once, at the time it was planned for. Not before its start."""
        done = await commands.tell_happened(
            context, tenant, appointment_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return AppointmentReceipt(appointment_id, done.position)

    @post(
        "/{appointment_id:uuid}/missed",
        status_code=200,
        operation_id="tell_missed",
        summary="Say that somebody did not come",
    )
    async def missed(
        self,
        appointment_id: AppointmentId,
        data: JSONBody[TellMissed],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> AppointmentReceipt:
        """It did not take place. Told of one that was said to have happened, its touchpoint is struck."""
        done = await commands.tell_missed(
            context, tenant, appointment_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return AppointmentReceipt(appointment_id, done.position)

    @post(
        "/{appointment_id:uuid}/cancel",
        status_code=200,
        operation_id="cancel_appointment",
        summary="Cancel an appointment",
    )
    async def cancel(
        self,
        appointment_id: AppointmentId,
        data: JSONBody[CancelAppointment],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> AppointmentReceipt:
        """Called off beforehand. What happened cannot be."""
        done = await commands.cancel_appointment(
            context, tenant, appointment_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return AppointmentReceipt(appointment_id, done.position)
