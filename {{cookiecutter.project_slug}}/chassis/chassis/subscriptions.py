"""Messages in, over pub/sub: bulk delivery, a dead-letter topic, and a verdict for each message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Request
from pydantic import BaseModel, ValidationError

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Handlers, Step
from chassis.inbox import Destination
from chassis.logs import about
from chassis.metrics import received
from chassis.processor import Processor
from chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

Then = Callable[[CloudEvent], Awaitable[None]]

# The sidecar's answers: done; try again under the retry policy; dead-letter now.
SUCCESS, RETRY, DROP = "SUCCESS", "RETRY", "DROP"

MAX_BULK = 100
MAX_AWAIT_MS = 5


class BulkEntry(BaseModel):
    entryId: str
    event: Any = None


class BulkRequest(BaseModel):
    entries: list[BulkEntry]


class Subscriptions(DaprApp):
    """`DaprApp`, with the bulk delivery and the verdicts that it cannot ask for."""

    def __init__(self, app: FastAPI, settings: ServiceSettings, processor: Processor) -> None:
        super().__init__(app)
        self._settings = settings
        self._processor = processor

    def add(
        self, handlers: Handlers, destination: Destination | None, then: Then | None = None
    ) -> None:
        """Subscribe each handler to its topic.

        Outcomes go to the destination, or, without one, to the `replyto` of the message. What is
        to happen `then`, after the commit and before the acknowledgement, may happen again.
        """
        for step in handlers:
            route = f"/events/{step.topic}"
            self.subscribe(
                pubsub=self._settings.pubsub,
                topic=step.topic,
                route=route,
                dead_letter_topic=self._settings.dead_letter_topic,
            )(self._endpoint(step, destination, then))
            self._subscriptions[-1]["bulkSubscribe"] = {
                "enabled": True,
                "maxMessagesCount": MAX_BULK,
                "maxAwaitDurationMs": MAX_AWAIT_MS,
            }

    def _endpoint(self, step: Step, destination: Destination | None, then: Then | None) -> Any:
        async def deliver(request: Request) -> dict[str, Any]:
            bulk = BulkRequest.model_validate_json(await request.body())
            received(step.topic, "pubsub", len(bulk.entries))
            verdicts = await asyncio.gather(
                *(self._verdict(entry.event, step, destination, then) for entry in bulk.entries)
            )
            return {
                "statuses": [
                    {"entryId": entry.entryId, "status": verdict}
                    for entry, verdict in zip(bulk.entries, verdicts, strict=True)
                ]
            }

        return deliver

    async def _verdict(
        self, raw: Any, step: Step, destination: Destination | None, then: Then | None
    ) -> str:
        try:
            event = CloudEvent.model_validate(raw)
        except ValidationError as error:
            log.error("%s: not a CloudEvent, dead-lettered: %s", step.topic, error)
            return DROP
        with about(event):
            try:
                await self._processor.process(event, step, destination or (lambda _: event.replyto))
                if then is not None:
                    await then(event)
            except (Unavailable, OSError, TimeoutError) as error:
                log.warning("%s %s: will be tried again: %s", step.topic, event.id, error)
                return RETRY
            except Rejected as error:
                log.error("%s %s: dead-lettered: %s", step.topic, event.id, error)
                return DROP
            except Exception:
                log.exception("%s %s: dead-lettered: the handler failed", step.topic, event.id)
                return DROP
        return SUCCESS
