"""The internal API of a sidecar, by which the others reach it, called past any sidecar."""

import grpc
import psutil

from workspace import processes
from workspace.daprfile import App

SERVICE = "/dapr.proto.internals.v1.ServiceInvocation"
SECONDS = 10


def port(app: App) -> int:
    """The one port of its sidecar that dapr.yaml does not name."""
    (daprd,) = (
        process
        for process in processes.members()
        if process.name() == "daprd" and app.app_id in process.cmdline()
    )
    listening = {
        each.laddr.port
        for each in daprd.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN
    }
    (found,) = listening - set(app.ports)
    return int(found)


def call_actor(app: App, actor_type: str, actor_id: str, method: str) -> None:
    """As another sidecar would, without a certificate. Raises `grpc.RpcError`."""
    request = b"".join(
        (
            b"\x08\x01",
            _field(3, _field(1, method.encode()) + _field(2, b"")),
            _field(4, _field(1, actor_type.encode()) + _field(2, actor_id.encode())),
        )
    )
    with grpc.insecure_channel(f"127.0.0.1:{port(app)}") as channel:
        channel.unary_unary(f"{SERVICE}/CallActor")(request, timeout=SECONDS)


def _field(number: int, content: bytes) -> bytes:
    """Of protobuf: the SDK has no classes for this API."""
    assert len(content) < 2**7
    return bytes((number << 3 | 2, len(content))) + content
