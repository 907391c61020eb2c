"""kill -9, at a point where it hurts."""

import asyncio

from chassis.messages import Message, name_of, topic_of
from chassis.saga import Saga, Style
from chassis.saga.wiring import reactions
from testkit.faults.scene import Crash, Scene

COMMITTED = ("kill-after-commit", "kill-before-acknowledgement")


async def participant_killed(scene: Scene) -> None:
    """Each participant is killed once after a commit, before the acknowledgement"""
    random = scene.random
    await scene.crash(
        *(Crash(each, random.choice(COMMITTED), scene.nth(4)) for each in scene.participants)
    )


async def initiator_killed(scene: Scene) -> None:
    """The initiator is killed twice after a commit, before it publishes"""
    for part in (0.5, 1.0):
        crash = Crash(scene.initiator, "kill-after-commit", scene.nth(8))
        await scene.crash(crash, part=part)


async def host_killed(scene: Scene) -> None:
    """The host of the workflows is killed twice in the middle of an activity, or of a handler"""
    at = "kill-in-activity" if scene.style is Style.ORCHESTRATION else "kill-in-handler"
    for part in (0.5, 1.0):
        await scene.crash(Crash(scene.initiator, at, scene.nth(8)), part=part)


async def compensation_killed(scene: Scene) -> None:
    """Each participant that undoes a step is killed while it does, after the commit"""
    saga = scene.declared.saga
    await scene.crash(
        *(
            Crash(service, scene.random.choice(COMMITTED), topics=topics)
            for service in scene.participants
            if (topics := undoing(saga, service))
        )
    )


def undoing(saga: Saga, service: str) -> tuple[str, ...]:
    """The topics of all that lets the service undo a step, in whatever style."""
    undos = [step.undo for step in saga.steps if step.at == service and step.undo is not None]
    return leading_to(saga, service, *undos)


def leading_to(saga: Saga, service: str, *commands: type[Message]) -> tuple[str, ...]:
    """The topics of these commands, and of the events to which the service reacts with them."""
    names = {command.__name__ for command in commands}
    events = {event for event, command in reactions(saga)[service] if command in names}
    said = [each for each in (*saga.starts, *saga.replies) if name_of(each) in events]
    return tuple(sorted({topic_of(each) for each in (*commands, *said)}))


async def sidecar_killed(scene: Scene) -> None:
    """Two sidecars are killed while their apps live on, and start again after 2 s"""
    for service in (scene.random.choice(scene.participants), scene.initiator):
        await scene.processes_run()
        sidecar = scene.parts.sidecars[service]
        await sidecar.kill()
        scene.injected += 1
        await asyncio.sleep(2)
        await sidecar.restart()
