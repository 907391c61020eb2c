"""Messages that failed and may succeed later: kept, acknowledged, and tried again here.

A sidecar that tries one message of a bulk again holds back all that follow on its topic: daprd 1.18
delivers one bulk of a topic at a time, and counts attempts where a limit of time is wanted. So a
message that failed is kept as a letter of the kind "retrying", and the broker is done with it. It
survives a crash, and whoever lists the dead letters sees what is being tried, and why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from chassis.budget import ByteBudget
from chassis.deadletters.kept import KeptLetters
from chassis.deadletters.letter import (
    DeadLetter,
    Kind,
    Summary,
    cause_of,
    letter_id,
)
from chassis.errors import TRANSIENT, Busy, Rejected, Unsent
from chassis.metrics import dead_lettered, retrying
from chassis.ports import Clock, Random
from chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

#: Seconds between two attempts: twice as long each time, less up to half of it at random, so that
#: what failed together does not come back together.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
#: So many messages are tried again at a time; beyond that, the sidecar holds back its topic.
MAX_RETRYING = 1_000
#: Bytes of those that are read from the store for an attempt.
MAX_HELD = 2 * 1024 * 1024
#: Seconds between two looks for letters whose replica is gone, and how old those must be. A look
#: reads the directory of letters, and of its pages those on which something is tried again.
LOOK_PAUSE, ABANDONED = 30.0, 90.0
#: The same while the store is away.
LOOK_AGAIN_PAUSE = 2.0

#: From this attempt on, each time that they have doubled, the letter says how many and why. What
#: succeeds before costs no more writes.
FIRST_REPORT = 4

#: A message that so many processes did not survive is not tried by one more.
MAX_ADOPTIONS = 5

#: Why the message could not be brought to its effect, or None if it was. The last argument is
#: called when somebody else counts its bytes.
Attempt = Callable[[bytes, str, Callable[[], None]], Awaitable[Exception | None]]
Running = asyncio.Task[Exception | None]


class Retries:
    def __init__(
        self,
        settings: ServiceSettings,
        kept: KeptLetters,
        attempt: Attempt,
        clock: Clock,
        random: Random,
    ) -> None:
        self._settings = settings
        self._kept = kept
        self._attempt = attempt
        self._clock = clock
        self._random = random
        self.first_pause, self.longest_pause = FIRST_PAUSE, LONGEST_PAUSE
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._held = ByteBudget(MAX_HELD)

    async def resume(self) -> None:
        """Go on with what an earlier process of this service had kept, once the store answers."""
        # Another process is another event loop.
        self._tasks = {}
        while not await self._adopt(0):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_PAUSE)

    async def watch(self) -> None:
        """Go on with what other replicas had kept when they ended, for as long as this one runs."""
        await self.resume()
        while True:
            await asyncio.sleep(self._at_random(LOOK_PAUSE))
            # Of another replica only what is old: if it lives, it tries its own ones itself.
            await self._adopt(ABANDONED)

    def __len__(self) -> int:
        """How many messages are tried again here."""
        return len(self._tasks)

    async def stop(self) -> None:
        """What is being tried stays kept; the next start goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_over(
        self, raw: bytes, topic: str, error: Exception, running: Running | None = None
    ) -> bool:
        """Whether the message is kept now, and so may be acknowledged.

        `running` is its first attempt, if that has not ended yet. Raises what keeping it raised.
        """
        id = letter_id(raw)
        if id in self._tasks:
            return True
        if len(self._tasks) >= MAX_RETRYING:
            return False
        letter = DeadLetter.of(
            raw,
            topic=topic,
            cause=cause_of(error),
            attempts=0 if running else 1,
            kind="retrying",
            arrived_at=self._clock.now(),
        )
        # Order matters: it is acknowledged only when it is stored.
        await self._kept.keep(letter)
        self._begin(letter, running)
        return True

    async def _adopt(self, older_than_seconds: float) -> bool:
        """Go on with kept messages of that age that nobody tries here. False: look again."""
        try:
            async for summary in self._kept.retrying():
                if len(self._tasks) >= MAX_RETRYING:
                    break
                if summary.id not in self._tasks and self._age(summary) >= older_than_seconds:
                    await self._adopt_one(summary.id)
        except TRANSIENT as error:
            log.info("kept messages cannot be read yet: %s", error)
            return False
        except Exception:
            # Of another version, perhaps; `watch` looks again.
            log.exception("the list of kept messages cannot be read")
        return True

    async def _adopt_one(self, id: UUID) -> None:
        try:
            letter = await self._kept.find(id)
        except TRANSIENT:
            raise
        except Exception:
            # The others must not wait for it.
            log.exception("kept message %s cannot be read, so it is not tried again", id)
            return
        if letter is not None:
            self._begin(letter.model_copy(update={"adoptions": letter.adoptions + 1}))

    def _begin(self, letter: DeadLetter, running: Running | None = None) -> None:
        topic = letter.topic
        if letter.id not in self._tasks and topic is not None:
            # Its payload waits in the store: a thousand of them would not fit into memory.
            letter = letter.model_copy(update={"payload": ""})
            task = asyncio.create_task(self._retry(letter, topic, running))
            self._tasks[letter.id] = task
            retrying(len(self._tasks))
            task.add_done_callback(lambda _: self._ended(letter.id))

    def _ended(self, id: UUID) -> None:
        self._tasks.pop(id, None)
        retrying(len(self._tasks))

    async def _retry(self, letter: DeadLetter, topic: str, running: Running | None) -> None:
        failed, reported, pause = 0, 0, self.first_pause
        # The time that nobody tried it does not count: what it needs may just be starting, too.
        since = self._clock.now() if letter.adoptions else letter.arrived_at
        while True:
            if running is None:
                await asyncio.sleep(self._at_random(pause))
                pause = min(2 * pause, self.longest_pause)
            try:
                if running is not None:
                    error, running = await running, None
                else:
                    if letter.adoptions > MAX_ADOPTIONS:
                        error = RuntimeError(f"{MAX_ADOPTIONS} processes ended while they tried it")
                        await self._give_up(letter, "unknown", error, failed + 1)
                        return
                    if letter.adoptions:
                        # Order matters: it counts before the attempt that may end this process.
                        await self._kept.amend(letter.model_copy(update={"attempts": 0}))
                    async with self._held.hold(letter.size) as held:
                        kept = await self._kept.find(letter.id)
                        if kept is None or kept.kind != "retrying":
                            # Somebody has discarded it, or replayed it in vain: then it is theirs.
                            return
                        error = await self._attempt(kept.raw, topic, held.release)
                failed += error is not None
                if error is None:
                    await self._kept.settle(letter.id)
                    return
                kind = self._kind(error, since)
                survived = letter.model_copy(update={"adoptions": 0})
                if kind != "retrying":
                    await self._give_up(survived, kind, error, failed - reported)
                    return
                if letter.adoptions or _is_to_be_reported(failed):
                    news = {"attempts": failed - reported, "cause": cause_of(error)}
                    await self._kept.amend(survived.model_copy(update=news))
                    letter, reported = survived, failed
            except Exception as away:
                # The inbox knows what was done: all of this may be done again.
                log.warning("message %s is tried again, for its letter stays: %s", letter.id, away)

    def _kind(self, error: Exception, since: datetime) -> Kind:
        seconds = (self._clock.now() - since).total_seconds()
        if isinstance(error, Rejected):
            return "permanent"
        if isinstance(error, (Busy, Unsent)):
            # It was not tried; or its step is done, and others wait for what it led to, however
            # long the broker is away.
            return "retrying"
        if isinstance(error, TRANSIENT):
            return "exhausted" if seconds >= self._settings.retry_seconds else "retrying"
        return "unknown" if seconds >= self._settings.unknown_retry_seconds else "retrying"

    async def _give_up(
        self, letter: DeadLetter, kind: Kind, error: Exception, attempts: int
    ) -> None:
        cause = cause_of(error)
        known = {"kind": kind, "cause": cause, "attempts": attempts}
        # Not `keep`: it may have been discarded meanwhile, and must not come back.
        await self._kept.amend(letter.model_copy(update=known))
        dead_lettered(kind)
        log.error("%s: dead-lettered as %s, %s: %s", letter.topic, letter.id, kind, cause)

    def _age(self, letter: Summary) -> float:
        return (self._clock.now() - letter.arrived_at).total_seconds()

    def _at_random(self, seconds: float) -> float:
        return self._random.uniform(seconds / 2, seconds)


def _is_to_be_reported(failed: int) -> bool:
    return failed >= FIRST_REPORT and failed & (failed - 1) == 0
