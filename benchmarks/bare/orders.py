from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from chain import Order, Record, load, publish, service
from fastapi import HTTPException, Request


def reached(step: str) -> Record:
    """A key for each step: without ETags, two steps of one order would overwrite each other."""

    def record(order: Order) -> tuple[str, Any]:
        ended_at = datetime.now(UTC).isoformat()
        return f"{step}-{order['order_id']}", {
            "placed_at": order["placed_at"],
            "ended_at": ended_at,
        }

    return record


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
    found = await load(f"shipment-dispatched-{order_id}")
    if found is None:
        raise HTTPException(404)
    return found
