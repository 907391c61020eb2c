"""The contract of a broker, kept by daprd and a server of each kind."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from chassis import Handlers, Service, ServiceSettings, Transaction
from chassis.cloudevents import CloudEvent
from chassis.composing import beside_sidecar
from chassis.errors import Refused, Unavailable
from testkit import MemoryStore
from testkit.contract import BrokerContract, BrokerSubject
from testkit.contract.broker import event
from tests.brokers.servers.ports import free_port
from tests.contract.live.clients import sidecar
from tests.contract.live.serving import serving
from tests.daprd import Daprd

COMPONENT = Path(os.environ["CONTRACT_COMPONENT"])
#: Bytes that this broker does not take, though the sidecar does; none if it takes all of those.
TOO_LARGE = int(os.environ.get("CONTRACT_TOO_LARGE", "0"))
APP_ID, TOPIC, FORBIDDEN = "contract", "note", "forbidden"
TOKEN = "right"
SOON = 0.5


class Note(BaseModel):
    """Whatever a test sends."""

    version: ClassVar[int] = 1
    model_config = ConfigDict(extra="allow")

    @property
    def subject(self) -> str:
        return ""


@dataclass(frozen=True)
class Running:
    daprd: Daprd
    arrived: list[CloudEvent]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("broker")
    arrived: list[CloudEvent] = []
    handlers = Handlers()

    @handlers.on(Note)
    async def note(_: Note, tx: Transaction) -> None:
        arrived.append(tx.cause)

    settings = ServiceSettings(app_id=APP_ID)
    ports = replace(beside_sidecar(settings), store=MemoryStore())
    service = Service(settings, title="Contract", ports=ports)
    service.subscribe(handlers)
    port = free_port()
    daprd = Daprd(
        folder,
        APP_ID,
        [component(folder)],
        environment={"DAPR_API_TOKEN": TOKEN},
        options=["--app-port", str(port)],
    )
    with ExitStack() as stack:
        stack.enter_context(serving(service, port))
        stack.enter_context(daprd)
        yield Running(daprd, arrived)


def component(folder: Path) -> Path:
    """The profile's, with scopes of our own: one topic is for others only."""
    content = yaml.safe_load(COMPONENT.read_text())
    metadata = content["spec"]["metadata"]
    metadata[:] = [each for each in metadata if not re.search(r"Scopes|Topics$", each["name"])]
    metadata.append({"name": "protectedTopics", "value": FORBIDDEN})
    file = folder / "pubsub.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


class TestBroker(BrokerContract):
    @pytest.fixture
    async def subject(self, running: Running) -> AsyncIterator[BrokerSubject]:
        async with sidecar(running.daprd, dapr_api_token=TOKEN) as broker:
            yield BrokerSubject(broker, TOPIC, lambda: running.arrived)


async def test_a_topic_without_rights_is_a_refusal(running: Running) -> None:
    async with sidecar(running.daprd, dapr_api_token=TOKEN) as broker:
        with pytest.raises(Refused, match="publish to forbidden: PERMISSION_DENIED"):
            await broker.publish(FORBIDDEN, [event()])


async def test_an_event_that_the_broker_does_not_take_is_a_refusal_of_its_bulk(
    running: Running,
) -> None:
    if not TOO_LARGE:
        pytest.skip("it takes what the sidecar takes")
    async with sidecar(running.daprd, dapr_api_token=TOKEN) as broker:
        subject = BrokerSubject(broker, TOPIC, lambda: running.arrived)
        small = [event(), event()]
        for events in ([event(size=TOO_LARGE)], [small[0], event(size=TOO_LARGE), small[1]]):
            with pytest.raises(Refused, match=f"publish to {TOPIC}"):
                await broker.publish(TOPIC, events)
        # Whether they were sent is not known; to send them again does no harm.
        await broker.publish(TOPIC, small)
        assert await subject.wait_for(*small) == small


async def test_a_sidecar_that_stops_in_the_middle_of_a_publish_is_unavailable(
    running: Running,
) -> None:
    settings = {"dapr_api_token": TOKEN, "sidecar_timeout_seconds": SOON}
    async with sidecar(running.daprd, **settings) as broker:
        sent = event()
        running.daprd.freeze()
        try:
            with pytest.raises(Unavailable) as raised:
                await broker.publish(TOPIC, [sent])
        finally:
            running.daprd.thaw()
        assert not isinstance(raised.value, Refused)


async def test_a_wrong_token_is_the_fault_of_no_event(running: Running) -> None:
    async with sidecar(running.daprd, dapr_api_token="wrong") as broker:
        with pytest.raises(Unavailable, match="UNAUTHENTICATED") as raised:
            await broker.publish(TOPIC, [event()])
        assert not isinstance(raised.value, Refused)


async def test_a_broker_that_is_not_there_is_a_refusal(running: Running) -> None:
    async with sidecar(running.daprd, dapr_api_token=TOKEN, pubsub="nowhere") as broker:
        with pytest.raises(Refused, match="nowhere"):
            await broker.publish(TOPIC, [event()])
