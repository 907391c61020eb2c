"""What the participants of the quickstart share: get, save, publish, with a client an event."""

import json
import logging
from typing import Any

from dapr.clients import DaprClient
from dapr.ext.fastapi import DaprApp
from fastapi import Body, FastAPI

logging.basicConfig(level=logging.INFO)


def participant(topic: str, publishes: str) -> FastAPI:
    """A service that takes one topic, counts in its state, and publishes to the next one."""
    app = FastAPI()
    dapr_app = DaprApp(app)

    @app.get("/healthz")
    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @dapr_app.subscribe(pubsub="pubsub", topic=topic)
    def handle(event: Any = Body()) -> dict[str, bool]:  # noqa: B008
        order = event["data"]
        with DaprClient() as client:
            key = f"{topic}-{order['order_id']}"
            found = client.get_state("statestore", key).data
            state = json.loads(found) if found else {"times": 0}
            client.save_state("statestore", key, json.dumps({"times": state["times"] + 1}))
            client.publish_event(
                "pubsub", publishes, json.dumps(order), data_content_type="application/json"
            )
        logging.info("handled %s of %s", topic, order["order_id"])
        return {"success": True}

    return app
