"""Request bodies: how many bytes of them are held at once, and how long one may take to arrive."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.budget import WAIT_SECONDS, ByteBudget
from chassis.errors import Busy
from chassis.guard import DeliveryRoute, SidecarRoute

#: Bytes of the bodies under way: four of the largest, two hundred of fifty lines each.
MAX_HELD = 1024 * 1024
#: Until a body must be here in full; a client that sends it slowly holds what others wait for.
BODY_SECONDS = 15.0


class Bodies:
    """Holds a body back until there is room for it; the answer is 503 if there is none.

    What the sidecar sends has room of its own. Deliveries of events are not held here, but where
    they are read: see `chassis.deliveries`.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        *,
        room_seconds: float = WAIT_SECONDS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds
        self._of_anyone = ByteBudget(MAX_HELD, wait_seconds=room_seconds)
        self._of_the_sidecar = ByteBudget(MAX_HELD, wait_seconds=room_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = _size(scope) if scope["type"] == "http" else 0
        if not size:
            await self._app(scope, receive, send)
            return
        async with AsyncExitStack() as held:
            await self._app(scope, self._in_its_turn(scope, receive, size, held), send)

    def _in_its_turn(
        self, scope: Scope, receive: Receive, size: int, held: AsyncExitStack
    ) -> Receive:
        """The body, which waits when it is asked for: by then its route is known, and admits it."""
        begun: Receive | None = None

        async def receive_in_its_turn() -> Message:
            nonlocal begun
            if begun is None:
                begun = await self._begin(scope.get("route"), receive, size, held)
            return await begun()

        return receive_in_its_turn

    async def _begin(
        self, route: object, receive: Receive, size: int, held: AsyncExitStack
    ) -> Receive:
        if isinstance(route, DeliveryRoute):
            return receive
        budget = self._of_the_sidecar if isinstance(route, SidecarRoute) else self._of_anyone
        try:
            await held.enter_async_context(budget.hold(min(size, self._max_body_bytes)))
        except Busy as error:
            # FastAPI makes a 400 of another exception while it reads a body.
            raise HTTPException(503, f"try again: {error}", {"retry-after": "1"}) from error
        return in_time(receive, self._body_seconds)


def in_time(receive: Receive, seconds: float) -> Receive:
    """The same body, or 408 if it is not here in full by then."""
    deadline = asyncio.get_running_loop().time() + seconds
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        try:
            # After the body, what comes is the client's disconnect, some time.
            async with asyncio.timeout_at(None if complete else deadline):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"the body took longer than {seconds:.0f} s") from error
        complete = not message.get("more_body", False)
        return message

    return receive_in_time


def _size(scope: Scope) -> int:
    """As far as the client says; without a length, as much as a body may have."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        return int(length)
    return 2**31 if b"transfer-encoding" in headers else 0
