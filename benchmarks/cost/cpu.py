"""The CPU of the stack of this workspace, by its parts."""

import json
from collections import Counter
from pathlib import Path

import psutil

#: The port of orders.
ORDERS = "8001"


def used() -> Counter[str]:
    """Seconds of each part of the stack until now."""
    used: Counter[str] = Counter()
    for started in json.loads(Path(".run/processes.json").read_text()):
        leader = psutil.Process(started["pid"])
        for process in (leader, *leader.children(recursive=True)):
            times = process.cpu_times()
            used[_part(started["name"], process.cmdline())] += times.user + times.system
    return used


def _part(name: str, command: list[str]) -> str:
    if "--app-id" in command:
        of_orders = command[command.index("--app-id") + 1] == "orders"
        return "daprd of orders" if of_orders else "daprd of participants"
    if "--port" in command and any(each.endswith(":app") for each in command):
        return "orders" if command[command.index("--port") + 1] == ORDERS else "participants"
    return name


def per_order(before: Counter[str], after: Counter[str], orders: int) -> dict[str, float]:
    """In milliseconds."""
    return {part: 1000 * (after[part] - before[part]) / orders for part in after}
