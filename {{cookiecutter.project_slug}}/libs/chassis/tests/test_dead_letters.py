import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.cloudevents import envelope
from chassis.deadletters import DeadLetter, letter_id
from chassis.deadletters.attempts import MAX_REMEMBERED, Attempts
from chassis.deadletters.letter import MAX_HEAD, UNKNOWN_CAUSE
from chassis.deadletters.pages import PAGE_SIZE, letter_key
from chassis.errors import Refused, Rejected, Unavailable
from chassis.handlers import Handlers
from chassis.service import Service
from chassis.settings import MAX_MESSAGE
from chassis.transaction import Transaction
from testkit import MemoryBroker, MemoryStore, running
from testkit.bank import Deposit, Deposited, deposit

FORWARDED = "/events/bank-dead-letters"


class Broken:
    """The handler's bug, until it is mended."""

    def __init__(self) -> None:
        self.cause: Exception | None = Rejected("a bug")

    async def handle(self, asked: Deposit, tx: Transaction) -> Deposited:
        if self.cause is not None:
            raise self.cause
        return await deposit(asked, tx)


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
async def bank(service: Service, broken: Broken) -> AsyncIterator[httpx.AsyncClient]:
    handlers = Handlers()
    handlers.on(Deposit)(broken.handle)
    service.subscribe(handlers)
    async with running(service) as client:
        yield client


def message(id: str = "1", **content: Any) -> bytes:
    sent = datetime(2030, 1, 1, tzinfo=UTC)
    event = envelope(Deposit(**content), id=id, source="test", traceparent=None, time=sent)
    return event.on_the_wire()


async def deliver(bank: httpx.AsyncClient, *messages: bytes, to: str = "/events/deposit") -> Any:
    """The statuses, one for each message of one bulk."""
    entries = [
        {"entryId": str(n), "event": b64encode(raw).decode()} for n, raw in enumerate(messages)
    ]
    response = await bank.post(to, json={"entries": entries})
    return [status["status"] for status in response.json()["statuses"]]


async def letters(bank: httpx.AsyncClient) -> list[dict[str, Any]]:
    found, page = [], 0
    while page is not None:
        listed = (await bank.get("/dead-letters", params={"page": page})).json()
        found += listed["letters"]
        page = listed["next_page"]
    assert len(found) == listed["count"]
    return found


async def only(bank: httpx.AsyncClient) -> dict[str, Any]:
    (letter,) = await letters(bank)
    shown: dict[str, Any] = (await bank.get(f"/dead-letters/{letter['id']}")).json()
    return shown


async def test_a_letter_tells_what_came_where_from_and_why_it_failed(
    bank: httpx.AsyncClient,
) -> None:
    assert await deliver(bank, message("7", amount=3)) == ["SUCCESS"]
    letter = await only(bank)
    assert letter["topic"] == "deposit"
    assert (letter["event_id"], letter["type"], letter["subject"]) == ("7", "deposit.v1", "ada")
    assert letter["cause"] == "a bug"
    assert letter["attempts"] == 1
    assert letter["payload"] == json.loads(message("7", amount=3))


