from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis import CloudEvent, Handlers, Service, ServiceSettings, Transaction, Workflows
from chassis.messages import Message
from testkit.bank import Deposit, Deposited
from testkit.in_flight import load, problems


class DepositV2(Deposit):
    topic: ClassVar[str] = "deposit"
    version = 2


class Renamed(Deposit):
    pass


class Opening(BaseModel):
    """What a workflow starts from."""

    first: Deposit


class Audit(BaseModel):
    opening: Opening | None


async def old(_: Deposit, __: Transaction) -> Deposited | None:
    return None


async def either(_: Deposit | DepositV2, __: Transaction) -> Deposited | None:
    return None


def commands(handler: Any, *messages: type[Message]) -> Handlers:
    handlers = Handlers()
    handlers.on(*messages)(handler)
    return handlers


def bank() -> Service:
    return Service(ServiceSettings(app_id="bank"), title="Bank")


BOTH = {"deposit": frozenset({1, 2}), "deposited": frozenset({2})}


def test_nothing_is_wrong_while_each_version_is_read() -> None:
    service = bank()
    service.subscribe(commands(either, Deposit, DepositV2))
    assert problems(BOTH, [service], [Deposit, DepositV2, Deposited]) == []


def test_a_service_that_takes_no_commands_may_find_the_refusal_listed() -> None:
    listed = {"deposited": frozenset({2}), "command-refused": frozenset({1})}
    assert problems(listed, [bank()], [Deposited]) == []


def test_a_consumer_that_cannot_read_a_version_is_named_with_both_ways_out() -> None:
    service = bank()
    service.subscribe(commands(old, Deposit))
    assert problems(BOTH, [service], [DepositV2]) == [
        f"bank cannot read deposit.v2, which may be in flight: let {__name__}.old read it, or "
        "remove it from in_flight.toml once nothing of it can be in flight (docs/versions.md)"
    ]


def test_so_is_who_answers_a_command_in_either_way_and_once() -> None:
    service = bank()
    service.answer(commands(old, Deposit))
    service.consume(commands(old, Deposit))
    refusals, line = problems(BOTH, [service], [DepositV2])
    assert line.startswith("bank cannot read deposit.v2")
    assert "is command-refused.v1, which in_flight.toml does not list" in refusals


def test_replies_and_envelopes_in_a_history_are_read_in_each_version() -> None:
    workflows = Workflows()
    workflows.reads(Deposit)
    replies = Handlers()
    replies.on(Deposit, Deposited, topic="bank-replies")(either_reply)
    service = bank()
    service.host(workflows)
    service.await_replies(replies, None, then=acknowledged)
    assert [line.partition(": let ")[2] for line in problems(BOTH, [service], [DepositV2])] == [
        f"{__name__}.either_reply read it, {OR}",
        f"Workflows.reads in no workflow read it, {OR}",
    ]


def test_who_asks_reads_every_reply() -> None:
    replies = Handlers()
    replies.on(Deposited, topic="shop-replies")(either_reply)
    shop = Service(ServiceSettings(app_id="shop"), title="Shop")
    shop.await_replies(replies, None, then=acknowledged)
    service = bank()
    service.consume(commands(either, Deposit, DepositV2))
    listed = BOTH | {"command-refused": frozenset({1})}
    assert problems(listed, [shop, service], []) == []
    shop.publishes(Deposit)
    (line,) = problems(listed, [shop, service], [])
    assert line.startswith("shop cannot read command-refused.v1")


def test_so_is_every_field_of_a_history_that_holds_a_message() -> None:
    workflows = Workflows()
    workflows.workflow(open_account)
    workflows.activity(audit)
    service = bank()
    service.host(workflows)
    lines = problems(BOTH, [service], [DepositV2, Deposited])
    assert [line.partition(": let ")[2].partition(" ")[0] for line in lines] == [
        f"{__name__}.Opening.first"
    ]


def test_so_is_what_an_api_finds_in_the_record_of_a_request() -> None:
    service = bank()
    service.records(Deposit)
    (line,) = problems(BOTH, [service], [DepositV2, Deposited])
    assert line.startswith(
        "bank cannot read deposit.v2, which may be in flight: let service.records in main.py read"
    )


def test_what_is_recorded_must_be_listed() -> None:
    service = bank()
    service.records(Deposit)
    (line,) = problems({}, [service], [])
    assert "is deposit.v1, which in_flight.toml does not list" in line


def test_a_version_that_a_service_can_publish_must_be_listed() -> None:
    service = bank()
    service.publishes(DepositV2)
    listed = {"deposit": frozenset({1})}
    assert problems(listed, [service], [Deposit]) == [
        f"{__name__}.DepositV2 is deposit.v2, which in_flight.toml does not list: write "
        "`deposit = [1, 2]` there, or delete the class"
    ]


def test_so_must_what_a_handler_returns() -> None:
    service = bank()
    service.subscribe(commands(old, Deposit))
    (line,) = problems({"deposit": frozenset({1})}, [service], [])
    assert "deposited.v2" in line


def test_a_class_that_is_renamed_without_a_topic_is_another_message() -> None:
    listed = {"deposit": frozenset({1})}
    assert [line.partition(",")[0] for line in problems(listed, [], [Renamed])] == [
        f"{__name__}.Renamed is renamed.v1",
        "deposit.v1 may be in flight",
    ]


def test_two_classes_of_one_type_are_refused_wherever_they_are() -> None:
    other = type("Deposit", (Deposit,), {})
    (line,) = problems({"deposit": frozenset({1})}, [], [Deposit, other])
    assert "are both deposit.v1" in line


def test_the_list_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "in_flight.toml"
    file.write_text("deposit = [1, 2]\n")
    assert load(file) == {"deposit": {1, 2}}
    assert problems(file, [], [Deposit, DepositV2]) == []


OR = "or remove it from in_flight.toml once nothing of it can be in flight (docs/versions.md)"


async def acknowledged(_: CloudEvent, __: Sequence[CloudEvent]) -> None:
    pass


async def either_reply(_: Deposit | Deposited, __: Transaction) -> None:
    pass


def open_account(ctx: DaprWorkflowContext, start: Opening) -> Generator[Any, Any, Deposited]:
    yield
    return Deposited(account=start.first.account, balance=0)


async def audit(opening: Audit, _: Service) -> CloudEvent:
    raise NotImplementedError(opening)
