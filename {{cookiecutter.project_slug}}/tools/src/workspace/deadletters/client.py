"""The dead letters of all services, over their HTTP APIs."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workspace.calls import Calls, Failure
from workspace.daprfile import App
from workspace.deadletters.letter import Letter

if TYPE_CHECKING:
    from workspace.deadletters.undelivered import Undelivered


class DeadLetters:
    """Use it as a context manager: it holds a connection to each service."""

    def __init__(self, apps: Mapping[str, App], undelivered: "Undelivered | None" = None) -> None:
        self._undelivered = undelivered
        self._names = tuple(apps)
        self._http = Calls(apps)

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        if self._undelivered is not None:
            self._undelivered.close()

    def letters(self, service: str) -> Iterator[Letter]:
        """All letters of a service, oldest first. Raises `Failure`."""
        page: int | None = 0
        while page is not None:
            listed = self._call("GET", service, "", params={"page": page})
            for letter in listed["letters"]:
                yield Letter(service, letter["id"], letter, self)
            page = listed["next_page"]

    def collect(self, service: str | None = None) -> tuple[list[Letter], list[Failure]]:
        """The letters of one service, or of all, and why those of some could not be read."""
        found: list[Letter] = []
        failures = []
        sources = [self.letters]
        if self._undelivered is not None:
            sources.append(self._undelivered.letters)
        for name in [service] if service else self._names:
            for letters in sources:
                try:
                    found.extend(letters(name))
                except Failure as failure:
                    failures.append(failure)
        return found, failures

    def find(self, start: str, service: str | None = None) -> Letter:
        """The one letter whose id starts like this. Raises `Failure`."""
        letters, failures = self.collect(service)
        if failures:
            # What does not answer may have another letter of such an id.
            only = "" if service else " Name the service that has it: --service NAME."
            raise Failure("\n".join(map(str, failures)) + only)
        found = [letter for letter in letters if letter.id.startswith(start)]
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

    def replay(self, letter: Letter) -> None:
        self._call("POST", letter.service, f"/{letter.id}/replay")

    def discard(self, letter: Letter, reason: str, by: str) -> None:
        body = {"reason": reason, "by": by}
        self._call("POST", letter.service, f"/{letter.id}/discard", json=body)

    def _call(self, method: str, service: str, path: str, **more: Any) -> Any:
        return self._http.call(method, service, f"/dead-letters{path}", **more)
