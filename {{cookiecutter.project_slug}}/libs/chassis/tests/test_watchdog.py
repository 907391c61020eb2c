import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from chassis import watchdog
from chassis.errors import Unavailable
from testkit import MemorySidecar

HOSTING = frozenset({"dapr.internal.default.bank.activity", "dapr.internal.default.bank.workflow"})


class FakeSidecar(MemorySidecar):
    def __init__(self, answer: Callable[[], frozenset[str]]) -> None:
        super().__init__()
        self.answer = answer
        self.asked = 0
        self.shut_downs = 0

    async def actor_types(self) -> frozenset[str]:
        self.asked += 1
        return self.answer()

    async def shut_down(self) -> None:
        self.shut_downs += 1


@asynccontextmanager
async def watched(answer: Callable[[], frozenset[str]]) -> AsyncIterator[FakeSidecar]:
    sidecar = FakeSidecar(answer)
    watching = asyncio.create_task(watchdog.watch(sidecar, poll=0.001, within=0.05))
    try:
        yield sidecar
    finally:
        watching.cancel()


async def asked(sidecar: FakeSidecar, times: int) -> None:
    async with asyncio.timeout(5):
        while sidecar.asked < times:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_sidecar_that_hosts_the_workflows_is_left_alone() -> None:
    async with watched(lambda: HOSTING) as sidecar:
        await asked(sidecar, 100)
    assert sidecar.shut_downs == 0


async def test_a_sidecar_that_hosts_none_is_shut_down_once_timeout_ends() -> None:
    async with watched(frozenset) as sidecar:
        await asked(sidecar, 2)
        assert sidecar.shut_downs == 0
        async with asyncio.timeout(5):
            while not sidecar.shut_downs:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert sidecar.shut_downs == 1


async def test_a_sidecar_that_is_away_is_not_judged() -> None:
    def away() -> frozenset[str]:
        raise Unavailable("ask: UNAVAILABLE")

    async with watched(away) as sidecar:
        await asked(sidecar, 100)
    assert sidecar.shut_downs == 0


async def test_a_sidecar_that_takes_the_worker_again_in_time_is_forgiven() -> None:
    answers: Iterator[frozenset[str]] = iter([frozenset()] * 5)
    async with watched(lambda: next(answers, HOSTING)) as sidecar:
        await asked(sidecar, 100)
    assert sidecar.shut_downs == 0
