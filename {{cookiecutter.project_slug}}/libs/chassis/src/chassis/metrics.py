"""What Prometheus may ask for at /metrics."""

from collections.abc import Callable
from functools import cache

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

from chassis.guard import OpenRoute

_MESSAGES = Counter("messages_received", "Messages that arrived", ["topic", "transport"])
_DEAD_LETTERS = Counter("dead_letters", "Messages that were given up, and kept", ["kind"])
_RETRYING = Gauge("retrying_messages", "Messages that failed, and are tried again here")
for kind in ("permanent", "unknown", "exhausted"):
    # It is there, as 0, before the first one: an alert sees that one, too.
    _DEAD_LETTERS.labels(kind)


def add_routes(app: FastAPI) -> None:
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    router = APIRouter(route_class=OpenRoute, include_in_schema=False)
    router.add_api_route("/metrics", metrics)
    app.include_router(router)


def received(topic: str, transport: str, count: int = 1) -> None:
    """Count messages by how they came: `pubsub` or `invocation`. Redeliveries count too."""
    _MESSAGES.labels(topic, transport).inc(count)


def dead_lettered(kind: str) -> None:
    _DEAD_LETTERS.labels(kind).inc()


def show_oldest(age: Callable[[], float]) -> None:
    """The age of the oldest process that has not ended, in seconds; asked for at each scrape."""
    _age().set_function(age)


@cache
def _age() -> Gauge:
    # Not there before it is asked for: a service that begins nothing has no such age.
    return Gauge("unfinished_process_age_seconds", "Age of the oldest process that has not ended")


def retrying(count: int) -> None:
    _RETRYING.set(count)
