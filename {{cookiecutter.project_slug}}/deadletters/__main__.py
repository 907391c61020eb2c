"""python -m deadletters list | show ID | replay ID | replay --all | discard ID --reason "..."

An ID may be the start of one, as long as only one letter has it; a message that two services could
not handle is a letter of each: add --service NAME. Exits 1 if anything failed.
"""

import argparse
import getpass
import json
import sys

from rich.console import Console
from rich.table import Column, Table

from deadletters.office import Failure, Letter, Office
from devstack.daprfile import DaprFile
from devstack.errors import StackError

#: How much of an id a table shows: enough to name one letter of millions.
START = 13

console = Console(highlight=False, markup=False)


def main() -> int:
    try:
        arguments = _parser().parse_args()
        with Office(DaprFile().apps) as office:
            return int(arguments.run(office, arguments))
    except (Failure, StackError) as error:
        print(error, file=sys.stderr)
        return 1


def show_all(office: Office, arguments: argparse.Namespace) -> int:
    letters = list(office.letters(arguments.service))
    if not letters:
        console.print("no dead letters")
        return 0
    table = Table(
        "service", Column("id", no_wrap=True), "topic", "subject", "attempts", "arrived", "cause"
    )
    for letter in letters:
        table.add_row(letter.service, letter.id[:START], *_cells(letter))
    console.print(table)
    return 0


def show(office: Office, arguments: argparse.Namespace) -> int:
    letter = office.show(office.find(arguments.id, arguments.service))
    print(json.dumps(letter, indent=2, ensure_ascii=True))
    return 0


def replay(office: Office, arguments: argparse.Namespace) -> int:
    if arguments.all:
        # All are listed before the first is replayed: a replayed letter leaves its page.
        letters = list(office.letters(arguments.service))
    else:
        letters = [office.find(arguments.id, arguments.service)]
    failed = 0
    for letter in letters:
        try:
            office.replay(letter)
            console.print(f"replayed {letter.service} {letter.id}")
        except Failure as error:
            failed += 1
            print(f"{letter.service} {letter.id} stays: {error}", file=sys.stderr)
    console.print(f"{len(letters) - failed} of {len(letters)} replayed")
    return 1 if failed else 0


def discard(office: Office, arguments: argparse.Namespace) -> int:
    letter = office.find(arguments.id, arguments.service)
    office.discard(letter, arguments.reason, getpass.getuser())
    console.print(f"discarded {letter.service} {letter.id}: {arguments.reason}")
    return 0


def _cells(letter: Letter) -> tuple[str, ...]:
    keys = ("topic", "subject", "attempts", "arrived_at", "cause")
    content = letter.content | {"arrived_at": letter.content["arrived_at"][:19]}
    # What a stranger wrote is shown escaped: it could move the cursor of a terminal.
    values = (content[key] for key in keys)
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
