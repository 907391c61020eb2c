"""The contract of `chassis.ports.Store`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from chassis.errors import Rejected, StaleWrite, TooLarge
from chassis.ports import MAX_KEY_BYTES, Store, Stored, Write
from chassis.settings import MAX_TTL_SECONDS

ABSENT = Stored()
MB = 1_000_000
TTL_SECONDS = 2
#: SQLite counts whole seconds: a value may be gone a second early, and never late.
EXPIRY_SECONDS = TTL_SECONDS + 0.5


@dataclass(frozen=True)
class StoreSubject:
    """A store under test."""

    store: Store
    #: The same state, as another replica of the service has it.
    replica: Store
    #: Waits so many seconds, or moves a clock on.
    pass_time: Callable[[float], Awaitable[None]]


class StoreContract:
    """Subclasses bring the fixture `subject`."""

    async def test_an_absent_key_reads_as_nothing(self, subject: StoreSubject) -> None:
        first, second = keys(2)
        assert await subject.store.read([first, second]) == {first: ABSENT, second: ABSENT}

    async def test_what_is_written_is_read_by_every_replica(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        await subject.store.commit([Write(key, b"value", None)])
        stored = await read(subject.store, key)
        assert stored.value == b"value"
        assert stored.etag
        assert await read(subject.replica, key) == stored

    async def test_any_bytes_come_back(self, subject: StoreSubject) -> None:
        for value in (b"\0", b"\xff\xfe", b"null", b'"text"', bytes(range(256))):
            (key,) = keys(1)
            await subject.store.commit([Write(key, value, None)])
            assert (await read(subject.store, key)).value == value

    async def test_no_keys_and_no_writes_are_nothing_to_do(self, subject: StoreSubject) -> None:
        assert await subject.store.read([]) == {}
        await subject.store.commit([])

    async def test_a_key_that_is_asked_for_twice_is_read_once(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        await subject.store.commit([Write(key, b"1", None)])
        found = await subject.store.read([key, key])
        assert found == {key: await read(subject.store, key)}

    # ETags

    async def test_each_write_makes_a_new_etag(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        etags = {await put(subject.store, key, b"same") for _ in range(3)}
        assert len(etags) == 3

    async def test_a_write_with_a_stale_etag_is_stale(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        stale = await put(subject.store, key, b"1")
        await put(subject.replica, key, b"2")
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(key, b"3", stale)])
        assert (await read(subject.store, key)).value == b"2"

    async def test_an_etag_that_never_was_is_stale(self, subject: StoreSubject) -> None:
        absent, present = keys(2)
        await put(subject.store, present, b"1")
        for etag in ("never", str(uuid4())):
            for key in (absent, present):
                with pytest.raises(StaleWrite):
                    await subject.store.commit([Write(key, b"2", etag)])
        assert await read(subject.store, absent) == ABSENT

    async def test_a_first_write_of_a_present_key_is_stale(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        await put(subject.replica, key, b"1")
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(key, b"2", None)])
        assert (await read(subject.store, key)).value == b"1"

    async def test_one_stale_write_leaves_the_whole_group_unwritten(
        self, subject: StoreSubject
    ) -> None:
        for position in range(3):
            for etag in (None, "stale"):
                group = keys(3)
                await put(subject.replica, group[position], b"before")
                writes = [
                    Write(key, b"after", etag if n == position else None)
                    for n, key in enumerate(group)
                ]
                with pytest.raises(StaleWrite):
                    await subject.store.commit(writes)
                found = await subject.store.read(group)
                values = [found[key].value for key in group]
                assert values == [b"before" if n == position else None for n in range(3)]

    async def test_a_group_writes_deletes_and_creates_at_once(self, subject: StoreSubject) -> None:
        changed, deleted, created = keys(3)
        await subject.store.commit([Write(changed, b"1", None), Write(deleted, b"1", None)])
        found = await subject.store.read([changed, deleted])
        await subject.store.commit(
            [
                Write(changed, b"2", found[changed].etag),
                Write(deleted, None, found[deleted].etag),
                Write(created, b"2", None),
            ]
        )
        found = await subject.replica.read([changed, deleted, created])
        assert [stored.value for stored in found.values()] == [b"2", None, b"2"]

    async def test_of_first_writes_at_once_one_wins(self, subject: StoreSubject) -> None:
        (key,) = keys(1)

        async def create(number: int) -> bool:
            store = subject.replica if number % 2 else subject.store
            return await commits(store, Write(key, b"%d" % number, None))

        won = await asyncio.gather(*(create(number) for number in range(8)))
        assert won.count(True) == 1
        assert (await read(subject.store, key)).value == b"%d" % won.index(True)

    async def test_replicas_that_write_the_same_keys_lose_no_update(
        self, subject: StoreSubject
    ) -> None:
        group = keys(4)

        async def increment(store: Store, order: list[str]) -> None:
            for _ in range(1_000):
                found = await store.read(order)
                writes = [
                    Write(key, b"%d" % (int(found[key].value or b"0") + 1), found[key].etag)
                    for key in order
                ]
                # Another order than the other's: neither may end in a deadlock.
                if await commits(store, *writes):
                    return
            pytest.fail("it has lost a thousand races")

        await asyncio.gather(
            *(increment(subject.store, group) for _ in range(10)),
            *(increment(subject.replica, group[::-1]) for _ in range(10)),
        )
        found = await subject.store.read(group)
        assert {stored.value for stored in found.values()} == {b"20"}

    # Deletes

    async def test_a_delete_leaves_the_key_absent(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        etag = await put(subject.store, key, b"1")
        await subject.store.commit([Write(key, None, etag)])
        assert await read(subject.replica, key) == ABSENT
        await subject.store.commit([Write(key, b"2", None)])

    async def test_a_delete_with_a_stale_etag_deletes_nothing(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        stale = await put(subject.store, key, b"1")
        await put(subject.replica, key, b"2")
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(key, None, stale)])
        assert (await read(subject.store, key)).value == b"2"

    async def test_a_second_delete_is_stale(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        etag = await put(subject.store, key, b"1")
        await subject.store.commit([Write(key, None, etag)])
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(key, None, etag)])

    async def test_what_was_deleted_and_made_again_has_another_etag(
        self, subject: StoreSubject
    ) -> None:
        (key,) = keys(1)
        before = await put(subject.store, key, b"1")
        await subject.store.commit([Write(key, None, before)])
        await put(subject.replica, key, b"1")
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(key, b"2", before)])

    async def test_a_delete_without_an_etag_is_refused(self, subject: StoreSubject) -> None:
        present, absent = keys(2)
        await put(subject.store, present, b"1")
        for key in (present, absent):
            with pytest.raises(ValueError, match="a delete needs the ETag"):
                await subject.store.commit([Write(key, None, None)])
        assert (await read(subject.store, present)).value == b"1"

    # Times to live

    async def test_a_value_is_there_until_its_time_is_over(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        await subject.store.commit([Write(key, b"1", None, ttl_seconds=TTL_SECONDS)])
        assert (await read(subject.replica, key)).value == b"1"
        await subject.pass_time(EXPIRY_SECONDS)
        assert await read(subject.replica, key) == ABSENT

    async def test_an_expired_key_is_absent_to_a_write(self, subject: StoreSubject) -> None:
        updated, created = keys(2)
        await subject.store.commit(
            [Write(key, b"1", None, TTL_SECONDS) for key in (updated, created)]
        )
        etag = (await read(subject.store, updated)).etag
        await subject.pass_time(EXPIRY_SECONDS)
        with pytest.raises(StaleWrite):
            await subject.store.commit([Write(updated, b"2", etag)])
        await subject.store.commit([Write(created, b"2", None)])
        assert (await read(subject.store, created)).value == b"2"

    async def test_the_last_write_says_how_long_a_value_stays(self, subject: StoreSubject) -> None:
        kept, shortened = keys(2)
        await subject.store.commit(
            [Write(kept, b"1", None, TTL_SECONDS), Write(shortened, b"1", None)]
        )
        found = await subject.store.read([kept, shortened])
        await subject.store.commit(
            [
                Write(kept, b"2", found[kept].etag),
                Write(shortened, b"2", found[shortened].etag, TTL_SECONDS),
            ]
        )
        await subject.pass_time(EXPIRY_SECONDS)
        assert (await read(subject.store, kept)).value == b"2"
        assert await read(subject.store, shortened) == ABSENT

    async def test_a_ttl_that_no_store_can_keep_is_refused(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        for seconds in (-1, 0, MAX_TTL_SECONDS + 1):
            with pytest.raises(ValueError, match="is no TTL"):
                await subject.store.commit([Write(key, b"1", None, seconds)])
        await subject.store.commit([Write(key, b"1", None, MAX_TTL_SECONDS)])
        assert (await read(subject.store, key)).value == b"1"

    # Sizes

    async def test_an_empty_value_is_refused(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        with pytest.raises(ValueError, match="an empty value"):
            await subject.store.commit([Write(key, b"", None)])

    async def test_values_come_back_whole_up_to_four_megabytes(self, subject: StoreSubject) -> None:
        for size in (1, 1_000, MB, 4 * MB):
            (key,) = keys(1)
            await subject.store.commit([Write(key, b"x" * size, None)])
            value = (await read(subject.store, key)).value
            assert value is not None
            assert value == b"x" * size

    async def test_more_than_a_call_holds_is_too_large_alone_and_together(
        self, subject: StoreSubject
    ) -> None:
        alone, *together = keys(6)
        with pytest.raises(TooLarge):
            await subject.store.commit([Write(alone, b"x" * 5 * MB, None)])
        with pytest.raises(TooLarge):
            await subject.store.commit([Write(key, b"x" * MB, None) for key in together])
        found = await subject.store.read([alone, *together])
        assert set(found.values()) == {ABSENT}

    async def test_values_are_read_together_that_are_too_much_for_one_call(
        self, subject: StoreSubject
    ) -> None:
        large = keys(6)
        for key in large:
            await subject.store.commit([Write(key, b"x" * MB, None)])
        found = await subject.store.read(large)
        assert [len(found[key].value or b"") for key in large] == [MB] * 6

    async def test_a_thousand_keys_are_written_and_read_at_once(
        self, subject: StoreSubject
    ) -> None:
        many = keys(1_000)
        await subject.store.commit([Write(key, b"1", None) for key in many])
        found = await subject.store.read([*many, *keys(1_000)])
        assert sum(stored.value == b"1" for stored in found.values()) == 1_000
        assert len(found) == 2_000

    # Keys

    async def test_odd_keys_are_keys_like_any_other(self, subject: StoreSubject) -> None:
        (base,) = keys(1)
        odd = [
            *(f"{base}{end}" for end in (" ", "  ", "\n", "ü", "u\u0308", "😀", "|", "| |")),
            *(f"{base}{end}" for end in ("/", "?a=b#c", "%20", "'", '"', "\\", "*", "%", "_")),
            *(base.upper(), "", " ", "x" * (MAX_KEY_BYTES - len(base)) + base),
        ]
        before = await subject.store.read(odd)
        await subject.store.commit(
            [Write(key, key.encode() or b"empty", before[key].etag) for key in odd]
        )
        found = await subject.store.read(odd)
        assert {key: stored.value for key, stored in found.items()} == {
            key: key.encode() or b"empty" for key in odd
        }
        assert await read(subject.store, base) == ABSENT

    async def test_what_is_no_key_in_some_store_is_none_in_any(self, subject: StoreSubject) -> None:
        (good,) = keys(1)
        for bad in ("a||b", "||", "a\0b", "\ud800", "x" * (MAX_KEY_BYTES + 1)):
            with pytest.raises(Rejected, match="is no key"):
                await subject.store.read([good, bad])
            with pytest.raises(Rejected, match="is no key"):
                await subject.store.commit([Write(good, b"1", None), Write(bad, b"1", None)])
        assert await read(subject.store, good) == ABSENT

    async def test_a_key_is_written_once_in_a_transaction(self, subject: StoreSubject) -> None:
        (key,) = keys(1)
        with pytest.raises(ValueError, match="is written twice"):
            await subject.store.commit([Write(key, b"1", None), Write(key, b"2", None)])
        assert await read(subject.store, key) == ABSENT


def keys(number: int) -> list[str]:
    """Keys that nobody has used before."""
    return [f"key-{uuid4().hex}" for _ in range(number)]


async def read(store: Store, key: str) -> Stored:
    return (await store.read([key]))[key]


async def put(store: Store, key: str, value: bytes) -> str:
    """The ETag of what is written there now."""
    await store.commit([Write(key, value, (await read(store, key)).etag)])
    etag = (await read(store, key)).etag
    assert etag is not None
    return etag


async def commits(store: Store, *writes: Write) -> bool:
    try:
        await store.commit(writes)
    except StaleWrite:
        return False
    return True
