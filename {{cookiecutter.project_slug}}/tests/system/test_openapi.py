"""Whatever comes in, by the OpenAPI of a service or against it: no service answers 5xx."""

import time
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.schemas import APIOperation

from chassis import Service
from tests.system.in_memory import in_memory
from workspace.daprfile import DaprFile

EXAMPLES = 60
READY_SECONDS = 5

Operation = APIOperation[Any, Any, Any, Any]


@pytest.fixture(params=list(DaprFile().apps))
def service(request: pytest.FixtureRequest) -> Service:
    return in_memory(request.param)


def test_no_request_leads_to_a_5xx(service: Service) -> None:
    app: Any = service.app
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    with asgi.get_client(app) as client:
        wait_until_ready(client)
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found.err()
            for mode in GenerationMode:
                # A request that takes nothing has nothing that could be wrong.
                with suppress(Unsatisfiable):
                    send_many(found.ok(), client, mode)


def wait_until_ready(client: asgi.ASGIClient) -> None:
    """Before its workflows are hosted it answers 503, as it should."""
    deadline = time.monotonic() + READY_SECONDS
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, client.get("/readyz").text
        time.sleep(0.01)


def send_many(operation: Operation, client: asgi.ASGIClient, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def send(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.call_and_validate(session=client, checks=[not_a_server_error])

    send()
