"""One trace for one order: W3C `traceparent` in, spans here, `traceparent` out."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from chassis.cloudevents import CloudEvent

tracer = trace.get_tracer("chassis")


def configure_tracing(service: str) -> None:
    """Spans always have ids, for the logs; they are sent only where an OTLP endpoint is set."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in environ:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def traceparent() -> str | None:
    """The current span as the header that the next hop reads."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, parent: str | None, kind: SpanKind, subject: str) -> Iterator[str | None]:
    """A span below the given `traceparent`; yields its own."""
    context = propagate.extract({"traceparent": parent} if parent else {})
    with tracer.start_as_current_span(
        name, context=context, kind=kind, attributes={"cloudevents.subject": subject}
    ):
        yield traceparent()


@contextmanager
def consuming(event: CloudEvent, topic: str) -> Iterator[str | None]:
    """The span in which a message is handled."""
    with span(f"handle {topic}", event.traceparent, SpanKind.CONSUMER, event.subject) as own:
        yield own
