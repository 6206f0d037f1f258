"""Is it up, is it ready, how is it doing."""

import asyncio

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, Gauge

from infra import metrics
from infra.context import Context
from infra.database import GONE, queries

READY_SECONDS = 3.0
LAG = Gauge(
    "rapport_projection_lag_events",
    "Events a process has still to read, over all tenants.",
    ["process"],
    multiprocess_mode="mostrecent",
)
PARKED = Gauge(
    "rapport_parked_now", "Events parked now, over all tenants.", ["process"], multiprocess_mode="mostrecent"
)
DATABASE_UP = Gauge(
    "rapport_database_up", "Whether the database answered when this was asked.", multiprocess_mode="mostrecent"
)


class Health(Struct, frozen=True):
    status: str


NOT_READY = ResponseSpec(Health, generate_examples=False, description="The database does not answer.")


class HealthController(Controller):
    tags = ("Operation",)

    @get("/health/live", operation_id="show_liveness", summary="The process answers")
    async def live(self) -> Health:
        """200 as long as the process answers."""
        return Health("live")

    @get("/health/ready", operation_id="show_readiness", summary="Ready for requests", responses={503: NOT_READY})
    async def ready(self, context: NamedDependency[Context]) -> Response[Health]:
        """200 when the database answers, else 503. A Valkey that is dead or full makes it `degraded`, not unready.

        Nothing is lost then, and what is to be done is found some seconds later.
        """
        try:
            async with asyncio.timeout(READY_SECONDS), context.pool.acquire() as connection:
                await connection.fetchval(queries("event_log").alive)
        except GONE:
            return Response(Health("the database does not answer"), status_code=503)
        return Response(Health("ready" if context.bell.reaches else "degraded"))

    @get("/metrics", operation_id="show_metrics", summary="Prometheus metrics", media_type="text/plain")
    async def show_metrics(self, context: NamedDependency[Context]) -> Response[bytes]:
        """What this process counted, and how far the projections of all tenants are behind."""
        try:
            await _measure(context)
            DATABASE_UP.set(1)
        except GONE:
            DATABASE_UP.set(0)
        return Response(metrics.exposed(), media_type=CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8"))


async def _measure(context: Context) -> None:
    async with asyncio.timeout(READY_SECONDS), context.pool.acquire() as connection:
        rows = await connection.fetch(queries("projector").lags)
    for process in {row["process"] for row in rows}:
        mine = [row for row in rows if row["process"] == process]
        LAG.labels(process).set(sum(row["lag"] for row in mine if row["live"]))
        PARKED.labels(process).set(sum(row["parked"] for row in mine))
