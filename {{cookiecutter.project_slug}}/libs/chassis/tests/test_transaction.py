import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from chassis.cloudevents import envelope
from chassis.errors import Rejected
from chassis.ports import Stored, Write
from chassis.transaction import Snapshot, Transaction
from testkit import MemoryStore
from testkit.bank import Deposit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CAUSE = envelope(Deposit(), id="1", source="test", traceparent=None)


@pytest.fixture
def snapshot(store: MemoryStore) -> Snapshot:
    return Snapshot(store)


@pytest.fixture
def tx(snapshot: Snapshot) -> Transaction:
    return Transaction(snapshot, CAUSE, NOW)


async def test_an_absent_key_reads_as_none(tx: Transaction) -> None:
    assert await tx.get("ada", int) is None


async def test_a_write_needs_a_read(tx: Transaction) -> None:
    with pytest.raises(LookupError, match="'ada' was written without being read"):
        tx.put("ada", 1)
    with pytest.raises(LookupError, match="'ada' was written without being read"):
        tx.delete("ada")


async def test_a_read_sees_what_the_transaction_wrote(tx: Transaction) -> None:
    await tx.get("ada", int)
    tx.put("ada", 5)
    assert await tx.get("ada", int) == 5
    tx.delete("ada")
    assert await tx.get("ada", int) is None


async def test_nothing_is_stored_before_the_commit(tx: Transaction, store: MemoryStore) -> None:
    await tx.get("ada", int)
    tx.put("ada", 5)
    assert store.get("ada", int) is None


async def test_a_write_carries_the_etag_that_was_read(
    snapshot: Snapshot, tx: Transaction, store: MemoryStore
) -> None:
    store.put("ada", 5)
    etag = (await store.read(["ada"]))["ada"].etag
    await tx.get("ada", int)
    tx.put("ada", 6)
    tx.put("ada", 7, ttl_seconds=60)
    tx.apply()
    assert snapshot.writes == {"ada": Write("ada", b"7", etag, ttl_seconds=60)}


async def test_a_write_of_an_absent_key_demands_that_it_is_still_absent(
    snapshot: Snapshot, tx: Transaction
) -> None:
    await tx.get("ada", int)
    tx.put("ada", 1)
    tx.apply()
    assert snapshot.writes == {"ada": Write("ada", b"1", etag=None)}


async def test_to_delete_an_absent_key_writes_nothing(snapshot: Snapshot, tx: Transaction) -> None:
    await tx.get("ada", int)
    tx.delete("ada")
    tx.apply()
    assert snapshot.writes == {}


async def test_what_the_group_has_put_is_deleted_before_it_is_stored(
    snapshot: Snapshot, tx: Transaction
) -> None:
    await tx.get("ada", int)
    tx.put("ada", 5)
    tx.apply()
    later = Transaction(snapshot, CAUSE, NOW)
    await later.get("ada", int)
    later.delete("ada")
    later.apply()
    assert snapshot.writes == {}
    assert await Transaction(snapshot, CAUSE, NOW).get("ada", int) is None


@pytest.mark.parametrize(
    ("writes", "reason"),
    [
        ([Write("ada", None, None)], "'ada': a delete needs the ETag"),
        ([Write("ada", b"1", None), Write("ada", b"2", None)], "'ada' is written twice"),
    ],
)
async def test_a_store_refuses_what_daprd_would_misunderstand(
    store: MemoryStore, writes: list[Write], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        await store.commit(writes)


async def test_transactions_side_by_side_read_in_one_call(
    snapshot: Snapshot, store: MemoryStore
) -> None:
    transactions = [Transaction(snapshot, CAUSE, NOW) for _ in range(3)]
    keys = ["ada", "bob", "ada"]
    await asyncio.gather(*(tx.get(key, int) for tx, key in zip(transactions, keys, strict=True)))
    assert store.reads == [["ada", "bob"]]


async def test_a_key_is_fetched_once_for_a_group(snapshot: Snapshot, store: MemoryStore) -> None:
    await Transaction(snapshot, CAUSE, NOW).get("ada", int)
    await Transaction(snapshot, CAUSE, NOW).get_all(["ada", "bob"], int)
    assert store.reads == [["ada"], ["bob"]]


async def test_what_is_fetched_ahead_is_read_without_another_call(
    tx: Transaction, store: MemoryStore
) -> None:
    await tx.fetch("ada", "bob")
    assert [await tx.get("ada", int), await tx.get("bob", int)] == [None, None]
    assert store.reads == [["ada", "bob"]]


async def test_a_transaction_that_ends_early_does_not_end_the_read_of_another(
    snapshot: Snapshot, store: MemoryStore
) -> None:
    store.put("ada", 5)
    hasty = asyncio.create_task(Transaction(snapshot, CAUSE, NOW).get("ada", int))
    patient = asyncio.create_task(Transaction(snapshot, CAUSE, NOW).get("ada", int))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient == 5


async def test_a_transaction_sees_an_earlier_one_of_its_group(
    snapshot: Snapshot, tx: Transaction
) -> None:
    await tx.get("ada", int)
    tx.put("ada", 5)
    tx.apply()
    later = Transaction(snapshot, CAUSE, NOW)
    assert await later.get("ada", int) == 5
    later.put("ada", 6)
    later.apply()
    # One write, as if it had been one transaction: the ETag is that of the store.
    assert snapshot.writes == {"ada": Write("ada", b"6", etag=None)}


async def test_what_json_cannot_hold_is_rejected_when_it_is_put(tx: Transaction) -> None:
    await tx.get("ada", str)
    with pytest.raises(Rejected, match="'ada' cannot be stored"):
        tx.put("ada", "\ud800")


async def test_a_transaction_is_overtaken_when_another_writes_what_it_has_read(
    snapshot: Snapshot, tx: Transaction
) -> None:
    faster = Transaction(snapshot, CAUSE, NOW)
    await tx.get("ada", int)
    await faster.get("ada", int)
    faster.put("ada", 5)
    assert not tx.overtaken
    faster.apply()
    # To read it again does not help: what it has decided before rests on what it saw first.
    assert await tx.get("ada", int) == 5
    assert tx.overtaken


async def test_a_read_that_comes_late_does_not_undo_a_write_of_the_group() -> None:
    class Slow(MemoryStore):
        async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
            found = await super().read(keys)
            await asyncio.sleep(0.01 if len(self.reads) > 1 else 0)
            return found

    snapshot = Snapshot(Slow())
    writer = Transaction(snapshot, CAUSE, NOW)
    reading = asyncio.create_task(writer.get("ada", int))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = asyncio.create_task(Transaction(snapshot, CAUSE, NOW).get("ada", int))
    await reading
    writer.put("ada", 5)
    writer.apply()
    assert await late == 5
    assert await Transaction(snapshot, CAUSE, NOW).get("ada", int) == 5
