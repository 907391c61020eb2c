import json
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dapr.clients import DaprClient
from dapr.ext.fastapi import DaprApp
from fastapi import Body, FastAPI, HTTPException

logging.basicConfig(level=logging.INFO)
app = FastAPI()
dapr_app = DaprApp(app)


@app.get("/healthz")
@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/orders", status_code=202)
def place(order: Any = Body()) -> dict[str, str]:  # noqa: B008
    order_id = str(uuid4())
    event = {**order, "order_id": order_id, "placed_at": datetime.now(UTC).isoformat()}
    with DaprClient() as client:
        client.publish_event(
            "pubsub", "order-placed", json.dumps(event), data_content_type="application/json"
        )
    return {"order_id": order_id}


@app.get("/orders/{order_id}")
def show(order_id: str) -> Any:
    with DaprClient() as client:
        found = client.get_state("statestore", f"shipment-dispatched-{order_id}").data
    if not found:
        raise HTTPException(404)
    return json.loads(found)


def follow(event: Any, step: str) -> None:
    order = event["data"]
    # A key for each step: without ETags, two steps of one order would overwrite each other.
    key = f"{step}-{order['order_id']}"
    with DaprClient() as client:
        found = client.get_state("statestore", key).data
        state = json.loads(found) if found else {"placed_at": order["placed_at"]}
        state["ended_at"] = datetime.now(UTC).isoformat()
        client.save_state("statestore", key, json.dumps(state))
        if step == "shipment-dispatched":
            client.publish_event(
                "pubsub", "order-confirmed", json.dumps(order), data_content_type="application/json"
            )
    logging.info("handled %s of %s", step, order["order_id"])


@dapr_app.subscribe(pubsub="pubsub", topic="order-placed")
def placed(event: Any = Body()) -> dict[str, bool]:  # noqa: B008
    follow(event, "order-placed")
    return {"success": True}


@dapr_app.subscribe(pubsub="pubsub", topic="stock-reserved")
def reserved(event: Any = Body()) -> dict[str, bool]:  # noqa: B008
    follow(event, "stock-reserved")
    return {"success": True}


@dapr_app.subscribe(pubsub="pubsub", topic="payment-captured")
def captured(event: Any = Body()) -> dict[str, bool]:  # noqa: B008
    follow(event, "payment-captured")
    return {"success": True}


@dapr_app.subscribe(pubsub="pubsub", topic="shipment-dispatched")
def dispatched(event: Any = Body()) -> dict[str, bool]:  # noqa: B008
    follow(event, "shipment-dispatched")
    return {"success": True}
