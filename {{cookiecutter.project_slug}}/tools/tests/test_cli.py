"""One command line: each command has a help, and each end of one its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_group
from typer.testing import CliRunner

from workspace import theirs
from workspace.cli import app
from workspace.commands import Commands
from workspace.daprfile import ROOT
from workspace.errors import StackError, UnknownName

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))
        yield (*path, name)


#: What one command runs is theirs alone.
HISTORIES = ROOT / "tests" / "simulation" / "command.py"
COMMANDS = sorted(commands(get_group(app)))


def ending(with_what: Callable[[], object]) -> typer.Typer:
    """A command line whose one command is this function."""
    line = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    line.command("first")(lambda: None)

    @line.command()
    def end() -> object:
        return with_what()

    return line


def test_the_commands_are_these() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        *("up", "servers", "down", "restart", "debug", "dev", "use", "derive"),
        *("new-service", "remove-example", "members", "streams", "tokens", "trim"),
        *("dead-letters", "dead-letters list", "dead-letters show"),
        *("dead-letters replay", "dead-letters discard", "processes", "processes show"),
        *("demo", "faults", "simulate", "fuzz", "histories"),
        *("compose", "compose build", "compose up", "compose replace", "compose down"),
        *("stack", "stack up", "stack down", "stack config"),
        *("kube", "kube up", "kube down", "kube config", "kube check"),
    }


@pytest.mark.parametrize(
    "path",
    [path for path in COMMANDS if path != ("histories",) or HISTORIES.exists()],
    ids=" ".join,
)
def test_each_command_says_what_it_does(path: tuple[str, ...]) -> None:
    said = runner.invoke(app, [*path, "--help"])
    assert said.exit_code == 0
    usage, _, about = said.stdout.strip().partition("\n")
    assert " ".join(path) in usage
    assert about.strip()[0].isupper()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "upp",
        "up --fast",
        "use",
        "use --broker no-broker",
        "simulate --schedules none",
        "simulate --schedules 0",
        "dead-letters replay",
        "dead-letters replay 3f2a --all",
        "dead-letters discard 3f2a",
        "dead-letters list --service nobody",
        "processes --state happy",
        "processes --service nobody",
        "restart",
        "restart nobody",
        "debug nobody",
        "compose replace",
        "kube config --overlay no-overlay",
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(wrong: str) -> None:
    said = runner.invoke(app, wrong.split())
    assert said.exit_code == 2
    assert said.output.strip()


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    said = runner.invoke(app, ["use", "--store", "no-store"])
    assert said.stderr.startswith("there is no components/state/no-store; there are ")


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("--times 2 --flag-of-theirs a b", 0, "2 True a b\n"),
        ("--times 3 a", 1, "3 False a\n"),
        ("--times none a", 2, "integer"),
        ("--unknown", 2, "--unknown"),
        ("--help", 0, "Theirs, with its own help."),
    ],
)
def test_a_function_of_the_user_declares_its_own_options(given: str, code: int, said: str) -> None:
    def main(
        names: list[str],
        times: int = 1,
        flag: Annotated[bool, typer.Option("--flag-of-theirs")] = False,
    ) -> bool:
        """Theirs, with its own help."""
        print(times, flag, *names)
        return flag

    line = typer.Typer(cls=Commands)
    line.command("first")(lambda: None)

    @line.command(add_help_option=False, context_settings=theirs.ANY)
    def end(context: typer.Context) -> object:
        return theirs.run(context, main)

    result = runner.invoke(line, ["end", *given.split()])
    assert result.exit_code == code
    assert said in result.output


def raising(error: BaseException) -> Callable[[], object]:
    def end() -> object:
        raise error

    return end


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: True, 0, ""),
        (lambda: False, 1, ""),
        (raising(StackError("no [broker]")), 1, "no [broker]\n"),
        (raising(UnknownName("x", "ab")), 2, "there is no x; there are a, b\n"),
        (raising(KeyboardInterrupt()), 130, ""),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 130, ""),
    ],
)
def test_each_end_has_its_exit_code_and_its_reason(
    end: Callable[[], object], code: int, said: str
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    result = runner.invoke(ending(end), ["end"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", said)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_script_works_from_any_folder_below_the_workspace() -> None:
    script = Path(sys.executable).parent / "workspace"
    done = subprocess.run(
        [script, "use", "--store", "no-store"],
        cwd=ROOT / "tools" / "tests",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("there is no components/state/no-store; there are ")


@pytest.mark.parametrize("command", [["compose", "build"], ["compose", "down"], ["stack", "up"]])
def test_without_docker_it_says_what_is_needed(command: list[str], tmp_path: Path) -> None:
    said = runner.invoke(app, command, env={"PATH": str(tmp_path)})
    assert said.exit_code == 1
    assert said.stderr.startswith("docker is not there")
    assert "Compose plugin, 2.24 or newer" in said.stderr


@pytest.mark.parametrize(
    "run",
    [
        lambda root: theirs.command("simulation", root),
        lambda root: theirs.passes("tests/simulation", root=root),
    ],
)
def test_a_folder_of_tests_that_is_not_there_is_named_in_one_line(
    run: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(StackError, match=r"tests/simulation\S* is not there.*left out") as refused:
        run(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("body", "passes"), [("pass", True), ("assert False", False)])
def test_tests_run_with_their_settings(tmp_path: Path, body: str, passes: bool) -> None:
    (tmp_path / "test_it.py").write_text(
        f"import os\ndef test_it():\n    assert os.environ['SHOTS'] == '7'\n    {body}\n"
    )
    # In a process of its own, since it changes folder and environment.
    program = (
        "import sys; from pathlib import Path; from workspace import theirs; "
        "sys.exit(not theirs.passes('test_it.py', '-p', 'no:cacheprovider', "
        "settings={'SHOTS': 7}, root=Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
