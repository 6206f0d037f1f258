"""The account of an import: what became of each row, and how many became what."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct
from prometheus_client import Counter

from domain.imports import AppointmentRow, ContactRow, Outcome, Rejected, Row, Skipped, TouchpointRow
from infra.database import Connection, queries
from infra.imports import files
from infra.tenants import Tenant

ROWS = Counter("rapport_import_rows", "Rows of imports gone through in earnest, by outcome.", ["outcome"])
_PACK = msgspec.msgpack.Encoder()


class Kept(Struct, frozen=True, omit_defaults=True):
    """What is kept of a row for a while: its excerpt; of a row that waits, all that is to be recorded later."""

    excerpt: str = ""
    touchpoint: TouchpointRow | None = None
    contact: ContactRow | None = None
    appointment: AppointmentRow | None = None


_KEPT = msgspec.msgpack.Decoder(Kept)


class Account(Struct, frozen=True):
    """What became of a row, or would become of it. `kept` is sealed with it."""

    row: int
    line: int
    member: str | None
    outcome: Outcome
    kind: str | None = None
    fact_id: UUID | None = None
    people: tuple[UUID, ...] = ()
    reason: str | None = None
    column: int | None = None
    field: str | None = None
    kept: Kept | None = None


def refused(number: int, row: Row, rejected: Rejected) -> Account:
    return Account(
        number, row.line, row.member, "rejected", reason=rejected.reason, column=rejected.column, field=rejected.field,
        kept=Kept(row.excerpt),
    )  # fmt: skip


def passed(number: int, row: Row, reason: str) -> Account:
    return Account(number, row.line, row.member, "skipped", reason=reason, kept=Kept(row.excerpt))


def private(number: int, row: Row, reason: str = "private") -> Account:
    return Account(number, row.line, row.member, "private", reason=reason)


def unusable(number: int, row: Row) -> Account | None:
    """The account of a row its reader could make nothing of, or rightly left out."""
    match row.outcome:
        case Skipped(reason=reason):
            return passed(number, row, reason)
        case Rejected() as rejected:
            return refused(number, row, rejected)
        case _:
            return None


def whole(row: Row) -> Kept:
    """All of a row, to be recorded later."""
    match row.outcome:
        case TouchpointRow() as touchpoint:
            return Kept(row.excerpt, touchpoint=touchpoint)
        case ContactRow() as contact:
            return Kept(row.excerpt, contact=contact)
        case AppointmentRow() as appointment:
            return Kept(row.excerpt, appointment=appointment)
        case _:
            return Kept(row.excerpt)


def row_of(kept: Kept, line: int, member: str | None) -> Row:
    """The row that was kept whole."""
    outcome = kept.touchpoint or kept.contact or kept.appointment
    assert outcome is not None  # noqa: S101 - only rows that wait are read again, and those are kept whole
    return Row(line, outcome, kept.excerpt, member)


def opened(tenant: Tenant, import_id: UUID, number: int, sealed: bytes) -> Kept:
    return _KEPT.decode(files.unseal(tenant, import_id, f"row {number}", sealed))


async def account(connection: Connection, tenant: Tenant, import_id: UUID, accounts: Sequence[Account]) -> None:
    """Write what became of rows, over what was written of them before, and count."""
    if not accounts:
        return
    rows = [
        (
            one.row, one.line, one.member, one.outcome, one.kind, one.fact_id,
            msgspec.json.encode(one.people).decode(), one.reason, one.column, one.field,
            _sealed(tenant, import_id, one),
        )
        for one in accounts
    ]  # fmt: skip
    columns = map(list, zip(*rows, strict=True))
    await connection.execute(queries("imports").account, tenant.tenant_id, import_id, *columns)


def _sealed(tenant: Tenant, import_id: UUID, one: Account) -> bytes | None:
    if one.kept is None or one.kept == Kept():
        return None
    return files.seal(tenant, import_id, f"row {one.row}", _PACK.encode(one.kept))


def measure(accounts: Sequence[Account]) -> None:
    for one in accounts:
        ROWS.labels(one.outcome).inc()
