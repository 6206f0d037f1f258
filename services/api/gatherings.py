"""Gatherings: planned, changed, opened to guests, who was there, and what it led to."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from domain.attendance import NoteAttendance
from domain.gatherings import CancelGathering, ChangeGathering, PlanGathering
from infra import commands
from infra.commands import Noted
from infra.commands.gatherings import ChangeLink
from infra.context import Context
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import gatherings
from infra.views.gatherings import (
    AttendanceView,
    GatheringView,
    GuestView,
    OccurrenceView,
    OneGathering,
    States,
    When,
    YieldView,
)
from infra.views.pages import Page
from services.api.parameters import (
    After,
    Cursor,
    GatheringId,
    IdempotencyKey,
    IfMatch,
    Limit,
    expected_version,
)
from services.api.problems import Problem, counted, problem_of


class GatheringReceipt(Struct, frozen=True):
    """The gathering, and the position from which the views show the change."""

    id: UUID
    position: int


class LinkReceipt(Struct, frozen=True):
    """The address of the public page, null where there is none now."""

    id: UUID
    link: str | None
    position: int


class ArrivalResult(Struct, frozen=True):
    """What became of one of the people. `duplicate`: it was so already. `touchpoint_id` is their check-in's."""

    status: Literal["recorded", "duplicate", "rejected"]
    contact_id: UUID | None
    touchpoint_id: UUID | None
    position: int | None
    problem: Problem | UnsetType = UNSET


class ArrivalResults(Struct, frozen=True):
    """One result for each of the people, in order; `position` of the last, to be given as `after` to a read."""

    results: list[ArrivalResult]
    position: int | None


