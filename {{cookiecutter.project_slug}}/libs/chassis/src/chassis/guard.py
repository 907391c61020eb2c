"""Who may call the routes that are for the sidecar alone: whoever has the app API token.

Without a token in the environment these routes are open, as `dapr run` has them by default.
"""

from hmac import compare_digest

from fastapi import Request
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.problems import problem

#: Messages, commands, subscriptions, and what operators see. The service's own API stays open.
GUARDED = ("/events", "/commands", "/dapr", "/dead-letters", "/processes")
HEADER = b"dapr-api-token"


class AppToken:
    """Refuses a call of a guarded route that does not carry the token; daprd sends it."""

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self._app = app
        self._token = token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_guarded(scope["path"]) or self._is_shown(scope):
            await self._app(scope, receive, send)
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

    def _is_shown(self, scope: Scope) -> bool:
        shown = [value for name, value in scope["headers"] if name == HEADER]
        # In constant time: how long it takes must not tell how much of a guess is right.
        return len(shown) == 1 and compare_digest(shown[0], self._token)


def is_guarded(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in GUARDED)
