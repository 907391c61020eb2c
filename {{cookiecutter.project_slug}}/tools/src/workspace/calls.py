"""The operators' routes of the services, which take the app API token."""

from collections.abc import Mapping
from typing import Any

import httpx

from workspace.daprfile import App
from workspace.errors import StackError
from workspace.tokens import app_headers

CONNECT_SECONDS = 5


class Failure(StackError):
    """Of one call or one service: it hides nothing of the others."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        #: What the service answered, if it did.
        self.status = status


class Calls:
    """It holds a connection to each service until it is closed."""

    def __init__(self, apps: Mapping[str, App]) -> None:
        self._urls = {name: app.url for name, app in apps.items()}
        timeout = httpx.Timeout(60, connect=CONNECT_SECONDS)
        # They are on this machine: through no proxy that the environment names.
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, service: str, path: str, **more: Any) -> Any:
        """The JSON of the answer. Raises `Failure`."""
        url = f"{self._urls[service]}{path}"
        try:
            response = self._http.request(method, url, headers=app_headers(service), **more)
        except httpx.HTTPError as error:
            reason = f"{service} does not answer at {url}: {error!r}. `make up` starts it."
            raise Failure(reason) from error
        if response.is_success:
            return response.json()
        status = response.status_code
        raise Failure(f"{service}: {status}: {_detail(response)}", status)


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
        errors = (f"{error['where']}: {error['why']}" for error in problem.get("errors", ()))
        return "; ".join((str(problem["detail"]), *errors))
    except (ValueError, KeyError, TypeError):
        return response.text[:500]
