"""One trace for one order: W3C `traceparent` in, spans here, `traceparent` out."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.cloudevents import CloudEvent

tracer = trace.get_tracer("chassis")
propagator = TraceContextTextMapPropagator()

#: Requests that are no one's order: probes, metrics, and the bulk envelope of many orders.
NOT_TRACED = ("/events/", "/dapr/", "/healthz", "/readyz", "/metrics")


def configure_tracing(service: str) -> None:
    """Every order has a trace id, for the logs; spans are made where there is an OTLP endpoint."""
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT" in environ
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON) if endpoint else ALWAYS_OFF,
        resource=Resource.create({SERVICE_NAME: service}),
    )
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


#: FastAPI makes the span of a request itself; it continues the caller's trace.
FASTAPI_TELEMETRY: TelemetryConfig = {
    "operation_spans": False,
    "metrics": False,
    "logs": False,
    "exclude": lambda scope: str(scope.get("path", "")).startswith(NOT_TRACED),
}


def traceparent() -> str | None:
    """The current span as the header that the next hop reads."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, parent: str | None, kind: SpanKind, subject: str) -> Iterator[str | None]:
    """A span below the given `traceparent`; yields its own."""
    context = propagator.extract({"traceparent": parent} if parent else {})
    with tracer.start_as_current_span(
        name, context=context, kind=kind, attributes={"cloudevents.subject": subject}
    ):
        yield traceparent()


@contextmanager
def consuming(event: CloudEvent, topic: str) -> Iterator[str | None]:
    """The span in which a message is handled."""
    with span(f"handle {topic}", event.traceparent, SpanKind.CONSUMER, event.subject) as own:
        yield own
