"""A network namespace of its own for one daemon: its bridges, ports and firewall rules stay inside.

What runs in it reaches package registries through this machine.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def namespace() -> Iterator[str]:
    """The name of a namespace, which is gone afterwards, with all that was added for it."""
    name = f"deploy{os.getpid()}"
    # Of the range that nobody routes; a pid of its own, so that two runs do not meet.
    subnet = f"198.18.{os.getpid() % 256}"
    outside, inside = f"{name}o", f"{name}i"
    with ExitStack() as undo:
        _ip("netns", "add", name)
        undo.callback(_ip, "netns", "del", name)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        undo.callback(_ip, "link", "del", outside)
        _ip("addr", "add", f"{subnet}.1/30", "dev", outside)
        _ip("link", "set", outside, "up")
        _ip("-n", name, "addr", "add", f"{subnet}.2/30", "dev", inside)
        for device in ("lo", inside):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "route", "add", "default", "via", f"{subnet}.1")
        # Left on: another run at the same time may need it, too.
        FORWARDING.write_text("1")
        source = ("-s", f"{subnet}.0/30")
        for rule in (
            ("nat", "POSTROUTING", *source, "-j", "MASQUERADE"),
            ("filter", "FORWARD", *source, "-j", "ACCEPT"),
            ("filter", "FORWARD", "-d", f"{subnet}.0/30", "-j", "ACCEPT"),
        ):
            table, *rest = rule
            _run("iptables", "-w", "-t", table, "-I", *rest)
            undo.callback(_run, "iptables", "-w", "-t", table, "-D", *rest)
        yield name


def inside(name: str, *command: str) -> list[str]:
    """The command, with the network of that namespace and nothing else of it: not its /sys."""
    return ["nsenter", f"--net=/run/netns/{name}", "--", *command]


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
