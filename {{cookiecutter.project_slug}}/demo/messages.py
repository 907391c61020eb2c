"""How many messages the sidecars moved: deliveries over pub/sub, and calls by invocation."""

import re
from collections.abc import Iterable

import httpx
from devstack.daprfile import App

COUNTED = re.compile(
    r"^(?:dapr_component_pubsub_ingress_bulk_event_count"
    r"|dapr_component_pubsub_ingress_count"
    r"|dapr_runtime_service_invocation_req_sent_total)\{[^}]*\} (\S+)$",
    re.MULTILINE,
)


async def count(apps: Iterable[App]) -> float:
    """The total of all sidecars since they started, from their Prometheus metrics."""
    async with httpx.AsyncClient(timeout=5) as http:
        pages = [
            (await http.get(f"http://127.0.0.1:{app.metrics_port}/metrics")).text for app in apps
        ]
    return sum(float(value) for page in pages for value in COUNTED.findall(page))
