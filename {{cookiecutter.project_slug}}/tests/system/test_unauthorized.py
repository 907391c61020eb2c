"""Without a token no route of the sidecar and no sidecar answers; no service reaches all topics."""

from typing import Any

import aiohttp
import pytest

from tests.system.sidecars import Sidecar
from workspace import members, tokens
from workspace.daprfile import DaprFile

SERVICES = members.in_python()

each_service = pytest.mark.parametrize("service", SERVICES)


@each_service
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/events/any-topic"),
        ("POST", "/commands/any-command"),
        ("GET", "/dapr/subscribe"),
        ("GET", "/dead-letters"),
        ("GET", "/processes"),
        ("POST", "/dead-letters/00000000-0000-4000-8000-000000000001/replay"),
    ],
)
@pytest.mark.parametrize("token", [None, "", "guessed"])
async def test_the_unauthorized_are_refused_at_the_routes_of_the_sidecar(
    workspace: DaprFile, service: str, method: str, path: str, token: str | None
) -> None:
    url = f"{workspace.apps[service].url}{path}"
    headers = {} if token is None else {tokens.HEADER: token}
    async with aiohttp.request(method, url, json={"entries": []}, headers=headers) as response:
        assert response.status == 401
        assert response.content_type == "application/problem+json"
        assert "APP_API_TOKEN" in (await response.json())["detail"]


@each_service
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_health_metrics_and_the_services_own_api_are_open(
    workspace: DaprFile, service: str, path: str
) -> None:
    async with aiohttp.request("GET", f"{workspace.apps[service].url}{path}") as response:
        assert response.status == 200


@each_service
async def test_a_sidecar_refuses_the_unauthorized(workspace: DaprFile, service: str) -> None:
    async with Sidecar(workspace.apps[service], token="guessed") as sidecar:
        assert (await sidecar.publish(f"{service}-dead-letters", {})).status_code == 401
        assert (await sidecar.invoke("GET", service, "dead-letters")).status_code == 401


@each_service
async def test_a_sidecar_refuses_to_publish_a_foreign_topic(
    workspace: DaprFile, service: str
) -> None:
    known = members.members(workspace)
    (own,) = (member.publishes for member in known if member.app_id == service)
    foreign = {"no-such-topic"}.union(*(member.publishes for member in known)) - own
    async with Sidecar(workspace.apps[service]) as sidecar:
        for topic in sorted(foreign):
            refusal = await sidecar.publish(topic, event_of(topic))
            assert (refusal.status_code, "not allowed" in refusal.text) == (403, True), topic
        taken = await sidecar.publish(f"{service}-dead-letters", event_of("dead-letter"))
    assert taken.status_code == 204


def event_of(topic: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"a-test-of-{topic}",
        "source": "test",
        "type": f"{topic}.v1",
        "time": "2030-01-01T00:00:00Z",
        "data": {},
    }
