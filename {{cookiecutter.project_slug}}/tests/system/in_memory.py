"""The services of this workspace as they are composed, of ports in memory."""

from importlib import import_module

from chassis import Service
from testkit import memory_ports


def in_memory(app_id: str) -> Service:
    """The service of `main.py`: it needs no sidecar, and its engine runs no workflow."""
    service: Service = import_module(f"{app_id}.main").compose(memory_ports())
    return service
