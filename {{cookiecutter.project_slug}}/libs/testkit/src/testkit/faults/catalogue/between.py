"""Somebody stands between services and sidecars, and answers in their place."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from testkit.faults.scene import Scene, changed

#: Of a call between the caller and its sidecar, and between the other sidecar and its app.
CALLS, COMMANDS = "/v1.0/invoke/=401,403,404", "/commands/=401,403,404"
#: Not 404: daprd 1.18 takes it for done, and a whole bulk of messages would be gone.
DELIVERIES = "/events/=401,403"
#: Of the requests, at each of two proxies. With more, a step is not carried out within the two
#: minutes that a workflow waits for it.
SHARE = 0.15


async def refused_in_between(scene: Scene) -> None:
    """Proxies answer calls with 401, 403 and 404, deliveries with 401 and 403, before and after"""
    initiator = scene.parts.apps[scene.initiator]
    async with proxies(scene) as through, changed(initiator, initiator.command, through):
        await scene.load.all_accepted()
        await scene.load.all_ended(90)


@asynccontextmanager
async def proxies(scene: Scene, share: float = SHARE) -> AsyncIterator[Mapping[str, str]]:
    """Between each sidecar and its app. Yields how the initiator finds its sidecar's own."""
    async with AsyncExitStack() as between:
        for service, app in scene.parts.file.apps.items():
            sidecar = scene.parts.sidecars[service]
            port = await between.enter_async_context(
                scene.proxy(service, app.app_port, share, COMMANDS, DELIVERIES)
            )
            command = list(sidecar.command)
            command[command.index("--app-port") + 1] = str(port)
            await between.enter_async_context(changed(sidecar, command))
        http_port = scene.parts.file.apps[scene.initiator].http_port
        port = await between.enter_async_context(
            scene.proxy("the-sidecar-of-the-initiator", http_port, share, CALLS)
        )
        yield {"DAPR_HTTP_PORT": str(port)}
