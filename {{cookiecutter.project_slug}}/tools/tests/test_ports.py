"""A busy port is named, with what needs it and what holds it."""

import os
import socket
import struct
import threading

import pytest

from workspace import ports
from workspace.errors import StackError


def test_a_busy_port_is_named_with_its_purpose_and_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(StackError) as refusal:
            ports.require_free({port: "API of bank"})

    assert f"port {port} (API of bank) is taken by process {os.getpid()}" in str(refusal.value)


def test_a_port_that_an_outgoing_connection_has_is_busy_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as outgoing,
    ):
        port = outgoing.getsockname()[1]

        with pytest.raises(StackError, match=f"taken by process {os.getpid()}"):
            ports.require_free({port: "scheduler"}, wait=0)


def test_a_port_of_a_connection_that_ends_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outgoing = socket.create_connection(server.getsockname())
        # Reset, so that the port is free at once.
        outgoing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        port = outgoing.getsockname()[1]
        ending = threading.Timer(0.2, outgoing.close)
        ending.start()

        ports.require_free({port: "scheduler"}, wait=1)
        ending.join()


def test_free_ports_are_no_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    ports.require_free({port: "API of bank"})
