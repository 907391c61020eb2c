"""What the sidecar's errors mean: the texts are those of daprd 1.18.2."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from dapr.proto import api_v1

from chassis.errors import Refused, StaleWrite, Unavailable
from chassis.ports import Write
from chassis.settings import ServiceSettings
from chassis.sidecar import Sidecar

WRITES = [Write("b", b"1", None), Write("a", b"2", None)]
IN_A_TRANSACTION = "error while executing state transaction: "


class Daprd:
    """Refuses every call as it is told to, and remembers the keys of the transactions."""

    code, text = grpc.StatusCode.OK, ""
    keys: tuple[str, ...] = ()

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
    server = grpc.aio.server()
    methods = {
        "ExecuteStateTransaction": grpc.unary_unary_rpc_method_handler(daprd.transact),
        "GetBulkState": grpc.unary_unary_rpc_method_handler(daprd.answer),
    }
    service = grpc.method_handlers_generic_handler("dapr.proto.runtime.v1.Dapr", methods)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sidecar = Sidecar(ServiceSettings(app_id="test", dapr_grpc_port=port))
    yield sidecar
    await sidecar.close()
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


async def test_a_read_has_no_race_to_lose(sidecar: Sidecar, daprd: Daprd) -> None:
    daprd.code, daprd.text = grpc.StatusCode.ABORTED, "possible etag mismatch"
    with pytest.raises(Refused):
        await sidecar.read(["a"])


async def test_every_transaction_writes_in_one_order(sidecar: Sidecar, daprd: Daprd) -> None:
    await sidecar.commit(WRITES)
    assert daprd.keys == ("a", "b")
