import pytest

from chassis.cloudevents import envelope
from chassis.errors import Rejected
from chassis.handlers import Handlers, by_type, read
from chassis.messages import topic_of, type_of
from chassis.testing.bank import Deposit, Deposited, deposit


def test_a_topic_is_the_name_of_the_message_in_lower_case_with_hyphens() -> None:
    assert topic_of(type("OrderPlaced", (Deposit,), {})) == "order-placed"
    assert topic_of(Deposit) == "deposit"


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
    handlers.on(Deposit, Deposited, topic="replies")(deposit)
    assert set(handlers["replies"].messages) == {"deposit.v1", "deposited.v2"}
