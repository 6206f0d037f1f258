"""Imports: how far each has come, what became of its rows, whom it names."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import asdict

from domain.cells import safe
from domain.errors import NotFound
from domain.imports import Outcome, Sort, State
from infra import event_log
from infra.context import Context
from infra.database import Connection, queries, reading
from infra.imports import files, formats, people
from infra.imports.accounts import opened
from infra.imports.job import Import, Shown, own_identities, told_of
from infra.tenants import Tenant
from infra.views.freshness import check_written
from infra.views.pages import Instant, Page, cursor, cut, keys_of

ROWS_AT_ONCE = 2_000
COLUMNS = ("row", "file", "line", "outcome", "kind", "reason", "column", "field", "id", "what stands there")


class Counts(Struct, frozen=True):
    """How many rows became what: they add up to the rows of the file. Before it is started: what they would become.

    `known` were recorded before, by whatever; `waiting` for a person to be sorted; `unread` were not gone through.
    """

    recorded: int
    known: int
    skipped: int
    rejected: int
    waiting: int
    private: int
    undone: int
    unread: int


class Progress(Struct, frozen=True):
    """Rows gone through in the present state, of all where that is known."""

    rows: int
    of: int | None
    rows_per_second: float | None
    seconds_left: float | None


class Kinds(Struct, frozen=True):
    """How many rows of a kind had an outcome; `kind` is a touchpoint's, or `contact`, or `appointment`."""

    outcome: Outcome
    kind: str
    rows: int


class Reasons(Struct, frozen=True):
    """How many rows had an outcome for the same reason, and the first line it happened in."""

    outcome: Outcome
    reason: str
    rows: int
    first_line: int


class People(Struct, frozen=True):
    """How many people the file names: `known` are your people already, `alike` have the name of somebody else."""

    business: int = 0
    private: int = 0
    unsure: int = 0
    known: int = 0
    alike: int = 0


class OwnerView(Struct, frozen=True):
    """An identity that may be the business's own; `own` when it is known to be."""

    platform: str
    handle: str
    name: str | None
    rows: int
    own: bool


class FirstRow(Struct, frozen=True):
    """A row as it would become."""

    row: int
    line: int
    kind: str
    occurred_at: Instant | None
    channel: str | None
    direction: str | None
    people: list[str]


class ImportRow(Struct, frozen=True, kw_only=True):
    """An import in a list. `position` is the log's, from which on views show all of it."""

    id: UUID
    state: State
    format: str
    title: str
    file_name: str
    size: int
    rows: int | None
    counts: Counts
    brought_at: Instant
    ended_at: Instant | None
    error: str | None
    position: int


class ImportView(ImportRow, frozen=True, kw_only=True):
    """One import. `owners` are asked about in the state `needs_owner`; `first_rows` show what rows would become."""

    progress: Progress | None
    kinds: list[Kinds]
    reasons: list[Reasons]
    people: People
    owners: list[OwnerView]
    first_rows: list[FirstRow]


class RowView(Struct, frozen=True):
    """What became of a row. `id` is its touchpoint, contact or appointment; `column` counts from 1."""

    row: int
    line: int
    file: str | None
    outcome: Outcome
    kind: str | None
    id: UUID | None
    reason: str | None
    column: int | None
    field: str | None
    excerpt: str | None


class PersonView(Struct, frozen=True):
    """Somebody the file names, sorted, and why. `like` is a contact of the same name, `like_person` one in the file."""

    id: UUID
    name: str | None
    called: str | None
    sort: Sort
    reason: str | None
    rows: int
    contact_id: UUID | None
    like: UUID | None
    like_person: UUID | None


