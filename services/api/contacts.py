"""Contacts: list, one, add, change, timeline, strength."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct

from domain.contacts import AddContact, ChangeContact
from domain.nudges import MuteNudges
from domain.relationships import Half
from domain.rhythm import Status
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import contacts, strength, ties
from infra.views.contacts import ContactRow, ContactView, Filter, Moment, Sort, Stage
from infra.views.pages import Page
from infra.views.strength import MOST_WEEKS, HistoryView, StrengthView
from infra.views.ties import TieView
from services.api.parameters import (
    After,
    At,
    ContactId,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    TrueAt,
    expected_version,
    instant,
)
from services.api.past import looking


class ContactReceipt(Struct, frozen=True):
    """The contact, and the position from which the views show the change."""

    id: UUID
    position: int


class ContactController(Controller):
    path = "/v1/contacts"
    tags = ("Contacts",)

    @get(operation_id="list_contacts", summary="List contacts")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        q: Annotated[str | None, QueryParameter(max_length=200, description="Part of a name or handle.")] = None,
        stage: Annotated[Stage | None, QueryParameter(description="By strength today.")] = None,
        half: Annotated[
            Half | None, QueryParameter(description="By where there ever was a touchpoint: online, in person.")
        ] = None,
        channel: Annotated[
            str | None, QueryParameter(max_length=60, description="A slug: ever met in this channel.")
        ] = None,
        quiet_days: Annotated[
            int | None,
            QueryParameter(ge=0, le=40_000, description="Not touched for so many days, or never; days away left out."),
        ] = None,
        min_strength: Annotated[
            float | None, QueryParameter(ge=0, le=100, description="At least this strong, of 100.")
        ] = None,
        status: Annotated[
            Status | None, QueryParameter(description="By where the silence stands in the relationship's own rhythm.")
        ] = None,
        strained: Annotated[
            bool | None, QueryParameter(description="Whether there was a complaint or dispute in the last 90 days.")
        ] = None,
        sort: Annotated[
            Sort,
            QueryParameter(
                description="Strongest first, by name, last touched first, or longest silent in their own rhythm first."
            ),
        ] = "strength",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[ContactRow]:
        """Strength, stage, rhythm and half are as of `scored_at`, the start of the current UTC day."""
        which = Filter(
            q=q, stage=stage, half=half, channel=channel, quiet_days=quiet_days, min_strength=min_strength,
            status=status, strained=strained,
        )  # fmt: skip
        seen = await looking(context, tenant, at, true_at)
        return await contacts.page(
            context, tenant, which, sort=sort, limit=limit, given_cursor=cursor, after=after, seen=seen
        )

    @post(operation_id="add_contact", summary="Add a contact")
    async def add(
        self,
        data: JSONBody[AddContact],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ContactReceipt:
        """A person known by name or by an identity, with what is known of them. 409 when an identity is somebody's."""
        contact_id, done = await commands.add_contact(
            context, tenant, data, origin=origin, idempotency_key=idempotency_key
        )
        return ContactReceipt(contact_id, done.position)

    @get("/{contact_id:uuid}", operation_id="show_contact", summary="One contact")
    async def one(
        self,
        contact_id: ContactId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Response[ContactView]:
        """With identities, interests, and what the owner told. Its `version` is the ETag: send it back as If-Match.

        By the id of a merged contact it answers the one that stands for it: the `id` is another then, and `merged` has
        the one asked for. Of what both were told, the standing one's word stands.
        """
        seen = await looking(context, tenant, at, true_at)
        found = await contacts.one(context, tenant, contact_id, after=after, seen=seen)
        return Response(found, headers={"ETag": f'"{found.version}"'})

    @patch("/{contact_id:uuid}", operation_id="change_contact", summary="Change a contact")
    async def change(
        self,
        contact_id: ContactId,
        data: JSONBody[ChangeContact],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> ContactReceipt:
        """Fields left out stay; identities and interests add. `If-Match: <version>` refuses a stale edit with 412.

        Said of a merged contact, it is said of the one that stands for it, whose id is in the answer.
        """
        who, done = await commands.change_contact(
            context, tenant, contact_id, data, origin=origin, idempotency_key=idempotency_key,
            expected_position=expected_version(if_match),
        )  # fmt: skip
        return ContactReceipt(who, done.position)

    @post("/{contact_id:uuid}/mute", status_code=200, operation_id="mute_nudges", summary="Mute a kind of nudge")
    async def mute(
        self,
        contact_id: ContactId,
        data: JSONBody[MuteNudges],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ContactReceipt:
        """No nudge of this kind about this contact `until` then, within ten years; `null` lets it come again."""
        who, done = await commands.mute_nudges(
            context, tenant, contact_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return ContactReceipt(who, done.position)

    @get("/{contact_id:uuid}/timeline", operation_id="show_timeline", summary="A contact's touchpoints")
    async def timeline(
        self,
        contact_id: ContactId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[Moment]:
        """The newest first; struck ones stay, marked."""
        return await contacts.timeline(context, tenant, contact_id, limit=limit, given_cursor=cursor, after=after)

    @get("/{contact_id:uuid}/strength", operation_id="explain_strength", summary="A relationship's strength, explained")
    async def strength(
        self,
        contact_id: ContactId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        at: At = None,
        true_at: TrueAt = None,
        since: Annotated[
            str | None,
            QueryParameter(
                max_length=40, description="An earlier instant with its offset: what changed since then, and why."
            ),
        ] = None,
        after: After = None,
    ) -> StrengthView:
        """The six parts, whose points add up to the score, and the touchpoints that weigh most in each.

        With `since`, what became of the score from then on: in each part what faded, what came, and by which
        touchpoints.
        """
        seen = await looking(context, tenant, at)
        return await strength.explained(
            context, tenant, contact_id, true_at=instant(true_at, field="true_at"),
            since=instant(since, field="since"), after=after, seen=seen,
        )  # fmt: skip

    @get("/{contact_id:uuid}/strength/history", operation_id="show_strength_history", summary="Strength week by week")
    async def strength_history(
        self,
        contact_id: ContactId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        weeks: Annotated[int, QueryParameter(ge=1, le=MOST_WEEKS, description="So many, back from today.")] = 104,
        true_at: TrueAt = None,
        at: At = None,
        after: After = None,
    ) -> HistoryView:
        """Exactly what the strength was at the end of each seventh day back from today, by what is known now, or was
        known `at` an instant."""
        seen = await looking(context, tenant, at)
        return await strength.history(
            context, tenant, contact_id, weeks=weeks, true_at=instant(true_at, field="true_at"), after=after, seen=seen
        )

    @get("/{contact_id:uuid}/ties", operation_id="list_ties", summary="Whom a contact knows")
    async def ties(
        self,
        contact_id: ContactId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[TieView]:
        """As somebody told, and as introductions, referrals and shared touchpoints show."""
        return await ties.page(context, tenant, contact_id, limit=limit, given_cursor=cursor, after=after)
