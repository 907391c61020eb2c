from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from chain import Keys, load, publish, service
from fastapi import HTTPException, Request


def reached(step: str) -> Keys:
    """A key for each step: without ETags, two steps of one order would overwrite each other."""
    return lambda order: [f"{step}-{order['order_id']}"]


app = service(
    {
        "order-placed": (reached("order-placed"), None),
        "stock-reserved": (reached("stock-reserved"), None),
        "payment-captured": (reached("payment-captured"), None),
        "shipment-dispatched": (reached("shipment-dispatched"), "order-confirmed"),
    }
)


@app.post("/orders", status_code=202)
async def place(request: Request) -> dict[str, str]:
    order_id = str(uuid4())
    order = await request.json()
    placed = {**order, "order_id": order_id, "placed_at": datetime.now(UTC).isoformat()}
    await publish("order-placed", [placed])
    return {"order_id": order_id}


@app.get("/orders/{order_id}")
async def show(order_id: str) -> Any:
    key = f"shipment-dispatched-{order_id}"
    found = await load([key])
    if not found:
        raise HTTPException(404)
    return found[key]
