"""Backup, restore and new secrets as docs/operate.md has them, with processes in flight."""

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.servers.postgresql import PostgreSQL
from tests.brokers.servers.valkey import Valkey
from tests.debian import install
from tests.template.rendering import cookiecutter
from tests.waiting import wait_until

STYLES = ("choreography", "orchestration", "hybrid")
#: Of a store that went back, the scheduler may wake no workflow: see docs/scaling.md.
RESTORED = ("choreography", "hybrid")
ORDERS, INVENTORY = "http://127.0.0.1:8001", "http://127.0.0.1:8002"
COMMAND_SECONDS, END_SECONDS = 300, 180
#: What is in flight must not give up, however long a restart takes on this machine.
LASTING = {"STEP_TIMEOUT": "PT1H"}


@dataclass
class Workspace:
    """A workspace, the settings of its servers, and the orders that were placed."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def run(self, command: str, **settings: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env={**environment, **LASTING, **self.settings, **settings},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def commands(self, title: str) -> str:
        """The commands that stand below this title of the guide."""
        text = (self.folder / "docs/operate.md").read_text()
        found = re.search(rf"\*\*{title}\.\*\*.*?```console\n(.*?)```", text, re.DOTALL)
        assert found, title
        return re.sub(r"^\$ ", "", found[1], flags=re.MULTILINE)

    def place(self, name: str, styles: Sequence[str] = STYLES) -> None:
        """An order in each style."""
        for style in styles:
            key = f"{name}-{style}"
            body = {
                "customer": key,
                "card": key,
                "country": "NL",
                "style": style,
                "lines": [{"sku": "REHEARSAL", "quantity": 1, "unit_price_cents": 100}],
            }
            self.keys[key] = str(send(f"{ORDERS}/orders", body, key)["order_id"])

    def states(self) -> dict[str, str]:
        return {key: str(get(f"{ORDERS}/orders/{id}")["state"]) for key, id in self.keys.items()}

    def wait_until_all_are_confirmed(self) -> None:
        wait_until(
            "the end of all orders",
            lambda: set(self.states().values()) == {"confirmed"},
            END_SECONDS,
            state=lambda: str(self.states()),
        )
        # Each of them took its item once.
        assert get(f"{INVENTORY}/stock/REHEARSAL")["reserved"] == len(self.keys)

    def take_shipping_away(self) -> None:
        """Its process; so no order can end."""
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            command = status.read_bytes().split(b"\0")
            if b"shipping.main:app" not in command or b"--factory" not in command:
                continue
            if (status.parent / "cwd").resolve() == self.folder.resolve():
                os.kill(int(status.parent.name), signal.SIGKILL)


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as response:
        found: dict[str, Any] = json.load(response)
    return found


def send(url: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
    headers = {"content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        found: dict[str, Any] = json.load(response)
    return found


@pytest.fixture(scope="module")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendering = cookiecutter(template, tmp_path_factory.mktemp("rehearsal") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "order-fulfilment"
    Workspace(folder).run("make setup")
    return folder


@pytest.fixture
def workspace(installed: Path) -> Iterator[Workspace]:
    workspace = Workspace(installed)
    yield workspace
    workspace.run("make clean && rm -rf backup")


@pytest.fixture
def path(tmp_path: Path) -> Mapping[str, str]:
    """With Valkey's client, which Debian has under Redis' name."""
    install("redis-tools", "/usr/bin/redis-cli")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "valkey-cli").symlink_to("/usr/bin/redis-cli")
    return {"PATH": f"{programs}:{os.environ['PATH']}"}


def up(workspace: Workspace) -> None:
    workspace.run("make up")
    send(f"{INVENTORY}/stock/REHEARSAL/receipts", {"quantity": 100}, "rehearsal")


def back_up_and_restore(workspace: Workspace, store: str, path: Mapping[str, str]) -> None:
    up(workspace)
    workspace.take_shipping_away()
    workspace.place("in-flight", RESTORED)
    workspace.run(workspace.commands(f"Back up {store}"), **path)
    assert set(workspace.states().values()) == {"placed"}

    workspace.run(workspace.commands(f"Restore {store}"), **path)
    workspace.run(workspace.commands("Hand out again"), **path)

    workspace.wait_until_all_are_confirmed()


def test_a_backup_of_sqlite_brings_back_what_was_in_flight(
    workspace: Workspace, path: Mapping[str, str]
) -> None:
    install("sqlite3", shutil.which("sqlite3") or "/usr/bin/sqlite3")
    back_up_and_restore(workspace, "SQLite", path)


def test_a_dump_of_postgresql_brings_back_what_was_in_flight(
    workspace: Workspace, path: Mapping[str, str]
) -> None:
    server = PostgreSQL()
    server.start()
    try:
        workspace.settings = server.environment
        (tools,) = Path("/usr/lib/postgresql").glob("*/bin")
        workspace.run("make use STORE=postgresql")
        back_up_and_restore(workspace, "PostgreSQL", {"PATH": f"{tools}:{path['PATH']}"})
    finally:
        workspace.run("make down && make use STORE=sqlite")
        server.stop()


def test_new_tokens_leave_what_is_in_flight(workspace: Workspace, path: Mapping[str, str]) -> None:
    up(workspace)
    before = (workspace.folder / ".env").read_text()
    workspace.take_shipping_away()
    workspace.place("in-flight")

    workspace.run(workspace.commands("New tokens"))
    workspace.run(workspace.commands("Hand out again"), **path)

    assert (workspace.folder / ".env").read_text() != before
    workspace.wait_until_all_are_confirmed()
    old = before.partition("APP_API_TOKEN=")[2].strip()
    request = urllib.request.Request(f"{ORDERS}/dead-letters", headers={"dapr-api-token": old})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_a_new_password_of_the_broker_leaves_what_is_in_flight(
    workspace: Workspace, tmp_path: Path, path: Mapping[str, str]
) -> None:
    (tmp_path / "server").mkdir()
    server = Valkey(tmp_path / "server", workspace.folder)
    server.start()
    try:
        workspace.settings = server.environment
        up(workspace)
        workspace.take_shipping_away()
        # These two ask again by themselves.
        workspace.place("in-flight", ("orchestration", "hybrid"))

        changed = workspace.commands("A new password of Redis")
        workspace.run(changed, NEW="another", **path)

        workspace.wait_until_all_are_confirmed()
    finally:
        workspace.run("make down")
        server.stop()
