"""The contract of a workflow engine, as `chassis.workflow_host.WorkflowHost` uses it."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import uuid4

import pytest
from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected, TooLarge, Unavailable
from chassis.service import Service
from chassis.workflows import Calls, Workflow, Workflows

MB = 1_000_000
#: The id of the command that a workflow waits for the reply to.
COMMAND = "command"
TIMEOUT = timedelta(minutes=1)
FREE_SECONDS = 10

workflows = Workflows()


class Start(BaseModel):
    text: str = ""
    then: Literal["return", "wait", "fail"] = "return"


class End(BaseModel):
    text: str


@workflows.activity
async def echo(start: Start, _: Service) -> End:
    return End(text=start.text)


@workflows.workflow
def play(ctx: DaprWorkflowContext, start: Start) -> Generator[Any, Any, End]:
    if start.then == "fail":
        raise ValueError("asked to fail")
    said: End = yield from Calls(ctx)(echo, start, TIMEOUT)
    if start.then == "wait":
        reply = yield ctx.wait_for_external_event(COMMAND)
        return End(text=f"{said.text}, {reply['data']['text']}")
    return said


class Host(Protocol):
    async def begin(
        self, workflow: Workflow[Any, Any], instance_id: str, start: BaseModel
    ) -> None: ...

    async def raise_event(self, event: CloudEvent) -> None: ...


@dataclass(frozen=True)
class WorkflowSubject:
    """A host of the workflows of this module."""

    host: Host
    #: What the workflow has returned, once it has ended; None: it has failed.
    end_of: Callable[[str], Awaitable[End | None]]
    #: Whatever the engine knows of the workflow, away.
    purge: Callable[[str], Awaitable[None]]

    async def begin(self, id: str, **start: Any) -> None:
        await self.host.begin(play, id, Start(**start))

    async def begin_again(self, id: str, **start: Any) -> None:
        """An engine may need a moment until an id is free."""
        async with asyncio.timeout(FREE_SECONDS):
            while True:
                try:
                    await self.begin(id, **start)
                    return
                except Unavailable:
                    await asyncio.sleep(0.1)

    async def reply(self, id: str, text: str, command: str = COMMAND) -> None:
        await self.host.raise_event(reply(id, text, command))


class WorkflowContract:
    """Subclasses bring the fixture `subject`."""

    async def test_a_workflow_runs_to_its_end(self, subject: WorkflowSubject) -> None:
        id = new_id()
        await subject.begin(id, text="first")
        assert await subject.end_of(id) == End(text="first")

    async def test_a_workflow_that_runs_is_not_begun_again(self, subject: WorkflowSubject) -> None:
        id = new_id()
        await subject.begin(id, text="first", then="wait")
        await subject.begin(id, text="second", then="wait")
        await subject.reply(id, "go")
        assert await subject.end_of(id) == End(text="first, go")

    async def test_the_id_of_a_workflow_that_has_ended_is_free(
        self, subject: WorkflowSubject
    ) -> None:
        id = new_id()
        await subject.begin(id, then="fail")
        assert await subject.end_of(id) is None
        for text in ("second", "third"):
            await subject.begin_again(id, text=text)
            assert await subject.end_of(id) == End(text=text)

    async def test_the_id_of_a_workflow_that_was_purged_is_free(
        self, subject: WorkflowSubject
    ) -> None:
        id = new_id()
        await subject.begin(id, text="first")
        await subject.end_of(id)
        await subject.purge(id)
        await subject.begin_again(id, text="second")
        assert await subject.end_of(id) == End(text="second")

    async def test_a_reply_that_comes_before_it_is_waited_for_is_kept(
        self, subject: WorkflowSubject
    ) -> None:
        id = new_id()
        await subject.begin(id, then="wait")
        await subject.reply(id, "early")
        assert await subject.end_of(id) == End(text=", early")

    async def test_a_reply_to_another_command_changes_nothing(
        self, subject: WorkflowSubject
    ) -> None:
        id = new_id()
        await subject.begin(id, then="wait")
        await subject.reply(id, "wrong", "another")
        await subject.reply(id, "right")
        assert await subject.end_of(id) == End(text=", right")

    async def test_a_repeated_reply_changes_nothing(self, subject: WorkflowSubject) -> None:
        id = new_id()
        await subject.begin(id, then="wait")
        await subject.reply(id, "first")
        await subject.reply(id, "second")
        assert await subject.end_of(id) == End(text=", first")

    async def test_a_reply_to_a_workflow_that_has_ended_changes_nothing(
        self, subject: WorkflowSubject
    ) -> None:
        for then, end in (("return", End(text="")), ("fail", None)):
            id = new_id()
            await subject.begin(id, then=then)
            await subject.end_of(id)
            await subject.reply(id, "late")
            assert await subject.end_of(id) == end

    async def test_a_reply_to_a_workflow_that_is_not_there_is_nothing_to_do(
        self, subject: WorkflowSubject
    ) -> None:
        await subject.reply(new_id(), "to nobody")
        id = new_id()
        await subject.begin(id)
        await subject.end_of(id)
        await subject.purge(id)
        await subject.reply(id, "too late")

    async def test_odd_ids_are_ids_like_any_other(self, subject: WorkflowSubject) -> None:
        for odd in (" ", "ü😀", "||", ".", "x" * 200):
            id = f"{new_id()}{odd}"
            await subject.begin(id, text=odd, then="wait")
            await subject.reply(id, "go")
            assert await subject.end_of(id) == End(text=f"{odd}, go")

    async def test_what_is_no_id_for_the_engine_is_rejected(self, subject: WorkflowSubject) -> None:
        for bad in ("", "a/b", "a\\b", "a#b", "a?b", "\ud800", "x" * 1_000):
            with pytest.raises(Rejected, match="is no id of a workflow"):
                await subject.begin(bad)
            # Nobody can wait for it.
            await subject.reply(bad, "go")

    async def test_what_is_too_much_for_one_call_is_too_large(
        self, subject: WorkflowSubject
    ) -> None:
        id = new_id()
        with pytest.raises(TooLarge):
            await subject.begin(id, text="x" * 5 * MB)
        await subject.begin(id, then="wait")
        with pytest.raises(TooLarge):
            await subject.reply(id, "x" * 5 * MB)
        await subject.reply(id, "go")
        assert await subject.end_of(id) == End(text=", go")


def new_id() -> str:
    return f"workflow-{uuid4().hex}"


def reply(id: str, text: str, command: str = COMMAND) -> CloudEvent:
    return CloudEvent(
        id=str(uuid4()),
        source="contract",
        type="reply.v1",
        time=datetime.now(UTC),
        causationid=command,
        data={"text": text},
        # Whatever a test asks for: the model would not take a lone surrogate.
    ).model_copy(update={"subject": id})
