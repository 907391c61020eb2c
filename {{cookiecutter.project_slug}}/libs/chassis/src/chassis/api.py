"""What the HTTP API of a service needs from the chassis, as FastAPI dependencies."""

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, Header, HTTPException, Request

from chassis.callers import Identity
from chassis.cloudevents import derived_id
from chassis.guard import CALLER
from chassis.service import Service


async def _running(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _caller(request: Request) -> Identity:
    """Raises `KeyError` for a route that is not a `ClientRoute`: nobody has asked who calls."""
    caller: Identity = request.scope[CALLER]
    return caller


#: Who calls: `ANYONE` where there is no issuer.
Caller = Annotated[Identity, Depends(_caller)]


def needs(scope: str) -> Any:
    """A dependency of routes that only callers with this scope may use."""

    async def check(caller: Caller) -> None:
        if caller.is_known and scope not in caller.scopes:
            raise HTTPException(403, f"the caller's token has not the scope {scope!r}")

    return Depends(check)


async def _idempotency_key(
    caller: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[ -~]+$",
            description="The same key and body get the same answer; the same key with another "
            "body gets 422. Without a key, each request is a new one.",
        ),
    ] = None,
) -> str:
    if idempotency_key is None:
        return str(uuid4())
    # The draft makes it a structured string, in quotes; many clients leave them out.
    key = idempotency_key.strip('"')
    if not key.strip():
        # Every client that sends an empty key would share one.
        raise HTTPException(422, "header.idempotency-key: it is empty: send a key, or no header")
    # Two callers with one key have two requests.
    return derived_id(caller.id, key) if caller.is_known else key


#: The service that this request reached.
Running = Annotated[Service, Depends(_running)]
#: The header of draft-ietf-httpapi-idempotency-key-header, or a key for this request alone.
IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
#: Nobody can guess it. A key that was used before has the id that was accepted with it: it is
#: recorded with the key, see `chassis.processes.begin`.
NewId = Annotated[UUID, Depends(uuid4)]
