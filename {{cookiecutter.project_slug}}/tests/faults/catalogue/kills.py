"""kill -9, at a point where it hurts."""

import asyncio

from tests.faults.scene import Crash, Scene

PARTICIPANTS = ("inventory", "payments", "shipping")
COMMITTED = ("kill-after-commit", "kill-before-acknowledgement")
COMPENSATIONS = {
    "payments": ("refund-payment", "shipment-failed"),
    "inventory": ("release-stock", "payment-declined", "payment-refunded"),
}


async def participant_killed(scene: Scene) -> None:
    """Each participant is killed once after a commit, before the acknowledgement"""
    random = scene.random
    await scene.crash(
        *(Crash(each, random.choice(COMMITTED), random.randint(1, 4)) for each in PARTICIPANTS)
    )


async def orders_killed(scene: Scene) -> None:
    """The orders service is killed twice after a commit, before it publishes"""
    for part in (0.5, 1.0):
        crash = Crash("orders", "kill-after-commit", scene.random.randint(1, 8))
        await scene.crash(crash, part=part)


async def host_killed(scene: Scene) -> None:
    """The host of the workflows is killed twice in the middle of an activity, or of a handler"""
    at = "kill-in-activity" if scene.style == "orchestration" else "kill-in-handler"
    for part in (0.5, 1.0):
        await scene.crash(Crash("orders", at, scene.random.randint(1, 8)), part=part)


async def compensation_killed(scene: Scene) -> None:
    """Payments and inventory are killed while they undo a step, after the commit"""
    await scene.crash(
        *(
            Crash(service, scene.random.choice(COMMITTED), topics=topics)
            for service, topics in COMPENSATIONS.items()
        )
    )


async def sidecar_killed(scene: Scene) -> None:
    """Two sidecars are killed while their apps live on, and start again after 2 s"""
    for service in (scene.random.choice(PARTICIPANTS), "orders"):
        await scene.orders_flow()
        sidecar = scene.parts.sidecars[service]
        await sidecar.kill()
        scene.injected += 1
        await asyncio.sleep(2)
        await sidecar.restart()
