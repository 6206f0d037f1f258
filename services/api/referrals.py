"""Referrals, introductions and ties: told, and read as lists and chains."""

from typing import Annotated, cast
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from domain.referrals import Direction, MakeReferral, ReferralMade, Status, TellOutcome
from domain.ties import IntroductionMade, MakeIntroduction, NoteTie
from infra import commands
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import referral_overview, referrals, referrers, supporters
from infra.views.pages import Page
from infra.views.referral_overview import ReferralOverview
from infra.views.referrals import ReferralFilter, ReferralRow, ReferralView, TreeView
from infra.views.referrers import BalanceView, ReferrerView
from infra.views.supporters import SupporterView
from services.api.parameters import After, At, Cursor, IdempotencyKey, Limit, TrueAt, instant
from services.api.past import looking
from services.api.touchpoints import Receipt

ReferralId = Annotated[UUID, PathParameter(description="The referral's id.")]


class ReferralReceipt(Struct, frozen=True):
    """The referral with its people and its touchpoint, and the position from which the views show it."""

    id: UUID
    referrer_id: UUID
    prospect_id: UUID
    touchpoint_id: UUID
    position: int


class OutcomeReceipt(Struct, frozen=True):
    """The referral, and the position from which the views show its outcome."""

    id: UUID
    position: int


class IntroductionReceipt(Struct, frozen=True):
    """The introduction; `contact_ids` in the order of `people`; the position from which the views show it."""

    id: UUID
    contact_ids: list[UUID]
    introducer_id: UUID | None
    touchpoint_id: UUID
    position: int


