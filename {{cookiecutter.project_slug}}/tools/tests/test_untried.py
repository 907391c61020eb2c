"""A daprd that nobody has tried is tried when it is first used."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chassis.errors import StaleWrite
from chassis.ports import Write
from testkit import MemoryStore
from workspace import processes, promises, untried
from workspace.runtime import Runtime


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(processes, "RUN", tmp_path / "run")
    (tmp_path / ".dapr" / "bin").mkdir(parents=True)
    return Runtime(tmp_path, tmp_path / "dapr")


def says(found: Runtime, version: str) -> None:
    daprd = found.home / ".dapr" / "bin" / "daprd"
    daprd.write_text(f"#!/bin/sh\necho {version}\n")
    daprd.chmod(0o700)


@pytest.mark.parametrize("version", ["1.18.2", "1.18.99", "1.17.5", "edge"])
def test_what_was_tried_is_not_tried_again(found: Runtime, version: str) -> None:
    says(found, version)
    assert untried.version(found) is None


def test_a_newer_minor_is_tried_once(found: Runtime) -> None:
    says(found, "1.19.0")
    assert untried.version(found) == "1.19.0"
    untried.remember("1.19.0")
    assert untried.version(found) is None
    says(found, "1.19.1")
    assert untried.version(found) == "1.19.1"


async def test_a_store_that_keeps_the_contract_keeps_the_promises() -> None:
    store = MemoryStore()
    assert await promises.broken(store) is None


class Unnamed(MemoryStore):
    async def commit(self, writes: Sequence[Write]) -> None:
        try:
            await super().commit(writes)
        except StaleWrite:
            return


class Halves(MemoryStore):
    async def commit(self, writes: Sequence[Write]) -> None:
        refused: StaleWrite | None = None
        for write in writes:
            try:
                await super().commit([write])
            except StaleWrite as error:
                refused = error
        if refused:
            raise refused


@pytest.mark.parametrize(
    ("store", "promise"),
    [(Unnamed(), "a lost race of ETags"), (Halves(), "a transaction keeps all of its writes")],
)
async def test_the_promise_that_does_not_hold_is_named(store: MemoryStore, promise: str) -> None:
    broken = await promises.broken(store)
    assert broken
    assert broken.startswith(promise)
