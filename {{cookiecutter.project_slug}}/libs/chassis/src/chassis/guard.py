"""Who may call a route is said where the route is defined: by its class.

A service does not start with a route of another class, see `check_routes`, so none is open because
somebody forgot it. A route is guarded by itself, whatever the path by which it was reached: a
prefix of a proxy, a mount and another method make no difference.
"""

import logging
from hmac import compare_digest

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from chassis.callers import ANYONE, Authentication, Unauthenticated
from chassis.errors import Unavailable
from chassis.logs import by
from chassis.problems import problem, unavailable
from chassis.settings import ServiceSettings

HEADER = b"dapr-api-token"
#: Where the scope of a request says who calls.
CALLER = "chassis.caller"

log = logging.getLogger(__name__)


class OpenRoute(APIRoute):
    """Anyone may call it: probes and metrics."""


class ClientRoute(APIRoute):
    """Clients of the service's own API may call it: where there is an issuer, with its token.

    Who it is stands in the scope, for `chassis.api.Caller`, and in the log.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Before the body is read, here too.
        authentication: Authentication | None = scope["app"].state.service.ports.authentication
        caller = ANYONE
        if authentication is not None:
            try:
                caller = await authentication.identify(_bearer_token(scope))
            except Unauthenticated as error:
                log.info("refused a caller: %s", error)
                refusal = problem(Request(scope), 401, f"this route takes a bearer token: {error}")
                refusal.headers["www-authenticate"] = "Bearer"
                await refusal(scope, receive, send)
                return
            except Unavailable as error:
                await unavailable(Request(scope), error)(scope, receive, send)
                return
        scope[CALLER] = caller
        with by(str(caller) if caller.is_known else None):
            await super().handle(scope, receive, send)


class SidecarRoute(APIRoute):
    """The service's own sidecar may call it, and who operates the service: by the app API token.

    Without a token in the environment it is open, as `dapr run` has it by default.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Before the body is read: who may not call waits for nothing, and holds nothing.
        if _has_token(scope):
            await super().handle(scope, receive, send)
            return
        refusal = problem(
            Request(scope),
            401,
            "this route is for the service's own sidecar: it takes the header dapr-api-token with "
            "the APP_API_TOKEN of the service",
        )
        # RFC 9110 wants a 401 to name its scheme.
        refusal.headers["www-authenticate"] = "dapr-api-token"
        await refusal(scope, receive, send)


class DeliveryRoute(SidecarRoute):
    """Takes deliveries of events, which are bounded where they are read: `chassis.deliveries`."""


def check_routes(app: FastAPI) -> None:
    """Raises `ValueError` for a route that does not say who may call it."""
    documents = {
        app.openapi_url,
        app.docs_url,
        app.redoc_url,
        app.swagger_ui_oauth2_redirect_url,
    }
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        of_fastapi = type(route) is Route and route.path in documents
        if not of_fastapi and not _says_who_may_call(route):
            raise ValueError(
                f"{context.path or type(route).__name__} does not say who may call it: define it "
                "in an APIRouter(route_class=ClientRoute), or with the route_class SidecarRoute or "
                "OpenRoute"
            )


def _says_who_may_call(route: BaseRoute) -> bool:
    return isinstance(route, (OpenRoute, ClientRoute, SidecarRoute))


def _bearer_token(scope: Scope) -> str | None:
    shown = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(shown) != 1:
        return None
    scheme, _, token = shown[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _has_token(scope: Scope) -> bool:
    settings: ServiceSettings = scope["app"].state.service.settings
    if settings.app_api_token is None:
        return True
    token = settings.app_api_token.get_secret_value().encode()
    shown = [value for name, value in scope["headers"] if name == HEADER]
    # In constant time: how long it takes must not tell how much of a guess is right.
    return len(shown) == 1 and compare_digest(shown[0], token)
