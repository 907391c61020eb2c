"""What the HTTP API of a service needs from the chassis, as FastAPI dependencies."""

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Header, HTTPException, Request

from chassis.service import Service


async def _running(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _idempotency_key(
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
    return key


#: The service that this request reached.
Running = Annotated[Service, Depends(_running)]
#: The header of draft-ietf-httpapi-idempotency-key-header, or a key for this request alone.
IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
