"""Logs as one JSON object a line, each with the subject and the trace that it belongs to."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from chassis.cloudevents import CloudEvent
from chassis.text import cut, cut_in_the_middle

#: Bytes of one line in all: Docker and containerd break longer ones in pieces, at 16 KiB.
MAX_LINE = 16 * 1024
ROOM_FOR_NAMES = 1_000
#: Of one field, and of a traceback, whose end says what was raised.
MAX_FIELD, MAX_TRACEBACK = 2_000, 6_000

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_subject: ContextVar[str | None] = ContextVar("subject", default=None)
_caller: ContextVar[str | None] = ContextVar("caller", default=None)
_trace: ContextVar[str | None] = ContextVar("trace", default=None)


@contextmanager
def by(caller: str | None) -> Iterator[None]:
    """Everything logged inside carries who called the API."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def about(event: CloudEvent) -> Iterator[None]:
    """Everything logged inside carries the event's subject and trace."""
    parent = _TRACEPARENT.fullmatch(event.traceparent or "")
    tokens = (_subject.set(event.subject), _trace.set(parent[1] if parent else None))
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
        caller = _caller.get()
        if caller is not None:
            record.caller = caller
        span = trace.get_current_span().get_span_context()
        record.trace_id = _trace.get() or (
            trace.format_trace_id(span.trace_id) if span.is_valid else None
        )
        return True


class Lines(JsonFormatter):
    """One JSON object a line, of at most `MAX_LINE` bytes whatever is logged."""

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        line = super().serialize_log_record(log_data)
        if len(line) <= MAX_LINE:
            return line
        room = MAX_LINE - ROOM_FOR_NAMES
        short = {}
        for name, value in log_data.items():
            limit = MAX_TRACEBACK if name in ("exc_info", "stack_info") else MAX_FIELD
            short[name] = self._short(value, min(limit, room))
            room = max(room - len(self.jsonify_log_record(short[name])), 0)
        return super().serialize_log_record(short)

    def _short(self, value: Any, limit: int) -> Any:
        if isinstance(value, str):
            return cut_in_the_middle(value, limit)
        text = self.jsonify_log_record(value)
        return value if len(text) <= limit else cut(text, limit)


def configure_logging(service: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Context(service))
    handler.setFormatter(
        Lines(
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
    for name in ("durabletask-worker", "durabletask-client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of each activity that fails, without its subject: `chassis.workflow_host` does that.
    logging.getLogger("WorkflowRuntime").setLevel(logging.ERROR)
