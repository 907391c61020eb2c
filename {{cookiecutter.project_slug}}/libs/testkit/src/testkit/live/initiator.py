"""The initiator of a saga, composed in this process beside its running sidecar.

Its API may ask for anything, so processes are begun as its own code begins them. It is one more
replica: broker, store and engine are those of the service. It takes no message and no workflow.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from dapr.conf import settings as sdk
from pydantic import SecretStr

from chassis.composing import Ports, beside_sidecar
from chassis.ports import Engine, Worker, WorkflowClient
from chassis.service import Service
from testkit.quiet import quiet
from workspace.beside import settings_beside
from workspace.daprfile import App


class NoWorker:
    """The engine gives its work to the service."""

    def register_workflow(self, fn: Any, /, *, name: str) -> None:
        pass

    def register_activity(self, fn: Any, /, *, name: str) -> None:
        pass

    def start(self) -> None:
        pass

    def shutdown(self) -> None:
        pass


@dataclass(frozen=True)
class OnlyClient:
    engine: Engine
    token: SecretStr | None

    def worker(self, refused: Callable[[str], None]) -> Worker:
        return NoWorker()

    def client(self) -> WorkflowClient:
        # The SDK read its environment when it was imported; each sidecar has its own token.
        token = None if self.token is None else self.token.get_secret_value()
        setattr(sdk, "DAPR_API_TOKEN", token)  # noqa: B010 - it declares none
        return self.engine.client()


def compose(app: App) -> Service:
    """As its `main.py` does, with the ports of its sidecar."""
    settings = settings_beside(app)
    ports = beside_sidecar(settings)
    ports = replace(ports, engine=OnlyClient(ports.engine, settings.dapr_api_token))
    composed: Callable[[Ports], Service] = import_module(f"{app.package}.main").compose
    with quiet():
        return composed(ports)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    with quiet():
        service.start()
        try:
            if service.hosts_workflows:
                await service.workflows.start()
            yield
        finally:
            await service.processor.stop()
            await service.ports.participants.close()
            await service.ports.sidecar.close()
