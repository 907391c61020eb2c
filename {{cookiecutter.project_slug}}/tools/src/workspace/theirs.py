"""What the command line runs of tests/: it is the user's, and a workspace may do without it."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import typer
from typer.main import get_command

from workspace.daprfile import ROOT
from workspace.errors import StackError

#: Of a command whose arguments are for `run`.
ANY = {"allow_extra_args": True, "ignore_unknown_options": True}

NOTHING: Mapping[str, object] = MappingProxyType({})


def command(name: str, root: Path = ROOT) -> Callable[..., object]:
    """`main` of `tests.<name>.command`, or else of the testkit's own.

    Raises `StackError` if there is neither.
    """
    # A script of .venv/bin does not see the folder that it is called in.
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    package = "tests" if (root / "tests" / name / "command.py").exists() else "testkit"
    if package == "testkit" and not _has(f"testkit.{name}"):
        _require(root / "tests" / name / "command.py")
    main: Callable[..., object] = import_module(f"{package}.{name}.command").main
    return main


def run(context: typer.Context, main: Callable[..., object]) -> object:
    """Call it with the arguments of this command, as its parameters declare them to Typer."""
    line = typer.Typer(add_completion=False)
    line.command()(main)
    command = get_command(line)
    with command.make_context(context.info_name, [*context.args], parent=context.parent) as inner:
        return command.invoke(inner)


def passes(
    path: str, *options: str, settings: Mapping[str, object] = NOTHING, root: Path = ROOT
) -> bool:
    """Whether the tests below a path pass, with these settings in their environment.

    Raises `StackError` if the path is not there.
    """
    _require(root / path)
    import pytest

    os.environ.update({name: str(value) for name, value in settings.items()})
    os.chdir(root)
    code = pytest.main(["-q", *options, path])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    return code == pytest.ExitCode.OK


def _has(module: str) -> bool:
    try:
        return find_spec(f"{module}.command") is not None
    except ModuleNotFoundError:
        return False


def _require(path: Path) -> None:
    if not path.exists():
        raise StackError(
            f"{path} is not there, and this command runs what is in it: it was left out when the "
            "workspace was made, or deleted. Take it back from the template or version control."
        )
