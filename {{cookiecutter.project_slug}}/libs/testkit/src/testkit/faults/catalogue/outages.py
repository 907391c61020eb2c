"""Something that all depend on is away for a while."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

from testkit.faults.parts import Part
from testkit.faults.scene import Scene, changed
from workspace.daprfile import ROOT

AWAY_SECONDS = 20
RESTART_SECONDS = 3
LOCKED_SECONDS = 30
#: How long a writer of the store may keep us from locking it.
LOCK_SECONDS = 10
#: A sidecar that goes back to how it was must have nothing in work any more.
SETTLE_SECONDS = 120
DRAIN = "--dapr-block-shutdown-duration=5s"


async def app_away(scene: Scene) -> None:
    """A participant is killed and away for 20 s"""
    await scene.processes_run()
    app = scene.parts.apps[scene.random.choice(scene.participants)]
    await app.kill()
    scene.injected += 1
    await asyncio.sleep(AWAY_SECONDS)
    await app.restart()


async def broker_killed(scene: Scene) -> None:
    """The broker is killed, and starts again with its data after 3 s"""
    await _all_killed(scene, scene.parts.broker)


async def store_locked(scene: Scene) -> None:
    """The database of every service is locked by another process for 30 s"""
    await scene.processes_run()
    databases = sorted((ROOT / "data").glob("*.db"))
    with ExitStack() as locks:
        for database in databases:
            connection = await asyncio.to_thread(_lock, database)
            locks.enter_context(closing(connection))
            scene.injected += 1
        await asyncio.sleep(LOCKED_SECONDS)


async def control_plane_killed(scene: Scene) -> None:
    """Placement and scheduler are killed, and start again after 3 s"""
    await _all_killed(scene, scene.parts.placement, scene.parts.scheduler)


async def rolling_restart(scene: Scene) -> None:
    """SIGTERM for every sidecar and then its service, one after the other"""
    async with AsyncExitStack() as draining:
        for sidecar in scene.parts.sidecars.values():
            # `dapr run` cannot ask for it, deployments do: finish first what is in work.
            command = [*sidecar.command, DRAIN]
            await draining.enter_async_context(changed(sidecar, command))
        await scene.processes_run(part=0.1)
        for service, app in scene.parts.apps.items():
            sidecar = scene.parts.sidecars[service]
            await sidecar.stop()
            sidecar.start([*sidecar.command, DRAIN])
            await sidecar.ready()
            await app.stop()
            await app.restart()
            scene.injected += 2
        await scene.load.all_accepted()
        await scene.load.all_ended(SETTLE_SECONDS)


async def _all_killed(scene: Scene, *parts: Part | None) -> None:
    await scene.processes_run()
    ours = [part for part in parts if part is not None]
    for part in ours:
        await part.kill()
        scene.injected += 1
    await asyncio.sleep(RESTART_SECONDS)
    for part in ours:
        await part.restart()


def _lock(database: Path) -> sqlite3.Connection:
    # Closed by another thread than this one.
    connection = sqlite3.connect(
        database, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("BEGIN EXCLUSIVE")
    return connection
