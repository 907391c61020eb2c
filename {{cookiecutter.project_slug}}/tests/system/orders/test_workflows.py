"""The central view: Dapr's own workflow client lists an order's workflow and tells its history."""

import asyncio

from dapr.ext.workflow import DaprWorkflowClient, WorkflowHistoryEventType

from chassis.saga.subjects import instance_id
from orders.saga import FULFILMENT
from tests.demo.client import Client
from tests.demo.mix import Kind
from tests.system.orders.orders_of import ended, stocked
from workspace.daprfile import DaprFile


async def test_the_workflow_client_shows_the_instance_and_its_history(
    client: Client, workspace: DaprFile, run: str
) -> None:
    order_id = await client.place(await stocked(client, run, "orchestration", Kind.NO_STOCK))
    await ended(client, order_id)
    sidecar = DaprWorkflowClient("127.0.0.1", str(workspace.apps["orders"].grpc_port))

    known = await asyncio.to_thread(lambda: set(sidecar.iter_workflow_instance_ids()))
    id = instance_id(FULFILMENT, order_id)
    history = await asyncio.to_thread(sidecar.get_workflow_history, id)

    assert id in known
    kinds = {event.event_type for event in history}
    assert WorkflowHistoryEventType.EXECUTION_STARTED in kinds
    assert WorkflowHistoryEventType.TASK_COMPLETED in kinds
