"""Contacts that are one person, and those that are not: likely duplicates, merge, unmerge, not the same."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from domain.merges import MergeContacts, MergePairs, TellApart, UnmergeContact
from infra import commands
from infra.commands import Merged
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import duplicates
from infra.views.duplicates import DuplicateView
from infra.views.pages import Page
from services.api.contacts import ContactReceipt
from services.api.parameters import After, ContactId, Cursor, IdempotencyKey, Limit
from services.api.problems import Problem, counted, problem_of
from services.api.touchpoints import Receipt


class MergeResult(Struct, frozen=True):
    """What became of one pair: merged (`recorded`), one already (`duplicate`), or `rejected` with the problem."""

    status: Literal["recorded", "duplicate", "rejected"]
    contact_id: UUID
    merged_id: UUID
    position: int | None
    problem: Problem | UnsetType = UNSET


class MergeResults(Struct, frozen=True):
    """One result for each pair, in its order; `position` of the last of them, to be given as `after` to a read."""

    results: list[MergeResult]
    position: int | None


class MergeController(Controller):
    path = "/v1/contacts"
    tags = ("Contacts",)

    @get("/duplicates", operation_id="list_duplicates", summary="Contacts that may be one person")
    async def duplicates(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        min_score: Annotated[
            float, QueryParameter(ge=0.3, le=1, description="At least this likely, from 0 to 1.")
        ] = 0.5,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[DuplicateView]:
        """The likeliest first, each pair once, with the reasons in words.

        Never a pair told apart, and never two whom the same imported file names.
        """
        return await duplicates.page(
            context, tenant, min_score=min_score, limit=limit, given_cursor=cursor, after=after
        )

    @post("/{contact_id:uuid}/merge", status_code=200, operation_id="merge_contacts", summary="Merge contacts into one")
    async def merge(
        self,
        contact_id: ContactId,
        data: JSONBody[MergeContacts],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ContactReceipt:
        """They are the person that this contact is: all of them are merged into it, or none. It stands for them
        everywhere from now on; nothing is copied, and an unmerge gives each back as it was. 409 for one merged
        elsewhere, and for a circle.
        """
        done = await commands.merge_contacts(
            context, tenant, contact_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return ContactReceipt(contact_id, done.position)

    @post("/merges", status_code=200, operation_id="merge_pairs", summary="Merge thousands of pairs")
    async def merge_pairs(
        self,
        data: JSONBody[MergePairs],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[MergeResults]:
        """Up to 5,000 pairs, each merged by itself, in order. The answer is 200 when at least one was merged or one
        already, else 422; the results say of each what became of it.
        """
        done = await commands.merge_pairs(context, tenant, data.pairs, origin=origin, idempotency_key=idempotency_key)
        position = max((one.position for one in done if one.position is not None), default=None)
        taken = any(one.status != "rejected" for one in done)
        return Response(MergeResults(list(map(_result, done)), position), status_code=200 if taken else 422)

    @post("/{contact_id:uuid}/unmerge", status_code=200, operation_id="unmerge_contact", summary="Take a merge back")
    async def unmerge(
        self,
        contact_id: ContactId,
        data: JSONBody[UnmergeContact],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> ContactReceipt:
        """Somebody merged into this contact is somebody else after all, with all that was ever told of them, and with
        those merged into them. Answers the contact that is back. 409 for one that is not merged here, with where.
        """
        done = await commands.unmerge_contact(
            context, tenant, contact_id, data, origin=origin, idempotency_key=idempotency_key
        )
        return ContactReceipt(data.contact_id, done.position)

    @post("/not-the-same", status_code=200, operation_id="tell_apart", summary="Two contacts are two people")
    async def tell_apart(
        self,
        data: JSONBody[TellApart],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        idempotency_key: IdempotencyKey = None,
    ) -> Receipt:
        """Remembered for this pair: they are never suggested as duplicates again. 409 while they are merged."""
        done = await commands.tell_apart(context, tenant, data, origin=origin, idempotency_key=idempotency_key)
        return Receipt(done.position)


def _result(one: Merged) -> MergeResult:
    problem = UNSET if one.problem is None else counted(problem_of(one.problem))
    return MergeResult(one.status, one.pair.contact_id, one.pair.merged_id, one.position, problem)