class ReferralController(Controller):
    path = "/v1/referrals"
    tags = ("Referrals",)

    @get(operation_id="list_referrals", summary="List referrals")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        direction: Annotated[Direction | None, QueryParameter(description="Received or given.")] = None,
        status: Annotated[Status | None, QueryParameter(description="What became of it so far.")] = None,
        referrer: Annotated[UUID | None, QueryParameter(description="Made by this contact, or given to them.")] = None,
        prospect: Annotated[UUID | None, QueryParameter(description="Of this contact.")] = None,
        unthanked: Annotated[
            bool | None, QueryParameter(description="`true`: received, and nobody has thanked for it yet.")
        ] = None,
        since: Annotated[
            str | None, QueryParameter(max_length=40, description="Made at or after this instant with its offset.")
        ] = None,
        withdrawn: Annotated[bool, QueryParameter(description="`true`: only those that were taken back.")] = False,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[ReferralRow]:
        """The newest first, each with its fate, its value, and how long contact and thanks took."""
        which = ReferralFilter(
            direction=direction, status=status, referrer=referrer, prospect=prospect, unthanked=unthanked,
            since=instant(since, field="since"), withdrawn=withdrawn,
        )  # fmt: skip
        seen = await looking(context, tenant, at, true_at)
        return await referrals.page(context, tenant, which, limit=limit, given_cursor=cursor, after=after, seen=seen)

    @post(operation_id="make_referral", summary="Tell of a referral")
    async def make(
        self,
        data: JSONBody[MakeReferral],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ReferralReceipt:
        """A person handed over to us, or by us. It is a touchpoint with the referrer too: strike that to take it back.

        404 for a contact that is not there; the same `source` and `source_id`, or `Idempotency-Key`, make it once.
        """
        done = await commands.make_referral(context, tenant, data, origin=origin, idempotency_key=idempotency_key)
        made = cast(ReferralMade, done.lead)
        return ReferralReceipt(made.referral_id, made.referrer_id, made.prospect_id, made.touchpoint_id, done.position)

    @get("/tree", operation_id="show_referral_tree", summary="Chains of referrals")
    async def tree(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        root: Annotated[UUID | None, QueryParameter(description="Only this contact and those below.")] = None,
        depth: Annotated[int, QueryParameter(ge=1, le=50, description="Generations shown below the first.")] = 10,
        limit: Annotated[int, QueryParameter(ge=1, le=2000, description="People shown.")] = 500,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> TreeView:
        """Who came by whom: generations, values, and how long thanks took. Amounts are all in the tenant's currency."""
        seen = await looking(context, tenant, at, true_at)
        return await referrals.tree(context, tenant, root=root, depth=depth, limit=limit, after=after, seen=seen)

    @get("/overview", operation_id="show_referral_overview", summary="Referrals as a whole")
    async def overview(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> ReferralOverview:
        """Told, referred and won; how long contact and thanks took; generations; whether clients bring clients.

        What too few referrals cannot tell is null, and `missing` says what it needs.
        """
        seen = await looking(context, tenant, at, true_at)
        return await referral_overview.overview(context, tenant, after=after, seen=seen)

    @get("/referrers", operation_id="list_referrers", summary="List those who refer")
    async def referrers(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[ReferrerView]:
        """Those worth most a year first, each with its interval; of equals who vouched more."""
        seen = await looking(context, tenant, at, true_at)
        return await referrers.page(context, tenant, limit=limit, given_cursor=cursor, after=after, seen=seen)

    @get("/supporters", operation_id="list_supporters", summary="List those who spoke for us")
    async def supporters(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        from_afar: Annotated[
            bool | None, QueryParameter(description="`true`: those out of reach alone; `false`: the others.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[SupporterView]:
        """Who vouched, shared, reviewed or referred in the last 365 days, at any stage; the latest first."""
        seen = await looking(context, tenant, at, true_at)
        return await supporters.page(
            context, tenant, from_afar=from_afar, limit=limit, given_cursor=cursor, after=after, seen=seen
        )

    @get("/balance", operation_id="list_referral_balances", summary="Who leads between us and our allies")
    async def balance(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
        at: At = None,
        true_at: TrueAt = None,
    ) -> Page[BalanceView]:
        """In words, for allies and advocates alone: `even`, `you_lead`, `they_lead`."""
        seen = await looking(context, tenant, at, true_at)
        return await referrers.balances(context, tenant, limit=limit, given_cursor=cursor, after=after, seen=seen)

    @get("/{referral_id:uuid}", operation_id="show_referral", summary="One referral")
    async def one(
        self,
        referral_id: ReferralId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> ReferralView:
        """With its note and every outcome in the order of telling."""
        return await referrals.one(context, tenant, referral_id, after=after)

    @post(
        "/{referral_id:uuid}/outcome", status_code=200, operation_id="tell_outcome",
        summary="Tell what became of a referral",
    )  # fmt: skip
    async def outcome(
        self,
        referral_id: ReferralId,
        data: JSONBody[TellOutcome],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> OutcomeReceipt:
        """Outcomes count by when they happened, in whatever order they are told; the same again changes nothing.

        The first value settles the business's currency; one in another currency is 409. `thanked` records a touchpoint.
        """
        done = await commands.tell_outcome(
            context, tenant, referral_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return OutcomeReceipt(referral_id, done.position)


class IntroductionController(Controller):
    path = "/v1/introductions"
    tags = ("Referrals",)

    @post(operation_id="make_introduction", summary="Tell of an introduction")
    async def make(
        self,
        data: JSONBody[MakeIntroduction],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> IntroductionReceipt:
        """People who know each other from now on. A touchpoint with those we introduced, or with who introduced us."""
        done = await commands.make_introduction(context, tenant, data, origin=origin, idempotency_key=idempotency_key)
        made = cast(IntroductionMade, done.lead)
        return IntroductionReceipt(
            made.introduction_id, list(made.contact_ids), made.introducer_id, made.touchpoint_id, done.position
        )


class TieController(Controller):
    path = "/v1/ties"
    tags = ("Referrals",)

    @post(operation_id="note_tie", summary="Note that two contacts know each other")
    async def note(
        self,
        data: JSONBody[NoteTie],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Receipt:
        """Whoever is named first; twice is as good as once."""
        done = await commands.note_tie(context, tenant, data, origin=origin, idempotency_key=idempotency_key)
        return Receipt(done.position)
