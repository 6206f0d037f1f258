"""Metrics for Prometheus: what more than one module counts, and how a process shows all that it counted.

Where `PROMETHEUS_MULTIPROC_DIR` names a folder, the processes that share it show what all of them counted together.
"""

import os
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from domain.event import Event
from infra.ports import refuse_taken

NUDGES = Counter("rapport_nudges", "Nudges, by kind and by what became of them.", ["kind", "outcome"])
FAILED = Counter("rapport_work_failures", "Pieces of the workers' work that failed, at each try.", ["work"])
LOOKED = Gauge(
    "rapport_worker_looked_timestamp_seconds",
    "When a worker last had nothing left to do, or gave up for now.",
    multiprocess_mode="mostrecent",
)


def count_nudge(kind: str, event: Event) -> None:
    """What the engine or a member has just said about a nudge of this kind."""
    NUDGES.labels(kind, event.TYPE.removeprefix("nudge.")).inc()


def registry() -> CollectorRegistry:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def exposed() -> bytes:
    """All metrics as Prometheus reads them."""
    return generate_latest(registry())


def serve(host: str, port: int) -> tuple[WSGIServer, Thread]:
    """Show them at this address, from a thread of its own. Raises PortTaken."""
    refuse_taken(host, port, instead="Set RAPPORT_METRICS_PORT to another one.")
    return start_http_server(port, addr=host, registry=registry())
