"""A request under an Idempotency-Key is done once, for good, and compared as it was sent."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from pydantic import BaseModel

from chassis.errors import Rejected, Unavailable
from chassis.handlers import step
from chassis.messages import topic_of
from chassis.service import Service
from chassis.transaction import Transaction
from testkit import MemoryStore, running


class Ask(BaseModel):
    """A request as today's code knows it."""

    version: ClassVar[int] = 1
    topic: ClassVar[str] = "ask"

    item: str
    style: str = "slow"

    @property
    def subject(self) -> str:
        return self.item


class AskUpgraded(Ask):
    """The same request after an upgrade: one more optional field, and another default."""

    style: str = "fast"
    gift: bool = False


class Answered(Ask):
    topic: ClassVar[str] = "answered"


async def accept(asked: Ask, tx: Transaction) -> Answered:
    tx.put("count", (await tx.get("count", int) or 0) + 1)
    return Answered(item=asked.item, style=asked.style)


@pytest.fixture
async def shop(service: Service) -> AsyncIterator[Service]:
    service.records(Answered)
    async with running(service):
        yield service


async def take(shop: Service, asked: Ask) -> Answered:
    (outcome,) = await shop.take(asked, step(accept, type(asked)), "key")
    assert isinstance(outcome, Answered)
    return outcome


async def test_a_request_that_is_sent_again_is_done_once(shop: Service, store: MemoryStore) -> None:
    assert await take(shop, Ask(item="tea")) == await take(shop, Ask(item="tea"))
    assert store.get("count", int) == 1


@pytest.mark.parametrize("other", [Ask(item="coffee"), Ask(item="tea", style="hybrid")])
async def test_another_request_under_the_same_key_is_refused(shop: Service, other: Ask) -> None:
    await take(shop, Ask(item="tea"))
    with pytest.raises(Rejected, match="this Idempotency-Key was used before"):
        await take(shop, other)


async def test_an_honest_retry_after_an_upgrade_gets_what_was_accepted_before(
    shop: Service,
) -> None:
    assert topic_of(Ask) == topic_of(AskUpgraded)
    before = await take(shop, Ask(item="tea"))
    assert await take(shop, AskUpgraded(item="tea")) == before
    assert before.style == "slow"


class AnsweredLater(Answered):
    """What is recorded after an upgrade, with one more optional field."""

    gift: bool = False


class AnsweredV2(Answered):
    topic: ClassVar[str] = "answered"
    version = 2


async def test_a_record_of_before_an_optional_field_is_read(shop: Service) -> None:
    await take(shop, Ask(item="tea"))
    shop.records(AnsweredLater)
    assert await take(shop, Ask(item="tea")) == AnsweredLater(item="tea", gift=False)


async def test_a_record_is_read_in_each_version_that_is_named(shop: Service) -> None:
    before = await take(shop, Ask(item="tea"))
    shop.records(AnsweredV2, Answered)
    assert await take(shop, Ask(item="tea")) == before
    shop.records(AnsweredV2)
    with pytest.raises(Unavailable, match=r"'answered.v1' is not one of .* service.records"):
        await take(shop, Ask(item="tea"))


async def test_a_key_is_known_for_as_long_as_what_was_made_under_it(
    shop: Service, store: MemoryStore
) -> None:
    await take(shop, Ask(item="tea"))
    assert [write.ttl_seconds for writes in store.commits for write in writes] == [None, None]
