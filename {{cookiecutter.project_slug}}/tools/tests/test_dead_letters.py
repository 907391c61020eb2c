"""One service that is down hides nothing of the others."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from workspace.calls import Failure
from workspace.daprfile import DaprFile
from workspace.deadletters import actions
from workspace.deadletters.client import DeadLetters

LETTER = {
    "id": "3f2a0000-0000-0000-0000-000000000000",
    "topic": "money-deposited",
    "event_id": "1",
    "type": "money-deposited.v1",
    "subject": "ada-1",
    "kind": "exhausted",
    "cause": "the store was away",
    "attempts": 3,
    "arrived_at": "2026-11-27T12:00:00Z",
}


class Service(BaseHTTPRequestHandler):
    """Keeps one letter, and replays it."""

    replayed: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.answer({"count": 1, "letters": [LETTER], "next_page": None})

    def do_POST(self) -> None:
        self.replayed.append(self.path)
        self.answer({"id": LETTER["id"], "topic": LETTER["topic"]})

    def answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def replayed() -> list[str]:
    """What the ledger replayed."""
    return []


@pytest.fixture
def dead_letters(
    replayed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DeadLetters]:
    """Of a bank, which is down, and a ledger: of this machine, so no proxy is asked for them."""
    for proxy in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, "socks5://127.0.0.1:9")

    class Ledger(Service):
        pass

    Ledger.replayed = replayed
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    with ThreadingHTTPServer(("127.0.0.1", 0), Ledger) as ledger:
        Thread(target=ledger.serve_forever).start()
        with DeadLetters(run_file(tmp_path, closed, ledger.server_port).apps) as dead_letters:
            yield dead_letters
        ledger.shutdown()


def run_file(folder: Path, bank: int, ledger: int) -> DaprFile:
    apps = [
        {
            "appID": name,
            "appPort": port,
            "daprHTTPPort": port + 1000,
            "daprGRPCPort": port + 2000,
            "metricsPort": port + 3000,
        }
        for name, port in (("bank", bank), ("ledger", ledger))
    ]
    common = {
        "resourcesPaths": [],
        "placementHostAddress": "127.0.0.1:1",
        "schedulerHostAddress": "127.0.0.1:2",
    }
    file = folder / "dapr.yaml"
    file.write_text(json.dumps({"common": common, "apps": apps}))
    return DaprFile(file)


def test_the_others_are_listed_and_the_one_that_is_down_is_named(
    dead_letters: DeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not actions.show_all(dead_letters, None)
    said = capsys.readouterr()
    assert "ledger" in said.out
    assert "3f2a0000-0000" in said.out
    (line,) = said.err.splitlines()
    assert line.startswith("bank does not answer at http://127.0.0.1:")


def test_the_others_are_replayed_and_the_one_that_is_down_is_named(
    dead_letters: DeadLetters, replayed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not actions.replay_all(dead_letters, None)
    said = capsys.readouterr()
    assert replayed == [f"/dead-letters/{LETTER['id']}/replay"]
    assert "1 of 1 replayed" in said.out
    assert said.err.startswith("bank does not answer")


def test_a_letter_of_another_service_is_found_by_name(
    dead_letters: DeadLetters, replayed: list[str]
) -> None:
    with pytest.raises(Failure, match="Name the service that has it: --service NAME"):
        actions.replay(dead_letters, "3f2a", None)
    assert replayed == []
    assert actions.replay(dead_letters, "3f2a", "ledger")
    assert len(replayed) == 1


def test_what_does_not_fail_says_so(
    dead_letters: DeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    assert actions.show_all(dead_letters, "ledger")
    assert capsys.readouterr().err == ""
