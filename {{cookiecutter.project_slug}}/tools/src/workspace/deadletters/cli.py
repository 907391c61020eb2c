"""workspace dead-letters: what no service could handle."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from workspace import memberfile
from workspace.daprfile import DaprFile
from workspace.deadletters import actions
from workspace.deadletters.client import DeadLetters
from workspace.errors import StackError, UnknownName
from workspace.profiles import Profile, in_use

if TYPE_CHECKING:
    from workspace.deadletters.undelivered import Undelivered


def services() -> list[str]:
    return list(DaprFile().apps)


Service = Annotated[str | None, typer.Option(help="Only of this service.", autocompletion=services)]
Id = Annotated[str, typer.Argument(help="The start of an id, as long as one letter has it.")]

app = typer.Typer()


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> bool | None:
    """What no service could handle: list, show, replay, discard. Without one of them: list.

    A message that two services could not handle is a letter of each: add --service NAME.
    """
    return list_all() if context.invoked_subcommand is None else None


@app.command("list")
def list_all(service: Service = None) -> bool:
    """All letters, and which service does not answer."""
    with _dead_letters(service) as dead_letters:
        return actions.show_all(dead_letters, service)


@app.command()
def show(id: Id, service: Service = None) -> None:
    """One letter with its payload."""
    with _dead_letters(service) as dead_letters:
        actions.show(dead_letters, id, service)


@app.command()
def replay(
    id: Annotated[str, typer.Argument(help="The start of an id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All letters.")] = False,
    service: Service = None,
) -> bool:
    """Handle one letter again, or all: it is gone if that works."""
    if bool(id) == everything:
        raise typer.BadParameter("give the start of one id, or --all")
    with _dead_letters(service) as dead_letters:
        if everything:
            return actions.replay_all(dead_letters, service)
        return actions.replay(dead_letters, id, service)


@app.command()
def discard(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why; a record of it is kept.")],
    service: Service = None,
) -> None:
    """Give one letter up."""
    with _dead_letters(service) as dead_letters:
        actions.discard(dead_letters, id, service, reason)


@contextmanager
def _dead_letters(service: str | None) -> Iterator[DeadLetters]:
    file = DaprFile()
    if service is not None and service not in file.apps:
        raise UnknownName(f"service {service}", file.apps)
    keeping = {
        name: app for name, app in file.apps.items() if memberfile.or_chassis(name).dead_letters
    }
    for name in file.apps.keys() - keeping.keys():
        if service in (None, name):
            print(
                f"{name} keeps no dead letters: what its sidecar gives up on is in the topic "
                f"{name}-dead-letters, see docs/members.md",
                file=sys.stderr,
            )
    if service is not None and service not in keeping:
        raise typer.Exit(1)
    with DeadLetters(keeping, _undelivered(file)) as dead_letters:
        yield dead_letters


def _undelivered(file: DaprFile) -> "Undelivered | None":
    """What the broker itself keeps, if it is one that does. Raises `StackError`."""
    if Profile("pubsub", "snssqs") not in in_use(file):
        return None
    try:
        from workspace.deadletters.undelivered import Undelivered
    except ModuleNotFoundError as error:
        raise StackError(f"{error}, which this broker needs: use `make dead-letters`") from error
    return Undelivered()
