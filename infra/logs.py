"""Logs: one JSON object a line on standard error, with tenant, request and event ids and no personal data."""

import logging
import sys

import structlog


def configure(level: str = "info") -> None:
    """For a whole process. Libraries' own lines are kept from warnings on."""
    line = '{"level": "%(levelname)s", "event": "%(name)s"}'
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=line)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
