"""What the sidecar's errors mean: the texts are those of daprd 1.18.2.

What a sidecar does is in `testkit.contract`; these are what only a fake one does at will.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from dapr.proto import api_v1

from chassis.cloudevents import CloudEvent, envelope
from chassis.errors import Refused, StaleWrite, TooLarge, Unavailable
from chassis.ports import Write
from chassis.settings import ServiceSettings
from chassis.sidecar import Sidecar
from testkit.bank import Deposit

WRITES = [Write("b", b"1", None), Write("a", b"2", None)]
IN_A_TRANSACTION = "error while executing state transaction: "


class Daprd:
    """Refuses every call as a test asks it to, and remembers what was sent."""

    code, text = grpc.StatusCode.OK, ""
    #: What is more than so much is too large.
    most = 1_000
    keys: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.read: list[list[str]] = []
        self.published: list[str] = []

    async def bulk_read(self, asked: bytes, context: grpc.aio.ServicerContext) -> bytes:
        request = api_v1.GetBulkStateRequest.FromString(asked)
        await self.require(len(request.keys) <= self.most, context)
        self.read.append(list(request.keys))
        await self.answer(asked, context)
        items = [api_v1.BulkStateItem(key=key, data=b"1", etag="1") for key in request.keys]
        content: bytes = api_v1.GetBulkStateResponse(items=items).SerializeToString()
        return content

    async def publish(self, asked: bytes, context: grpc.aio.ServicerContext) -> bytes:
        request = api_v1.BulkPublishRequest.FromString(asked)
        await self.require(len(request.entries) <= self.most, context)
        events = [CloudEvent.model_validate_json(entry.event) for entry in request.entries]
        self.published += [event.id for event in events]
        return await self.answer(asked, context)

    async def hang(self, _: bytes, __: grpc.aio.ServicerContext) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def require(self, fits: bool, context: grpc.aio.ServicerContext) -> None:
        if not fits:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "message larger than max")

    async def transact(self, asked: bytes, context: grpc.aio.ServicerContext) -> bytes:
        request = api_v1.ExecuteStateTransactionRequest.FromString(asked)
        self.keys = tuple(operation.request.key for operation in request.operations)
        return await self.answer(asked, context)

    async def answer(self, _: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if self.code is not grpc.StatusCode.OK:
            await context.abort(self.code, self.text)
        return b""


@pytest.fixture
def daprd() -> Daprd:
    return Daprd()


@pytest.fixture
async def sidecar(daprd: Daprd) -> AsyncIterator[Sidecar]:
    async with serving(daprd) as port, client(port) as sidecar:
        yield sidecar


@asynccontextmanager
async def client(port: int, **settings: Any) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar(ServiceSettings(app_id="test", dapr_grpc_port=port, **settings))
    try:
        yield sidecar
    finally:
        await sidecar.close()


@asynccontextmanager
async def serving(daprd: Daprd, port: int = 0) -> AsyncIterator[int]:
    server = grpc.aio.server()
    methods = {
        "ExecuteStateTransaction": grpc.unary_unary_rpc_method_handler(daprd.transact),
        "GetBulkState": grpc.unary_unary_rpc_method_handler(daprd.bulk_read),
        "BulkPublishEvent": grpc.unary_unary_rpc_method_handler(daprd.publish),
        "GetMetadata": grpc.unary_unary_rpc_method_handler(daprd.hang),
    }
    service = grpc.method_handlers_generic_handler("dapr.proto.runtime.v1.Dapr", methods)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (grpc.StatusCode.INTERNAL, "possible etag mismatch. error from state store"),
        (grpc.StatusCode.INTERNAL, "no item was updated"),
        (grpc.StatusCode.INTERNAL, "ERROR: deadlock detected (SQLSTATE 40P01)"),
        (grpc.StatusCode.ABORTED, "as it says in SaveState"),
    ],
)
async def test_a_lost_race_is_a_stale_write(
    sidecar: Sidecar, daprd: Daprd, code: grpc.StatusCode, text: str
) -> None:
    daprd.code, daprd.text = code, IN_A_TRANSACTION + text
    with pytest.raises(StaleWrite, match=r"commit: \w+: "):
        await sidecar.commit(WRITES)


async def test_a_store_that_is_busy_is_no_fault_of_a_message(
    sidecar: Sidecar, daprd: Daprd
) -> None:
    text = IN_A_TRANSACTION + "failed to begin transaction: database is locked (5) (SQLITE_BUSY)"
    daprd.code, daprd.text = grpc.StatusCode.INTERNAL, text
    with pytest.raises(Unavailable) as raised:
        await sidecar.commit(WRITES)
    assert not isinstance(raised.value, Refused)


async def test_any_other_error_of_a_transaction_is_a_refusal(
    sidecar: Sidecar, daprd: Daprd
) -> None:
    daprd.code, daprd.text = grpc.StatusCode.INTERNAL, IN_A_TRANSACTION + "disk full"
    with pytest.raises(Refused, match="disk full"):
        await sidecar.commit(WRITES)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.ABORTED, Unavailable),
        (grpc.StatusCode.FAILED_PRECONDITION, Unavailable),
        (grpc.StatusCode.UNAUTHENTICATED, Unavailable),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.INTERNAL, Refused),
        (grpc.StatusCode.INVALID_ARGUMENT, Refused),
        (grpc.StatusCode.PERMISSION_DENIED, Refused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TooLarge),
    ],
)
async def test_only_what_the_request_may_have_caused_is_a_refusal(
    sidecar: Sidecar, daprd: Daprd, code: grpc.StatusCode, kind: type[Exception]
) -> None:
    daprd.code, daprd.text = code, "possible etag mismatch"
    with pytest.raises(Unavailable) as raised:
        await sidecar.read(["a"])
    assert type(raised.value) is kind


async def test_a_sidecar_that_never_answers_is_unavailable(daprd: Daprd) -> None:
    async with serving(daprd) as port, client(port, sidecar_timeout_seconds=0.2) as sidecar:
        with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
            await sidecar.components()


async def test_a_sidecar_that_has_just_come_up_is_seen_at_once(daprd: Daprd) -> None:
    async with serving(daprd) as port:
        pass
    async with client(port) as sidecar:
        with pytest.raises(Unavailable):
            await sidecar.read(["a"])
        async with serving(daprd, port):
            assert await sidecar.read(["a"])


async def test_every_transaction_writes_in_one_order(sidecar: Sidecar, daprd: Daprd) -> None:
    await sidecar.commit(WRITES)
    assert daprd.keys == ("a", "b")


async def test_a_read_that_is_too_large_is_made_in_parts(sidecar: Sidecar, daprd: Daprd) -> None:
    daprd.most = 2
    found = await sidecar.read(["a", "b", "c", "d", "e"])
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert sorted(daprd.read) == [["a", "b"], ["c"], ["d", "e"]]


async def test_events_that_are_too_large_together_are_sent_in_order(
    sidecar: Sidecar, daprd: Daprd
) -> None:
    daprd.most = 2
    await sidecar.publish("deposit", [event(str(number)) for number in range(5)])
    assert daprd.published == ["0", "1", "2", "3", "4"]


async def test_an_event_that_is_too_large_alone_says_so(sidecar: Sidecar, daprd: Daprd) -> None:
    daprd.most = 0
    with pytest.raises(TooLarge):
        await sidecar.publish("deposit", [event("1"), event("2")])


def event(id: str) -> CloudEvent:
    return envelope(Deposit(), id=id, source="test", traceparent=None)
