"""The invariants of any saga, S1 to S6: each is a pure function, one line for each violation."""

from collections import Counter
from collections.abc import Callable, Iterator

from chassis.messages import name_of
from chassis.saga.declaration import Saga, Step
from testkit.simulation.sagas.evidence import Evidence, Process

COMPLETED, CANCELLED = "completed", "cancelled"


def violations(saga: Saga, evidence: Evidence) -> list[str]:
    return [
        f"{name}: {line}"
        for name, invariant in INVARIANTS.items()
        for line in invariant(saga, evidence)
    ]


def every_process_reaches_one_end(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S1. Each that was accepted ends within its deadline, with the one event that says how."""
    due = {
        COMPLETED: (name_of(saga.completed),),
        CANCELLED: (name_of(saga.cancelled),),
    }
    for process in evidence.processes.values():
        state = process.state or "not known"
        if process.accepted and process.state not in due:
            yield f"process {process.id} was accepted, and is {state}"
        if process.ends != due.get(state, ()):
            published = " and ".join(process.ends) or "no end"
            yield f"process {process.id} is {state}, and {published} was published"
        if process.seconds is not None and process.seconds > evidence.deadline:
            yield (
                f"process {process.id} took {process.seconds:.0f} s to its end, "
                f"its deadline was {evidence.deadline:.0f} s"
            )


def completed_means_that_every_step_was_done(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S2. If and only if."""
    for process in evidence.processes.values():
        kept = [step.name for step in saga.steps if _is_kept(step, process)]
        if process.state == COMPLETED and len(kept) < len(saga.steps):
            done = ", ".join(kept) or "nothing"
            yield f"process {process.id} is completed, and of its steps {done} stays done"
        if process.state == CANCELLED and len(kept) == len(saga.steps):
            yield f"process {process.id} is cancelled, and every step stays done"


def cancelled_means_that_every_step_was_undone(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S3. Whatever was done."""
    for process in evidence.processes.values():
        if process.state == CANCELLED:
            for step in saga.steps:
                if _is_kept(step, process):
                    yield f"process {process.id} is cancelled, and {step.name} stays done"


def what_was_done_last_is_undone_first(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S4. Unless somebody did not answer for so long that it was not waited for."""
    if not evidence.in_order:
        return
    for process in evidence.processes.values():
        stages = [
            saga.stage_of(step)
            for outcome in process.outcomes
            for step in saga.steps
            if step.undone is not None and outcome.reply == name_of(step.undone)
        ]
        if stages != sorted(stages, reverse=True):
            undone = [each.reply for each in process.outcomes if _undoes(saga, each.reply)]
            yield f"process {process.id} was undone in the order {', '.join(undone)}"


def no_participant_does_a_step_twice(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S5. However often it is asked."""
    for process in evidence.processes.values():
        times = Counter(outcome.reply for outcome in process.outcomes)
        for step in saga.steps:
            if times[name_of(step.done)] > 1:
                yield f"{step.at} did {step.name} of {process.id} {times[name_of(step.done)]} times"


def every_message_is_settled(_: Saga, evidence: Evidence) -> Iterator[str]:
    """S6. Processed or dead-lettered by each of its subscribers."""
    for message in sorted(
        evidence.published - evidence.processed - evidence.dead_letters,
        key=lambda message: (message.topic, message.id, message.service),
    ):
        yield (
            f"{message.topic} {message.id} of {message.subject}: {message.service} has neither "
            "processed nor dead-lettered it"
        )


def _is_kept(step: Step, process: Process) -> bool:
    """Whether it was done, and not undone after that."""
    done = name_of(step.done)
    undone = None if step.undone is None else name_of(step.undone)
    said = [each.reply for each in process.outcomes if each.reply in (done, undone)]
    return said[-1:] == [done]


def _undoes(saga: Saga, reply: str) -> bool:
    return any(step.undone and name_of(step.undone) == reply for step in saga.steps)


INVARIANTS: dict[str, Callable[[Saga, Evidence], Iterator[str]]] = {
    "S1": every_process_reaches_one_end,
    "S2": completed_means_that_every_step_was_done,
    "S3": cancelled_means_that_every_step_was_undone,
    "S4": what_was_done_last_is_undone_first,
    "S5": no_participant_does_a_step_twice,
    "S6": every_message_is_settled,
}
