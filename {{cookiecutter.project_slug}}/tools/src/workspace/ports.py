"""Ports: is one free, and if not, who holds it."""

import socket

import psutil

from workspace.errors import StackError


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


def require_free(ports: dict[int, str]) -> None:
    """Raises `StackError` naming each port that is taken, what needs it, and what holds it."""
    taken = [
        f"port {port} ({purpose}) is taken by {holder(port)}"
        for port, purpose in ports.items()
        if answers(port) or not can_be_bound(port)
    ]
    if taken:
        raise StackError("\n".join([*taken, "Stop it (`make down`?), or change dapr.yaml."]))


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
