"""An import as it stands, and the hands it is in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from domain.identities import normalise
from domain.imports import OwnerCandidate, State, Unsure
from infra.database import Connection, queries
from infra.imports import files
from infra.tenants import Tenant

if TYPE_CHECKING:
    from infra.context import Context

UNSTARTED = timedelta(days=14)  # so long an import waits to be started
UNSORTED = timedelta(days=30)  # so long rows wait for somebody to sort their people, and excerpts are kept
DRY = frozenset({"reading", "sorting", "needs_owner", "ready"})


class Import(Struct, frozen=True, kw_only=True):
    import_id: UUID
    format: str
    file_name: str
    size: int
    sha256: bytes
    started_by: str
    state: State
    unsure: Unsure
    through_row: int
    rows: int | None
    recorded: int
    known: int
    skipped: int
    rejected: int
    waiting: int
    private: int
    undone: int
    position: int
    told: bytes | None
    brought_at: datetime
    since: datetime
    ended_at: datetime | None
    error: str | None
    tries: int
    batch_to: int
    cancel_asked: bool

    @property
    def batch_begun(self) -> bool:
        """Whether some of the next rows may be recorded already."""
        return self.batch_to > self.through_row

    @classmethod
    def of(cls, row: asyncpg.Record | None) -> "Import":
        assert row is not None  # noqa: S101 - its row is locked
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class Shown(Struct, frozen=True):
    """A row as it would become: what the dry run shows first."""

    row: int
    line: int
    kind: str
    occurred_at: datetime | None
    channel: str | None
    direction: str | None
    people: list[str]


class Told(Struct, frozen=True):
    """What is kept sealed beside the counts."""

    owners: list[OwnerCandidate] = []
    first_rows: list[Shown] = []


class Superseded(Exception):
    """The import is no more as this worker took it: somebody decided otherwise, or another worker went on with it."""


class Job(Struct, frozen=True):
    """An import in a transaction of `connection`, which has entered its tenant."""

    context: "Context"
    connection: Connection
    tenant: Tenant
    found: Import

    @property
    def key(self) -> tuple[UUID, UUID]:
        return self.tenant.tenant_id, self.found.import_id


def as_taken(context: "Context", tenant_id: UUID, found: Import) -> tuple[object, ...]:
    """What an import is known by in the hands of this worker."""
    return (
        tenant_id, found.import_id, context.files.worker, found.state, found.since, found.through_row,
    )  # fmt: skip


async def hold(job: Job) -> bool:
    """Lock the import, before anything is written of it. Whether it was asked to be cancelled. Raises Superseded."""
    row = await job.connection.fetchrow(
        queries("imports").hold_leased, *as_taken(job.context, job.tenant.tenant_id, job.found)
    )
    if row is None:
        raise Superseded
    return bool(row["cancel_asked"])


def told_of(tenant: Tenant, found: Import) -> Told:
    if found.told is None:
        return Told()
    return msgspec.json.decode(files.unseal(tenant, found.import_id, "told", found.told), type=Told)


async def tell(job: Job, told: Told) -> None:
    sealed = files.seal(job.tenant, job.found.import_id, "told", msgspec.json.encode(told))
    await job.connection.execute(queries("imports").tell, *job.key, sealed)


async def enter_state(job: Job, state: State, *, due_in: timedelta = timedelta()) -> None:
    await job.connection.execute(queries("imports").enter_state, *job.key, state, datetime.now(UTC) + due_in)


async def went_on(job: Job, through_row: int, position: int = 0) -> None:
    await job.connection.execute(queries("imports").went_on, *job.key, through_row, position)


async def comes_back(job: Job, pause: timedelta) -> None:
    await hold(job)
    await job.connection.execute(queries("imports").comes_back, *job.key, pause)


async def end(job: Job, state: State, *, error: str | None = None) -> None:
    """No more is done. The file goes, and who its people are; excerpts of what was not recorded stay a while."""
    sql = queries("imports")
    job.context.files.close(job.found.import_id)
    if job.found.state in DRY:
        await forget_dry_run(job)
        await job.connection.execute(sql.forget_people, *job.key)
    await enter_state(job, state, due_in=UNSORTED)
    await job.connection.execute(sql.drop_file, *job.key)
    await job.connection.execute(sql.forget_names, *job.key, False)
    if error is not None:
        await job.connection.execute(sql.fail, *job.key, error)


async def forget_dry_run(job: Job) -> None:
    """What stands in the account is from now on what was recorded, not what would be."""
    await job.connection.execute(queries("imports").forget_rows, *job.key)
    await count_again(job)


async def count_again(job: Job) -> None:
    """How many rows became what, by the rows that are there."""
    await job.connection.execute(queries("imports").count_again, *job.key)


async def own_identities(connection: Connection, tenant: Tenant) -> frozenset[tuple[str, str]]:
    """Who is "us"."""
    rows = await connection.fetch(queries("imports").own, tenant.tenant_id)
    return frozenset((row["platform"], _own_handle(tenant, row)) for row in rows)


def _own_handle(tenant: Tenant, row: asyncpg.Record) -> str:
    return files.unseal(tenant, tenant.tenant_id, f"own {row['platform']}", row["sealed"]).decode()


async def remember_own(connection: Connection, tenant: Tenant, own: Sequence[tuple[str, str]]) -> None:
    for platform, handle in own:
        sealed = files.seal(tenant, tenant.tenant_id, f"own {platform}", handle.encode())
        digest = tenant.keys.digest(platform, handle)
        await connection.execute(queries("imports").add_own, tenant.tenant_id, platform, digest, sealed)


def normalised_own(tenant: Tenant, candidates: Sequence[OwnerCandidate]) -> set[tuple[str, str]]:
    return {normalise(one.platform, one.handle, country=tenant.country) for one in candidates}
