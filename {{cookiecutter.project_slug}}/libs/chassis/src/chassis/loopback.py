"""Calls of this machine and of the sidecar go through no proxy, whatever the environment names.

gRPC asks a proxy for 127.0.0.1, too, unless NO_PROXY names it; so does the exporter of spans.
"""

from os import environ

LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: gRPC reads the first of the lower-case names that is set; others read either case.
NAMES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")


def without_proxy(*hosts: str) -> None:
    """Add loopback and these hosts to what the environment takes out of its proxies."""
    for name in NAMES:
        listed = environ.get(name) or environ.get(name.swapcase()) or ""
        if name == "no_grpc_proxy" and not listed:
            continue
        known = [each.strip() for each in listed.split(",") if each.strip()]
        environ[name] = ",".join(
            [*known, *(each for each in (*LOOPBACK, *hosts) if each not in known)]
        )