class GatheringController(Controller):
    path = "/v1/gatherings"
    tags = ("Gatherings",)

    @get(operation_id="list_gatherings", summary="List gatherings")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        settings: NamedDependency[Settings],
        which: Annotated[
            States,
            QueryParameter(name="state", description="`open`: those with something to come; `all`: also what is over."),
        ] = "open",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[GatheringView]:
        """The newest first, each with the next time it takes place and how many entered themselves."""
        return await gatherings.page(
            context, tenant, address=settings.public_address, state=which, limit=limit, given_cursor=cursor, after=after
        )

    @post(operation_id="plan_gathering", summary="Plan a gathering")
    async def plan(
        self,
        data: JSONBody[PlanGathering],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> GatheringReceipt:
        """Open and weekly unless said otherwise. There is no least number of people: two are a success."""
        gathering_id, done = await commands.plan_gathering(
            context, tenant, data, origin=origin, idempotency_key=idempotency_key
        )
        return GatheringReceipt(gathering_id, done.position)

    @get("/{gathering_id:uuid}", operation_id="show_gathering", summary="One gathering")
    async def one(
        self,
        gathering_id: GatheringId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        settings: NamedDependency[Settings],
        after: After = None,
    ) -> Response[OneGathering]:
        """As it is planned now. Its `version` is the ETag: send it back as If-Match."""
        found = await gatherings.one(context, tenant, gathering_id, address=settings.public_address, after=after)
        return Response(found, headers={"ETag": f'"{found.version}"'})

    @patch("/{gathering_id:uuid}", operation_id="change_gathering", summary="Change a gathering")
    async def change(
        self,
        gathering_id: GatheringId,
        data: JSONBody[ChangeGathering],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> GatheringReceipt:
        """All of it that has not begun, or one `occurrence`. What is past stays as it was."""
        done = await commands.change_gathering(
            context, tenant, gathering_id, data, origin=origin, idempotency_key=idempotency_key,
            expected_position=expected_version(if_match),
        )  # fmt: skip
        return GatheringReceipt(gathering_id, done.position)

    @post(
        "/{gathering_id:uuid}/cancel", status_code=200, operation_id="cancel_gathering", summary="Call off a gathering"
    )
    async def cancel(
        self,
        gathering_id: GatheringId,
        data: JSONBody[CancelGathering],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> GatheringReceipt:
        """One `occurrence` (change it, and it takes place again), or all that has not begun: that ends it."""
        done = await commands.cancel_gathering(
            context, tenant, gathering_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return GatheringReceipt(gathering_id, done.position)

    @post(
        "/{gathering_id:uuid}/link",
        status_code=200,
        operation_id="change_gathering_link",
        summary="Open, rotate or close the public page",
    )
    async def link(
        self,
        gathering_id: GatheringId,
        data: JSONBody[ChangeLink],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKey = None,
    ) -> LinkReceipt:
        """A page on which guests enter themselves. Who has its address sees it; a rotated or closed address is gone."""
        token, done = await commands.change_link(
            context, tenant, gathering_id, data, origin=origin, idempotency_key=idempotency_key
        )
        link = None if token is None else f"{settings.public_address}/g/{token}"
        return LinkReceipt(gathering_id, link, done.position)

    @get("/{gathering_id:uuid}/occurrences", operation_id="list_occurrences", summary="When a gathering takes place")
    async def occurrences(
        self,
        gathering_id: GatheringId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        when: Annotated[
            When, QueryParameter(description="`coming`: within two years, the next first; `past`: the latest first.")
        ] = "coming",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[OccurrenceView]:
        """Each by the day it was planned for, the cancelled ones too, with how many were there."""
        return await gatherings.occurrences(
            context, tenant, gathering_id, when=when, limit=limit, given_cursor=cursor, after=after
        )

    @get("/{gathering_id:uuid}/guests", operation_id="list_guests", summary="Who entered themselves")
    async def guests(
        self,
        gathering_id: GatheringId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[GuestView]:
        """Who wants to come, in the order they entered. That is no attendance, and no touchpoint."""
        return await gatherings.guests(context, tenant, gathering_id, limit=limit, given_cursor=cursor, after=after)

    @get("/{gathering_id:uuid}/attendance", operation_id="list_attendance", summary="Who was there")
    async def attendance(
        self,
        gathering_id: GatheringId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        occurrence: Annotated[
            date | None, QueryParameter(description="The day one occurrence was planned for: that one only.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[AttendanceView]:
        """Who was checked in, the latest occurrence first."""
        return await gatherings.attendance(
            context, tenant, gathering_id, occurrence=occurrence, limit=limit, given_cursor=cursor, after=after
        )

    @post(
        "/{gathering_id:uuid}/attendance",
        status_code=200,
        operation_id="note_attendance",
        summary="Check people in",
    )
    async def note(
        self,
        gathering_id: GatheringId,
        data: JSONBody[NoteAttendance],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ArrivalResults:
        """Who was at an occurrence, from three hours before it begins: each once, by themselves, as a touchpoint.

        `met` by us, it is a handshake; else an attendance, which says only that they were in the same room.
        `came: false` takes a check-in back and strikes its touchpoint.
        """
        done = await commands.note_attendance(
            context, tenant, gathering_id, data, origin=origin, idempotency_key=idempotency_key
        )
        position = max((one.position for one in done if one.position is not None), default=None)
        return ArrivalResults(list(map(_result, done)), position)

    @get("/{gathering_id:uuid}/yield", operation_id="show_gathering_yield", summary="What a gathering led to")
    async def led_to(
        self,
        gathering_id: GatheringId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> YieldView:
        """People met, who came again, followed up within 72 hours, in touch about 90 days later, referrals of a year.

        All of it counts from the first time somebody was met there; `too_early` are those it cannot be said of yet.
        """
        return await gatherings.led_to(context, tenant, gathering_id, after=after)


def _result(one: Noted) -> ArrivalResult:
    problem = UNSET if one.problem is None else counted(problem_of(one.problem))
    return ArrivalResult(one.status, one.contact_id, one.touchpoint_id, one.position, problem)
