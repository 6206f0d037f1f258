"""Imports: bring a file, see its dry run, record it, take it back."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from domain.imports import Outcome, SayOwn, Sort, StartImport
from infra.context import Context
from infra.imports import desk, files
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import imports
from infra.views.imports import ImportRow, ImportView, PersonView, RowView
from infra.views.pages import Page
from services.api.parameters import After, Cursor, IdempotencyKey, Limit
from services.api.requests import Caller
from services.api.uploads import Upload

ImportId = Annotated[UUID, PathParameter(description="The import's id.")]


class NewImport(Struct, frozen=True):
    """The import, in its dry run. `same_as` is an earlier import of the very same file."""

    id: UUID
    format: str
    same_as: UUID | None


class ImportReceipt(Struct, frozen=True):
    """The import. The work goes on: ask for it."""

    id: UUID


class ImportController(Controller):
    path = "/v1/imports"
    tags = ("Imports",)

    @post(
        status_code=202,
        operation_id="bring_import",
        summary="Bring a file",
        media_types=("*/*",),
        request_max_body_size=None,
    )
    async def bring(
        self,
        request: Request[Caller, str, State],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        origin: NamedDependency[Origin],
        settings: NamedDependency[Settings],
        file_name: Annotated[
            str | None,
            QueryParameter(max_length=255, description="Its name, to show; a form has it."),
        ] = None,
        idempotency_key: IdempotencyKey = None,
    ) -> NewImport:
        """The file is the body, or the first file of a form (`multipart/form-data`). Its format is recognised by its
        content. Nothing is recorded yet: ask for the import until it is `ready`, then start it. A file that is none
        we read is a 400 that says what it is, and nothing is kept of it."""
        most = settings.import_limit_mb * 1_000_000
        upload = Upload(request, most=most)
        async with files.spooled(upload.pieces(), most=most) as kept:
            brought = await desk.bring(
                context, tenant, kept, file_name=upload.file_name or file_name, origin=origin,
                idempotency_key=idempotency_key,
            )  # fmt: skip
        return NewImport(brought.import_id, brought.format, brought.same_as)

    @get(operation_id="list_imports", summary="List imports")
    async def page(
        self,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[ImportRow]:
        """The newest first."""
        return await imports.page(context, tenant, limit=limit, given_cursor=cursor, after=after)

    @get("/{import_id:uuid}", operation_id="show_import", summary="One import")
    async def one(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> ImportView:
        """How far it has come, what became of its rows and why, whom it names, its first rows."""
        return await imports.one(context, tenant, import_id, after=after)

    @get("/{import_id:uuid}/rows", operation_id="list_import_rows", summary="The rows of an import")
    async def rows(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        outcome: Annotated[Outcome | None, QueryParameter(description="Only rows that became this.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[RowView]:
        """What became of each, in the order of the file."""
        return await imports.rows(
            context, tenant, import_id, outcome=outcome, limit=limit, given_cursor=cursor, after=after
        )

    @get("/{import_id:uuid}/people", operation_id="list_import_people", summary="The people of an import")
    async def people(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        sort: Annotated[Sort | None, QueryParameter(description="Only people of this sort.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: After = None,
    ) -> Page[PersonView]:
        """Sorted into business, private and unsure, with the reasons; who is like somebody known."""
        return await imports.named(context, tenant, import_id, sort=sort, limit=limit, given_cursor=cursor, after=after)

    @get(
        "/{import_id:uuid}/report.csv",
        operation_id="download_import_report",
        summary="The report of an import",
        media_type="text/csv",
    )
    async def report(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        after: After = None,
    ) -> Response[bytes]:
        """Every row and what became of it, as a table (CSV). What a spreadsheet would take for a formula is text."""
        table = await imports.report(context, tenant, import_id, after=after)
        name = f'attachment; filename="import-{import_id}.csv"'
        return Stream(table, media_type="text/csv", headers={"Content-Disposition": name})  # type: ignore[return-value]

    @post("/{import_id:uuid}/own", status_code=202, operation_id="say_own_identities", summary="Say who is us")
    async def own(
        self,
        import_id: ImportId,
        data: JSONBody[SayOwn],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> ImportReceipt:
        """Which identities in the file are the business's own: remembered for every file. The file is read anew."""
        await desk.say_own(context, tenant, import_id, data, idempotency_key=idempotency_key)
        return ImportReceipt(import_id)

    @post("/{import_id:uuid}/start", status_code=202, operation_id="start_import", summary="Record an import")
    async def start(
        self,
        import_id: ImportId,
        data: JSONBody[StartImport],
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> ImportReceipt:
        """When its dry run is over: record it. When it is done: record rows whose people are sorted only now."""
        await desk.start(context, tenant, import_id, data, idempotency_key=idempotency_key)
        return ImportReceipt(import_id)

    @post("/{import_id:uuid}/undo", status_code=202, operation_id="undo_import", summary="Undo an import")
    async def undo(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> ImportReceipt:
        """Strike its touchpoints, call off its appointments, remove people nobody else touched. Twice is as once."""
        await desk.undo(context, tenant, import_id, idempotency_key=idempotency_key)
        return ImportReceipt(import_id)

    @post("/{import_id:uuid}/cancel", status_code=202, operation_id="cancel_import", summary="Give up an import")
    async def cancel(
        self,
        import_id: ImportId,
        context: NamedDependency[Context],
        tenant: NamedDependency[Tenant],
        idempotency_key: IdempotencyKey = None,
    ) -> ImportReceipt:
        """Go no further. What was recorded stays, and can be undone. Twice is as good as once."""
        await desk.cancel(context, tenant, import_id, idempotency_key=idempotency_key)
        return ImportReceipt(import_id)
