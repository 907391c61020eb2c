"""What a service cannot handle is kept with its cause, delays nobody, and can be handled later."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.deadletters import letter_id
from tests.demo.client import Client
from tests.demo.mix import Kind, Plan
from tests.system.orders.orders_of import ended
from tests.system.sidecars import Sidecar
from workspace.calls import Failure
from workspace.daprfile import ROOT, DaprFile
from workspace.deadletters.client import DeadLetters
from workspace.deadletters.letter import Letter

PROGRAM = Path(sys.executable).with_name("workspace")
DAMAGED = "not a stock record"
REPAIRED = {"received": 100, "reserved": 0}


async def arrived(workspace: DaprFile, service: str, subject: str) -> Letter:
    """The letter about this order; fails the test if it is not there within a second."""
    with DeadLetters(workspace.apps) as dead_letters:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            for letter in await asyncio.to_thread(lambda: list(dead_letters.letters(service))):
                if letter.content["subject"] == subject:
                    return letter
            await asyncio.sleep(0.05)
    raise AssertionError(f"{service} has no dead letter about {subject}")


async def unreadable(workspace: DaprFile, service: str, text: str, count: int) -> list[str]:
    """Messages that are no CloudEvents and hold the text, once so many are kept, or 5 s later."""

    def kept(dead_letters: DeadLetters) -> list[str]:
        letters = [x for x in dead_letters.letters(service) if x.content["event_id"] is None]
        payloads = [dead_letters.show(letter)["payload"] for letter in letters]
        return [payload for payload in payloads if text in payload]

    with DeadLetters(workspace.apps) as dead_letters:
        deadline = time.monotonic() + 5
        while len(found := await asyncio.to_thread(kept, dead_letters)) < count:
            if time.monotonic() > deadline:
                break
        return found


def order_for(sku: str, key: str) -> Plan:
    body = {
        "style": "choreography",
        "customer": "ada",
        "card": f"card-{key}",
        "country": "NL",
        "lines": [{"sku": sku, "quantity": 2, "unit_price_cents": 100}],
    }
    return Plan(key, Kind.GOOD, "choreography", body)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "dead-letters", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={"COLUMNS": "250", "PATH": "/usr/bin:/bin"},
    )


async def damage(workspace: DaprFile, sku: str, stock: Any = DAMAGED) -> None:
    async with Sidecar(workspace.apps["inventory"]) as sidecar:
        await sidecar.put_state(f"stock:{sku}", stock)


async def test_poison_is_listed_within_a_second_with_its_cause_and_delays_nobody(
    client: Client, workspace: DaprFile, run: str
) -> None:
    good = f"{run}-GOOD"
    await client.receive_stock(good, 10)
    await damage(workspace, run)
    poisoned = await client.place(order_for(run, f"{run}-1"))
    began = time.monotonic()
    order = await ended(client, await client.place(order_for(good, f"{run}-2")))

    assert order["state"] == "confirmed"
    assert time.monotonic() - began < 2
    letter = (await arrived(workspace, "inventory", poisoned)).content
    assert (letter["topic"], letter["kind"]) == ("order-placed", "retrying")
    assert letter["attempts"] == 1
    assert "ValidationError" in letter["cause"]


async def test_poison_and_text_that_is_no_json_in_one_bulk_leave_the_sidecar_alive(
    client: Client, workspace: DaprFile, run: str
) -> None:
    async with Sidecar(workspace.apps["orders"]) as sidecar:
        poison = {
            "specversion": "1.0",
            "source": "test",
            "type": "order-placed.v99",
            "subject": run,
            "time": "2030-01-01T00:00:00Z",
            "data": {},
        }
        sent: Sequence[Any] = await asyncio.gather(
            *(sidecar.publish("order-placed", poison | {"id": str(uuid4())}) for _ in range(20)),
            *(sidecar.publish_raw("order-placed", f"<{run} {n}>".encode()) for n in range(20)),
        )
    assert {response.status_code for response in sent} == {204}
    letter = await arrived(workspace, "inventory", run)
    assert "order-placed.v99" in letter.content["cause"]
    assert await client.get("inventory", "/readyz") == {"status": "ready"}
    assert len(await unreadable(workspace, "inventory", run, 20)) == 20


async def test_a_message_that_json_makes_larger_than_a_sidecar_takes_is_listed(
    client: Client, workspace: DaprFile, run: str
) -> None:
    raw = run.encode() + b"\x01" * 700_000
    async with Sidecar(workspace.apps["orders"]) as sidecar:
        assert (await sidecar.publish_raw("order-placed", raw)).status_code == 204

    def listed() -> bool:
        return str(letter_id(raw))[:13] in command("list", "--service", "inventory").stdout

    async with asyncio.timeout(10):
        while not await asyncio.to_thread(listed):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_fails_for_an_unknown_reason_is_tried_again_and_needs_nobody(
    client: Client, workspace: DaprFile, run: str
) -> None:
    await damage(workspace, run)
    order_id = await client.place(order_for(run, run))
    await arrived(workspace, "inventory", order_id)
    await damage(workspace, run, REPAIRED)

    assert (await ended(client, order_id))["state"] == "confirmed"
    with DeadLetters(workspace.apps) as dead_letters:
        assert order_id not in [x.content["subject"] for x in dead_letters.letters("inventory")]


async def test_a_replay_after_the_cause_is_gone_works_and_works_once(
    client: Client, workspace: DaprFile, run: str
) -> None:
    await damage(workspace, run)
    order_id = await client.place(order_for(run, run))
    letter = await arrived(workspace, "inventory", order_id)

    with DeadLetters(workspace.apps) as dead_letters:
        with pytest.raises(Failure, match="422: it failed again: ValidationError"):
            dead_letters.replay(letter)
        shown = dead_letters.show(letter)
        assert (shown["attempts"], shown["kind"]) == (2, "unknown")
        await damage(workspace, run, REPAIRED)
        dead_letters.replay(letter)
        order = await ended(client, order_id)
        with pytest.raises(Failure, match="404"):
            dead_letters.replay(letter)

    assert order["state"] == "confirmed"
    assert await client.get("inventory", f"/stock/{run}") == {"received": 100, "reserved": 2}


async def test_a_replay_that_is_interrupted_loses_nothing(
    client: Client, workspace: DaprFile, run: str
) -> None:
    await damage(workspace, run)
    orders = [await client.place(order_for(run, f"{run}-{n}")) for n in range(20)]
    for order_id in orders:
        await arrived(workspace, "inventory", order_id)
    # In vain: from now on they are left to whoever replays them.
    assert command("replay", "--all", "--service", "inventory").returncode == 1
    await damage(workspace, run, REPAIRED)

    replay = ("dead-letters", "replay", "--all", "--service", "inventory")
    interrupted = await asyncio.create_subprocess_exec(
        PROGRAM, *replay, cwd=ROOT, stdout=subprocess.PIPE
    )
    assert interrupted.stdout is not None
    while line := await interrupted.stdout.readline():
        if b"replayed inventory" in line:
            break
    interrupted.kill()
    await interrupted.wait()
    with DeadLetters(workspace.apps) as dead_letters:
        left = [x for x in dead_letters.letters("inventory") if x.content["subject"] in orders]
    assert 0 < len(left) < len(orders)

    command("replay", "--all", "--service", "inventory")
    states = [(await ended(client, order_id))["state"] for order_id in orders]
    assert states == ["confirmed"] * len(orders)
    assert await client.get("inventory", f"/stock/{run}") == {"received": 100, "reserved": 40}


async def test_a_letter_is_discarded_for_a_reason_and_the_reason_stays(
    client: Client, workspace: DaprFile, run: str
) -> None:
    await damage(workspace, run)
    letter = await arrived(workspace, "inventory", await client.place(order_for(run, run)))

    listed = command("list").stdout
    assert letter.id[:13] in listed
    assert re.search(r"ValidationError", listed)
    assert "--reason" in command("discard", letter.id).stderr
    assert "422" in command("discard", letter.id, "--reason", " ").stderr
    assert command("discard", letter.id, "--reason", "a test").returncode == 0
    again = command("discard", letter.id, "--reason", "a test")
    assert (again.returncode, "no dead letter" in again.stderr) == (1, True)
    with DeadLetters(workspace.apps) as dead_letters, pytest.raises(Failure, match=r"410.*a test"):
        dead_letters.show(letter)
