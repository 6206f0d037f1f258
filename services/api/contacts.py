"""Contacts: list, one, add, change, timeline, strength."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Request, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from domain.contacts import AddContact, ChangeContact
from infra import commands
from infra.commands import Origin
from infra.context import Context
from infra.tenants import Tenant
from infra.views import contacts, strength
from infra.views.contacts import ContactRow, ContactView, Filter, Moment, Sort
from infra.views.pages import Page
from infra.views.strength import StrengthView
from services.api.parameters import After, Cursor, Limit, expected_version, instant
from services.api.requests import idempotency_key

Stage = Literal["named_only", "by_sight", "acquaintance", "familiar", "ally", "advocate"]
Half = Literal["online_only", "in_person_only", "both", "named_only"]


class ContactReceipt(Struct, frozen=True):
    """The contact, and the position from which the views show the change."""

    id: UUID
    position: int


class ContactController(Controller):
    path = "/v1/contacts"
    tags = ("Contacts",)

    @get(summary="List contacts")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        q: Annotated[str | None, QueryParameter(max_length=200, description="Part of a name or handle.")] = None,
        stage: Annotated[Stage | None, QueryParameter()] = None,
        half: Annotated[Half | None, QueryParameter(description="By facts ever.")] = None,
        channel: Annotated[str | None, QueryParameter(max_length=60, description="Ever met in this channel.")] = None,
        quiet_days: Annotated[
            int | None, QueryParameter(ge=0, le=40_000, description="Not touched for so many days, or never.")
        ] = None,
        min_strength: Annotated[float | None, QueryParameter(ge=0, le=100)] = None,
        sort: Annotated[Sort, QueryParameter(description="Strongest first, by name, or last touched first.")] = "strength",
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[ContactRow]:
        """Strength, stage and half are as of `scored_at`, the start of the current UTC day."""
        which = Filter(
            q=q, stage=stage, half=half, channel=channel, quiet_days=quiet_days, min_strength=min_strength
        )
        return await contacts.page(context, tenant, which, sort=sort, limit=limit, given_cursor=cursor, after=after)

    @post(summary="Add a contact")
    async def add(
        self,
        data: JSONBody[AddContact],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> ContactReceipt:
        """A person known by name or by an identity, with what is known of them. 409 when an identity is somebody's."""
        contact_id, done = await commands.add_contact(
            context, tenant, data, origin=origin, idempotency_key=idempotency_key(request)
        )
        return ContactReceipt(contact_id, done.position)

    @get("/{contact_id:uuid}", summary="One contact")
    async def one(
        self,
        contact_id: FromPath[UUID],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> ContactView:
        """With identities, interests, and what the owner told."""
        return await contacts.one(context, tenant, contact_id, after=after)

    @patch("/{contact_id:uuid}", summary="Change a contact")
    async def change(
        self,
        contact_id: FromPath[UUID],
        data: JSONBody[ChangeContact],
        request: Request[Any, Any, Any],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
    ) -> ContactReceipt:
        """Fields left out stay; identities and interests add. `If-Match: <version>` refuses a stale edit with 412."""
        done = await commands.change_contact(
            context, tenant, contact_id, data, origin=origin, idempotency_key=idempotency_key(request),
            expected_position=expected_version(request),
        )  # fmt: skip
        return ContactReceipt(contact_id, done.position)

    @get("/{contact_id:uuid}/timeline", summary="A contact's touchpoints")
    async def timeline(
        self,
        contact_id: FromPath[UUID],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[Moment]:
        """The newest first; struck ones stay, marked."""
        return await contacts.timeline(context, tenant, contact_id, limit=limit, given_cursor=cursor, after=after)

    @get("/{contact_id:uuid}/strength", summary="A relationship's strength, explained")
    async def strength(
        self,
        contact_id: FromPath[UUID],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        true_at: Annotated[
            str | None, QueryParameter(description="By what had happened by this instant.", max_length=40)
        ] = None,
        after: After = None,
    ) -> StrengthView:
        """The six parts, whose points add up to the score, and the touchpoints that weigh most in each."""
        return await strength.explained(
            context, tenant, contact_id, true_at=instant(true_at, field="true_at"), after=after
        )
