"""A sidecar's HTTP API, called the way its own service calls it."""

from typing import Any

import httpx

from workspace import tokens
from workspace.daprfile import App


class Sidecar:
    """Of one service. Use it as an async context manager."""

    def __init__(self, app: App, token: str | None = None) -> None:
        known = token or tokens.of(app.app_id).get(tokens.API_TOKEN)
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{app.http_port}/v1.0",
            headers={tokens.HEADER: known} if known else {},
        )

    async def __aenter__(self) -> "Sidecar":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def publish(self, topic: str, event: Any) -> httpx.Response:
        headers = {"content-type": "application/cloudevents+json"}
        return await self._http.post(f"/publish/pubsub/{topic}", json=event, headers=headers)

    async def publish_raw(self, topic: str, body: bytes) -> httpx.Response:
        """The bytes as they are, without an envelope."""
        return await self._http.post(
            f"/publish/pubsub/{topic}",
            content=body,
            headers={"content-type": "text/plain"},
            params={"metadata.rawPayload": "true"},
        )

    async def put_state(self, key: str, value: Any) -> None:
        response = await self._http.post("/state/statestore", json=[{"key": key, "value": value}])
        response.raise_for_status()

    async def invoke(self, method: str, app_id: str, path: str, **more: Any) -> httpx.Response:
        return await self._http.request(method, f"/invoke/{app_id}/method/{path}", **more)
