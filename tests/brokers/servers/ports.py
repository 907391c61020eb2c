"""Ports on loopback."""

import os
import socket


def free_port() -> int:
    """A port below those that outgoing connections take."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        if port not in _given and not answers(port):
            _given.add(port)
            return port
    raise RuntimeError("no free port between 20000 and 32000")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_given: set[int] = set()
