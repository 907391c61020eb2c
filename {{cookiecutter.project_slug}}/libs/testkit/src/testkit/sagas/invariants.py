"""The invariants of any saga, S1 to S12: each is a pure function, one line for each violation."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chassis.messages import Message, name_of, topic_of
from chassis.saga.declaration import FAILURE, Saga, Step
from testkit.sagas.evidence import Evidence, Process, Sent

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
        if process.ends is not None and process.ends != due.get(state, ()):
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
    """S4. Unless an undo was not waited for any longer.

    Steps of one stage answer in any order, so the undo of one that was refused, and was not done,
    may be on its way long after the others.
    """
    if not evidence.in_order:
        return
    for process in evidence.processes.values():
        undone = [
            (saga.stage_of(step), outcome.reply)
            for number, outcome in enumerate(process.outcomes)
            for step in saga.steps
            if _undoes(step, outcome.reply) and _was_done(step, process, number)
        ]
        stages = [stage for stage, _ in undone]
        if stages != sorted(stages, reverse=True):
            order = ", ".join(reply for _, reply in undone)
            yield f"process {process.id} was undone in the order {order}"


def no_participant_does_or_undoes_a_step_twice(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S5. However often it is asked."""
    for process in evidence.processes.values():
        times = Counter(outcome.reply for outcome in process.outcomes)
        for step in saga.steps:
            if times[name_of(step.done)] > 1:
                yield f"{step.at} did {step.name} of {process.id} {times[name_of(step.done)]} times"
            if step.undo and step.undone and times[name_of(step.undone)] > 1:
                undo = step.undo.__name__
                yield f"{step.at} did {undo} of {process.id} {times[name_of(step.undone)]} times"


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


def one_id_has_one_content(_: Saga, evidence: Evidence) -> Iterator[str]:
    """S7. Source and id together name one message, however often it is sent."""
    contents: dict[tuple[str, str], dict[str, str]] = {}
    for each in evidence.sent:
        content = json.dumps([each.topic, each.subject, each.data], sort_keys=True)
        contents.setdefault((each.source, each.id), {})[content] = each.topic
    for (source, id), said in contents.items():
        if len(said) > 1:
            topics = " and ".join(dict.fromkeys(said.values()))
            yield f"{source} sent {len(said)} contents under the id {id}, as {topics}"


def commands_and_ends_say_what_was_said_before(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S8. Each field is that of the start, or of the latest reply to an earlier step."""
    made: dict[str, type[Message]] = {topic_of(each): each for each in (*saga.commands, *saga.ends)}
    for each in evidence.sent:
        process, message = evidence.processes.get(each.subject), made.get(each.topic)
        if process is None or message is None:
            continue
        known = _known(saga, message, process, each)
        if known is None:
            # A step was left out: S2 and S9 say so.
            continue
        fields = getattr(message, "model_fields", {})
        due = message.model_validate({name: known[name] for name in fields if name in known})
        wrong = _different(due.model_dump(mode="json"), each.data)
        if wrong:
            yield f"{message.__name__} of {process.id} says something else of its {wrong}"


def a_step_begins_when_those_before_it_are_done(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S9. So nothing is undone either that was not begun."""
    for process in evidence.processes.values():
        for number, outcome in enumerate(process.outcomes):
            for step in saga.steps:
                if outcome.reply not in map(name_of, step.replies):
                    continue
                if missing := _missing(saga, step, process, number):
                    yield (
                        f"{step.at} replied {outcome.reply} of {process.id} before "
                        f"{', '.join(missing)} was done"
                    )


def a_cancelled_process_names_the_step_that_failed(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S10. A step of the saga; and nothing has failed in a completed one."""
    names = {step.name for step in saga.steps}
    for process in evidence.processes.values():
        failed = process.failed_step
        if process.state == CANCELLED and failed not in names:
            yield f"process {process.id} is cancelled, and {failed or 'no step'} has failed"
        if process.state == COMPLETED and failed is not None:
            yield f"process {process.id} is completed, and {failed} has failed"


def nothing_is_left_in_the_list_of_unfinished(_: Saga, evidence: Evidence) -> Iterator[str]:
    """S11. Once all have ended."""
    left = [
        each for each in evidence.processes.values() if each.state not in (COMPLETED, CANCELLED)
    ]
    if evidence.oldest_unfinished and not left:
        yield (
            "every process has ended, and the list of unfinished ones still holds one of "
            f"{evidence.oldest_unfinished:.0f} s"
        )


def a_process_ends_after_what_its_end_says(saga: Saga, evidence: Evidence) -> Iterator[str]:
    """S12. Nothing is done, or undone, once it has ended."""
    for process in evidence.processes.values():
        then = replace(process, outcomes=process.outcomes[: process.known_at_end])
        for step in saga.steps:
            was_kept, is_kept = _is_kept(step, then), _is_kept(step, process)
            if process.state == COMPLETED and is_kept and not was_kept:
                yield f"process {process.id} was completed before {step.name} was done"
            if process.state == CANCELLED and was_kept and not is_kept:
                yield f"process {process.id} was cancelled before {step.name} was undone"


def _is_kept(step: Step, process: Process) -> bool:
    """Whether it was done, and not undone after that."""
    done = name_of(step.done)
    undone = None if step.undone is None else name_of(step.undone)
    said = [each.reply for each in process.outcomes if each.reply in (done, undone)]
    return said[-1:] == [done]


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    names = sorted(one.keys() | other.keys())
    return ", ".join(name for name in names if one.get(name) != other.get(name))


def _was_done(step: Step, process: Process, until: int) -> bool:
    return any(each.reply == name_of(step.done) for each in process.outcomes[:until])


def _undoes(step: Step, reply: str) -> bool:
    return step.undone is not None and name_of(step.undone) == reply


def _missing(saga: Saga, step: Step, process: Process, until: int) -> list[str]:
    """The steps before it that were not done before that outcome: then it was not begun."""
    done = {outcome.reply for outcome in process.outcomes[:until]}
    before = [each for stage in saga.stages[: saga.stage_of(step)] for each in stage]
    return [each.name for each in before if name_of(each.done) not in done]


def _known(
    saga: Saga, message: type[Message], process: Process, sent: Sent
) -> Mapping[str, Any] | None:
    """What it can say, by field; None if a step before it was not done."""
    if message is saga.cancelled:
        known = {**process.started, **{name: sent.data.get(name) for name in FAILURE}}
        return known if process.failed_step is None else known | {FAILURE[0]: process.failed_step}
    step = saga.commands.get(message)
    known = {**process.started}
    for stage in saga.stages if step is None else saga.stages[: saga.stage_of(step)]:
        for each in stage:
            done = name_of(each.done)
            data = next((each.data for each in process.outcomes if each.reply == done), None)
            if data is None:
                return None
            known |= data
    return known


INVARIANTS: dict[str, Callable[[Saga, Evidence], Iterator[str]]] = {
    "S1": every_process_reaches_one_end,
    "S2": completed_means_that_every_step_was_done,
    "S3": cancelled_means_that_every_step_was_undone,
    "S4": what_was_done_last_is_undone_first,
    "S5": no_participant_does_or_undoes_a_step_twice,
    "S6": every_message_is_settled,
    "S7": one_id_has_one_content,
    "S8": commands_and_ends_say_what_was_said_before,
    "S9": a_step_begins_when_those_before_it_are_done,
    "S10": a_cancelled_process_names_the_step_that_failed,
    "S11": nothing_is_left_in_the_list_of_unfinished,
    "S12": a_process_ends_after_what_its_end_says,
}
