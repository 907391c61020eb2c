"""Ends a sidecar that hosts workflows no more, so that what runs it starts it again.

A worker's stream that ends while a turn of a workflow waits for it makes daprd 1.18 wait for that
turn for ever, and take no other worker meanwhile. An app that is killed under load, or restarted
beside its sidecar, does that. No workflow moves from then on, the sidecar says that it is healthy,
and only its own restart helps.
"""

import asyncio
import logging

from chassis.errors import Unavailable
from chassis.ports import Supervisor

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
#: A sidecar that is well registers a worker's workflows within milliseconds.
TIMEOUT_SECONDS = 10.0


async def watch(
    sidecar: Supervisor, *, poll: float = POLL_SECONDS, within: float = TIMEOUT_SECONDS
) -> None:
    """For as long as this service hosts workflows."""
    loop = asyncio.get_running_loop()
    well_at = loop.time()
    while True:
        await asyncio.sleep(poll)
        if await _is_well(sidecar):
            well_at = loop.time()
        elif loop.time() - well_at > within:
            log.critical(
                "for %.0f s the sidecar has not let this service host its workflows, so it is shut "
                "down: Kubernetes, Compose and Swarm start it again, after `dapr run` you must",
                within,
            )
            await _shut_down(sidecar)
            well_at = loop.time()


async def _is_well(sidecar: Supervisor) -> bool:
    try:
        types = await sidecar.actor_types()
    except Unavailable:
        # It is away: whoever runs it knows.
        return True
    return any(each.startswith("dapr.internal.") and each.endswith(".workflow") for each in types)


async def _shut_down(sidecar: Supervisor) -> None:
    try:
        await sidecar.shut_down()
    except Unavailable as error:
        log.error("the sidecar does not shut down: %s", error)
