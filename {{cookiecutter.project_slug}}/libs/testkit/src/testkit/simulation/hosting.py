"""What stands in for the SDK below `chassis.workflow_host`, which is real."""

import json
from collections.abc import Callable
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from chassis.errors import TooLarge, Unavailable
from chassis.workflow_host import GONE
from testkit.simulation import faults
from testkit.simulation.engine import AlreadyRunning, NoSuchInstance
from testkit.simulation.process import here
from testkit.simulation.sdk import Worker
from testkit.simulation.world import around
from testkit.table import require_to_fit


class SimulatedHosting:
    """The engine as a process of a service sees it."""

    def worker(self, refused: Callable[[str], None]) -> "SimulatedWorker":
        return SimulatedWorker()

    def client(self) -> "SimulatedClient":
        return SimulatedClient()


class SimulatedWorker:
    """In the place of the SDK's `WorkflowRuntime`."""

    def __init__(self) -> None:
        self._worker = Worker()

    def register_workflow(self, fn: Any, /, *, name: str) -> None:
        self._worker.register_workflow(fn, name)

    def register_activity(self, fn: Any, /, *, name: str) -> None:
        self._worker.register_activity(fn, name)

    def start(self) -> None:
        here().worker = self._worker

    def shutdown(self) -> None:
        here().worker = None


class SimulatedClient:
    """In the place of `DaprWorkflowClient`. It fails as gRPC does."""

    async def schedule_new_workflow(
        self, workflow: str, /, *, input: Any, instance_id: str
    ) -> None:
        engine, app_id = around().engine, here().member.app_id
        content = None if input is None else json.dumps(input)
        await self._call(
            f"begin {workflow} {instance_id}",
            content,
            lambda: engine.begin(app_id, workflow, instance_id, content),
        )

    async def raise_workflow_event(
        self, instance_id: str, event_name: str, /, *, data: Any = None
    ) -> None:
        engine, app_id = around().engine, here().member.app_id
        await self._call(
            f"tell {instance_id} of {event_name}",
            json.dumps(data),
            lambda: engine.raise_event(app_id, instance_id, event_name, data),
        )

    async def _call(self, what: str, content: str | None, happen: Any) -> None:
        try:
            require_to_fit(len(content or ""), what)
            await here().effect(what, faults.ENGINE, happen)
        except TooLarge as error:
            raise _rpc_error(StatusCode.RESOURCE_EXHAUSTED, str(error)) from error
        except AlreadyRunning as error:
            raise _rpc_error(StatusCode.ALREADY_EXISTS, str(error)) from error
        except NoSuchInstance as error:
            raise _rpc_error(StatusCode.UNKNOWN, GONE) from error
        except Unavailable as error:
            raise _rpc_error(StatusCode.UNAVAILABLE, str(error)) from error


def _rpc_error(code: StatusCode, details: str) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details)
