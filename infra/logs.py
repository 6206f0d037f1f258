"""Logs: one JSON object a line on standard error, with tenant, request and event ids and no personal data."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from infra.tracing import trace_id


def configure(level: str = "info") -> None:
    """For a whole process. Libraries' own lines are kept from warnings on."""
    line = '{"level": "%(levelname)s", "event": "%(name)s"}'
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=line)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            with_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            without_values,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),  # the process's own, whatever stands in for it
        cache_logger_on_first_use=True,
    )


def with_trace(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """The id of the trace, where there is one."""
    if found := trace_id():
        line["trace_id"] = found
    return line


def without_values(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """What went wrong and where, but not what an exception quotes: a database error quotes people's names."""
    for one in line.get("exception") or ():
        one.pop("exc_value", None)
        one.pop("exc_notes", None)
    return line
