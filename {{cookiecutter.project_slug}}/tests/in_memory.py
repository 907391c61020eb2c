"""The services of this workspace as they are composed, with a store and a broker in memory."""

from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

from chassis import Service, Workflow
from chassis.testing import MemoryBroker, MemoryStore
from chassis.workflow_host import WorkflowHost


def in_memory(app_id: str, patch: pytest.MonkeyPatch) -> Service:
    """The service of `main.py`; until the patch is undone, it needs no sidecar."""
    service: Service = import_module(f"{app_id}.main").service
    store, broker = MemoryStore(), MemoryBroker()
    # Everything that the service stores or sends goes through these.
    for name, instead in (
        ("read", store.read),
        ("commit", store.commit),
        ("publish", broker.publish),
        ("schedule", no_job),
        ("delete", no_job),
    ):
        patch.setattr(service.store, name, instead)
    patch.setattr(WorkflowHost, "begin", begin)
    patch.setattr(service.settings, "start_timeout_seconds", 3600)
    patch.setattr(service.settings, "app_api_token", None)
    return service


async def no_job(*_: Any) -> None:
    """A scheduler that never calls."""


async def begin(_: WorkflowHost, __: Workflow[Any, Any], ___: str, ____: BaseModel) -> None:
    """An engine that begins every workflow, and runs none."""
