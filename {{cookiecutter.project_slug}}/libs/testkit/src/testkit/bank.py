"""A made-up service, for the tests of the chassis itself: deposits into accounts."""

from typing import ClassVar

from pydantic import BaseModel

from chassis.handlers import Handlers
from chassis.transaction import Transaction


class Deposit(BaseModel):
    version: ClassVar[int] = 1

    account: str = "ada"
    amount: int = 1

    @property
    def subject(self) -> str:
        return self.account


class Deposited(BaseModel):
    version: ClassVar[int] = 2

    account: str
    balance: int

    @property
    def subject(self) -> str:
        return self.account


class Refusal(Exception):
    """What `deposit` raises for an amount below zero."""


handlers = Handlers()


@handlers.on(Deposit)
async def deposit(asked: Deposit, tx: Transaction) -> Deposited:
    balance = (await tx.get(asked.account, int) or 0) + asked.amount
    if asked.amount < 0:
        raise Refusal(f"{asked.amount} is below zero")
    tx.put(asked.account, balance)
    return Deposited(account=asked.account, balance=balance)
