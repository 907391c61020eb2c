"""Logs as one JSON object a line, each with the order and the trace that it belongs to."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from chassis.cloudevents import CloudEvent

_subject: ContextVar[str | None] = ContextVar("subject", default=None)
_trace: ContextVar[str | None] = ContextVar("trace", default=None)


@contextmanager
def about(event: CloudEvent) -> Iterator[None]:
    """Everything logged inside carries the event's subject and trace."""
    parent = (event.traceparent or "").split("-")
    tokens = (_subject.set(event.subject), _trace.set(parent[1] if len(parent) == 4 else None))
    try:
        yield
    finally:
        _subject.reset(tokens[0])
        _trace.reset(tokens[1])


class Context(logging.Filter):
    """Puts service, subject and trace on every record, also on those of libraries."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self._service
        record.subject = _subject.get()
        span = trace.get_current_span().get_span_context()
        record.trace_id = _trace.get() or (
            trace.format_trace_id(span.trace_id) if span.is_valid else None
        )
        return True


def configure_logging(service: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Context(service))
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}{service}{subject}{trace_id}",
            style="{",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # uvicorn brings a handler of its own.
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # The workflow engine's worker logs each turn of each workflow.
    for name in ("WorkflowRuntime", "durabletask-worker", "durabletask-client"):
        logging.getLogger(name).setLevel(logging.WARNING)
