"""The host between engine and activities, with stand-ins for the SDK's worker and client."""

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
from chassis.testing.bank import Deposited
from chassis.workflow_host import MAX_CAUSE, WorkflowHost

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


class Runtime:
    """The SDK's worker: it keeps what is registered."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.activities: dict[str, Any] = {}

    def register_activity(self, function: Any, *, name: str) -> None:
        self.activities[name] = function

    def start(self) -> None:
        pass

    def shutdown(self) -> None:
        pass


class Client:
    """The SDK's client. It fails with the error, if there is one."""

    error: AioRpcError | None = None

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    async def raise_workflow_event(self, *_: Any, **__: Any) -> None:
        if self.error is not None:
            raise self.error


class Context(WorkflowActivityContext):
    workflow_id = "ada"

    def __init__(self) -> None:
        pass


@pytest.fixture
async def host(service: Service, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowHost]:
    monkeypatch.setattr("chassis.workflow_host.WorkflowRuntime", Runtime)
    monkeypatch.setattr("chassis.workflow_host.DaprWorkflowClient", Client)
    monkeypatch.setattr(Client, "error", None)
    host = WorkflowHost(service.settings, service)
    host.add(workflows)
    await host.start()
    yield host
    await host.stop()


async def run(host: WorkflowHost, job: Job) -> Any:
    """As the worker does: on a loop of its own."""
    function = host._runtime.activities["work"]  # type: ignore[union-attr]
    content = job.model_dump(mode="json")
    return await asyncio.to_thread(lambda: asyncio.run(function(Context(), content)))


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
    host: WorkflowHost, monkeypatch: pytest.MonkeyPatch, error: AioRpcError
) -> None:
    monkeypatch.setattr(Client, "error", error)
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
    host: WorkflowHost, monkeypatch: pytest.MonkeyPatch, error: AioRpcError
) -> None:
    monkeypatch.setattr(Client, "error", error)
    with pytest.raises(Unavailable, match="event 1 for ada"):
        await host.raise_event(REPLY)


async def test_an_event_is_raised_by_its_name(
    host: WorkflowHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Any] = []

    async def note(_: Any, *event: str, data: Any) -> None:
        raised.append((*event, data))

    monkeypatch.setattr(Client, "raise_workflow_event", note)
    assert await host.raise_named("ada", "approval", Deposited(account="ada", balance=1))
    assert raised == [("ada", "approval", {"account": "ada", "balance": 1})]


@pytest.mark.parametrize("id", ["ada", "no/id"])
async def test_who_raises_an_event_by_its_name_learns_that_no_workflow_has_this_id(
    host: WorkflowHost, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    monkeypatch.setattr(Client, "error", says(StatusCode.UNKNOWN, "no such instance exists"))
    assert not await host.raise_named(id, "approval", Deposited(account="ada", balance=1))


async def test_the_result_of_an_activity_is_plain_data(host: WorkflowHost) -> None:
    job = Job(event=REPLY)
    assert await run(host, job) == job.model_dump(mode="json")


@pytest.mark.parametrize(
    ("error", "raised"),
    [("rejected", Rejected), ("unavailable", Unavailable), ("a bug", Unavailable)],
)
async def test_an_activity_fails_with_a_cause_that_is_short(
    host: WorkflowHost, error: str, raised: type[Exception]
) -> None:
    with pytest.raises(raised, match=error) as failed:
        await run(host, Job(event=REPLY, error=error))
    assert type(failed.value) is raised
    assert len(str(failed.value).encode()) <= MAX_CAUSE


async def test_what_an_activity_logs_has_the_subject_and_the_trace_of_its_cause(
    host: WorkflowHost,
) -> None:
    with redirect_stdout(StringIO()) as output:
        configure_logging("bank", "INFO")
    with pytest.raises(Unavailable):
        await run(host, Job(event=REPLY, error="unavailable"))
    at_work, failed = map(json.loads, output.getvalue().splitlines())
    assert at_work["message"] == "at work"
    assert failed["message"].startswith("work of workflow ada failed: unavailable")
    for line in (at_work, failed):
        assert (line["subject"], line["trace_id"]) == ("ada", TRACE)
