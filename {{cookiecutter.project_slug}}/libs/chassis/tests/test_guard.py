import pytest
from pydantic import SecretStr

from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import memory_ports, running
from testkit.bank import handlers

GUARDED = ["/dapr/subscribe", "/dead-letters"]
POSTED = ["/events/deposit", "/events/anything", "/commands/deposit", "/commands"]


def bank(settings: ServiceSettings, token: str | None) -> Service:
    known = settings.model_copy(update={"app_api_token": SecretStr(token) if token else None})
    service = Service(known, title="Bank", ports=memory_ports())
    service.subscribe(handlers)
    service.answer(handlers)
    return service


@pytest.mark.parametrize("token", ["", "secre", "secret ", "Secret"])
@pytest.mark.parametrize("path", [*GUARDED, "/processes", *POSTED])
async def test_without_the_token_a_guarded_route_is_refused(
    settings: ServiceSettings, path: str, token: str
) -> None:
    async with running(bank(settings, "secret")) as client:
        client.headers["dapr-api-token"] = token
        response = await client.request("POST" if path in POSTED else "GET", path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "dapr-api-token"
    assert "secret" not in response.text


async def test_a_token_that_is_sent_twice_is_no_token(settings: ServiceSettings) -> None:
    async with running(bank(settings, "secret")) as client:
        twice = [("dapr-api-token", "secret"), ("dapr-api-token", "secret")]
        del client.headers["dapr-api-token"]
        assert (await client.get("/dead-letters", headers=twice)).status_code == 401


@pytest.mark.parametrize("path", GUARDED)
async def test_the_sidecar_has_the_token(settings: ServiceSettings, path: str) -> None:
    async with running(bank(settings, "secret")) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/metrics"])
async def test_the_other_routes_are_open(settings: ServiceSettings, path: str) -> None:
    async with running(bank(settings, "secret")) as client:
        del client.headers["dapr-api-token"]
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
async def test_without_a_token_in_the_environment_all_is_open(
    settings: ServiceSettings, path: str
) -> None:
    async with running(bank(settings, None)) as client:
        assert (await client.get(path)).status_code == 200
