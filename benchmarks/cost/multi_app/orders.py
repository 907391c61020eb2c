"""One workflow of four activities, twice: three call a participant, or are the participant's."""

import os
from collections.abc import Generator
from datetime import timedelta
from functools import cache
from typing import Any

import aiohttp
from dapr.ext.workflow import (
    DaprWorkflowClient,
    DaprWorkflowContext,
    RetryPolicy,
    WorkflowActivityContext,
)
from fastapi import HTTPException
from step import app as app
from step import runtime

PARTICIPANTS = ("inventory", "payments", "shipping")
SECONDS = 120
#: uvicorn closes a connection that was idle while the sidecar sends the next request on it: 500.
RETRIES = RetryPolicy(first_retry_interval=timedelta(milliseconds=500), max_number_of_attempts=3)


@cache
def http() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"dapr-api-token": os.environ.get("DAPR_API_TOKEN", "")})


@cache
def client() -> DaprWorkflowClient:
    return DaprWorkflowClient()


@runtime.activity(name="ask")
async def ask(_: WorkflowActivityContext, given: Any) -> Any:
    url = f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/invoke/{given['at']}/method/do"
    async with http().post(url, json=given["order"]) as response:
        response.raise_for_status()
        return await response.json()


@runtime.workflow(name="invocation")
def invocation(ctx: DaprWorkflowContext, order: Any) -> Generator[Any, Any, Any]:
    for at in PARTICIPANTS:
        given = {"at": at, "order": order}
        yield ctx.call_activity(ask, input=given, retry_policy=RETRIES)
    return (yield ctx.call_activity("do", input=order))


@runtime.workflow(name="multi-app")
def multi_app(ctx: DaprWorkflowContext, order: Any) -> Generator[Any, Any, Any]:
    for at in PARTICIPANTS:
        yield ctx.call_activity("do", input=order, app_id=at, retry_policy=RETRIES)
    return (yield ctx.call_activity("do", input=order))


@app.post("/workflows/{name}")
def run(name: str, order: dict[str, Any]) -> Any:
    id = client().schedule_new_workflow(
        {"invocation": invocation, "multi-app": multi_app}[name], input=order
    )
    state = client().wait_for_workflow_completion(id, timeout_in_seconds=SECONDS)
    if state is None or state.runtime_status.name != "COMPLETED":
        raise HTTPException(500, f"{id} is not completed: {state}")
    return state.serialized_output
