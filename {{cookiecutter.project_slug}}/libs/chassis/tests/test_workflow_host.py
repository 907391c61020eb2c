"""The host between engine and activities."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest
from dapr.ext.workflow import WorkflowActivityContext
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from pydantic import BaseModel

from chassis import CloudEvent, Rejected, Service, Unavailable, Workflows, envelope
from chassis.logs import configure_logging
from chassis.workflow_host import MAX_CAUSE, WorkflowHost
from testkit import MemoryEngine
from testkit.bank import Deposited

TRACE = "0af7651916cd43dd8448eb211c80319c"
REPLY = envelope(
    Deposited(account="ada", balance=1),
    id="2",
    source="bank",
    traceparent=f"00-{TRACE}-b7ad6b7169203331-01",
    causationid="1",
)

workflows = Workflows()


class Job(BaseModel):
    event: CloudEvent
    error: str = ""

    @property
    def cause(self) -> CloudEvent:
        return self.event


@workflows.activity
async def work(job: Job, service: Service) -> Job:
    logging.getLogger("test").warning("at work")
    if job.error:
        raise {"rejected": Rejected, "unavailable": Unavailable}.get(job.error, KeyError)(
            job.error * 1_000
        )
    return job


class Context(WorkflowActivityContext):
    workflow_id = "ada"

    def __init__(self) -> None:
        pass


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
async def host(service: Service, engine: MemoryEngine) -> AsyncIterator[WorkflowHost]:
    host = WorkflowHost(service.settings, engine, service)
    host.add(workflows)
    await host.start()
    yield host
    await host.stop()


async def run(engine: MemoryEngine, job: Job) -> Any:
    """As the worker does: on a loop of its own."""
    (worker,) = engine.workers
    content = job.model_dump(mode="json")
    return await asyncio.to_thread(
        lambda: asyncio.run(worker.activities["work"](Context(), content))
    )


def says(code: StatusCode, details: str) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details)


@pytest.mark.parametrize(
    "error",
    [
        says(StatusCode.UNKNOWN, "no such instance exists"),
        says(StatusCode.INTERNAL, "error invoke actor method: no such instance exists"),
    ],
)
async def test_a_reply_to_a_workflow_that_was_purged_is_done_with(
    host: WorkflowHost, engine: MemoryEngine, error: AioRpcError
) -> None:
    engine.failures = [error]
    await host.raise_event(REPLY)


@pytest.mark.parametrize(
    "error",
    [
        says(StatusCode.UNKNOWN, "no such instance exists, says nobody"),
        says(StatusCode.UNKNOWN, "failed to lookup actor: did not find address for actor"),
        says(StatusCode.UNAVAILABLE, "the sidecar is away"),
    ],
)
async def test_a_reply_that_is_not_taken_comes_again(
    host: WorkflowHost, engine: MemoryEngine, error: AioRpcError
) -> None:
    engine.failures = [error]
    with pytest.raises(Unavailable, match="event 1 for ada"):
        await host.raise_event(REPLY)


async def test_an_event_is_raised_by_its_name(host: WorkflowHost, engine: MemoryEngine) -> None:
    assert await host.raise_named("ada", "approval", Deposited(account="ada", balance=1))
    assert engine.raised == [("ada", "approval")]
    assert engine.data == [{"account": "ada", "balance": 1}]


@pytest.mark.parametrize("id", ["ada", "no/id"])
async def test_who_raises_an_event_by_its_name_learns_that_no_workflow_has_this_id(
    host: WorkflowHost, engine: MemoryEngine, id: str
) -> None:
    engine.failures = [says(StatusCode.UNKNOWN, "no such instance exists")]
    assert not await host.raise_named(id, "approval", Deposited(account="ada", balance=1))


@pytest.mark.usefixtures("host")
async def test_the_result_of_an_activity_is_plain_data(engine: MemoryEngine) -> None:
    job = Job(event=REPLY)
    assert await run(engine, job) == job.model_dump(mode="json")


@pytest.mark.parametrize(
    ("error", "raised"),
    [("rejected", Rejected), ("unavailable", Unavailable), ("a bug", Unavailable)],
)
@pytest.mark.usefixtures("host")
async def test_an_activity_fails_with_a_cause_that_is_short(
    engine: MemoryEngine, error: str, raised: type[Exception]
) -> None:
    with pytest.raises(raised, match=error) as failed:
        await run(engine, Job(event=REPLY, error=error))
    assert type(failed.value) is raised
    assert len(str(failed.value).encode()) <= MAX_CAUSE


@pytest.mark.usefixtures("host")
async def test_what_an_activity_logs_has_the_subject_and_the_trace_of_its_cause(
    engine: MemoryEngine,
) -> None:
    with redirect_stdout(StringIO()) as output:
        configure_logging("bank", "INFO")
    with pytest.raises(Unavailable):
        await run(engine, Job(event=REPLY, error="unavailable"))
    at_work, failed = map(json.loads, output.getvalue().splitlines())
    assert at_work["message"] == "at work"
    assert failed["message"].startswith("work of workflow ada failed: unavailable")
    for line in (at_work, failed):
        assert (line["subject"], line["trace_id"]) == ("ada", TRACE)
