"""The APIs of the example, as a client calls them."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.demo.client import Client
from workspace.daprfile import DaprFile


@pytest.fixture
async def client(workspace: DaprFile) -> AsyncIterator[Client]:
    client = Client(workspace.apps)
    yield client
    await client.close()


@pytest.fixture
def run() -> str:
    """A name that no other test uses, for SKUs, cards and keys."""
    return f"T-{uuid4().hex[:10].upper()}"
