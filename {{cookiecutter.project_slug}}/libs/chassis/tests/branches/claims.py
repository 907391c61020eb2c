"""Expense claims, decided by a workflow: two checks side by side, and a human's approval.

docs/branches.md quotes this file.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, timedelta
from itertools import count
from typing import Any, ClassVar

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel, Field, ValidationError

from chassis import (
    Calls,
    CloudEvent,
    CommandRefused,
    Rejected,
    Service,
    Transaction,
    Unavailable,
    Workflows,
    cut,
    derived_id,
    envelope,
    read,
    step,
    topic_of,
)
from chassis.messages import Message
from chassis.saga import together

#: Between two attempts of an undo that its participant refuses.
UNDO_AGAIN = timedelta(minutes=10)
#: Bytes of a reason.
MAX_REASON = 500
#: The name of the event that a workflow waits for.
APPROVAL = "approval"


class ClaimMessage(BaseModel):
    version: ClassVar[int] = 1

    claim: str

    @property
    def subject(self) -> str:
        return self.claim


class ReserveBudget(ClaimMessage):
    cents: int


class BudgetReserved(ClaimMessage):
    pass


class BudgetRefused(ClaimMessage):
    reason: str


class FreeBudget(ClaimMessage):
    pass


class BudgetFreed(ClaimMessage):
    pass


class CheckReceipts(ClaimMessage):
    cents: int


class ReceiptsAccepted(ClaimMessage):
    pass


class ReceiptsRefused(ClaimMessage):
    reason: str


class ClaimDecided(ClaimMessage):
    accepted: bool
    reason: str


class Claim(BaseModel):
    """What the workflow starts from. All that it depends on is here: a replay sees the same."""

    id: str
    cents: int
    #: How long a check is tried.
    check_within: timedelta = timedelta(minutes=2)
    approve_above: int
    approve_within: timedelta
    app_id: str
    traceparent: str | None = None


class Approval(BaseModel):
    by: str = Field(min_length=1, max_length=100)
    granted: bool


class Asked(BaseModel):
    """A command for a participant."""

    at: str
    topic: str
    command: CloudEvent

    @property
    def cause(self) -> CloudEvent:
        return self.command


class Decision(BaseModel):
    """The end of a claim, as a message."""

    event: CloudEvent

    @property
    def cause(self) -> CloudEvent:
        return self.event


class Known(BaseModel):
    decision: ClaimDecided | None


@dataclass(frozen=True, slots=True)
class Checked:
    #: Why not; None: it was done.
    refusal: str | None
    may_be_done: bool


workflows = Workflows()
replies: dict[str, type[Message]] = workflows.reads(
    BudgetReserved, BudgetRefused, BudgetFreed, ReceiptsAccepted, ReceiptsRefused, CommandRefused
)


@workflows.workflow
def decide(ctx: DaprWorkflowContext, claim: Claim) -> Generator[Any, Any, ClaimDecided]:
    calls = Calls(ctx)
    # Idempotency: the engine takes an id again once its workflow has ended.
    known = yield from calls(find_decision, claim)
    if known.decision is not None:
        return known.decision
    budget, receipts = yield from together(
        check(ctx, calls, claim, "budgets", ReserveBudget(claim=claim.id, cents=claim.cents)),
        check(ctx, calls, claim, "audit", CheckReceipts(claim=claim.id, cents=claim.cents)),
    )
    reason = budget.refusal or receipts.refusal
    if reason is None and claim.cents > claim.approve_above:
        reason = yield from approval(ctx, claim)
    if reason is not None and budget.may_be_done:
        yield from undo(ctx, calls, claim, "budgets", FreeBudget(claim=claim.id))
    decided = ClaimDecided(claim=claim.id, accepted=reason is None, reason=reason or "")
    return (yield from calls(record, Decision(event=message(ctx, claim, decided))))


def check(
    ctx: DaprWorkflowContext, calls: Calls, claim: Claim, at: str, command: Message
) -> Generator[Any, Any, Checked]:
    """A part of `together` may not raise."""
    try:
        reply = yield from calls(ask, asked(ctx, claim, at, command), claim.check_within)
    except (Rejected, Unavailable) as error:
        # Only the participant can say that nothing was done: this counts as done.
        return Checked(cut(f"{at} did not answer: {error}", MAX_REASON), may_be_done=True)
    said = read(reply, replies)
    if isinstance(said, BudgetRefused | ReceiptsRefused | CommandRefused):
        return Checked(cut(f"{at}: {said.reason}", MAX_REASON), may_be_done=False)
    return Checked(None, may_be_done=True)


def approval(ctx: DaprWorkflowContext, claim: Claim) -> Generator[Any, Any, str | None]:
    """Why it is not approved. The first answer counts, even one that came before this wait."""
    try:
        said = yield ctx.wait_for_external_event(APPROVAL, timeout=claim.approve_within)
        answer = Approval.model_validate(said)
    except TimeoutError:
        return f"nobody approved it within {claim.approve_within}"
    except ValidationError:
        # Whoever raised it did not use the API: a workflow that fails here would undo nothing.
        return "the approval is not readable"
    return None if answer.granted else f"{answer.by} did not approve it"


def undo(
    ctx: DaprWorkflowContext, calls: Calls, claim: Claim, at: str, command: Message
) -> Generator[Any, Any, None]:
    """Returns once it is undone, however long that takes."""
    for refusals in count():
        # What is refused stays refused under its id, so the next attempt has another one.
        again = [str(refusals)] if refusals else []
        reply = yield from calls(ask, asked(ctx, claim, at, command, *again))
        if not isinstance(read(reply, replies), CommandRefused):
            return
        yield ctx.create_timer(UNDO_AGAIN)


def asked(ctx: DaprWorkflowContext, claim: Claim, at: str, command: Message, *again: str) -> Asked:
    event = message(ctx, claim, command, *again)
    return Asked(at=at, topic=topic_of(type(command)), command=event)


def message(ctx: DaprWorkflowContext, claim: Claim, content: Message, *again: str) -> CloudEvent:
    """The same id and time in each replay: no clock and no random number in a workflow."""
    return envelope(
        content,
        id=derived_id(ctx.instance_id, topic_of(type(content)), *again),
        source=claim.app_id,
        traceparent=claim.traceparent,
        time=ctx.current_utc_datetime.replace(tzinfo=UTC),
    )


@workflows.activity
async def ask(asked: Asked, service: Service) -> CloudEvent:
    reply = await service.participants.ask(asked.at, asked.command, asked.topic)
    try:
        read(reply, replies)
    except Rejected as error:
        # The participant may have acted: it is asked again.
        raise Unavailable(f"the reply of {asked.at} is not readable: {error}") from error
    return reply


@workflows.activity
async def record(decision: Decision, service: Service) -> ClaimDecided:
    """Store the decision and publish it, once however often this runs."""
    (event,) = await service.processor.process(decision.event, step(_record, ClaimDecided))
    return ClaimDecided.model_validate(event.data)


async def _record(decided: ClaimDecided, tx: Transaction) -> ClaimDecided:
    # The key must be read before it is written: the write is guarded by its ETag.
    known = await tx.get(key(decided.claim), ClaimDecided)
    if known is None:
        tx.put(key(decided.claim), decided)
    return known or decided


@workflows.activity
async def find_decision(claim: Claim, service: Service) -> Known:
    return Known(decision=await service.look_up(key(claim.id), ClaimDecided))


def key(claim: str) -> str:
    return f"claim:{claim}"
