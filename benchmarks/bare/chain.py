"""What the services of the bare chain share: for each message a read, a transaction and a publish.

Nothing is validated, no message is remembered, failures are not distinguished, and no ETag is
asked for.
"""

import asyncio
import json
import os
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import grpc.aio
from dapr.proto import api_service_v1, api_v1, common_v1
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

Order = dict[str, Any]
#: The keys of the state that an order's step reads and writes.
Keys = Callable[[Order], list[str]]

BULK = {
    "enabled": os.environ.get("BULK_DELIVERY", "true") == "true",
    "maxMessagesCount": 100,
    "maxAwaitDurationMs": 5,
}
#: All messages of a delivery share one read, one transaction and one publish, as in the workspace.
IN_GROUPS = os.environ.get("BARE_IN_GROUPS") == "true"


@cache
def sidecar() -> Any:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{os.environ['DAPR_GRPC_PORT']}")
    return api_service_v1.DaprStub(channel)


async def store(values: dict[str, Any]) -> None:
    operations = [
        api_v1.TransactionalStateOperation(
            operationType="upsert",
            request=common_v1.StateItem(key=key, value=json.dumps(value).encode()),
        )
        for key, value in values.items()
    ]
    request = api_v1.ExecuteStateTransactionRequest(storeName="statestore", operations=operations)
    await sidecar().ExecuteStateTransaction(request)


async def load(keys: list[str]) -> dict[str, Any]:
    """What there is under these keys."""
    request = api_v1.GetBulkStateRequest(store_name="statestore", keys=keys, parallelism=10)
    items = (await sidecar().GetBulkState(request)).items
    return {item.key: json.loads(item.data) for item in items if item.data}


async def publish(topic: str, orders: list[Order]) -> None:
    entries = [
        api_v1.BulkPublishRequestEntry(
            entry_id=str(position),
            event=json.dumps(order).encode(),
            content_type="application/json",
            metadata={"rawPayload": "true", "partitionKey": order["order_id"]},
        )
        for position, order in enumerate(orders)
    ]
    request = api_v1.BulkPublishRequest(
        pubsub_name="pubsub", topic=topic, entries=entries, metadata={"rawPayload": "true"}
    )
    reply = await sidecar().BulkPublishEvent(request)
    assert not reply.failedEntries


def service(steps: dict[str, tuple[Keys, str | None]]) -> FastAPI:
    """For each topic that it takes: the state of its step, and where to send the order on."""
    app = FastAPI()

    @app.get("/healthz")
    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/dapr/subscribe")
    async def subscriptions() -> list[dict[str, Any]]:
        return [
            {
                "pubsubname": "pubsub",
                "topic": topic,
                "route": f"/events/{topic}",
                "metadata": {"rawPayload": "true"},
                "bulkSubscribe": BULK,
            }
            for topic in steps
        ]

    for topic, (keys, onward) in steps.items():
        app.add_route(f"/events/{topic}", _step(keys, onward), methods=["POST"])
    return app


def _step(keys: Keys, onward: str | None) -> Callable[[Request], Any]:
    async def deliver(request: Request) -> JSONResponse:
        delivery = json.loads(await request.body())
        if "entries" not in delivery:
            await bring_on([delivery["data_base64"]])
            return JSONResponse({"status": "SUCCESS"})
        entries = delivery["entries"]
        messages = [entry["event"] for entry in entries]
        groups = [messages] if IN_GROUPS else [[message] for message in messages]
        await asyncio.gather(*(bring_on(group) for group in groups))
        done = [{"entryId": entry["entryId"], "status": "SUCCESS"} for entry in entries]
        return JSONResponse({"statuses": done})

    async def bring_on(messages: list[str]) -> None:
        orders = [json.loads(b64decode(message)) for message in messages]
        state = await load([key for order in orders for key in keys(order)])
        for order in orders:
            for key in keys(order):
                known = state.get(key, {"orders": 0})
                state[key] = {
                    "orders": known["orders"] + 1,
                    "placed_at": order["placed_at"],
                    "ended_at": datetime.now(UTC).isoformat(),
                }
        await store(state)
        if onward:
            await publish(onward, orders)

    return deliver
