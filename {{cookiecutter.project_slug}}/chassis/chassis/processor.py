"""The commit point: handlers side by side, then one transaction, then the outcomes.

A crash anywhere leads to redelivery, and redelivery to the same effect: before the commit nothing
is stored, and after it the inbox has the outcomes to send again.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Sequence

from chassis.cloudevents import CloudEvent
from chassis.errors import Refused, Rejected, StaleWrite, Unavailable
from chassis.handlers import Step
from chassis.inbox import Delivery, Destination, Inbox, Outgoing, to_its_topic
from chassis.logs import about
from chassis.ports import Broker, Store
from chassis.transaction import Snapshot, Transaction

log = logging.getLogger(__name__)

# One bulk delivery; a larger group would make a lost ETag race dearer.
MAX_GROUP = 100
# Beyond it, callers wait at the door, and the sidecar hands out no more.
MAX_WAITING = 2_000
# With the pauses in between, about half a second of bad luck; then the broker tries again.
MAX_ATTEMPTS = 8

Done = asyncio.Future[tuple[Outgoing, ...]]
Group = Sequence[tuple[Delivery, Done]]
Committed = list[tuple[Delivery, Done, tuple[Outgoing, ...]]]


class Processor:
    """Brings deliveries to their effect, in groups.

    A group is whatever waits when the previous one has committed: an idle service answers at once,
    a busy one commits rarely. One group at a time commits in a process, so two deliveries that want
    the same key never race here, only against another replica.
    """

    def __init__(
        self, store: Store, broker: Broker, inbox: Inbox, *, handler_timeout: float = 20.0
    ) -> None:
        self._store = store
        self._broker = broker
        self._inbox = inbox
        self._handler_timeout = handler_timeout
        self._waiting: asyncio.Queue[tuple[Delivery, Done] | None] = asyncio.Queue(MAX_WAITING)
        self._sending: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None

    async def process(
        self, event: CloudEvent, step: Step, destination: Destination = to_its_topic
    ) -> tuple[CloudEvent, ...]:
        """The outcomes of the event, after they were stored and sent.

        Raises `Unavailable` or `TimeoutError` if the event should come again, and whatever the
        handler raised if it should not.
        """
        done: Done = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(2 * self._handler_timeout):
            await self._waiting.put((Delivery(event, step, destination), done))
            return tuple(outgoing.event for outgoing in await done)

    def start(self) -> None:
        # A queue belongs to the event loop that first waits for it.
        self._waiting = asyncio.Queue(MAX_WAITING)
        self._worker = asyncio.create_task(self._work(), name="processor")

    async def stop(self) -> None:
        """Bring what waits to its end. The server has stopped taking requests by now."""
        if self._worker is not None:
            await self._waiting.put(None)
            await self._worker
        await asyncio.gather(*self._sending)

    @property
    def alive(self) -> bool:
        return self._worker is not None and not self._worker.done()

    async def _work(self) -> None:
        while (first := await self._waiting.get()) is not None:
            group = [first]
            while len(group) < MAX_GROUP and not self._waiting.empty():
                following = self._waiting.get_nowait()
                if following is None:
                    await self._bring_to_effect(group)
                    return
                group.append(following)
            await self._bring_to_effect(group)

    async def _bring_to_effect(self, group: Group) -> None:
        try:
            committed, failed = await self._run_and_commit(group)
        except Refused as error:
            if len(group) == 1:
                fail(group, error)
                return
            # One message may be what the store refuses; the others must not wait for it.
            for alone in group:
                await self._bring_to_effect([alone])
            return
        except Exception as error:
            fail(group, error)
            return
        # Sending must not hold up the next group: order between messages is not promised.
        sending = asyncio.create_task(self._send(committed))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        for alone in failed:
            await self._bring_to_effect([alone])

    async def _run_and_commit(self, group: Group) -> tuple[Committed, Group]:
        """What was committed, and what failed and should be tried once more, alone."""
        for attempt in range(MAX_ATTEMPTS):
            snapshot = Snapshot(self._store)
            committed, failed = await self._run(group, snapshot)
            try:
                if snapshot.writes:
                    await self._store.commit(list(snapshot.writes.values()))
                return committed, failed
            except StaleWrite:
                group = [*((delivery, done) for delivery, done, _ in committed), *failed]
                await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise Unavailable(f"lost {MAX_ATTEMPTS} ETag races in a row: another replica is faster")

    async def _run(self, group: Group, snapshot: Snapshot) -> tuple[Committed, Group]:
        results = await asyncio.gather(
            *(self._run_once(delivery, snapshot) for delivery, _ in group)
        )
        committed: Committed = []
        failed: list[tuple[Delivery, Done]] = []
        for (delivery, done), result in zip(group, results, strict=True):
            # The others have ended, so nothing overtakes it again.
            while result is None:
                result = await self._run_once(delivery, snapshot)
            if not isinstance(result, Exception):
                committed.append((delivery, done, result))
            elif len(group) == 1 or isinstance(result, Rejected):
                fail([(delivery, done)], result)
            else:
                # It may have decided on a state that is not there any more: once more, alone.
                failed.append((delivery, done))
        return committed, failed

    async def _run_once(
        self, delivery: Delivery, snapshot: Snapshot
    ) -> tuple[Outgoing, ...] | Exception | None:
        """What failed is returned: the others of the group go on.

        None: what it has read was written by another one since, so it must run again.
        """
        tx = Transaction(snapshot, delivery.event)
        result: tuple[Outgoing, ...] | Exception
        try:
            async with asyncio.timeout(self._handler_timeout):
                result = await self._inbox.run_once(delivery, tx)
        except Exception as error:
            result = error
        # Order matters: no await between asking and applying, or two could write what both read.
        if tx.overtaken:
            return None
        if not isinstance(result, Exception):
            tx.apply()
        return result

    async def _send(self, committed: Committed) -> None:
        by_topic: dict[str, list[CloudEvent]] = defaultdict(list)
        for _, _, outcomes in committed:
            for outgoing in outcomes:
                if outgoing.topic is not None:
                    by_topic[outgoing.topic].append(outgoing.event)
        try:
            await asyncio.gather(
                *(self._broker.publish(topic, events) for topic, events in by_topic.items())
            )
        except Exception as error:
            fail([(delivery, done) for delivery, done, _ in committed], error)
            return
        for delivery, done, outcomes in committed:
            with about(delivery.event):
                log.info(
                    "handled %s",
                    delivery.step.topic,
                    extra={"outcomes": [outgoing.event.type for outgoing in outcomes]},
                )
            if not done.done():
                done.set_result(outcomes)


def fail(group: Group, error: BaseException) -> None:
    for _, done in group:
        if not done.done():
            done.set_exception(error)
