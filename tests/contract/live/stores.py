"""The contract of a store, kept by two daprds on one store."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from chassis.errors import Refused, StaleWrite, Unavailable
from chassis.ports import Write
from testkit.contract import StoreContract, StoreSubject
from testkit.contract.store import keys, put, read
from tests.contract.live.clients import sidecar
from tests.daprd import Daprd

COMPONENT = Path(os.environ["CONTRACT_COMPONENT"])
TOKEN = "right"
#: A deadline that a test sees the end of.
SOON = 0.5


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daprd, Daprd]]:
    folder = tmp_path_factory.mktemp("store")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(daprd(folder)) for _ in range(2))  # type: ignore[misc]


def daprd(folder: Path) -> Daprd:
    environment = {"DAPR_API_TOKEN": TOKEN}
    return Daprd(folder, "contract", [COMPONENT], environment=environment)


class TestStore(StoreContract):
    @pytest.fixture
    async def subject(self, replicas: tuple[Daprd, Daprd]) -> AsyncIterator[StoreSubject]:
        one, two = replicas
        async with (
            sidecar(one, dapr_api_token=TOKEN) as store,
            sidecar(two, dapr_api_token=TOKEN) as replica,
        ):
            yield StoreSubject(store, replica, asyncio.sleep)


async def test_a_sidecar_that_stops_in_the_middle_of_a_commit_is_unavailable(
    replicas: tuple[Daprd, Daprd],
) -> None:
    one, two = replicas
    (key,) = keys(1)
    async with (
        sidecar(one, dapr_api_token=TOKEN, sidecar_timeout_seconds=SOON) as store,
        sidecar(two, dapr_api_token=TOKEN) as replica,
    ):
        etag = await put(store, key, b"before")
        one.freeze()
        try:
            with pytest.raises(Unavailable) as raised:
                await store.commit([Write(key, b"after", etag)])
        finally:
            one.thaw()
        assert not isinstance(raised.value, Refused)
        # Whether it was stored is not known: the next attempt finds out.
        with suppress(StaleWrite):
            await replica.commit([Write(key, b"after", etag)])
        assert (await read(replica, key)).value == b"after"


async def test_a_sidecar_that_stops_in_the_middle_of_a_read_is_unavailable(
    replicas: tuple[Daprd, Daprd],
) -> None:
    one, _ = replicas
    async with sidecar(one, dapr_api_token=TOKEN, sidecar_timeout_seconds=SOON) as store:
        await store.read(["key"])
        one.freeze()
        try:
            with pytest.raises(Unavailable):
                await store.read(["key"])
        finally:
            one.thaw()


async def test_a_sidecar_that_dies_in_the_middle_of_a_call_is_unavailable(tmp_path: Path) -> None:
    with daprd(tmp_path) as dying:
        async with sidecar(dying, dapr_api_token=TOKEN) as store:
            (key,) = keys(1)
            await store.read([key])
            dying.freeze()
            calls = [
                asyncio.create_task(store.commit([Write(key, b"1", None)])),
                asyncio.create_task(store.read([key])),
            ]
            await asyncio.sleep(0.1)
            dying.kill()
            raised = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(error) for error in raised] == [Unavailable, Unavailable]


async def test_a_wrong_token_is_the_fault_of_no_message(replicas: tuple[Daprd, Daprd]) -> None:
    for settings in ({"dapr_api_token": "wrong"}, {}):
        async with sidecar(replicas[0], **settings) as store:
            with pytest.raises(Unavailable, match="UNAUTHENTICATED") as raised:
                await store.read(["key"])
            assert not isinstance(raised.value, Refused)


async def test_a_store_that_is_not_there_is_a_refusal(replicas: tuple[Daprd, Daprd]) -> None:
    async with sidecar(replicas[0], dapr_api_token=TOKEN, state_store="nowhere") as store:
        with pytest.raises(Refused, match="nowhere"):
            await store.read(["key"])
        with pytest.raises(Refused, match="nowhere"):
            await store.commit([Write("key", b"1", None)])
