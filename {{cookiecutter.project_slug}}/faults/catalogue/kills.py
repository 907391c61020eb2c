"""kill -9, at a point where it hurts."""

import asyncio

from faults.scene import Scene

PARTICIPANTS = ("inventory", "payments", "shipping")
COMPENSATIONS = {
    "payments": ("refund-payment", "shipment-failed"),
    "inventory": ("release-stock", "payment-declined", "payment-refunded"),
}


async def participant_killed(scene: Scene) -> None:
    """Each participant is killed once after a commit, before the acknowledgement"""
    for service in PARTICIPANTS:
        alteration = scene.random.choice(("kill-after-commit", "kill-before-acknowledgement"))
        await scene.crash(service, alteration, nth=scene.random.randint(1, 3))


async def orders_killed(scene: Scene) -> None:
    """The orders service is killed twice after a commit, before it publishes"""
    for _ in range(2):
        await scene.crash("orders", "kill-after-commit", nth=scene.random.randint(1, 8))


async def host_killed(scene: Scene) -> None:
    """The host of the workflows is killed twice in the middle of an activity, or of a handler"""
    alteration = "kill-in-handler" if scene.style == "choreography" else "kill-in-activity"
    for _ in range(2):
        await scene.crash("orders", alteration, nth=scene.random.randint(1, 8))


async def compensation_killed(scene: Scene) -> None:
    """Payments and inventory are killed while they undo a step, after the commit"""
    for service, topics in COMPENSATIONS.items():
        alteration = scene.random.choice(("kill-after-commit", "kill-before-acknowledgement"))
        await scene.crash(service, alteration, topics=topics)


async def sidecar_killed(scene: Scene) -> None:
    """Two sidecars are killed while their apps live on, and start again after 2 s"""
    for service in (scene.random.choice(PARTICIPANTS), "orders"):
        await scene.orders_flow()
        sidecar = scene.parts.sidecars[service]
        await sidecar.kill()
        scene.injected += 1
        await asyncio.sleep(2)
        await sidecar.restart()
