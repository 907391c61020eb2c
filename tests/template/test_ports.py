"""A server of the tests has a port of its own, and names who has it before it starts."""

import os
import socket
import sys
from pathlib import Path

import pytest

from tests.brokers.servers.server import Server


class Listening(Server):
    def start(self) -> None:
        script = f"import socket; socket.create_server(('127.0.0.1', {self.port})).accept()"
        self._run([sys.executable, "-c", script])


def test_the_process_that_has_the_port_is_named_before_a_server_starts(tmp_path: Path) -> None:
    server = Listening(tmp_path)
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(RuntimeError) as refusal,
    ):
        server.start()
    assert str(refusal.value).startswith(f"port {server.port} is taken by process {os.getpid()}: ")
    assert not (tmp_path / "server.log").exists()


def test_no_server_of_the_tests_takes_a_port_of_a_workspace(tmp_path: Path) -> None:
    assert 20_000 <= Listening(tmp_path).port < 32_000
