"""Simulation: your services in one process, under every fault, thousands of times a minute.

    from testkit.simulation import Check, Simulation, World, schedules

    def two_deposits(world: World) -> Check:
        world.publish(Deposit(account="ada", amount=world.pick((5, 50))), id="1")
        world.publish(Deposit(account="ada", amount=2), id="2")
        ...
        return lambda: [] if world.store("bank").get("ada", int) == ... else ["..."]

    def test_each_deposit_counts_once() -> None:
        Simulation([compose], two_deposits).explore(schedules(200))

`compose` is that of `bank.main`: it makes the service of the ports that it is given. `explore` runs
so many seeds. Each makes one schedule: messages are delayed, reordered and repeated up to five
times, a topic is held back while others pass, acknowledgements, requests and replies get lost,
somebody in between answers with a status code, ETags lose their races, the store and the broker are
away, handlers are slow, fail once or leak a cancellation, services crash between any two effects
and start again, and timers fire early. What the check returns must be empty each time. If it is
not, the schedule is shrunk, and `Broken` tells its story: who did what, in order, with the faults
marked.

Real: the handlers, API functions, workflows and `main.py` of the services, and of the chassis all
but its ports: service invocation, subscriptions, dead letters, inbox, processor with its groups,
transactions, workflow host; of the SDK what runs a turn of a workflow. Two replicas of each service
share a store, so races for an ETag are real ones.

Simulated: broker, store, workflow engine, network, clock. There is no HTTP: an endpoint is called
as a function, so validation of requests, tokens and middleware are not part of it. A replica that
crashes starts with a new event loop and a new queue, but module globals survive. The broker
delivers up to three messages in one bulk, and never gives up on one.
"""

from testkit.simulation.histories import Recording
from testkit.simulation.simulation import (
    Broken,
    Changed,
    Check,
    Run,
    Scenario,
    Simulation,
    schedules,
    unchanged,
)
from testkit.simulation.world import World

__all__ = [
    "Broken",
    "Changed",
    "Check",
    "Recording",
    "Run",
    "Scenario",
    "Simulation",
    "World",
    "schedules",
    "unchanged",
]
