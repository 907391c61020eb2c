"""What Prometheus may ask for at /metrics."""

from prometheus_client import Counter

_MESSAGES = Counter("messages_received", "Messages that arrived", ["topic", "transport"])


def received(topic: str, transport: str, count: int = 1) -> None:
    """Count messages by how they came: `pubsub` or `invocation`. Redeliveries count too."""
    _MESSAGES.labels(topic, transport).inc(count)
