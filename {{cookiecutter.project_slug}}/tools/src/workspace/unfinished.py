"""workspace processes: the processes that have not ended, as their initiators list them."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Column, Table

from workspace import memberfile
from workspace.calls import Calls, Failure
from workspace.daprfile import App, DaprFile
from workspace.errors import StackError, UnknownName

#: A page that is gone makes the list begin again, so often.
MAX_BEGINNINGS = 5
#: How much of an id a table shows, and whoever has not answered by then is named as away.
START, READ_SECONDS = 13, 10

console = Console(highlight=False, markup=False)

Row = Mapping[str, Any]


class Phase(StrEnum):
    RUNNING = "running"
    COMPENSATING = "compensating"
    RETRYING = "retrying"
    STUCK = "stuck"


State = Annotated[Phase | None, typer.Option(help="Only those.")]
Older = Annotated[str, typer.Option(help="Only those that began so long ago: 90s, 10m, 2h.")]
Service = Annotated[
    str | None, typer.Option(help="Only of this one.", autocompletion=lambda: list(DaprFile().apps))
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for another program.")]

app = typer.Typer()


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    state: State = None,
    older: Older = "0s",
    service: Service = None,
    as_json: AsJson = False,
) -> bool | None:
    """What has not ended: its age and state, what it waits for, and what failed last."""
    if context.invoked_subcommand is not None:
        return None
    asked = {"older": older} if state is None else {"older": older, "state": state.value}
    with processes(service) as listed:
        rows, failures = listed.collect(asked)
    print_all(rows, as_json)
    for failure in failures:
        print(failure, file=sys.stderr)
    return not failures


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The start of an id; with --saga all of it.")],
    saga: Annotated[
        str, typer.Option(help="Its saga: then it may have ended.", metavar="NAME")
    ] = "",
    service: Service = None,
    as_json: AsJson = False,
) -> None:
    """One process: its steps, what is tried again, what failed, what was undone."""
    with processes(service) as listed:
        process = listed.find(id, saga)
    print_one(process, as_json)


class Processes:
    def __init__(self, apps: Mapping[str, App]) -> None:
        self._names = tuple(apps)
        self._calls = Calls(apps)

    def close(self) -> None:
        self._calls.close()

    def collect(self, asked: Mapping[str, str]) -> tuple[list[Row], list[Failure]]:
        """The oldest first, and why those of some services could not be read."""
        rows: list[Row] = []
        failures = []
        for name in self._names:
            try:
                rows += self._of(name, asked)
            except Failure as failure:
                # Whoever begins no process has no such list.
                if failure.status != HTTPStatus.NOT_FOUND:
                    failures.append(failure)
        return sorted(rows, key=lambda row: -int(row["age_seconds"])), failures

    def find(self, id: str, saga: str) -> Row:
        """Raises `Failure`."""
        if saga:
            return self._show(saga, id)
        rows, failures = self.collect({})
        if failures:
            raise Failure("\n".join(map(str, failures)))
        found = [row for row in rows if row["id"].startswith(id)]
        if not found:
            raise Failure(
                f"no unfinished process has an id that starts with {id!r}: one that has ended is "
                "shown by its whole id and --saga"
            )
        if len(found) > 1:
            which = ", ".join(f"{row['saga']} {row['id']}" for row in found[:5])
            raise Failure(f"{id!r} is not one process, but {which}: give more of it, or --saga")
        return self._show(found[0]["saga"], found[0]["id"])

    def _show(self, saga: str, id: str) -> Row:
        path = f"/processes/{quote(saga, safe='')}/{quote(id, safe='')}"
        for name in self._names:
            try:
                return {"service": name, "saga": saga, **self._calls.call("GET", name, path)}
            except Failure as failure:
                if failure.status != HTTPStatus.NOT_FOUND:
                    raise
        raise Failure(f"no service has a process {id} of {saga}")

    def _of(self, service: str, asked: Mapping[str, str]) -> list[Row]:
        for _ in range(MAX_BEGINNINGS):
            try:
                return list(self._pages(service, asked))
            except Failure as failure:
                # Pages become one while processes end.
                if failure.status != HTTPStatus.GONE:
                    raise
        raise Failure(f"{service}: its list changes faster than it can be read: try again")

    def _pages(self, service: str, asked: Mapping[str, str]) -> Iterator[Row]:
        params = dict(asked)
        while True:
            answer = self._calls.call(
                "GET", service, "/processes", params=params, timeout=READ_SECONDS
            )
            for process in answer["processes"]:
                yield {"service": service, **process}
            if answer["next_page"] is None:
                return
            params["page"] = answer["next_page"]


@contextmanager
def processes(service: str | None) -> Iterator[Processes]:
    apps = DaprFile().apps
    if service is not None and service not in apps:
        raise UnknownName(f"service {service}", apps)
    # A member in another language has no such route.
    asked = {name: app for name, app in apps.items() if memberfile.of(name) is None}
    if service is not None and service not in asked:
        raise StackError(f"{service} is not of the chassis: it lists no processes")
    listed = Processes(asked if service is None else {service: asked[service]})
    try:
        yield listed
    finally:
        listed.close()


def print_all(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        console.print("no unfinished processes")
        return
    names = (Column(name, no_wrap=True) for name in ("saga", "id", "age", "style", "state"))
    table = Table(*names, "waits for", "cause")
    for row in rows:
        table.add_row(
            _text(row["saga"]),
            _text(row["id"])[:START],
            age(row["age_seconds"]),
            _text(row["style"]),
            _text(row["state"]),
            _text(", ".join(row["waits_for"])),
            _text(row["cause"]),
        )
    console.print(table)


def print_one(process: Row, as_json: bool) -> None:
    if as_json:
        print(json.dumps(process, indent=2))
        return
    for name in ("service", "saga", "id", "style", "state", "started_at", "ended_at"):
        _print(f"{name:<12}{_text(process[name])}")
    for step in process["steps"]:
        reason = f": {_text(step['reason'])}" if step["reason"] else ""
        _print(f"{'step':<12}{_text(step['at'])} {_text(step['event'])}{reason}")
    for each in process["retrying"]:
        human = ", needs a human" if each["needs_human"] else ""
        _print(
            f"{'retrying':<12}{_text(each['command'])} at {_text(each['participant'])}, "
            f"{each['attempts']} attempts since {each['since']}{human}: {_text(each['cause'])}"
        )
    if process["failure"] is not None:
        failure = process["failure"]
        _print(f"{'failure':<12}{_text(failure['step'])}: {_text(failure['reason'])}")
    for event in process["undone"]:
        _print(f"{'undone':<12}{_text(event)}")


def _print(line: str) -> None:
    # For `grep`: a line of it is a line, however wide the terminal is.
    console.print(line, soft_wrap=True)


def age(seconds: int) -> str:
    """The two largest units: 42s, 3m 5s, 2h 10m, 4d 1h."""
    parts: list[str] = []
    for unit, of in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, of)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _text(value: object) -> str:
    """What others wrote is shown escaped: it could move the cursor of a terminal."""
    return "-" if value in (None, "") else ascii(str(value))[1:-1]
