"""One trace for one process: W3C `traceparent` in, spans here, `traceparent` out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.cloudevents import CloudEvent
from chassis.text import MAX_TEXT

tracer = trace.get_tracer("chassis")
propagator = TraceContextTextMapPropagator()

#: Requests that belong to no process: probes, metrics, and the bulk envelope of many messages.
NOT_TRACED = ("/events/", "/dapr/", "/healthz", "/readyz", "/metrics")


def _own_path(scope: Mapping[str, Any]) -> str:
    """Without the prefix of a proxy."""
    return str(scope.get("path", "")).removeprefix(str(scope.get("root_path", "")))


def configure_tracing(service: str) -> None:
    """Each process has a trace id, for the logs; spans are made where there is an OTLP endpoint."""
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON) if collected() else ALWAYS_OFF,
        resource=Resource.create({SERVICE_NAME: service}),
        # An exception is an attribute with its text and its traceback, and 2,048 spans may wait.
        span_limits=SpanLimits(max_attribute_length=MAX_TEXT),
    )
    if collected():
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


#: FastAPI makes the span of a request itself; it continues the caller's trace.
FASTAPI_TELEMETRY: TelemetryConfig = {
    "operation_spans": False,
    "metrics": False,
    "logs": False,
    "exclude": lambda scope: _own_path(scope).startswith(NOT_TRACED),
}


def traceparent() -> str | None:
    """The current span as the header that the next hop reads."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def consuming(event: CloudEvent, topic: str) -> Iterator[str | None]:
    """The span in which a message is handled, below its sender's; yields its own `traceparent`.

    Where nobody collects spans none is made, and the trace goes on as it came.
    """
    if not collected():
        yield event.traceparent
        return
    context = propagator.extract({"traceparent": event.traceparent} if event.traceparent else {})
    with tracer.start_as_current_span(
        f"handle {topic}",
        context=context,
        kind=SpanKind.CONSUMER,
        attributes={"cloudevents.subject": event.subject},
    ):
        yield traceparent()


def collected() -> bool:
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip())
