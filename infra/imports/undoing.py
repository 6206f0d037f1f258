"""Undo: what an import recorded is struck, its appointments are called off, people nobody else touched are removed."""

from datetime import timedelta

import asyncpg
from msgspec.structs import replace

from domain.errors import Refused
from infra.commands.appointments import withdraw_appointments
from infra.commands.decisions import Done
from infra.commands.imports import AT_ONCE, TELLING, NotSeenYet, remove_contacts, strike_imported
from infra.database import queries
from infra.imports.accounts import Account, account, measure
from infra.imports.job import Job, comes_back, end, hold, went_on
from infra.imports.reader_messages import ROWS_AT_ONCE
from infra.imports.reading import Gathered
from infra.imports.recording import origin_of

PAUSE = timedelta(milliseconds=200)
BEFORE = "taken back before"


async def undo_on(job: Job, _: Gathered) -> None:
    """A batch of rows; when all are struck, a batch of people; when nobody is left to look at, it is undone."""
    rows = await job.connection.fetch(queries("imports").recorded_rows, *job.key, job.found.through_row, ROWS_AT_ONCE)
    if rows:
        await _strike(job, rows)
    elif await _views_are_there(job):
        await _look_at_people(job)
    else:
        await comes_back(job, PAUSE)


async def _strike(job: Job, rows: list[asyncpg.Record]) -> None:
    origin, import_id = origin_of(job), job.found.import_id
    planned = [row for row in rows if row["kind"] == "appointment"]
    touched = [row for row in rows if row["kind"] != "appointment"]
    done = await strike_imported(job.context, job.tenant, import_id, [row["fact_id"] for row in touched], origin=origin)
    done += await withdraw_appointments(job.context, job.tenant, [row["fact_id"] for row in planned], origin=origin)
    accounts = [_account(row, result) for row, result in zip([*touched, *planned], done, strict=True)]
    await hold(job)
    await account(job.connection, job.tenant, import_id, accounts)
    await went_on(job, rows[-1]["row"], max((one.position for one in done if isinstance(one, Done)), default=0))
    measure(accounts)


def _account(row: asyncpg.Record, done: Done | Refused) -> Account:
    told = Account(row["row"], row["line"], row["member"], "undone", row["kind"], row["fact_id"], tuple(row["people"]))
    if isinstance(done, Refused):
        return replace(told, outcome="recorded", reason=done.reason)
    return told if done.lead is not None else replace(told, reason=BEFORE)


async def _views_are_there(job: Job) -> bool:
    """Whether the views that tell who is still needed show all that was taken back."""
    position = await job.connection.fetchval(queries("imports").views_position, job.tenant.tenant_id, list(TELLING))
    return bool(position >= job.found.position)


async def _look_at_people(job: Job) -> None:
    sql = queries("imports")
    rows = await job.connection.fetch(sql.contacts_to_look_at, *job.key, AT_ONCE)
    if not rows:
        await hold(job)
        await end(job, "undone")
        return
    contact_ids = [row["contact_id"] for row in rows]
    try:
        removed = await remove_contacts(
            job.context, job.tenant, job.found.import_id, contact_ids, origin=origin_of(job)
        )
    except NotSeenYet:
        await comes_back(job, PAUSE)
        return
    await hold(job)
    await job.connection.execute(sql.looked_at, *job.key, contact_ids)
    await job.connection.execute(sql.settle_contacts, *job.key, contact_ids, removed)
    await went_on(job, job.found.through_row)
