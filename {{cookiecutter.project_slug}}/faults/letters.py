"""How many dead letters the services keep."""

from collections.abc import Mapping

import aiohttp

from devstack.daprfile import App
from devstack.tokens import app_headers

TIMEOUT = aiohttp.ClientTimeout(total=10)


async def count(apps: Mapping[str, App]) -> int:
    """In all services together. Raises `aiohttp.ClientError` if one does not answer."""
    total = 0
    async with aiohttp.ClientSession(timeout=TIMEOUT, headers=app_headers()) as http:
        for app in apps.values():
            async with http.get(f"{app.url}/dead-letters", raise_for_status=True) as response:
                total += int((await response.json())["count"])
    return total
