"""The contract of service invocation, kept by two daprds and an app."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chassis import ServiceSettings
from chassis.composing import beside_sidecar
from chassis.invocation import Participants
from testkit import MemoryStore
from testkit.contract.invocation import (
    PARTICIPANT,
    TIMEOUT_SECONDS,
    InvocationContract,
    InvocationSubject,
    command_to,
    is_unavailable,
    new_account,
    participant,
)
from tests.brokers.servers.ports import free_port
from tests.contract.live.clients import settings_for
from tests.contract.live.serving import serving
from tests.daprd import Daprd

TOKEN = "right"

#: Where the caller finds the participant: multicast, the default, does not work on every machine,
#: and of the resolvers that each build has this is the one that takes a template.
NAMES = """
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: names
spec:
  nameResolution:
    component: kubernetes
    configuration:
      template: '127.0.0.1:{{ if eq .ID "participant" }}PORT{{ else }}1{{ end }}'
"""


@dataclass(frozen=True)
class Running:
    caller: Daprd
    participant: Daprd
    #: The participant's app; what is left of it ends with the fixture.
    app: ExitStack


def start(stack: ExitStack, folder: Path) -> Running:
    port = free_port()
    settings = ServiceSettings(app_id=PARTICIPANT, handler_timeout_seconds=TIMEOUT_SECONDS)
    app = stack.enter_context(ExitStack())
    ports = replace(beside_sidecar(settings), store=MemoryStore())
    app.enter_context(serving(participant(settings, ports), port))
    asked = Daprd(folder, PARTICIPANT, options=["--app-port", str(port)])
    names = folder / "names.yaml"
    names.write_text(NAMES.replace("PORT", str(asked.internal_port)))
    token = {"DAPR_API_TOKEN": TOKEN}
    asking = Daprd(folder, "caller", options=["--config", str(names)], environment=token)
    return Running(stack.enter_context(asking), stack.enter_context(asked), app)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        yield start(stack, tmp_path_factory.mktemp("invocation"))


@asynccontextmanager
async def calling(daprd: Daprd, **settings: Any) -> AsyncIterator[InvocationSubject]:
    given = {"dapr_api_token": TOKEN, "handler_timeout_seconds": TIMEOUT_SECONDS, **settings}
    participants = Participants(settings_for(daprd, **given))
    try:
        yield InvocationSubject(participants)
    finally:
        await participants.close()


class TestInvocation(InvocationContract):
    @pytest.fixture
    async def subject(self, running: Running) -> AsyncIterator[InvocationSubject]:
        async with calling(running.caller) as subject:
            yield subject


async def test_a_wrong_token_is_no_refusal(running: Running) -> None:
    for token in ("wrong", None):
        async with calling(running.caller, dapr_api_token=token) as subject:
            await is_unavailable(subject.ask(command_to(new_account())))


async def test_a_sidecar_that_hangs_is_unavailable(running: Running) -> None:
    async with calling(running.caller) as subject:
        for daprd in (running.participant, running.caller):
            daprd.freeze()
            try:
                await is_unavailable(subject.ask(command_to(new_account())))
            finally:
                daprd.thaw()


async def test_whoever_is_away_is_unavailable(tmp_path: Path) -> None:
    with ExitStack() as stack:
        running = start(stack, tmp_path)
        async with calling(running.caller) as subject:
            await subject.ask(command_to(new_account()))
            for away in (running.app.close, running.participant.kill, running.caller.kill):
                away()
                await is_unavailable(subject.ask(command_to(new_account())))
