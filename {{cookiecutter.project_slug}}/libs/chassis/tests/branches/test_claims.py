"""The workflow of docs/branches.md: played turn by turn, and under every fault."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis import (
    CloudEvent,
    CommandRefused,
    Handlers,
    Ports,
    Service,
    ServiceSettings,
    Transaction,
    envelope,
)
from chassis.messages import Message
from testkit import ActivityCall, EventWait, Played, activity_failed, play
from testkit.simulation import Check, Simulation, World, schedules
from testkit.simulation.process import Process

from . import api
from .claims import (
    Approval,
    Asked,
    BudgetFreed,
    BudgetRefused,
    BudgetReserved,
    CheckReceipts,
    Claim,
    ClaimDecided,
    Decision,
    FreeBudget,
    ReceiptsAccepted,
    ReceiptsRefused,
    ReserveBudget,
    decide,
    key,
)

SMALL = Claim(
    id="c-1", cents=500, approve_above=1_000, approve_within=timedelta(hours=1), app_id="claims"
)
LARGE = SMALL.model_copy(update={"cents": 5_000})

RESERVED, ACCEPTED = BudgetReserved(claim="c-1"), ReceiptsAccepted(claim="c-1")
FREED = BudgetFreed(claim="c-1")
NO_BUDGET = BudgetRefused(claim="c-1", reason="the budget is used up")
NO_RECEIPTS = ReceiptsRefused(claim="c-1", reason="a receipt is missing")
REFUSED = CommandRefused(subject="c-1", reason="no")
AWAY = activity_failed("HTTP 503")
GRANTED, DENIED = Approval(by="ada", granted=True), Approval(by="ada", granted=False)

Reply = Message | Exception


class Answers:
    """What the engine comes back with. `replies`: by topic, and the last one for ever."""

    def __init__(
        self,
        replies: Mapping[str, list[Reply]],
        approval: object = None,
        known: ClaimDecided | None = None,
    ) -> None:
        usual: dict[str, list[Reply]] = {
            "reserve-budget": [RESERVED],
            "check-receipts": [ACCEPTED],
            "free-budget": [FREED],
        }
        self._replies = {topic: list(each) for topic, each in {**usual, **replies}.items()}
        self._approval, self._known = approval, known

    def __call__(self, wanted: ActivityCall | EventWait) -> Any:
        if isinstance(wanted, EventWait):
            if self._approval is None:
                raise TimeoutError
            return self._approval
        if wanted.name == "find_decision":
            return {"decision": self._known and self._known.model_dump(mode="json")}
        if wanted.name == "record":
            return Decision.model_validate(wanted.input).event.data
        asked = Asked.model_validate(wanted.input)
        replies = self._replies[asked.topic]
        reply = replies.pop(0) if replies[1:] else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return self._event(reply, asked.command).model_dump(mode="json")

    @staticmethod
    def _event(reply: Message, command: CloudEvent) -> CloudEvent:
        return envelope(reply, id="1", source="p", traceparent=None, causationid=command.id)


def played(
    claim: Claim = SMALL,
    approval: object = None,
    known: ClaimDecided | None = None,
    **replies: list[Reply],
) -> Played[ClaimDecided]:
    by_topic = {name.replace("_", "-"): each for name, each in replies.items()}
    said = approval.model_dump(mode="json") if isinstance(approval, Approval) else approval
    return play(decide, claim, Answers(by_topic, said, known), instance_id=claim.id)


def asked(run: Played[ClaimDecided]) -> list[str]:
    return [Asked.model_validate(call.input).topic for call in run.calls("ask")]


def test_both_checks_are_asked_for_before_either_answers() -> None:
    run = played()
    assert run.result == ClaimDecided(claim="c-1", accepted=True, reason="")
    assert asked(run) == ["reserve-budget", "check-receipts"]


def test_a_small_claim_needs_no_approval() -> None:
    assert not [each for each in played().asked if isinstance(each, EventWait)]


def test_a_large_claim_is_accepted_once_a_human_approves_it() -> None:
    run = played(LARGE, GRANTED)
    assert run.result.accepted
    assert EventWait("approval", timedelta(hours=1)) in run.asked
    assert "free-budget" not in asked(run)


@pytest.mark.parametrize(
    ("approval", "reason"),
    [
        (DENIED, "ada did not approve it"),
        (None, "nobody approved it within 1:00:00"),
        ({"no": "approval"}, "the approval is not readable"),
    ],
)
def test_the_budget_is_freed_without_an_approval(approval: object, reason: str) -> None:
    run = played(LARGE, approval)
    assert run.result == ClaimDecided(claim="c-1", accepted=False, reason=reason)
    assert asked(run)[-1] == "free-budget"


def test_the_budget_is_freed_when_the_step_beside_it_is_refused() -> None:
    run = played(LARGE, GRANTED, check_receipts=[NO_RECEIPTS])
    assert run.result.reason == "audit: a receipt is missing"
    assert asked(run) == ["reserve-budget", "check-receipts", "free-budget"]


@pytest.mark.parametrize("refusal", [NO_BUDGET, REFUSED])
def test_a_budget_that_was_refused_is_not_freed(refusal: Message) -> None:
    run = played(reserve_budget=[refusal])
    assert not run.result.accepted
    assert asked(run) == ["reserve-budget", "check-receipts"]


def test_a_budget_that_may_be_reserved_is_freed() -> None:
    run = played(reserve_budget=[AWAY])
    assert run.result.reason == "budgets did not answer: HTTP 503"
    assert asked(run)[-1] == "free-budget"


def test_an_attempt_that_fails_is_repeated_under_the_same_id() -> None:
    run = played(reserve_budget=[AWAY, AWAY, RESERVED])
    commands = [Asked.model_validate(call.input).command for call in run.calls("ask")]
    reserving = [each.id for each in commands if each.type == "reserve-budget.v1"]
    assert run.result.accepted
    assert len(reserving) == 3
    assert len(set(reserving)) == 1


def test_an_undo_that_is_refused_is_repeated_under_another_id() -> None:
    run = played(LARGE, DENIED, free_budget=[REFUSED, AWAY, FREED])
    commands = [Asked.model_validate(call.input).command for call in run.calls("ask")]
    first, second, third = (each.id for each in commands if each.type == "free-budget.v1")
    assert first != second == third


def test_a_claim_that_is_decided_is_not_decided_again() -> None:
    before = ClaimDecided(claim="c-1", accepted=True, reason="")
    run = played(known=before)
    assert run.result == before
    assert asked(run) == []


# The same under every fault: two participants, and a client of the API.

#: What a run is about, by the id of its claim.
NO_BUDGET_ID, NO_RECEIPTS_ID, GOOD_ID = "no-budget", "no-receipts", "good"


def budgets(ports: Ports) -> Service:
    commands = Handlers()

    @commands.on(ReserveBudget)
    async def reserve(command: ReserveBudget, tx: Transaction) -> BudgetReserved | BudgetRefused:
        if command.claim == NO_BUDGET_ID:
            return BudgetRefused(claim=command.claim, reason="the budget is used up")
        await tx.get("reserved", list[str])
        tx.put("reserved", [command.claim])
        return BudgetReserved(claim=command.claim)

    @commands.on(FreeBudget, undoes=ReserveBudget)
    async def free(command: FreeBudget, tx: Transaction) -> BudgetFreed:
        await tx.get("reserved", list[str])
        tx.put("reserved", list[str]())
        return BudgetFreed(claim=command.claim)

    service = Service(ServiceSettings(app_id="budgets"), title="Budgets", ports=ports)
    service.answer(commands)
    return service


def audit(ports: Ports) -> Service:
    commands = Handlers()

    @commands.on(CheckReceipts)
    async def check(command: CheckReceipts, _: Transaction) -> ReceiptsAccepted | ReceiptsRefused:
        if command.claim == NO_RECEIPTS_ID:
            return ReceiptsRefused(claim=command.claim, reason="a receipt is missing")
        return ReceiptsAccepted(claim=command.claim)

    service = Service(ServiceSettings(app_id="audit"), title="Audit", ports=ports)
    service.answer(commands)
    return service


def scenario(world: World) -> Check:
    id = world.pick((GOOD_ID, NO_RECEIPTS_ID, NO_BUDGET_ID))
    check_within = world.pick((LARGE.check_within, timedelta(seconds=1)))
    claim = world.pick((LARGE, SMALL)).model_copy(update={"id": id, "check_within": check_within})
    if world.pick((False, True)):
        # Longer than a short check is tried: the undo overtakes what it undoes.
        world.hold_back("budgets", "reserve-budget")
    approval = world.pick((GRANTED, DENIED, None))
    seconds = world.pick((1.0, 60.0, 3_599.0, 3_600.0, 3_601.0))
    world.is_balanced = world.pick((False, True))

    async def begin(process: Process) -> None:
        await process.service.workflows.begin(decide, claim.id, claim)

    async def approve(process: Process) -> None:
        assert approval is not None
        await api.answer(claim.id, approval, process.service)

    def request(what: str, work: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        world.request("claims", what, work)

    def begun(_: object) -> None:
        if approval is not None:
            world.later(seconds, partial(request, "approve", approve))
        # The client has lost the answer, and sends its request again after all has ended.
        world.later(7_200, partial(request, "begin again", begin))

    world.request("claims", "begin", begin, begun)

    def check() -> list[str]:
        decided = world.store("claims").get(key(claim.id), ClaimDecided)
        published = {
            (each.event.id, each.event.data["accepted"])
            for each in world.broker.log
            if each.topic == "claim-decided" and each.event
        }
        reserved = world.store("budgets").get("reserved", list[str]) or []
        if decided is None:
            return ["nothing is decided"]
        wrong = []
        if [is_accepted for _, is_accepted in published] != [decided.accepted]:
            wrong.append(f"{decided} is stored, and {published} were published")
        if (claim.id in reserved) != decided.accepted:
            wrong.append(f"{decided}, and reserved is {reserved}")
        needs_approval = claim.cents > claim.approve_above and approval is not GRANTED
        if decided.accepted and (claim.id != GOOD_ID or needs_approval):
            wrong.append(f"{decided}, against the rules")
        return wrong

    return check


def test_whatever_fails_a_claim_is_decided_once_and_its_budget_agrees() -> None:
    Simulation([api.compose, budgets, audit], scenario).explore(schedules(300))


def test_an_approval_in_time_is_not_lost() -> None:
    ends: list[bool] = []

    def approved(world: World) -> Check:
        check = scenario(world)

        def note() -> list[str]:
            decided = world.store("claims").get(key(GOOD_ID), ClaimDecided)
            ends.append(decided is not None and decided.accepted)
            return check()

        return note

    Simulation([api.compose, budgets, audit], approved).replay([])
    assert ends == [True]
