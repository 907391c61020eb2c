"""The dead letters that the services keep, and what is kept there because it is tried again."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from workspace.daprfile import App
from workspace.tokens import app_headers

TIMEOUT = aiohttp.ClientTimeout(total=10)
RETRYING = "retrying"


async def kinds(apps: Mapping[str, App]) -> Counter[str]:
    """How many there are of each kind. Raises `aiohttp.ClientError` if a service is away."""
    found: Counter[str] = Counter()
    async for _, letter in each(apps):
        found[letter["kind"]] += 1
    return found


async def each(apps: Mapping[str, App]) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    """The service and the summary of each. Raises as `kinds` does."""
    async with aiohttp.ClientSession(timeout=TIMEOUT, raise_for_status=True) as http:
        for name, app in apps.items():
            headers = app_headers(name)
            page: int | None = 0
            while page is not None:
                url, params = f"{app.url}/dead-letters", {"page": page}
                async with http.get(url, params=params, headers=headers) as response:
                    listed = await response.json()
                for letter in listed["letters"]:
                    yield name, letter
                page = listed["next_page"]


async def known(apps: Mapping[str, App]) -> frozenset[tuple[str, str]]:
    """Service and id of each, what is tried again included. Raises as `kinds` does."""
    return frozenset([(service, letter["id"]) async for service, letter in each(apps)])


async def count(apps: Mapping[str, App], besides: frozenset[tuple[str, str]] = frozenset()) -> int:
    """In all services together, less what is tried again, and less what was known before: it may
    be given up later. Raises as `kinds` does.
    """
    found = [
        letter async for service, letter in each(apps) if (service, letter["id"]) not in besides
    ]
    return sum(letter["kind"] != RETRYING for letter in found)
