"""python -m workspace up | servers | down | use [--broker NAME] [--store NAME]"""

import argparse
import signal
import sys

from workspace import processes, profiles, stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError


def run(arguments: argparse.Namespace) -> None:
    if arguments.command == "up":
        stack.up()
    elif arguments.command == "servers":
        stack.servers()
    elif arguments.command == "down":
        stack.down()
    else:
        given = {"pubsub": arguments.broker, "state": arguments.store}
        profiles.use({kind: name for kind, name in given.items() if name})
        for profile in profiles.in_use(DaprFile()):
            print(f"{profile.kind}: {profile.name}")
        if processes.running():
            print("What is up still has what it was started with: `make down up`.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="workspace", description=__doc__)
    parser.add_argument("command", choices=["up", "servers", "down", "use"])
    parser.add_argument("--broker", help="with use: a folder of components/pubsub")
    parser.add_argument("--store", help="with use: a folder of components/state")
    # A stop by SIGTERM cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(parser.parse_args())
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
