"""The contract of a workflow engine, kept by daprd."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dapr.ext.workflow import WorkflowStatus
from dapr.ext.workflow.aio import DaprWorkflowClient

from chassis import Service
from chassis.errors import Unavailable
from chassis.workflow_host import WorkflowHost
from testkit.contract.workflows import (
    End,
    Start,
    WorkflowContract,
    WorkflowSubject,
    new_id,
    play,
    reply,
    workflows,
)
from tests.contract.live.clients import settings_for
from tests.control_plane import control_plane
from tests.daprd import Daprd

COMPONENT = Path(os.environ["CONTRACT_COMPONENT"])
END_SECONDS = 20
SOON = 0.5


@pytest.fixture(scope="module")
def daprd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daprd]:
    folder = tmp_path_factory.mktemp("workflows")
    with (
        control_plane(folder) as options,
        Daprd(folder, "contract", [COMPONENT], options=options) as daprd,
    ):
        yield daprd


@asynccontextmanager
async def hosting(daprd: Daprd, **settings: Any) -> AsyncIterator[WorkflowHost]:
    given = settings_for(daprd, **settings)
    service = Service(given, title="Contract")
    host = WorkflowHost(given, service.ports.engine, service)
    host.add(workflows)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


class TestWorkflows(WorkflowContract):
    @pytest.fixture
    async def subject(self, daprd: Daprd) -> AsyncIterator[WorkflowSubject]:
        async with hosting(daprd) as host:
            client = DaprWorkflowClient("127.0.0.1", str(daprd.grpc_port))

            async def end_of(id: str) -> End | None:
                state = await client.wait_for_workflow_completion(
                    id, timeout_in_seconds=END_SECONDS
                )
                assert state is not None
                if state.runtime_status is WorkflowStatus.FAILED:
                    return None
                assert state.runtime_status is WorkflowStatus.COMPLETED
                return End.model_validate(json.loads(state.serialized_output))

            async def purge(id: str) -> None:
                await client.purge_workflow(id)

            yield WorkflowSubject(host, end_of, purge)


async def test_a_sidecar_that_stops_in_the_middle_of_a_call_is_unavailable(daprd: Daprd) -> None:
    async with hosting(daprd, sidecar_timeout_seconds=SOON) as host:
        daprd.freeze()
        try:
            with pytest.raises(Unavailable, match="no answer"):
                await host.begin(play, new_id(), Start())
            with pytest.raises(Unavailable, match="no answer"):
                await host.raise_event(reply(new_id(), "to nobody"))
        finally:
            daprd.thaw()


async def test_a_workflow_goes_on_once_its_sidecar_is_back(daprd: Daprd) -> None:
    async with hosting(daprd) as host:
        id = new_id()
        await host.begin(play, id, Start(then="wait"))
        daprd.kill()
        with pytest.raises(Unavailable):
            await host.begin(play, new_id(), Start())
        with pytest.raises(Unavailable):
            await host.raise_event(reply(id, "in vain"))
        await asyncio.to_thread(daprd.start)
        async with asyncio.timeout(END_SECONDS):
            while True:
                try:
                    await host.raise_event(reply(id, "go"))
                    break
                except Unavailable:
                    await asyncio.sleep(0.2)
        client = DaprWorkflowClient("127.0.0.1", str(daprd.grpc_port))
        state = await client.wait_for_workflow_completion(id, timeout_in_seconds=END_SECONDS)
        assert state is not None
        assert End.model_validate(json.loads(state.serialized_output)) == End(text=", go")
