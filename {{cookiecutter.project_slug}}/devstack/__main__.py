"""python -m devstack up | down"""

import argparse
import signal
import sys

from devstack import stack
from devstack.errors import StackError


def main() -> int:
    parser = argparse.ArgumentParser(prog="devstack", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    # A stop by SIGTERM cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        {"up": stack.up, "down": stack.down}[parser.parse_args().command]()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
