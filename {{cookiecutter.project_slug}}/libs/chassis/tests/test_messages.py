from typing import ClassVar

import pytest

from chassis.cloudevents import envelope
from chassis.errors import Rejected
from chassis.handlers import Handlers, by_type, read, step
from chassis.messages import topic_of, type_of
from chassis.transaction import Transaction
from testkit.bank import Deposit, Deposited, deposit


class DepositV2(Deposit):
    topic: ClassVar[str] = "deposit"
    version = 2


class OtherDeposit(Deposit):
    topic: ClassVar[str] = "deposit"


def test_a_topic_is_the_name_of_the_message_in_lower_case_with_hyphens() -> None:
    assert topic_of(type("MoneyDeposited", (Deposit,), {})) == "money-deposited"
    assert topic_of(Deposit) == "deposit"


def test_a_class_of_any_name_may_state_its_topic() -> None:
    assert topic_of(DepositV2) == "deposit"
    assert type_of(DepositV2) == "deposit.v2"


def test_a_class_named_after_a_version_must_state_its_topic() -> None:
    with pytest.raises(ValueError, match=r'^MoneySentV1 needs `topic = "money-sent"` and its'):
        topic_of(type("MoneySentV1", (Deposit,), {}))


@pytest.mark.parametrize("name", ["Deposit", "money_deposited", "1st", "a.b", "a" * 81, "a\n"])
def test_a_name_that_a_broker_may_refuse_is_no_topic(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a topic"):
        topic_of(type("Stated", (DepositV2,), {"topic": name}))
    with pytest.raises(ValueError, match="cannot be a topic"):
        step(deposit, Deposit, topic=name)


def test_versions_begin_at_1() -> None:
    with pytest.raises(ValueError, match="version 0"):
        type_of(type("Early", (Deposit,), {"version": 0}))


def test_a_type_is_the_topic_and_the_version() -> None:
    assert type_of(Deposit) == "deposit.v1"
    assert type_of(Deposited) == "deposited.v2"


def test_a_message_survives_its_envelope() -> None:
    sent = Deposit(account="bob", amount=7)
    event = envelope(sent, id="1", source="test", traceparent=None)
    assert read(event, by_type(Deposit, Deposited)) == sent


def test_an_unknown_version_is_rejected() -> None:
    event = envelope(Deposit(), id="1", source="test", traceparent=None)
    newer = event.model_copy(update={"type": "deposit.v9"})
    with pytest.raises(Rejected, match=r"deposit\.v9.*deposit\.v1"):
        read(newer, by_type(Deposit))


def test_data_of_the_wrong_schema_is_rejected_with_the_field() -> None:
    event = envelope(Deposit(), id="1", source="test", traceparent=None)
    wrong = event.model_copy(update={"data": {"amount": "many"}})
    with pytest.raises(Rejected, match="amount"):
        read(wrong, by_type(Deposit))


def test_a_topic_has_one_handler_in_a_registry() -> None:
    handlers = Handlers()
    handlers.on(Deposit)(deposit)
    with pytest.raises(ValueError, match="deposit"):
        handlers.on(Deposit)(deposit)


def test_messages_may_share_a_topic_that_is_given() -> None:
    handlers = Handlers()
    handlers.on(Deposit, Deposited, topic="replies")(either)
    assert set(handlers["replies"].messages) == {"deposit.v1", "deposited.v2"}


async def test_versions_of_a_message_are_one_step_that_reads_each() -> None:
    handlers = Handlers()
    handlers.on(DepositV2, Deposit, Deposited)(either)
    assert [step.topic for step in handlers] == ["deposit", "deposited"]
    assert handlers["deposit"].messages == {"deposit.v1": Deposit, "deposit.v2": DepositV2}


def test_two_classes_of_one_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bank\.Deposit and .*OtherDeposit are both deposit\.v1"):
        Handlers().on(Deposit, OtherDeposit)(deposit)


def test_a_handler_must_be_annotated_with_what_it_reads() -> None:
    with pytest.raises(ValueError, match=r"^deposit is registered for Deposited, and"):
        Handlers().on(Deposit, Deposited)(deposit)


async def either(_: Deposit | Deposited, __: Transaction) -> None:
    pass
