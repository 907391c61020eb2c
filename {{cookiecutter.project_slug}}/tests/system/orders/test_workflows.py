"""The central view: Dapr's own workflow client lists an order's workflow and tells its history."""

import asyncio

import grpc
import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowHistoryEventType

from chassis.saga.subjects import instance_id
from orders.saga import FULFILMENT
from tests.demo.client import Client
from tests.demo.mix import Kind
from tests.system.internal import call_actor
from tests.system.orders.orders_of import ended, stocked
from workspace import tokens
from workspace.daprfile import DaprFile


@pytest.fixture
def sidecar(workspace: DaprFile, monkeypatch: pytest.MonkeyPatch) -> DaprWorkflowClient:
    orders = workspace.apps["orders"]
    # The SDK read its environment when it was imported.
    monkeypatch.setattr(settings, tokens.API_TOKEN, tokens.of(orders.app_id)[tokens.API_TOKEN])
    return DaprWorkflowClient("127.0.0.1", str(orders.grpc_port))


async def test_the_workflow_client_shows_the_instance_and_its_history(
    client: Client, sidecar: DaprWorkflowClient, run: str
) -> None:
    order_id = await client.place(await stocked(client, run, "orchestration", Kind.NO_STOCK))
    await ended(client, order_id)

    known = await asyncio.to_thread(lambda: set(sidecar.iter_workflow_instance_ids()))
    id = instance_id(FULFILMENT, order_id)
    history = await asyncio.to_thread(sidecar.get_workflow_history, id)

    assert id in known
    kinds = {event.event_type for event in history}
    assert WorkflowHistoryEventType.EXECUTION_STARTED in kinds
    assert WorkflowHistoryEventType.TASK_COMPLETED in kinds


@pytest.mark.parametrize("method", ["PurgeWorkflowState", "AddWorkflowEvent"])
async def test_nobody_but_its_own_service_reaches_a_workflow(
    client: Client, workspace: DaprFile, run: str, method: str
) -> None:
    order_id = await client.place(await stocked(client, run, "orchestration", Kind.NO_STOCK))
    await ended(client, order_id)
    actor = "dapr.internal.default.orders.workflow", instance_id(FULFILMENT, order_id)
    with pytest.raises(grpc.RpcError) as refused:
        await asyncio.to_thread(call_actor, workspace.apps["orders"], *actor, method)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED, refused.value.details()
