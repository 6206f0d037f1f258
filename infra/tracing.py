"""Traces, for who wants them: spans of OpenTelemetry, sent to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.

Without that variable nothing of OpenTelemetry is imported, and a span costs one comparison. A span has ids, numbers and
the text of statements, never their parameters, the query of an address or what an exception says: that may be personal.
This is why requests and statements get their spans here and not from OpenTelemetry's instrumentation of them.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.settings import SettingsError

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.connection import LoggedQuery
    from opentelemetry.trace import SpanContext as SpanContext
    from opentelemetry.trace import Tracer

WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_tracer: "Tracer | None" = None


def start(process: str) -> None:
    """Trace this process from now on, if its environment says where to. Raises SettingsError."""
    global _tracer
    if not any(os.environ.get(name) for name in WHERE):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        wanted = next(name for name in WHERE if os.environ.get(name))
        raise SettingsError(f"{wanted} is set, and tracing is not installed: make setup installs it.") from None
    name = os.environ.get("OTEL_SERVICE_NAME") or f"rapport-{process}"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("rapport")


@contextmanager
def span(name: str, *, caused_by: Iterable["SpanContext | None"] = (), **attributes: str | int) -> Iterator[None]:
    """What happens inside, as one span. `caused_by` are spans elsewhere that led to it, from `here()`."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import Link

    links = [Link(one) for one in {one.span_id: one for one in caused_by if one is not None}.values()]
    with _opened(_tracer, name, links=links, attributes=_named(attributes)):
        yield


@contextmanager
def request(method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
    """One request, within the trace that its `traceparent` names. `answered` says what became of it."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    caller = TraceContextTextMapPropagator().extract(told)
    with _opened(_tracer, method, context=caller, kind=SpanKind.SERVER, attributes={"http.request.method": method}):
        yield


def answered(method: str, route: str, status: int, request_id: str) -> None:
    """The running request's route, which is known only at its end."""
    if _tracer is None:
        return
    from opentelemetry.trace import get_current_span

    now = get_current_span()
    now.update_name(f"{method} {route}")
    now.set_attributes({"http.route": route, "http.response.status_code": status, "rapport.request_id": request_id})


@contextmanager
def _opened(tracer: "Tracer", name: str, **more: object) -> Iterator[None]:
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **more) as now:  # type: ignore[arg-type]
        try:
            yield
        except BaseException as error:
            now.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def here() -> "SpanContext | None":
    """The span that runs now; None when there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    found = get_current_span().get_span_context()
    return found if found.is_valid else None


def trace_id() -> str | None:
    """The id of the trace that runs now, as tools show it."""
    now = here()
    return None if now is None else f"{now.trace_id:032x}"


async def watch(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Every statement of this connection within a span becomes a span in it; the workers' looking about does not."""
    if _tracer is not None:
        connection.add_query_logger(_statement_done)


def _statement_done(done: "LoggedQuery") -> None:
    if _tracer is None or here() is None:
        return
    from opentelemetry.trace import SpanKind, StatusCode

    end = time.time_ns()
    told = _tracer.start_span(
        done.query.split(maxsplit=1)[0].rstrip(";"),
        kind=SpanKind.CLIENT,
        start_time=end - int(done.elapsed * 1e9),
        attributes={"db.system.name": "postgresql", "db.query.text": done.query},
    )
    if done.exception is not None:
        told.set_status(StatusCode.ERROR, type(done.exception).__name__)
    told.end(end)


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"rapport.{name}": value for name, value in attributes.items()}
