"""Ports on loopback."""

import os
import socket
from contextlib import suppress
from pathlib import Path


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


def require_free(port: int) -> None:
    """Raises `RuntimeError` with who has the port: a server started beside it would be another."""
    if answers(port):
        raise RuntimeError(f"port {port} is taken by {holder(port)}: stop that first")


def holder(port: int) -> str:
    """The process that listens there, as far as Linux lets this user see it."""
    listening = {f"socket:[{inode}]" for inode in _inodes(port)}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor) in listening:
                process = descriptor.parents[1]
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                return f"process {process.name}: {command[:120].decode(errors='replace').strip()}"
    return "a process of another user, or a container"


def _inodes(port: int) -> list[str]:
    """Of the sockets that listen: state 0A in column 4, the port in hexadecimal at the end of 2."""
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
            found += [row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    return found


_given: set[int] = set()
