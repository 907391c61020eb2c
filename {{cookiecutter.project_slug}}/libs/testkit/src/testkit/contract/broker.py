"""The contract of `chassis.ports.Broker`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis.cloudevents import CloudEvent
from chassis.errors import TooLarge
from chassis.ports import Broker

#: What every broker carries, the envelope included; Amazon's carry no more.
CARRIED = 256 * 1024
MB = 1_000_000
ARRIVAL_SECONDS = 30


@dataclass(frozen=True)
class BrokerSubject:
    """A broker under test."""

    broker: Broker
    #: One that somebody subscribes to.
    topic: str
    #: What has arrived there until now, in any order, some of it more than once.
    arrived: Callable[[], Sequence[CloudEvent]]

    async def publish(self, *events: CloudEvent) -> None:
        await self.broker.publish(self.topic, events)

    async def wait_for(self, *events: CloudEvent) -> list[CloudEvent]:
        """These events as they arrived; raises TimeoutError if one of them does not."""
        ids = [event.id for event in events]
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while True:
                found = {event.id: event for event in self.arrived()}
                if found.keys() >= set(ids):
                    return [found[id] for id in ids]
                await asyncio.sleep(0.05)


class BrokerContract:
    """Subclasses bring the fixture `subject`."""

    async def test_an_event_arrives_as_it_was_sent(self, subject: BrokerSubject) -> None:
        sent = event(
            subject="account 1",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            replyto="somebody-replies",
            causationid="cause",
            data={"text": "ü😀\u0000\n\"'\\", "list": [1, 2.5, None, True], "nested": {"": {}}},
        )
        await subject.publish(sent)
        assert await subject.wait_for(sent) == [sent]

    async def test_an_event_with_nothing_but_what_it_must_have_arrives(
        self, subject: BrokerSubject
    ) -> None:
        sent = event(data={})
        await subject.publish(sent)
        assert await subject.wait_for(sent) == [sent]

    async def test_odd_subjects_arrive(self, subject: BrokerSubject) -> None:
        odd = (" ", "ü😀", "a||b", "a\nb", "../x?y#z", "x" * 255)
        sent = [event(subject=each) for each in odd]
        await subject.publish(*sent)
        assert await subject.wait_for(*sent) == sent

    async def test_nothing_is_nothing_to_publish(self, subject: BrokerSubject) -> None:
        await subject.publish()

    async def test_every_event_of_many_arrives(self, subject: BrokerSubject) -> None:
        sent = [event(subject=str(number % 7)) for number in range(250)]
        await subject.publish(*sent)
        assert await subject.wait_for(*sent) == sent

    async def test_an_event_of_what_every_broker_carries_arrives_whole(
        self, subject: BrokerSubject
    ) -> None:
        sent = event(size=CARRIED)
        await subject.publish(sent)
        assert await subject.wait_for(sent) == [sent]

    async def test_events_arrive_that_are_too_much_for_one_call(
        self, subject: BrokerSubject
    ) -> None:
        sent = [event(size=200_000) for _ in range(45)]
        await subject.publish(*sent)
        assert await subject.wait_for(*sent) == sent

    async def test_an_event_that_is_too_much_for_one_call_is_too_large(
        self, subject: BrokerSubject
    ) -> None:
        large = event(size=5 * MB)
        with pytest.raises(TooLarge):
            await subject.publish(large)
        with pytest.raises(TooLarge):
            await subject.publish(event(), large, event())
        assert large.id not in {each.id for each in subject.arrived()}


def event(*, size: int = 0, **fields: Any) -> CloudEvent:
    """One that nobody has sent before, of so many bytes on the wire, if they are given."""
    whole = {
        "id": str(uuid4()),
        "source": "contract",
        "type": "note.v1",
        "time": datetime.now(UTC),
        "data": {"text": ""},
        **fields,
    }
    made = CloudEvent.model_validate(whole)
    missing = size - len(made.on_the_wire())
    return made.model_copy(update={"data": {"text": "x" * missing}}) if missing > 0 else made
