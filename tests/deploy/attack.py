"""The doors that a sidecar that was taken over tries, and how each is shut."""

import json
from pathlib import Path
from typing import Any

from tests.deploy.containers import Container

INTRUDER = Path(__file__).parent / "intruder.py"
INVOKE = "http://127.0.0.1:3504/v1.0/invoke"

#: Of shipping, which may ask for nothing: see components/access-control.yaml.
DOORS = {
    # Its token is of no use at another sidecar, neither for its topics nor for its state.
    "publish as orders": ("http", "POST", "http://orders-dapr:3501/v1.0/publish/pubsub/x"),
    "read the state of payments": (
        "http",
        "GET",
        "http://payments-dapr:3503/v1.0/state/statestore/x",
    ),
    # Over its own sidecar it is shipping, and the policy of the other one refuses that.
    "invoke a command": ("http", "POST", f"{INVOKE}/inventory/method/commands/reserve-stock"),
    "read dead letters": ("http", "GET", f"{INVOKE}/orders/method/dead-letters"),
    # Past its own sidecar it has no certificate to show.
    "call orders without TLS": ("plain", "orders-dapr", 50002, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "call orders without a certificate": ("tls", "orders-dapr", 50002),
    "ask placement": ("tls", "placement", 50005),
    "ask the scheduler": ("tls", "scheduler", 50006),
    "publish at the broker": ("plain", "broker", 6379, "XADD x * a b\r\n"),
}

REFUSED = "refused: certificate required"
SHUT = {
    "publish as orders": 401,
    "read the state of payments": 401,
    "invoke a command": 403,
    "read dead letters": 403,
    "call orders without TLS": "",
    "call orders without a certificate": REFUSED,
    "ask placement": REFUSED,
    "ask the scheduler": REFUSED,
    "publish at the broker": "-NOAUTH Authentication required.\r\n",
}


def tried(sidecar: Container, doors: dict[str, Any]) -> dict[str, Any]:
    """What it found at each."""
    said = sidecar.run("python3", "-c", INTRUDER.read_text(), given=json.dumps(doors))
    found: dict[str, Any] = json.loads(said)
    return found
