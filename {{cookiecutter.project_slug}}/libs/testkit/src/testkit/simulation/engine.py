"""A workflow engine in memory, as far as daprd's is visible to a workflow.

It keeps histories, wakes a workflow when there is news for it, hands out activities until one of
them is reported, and sets timers on the virtual clock. It outlives every process. The workflows
themselves run on the SDK's own executor (see `sdk.py`), replay included.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any

from chassis import late_responses
from chassis.errors import Unavailable
from testkit.simulation import faults, sdk
from testkit.simulation.clock import Timer
from testkit.simulation.faults import Fault
from testkit.simulation.process import Outside, Process
from testkit.simulation.sdk import Action, HistoryEvent


class AlreadyRunning(Exception):
    """An instance with this id has not ended yet."""


class NoSuchInstance(Exception):
    """There is none with this id, or it was purged."""


@dataclass(eq=False)
class Instance:
    """One workflow. `history` is what a replay sees; `news` is what it has not got yet."""

    app_id: str
    id: str
    name: str
    content: str | None
    #: It learns how this one ended, if it is a child.
    parent: Callable[[Action], None] | None = None
    history: list[HistoryEvent] = field(default_factory=list)
    news: list[HistoryEvent] = field(default_factory=list)
    end: Action | None = None
    #: The answer of an earlier turn that counts as that of the next one.
    late: list[Action] | None = None
    #: By such an answer: its history does not say which turn asked for what.
    is_mixed_up: bool = False
    #: Handed out already: daprd does not run one again that it knows the end of.
    sent: set[int] = field(default_factory=set)
    #: Open: asked for, and not answered yet.
    activities: set[int] = field(default_factory=set)
    timers: list[Timer] = field(default_factory=list)
    is_queued: bool = False


class SimulatedEngine:
    def __init__(self, world: Outside, *, twice: bool) -> None:
        """`twice`: each turn, to see whether it comes to the same."""
        self._world = world
        self._twice = twice
        self.instances: dict[tuple[str, str], Instance] = {}

    def begin(
        self,
        app_id: str,
        name: str,
        instance_id: str,
        content: str | None,
        parent: Callable[[Action], None] | None = None,
    ) -> None:
        """Raises `AlreadyRunning`. An id whose workflow has ended may be used again."""
        before = self.instances.get((app_id, instance_id))
        if before is not None and before.end is None:
            raise AlreadyRunning(instance_id)
        instance = Instance(app_id, instance_id, name, content, parent)
        self.instances[app_id, instance_id] = instance
        self._tell(instance, sdk.workflow_began(name, instance_id, content))

    def raise_event(self, app_id: str, instance_id: str, name: str, data: Any) -> None:
        """Raises `NoSuchInstance`. A workflow that has ended, and is still there, ignores it."""
        instance = self.instances.get((app_id, instance_id))
        if instance is None:
            raise NoSuchInstance(instance_id)
        self._tell(instance, sdk.event_raised(name, json.dumps(data)))

    def purge(self, app_id: str, instance_id: str) -> None:
        """Forget a workflow, as an engine does some time after its end."""
        self.instances.pop((app_id, instance_id), None)

    def _tell(self, instance: Instance, event: HistoryEvent) -> None:
        if instance.end is not None:
            return
        instance.news.append(event)
        if not instance.is_queued:
            instance.is_queued = True
            self._queue(instance)

    def _queue(self, instance: Instance) -> None:
        what = f"a turn of {instance.name} {instance.id}"
        self._world.wait("engine", what, faults.TURN, lambda fault: self._turn(instance, fault))

    def _turn(self, instance: Instance, fault: Fault) -> None:
        process = self._world.process_of(instance.app_id)
        if fault is Fault.CRASH_BEFORE:
            # It runs, and its host dies before it can say what it came to.
            self._world.crash(process)
            self._queue(instance)
            return
        if process.worker is None:
            raise LookupError(f"{instance.app_id} hosts no workflows")
        instance.is_queued = False
        news, instance.news = [sdk.turn_began(self._world.clock.time), *instance.news], []
        actions = process.worker.turn(instance.id, instance.history, news)
        if self._twice:
            again = process.worker.turn(instance.id, instance.history, news)
            if actions != again:
                self._world.violations.append(not_deterministic(instance.name, actions, again))
        if fault is Fault.NOT_STORED and instance.history:
            self._send_off(instance, actions)
            # daprd stores what comes in before it makes a turn of it, so nothing overtakes it.
            instance.news = news[1:]
            instance.is_queued = True
            self._queue(instance)
            return
        if instance.late is not None:
            actions, instance.late, instance.is_mixed_up = instance.late, None, True
            self._refuse(instance)
        if fault is Fault.LATE_RESPONSE:
            instance.late = actions
        instance.history += news
        for action in actions:
            self._carry_out(instance, action)

    def _send_off(self, instance: Instance, actions: Sequence[Action]) -> None:
        """As daprd does: activities first. A result that comes before the next turn is dropped."""
        for action in actions:
            if action.kind == "scheduleTask":
                self._send(instance, action)

    def _refuse(self, instance: Instance) -> None:
        """Its host wakes the workflow then: see `chassis.late_responses`."""
        what = f"wake {instance.id}: its answer was refused"
        woken = sdk.event_raised(late_responses.REFUSED, None)
        self._world.wait("engine", what, (Fault.NONE,), lambda _: self._tell(instance, woken))

    def _carry_out(self, instance: Instance, action: Action) -> None:
        if action.kind == "completeWorkflow":
            self._end(instance, action)
            return
        instance.history.append(sdk.recorded(action))
        if action.kind == "scheduleTask":
            instance.activities.add(action.id)
            self._send(instance, action)
        elif action.kind == "createChildWorkflow":
            self.begin(
                instance.app_id,
                action.name,
                action.child_id,
                action.content,
                lambda end: self._tell(instance, sdk.child_ended(action.id, end)),
            )
        elif action.fire_at is not None:
            self._set_timer(instance, action, action.fire_at)

    def _send(self, instance: Instance, action: Action) -> None:
        if action.id not in instance.sent:
            instance.sent.add(action.id)
            self._hand_out(instance, action)

    def _set_timer(self, instance: Instance, action: Action, fire_at: datetime) -> None:
        delay = (fire_at - self._world.clock.time).total_seconds()
        instance.timers.append(
            self._world.later(delay, lambda: self._tell(instance, sdk.timer_fired(action)))
        )

    def _end(self, instance: Instance, action: Action) -> None:
        for timer in instance.timers:
            timer.cancel()
        instance.timers.clear()
        instance.activities.clear()
        self._world.record("engine", f"{instance.name} {instance.id}: {action}")
        if action.status == "CONTINUED_AS_NEW":
            news = [*action.carried_over, *instance.news]
            instance.history, instance.news, instance.content = [], [], action.content
            instance.sent.clear()
            for event in (sdk.workflow_began(instance.name, instance.id, action.content), *news):
                self._tell(instance, event)
            return
        instance.history.append(sdk.recorded(action))
        instance.end = action
        if instance.parent is not None:
            instance.parent(action)

    def _hand_out(self, instance: Instance, action: Action) -> None:
        def arrive(fault: Fault) -> None:
            if fault is Fault.TWICE:
                self._hand_out(instance, action)
            process = self._world.process_of(instance.app_id)
            # A work item that nobody reported is handed out again.
            job = object()
            process.owes[job] = lambda: self._hand_out(instance, action)
            process.spawn(self._perform(process, job, instance, action))

        what = f"activity {action.name} of {instance.id}"
        self._world.wait("engine", what, faults.ACTIVITY, arrive)

    async def _perform(
        self, process: Process, job: object, instance: Instance, action: Action
    ) -> None:
        assert process.worker is not None
        try:
            result: str | Exception = await process.worker.activity(
                instance.id, action.id, action.name, action.content
            )
        except Exception as error:
            result = error
        failed = f", which failed: {result}" if isinstance(result, Exception) else ""
        what = f"report {action.name} of {instance.id}{failed}"
        try:
            await process.effect(
                what, faults.REPORT, lambda: self._report(instance, action, result)
            )
        except Unavailable:
            self._hand_out(instance, action)
        del process.owes[job]

    def _report(self, instance: Instance, action: Action, result: str | Exception) -> None:
        if action.id in instance.activities:
            instance.activities.remove(action.id)
            self._tell(instance, sdk.activity_ended(action.id, result))


def not_deterministic(name: str, once: Sequence[Action], again: Sequence[Action]) -> str:
    """The first difference is what matters; what follows is its consequence."""
    first, second = next(
        (pair for pair in zip_longest(once, again) if pair[0] != pair[1]), (None, None)
    )
    return (
        f"{name} is not deterministic: the same turn asked to {first or 'do nothing more'}, "
        f"and then to {second or 'do nothing more'}"
    )
