"""What the READMEs of a workspace and of its example say does as they say, to the letter."""

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template.console import Command, commands_of
from tests.template.rendering import cookiecutter
from tests.waiting import wait_until

START_SECONDS = 90
STOP_SECONDS = 60
END_SECONDS = 30


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendering = cookiecutter(template, tmp_path_factory.mktemp("readme") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    return rendering.output / "order-fulfilment"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """With Dapr where `dapr init` or runtime/README.md put it."""
    found = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    programs = Path(found["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin"
    return {**found, "PATH": f"{programs}{os.pathsep}{found['PATH']}"}


@pytest.mark.parametrize("before", ["make setup", "make clean"])
def test_dapr_run_fulfils_an_order(
    before: str, fresh: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    readmes = (fresh / "README.md", fresh / "services/orders/README.md")
    blocks = [block for readme in readmes for block in commands_of(readme.read_text())]
    (start,) = (block for block in blocks if block[-1].line.startswith("dapr run -f ."))
    (order,) = (block for block in blocks if "/orders " in block[0].line)
    (receipt,) = (block for block in blocks if "/receipts " in block[0].line)
    place, follow = order

    subprocess.run(["bash", "-c", before], cwd=fresh, env=environment, check=True, timeout=300)
    with running(start, fresh, environment, tmp_path / "log"):
        order_id = placed(place.line, place.output)
        assert ended(follow.line, order_id)["state"] == "cancelled"
        sh(receipt[0].line)
        order_id = placed(place.line.replace("first", "second"), place.output)
        assert ended(follow.line, order_id)["state"] == "confirmed"


@contextmanager
def running(
    block: list[Command], workspace: Path, environment: dict[str, str], log: Path
) -> Iterator[None]:
    """Type the commands into a shell, the last of which stays in the foreground, until Ctrl-C."""
    apps = yaml.safe_load((workspace / "dapr.yaml").read_text())["apps"]
    logs = workspace / ".dapr" / "logs"
    script = "\n".join(["set -e", *(command.line for command in block)])
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def check() -> None:
        assert shell.poll() is None, f"it has ended:\n{log.read_text()}"
        # `dapr run` goes on without a sidecar that gave up.
        sidecars = "".join(each.read_text() for each in logs.glob("*_daprd_*"))
        assert "level=fatal" not in sidecars, sidecars

    try:
        for app in apps:
            ready = partial(is_ok, f"http://localhost:{app['appPort']}/readyz")
            wait_until(app["appID"], ready, START_SECONDS, check, log.read_text)
        yield
        os.killpg(shell.pid, signal.SIGINT)
        shell.wait(STOP_SECONDS)
    finally:
        subprocess.run(["make", "down"], cwd=workspace, env=environment, check=True, timeout=90)
        # After a failure: `dapr run` takes no signal before all apps have started.
        for process in members(shell.pid):
            os.kill(process, signal.SIGKILL)
        shell.wait()


def members(session: int) -> list[int]:
    """The processes of a session, whichever groups they have made."""
    listed = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=True)
    found = []
    for process in map(int, listed.stdout.split()):
        with suppress(ProcessLookupError):
            found += [process] if os.getsid(process) == session else []
    return found


def placed(line: str, output: tuple[str, ...]) -> str:
    """The id of the order, from an answer that is as the README shows it."""
    answer = sh(line).splitlines()
    for shown in output:
        pattern = re.escape(shown).replace("…", ".+")
        assert any(re.fullmatch(pattern, line) for line in answer), (shown, answer)
    (location,) = (line for line in answer if line.startswith("location: "))
    return location.rpartition("/")[2]


def ended(line: str, order_id: str) -> dict[str, Any]:
    """The order as the command shows it, once that is its end."""
    seen: dict[str, Any] = {}

    def has_ended() -> bool:
        seen.update(json.loads(sh(line.replace("…", order_id, 1))))
        return seen["state"] in ("confirmed", "cancelled")

    wait_until("the order's end", has_ended, END_SECONDS, state=lambda: str(seen))
    return seen


def sh(line: str) -> str:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
