"""The services' HTTP APIs, as the demo uses them; every wait has a deadline."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from testkit.live.waiting import until
from tests.demo.mix import Plan
from workspace.daprfile import App
from workspace.errors import StackError

Order = dict[str, Any]


class Refused(StackError):
    """A service answered with an error; says which, and what it said."""


class Client:
    """One HTTP client for the four services."""

    def __init__(self, apps: Mapping[str, App]) -> None:
        self._urls = {name: app.url for name, app in apps.items()}
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=30), raise_for_status=False
        )

    async def close(self) -> None:
        await self._http.close()

    async def receive_stock(self, sku: str, quantity: int) -> None:
        await self._post(
            "inventory", f"/stock/{sku}/receipts", {"quantity": quantity}, f"stock-{sku}"
        )

    async def place(self, plan: Plan) -> str:
        """The id of the order, once it is accepted."""
        return str((await self._post("orders", "/orders", plan.body, plan.key))["order_id"])

    async def get(self, service: str, path: str) -> dict[str, Any] | None:
        """The JSON under the path, or None for a 404."""
        async with self._http.get(f"{self._urls[service]}{path}") as response:
            return None if response.status == 404 else await _json(response)

    async def _post(
        self, service: str, path: str, body: dict[str, Any], key: str
    ) -> dict[str, Any]:
        headers = {"idempotency-key": key}
        url = f"{self._urls[service]}{path}"
        async with self._http.post(url, json=body, headers=headers) as response:
            return await _json(response)

    async def wait_until_ended(self, order_id: str, deadline: float) -> Order:
        """The order, once it has ended. Raises `Overdue` after `deadline` seconds."""
        order: Order = {}

        async def has_ended() -> bool:
            order.update(await self.get("orders", f"/orders/{order_id}") or {})
            return order.get("ended_at") is not None

        await until(f"the end of /orders/{order_id}, which shows its steps", has_ended, deadline)
        return order


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if not response.ok:
        raise Refused(
            f"{response.method} {response.url}: {response.status} {await response.text()}"
        )
    content: dict[str, Any] = await response.json()
    return content
