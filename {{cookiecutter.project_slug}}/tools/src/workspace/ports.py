"""Ports: is one free, and if not, who holds it."""

import socket
import sys
import time

import psutil

from workspace.errors import StackError

#: Linux keeps the port of a connection for a minute after its end.
RELEASE_SECONDS = 65.0


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        try:
            return probe.connect_ex((host, port)) == 0
        except OSError:  # a name that does not resolve
            return False


def can_be_bound(port: int) -> bool:
    """Whether a server could listen there.

    It cannot where an outgoing connection has the port, though nobody answers: Linux takes the
    local ends of connections from 32768 to 60999, and the control plane's ports are among them.
    """
    with socket.socket() as probe:
        # As servers ask: what their own last connections have left behind is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(ports: dict[int, str], wait: float = RELEASE_SECONDS) -> None:
    """Raises `StackError` naming each port that is taken, what needs it, and what holds it.

    What a connection has that has just ended is free soon: that is waited for.
    """
    deadline = time.monotonic() + wait
    while (held := [*filter(_is_held, ports)]) and time.monotonic() < deadline:
        print(f"port {held[0]}: waiting for {holder(held[0])}", file=sys.stderr)
        time.sleep(min(5.0, wait))
    taken = [
        f"port {port} ({purpose}) is taken by {holder(port)}"
        for port, purpose in ports.items()
        if answers(port) or not can_be_bound(port)
    ]
    if taken:
        raise StackError("\n".join([*taken, "Stop it (`make down`?), or change dapr.yaml."]))


def _is_held(port: int) -> bool:
    """By a connection, not by a server."""
    return not can_be_bound(port) and not answers(port)


def holder(port: int) -> str:
    """The process that has it, as far as this user may know."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.pid and connection.laddr and connection.laddr.port == port:
                process = psutil.Process(connection.pid)
                return f"process {process.pid}: {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        pass
    return "a process of another user, a container, or a connection that has just ended"
