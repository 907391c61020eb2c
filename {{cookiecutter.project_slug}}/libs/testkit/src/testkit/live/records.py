"""The processes of a saga as their initiator's records show them, as evidence."""

from collections.abc import Mapping, Sequence

from chassis.saga import Progress, Saga
from testkit.live.declared import Declared
from testkit.live.load import seconds
from testkit.sagas import Evidence, Outcome, Process

#: From the start of a process to its end. Generous: there are outages of more than a minute.
DEADLINE_SECONDS = 600


def process(
    id: str, progress: Progress | None, outcomes: Sequence[Outcome], ends: Sequence[str] | None
) -> Process:
    if progress is None:
        return Process(id, ends=None if ends is None else tuple(ends), outcomes=tuple(outcomes))
    return Process(
        id=id,
        started=progress.started or {},
        state=progress.state,
        seconds=seconds(progress),
        failed_step=progress.failed_step,
        ends=None if ends is None else tuple(ends),
        outcomes=tuple(outcomes),
    )


def evidence(declared: Declared, views: Mapping[str, Progress | None]) -> Evidence:
    """What the initiator knows: no message, and of the replies the first of each kind."""
    found = {
        id: process(id, view, _replies(declared.saga, view) if view else (), None)
        for id, view in views.items()
    }
    return Evidence(DEADLINE_SECONDS, in_order(declared, found), found)


def in_order(declared: Declared, processes: Mapping[str, Process]) -> bool:
    """Whether every step was waited for: none took so long that it may have been given up."""
    seconds = declared.step_timeout.total_seconds()
    return all(each.seconds is None or each.seconds < seconds for each in processes.values())


def _replies(saga: Saga, view: Progress) -> Sequence[Outcome]:
    at = {reply.__name__: step.at for step in saga.steps for reply in step.replies}
    return [Outcome(at.get(each.event, ""), each.event, each.event) for each in view.steps]
