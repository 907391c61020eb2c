"""How every command of the command line ends."""

import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from workspace.errors import StackError

INTERRUPTED = 130


class Commands(TyperGroup):
    """The exit code: 0; 1 after a failure, or if the command returns False; 2 for wrong usage.

    It is 130 after Ctrl-C or SIGTERM. Why a command failed stands on stderr.
    """

    def invoke(self, ctx: Any) -> Any:
        # A stop by SIGTERM cleans up as Ctrl-C does.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            done = super().invoke(ctx)
        except StackError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        finally:
            signal.signal(signal.SIGTERM, before)
        if done is False:
            raise typer.Exit(1)
        return done
