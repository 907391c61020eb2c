"""How many dead letters the services keep."""

from collections.abc import Mapping

import aiohttp

from devstack.tokens import app_headers
from faults.parts import Part

TIMEOUT = aiohttp.ClientTimeout(total=10)


async def count(apps: Mapping[str, Part]) -> int:
    """In all services together. Raises `aiohttp.ClientError` if one does not answer."""
    total = 0
    async with aiohttp.ClientSession(timeout=TIMEOUT, headers=app_headers()) as http:
        for app in apps.values():
            url = str(app.ready_at).replace("/readyz", "/dead-letters")
            async with http.get(url, raise_for_status=True) as response:
                total += int((await response.json())["count"])
    return total
