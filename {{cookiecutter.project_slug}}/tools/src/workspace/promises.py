"""What the chassis rests on and a new version of daprd may break: tried on a running sidecar.

All of the contract is in testkit.contract; this is what would lose or repeat work unseen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

from chassis.errors import Refused, StaleWrite, Unavailable
from chassis.ports import Store, Write
from chassis.sidecar import Sidecar
from workspace.beside import settings_beside
from workspace.daprfile import App
from workspace.errors import StackError

#: What is left behind by a crash goes by itself.
TTL_SECONDS = 300


def require(app: App) -> None:
    """Raises `StackError` with the first promise that the sidecar of the app does not keep."""
    settings = settings_beside(app)

    async def tried() -> str | None:
        sidecar = Sidecar(settings)
        try:
            return await broken(sidecar)
        finally:
            await sidecar.close()

    if (promise := asyncio.run(tried())) is not None:
        raise StackError(
            f"this daprd does not keep what the services rest on: {promise}. Install the version "
            "that docs/run.md names (dapr init --runtime-version)."
        )


async def broken(store: Store) -> str | None:
    """The first promise that does not hold, with what came instead."""
    for promise in (_is_read_back, _stale_is_named, _all_or_nothing, _absent_is_a_condition):
        keys = [f"promise-{uuid4()}" for _ in range(2)]
        try:
            await promise(store, keys)
        except (Refused, StaleWrite, Unavailable, AssertionError) as error:
            return f"{promise.__doc__} ({error!r})"
        finally:
            # What cannot be deleted expires.
            with suppress(Refused, StaleWrite, Unavailable):
                found = await store.read(keys)
                await store.commit(
                    [Write(key, None, each.etag) for key, each in found.items() if each.etag]
                )
    return None


async def _is_read_back(store: Store, keys: list[str]) -> None:
    """what is committed is read"""
    await store.commit([_write(keys[0], b"1")])
    found = (await store.read(keys))[keys[0]]
    assert found.value == b"1", found


async def _stale_is_named(store: Store, keys: list[str]) -> None:
    """a lost race of ETags is reported as one, not as a failure"""
    await _race(store, [keys[0]])


async def _all_or_nothing(store: Store, keys: list[str]) -> None:
    """a transaction keeps all of its writes or none"""
    await _race(store, keys)
    found = (await store.read(keys))[keys[1]]
    assert found.value is None, found


async def _absent_is_a_condition(store: Store, keys: list[str]) -> None:
    """a write without an ETag is refused where a value is"""
    await store.commit([_write(keys[0], b"1")])
    await _refused(lambda: store.commit([_write(keys[0], b"2")]))


async def _race(store: Store, keys: list[str]) -> None:
    await store.commit([_write(keys[0], b"1")])
    etag = (await store.read(keys))[keys[0]].etag
    await store.commit([_write(keys[0], b"2", etag)])
    more = [_write(key, b"3") for key in keys[1:]]
    await _refused(lambda: store.commit([_write(keys[0], b"3", etag), *more]))


async def _refused(commit: Callable[[], Awaitable[None]]) -> None:
    try:
        await commit()
    except StaleWrite:
        return
    raise AssertionError("it was committed")


def _write(key: str, value: bytes, etag: str | None = None) -> Write:
    return Write(key, value, etag, TTL_SECONDS)
