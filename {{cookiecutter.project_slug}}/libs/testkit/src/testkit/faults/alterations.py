"""What `testkit.faults.launcher` can change about the chassis of one process."""

import asyncio
import functools
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from uuid import uuid4

from dapr.proto import common_v1

import chassis.late_responses
from chassis import sidecar
from chassis.cloudevents import CloudEvent, envelope
from chassis.errors import Unavailable
from chassis.handlers import Request, Step
from chassis.inbox import Delivery, Inbox, InboxRecord, Outgoing, inbox_key
from chassis.invocation import Participants
from chassis.late_responses import ANSWER, LateResponses
from chassis.ports import Write
from chassis.processor import Processor
from chassis.refusal import CommandRefused
from chassis.telemetry import consuming
from chassis.transaction import Transaction
from chassis.workflow_host import WorkflowHost

#: Printed for each time that something was altered; the suite counts these lines.
MARK = "FAULT"


@dataclass
class Alteration:
    nth: int
    topics: frozenset[str]
    seconds: float
    seen: int = 0

    def applies(self, topics: Sequence[str]) -> bool:
        return not self.topics or not self.topics.isdisjoint(topics)

    def is_due(self, topics: Sequence[str]) -> bool:
        """True once the nth of the messages to which it applies is among these."""
        before = self.seen
        self.seen += sum(self.applies([topic]) for topic in topics)
        return before < self.nth <= self.seen

    def is_due_again(self) -> bool:
        """True every nth time."""
        self.seen += 1
        return self.seen % self.nth == 0


def mark(what: str) -> None:
    sys.stdout.write(f"{MARK} {what}\n")
    sys.stdout.flush()


def die(where: str) -> None:
    mark(where)
    os.kill(os.getpid(), signal.SIGKILL)


def replace(owner: type | ModuleType, name: str, new: Callable[..., Any]) -> None:
    """For all of this process."""
    setattr(owner, name, new)


def kill_in_handler(alteration: Alteration) -> None:
    """In the middle of a handler: nothing is committed yet."""
    run = Step.run

    async def dying(step: Step, event: CloudEvent, tx: Transaction) -> Any:
        outcome = await run(step, event, tx)
        if alteration.is_due([step.topic]):
            die(f"killed in the handler of {step.topic}")
        return outcome

    replace(Step, "run", dying)


def kill_after_commit(alteration: Alteration) -> None:
    """Committed, and nothing of it published."""
    send = Processor._send

    async def dying(processor: Processor, committed: Any) -> None:
        topics = [delivery.step.topic for delivery, _, _ in committed]
        if alteration.is_due(topics):
            die(f"killed after the commit of {topics}")
        await send(processor, committed)

    replace(Processor, "_send", dying)


def kill_before_acknowledgement(alteration: Alteration) -> None:
    """Committed and published, and the broker or the caller never learns of it."""
    send = Processor._send

    async def dying(processor: Processor, committed: Any) -> None:
        topics = [delivery.step.topic for delivery, _, _ in committed]
        if alteration.is_due(topics):
            # Nobody waits for these futures, so nothing is acknowledged.
            nobody = asyncio.get_running_loop().create_future
            await send(
                processor, [(delivery, nobody(), outcomes) for delivery, _, outcomes in committed]
            )
            die(f"killed before the acknowledgement of {topics}")
        await send(processor, committed)

    replace(Processor, "_send", dying)


def kill_in_activity(alteration: Alteration) -> None:
    """What the activity does is done, and the workflow engine never learns of it."""
    wrapped = WorkflowHost._activity

    def wrapping(host: WorkflowHost, activity: Any, loop: Any) -> Any:
        @functools.wraps(activity)
        async def dying(argument: Any, service: Any) -> Any:
            result = await activity(argument, service)
            topic = getattr(argument, "topic", activity.__name__)
            if alteration.is_due([topic]):
                die(f"killed in the activity {activity.__name__} of {topic}")
            return result

        return wrapped(host, dying, loop)

    replace(WorkflowHost, "_activity", wrapping)


def slow_handlers(alteration: Alteration) -> None:
    """The first delivery of every nth message takes so many seconds."""
    run = Step.run
    known: set[str] = set()

    async def slow(step: Step, event: CloudEvent, tx: Transaction) -> Any:
        if alteration.applies([step.topic]) and event.id not in known:
            known.add(event.id)
            if len(known) % alteration.nth == 0:
                mark(f"slow {step.topic}")
                await asyncio.sleep(alteration.seconds)
        return await run(step, event, tx)

    replace(Step, "run", slow)


def lose_replies(alteration: Alteration) -> None:
    """What a step led to is committed, and the first attempt to tell anyone fails."""
    send = Processor._send
    known: set[str] = set()

    def lost(delivery: CloudEvent, topic: str) -> bool:
        if not alteration.applies([topic]) or delivery.id in known:
            return False
        known.add(delivery.id)
        mark(f"reply to {topic} lost")
        return True

    async def losing(processor: Processor, committed: Any) -> None:
        for delivery, done, outcomes in committed:
            if lost(delivery.event, delivery.step.topic) and not done.done():
                done.set_exception(Unavailable("the reply was lost"))
            else:
                await send(processor, [(delivery, done, outcomes)])

    replace(Processor, "_send", losing)


