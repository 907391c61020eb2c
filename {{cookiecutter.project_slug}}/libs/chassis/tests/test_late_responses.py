from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow._durabletask.internal.orchestrator_service_pb2_grpc import (
    TaskHubSidecarServiceStub,
)

from chassis.late_responses import LateResponses, without_repeats
from testkit.simulation import sdk

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CALL = sdk.recorded(sdk.Action("scheduleTask", 1, "greet", '"ada"'))
TIMER = sdk.recorded(sdk.Action("createTimer", 2, fire_at=NOW + timedelta(seconds=1)))
BEGAN = [sdk.turn_began(NOW), sdk.workflow_began("workflow", "1", '"ada"')]
ANSWERED = [sdk.turn_began(NOW), sdk.activity_ended(1, '"hello"')]


def test_an_action_that_stands_twice_is_left_out_the_second_time() -> None:
    history = [*BEGAN, CALL, TIMER, *ANSWERED, CALL, TIMER]
    assert without_repeats(history) == [*BEGAN, CALL, TIMER, *ANSWERED]


def test_what_happened_is_never_left_out() -> None:
    # Each of them has the number -1, and an event may be raised twice.
    history = [*BEGAN, *ANSWERED, sdk.event_raised("go", "1"), sdk.event_raised("go", "1")]
    assert without_repeats(history) == history


def test_a_worker_gets_its_histories_without_repeats_and_all_else_as_it_came() -> None:
    history = [*BEGAN, CALL, *ANSWERED, CALL]
    request = pb.WorkflowRequest(instanceId="1", pastEvents=history)
    ping = pb.WorkItem(healthPing=pb.HealthPing())
    sent = [pb.WorkItem(workflowRequest=request, completionToken="token"), ping]
    with sidecar(sent) as (stub, _):
        mended, other = stub.GetWorkItems(pb.GetWorkItemsRequest())
    assert list(mended.workflowRequest.pastEvents) == [*BEGAN, CALL, *ANSWERED]
    assert (mended.workflowRequest.instanceId, mended.completionToken) == ("1", "token")
    assert other == ping


def test_a_workflow_whose_answer_is_refused_is_named() -> None:
    with sidecar([], pending={"1"}) as (stub, refused):
        stub.CompleteOrchestratorTask(pb.WorkflowResponse(instanceId="1"), timeout=5)
        assert refused == []
        with pytest.raises(grpc.RpcError):
            stub.CompleteOrchestratorTask(pb.WorkflowResponse(instanceId="2"), timeout=5)
        assert refused == ["2"]


@contextmanager
def sidecar(items: list[Any], pending: Collection[str] = ()) -> Iterator[tuple[Any, list[str]]]:
    """What a worker sees of one that sends these, and takes answers for the pending workflows."""

    def complete(answer: Any, context: Any) -> Any:
        if answer.instanceId not in pending:
            context.abort(grpc.StatusCode.UNKNOWN, "no such instance")
        return pb.CompleteTaskResponse()

    methods = {
        "GetWorkItems": grpc.unary_stream_rpc_method_handler(
            lambda *_: iter(items),
            pb.GetWorkItemsRequest.FromString,
            pb.WorkItem.SerializeToString,
        ),
        "CompleteOrchestratorTask": grpc.unary_unary_rpc_method_handler(
            complete, pb.WorkflowResponse.FromString, pb.CompleteTaskResponse.SerializeToString
        ),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    service = grpc.method_handlers_generic_handler("TaskHubSidecarService", methods)
    server.add_generic_rpc_handlers([service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    refused: list[str] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        intercepted = grpc.intercept_channel(channel, LateResponses(refused.append))
        yield TaskHubSidecarServiceStub(intercepted), refused  # type: ignore[no-untyped-call]
    server.stop(None).wait()
