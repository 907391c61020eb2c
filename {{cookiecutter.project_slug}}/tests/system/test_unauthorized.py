"""Without a token no route of the sidecar and no sidecar answers; no service reaches all topics."""

import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from fastapi.routing import iter_route_contexts

from chassis.guard import SidecarRoute
from tests.system.in_memory import in_memory
from tests.system.sidecars import Sidecar
from workspace import members, tokens
from workspace.daprfile import DaprFile

SERVICES = members.in_python()

each_service = pytest.mark.parametrize("service", SERVICES)


@each_service
@pytest.mark.parametrize("token", [None, "", "guessed"])
async def test_the_unauthorized_are_refused_at_the_routes_of_the_sidecar(
    workspace: DaprFile, service: str, token: str | None
) -> None:
    headers = {} if token is None else {tokens.HEADER: token}
    guarded = list(routes_of_the_sidecar(service))
    assert {"/dapr/subscribe", "/dead-letters", "/events/any"} <= {path for _, path in guarded}
    async with aiohttp.ClientSession(workspace.apps[service].url, headers=headers) as client:
        for method, path in guarded:
            async with client.request(method, path, json={"entries": []}) as response:
                assert response.status == 401, path
                assert response.content_type == "application/problem+json"
                assert "APP_API_TOKEN" in (await response.json())["detail"]


def routes_of_the_sidecar(service: str) -> Iterator[tuple[str, str]]:
    """Method and path of each; "any" stands in for what varies."""
    for context in iter_route_contexts(in_memory(service).app.routes):
        if isinstance(context.original_route, SidecarRoute):
            for method in context.methods or ():
                yield method, re.sub(r"{[^}]*}", "any", str(context.path))


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


@pytest.mark.skipif(len(SERVICES) < 2, reason="there is no other service")
@each_service
async def test_the_tokens_of_a_service_are_of_no_use_at_another(
    workspace: DaprFile, service: str
) -> None:
    other = workspace.apps[SERVICES[SERVICES.index(service) - 1]]
    own = tokens.of(service)
    for url in (f"{other.url}/dead-letters", f"{other.url}/dapr/subscribe"):
        for token in own.values():
            async with aiohttp.request("GET", url, headers={tokens.HEADER: token}) as response:
                assert response.status == 401, url
    for token in own.values():
        async with Sidecar(other, token=token) as sidecar:
            assert (await sidecar.publish(f"{other.app_id}-dead-letters", {})).status_code == 401


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
