"""Messages that come twice, late, in another order, or that nobody can read."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from uuid import uuid4

from chassis.saga import Style
from testkit.faults import components
from testkit.faults.catalogue.kills import leading_to
from testkit.faults.scene import Scene, changed
from testkit.live import letters
from testkit.live.waiting import Overdue, until

#: The broker gives a message out again after this long; the slow handlers need longer.
REDELIVERY_SECONDS, SLOW_SECONDS = 3, 8
POISON_SECONDS = 1.0
#: Far above what a process takes on a busy machine, far below one round of retries.
DELAY_SECONDS = 15.0


async def duplicates(scene: Scene) -> None:
    """Every message is delivered two to five times"""
    if scene.style is Style.ORCHESTRATION:
        async with scene.altered(scene.initiator, "repeat-calls"):
            await scene.load.all_accepted()
            await scene.load.all_ended(60)
        return
    async with scene.streams.copying(scene.random) as copies:
        await scene.load.all_accepted()
        await scene.load.all_ended(60)
    scene.injected += sum(copies)


async def out_of_order(scene: Scene) -> None:
    """Messages of one topic overtake each other, and topics overtake topics"""
    if scene.style is Style.ORCHESTRATION:
        async with scene.altered(scene.initiator, "delay-calls", seconds=2):
            await scene.load.all_accepted()
            await scene.load.all_ended(60)
        return
    scene.load.begin()
    topics = [t for t in await scene.streams.topics() if not t.endswith("-dead-letters")]
    for _ in range(3):
        some = scene.random.sample(topics, len(topics) // 2)
        moved = await asyncio.gather(
            *(
                scene.streams.shuffle(topic, scene.random.uniform(0.3, 1.5), scene.random)
                for topic in some
            )
        )
        scene.injected += sum(moved)


async def poison(scene: Scene) -> None:
    """Messages that can never succeed, on every topic, among good ones"""
    await scene.processes_run()
    for topic in await scene.streams.topics():
        services = [group["name"].decode() for group in await scene.streams.groups(topic)]
        if topic.endswith("-dead-letters") or not services:
            continue
        before = await letters.count(scene.parts.file.apps)
        await scene.streams.add(topic, _poison(scene, topic))
        added, scene.injected = time.monotonic(), scene.injected + 1
        scene.poisons += len(services)

        async def kept(before: int = before, more: int = len(services)) -> bool:
            return await letters.count(scene.parts.file.apps) >= before + more

        try:
            await until(f"the poison of {topic} is dead-lettered", kept, 10)
        except Overdue as overdue:
            scene.wrong.append(str(overdue))
            continue
        took = time.monotonic() - added
        if took > POISON_SECONDS:
            scene.wrong.append(f"the poison of {topic} took {took:.1f} s to its dead letters")
    await scene.load.all_accepted()
    await scene.load.all_ended(60)
    if scene.load.slowest_seconds > DELAY_SECONDS:
        scene.wrong.append(f"a process took {scene.load.slowest_seconds:.1f} s among poisons")


async def slow_handler(scene: Scene) -> None:
    """Some handlers are slower than the broker's redelivery, or than the caller waits"""
    pubsub = "pubsub/redis/pubsub.yaml"
    async with AsyncExitStack() as changes:
        folder = changes.enter_context(
            components.changed(pubsub, "processingTimeout", f"{REDELIVERY_SECONDS}s")
        )
        for service in scene.participants:
            sidecar = scene.parts.sidecars[service]
            command = components.with_folder(sidecar.command, folder)
            await changes.enter_async_context(changed(sidecar, command))
            await changes.enter_async_context(
                scene.altered(service, "slow-handlers", nth=5, seconds=SLOW_SECONDS)
            )
        initiator = scene.parts.apps[scene.initiator]
        impatient = {"HANDLER_TIMEOUT_SECONDS": str(REDELIVERY_SECONDS)}
        await changes.enter_async_context(changed(initiator, initiator.command, impatient))
        await scene.load.all_accepted()
        await scene.load.all_ended(90)


async def lost_reply(scene: Scene) -> None:
    """A step is done, and the first reply to each that does it is lost"""
    saga = scene.declared.saga
    own = [step for step in saga.steps if step.at in scene.participants]
    # Of the steps that have some before them: what these did must stay, or be undone.
    step = own[len(own) // 2]
    topics = leading_to(saga, step.at, step.command)
    async with scene.altered(step.at, "lose-replies", topics=topics):
        await scene.load.all_accepted()
        await scene.load.all_ended(90)


def _poison(scene: Scene, topic: str) -> bytes:
    envelope = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "faults",
        "type": f"{topic}.v1",
        "time": "2026-01-01T00:00:00Z",
        "data": {},
    }
    unknown = {**envelope, "type": f"{topic}.v99"}
    no_json = f"neither JSON nor text: {uuid4()}".encode() + bytes([0, 255])
    readable = [json.dumps(each).encode() for each in (envelope, unknown)]
    return scene.random.choice([*readable, no_json])
