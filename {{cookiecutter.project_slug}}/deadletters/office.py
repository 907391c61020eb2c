"""The dead letters of all services, over their HTTP APIs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from devstack.daprfile import App
from devstack.tokens import app_headers


class Failure(Exception):
    """What a person reads: what failed, why, and what to do."""


@dataclass(frozen=True)
class Letter:
    """A letter as a list shows it, and the service that keeps it."""

    service: str
    id: str
    content: dict[str, Any]


class Office:
    """Use it as a context manager: it holds a connection to each service."""

    def __init__(self, apps: Mapping[str, App]) -> None:
        self._urls = {name: app.url for name, app in apps.items()}
        self._http = httpx.Client(timeout=60, headers=app_headers())

    def __enter__(self) -> "Office":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def letters(self, service: str | None = None) -> Iterator[Letter]:
        """All letters, service by service, oldest first. Raises `Failure`."""
        for name in [service] if service else self._urls:
            page: int | None = 0
            while page is not None:
                listed = self._call("GET", name, "", params={"page": page})
                for letter in listed["letters"]:
                    yield Letter(name, letter["id"], letter)
                page = listed["next_page"]

    def find(self, start: str, service: str | None = None) -> Letter:
        """The one letter whose id starts like this. Raises `Failure`."""
        found = [letter for letter in self.letters(service) if letter.id.startswith(start)]
        if not found:
            raise Failure(f"no dead letter has an id that starts with {start!r}: see the list")
        if len(found) > 1:
            where = ", ".join(f"{letter.service} {letter.id}" for letter in found)
            raise Failure(
                f"{start!r} is not one letter, but {where}: give more of it, or add --service NAME"
            )
        return found[0]

    def show(self, letter: Letter) -> Any:
        return self._call("GET", letter.service, f"/{letter.id}")

    def replay(self, letter: Letter) -> Any:
        return self._call("POST", letter.service, f"/{letter.id}/replay")

    def discard(self, letter: Letter, reason: str, by: str) -> Any:
        body = {"reason": reason, "by": by}
        return self._call("POST", letter.service, f"/{letter.id}/discard", json=body)

    def _call(self, method: str, service: str, path: str, **more: Any) -> Any:
        url = f"{self._urls[service]}/dead-letters{path}"
        try:
            response = self._http.request(method, url, **more)
        except httpx.HTTPError as error:
            reason = f"{service} does not answer at {url}: {error!r}. `make up` starts it."
            raise Failure(reason) from error
        if response.is_success:
            return response.json()
        raise Failure(f"{service}: {response.status_code}: {_detail(response)}")


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
        errors = (f"{error['where']}: {error['why']}" for error in problem.get("errors", ()))
        return "; ".join((str(problem["detail"]), *errors))
    except (ValueError, KeyError, TypeError):
        return response.text[:500]
