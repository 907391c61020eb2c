"""Ports: is one free, and if not, who holds it."""

import socket

import psutil

from devstack.errors import StackError


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        try:
            return probe.connect_ex((host, port)) == 0
        except OSError:  # a name that does not resolve
            return False


def require_free(ports: dict[int, str]) -> None:
    """Raises `StackError` naming each port that is taken, what needs it, and what holds it."""
    taken = [
        f"port {port} ({purpose}) is taken by {holder(port)}"
        for port, purpose in ports.items()
        if answers(port)
    ]
    if taken:
        raise StackError("\n".join([*taken, "Stop it (`make down`?), or change dapr.yaml."]))


def holder(port: int) -> str:
    """The process that listens there, as far as this user may know."""
    try:
        for connection in psutil.net_connections("inet"):
            listening = connection.status == psutil.CONN_LISTEN and connection.pid
            if listening and connection.laddr and connection.laddr.port == port:
                process = psutil.Process(connection.pid)
                return f"process {process.pid}: {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        pass
    return "a process of another user, or a container"
