"""python -m workspace.deadletters list | show ID | replay ID|--all | discard ID --reason "..."

An ID may be the start of one, as long as only one letter has it; a message that two services could
not handle is a letter of each: add --service NAME. What fails hides nothing else, and exits with 1.
"""

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from workspace.daprfile import DaprFile
from workspace.deadletters.letter import Failure, Letter
from workspace.deadletters.office import Office
from workspace.errors import StackError
from workspace.profiles import Profile, in_use

if TYPE_CHECKING:
    from workspace.deadletters.undelivered import Undelivered

#: How much of an id a table shows: enough to name one letter of millions.
START = 13
COLUMNS = ("topic", "subject", "kind", "attempts", "arrived", "cause")

console = Console(highlight=False, markup=False)


def main(given: Sequence[str] | None = None) -> int:
    try:
        arguments = _parser().parse_args(given)
        file = DaprFile()
        with Office(file.apps, _undelivered(file)) as office:
            return int(arguments.run(office, arguments))
    except (Failure, StackError) as error:
        print(error, file=sys.stderr)
        return 1


def show_all(office: Office, arguments: argparse.Namespace) -> int:
    letters, failures = office.collect(arguments.service)
    names = (Column(name, no_wrap=True) for name in ("service", "id"))
    table = Table(*names, *COLUMNS)
    for letter in letters:
        table.add_row(letter.service, letter.id[:START], *_cells(letter))
    if letters:
        console.print(table)
    elif not failures:
        console.print("no dead letters")
    return _report(failures)


def show(office: Office, arguments: argparse.Namespace) -> int:
    letter = office.find(arguments.id, arguments.service)
    print(json.dumps(letter.keeper.show(letter), indent=2, ensure_ascii=True))
    return 0


def replay(office: Office, arguments: argparse.Namespace) -> int:
    failures: list[Failure] = []
    if arguments.all:
        # All are listed before the first is replayed: a replayed letter leaves its page.
        letters, failures = office.collect(arguments.service)
    else:
        letters = [office.find(arguments.id, arguments.service)]
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


def discard(office: Office, arguments: argparse.Namespace) -> int:
    letter = office.find(arguments.id, arguments.service)
    letter.keeper.discard(letter, arguments.reason, getpass.getuser())
    console.print(f"discarded {letter.service} {letter.id}: {arguments.reason}")
    return 0


def _undelivered(file: DaprFile) -> "Undelivered | None":
    """What the broker itself keeps, if it is one that does. Raises `StackError`."""
    if Profile("pubsub", "snssqs") not in in_use(file):
        return None
    try:
        from workspace.deadletters.undelivered import Undelivered
    except ModuleNotFoundError as error:
        raise StackError(f"{error}, which this broker needs: use `make dead-letters`") from error
    return Undelivered()


def _report(failures: Sequence[Failure]) -> int:
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _cells(letter: Letter) -> tuple[str, ...]:
    content = letter.content | {"arrived": letter.content["arrived_at"][:19]}
    # What others wrote is shown escaped: it could move the cursor of a terminal.
    values = (content[key] for key in COLUMNS)
    return tuple("-" if value is None else ascii(str(value))[1:-1] for value in values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deadletters", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.set_defaults(run=show_all, service=None)
    of_one = argparse.ArgumentParser(add_help=False)
    of_one.add_argument("--service", choices=list(DaprFile().apps), help="only of this service")
    commands = parser.add_subparsers(metavar="COMMAND")
    everything = commands.add_parser("list", parents=[of_one], help="all letters (the default)")
    everything.set_defaults(run=show_all)
    one = commands.add_parser("show", parents=[of_one], help="one letter with its payload")
    one.add_argument("id")
    one.set_defaults(run=show)
    again = commands.add_parser(
        "replay", parents=[of_one], help="handle one again, or all; it is gone if it works"
    )
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?")
    which.add_argument("--all", action="store_true")
    again.set_defaults(run=replay)
    away = commands.add_parser(
        "discard", parents=[of_one], help="give one up; a record of it is kept"
    )
    away.add_argument("id")
    away.add_argument("--reason", required=True)
    away.set_defaults(run=discard)
    return parser


if __name__ == "__main__":
    sys.exit(main())
