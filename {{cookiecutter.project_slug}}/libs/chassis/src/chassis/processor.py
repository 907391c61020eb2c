"""The commit point: handlers side by side, then one transaction, then the outcomes.

A crash anywhere leads to redelivery, and redelivery to the same effect: before the commit nothing
is stored, and after it the inbox has the outcomes to send again.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from chassis.cloudevents import CloudEvent
from chassis.errors import (
    TRANSIENT,
    Busy,
    Refused,
    Rejected,
    StaleWrite,
    TooLarge,
    Unavailable,
    Unsent,
)
from chassis.handlers import Step
from chassis.inbox import Delivery, Destination, Inbox, Outgoing, inbox_key, to_its_topic
from chassis.logs import about
from chassis.ports import CLOCK, RANDOM, Broker, Clock, Random, Store
from chassis.transaction import Snapshot, Transaction

log = logging.getLogger(__name__)

# One bulk delivery; a larger group would make a lost ETag race dearer.
MAX_GROUP = 100
# Beyond it, callers wait at the door, and the sidecar hands out no more.
MAX_WAITING = 2_000
# With the pauses in between, about half a second of bad luck; then the broker tries again.
MAX_ATTEMPTS = 8
# A group waits no longer for one of its handlers: the slow one runs again by itself.
GROUP_SECONDS = 1.0
# A handler may need a moment to end once it is cancelled; one that never does is left behind.
CANCEL_SECONDS = 1.0
# So many slow handlers run at a time; one more is tried again later.
MAX_SLOW = 50
# Messages that were slow once go to the slow ones at once when they come again.
MAX_KNOWN_SLOW = 1_000
# The last attempts of a slow handler, while no group of this process commits; and for how long
# the groups wait then. Against other replicas there is no such help.
EXCLUSIVE_ATTEMPTS, EXCLUSIVE_SECONDS = 2, 5.0

Done = asyncio.Future[tuple[Outgoing, ...]]
Waiting = tuple[Delivery, Done]
Group = Sequence[Waiting]
Result = tuple[Outgoing, ...] | Exception
Committed = list[tuple[Delivery, Done, tuple[Outgoing, ...]]]


class Processor:
    """Brings deliveries to their effect, in groups.

    A group is whatever waits when the previous one has committed: an idle service answers at once,
    a busy one commits rarely. One group at a time commits in a process, so two deliveries that want
    the same key never race here, only against another replica, or against a slow handler.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        inbox: Inbox,
        *,
        handler_timeout: float = 20.0,
        max_waiting: int = MAX_WAITING,
        clock: Clock = CLOCK,
        random: Random = RANDOM,
    ) -> None:
        self._store = store
        self._broker = broker
        self._inbox = inbox
        self._clock = clock
        self._random = random
        self._handler_timeout = handler_timeout
        self.group_seconds = min(GROUP_SECONDS, handler_timeout)
        self.max_slow = MAX_SLOW
        self._max_waiting = max_waiting
        self._waiting: asyncio.Queue[Waiting | None] = asyncio.Queue(max_waiting)
        self._sending: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()
        self._known_slow: OrderedDict[str, None] = OrderedDict()
        #: Held while a group is brought to its effect, and by an exclusive attempt.
        self._turn = asyncio.Lock()
        #: Held by whoever waits for an exclusive attempt, so that a group comes between two.
        self._next_turn = asyncio.Lock()
        self._worker: asyncio.Task[None] | None = None

    async def process(
        self,
        event: CloudEvent,
        step: Step,
        destination: Destination = to_its_topic,
        *,
        is_command: bool = False,
        lasts: bool = False,
        runs_apart: Callable[[], None] = lambda: None,
    ) -> tuple[CloudEvent, ...]:
        """The outcomes of the event, after they were stored and sent.

        Raises `Busy` if its turn did not come in time, `Unavailable` or `TimeoutError` if the
        event should come again, and whatever the handler raised if it should not.
        """
        seconds = 2 * self._handler_timeout
        delivery = Delivery(event, step, destination, is_command, lasts, runs_apart)
        done: Done = asyncio.get_running_loop().create_future()
        # When the time is up, `done` is cancelled: nobody works on this delivery any more.
        try:
            async with asyncio.timeout(seconds) as limit:
                if self._known_slow and inbox_key(event) in self._known_slow:
                    self._run_apart(delivery, done)
                else:
                    await self._waiting.put((delivery, done))
                return tuple(outgoing.event for outgoing in await done)
        except TimeoutError as error:
            if not limit.expired() or inbox_key(event) in self._known_slow:
                raise
            # Its handler is not what took so long.
            raise Busy(f"too much is being handled: not done within {seconds:.0f} s") from error

    def start(self) -> None:
        # A queue belongs to the event loop that first waits for it.
        self._waiting = asyncio.Queue(self._max_waiting)
        self._turn, self._next_turn = asyncio.Lock(), asyncio.Lock()
        self._sending, self._slow = set(), set()
        self._known_slow.clear()
        self._worker = asyncio.create_task(self._work(), name="processor")

    async def stop(self) -> None:
        """Bring what waits to its end. The server has stopped taking requests by now."""
        if self._worker is not None:
            await self._waiting.put(None)
            await self._worker
        await asyncio.gather(*self._slow)
        await asyncio.gather(*self._sending)

    @property
    def alive(self) -> bool:
        return self._worker is not None and not self._worker.done()

    async def _work(self) -> None:
        while group := await self._next_group():
            try:
                async with self._turn:
                    await self._bring_to_effect(group)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # One message must not end the work on all others.
                log.exception("a group of %d messages failed", len(group))
                fail(group, Unavailable(f"the group failed: {error!r}"))

    async def _next_group(self) -> list[Waiting]:
        """What waits, less what nobody waits for any more. Empty: `stop` was called."""
        group: list[Waiting] = []
        while not group:
            following = await self._waiting.get()
            while following is not None:
                if not following[1].done():
                    group.append(following)
                if len(group) == MAX_GROUP or self._waiting.empty():
                    break
                following = self._waiting.get_nowait()
            else:
                if group:
                    # For the next call.
                    self._waiting.put_nowait(None)
                break
        return group

    async def _bring_to_effect(self, group: Group, *, again: bool = False) -> None:
        """`again`: each of the group has failed once, in a group that is committed by now."""
        for attempt in range(MAX_ATTEMPTS):
            snapshot = Snapshot(self._store)
            committed, doubtful = await self._run(group, snapshot, again)
            group = [*((delivery, done) for delivery, done, _ in committed), *doubtful]
            try:
                if snapshot.writes:
                    await self._store.commit(list(snapshot.writes.values()))
            except StaleWrite:
                await self._pause_after(attempt)
                continue
            except Exception as error:
                await self._not_committed(group, error, again)
                return
            # Sending must not hold up the next group: order between messages is not promised.
            self._start(self._send(committed), self._sending)
            if doubtful:
                # Side by side: a hundred that each take their time to fail must not do it in a row.
                await self._bring_to_effect(doubtful, again=True)
            return
        fail(group, _lost_races())

    async def _not_committed(self, group: Group, error: Exception, again: bool) -> None:
        is_away = isinstance(error, TRANSIENT) and not isinstance(error, Refused)
        if is_away or len(group) == 1:
            fail(group, error)
            return
        # One message may be what the store refuses; the others must not wait for it.
        half = len(group) // 2
        await self._bring_to_effect(group[:half], again=again)
        await self._bring_to_effect(group[half:], again=again)

    async def _run(
        self, group: Group, snapshot: Snapshot, again: bool
    ) -> tuple[Committed, list[Waiting]]:
        runs = [
            asyncio.create_task(self._run_once(delivery, snapshot, self.group_seconds))
            for delivery, _ in group
        ]
        await asyncio.wait(runs, timeout=self.group_seconds + CANCEL_SECONDS)
        now = asyncio.get_running_loop().time
        deadline = now() + self.group_seconds
        committed: Committed = []
        doubtful: list[Waiting] = []
        for (delivery, done), run in zip(group, runs, strict=True):
            result = _result(run)
            # The others have ended, so nothing overtakes it again. On a hot key that is one after
            # the other: those for which the group has no time left run apart.
            while isinstance(result, Overtaken):
                left = deadline - now()
                result = (
                    TooSlow() if left <= 0 else await self._run_in_time(delivery, snapshot, left)
                )
            if isinstance(result, tuple):
                committed.append((delivery, done, result))
            elif isinstance(result, TooSlow):
                self._run_apart(delivery, done)
            elif isinstance(result, Doubtful) and (
                # Then another one of the group has written, so the next group is a smaller one.
                result.read_uncommitted or (len(group) > 1 and not again)
            ):
                doubtful.append((delivery, done))
            else:
                fail([(delivery, done)], result)
        return committed, doubtful

    async def _run_once(self, delivery: Delivery, snapshot: Snapshot, seconds: float) -> Result:
        """What failed is returned: the others of the group go on."""
        tx = Transaction(snapshot, delivery.event, self._clock.now())
        result: Result
        try:
            async with asyncio.timeout(seconds) as limit:
                result = await self._inbox.run_once(delivery, tx)
        except Exception as error:
            result = TooSlow() if limit.expired() else error
        # Order matters: no await between asking and applying, or two could write what both read.
        if tx.overtaken:
            return Overtaken()
        if isinstance(result, tuple):
            tx.apply()
        elif not isinstance(result, (TooSlow, *TRANSIENT)) and (
            tx.read_uncommitted or not isinstance(result, Rejected)
        ):
            # It may have decided on a state that is never committed, or is not there any more.
            return Doubtful(result, tx.read_uncommitted)
        return result

    def _run_apart(self, delivery: Delivery, done: Done) -> None:
        """By itself, beside the groups, with all the time that a handler may take."""
        key = inbox_key(delivery.event)
        self._known_slow[key] = None
        self._known_slow.move_to_end(key)
        if len(self._known_slow) > MAX_KNOWN_SLOW:
            self._known_slow.popitem(last=False)
        try:
            if len(self._slow) >= self.max_slow:
                raise Busy(f"{self.max_slow} slow handlers run already")
            delivery.runs_apart()
        except Busy as error:
            fail([(delivery, done)], error)
            return
        self._start(self._bring_to_effect_apart(delivery, done), self._slow)

    async def _bring_to_effect_apart(self, delivery: Delivery, done: Done) -> None:
        for attempt in range(MAX_ATTEMPTS):
            try:
                if attempt < MAX_ATTEMPTS - EXCLUSIVE_ATTEMPTS:
                    outcomes = await self._commit_apart(delivery, done, self._handler_timeout)
                else:
                    # On a busy key, the groups would win each race.
                    seconds = min(EXCLUSIVE_SECONDS, self._handler_timeout)
                    async with self._next_turn, self._turn:
                        outcomes = await self._commit_apart(delivery, done, seconds)
            except StaleWrite:
                await self._pause_after(attempt)
                continue
            except Exception as error:
                fail([(delivery, done)], error)
                return
            await self._send([(delivery, done, outcomes)])
            return
        fail([(delivery, done)], _lost_races())

    async def _commit_apart(
        self, delivery: Delivery, done: Done, seconds: float
    ) -> tuple[Outgoing, ...]:
        """Raises what the handler or the commit raises."""
        snapshot = Snapshot(self._store)
        result: Result = TooSlow()
        if not done.done():
            result = await self._run_in_time(delivery, snapshot, seconds)
        if done.done():
            raise TooSlow
        if not isinstance(result, tuple):
            raise result
        await self._store.commit(list(snapshot.writes.values()))
        return result

    async def _run_in_time(self, delivery: Delivery, snapshot: Snapshot, seconds: float) -> Result:
        """Left behind if it does not end when it is cancelled."""
        run = asyncio.create_task(self._run_once(delivery, snapshot, seconds))
        await asyncio.wait([run], timeout=seconds + CANCEL_SECONDS)
        return _result(run)

    async def _pause_after(self, attempt: int) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.005 * 2**attempt))

    def _start(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)

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
            if isinstance(error, Refused) and len(committed) > 1:
                # One outcome may be what the broker refuses; the others must not wait for it.
                await asyncio.gather(*(self._send([alone]) for alone in committed))
                return
            # What is too large to be sent will stay so; all else is sent some time.
            unsent = error if isinstance(error, TooLarge) else Unsent(str(error))
            fail([(delivery, done) for delivery, done, _ in committed], unsent)
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


class Overtaken(Exception):
    """What it has read was written by another one of its group since, so it must run again."""


class TooSlow(TimeoutError):
    """Its handler took longer than its group, or anybody, waits."""

    def __str__(self) -> str:
        return "its handler did not end in time"


class Doubtful(Exception):
    """A failure that may rest on what is not committed, or is not there any more."""

    def __init__(self, cause: Exception, read_uncommitted: bool) -> None:
        super().__init__(cause)
        self.cause = cause
        self.read_uncommitted = read_uncommitted


def _result(run: "asyncio.Task[Result]") -> Result:
    if not run.done():
        return TooSlow()
    if run.cancelled():
        # A library of the handler has leaked a cancellation that nobody asked for.
        return RuntimeError("its handler was cancelled from within")
    return run.result()


def _lost_races() -> Unavailable:
    return Unavailable(f"lost {MAX_ATTEMPTS} ETag races in a row: another replica is faster")


def fail(group: Group, error: Exception) -> None:
    cause = error.cause if isinstance(error, Doubtful) else error
    for _, done in group:
        if not done.done():
            done.set_exception(cause)