def late_responses(alteration: Alteration) -> None:
    """Every nth answer of a turn is its workflow's last one again, and its own is refused."""
    answer = LateResponses.intercept_unary_unary
    last: dict[str, Any] = {}

    def late(worker: LateResponses, go_on: Any, details: Any, request: Any) -> Any:
        if not details.method.endswith(ANSWER):
            return answer(worker, go_on, details, request)
        own, workflow = request, request.instanceId
        if workflow in last and alteration.is_due_again():
            mark(f"the last answer of {workflow} came late")
            request = last[workflow]
            worker.refused(workflow)
        last[workflow] = own
        return answer(worker, go_on, details, request)

    replace(LateResponses, "intercept_unary_unary", late)


def with_repeats(_: Alteration) -> None:
    replace(chassis.late_responses, "without_repeats", list)


def repeat_calls(alteration: Alteration) -> None:
    """Every call of a participant arrives two to five times, some of them late."""
    ask = Participants.ask
    late: set[asyncio.Task[Any]] = set()

    async def repeating(
        participants: Participants, app_id: str, command: CloudEvent, topic: str
    ) -> CloudEvent:
        async def again(pause: float) -> None:
            await asyncio.sleep(pause)
            await ask(participants, app_id, command, topic)

        mark(f"{topic} repeated")
        for _ in range(random.randint(1, 4)):
            task = asyncio.create_task(again(random.choice((0, 0, 0.5, 2))))
            late.add(task)
            task.add_done_callback(late.discard)
        return await ask(participants, app_id, command, topic)

    replace(Participants, "ask", repeating)


def delay_calls(alteration: Alteration) -> None:
    """Calls of participants overtake each other."""
    ask = Participants.ask

    async def delayed(
        participants: Participants, app_id: str, command: CloudEvent, topic: str
    ) -> CloudEvent:
        mark(f"{topic} delayed")
        await asyncio.sleep(random.uniform(0, alteration.seconds))
        return await ask(participants, app_id, command, topic)

    replace(Participants, "ask", delayed)


def believe_status_codes(alteration: Alteration) -> None:
    """Negative control: a 4xx counts as the participant's refusal, whoever it is of."""
    ask = Participants.ask

    async def believing(
        participants: Participants, app_id: str, command: CloudEvent, topic: str
    ) -> CloudEvent:
        try:
            return await ask(participants, app_id, command, topic)
        except Unavailable as error:
            if "HTTP 4" not in str(error):
                raise
            mark(f"{topic} counts as refused: {error}")
            return envelope(
                CommandRefused.of(command, error),
                id=str(uuid4()),
                source=app_id,
                traceparent=command.traceparent,
                causationid=command.id,
            )

    replace(Participants, "ask", believing)


def without_inbox(alteration: Alteration) -> None:
    """Negative control: every delivery runs its handler."""
    get = Transaction.get

    async def forgetful(tx: Transaction, key: str, kind: Any) -> Any:
        found = await get(tx, key, kind)
        return None if kind is InboxRecord else found

    replace(Transaction, "get", forgetful)


def without_recorded_outcomes(alteration: Alteration) -> None:
    """Negative control: a message that comes again leads to nothing at all."""
    run_once = Inbox.run_once

    async def silent(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        if await tx.get(inbox_key(delivery.event), InboxRecord) is not None:
            return ()
        return await run_once(inbox, delivery, tx)

    replace(Inbox, "run_once", silent)


def without_guards(alteration: Alteration) -> None:
    """For the benchmark of what they cost: no inbox, no recorded outcomes, no ETags."""

    async def bare(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        event = delivery.event
        # Tracing is no guard: it stays.
        with consuming(event, delivery.step.topic) as traceparent:
            outcomes = [
                outcome if isinstance(outcome, Request) else Request(outcome, "", "")
                for outcome in await delivery.step.run(event, tx)
            ]
            return tuple(
                Outgoing(
                    topic=delivery.destination(type(outcome.command)),
                    event=envelope(
                        outcome.command,
                        id=str(uuid4()),
                        source=inbox.source,
                        traceparent=traceparent,
                        replyto=outcome.replyto or None,
                        causationid=event.id,
                    ),
                )
                for outcome in outcomes
            )

    def item(write: Write) -> Any:
        return common_v1.StateItem(key=write.key, value=write.value or b"")

    replace(Inbox, "run_once", bare)
    replace(sidecar, "_state_item", item)


ALTERATIONS: dict[str, Callable[[Alteration], None]] = {
    "kill-in-handler": kill_in_handler,
    "kill-after-commit": kill_after_commit,
    "kill-before-acknowledgement": kill_before_acknowledgement,
    "kill-in-activity": kill_in_activity,
    "slow-handlers": slow_handlers,
    "lose-replies": lose_replies,
    "late-responses": late_responses,
    "repeat-calls": repeat_calls,
    "delay-calls": delay_calls,
    "with-repeats": with_repeats,
    "believe-status-codes": believe_status_codes,
    "without-inbox": without_inbox,
    "without-recorded-outcomes": without_recorded_outcomes,
    "without-guards": without_guards,
}
