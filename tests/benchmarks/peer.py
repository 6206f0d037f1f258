"""`eventsourcing` from PyPI on the same PostgreSQL: what a business would take instead of a log of its own."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

from tests.benchmarks.catching_up import counted
from tests.benchmarks.place import BODY, Place, advanced, append_touches, new_tenant, record, superuser, touch
from tests.benchmarks.single import appended, in_calls
from tests.benchmarks.table import Figure, at_least, in_turns
from tests.conftest import Database

CALLERS = 32


class Touchpoint(Aggregate):
    """One event of some 300 bytes."""

    def __init__(self, note: str) -> None:
        self.note = note


class Touchpoints(Application[UUID]):
    pass


class Tally(PostgresTrackingRecorder):
    """Its materialised view: how many events on each day, each counted in the transaction that notes how far it is."""

    def __init__(self, datastore: Any, **more: Any) -> None:
        super().__init__(datastore, **more)
        self.sql_create_statements.append(SQL("CREATE TABLE IF NOT EXISTS tally (day date PRIMARY KEY, events bigint)"))

    def count(self, day: date, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO tally VALUES (%s, 1) ON CONFLICT (day) DO UPDATE SET events = tally.events + 1",
                (day,),
                prepare=True,
            )


class Tallying(Projection[Tally]):
    name = "tallying"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.count(domain_event.timestamp.date(), tracking)


async def measure(place: Place) -> list[Figure]:
    size = place.size
    async with place.database() as theirs, place.database() as database, place.opened(database) as context:
        tenants = [await new_tenant(context.pool) for _ in range(CALLERS)]
        ids = [one.tenant_id for one in tenants]
        async with superuser(theirs) as owner:
            await owner.execute("CREATE SCHEMA peer")
        app = await asyncio.to_thread(Touchpoints, environment(theirs))
        told = await in_turns(
            size.rounds,
            ours=lambda: appended(context.writer, ids, CALLERS, size.seconds),
            theirs=lambda: asyncio.to_thread(singles, app, size.seconds),
            ours_in_calls=lambda: in_calls(context.writer.pool, ids[0], size.seconds),
            theirs_in_calls=lambda: asyncio.to_thread(thousands, app, size.seconds),
        )
        await asyncio.to_thread(saved, app, size.peer_events)
        read = await caught_up(place, theirs)
        await asyncio.to_thread(app.close)
    peer = f"eventsourcing {version('eventsourcing')}"
    return [
        Figure(f"single append, {CALLERS} callers", peer, "1/s", told["ours"], told["theirs"], at_least(10)),
        Figure("append of 1,000 a call", peer, "events/s", told["ours_in_calls"], told["theirs_in_calls"], at_least(3)),
        Figure(
            "catch-up of a plain counter projection",
            f"{peer}, its ProjectionRunner",
            "events/s",
            read["ours"],
            read["theirs"],
            at_least(10),
        ),
    ]


def environment(database: Database, **more: str) -> dict[str, str]:
    at = urlsplit(database.admin_url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": at.path.removeprefix("/"),
        "POSTGRES_HOST": at.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(at.port),
        "POSTGRES_USER": at.username or "",
        "POSTGRES_PASSWORD": at.password or "",
        "POSTGRES_SCHEMA": "peer",
        "POSTGRES_POOL_SIZE": str(CALLERS),
        "POSTGRES_MAX_OVERFLOW": "0",
        **more,
    }


def stored_event() -> StoredEvent:
    return StoredEvent(originator_id=uuid4(), originator_version=1, topic="touchpoint.recorded", state=BODY)


def singles(app: Touchpoints, seconds: float) -> float:
    """Its recorder alone, without its aggregates, in as many threads as we have callers."""
    until = time.perf_counter() + seconds

    def call(_: int) -> int:
        count = 0
        while time.perf_counter() < until:
            app.recorder.insert_events([stored_event()])
            count += 1
        return count

    with ThreadPoolExecutor(CALLERS) as threads:
        return sum(threads.map(call, range(CALLERS))) / seconds


def thousands(app: Touchpoints, seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        app.recorder.insert_events([stored_event() for _ in range(1_000)])
        done += 1_000
    return done / (time.perf_counter() - began)


def saved(app: Touchpoints, events: int) -> None:
    """Events its projection can read, and nothing before them."""
    with app.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("DELETE FROM peer.touchpoints_events")
    for _ in range(events):
        app.save(Touchpoint(note=BODY.decode()))


def followed(database: Database, events: int) -> float:
    """As shipped: one transaction an event."""
    given = environment(database)
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Touchpoints, projection_class=Tallying, view_class=Tally, env=given
    ) as runner:
        runner.wait(runner.app.recorder.max_notification_id(), timeout=600)
        seconds = time.perf_counter() - began
        with runner.view.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                SQL("DELETE FROM peer.{} WHERE application_name <> '__migration__'").format(
                    SQL(runner.view.tracking_table_name)
                )
            )
    return events / seconds


async def caught_up(place: Place, theirs: Database) -> dict[str, float]:
    """In a database of our own that holds nothing else to catch up with."""
    async with place.database() as database, place.opened(database) as context, superuser(database) as admin:
        tenant = await new_tenant(context.pool)
        people = await record(context, tenant, [touch(n, n) for n in range(20)])
        await append_touches(context, tenant, people, place.size.peer_events)
        await advanced(context)
        events = await admin.fetchval("SELECT position FROM tenant_head")
        return await in_turns(
            place.size.rounds,
            ours=lambda: counted(context, admin, tenant, events),
            theirs=lambda: asyncio.to_thread(followed, theirs, place.size.peer_events),
        )
