"""A few faults on a stack of their own, and what the suite sees when a guard is off.

`make faults` makes all of them, in every style.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from random import Random

import pytest

from chassis.saga import Style
from testkit.faults import components, run
from testkit.faults.catalogue import FAULTS, Fault, between
from testkit.faults.parts import START_SECONDS, Parts
from testkit.faults.run import Result
from testkit.faults.scene import Scene, changed
from testkit.live.waiting import until
from tests.plans import ORDERS, Orders
from workspace import profiles, stack
from workspace.daprfile import DaprFile

COUNT = 12
#: With a guard off, what has not ended by then never will.
TIMEOUT_SECONDS = 5
LATE_SECONDS = 60

USED = {profile.name for profile in profiles.in_use(DaprFile())}
pytestmark = pytest.mark.skipif(
    not {"redis", "sqlite"} >= USED, reason=f"made on Redis and SQLite; in use: {sorted(USED)}"
)

Run = Callable[..., Awaitable[Result]]


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    stack.up()
    try:
        yield Parts(DaprFile())
    finally:
        stack.down()


@pytest.fixture
async def make(parts: Parts) -> AsyncIterator[Run]:
    supervisor = asyncio.create_task(parts.supervise())
    async with Orders(ORDERS, parts.file.apps) as door:

        async def make(fault: Fault, style: str, **more: float) -> Result:
            random = Random(fault.name)
            return await run.run(fault, Style(style), parts, door, COUNT, random, **more)

        yield make
    supervisor.cancel()
    await parts.heal()


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("duplicates", "choreography"),
        ("participant-killed", "hybrid"),
        ("host-killed", "orchestration"),
        ("refused-in-between", "orchestration"),
    ],
)
async def test_all_orders_end_and_all_records_agree(make: Run, name: str, style: str) -> None:
    result = await make(FAULTS[name], style)

    assert result.violations == ()
    assert result.ended == result.begun == COUNT


async def test_workflows_end_though_answers_come_late(make: Run) -> None:
    async def answer_late(scene: Scene) -> None:
        async with scene.altered("orders", "late-responses", nth=5):
            await scene.load.all_accepted()
            await scene.load.all_ended(LATE_SECONDS)

    result = await make(Fault("late-responses", answer_late), "orchestration")

    assert result.violations == ()
    assert result.ended == result.begun == COUNT


async def test_a_late_response_fails_a_workflow_if_its_repeats_are_not_left_out(make: Run) -> None:
    async def answer_late(scene: Scene) -> None:
        async with scene.altered("orders", "late-responses", "with-repeats", nth=5):
            await scene.load.all_accepted()
            await scene.load.all_ended(TIMEOUT_SECONDS)

    result = await make(Fault("repeats", answer_late), "orchestration", within=TIMEOUT_SECONDS)

    assert any("I2" in violation for violation in result.violations)
    assert any("S1" in violation for violation in result.violations)


async def test_without_the_inbox_goods_that_are_sent_twice_count_twice(make: Run) -> None:
    async def resend(scene: Scene) -> None:
        async with scene.altered("inventory", "without-inbox"):
            await scene.load.prepare()
            scene.injected += 1

    result = await make(Fault("no-inbox", resend), "choreography", within=TIMEOUT_SECONDS)

    assert any("I1" in violation for violation in result.violations)


async def test_without_recorded_outcomes_a_lost_reply_is_lost_for_ever(make: Run) -> None:
    async def lose(scene: Scene) -> None:
        async with scene.altered(
            "payments", "without-recorded-outcomes", "lose-replies", topics=["stock-reserved"]
        ):
            await scene.load.all_accepted()
            await asyncio.sleep(TIMEOUT_SECONDS / 2)

    result = await make(Fault("no-outcomes", lose), "choreography", within=TIMEOUT_SECONDS)

    assert any("I2" in violation for violation in result.violations)


async def test_what_counts_as_refused_by_a_status_code_is_done_all_the_same(make: Run) -> None:
    async def believe(scene: Scene) -> None:
        async with (
            between.proxies(scene, share=0.5) as through,
            scene.altered("orders", "believe-status-codes", environment=through),
        ):
            await scene.load.all_accepted()
            await scene.load.all_ended(TIMEOUT_SECONDS)

    result = await make(Fault("status-codes", believe), "orchestration", within=TIMEOUT_SECONDS)

    # Somebody in between has said "refused", so goods or money of a cancelled order are kept.
    assert any(re.match("I[134]:", violation) for violation in result.violations)
    assert any("S3" in violation for violation in result.violations)


async def test_what_an_app_misses_while_it_is_away_is_done_though_its_sidecar_gave_it_up(
    make: Run,
) -> None:
    async def away(scene: Scene) -> None:
        app, sidecar = scene.parts.apps["inventory"], scene.parts.sidecars["inventory"]
        with components.without("resiliency.yaml") as folder:
            async with changed(sidecar, components.with_folder(sidecar.command, folder)):
                await app.kill()
                scene.injected += 1
                await scene.load.all_accepted()
                await app.restart()
                await scene.load.all_ended(LATE_SECONDS)

    result = await make(Fault("no-retries", away), "choreography")

    assert result.violations == ()
    assert result.ended == result.begun == COUNT


async def test_a_scheduler_that_ends_by_itself_is_started_again(parts: Parts) -> None:
    assert parts.scheduler is not None
    supervisor = asyncio.create_task(parts.supervise())
    try:
        parts.scheduler.process.kill()
        await parts.scheduler.died()
        await until("a new scheduler", lambda: _lives(parts), START_SECONDS)
        await parts.scheduler.ready()
    finally:
        supervisor.cancel()


async def _lives(parts: Parts) -> bool:
    return parts.scheduler is not None and parts.scheduler.alive
