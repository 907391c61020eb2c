"""The workspace that these tests are copied into, up, with its members that are written in Node."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar
from uuid import uuid4

import httpx
import psutil
import pytest
from valkey import Valkey

from workspace import processes, stack
from workspace.daprfile import DaprFile
from workspace.stack import REDIS_PORT
from workspace.tokens import app_headers

T = TypeVar("T")

SECONDS = 90
POLL_SECONDS = 0.25
STOP_SECONDS = 10


class Stack:
    def __init__(self, file: DaprFile) -> None:
        self.urls = {name: app.url for name, app in file.apps.items()}
        self.http = httpx.Client(timeout=30)
        self.broker = Valkey(port=REDIS_PORT)

    def place(self, style: str, country: str = "NL") -> str:
        order = {
            "customer": "ada",
            "card": "card-ada",
            "country": country,
            "lines": [{"sku": "TEA-NODE", "quantity": 1, "unit_price_cents": 100}],
            "style": style,
        }
        key = {"idempotency-key": str(uuid4())}
        answer = self.http.post(f"{self.urls['orders']}/orders", json=order, headers=key)
        return str(answer.raise_for_status().json()["order_id"])

    def ended(self, order_id: str) -> dict[str, object]:
        url = f"{self.urls['orders']}/orders/{order_id}"

        def order() -> dict[str, object] | None:
            found: dict[str, object] = self.http.get(url).raise_for_status().json()
            return found if found["ended_at"] else None

        return until(f"the end of {order_id}", order)

    def get(self, service: str, path: str) -> dict[str, object] | None:
        answer = self.http.get(f"{self.urls[service]}{path}")
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def notice(self, order_id: str) -> dict[str, object]:
        return until("the notice", lambda: self.get("notices", f"/notices/{order_id}"))

    def messages(self, topic: str, order_id: str) -> list[bytes]:
        """What the broker has of them on this topic."""
        entries = [fields[b"data"] for _, fields in self.broker.xrange(topic)]
        return [data for data in entries if order_id.encode() in data]

    def dead_letters(self, service: str) -> list[dict[str, object]]:
        url = f"{self.urls[service]}/dead-letters"
        listed = self.http.get(url, headers=app_headers(service)).raise_for_status().json()
        found: list[dict[str, object]] = listed["letters"]
        return found


def until(what: str, look: Callable[[], T | None], seconds: float = SECONDS) -> T:
    async def found() -> T:
        while (value := look()) is None:
            await asyncio.sleep(POLL_SECONDS)
        return value

    async def in_time() -> T:
        async with asyncio.timeout(seconds):
            return await found()

    try:
        return asyncio.run(in_time())
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds:.0f} s") from None


class NodeProcess:
    """A member of `dapr run`, which does not start again what died."""

    def __init__(self, service: str) -> None:
        self._command = ["node", f"services/{service}/main.js"]
        (self._process,) = [
            each
            for each in psutil.process_iter(["cmdline"])
            if each.info["cmdline"] == self._command
        ]
        self._environment = self._process.environ()

    def start(self, **more: str) -> None:
        """Again, in place of what ran."""
        if self._process.is_running():
            self._process.kill()
        self._process.wait(STOP_SECONDS)
        # `down` stops it with the rest.
        environment = {**self._environment, **more}
        self._process = processes.start("node-restarted", self._command, environment)

    def died(self) -> None:
        self._process.wait(SECONDS)


@pytest.fixture(scope="session")
def up() -> Iterator[Stack]:
    with stack.running() as file:
        found = Stack(file)
        url = f"{found.urls['inventory']}/stock/TEA-NODE/receipts"
        key = {"idempotency-key": "stock-node"}
        found.http.post(url, json={"quantity": 1000}, headers=key).raise_for_status()
        yield found
