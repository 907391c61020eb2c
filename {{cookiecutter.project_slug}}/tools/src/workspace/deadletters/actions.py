"""What can be done with dead letters. An action is False if a part of it failed, and says which."""

import getpass
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from workspace.calls import Failure
from workspace.deadletters.client import DeadLetters
from workspace.deadletters.letter import Letter

#: How much of an id a table shows: enough to name one letter of millions.
START = 13
COLUMNS = ("topic", "subject", "kind", "attempts", "arrived", "cause")

console = Console(highlight=False, markup=False)
progress = Console(stderr=True, highlight=False, markup=False)


def show_all(dead_letters: DeadLetters, service: str | None) -> bool:
    letters, failures = _collect(dead_letters, service)
    names = (Column(name, no_wrap=True) for name in ("service", "id"))
    table = Table(*names, *COLUMNS)
    for letter in letters:
        table.add_row(letter.service, letter.id[:START], *_cells(letter))
    if letters:
        console.print(table)
    elif not failures:
        console.print("no dead letters")
    return _report(failures)


def show(dead_letters: DeadLetters, id: str, service: str | None) -> None:
    letter = dead_letters.find(id, service)
    print(json.dumps(letter.keeper.show(letter), indent=2, ensure_ascii=True))


def replay(dead_letters: DeadLetters, id: str, service: str | None) -> bool:
    return _replay([dead_letters.find(id, service)], [])


def replay_all(dead_letters: DeadLetters, service: str | None) -> bool:
    # All are listed before the first is replayed: a replayed letter leaves its page.
    return _replay(*_collect(dead_letters, service))


def discard(dead_letters: DeadLetters, id: str, service: str | None, reason: str) -> None:
    letter = dead_letters.find(id, service)
    letter.keeper.discard(letter, reason, getpass.getuser())
    console.print(f"discarded {letter.service} {letter.id}: {reason}")


def _collect(dead_letters: DeadLetters, service: str | None) -> tuple[list[Letter], list[Failure]]:
    with progress.status("reading the dead letters"):
        return dead_letters.collect(service)


def _replay(letters: Sequence[Letter], failures: list[Failure]) -> bool:
    replayed = 0
    for letter in letters:
        try:
            letter.keeper.replay(letter)
        except Failure as error:
            failures.append(Failure(f"{letter.service} {letter.id} stays: {error}"))
        else:
            replayed += 1
            console.print(f"replayed {letter.service} {letter.id}")
    console.print(f"{replayed} of {len(letters)} replayed")
    return _report(failures)


def _report(failures: Sequence[Failure]) -> bool:
    for failure in failures:
        print(failure, file=sys.stderr)
    return not failures


def _cells(letter: Letter) -> tuple[str, ...]:
    content = letter.content | {"arrived": letter.content["arrived_at"][:19]}
    # What others wrote is shown escaped: it could move the cursor of a terminal.
    values = (content[key] for key in COLUMNS)
    return tuple("-" if value is None else ascii(str(value))[1:-1] for value in values)
