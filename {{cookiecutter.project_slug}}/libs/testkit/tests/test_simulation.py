"""The kit, judged on a bank of which it is known what is wrong."""

import pytest

from chassis import Handlers, Ports, Service, ServiceSettings, Transaction, derived_id
from testkit import bank, memory_ports
from testkit.bank import Deposit, Deposited
from testkit.simulation import Broken, Check, Simulation, World
from testkit.simulation.faults import Fault
from testkit.simulation.workspace import Composition

AMOUNTS = (5, 2)


def serving(*handlers: Handlers) -> Composition:
    def compose(ports: Ports) -> Service:
        service = Service(ServiceSettings(app_id="bank"), title="Bank", ports=ports)
        for each in handlers:
            service.subscribe(each)
        return service

    return compose


def two_deposits(world: World) -> Check:
    for number, amount in enumerate(AMOUNTS):
        world.publish(Deposit(amount=amount), id=str(number))

    def check() -> list[str]:
        balance = world.store("bank").get("ada", int)
        log = world.broker.log
        published = {each.event.id for each in log if each.topic == "deposited" and each.event}
        wrong = [] if balance == sum(AMOUNTS) else [f"balance: {balance}, not {sum(AMOUNTS)}"]
        if len(published) != len(AMOUNTS):
            wrong.append(f"events: {len(published)} deposits were published, not {len(AMOUNTS)}")
        return wrong

    return check


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation([serving(bank.handlers)], two_deposits)


def test_a_bank_that_uses_the_chassis_withstands_every_fault(simulation: Simulation) -> None:
    simulation.explore(500)


def test_without_unlucky_choices_nothing_out_of_the_ordinary_happens(
    simulation: Simulation,
) -> None:
    run = simulation.replay([])
    assert run.violations == []
    assert not any(run.choices)
    assert not any("<--" in line for line in run.story)


def test_a_seed_is_one_run(simulation: Simulation) -> None:
    assert simulation.seeded(42) == simulation.seeded(42)


def test_the_choices_of_a_run_make_that_run_again(simulation: Simulation) -> None:
    run = simulation.seeded(42)
    assert simulation.replay(run.choices).story == run.story


def test_every_fault_is_met_within_a_few_hundred_schedules(simulation: Simulation) -> None:
    story = "\n".join(line for seed in range(400) for line in simulation.seeded(seed).story)
    # The rest happens to workflows and to calls: see the simulation of the whole workspace.
    others = set(Fault) - {Fault.NONE, Fault.NOT_STORED, Fault.LATE_RESPONSE, Fault.REFUSED}
    assert [fault for fault in others if fault.upper() not in story] == []


def test_faults_are_spread_over_the_whole_length_of_a_run(simulation: Simulation) -> None:
    places = [
        position / len(run.story)
        for seed in range(400)
        for run in [simulation.seeded(seed)]
        for position, line in enumerate(run.story)
        if "<--" in line
    ]
    thirds = [sum(low <= 3 * place < low + 1 for place in places) for low in range(3)]
    # A fault makes a run longer, so none is at its very end.
    assert min(thirds) > len(places) / 10, thirds


# What a careless handler does wrong, and how soon it is found.

careless = Handlers()
balance_in_memory = 0


@careless.on(Deposit)
async def deposit_in_memory(asked: Deposit, tx: Transaction) -> Deposited:
    """Counts before it is sure: whatever runs the handler again counts once more."""
    global balance_in_memory
    balance_in_memory += asked.amount
    await tx.get("ada", int)
    tx.put("ada", balance_in_memory)
    return Deposited(account="ada", balance=balance_in_memory)


def two_careless_deposits(world: World) -> Check:
    global balance_in_memory
    balance_in_memory = 0
    return two_deposits(world)


def test_a_planted_fault_is_found_and_its_story_is_short() -> None:
    careful = Simulation([serving(careless)], two_careless_deposits, replicas=1)
    with pytest.raises(Broken, match=r"balance: \d+, not 7") as found:
        careful.explore(200)
    # Whatever it was, one unlucky choice is enough for it.
    assert sum(map(bool, found.value.run.choices)) <= 1
    assert len(found.value.run.story) < 30


def test_the_story_marks_the_fault_and_says_how_to_see_it_again() -> None:
    careful = Simulation([serving(careless)], two_careless_deposits, replicas=1)
    with pytest.raises(Broken) as found:
        careful.explore(200)
    text = str(found.value)
    assert "<-- " in text
    assert f"explore(1, {found.value.seed})" in text
    again = careful.replay(found.value.run.choices)
    assert again.violations == found.value.run.violations


def test_random_ids_do_no_harm_as_long_as_outcomes_are_recorded(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(range(10**9))
    # The key of a message's record still follows from its source and id.
    monkeypatch.setattr(
        "chassis.inbox.derived_id",
        lambda *parts: derived_id(*parts) if len(parts) == 2 else str(next(ids)),
    )
    simulation.explore(200)


def test_a_service_that_is_not_composed_of_the_chassis_alone_is_refused() -> None:
    def with_ports_of_its_own(_: Ports) -> Service:
        return Service(ServiceSettings(app_id="bank"), title="Bank", ports=memory_ports())

    with pytest.raises(TypeError, match="bank is not composed of the ports that it is given"):
        Simulation([with_ports_of_its_own], two_deposits).replay([])
