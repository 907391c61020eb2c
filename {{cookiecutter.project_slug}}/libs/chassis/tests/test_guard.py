from collections.abc import Callable

import httpx
import pytest
from dapr.ext.fastapi import DaprActor
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from chassis.guard import ClientRoute, SidecarRoute
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import memory_ports, running
from testkit.bank import handlers

GUARDED = ["/dapr/subscribe", "/dead-letters", "/processes"]
POSTED = ["/events/deposit", "/events/anything", "/commands/deposit"]


def bank(settings: ServiceSettings, token: str | None = "secret") -> Service:
    known = settings.model_copy(update={"app_api_token": SecretStr(token) if token else None})
    service = Service(known, title="Bank", ports=memory_ports())
    service.subscribe(handlers)
    service.answer(handlers)
    service.show_processes()
    return service


@pytest.mark.parametrize("token", ["", "secre", "secret ", "Secret"])
@pytest.mark.parametrize("path", [*GUARDED, *POSTED])
async def test_without_the_token_a_guarded_route_is_refused(
    settings: ServiceSettings, path: str, token: str
) -> None:
    async with running(bank(settings)) as client:
        client.headers["dapr-api-token"] = token
        response = await client.request("POST" if path in POSTED else "GET", path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "dapr-api-token"
    assert "secret" not in response.text


async def test_a_token_that_is_sent_twice_is_no_token(settings: ServiceSettings) -> None:
    async with running(bank(settings)) as client:
        twice = [("dapr-api-token", "secret"), ("dapr-api-token", "secret")]
        del client.headers["dapr-api-token"]
        assert (await client.get("/dead-letters", headers=twice)).status_code == 401


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        *GUARDED,
        *POSTED,
        "/dead%2Dletters",
        "/%64apr/subscribe",
        "/dead-letters?page=0",
        "/dead-letters/00000000-0000-4000-8000-000000000001/replay",
    ],
)
async def test_no_method_and_no_spelling_of_a_path_goes_round_the_token(
    settings: ServiceSettings, method: str, path: str
) -> None:
    async with running(bank(settings)) as client:
        del client.headers["dapr-api-token"]
        assert (await client.request(method, path)).status_code == 401


@pytest.mark.parametrize("path", ["/dead-letters/", "//dead-letters", "/Dead-Letters", "/dapr"])
async def test_another_path_is_no_route_and_leads_to_none(
    settings: ServiceSettings, path: str
) -> None:
    async with running(bank(settings)) as client:
        response = await client.get(f"http://service{path}")
    assert response.status_code == 404
    assert "location" not in response.headers


def behind_a_proxy(app: FastAPI) -> httpx.ASGITransport:
    """As uvicorn does it with UVICORN_ROOT_PATH: the prefix is a part of the path."""
    return httpx.ASGITransport(app, root_path="/shop")


def mounted(app: FastAPI) -> httpx.ASGITransport:
    return httpx.ASGITransport(Starlette(routes=[Mount("/shop", app)]))


@pytest.mark.parametrize("reached", [behind_a_proxy, mounted])
@pytest.mark.parametrize("path", [*GUARDED, *POSTED])
async def test_a_prefix_of_the_path_switches_no_guard_off(
    settings: ServiceSettings, path: str, reached: Callable[[FastAPI], httpx.ASGITransport]
) -> None:
    service = bank(settings)
    method = "POST" if path in POSTED else "GET"
    async with (
        running(service),
        httpx.AsyncClient(transport=reached(service.app), base_url="http://proxy") as client,
    ):
        assert (await client.request(method, f"/shop{path}")).status_code == 401
        with_token = await client.request(
            method, f"/shop{path}", headers={"dapr-api-token": "secret"}, json={"entries": []}
        )
        assert with_token.status_code != 401


async def test_a_delivery_to_a_topic_that_nobody_reads_is_never_done_behind_a_proxy_either(
    settings: ServiceSettings,
) -> None:
    service = bank(settings)
    transport = behind_a_proxy(service.app)
    async with (
        running(service),
        httpx.AsyncClient(transport=transport, base_url="http://proxy") as client,
    ):
        headers = {"dapr-api-token": "secret"}
        response = await client.post("/shop/events/dropped-since", json={}, headers=headers)
    assert response.status_code == 503


@pytest.mark.parametrize("path", GUARDED)
async def test_the_sidecar_has_the_token(settings: ServiceSettings, path: str) -> None:
    async with running(bank(settings)) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/metrics"])
async def test_the_open_routes_need_no_token(settings: ServiceSettings, path: str) -> None:
    async with running(bank(settings)) as client:
        del client.headers["dapr-api-token"]
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
async def test_without_a_token_in_the_environment_all_is_open(
    settings: ServiceSettings, path: str
) -> None:
    async with running(bank(settings, None)) as client:
        assert (await client.get(path)).status_code == 200


async def anything() -> None:
    """A route that somebody adds."""


async def answer(_: Request) -> Response:
    return Response()


async def chat(_: WebSocket) -> None:
    """A socket that somebody adds."""


def plain(app: FastAPI) -> None:
    app.add_api_route("/plain", anything)


def of_a_router(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter(prefix="/outer")
    inner.add_api_route("/inner", anything)
    outer.include_router(inner)
    app.include_router(outer)


def of_starlette(app: FastAPI) -> None:
    app.router.add_route("/plain", answer)


def socket(app: FastAPI) -> None:
    app.add_api_websocket_route("/chat", chat)


def mount(app: FastAPI) -> None:
    app.mount("/files", Starlette())


def actors_of_the_sdk(app: FastAPI) -> None:
    DaprActor(app)


@pytest.mark.parametrize(
    "add", [plain, of_a_router, of_starlette, socket, mount, actors_of_the_sdk]
)
async def test_a_service_does_not_start_with_a_route_that_does_not_say_who_may_call_it(
    service: Service, add: Callable[[FastAPI], None]
) -> None:
    add(service.app)
    with pytest.raises(ValueError, match="does not say who may call it"):
        async with running(service):
            pass


async def test_a_subscription_of_the_sdk_is_guarded(settings: ServiceSettings) -> None:
    service = bank(settings)
    service.subscriptions.subscribe("pubsub", "news", route="/news")(anything)
    async with running(service) as client:
        assert (await client.post("/news")).status_code == 200
        del client.headers["dapr-api-token"]
        assert (await client.post("/news")).status_code == 401


@pytest.mark.parametrize("route_class", [ClientRoute, SidecarRoute])
async def test_a_route_says_who_may_call_it_where_it_is_defined(
    settings: ServiceSettings, route_class: type[ClientRoute | SidecarRoute]
) -> None:
    service = bank(settings)
    router = APIRouter(route_class=route_class)
    router.add_api_route("/dead-letters-of-ours", anything)
    service.app.include_router(router)
    async with running(service) as client:
        del client.headers["dapr-api-token"]
        expected = 401 if route_class is SidecarRoute else 200
        assert (await client.get("/dead-letters-of-ours")).status_code == expected