async def page(
    context: Context,
    tenant: Tenant,
    *,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[ImportRow]:
    """The newest first. Raises Invalid for a bad cursor, or where the log has not got to `after`."""
    await _written(context, tenant, after)
    keys = keys_of(given_cursor, tuple[datetime, UUID]) or (None, None)
    async with reading(context.pool, tenant.tenant_id) as connection:
        rows = await connection.fetch(queries("imports").page, tenant.tenant_id, *keys, limit + 1)
        position = await connection.fetchval(queries("event_log").position, tenant.tenant_id)
    shown, last = cut(rows, limit)
    items = [_row(Import.of(row)) for row in shown]
    return Page(items, None if last is None else cursor(last["brought_at"], last["import_id"]), position)


def _row(found: Import) -> ImportRow:
    return ImportRow(
        id=found.import_id,
        state=found.state,
        format=found.format,
        title=formats.FORMATS[found.format].title if found.format in formats.FORMATS else found.format,
        file_name=found.file_name,
        size=found.size,
        rows=found.rows,
        counts=_counts(found),
        brought_at=found.brought_at,
        ended_at=found.ended_at,
        error=found.error,
        position=found.position,
    )


def _counts(found: Import) -> Counts:
    told = (
        found.recorded, found.known, found.skipped, found.rejected, found.waiting, found.private, found.undone
    )  # fmt: skip
    return Counts(*told, unread=max(0, (found.rows or 0) - sum(told)))


async def _written(context: Context, tenant: Tenant, after: int | None) -> None:
    """Imports are rows, no views: whatever was answered, they show. Raises Invalid for a position nobody was told."""
    if after is not None:
        check_written(after, await event_log.head(context.pool, tenant.tenant_id) or 0)


async def one(context: Context, tenant: Tenant, import_id: UUID, *, after: int | None = None) -> ImportView:
    """One import. Raises NotFound, Invalid."""
    await _written(context, tenant, after)
    sql, key = queries("imports"), (tenant.tenant_id, import_id)
    async with reading(context.pool, tenant.tenant_id) as connection:
        found = await _found(connection, tenant, import_id)
        kinds = await connection.fetch(sql.kinds, *key)
        reasons = await connection.fetch(sql.reasons, *key)
        sorted_ = {row["sort"]: row for row in await connection.fetch(sql.people_counts, *key)}
        own = await own_identities(connection, tenant)
    told = told_of(tenant, found)
    return ImportView(
        **asdict(_row(found)),
        progress=progress_of(found, datetime.now(UTC)),
        kinds=[Kinds(**dict(row)) for row in kinds],
        reasons=[Reasons(**dict(row)) for row in reasons],
        people=_people(sorted_),
        owners=[OwnerView(o.platform, o.handle, o.name, o.rows, (o.platform, o.handle) in own) for o in told.owners],
        first_rows=[_first(row) for row in told.first_rows],
    )


def _first(row: Shown) -> FirstRow:
    return FirstRow(row.row, row.line, row.kind, row.occurred_at, row.channel, row.direction, row.people)


def _people(by_sort: Mapping[str, asyncpg.Record]) -> People:
    def sum_of(what: str) -> int:
        return sum(row[what] for row in by_sort.values())

    numbers = {sort: row["people"] for sort, row in by_sort.items()}
    return People(**numbers, known=sum_of("known"), alike=sum_of("alike"))


async def _found(connection: Connection, tenant: Tenant, import_id: UUID) -> Import:
    row = await connection.fetchrow(queries("imports").one, tenant.tenant_id, import_id)
    if row is None:
        raise NotFound("there is no such import")
    return Import.of(row)


def progress_of(found: Import, now: datetime) -> Progress | None:
    """How fast it goes, while it goes."""
    if found.state not in ("reading", "sorting", "running", "answering", "undoing"):
        return None
    through, seconds = found.through_row, (now - found.since).total_seconds()
    speed = through / seconds if through and seconds > 0 else None
    of = found.rows if found.state in ("running", "undoing") else None
    left = None if of is None or speed is None else max(0.0, (of - through) / speed)
    return Progress(through, of, speed and round(speed, 1), left and round(left, 1))


async def rows(
    context: Context,
    tenant: Tenant,
    import_id: UUID,
    *,
    outcome: Outcome | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[RowView]:
    """What became of the rows, in order. Raises NotFound, Invalid for a bad cursor."""
    await _written(context, tenant, after)
    [row] = keys_of(given_cursor, tuple[int]) or (0,)
    async with reading(context.pool, tenant.tenant_id) as connection:
        found = await _found(connection, tenant, import_id)
        page = await connection.fetch(queries("imports").rows, tenant.tenant_id, import_id, outcome, row, limit + 1)
    shown, last = cut(page, limit)
    items = [_row_view(tenant, import_id, row) for row in shown]
    return Page(items, None if last is None else cursor(last["row"]), found.position)


def _row_view(tenant: Tenant, import_id: UUID, row: asyncpg.Record) -> RowView:
    kept = None if row["sealed"] is None else opened(tenant, import_id, row["row"], row["sealed"])
    return RowView(
        row["row"], row["line"], row["member"], row["outcome"], row["kind"], row["fact_id"], row["reason"], row["col"],
        row["field"], kept.excerpt if kept else None,
    )  # fmt: skip


async def named(
    context: Context,
    tenant: Tenant,
    import_id: UUID,
    *,
    sort: Sort | None = None,
    limit: int = 50,
    given_cursor: str | None = None,
    after: int | None = None,
) -> Page[PersonView]:
    """The people of the file, those with the most rows first. Raises NotFound, Invalid for a bad cursor."""
    await _written(context, tenant, after)
    keys = keys_of(given_cursor, tuple[int, UUID]) or (None, None)
    async with reading(context.pool, tenant.tenant_id) as connection:
        found = await _found(connection, tenant, import_id)
        page = await connection.fetch(queries("imports").people, tenant.tenant_id, import_id, sort, *keys, limit + 1)
    shown, last = cut(page, limit)
    items = [_person_view(tenant, import_id, row) for row in shown]
    return Page(items, None if last is None else cursor(last["rows"], last["person_id"]), found.position)


def _person_view(tenant: Tenant, import_id: UUID, row: asyncpg.Record) -> PersonView:
    """Their name is there while somebody may have to know it."""
    name = called = None
    if row["sealed"] is not None:
        packed = files.unseal(tenant, import_id, f"person {row['person_id']}", row["sealed"])
        name, called = people.shown(people.unpack(packed))
    return PersonView(
        row["person_id"], name, called, row["sort"], row["reason"], row["rows"], row["contact_id"], row["like_id"],
        row["like_person"],
    )  # fmt: skip


async def report(
    context: Context, tenant: Tenant, import_id: UUID, *, after: int | None = None
) -> AsyncIterator[bytes]:
    """Every row and what became of it, as a table (CSV), piece by piece. Formulas are text in it. Raises NotFound."""
    await _written(context, tenant, after)
    async with reading(context.pool, tenant.tenant_id) as connection:
        await _found(connection, tenant, import_id)
    return _report(context, tenant, import_id)


async def _report(context: Context, tenant: Tenant, import_id: UUID) -> AsyncIterator[bytes]:
    yield _table([COLUMNS])
    after = 0
    while True:
        async with reading(context.pool, tenant.tenant_id) as connection:
            page = await connection.fetch(
                queries("imports").rows, tenant.tenant_id, import_id, None, after, ROWS_AT_ONCE
            )
        if not page:
            return
        after = page[-1]["row"]
        yield _table([_cells(_row_view(tenant, import_id, row)) for row in page])


def _cells(row: RowView) -> tuple[object, ...]:
    return (
        row.row, row.file, row.line, row.outcome, row.kind, row.reason, row.column, row.field, row.id, row.excerpt
    )  # fmt: skip


def _table(rows: list[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([["" if cell is None else safe(str(cell)) for cell in row] for row in rows])
    return text.getvalue().encode()
