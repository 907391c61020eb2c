"""A participant, asked by service invocation or as an activity of a workflow in another app."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext, WorkflowRuntime
from fastapi import FastAPI, Request

runtime = WorkflowRuntime()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # In a thread: it blocks until the sidecar answers, which waits for this app.
    threading.Thread(target=runtime.start, daemon=True).start()
    yield
    runtime.shutdown()


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/do")
async def do_for_caller(request: Request) -> Any:
    return {"done": await request.json()}


@runtime.activity(name="do")
async def do(_: WorkflowActivityContext, order: Any) -> Any:
    return {"done": order}
