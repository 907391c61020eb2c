"""How many messages the services received: over pub/sub, and as calls by service invocation."""

import re
from collections.abc import Iterable

import aiohttp

from workspace.daprfile import App

RECEIVED = re.compile(r"^messages_received_total\{[^}]*\} (\S+)$", re.MULTILINE)


async def count(apps: Iterable[App]) -> float:
    """The total of all services since they started, from their Prometheus metrics."""
    pages = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for app in apps:
            async with http.get(f"{app.url}/metrics") as response:
                pages.append(await response.text())
    return sum(float(value) for page in pages for value in RECEIVED.findall(page))
