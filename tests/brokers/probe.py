"""A service for the conformance suite, in the workspace's environment: it writes down what it gets.

`PROBE_LOG` names the file: a line for each message that was handled, `key number size`.
`PROBE_KEYS` is how the keys of the messages begin that concern it.
"""

import asyncio
import os
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from chassis import Handlers, Rejected, Service, ServiceSettings, Transaction, Unavailable

LOG = Path(os.environ["PROBE_LOG"])

events = Handlers()


class Note(BaseModel):
    version: ClassVar[int] = 1

    key: str
    number: int
    text: str = ""
    then: str = "handle"

    @property
    def subject(self) -> str:
        return self.key


@events.on(Note)
async def handle(note: Note, tx: Transaction) -> None:
    if not note.key.startswith(os.environ["PROBE_KEYS"]):
        # A new group of some brokers gets what other tests left behind, too.
        return
    if note.then == "drop":
        raise Rejected("asked to fail for good")
    if note.then == "hang":
        await asyncio.Event().wait()
    if note.then == "retry":
        raise Unavailable("asked to fail for now")
    if note.then == "count":
        # One key for all messages.
        tx.put("total", (await tx.get("total", int) or 0) + 1)
        return
    seen = await tx.get(f"seen:{note.number}", int)
    tx.put(f"seen:{note.number}", (seen or 0) + 1)
    if note.then == "stall":
        # The test kills this process meanwhile; nothing is committed.
        LOG.with_suffix(".stalled").touch()
        await asyncio.sleep(0 if LOG.with_suffix(".killed").exists() else 3600)
    with LOG.open("a") as log:
        log.write(f"{note.key} {note.number} {len(note.text)}\n")


service = Service(ServiceSettings(app_id=os.environ["APP_ID"]), title="Probe")
service.subscribe(events)
app = service.app