@pytest.mark.parametrize(
    ("raw", "payload", "encoding"),
    [
        (b"garbage", "garbage", "utf-8"),
        (b"", "", "utf-8"),
        (b"\xff\x00", "/wA=", "base64"),
        (b'{"id": 1}', {"id": 1}, "utf-8"),
        (b"[" * 5_000, "[" * 5_000, "utf-8"),
        (b"1" * 10_000, "1" * 10_000, "utf-8"),
        (b"NaN", "NaN", "utf-8"),
        (b'"\\ud800"', '"\\ud800"', "utf-8"),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("route", ["/events/deposit", FORWARDED])
async def test_any_bytes_are_kept(
    bank: httpx.AsyncClient, route: str, raw: bytes, payload: Any, encoding: str
) -> None:
    assert await deliver(bank, raw, to=route) == ["SUCCESS"]
    letter = await only(bank)
    assert (letter["encoding"], letter["size"]) == (encoding, len(raw))
    assert letter["payload"] == payload or str(letter["payload"]) == payload
    refusal = await bank.post(f"/dead-letters/{letter['id']}/replay")
    assert (refusal.status_code, "not a CloudEvent" in refusal.text) == (422, True)
    assert len(await letters(bank)) == 1


async def test_the_letter_of_the_sidecar_knows_why_its_deliveries_failed(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore
) -> None:
    broken.cause, store.failures = Unavailable("away"), [Unavailable("so is the store")]
    assert await deliver(bank, message()) == ["RETRY"]
    assert await letters(bank) == []
    assert await deliver(bank, message(), to=FORWARDED) == ["SUCCESS"]
    letter = await only(bank)
    assert (letter["topic"], letter["cause"], letter["kind"]) == ("deposit", "away", "retrying")


async def test_what_the_sidecar_gave_up_on_is_tried_again_for_it_may_have_reached_no_handler(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore
) -> None:
    broken.cause = None
    await deliver(bank, message(amount=5), to=FORWARDED)
    letter = await only(bank)
    assert (letter["cause"], letter["kind"]) == (UNKNOWN_CAUSE, "retrying")
    # Only one topic here carries this type.
    assert letter["topic"] == "deposit"
    async with asyncio.timeout(5):
        while await letters(bank):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert store.get("ada", int) == 5


async def test_a_letter_that_cannot_be_kept_comes_again_and_loses_nothing(
    bank: httpx.AsyncClient, store: MemoryStore
) -> None:
    store.failures = [Unavailable(), Refused("no")]
    raw = message()
    assert await deliver(bank, raw) == ["RETRY"]
    assert await deliver(bank, raw) == ["RETRY"]
    assert await deliver(bank, raw) == ["SUCCESS"]
    letter = await only(bank)
    assert (letter["cause"], letter["attempts"]) == ("a bug", 3)


async def test_the_same_message_is_one_letter(bank: httpx.AsyncClient) -> None:
    raw = message()
    for _ in range(3):
        await deliver(bank, raw)
    assert (await only(bank))["attempts"] == 3


async def test_a_message_larger_than_a_service_takes_is_kept_whole_and_can_be_replayed(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore, service: Service
) -> None:
    broken.cause = None
    raw = message(amount=3) + b" " * service.settings.max_body_bytes
    assert await deliver(bank, raw) == ["SUCCESS"]
    letter = await only(bank)
    assert (letter["size"], letter["kind"], letter["event_id"]) == (len(raw), "permanent", "1")
    assert letter["cause"].startswith("larger than the 262144 bytes that max_body_bytes allows")
    assert store.get("ada", int) is None
    assert (await bank.post(f"/dead-letters/{letter['id']}/replay")).status_code == 200
    assert store.get("ada", int) == 3


@pytest.mark.parametrize("size", [MAX_MESSAGE + 1, 3 * MAX_MESSAGE])
async def test_of_a_message_that_no_service_takes_the_head_is_kept(
    bank: httpx.AsyncClient, size: int
) -> None:
    raw = b"x" * size
    assert await deliver(bank, raw) == ["SUCCESS"]
    letter = await only(bank)
    assert letter["size"] > MAX_MESSAGE
    assert letter["payload"] == "x" * MAX_HEAD
    assert "only its head" in (await bank.post(f"/dead-letters/{letter['id']}/replay")).text


@pytest.mark.parametrize(
    "raw",
    [
        b"x" * MAX_MESSAGE,
        b"\x01" * MAX_MESSAGE,
        b'"' * MAX_MESSAGE,
        b"\xff" * MAX_MESSAGE,
        "\U0001f600".encode() * (MAX_MESSAGE // 4),
        b"\x01" * 700_000,
        b'{"":0}' * 1_000,
    ],
    ids=lambda raw: f"{raw[:4]!r}*{len(raw)}",
)
async def test_a_letter_fits_through_a_sidecar_whatever_it_holds(
    bank: httpx.AsyncClient, store: MemoryStore, raw: bytes
) -> None:
    assert await deliver(bank, raw) == ["SUCCESS"]
    # daprd refuses what has more than 4 MiB.
    assert max(sum(len(w.value or b"") for w in each) for each in store.commits) < 3_400_000
    kept = kept_in(store, raw)
    assert kept.raw == raw


def kept_in(store: MemoryStore, raw: bytes) -> DeadLetter:
    kept = store.get(letter_key(letter_id(raw)), DeadLetter)
    assert kept is not None
    return kept


async def test_a_page_of_letters_is_a_short_answer_whatever_they_say(
    bank: httpx.AsyncClient, broken: Broken
) -> None:
    said = {"type": "\x01" * 255, "subject": "\U0001f600" * 255}
    for n in range(PAGE_SIZE):
        await deliver(bank, json.dumps(json.loads(message("'" * 250 + f"{n:05}")) | said).encode())
    page = await bank.get("/dead-letters")
    assert page.json()["count"] == PAGE_SIZE
    assert len(page.content) < 64 * 1024


async def test_a_cause_is_short_whatever_the_error_says(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore
) -> None:
    broken.cause = Rejected("\x01" * 1_000_000)
    await deliver(bank, message())
    assert len(json.dumps((await only(bank))["cause"])) < 2_100


async def test_many_letters_are_listed_in_pages_oldest_first(bank: httpx.AsyncClient) -> None:
    count = 2 * PAGE_SIZE + 5
    for n in range(count):
        await deliver(bank, b"%d" % n)
    listed = await letters(bank)
    assert [letter["id"] for letter in listed] == [str(letter_id(b"%d" % n)) for n in range(count)]


async def test_letters_of_one_bulk_are_all_kept(bank: httpx.AsyncClient) -> None:
    raws = [b"%d" % n for n in range(2 * PAGE_SIZE + 5)]
    assert await deliver(bank, *raws) == ["SUCCESS"] * len(raws)
    assert {letter["id"] for letter in await letters(bank)} == {str(letter_id(r)) for r in raws}


async def test_each_letter_is_counted_and_a_success_is_not(
    bank: httpx.AsyncClient, broken: Broken
) -> None:
    before = await counted(bank)
    await deliver(bank, *(message(str(n)) for n in range(3)))
    broken.cause = None
    await deliver(bank, message("good"))
    assert await counted(bank) == before + 3


async def counted(bank: httpx.AsyncClient) -> float:
    """What an alert on dead letters sees; all services of this process count together."""
    page = (await bank.get("/metrics")).text
    (value,) = re.findall(r'^dead_letters_total{kind="permanent"} (\S+)$', page, re.MULTILINE)
    return float(value)


async def test_a_page_that_is_empty_is_gone(bank: httpx.AsyncClient, store: MemoryStore) -> None:
    for n in range(PAGE_SIZE + 1):
        await deliver(bank, b"%d" % n)
    for letter in (await letters(bank))[:PAGE_SIZE]:
        await bank.post(f"/dead-letters/{letter['id']}/discard", json={"reason": "a test"})
    assert store.get("dead-letters:page:0", dict) is None
    assert len(await letters(bank)) == 1
    await deliver(bank, b"new")
    assert len(await letters(bank)) == 2


async def test_a_replay_has_the_effect_of_a_delivery_and_removes_the_letter(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore, broker: MemoryBroker
) -> None:
    await deliver(bank, message(amount=5))
    letter, broken.cause = await only(bank), None

    replayed = await bank.post(f"/dead-letters/{letter['id']}/replay")
    again = await bank.post(f"/dead-letters/{letter['id']}/replay")

    assert (replayed.status_code, again.status_code) == (200, 404)
    assert store.get("ada", int) == 5
    assert len(broker.published["deposited"]) == 1
    assert await letters(bank) == []


async def test_a_replay_that_fails_keeps_the_letter_with_the_new_cause(
    bank: httpx.AsyncClient, broken: Broken
) -> None:
    await deliver(bank, message())
    letter, broken.cause = await only(bank), ValueError("another bug")
    refusal = await bank.post(f"/dead-letters/{letter['id']}/replay")
    assert refusal.status_code == 422
    assert "it failed again: ValueError: another bug" in refusal.json()["detail"]
    kept = await only(bank)
    assert (kept["cause"], kept["attempts"]) == ("ValueError: another bug", 2)


async def test_a_replay_while_the_store_is_away_may_be_tried_again(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore
) -> None:
    await deliver(bank, message())
    letter, broken.cause, store.failures = await only(bank), None, [Unavailable("away")]
    assert (await bank.post(f"/dead-letters/{letter['id']}/replay")).status_code == 503
    assert (await bank.post(f"/dead-letters/{letter['id']}/replay")).status_code == 200


async def test_a_replay_that_is_interrupted_before_the_removal_loses_and_doubles_nothing(
    bank: httpx.AsyncClient, broken: Broken, store: MemoryStore, service: Service
) -> None:
    await deliver(bank, message(amount=5))
    letter, broken.cause = await only(bank), None
    handle = service.subscriptions.handle

    async def then_the_store_goes_away(event: Any, topic: str) -> None:
        await handle(event, topic)
        store.failures = [Unavailable("away")]

    kept = await service.dead_letters.find(UUID(letter["id"]))
    assert kept is not None
    with pytest.raises(Unavailable):
        await service.dead_letters.replay(kept, then_the_store_goes_away)
    assert len(await letters(bank)) == 1

    assert (await bank.post(f"/dead-letters/{letter['id']}/replay")).status_code == 200
    assert store.get("ada", int) == 5
    assert await letters(bank) == []


async def test_a_letter_that_was_replayed_and_fails_anew_is_a_letter_again(
    bank: httpx.AsyncClient, broken: Broken
) -> None:
    raw = b"not a CloudEvent"
    for _ in range(2):
        await deliver(bank, raw)
        letter = await only(bank)
        await bank.post(f"/dead-letters/{letter['id']}/discard", json={"reason": "a test"})
        assert await letters(bank) == []


async def test_a_letter_of_a_topic_that_nobody_handles_any_more_stays(
    bank: httpx.AsyncClient,
) -> None:
    unknown = json.loads(message()) | {"type": "withdrawn.v1"}
    await deliver(bank, json.dumps(unknown).encode(), to=FORWARDED)
    letter = await only(bank)
    assert letter["topic"] is None
    refusal = await bank.post(f"/dead-letters/{letter['id']}/replay")
    assert (refusal.status_code, "its topic is not known" in refusal.text) == (422, True)


async def test_a_discarded_letter_leaves_a_record_of_who_and_why(bank: httpx.AsyncClient) -> None:
    await deliver(bank, message())
    letter = await only(bank)
    why = {"reason": "sent by mistake", "by": "grace"}
    record = (await bank.post(f"/dead-letters/{letter['id']}/discard", json=why)).json()
    assert (record["reason"], record["by"]) == ("sent by mistake", "grace")
    assert record["letter"]["event_id"] == "1"
    gone = await bank.get(f"/dead-letters/{letter['id']}")
    assert (gone.status_code, gone.json()["detail"]) == (410, "discarded by grace: sent by mistake")
    assert await letters(bank) == []


@pytest.mark.parametrize("why", [{}, {"reason": ""}, {"reason": " \n"}, {"reason": "x" * 501}])
async def test_nothing_is_discarded_without_a_reason(
    bank: httpx.AsyncClient, why: dict[str, str]
) -> None:
    await deliver(bank, message())
    letter = await only(bank)
    assert (await bank.post(f"/dead-letters/{letter['id']}/discard", json=why)).status_code == 422
    assert len(await letters(bank)) == 1


async def test_a_letter_that_never_was_is_not_found(bank: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("POST", "/replay")):
        response = await bank.request(method, f"/dead-letters/{uuid4()}{path}")
        assert response.status_code == 404


def test_what_is_remembered_of_failures_is_bounded() -> None:
    attempts = Attempts()
    first, *others = (uuid4() for _ in range(MAX_REMEMBERED + 1))
    for letter in (first, *others):
        attempts.failed(letter, "deposit", "away")
    assert attempts.take(first) is None
    assert attempts.take(others[0]) is not None
