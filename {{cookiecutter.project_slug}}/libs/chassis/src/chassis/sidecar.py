"""The sidecar's gRPC API, as far as the chassis needs it.

The SDK's generated stubs are used directly: its `DaprClient` cannot ask for first-write-wins in a
transaction, sets no deadline on a call, and blocks the event loop until the sidecar is up.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import aiohttp
import grpc.aio
from dapr.proto import api_service_v1, api_v1, common_v1

from chassis.cloudevents import CONTENT_TYPE, CloudEvent
from chassis.errors import Refused, StaleWrite, TooLarge, Unavailable
from chassis.ports import Stored, Write, check_keys, check_writes
from chassis.settings import ServiceSettings

T = TypeVar("T")

# What is asked may be the cause of these, and of no other: they are refusals.
REFUSED = (
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNKNOWN,
)

# gRPC's own pauses between two attempts to connect grow from one second to two minutes. In each of
# them every call fails at once, and what the sidecar that is back delivers meanwhile fails, too.
CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)
PROBE = aiohttp.ClientTimeout(total=1.0)

# So long a call waits for the attempts after the one that has failed.
RECONNECT_SECONDS = 0.5

# daprd 1.18.2 reports whatever fails in a transaction as INTERNAL, and only the text tells what.
LOST_RACE = (
    # A stale ETag (SQLite, PostgreSQL), or a key that is not absent any more (SQLite).
    "possible etag mismatch",
    # PostgreSQL: a key that is not absent any more.
    "no item was updated",
    # PostgreSQL: a deadlock, a serialization failure. The other transaction won.
    "SQLSTATE 40P01",
    "SQLSTATE 40001",
)
# SQLite: another process holds the file for longer than the component's busyTimeout.
BUSY = ("SQLITE_BUSY",)


class Sidecar:
    """A store, a broker and a supervisor: see `chassis.ports`."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._pubsub = settings.pubsub
        self._store = settings.state_store
        self._timeout = settings.sidecar_timeout_seconds
        token = settings.dapr_api_token
        self._metadata = (("dapr-api-token", token.get_secret_value()),) if token else ()
        self._address = f"{settings.dapr_runtime_host}:{settings.dapr_grpc_port}"
        self._health = f"http://{settings.dapr_runtime_host}:{settings.dapr_http_port}/v1.0/"

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        # Made at the first call, because a channel belongs to the event loop that it is made on.
        return grpc.aio.insecure_channel(self._address, CHANNEL)

    @cached_property
    def _stub(self) -> Any:
        return api_service_v1.DaprStub(self._channel)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        if "_channel" in vars(self):
            await self._channel.close()

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        check_keys(keys)
        try:
            return await self._read(keys)
        except TooLarge:
            if len(keys) == 1:
                raise
        first, second = await asyncio.gather(*(self.read(half) for half in _halves(keys)))
        return {**first, **second}

    async def _read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        request = api_v1.GetBulkStateRequest(store_name=self._store, keys=keys, parallelism=10)
        found = dict.fromkeys(keys, Stored())
        for item in (await self._call("read state", self._stub.GetBulkState, request)).items:
            if item.error:
                raise Refused(f"read state: {item.key}: {item.error}")
            if item.etag:
                found[item.key] = Stored(item.data, item.etag)
        return found

    async def commit(self, writes: Sequence[Write]) -> None:
        check_writes(writes)
        request = api_v1.ExecuteStateTransactionRequest(
            storeName=self._store,
            operations=[
                api_v1.TransactionalStateOperation(
                    operationType="delete" if write.value is None else "upsert",
                    request=_state_item(write),
                )
                # Every replica locks rows in the same order, for two that do not can deadlock.
                for write in sorted(writes, key=lambda write: write.key)
            ],
        )
        try:
            await self._call("commit", self._stub.ExecuteStateTransaction, request)
        except Unavailable as error:
            raise _why_not_committed(error) from error

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        try:
            await self._publish(topic, events)
        except TooLarge:
            if len(events) == 1:
                raise
            # One after the other, for the order of what has one subject.
            for half in _halves(events):
                await self.publish(topic, half)

    async def _publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        request = api_v1.BulkPublishRequest(
            pubsub_name=self._pubsub,
            topic=topic,
            entries=[
                api_v1.BulkPublishRequestEntry(
                    entry_id=str(position),
                    event=event.on_the_wire(),
                    content_type=CONTENT_TYPE,
                    # A broker with partitions keeps the messages of one subject in order.
                    metadata={"partitionKey": event.subject} if event.subject else None,
                )
                for position, event in enumerate(events)
            ],
            # It is a CloudEvent already: the sidecar need not read it and write it anew.
            metadata={"rawPayload": "true"},
        )
        reply = await self._call(f"publish to {topic}", self._stub.BulkPublishEvent, request)
        for failed in reply.failedEntries:
            raise Refused(f"publish to {topic}: {failed.error}")

    async def actor_types(self) -> frozenset[str]:
        """What this sidecar hosts; workflows are actors of its own. Raises `Unavailable`."""
        return frozenset(each.type for each in (await self._about()).actor_runtime.active_actors)

    async def answers(self, route: str) -> bool:
        try:
            async with aiohttp.request("GET", self._health + route, timeout=PROBE) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def components(self) -> frozenset[str]:
        """The names of the components that this sidecar has loaded. Raises `Unavailable`."""
        return frozenset(each.name for each in (await self._about()).registered_components)

    async def _about(self) -> Any:
        return await self._call("ask", self._stub.GetMetadata, api_v1.GetMetadataRequest())

    async def shut_down(self) -> None:
        """Ask it to end, so that what runs it starts it again. Raises `Unavailable`."""
        await self._call("shut down", self._stub.Shutdown, api_v1.ShutdownRequest())

    async def _call(self, doing: str, method: Any, request: Any) -> Any:
        away = self._channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE
        try:
            return await method(
                request,
                timeout=min(self._timeout, RECONNECT_SECONDS) if away else self._timeout,
                wait_for_ready=away,
                metadata=self._metadata,
            )
        except grpc.aio.AioRpcError as error:
            reason = f"{doing}: {error.code().name}: {error.details()}"
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise TooLarge(reason) from error
            raise (Refused if error.code() in REFUSED else Unavailable)(reason) from error


def _halves(whole: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    middle = len(whole) // 2
    return whole[:middle], whole[middle:]


def _why_not_committed(error: Unavailable) -> Exception:
    """What the sidecar's error means in a transaction; in any other call the texts mean nothing."""
    cause, reason = error.__cause__, str(error)
    assert isinstance(cause, grpc.aio.AioRpcError)
    if cause.code() is grpc.StatusCode.ABORTED:
        return StaleWrite(reason)
    if cause.code() is grpc.StatusCode.INTERNAL:
        if any(text in reason for text in LOST_RACE):
            return StaleWrite(reason)
        if any(text in reason for text in BUSY):
            return Unavailable(reason)
    return error


def _state_item(write: Write) -> Any:
    return common_v1.StateItem(
        key=write.key,
        value=write.value or b"",
        etag=None if write.etag is None else common_v1.Etag(value=write.etag),
        # First write wins: without an ETag, the key must still be absent.
        options=common_v1.StateOptions(
            concurrency=common_v1.StateOptions.StateConcurrency.CONCURRENCY_FIRST_WRITE
        ),
        metadata={"ttlInSeconds": str(write.ttl_seconds)} if write.ttl_seconds else None,
    )
