"""What daprd does to a workflow when the answer of a turn comes late, made good.

When a sidecar gives a turn up, because its scheduler went away for instance, it makes the turn
again. daprd 1.18 tells answers apart by their workflow alone: the first one then counts as that of
the second attempt, the second one as that of the next turn, and that turn's own is refused. Two
things come of it, and either would be the end of the workflow:

- Its history has the same actions twice, and the SDK fails it as not deterministic. A number
  belongs to one action of a history, so whatever has it again is left out.
- What the refused answer asked for never happens, and nothing wakes the workflow. It gets an event
  that it does not wait for, and so another turn, which asks for all that its history lacks.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

#: The events that say what the workflow has asked for.
ASKED = frozenset({"taskScheduled", "timerCreated", "childWorkflowInstanceCreated"})
#: The method by which a worker answers.
ANSWER = "/CompleteOrchestratorTask"
#: What wakes a workflow whose answer was refused.
REFUSED = "answer-refused"


def without_repeats(history: Iterable[Any]) -> list[Any]:
    """The same events, less the actions that are there already."""
    asked: set[int] = set()
    kept = []
    for event in history:
        if event.WhichOneof("eventType") in ASKED:
            if event.eventId in asked:
                continue
            asked.add(event.eventId)
        kept.append(event)
    return kept


class LateResponses(grpc.UnaryStreamClientInterceptor, grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Between a worker and its sidecar, which must send it whole histories."""

    def __init__(self, refused: Callable[[str], None]) -> None:
        """`refused` is called with the id of the workflow, in a thread of the worker."""
        self.refused = refused

    def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:
        return WorkItems(continuation(details, request))

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:
        call = continuation(details, request)
        if details.method.endswith(ANSWER) and call.exception() is not None:
            self.refused(request.instanceId)
        return call


class WorkItems:
    """The sidecar's stream of work items."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = next(self._stream)
        if item.HasField("workflowRequest"):
            history = item.workflowRequest.pastEvents
            kept = without_repeats(history)
            if len(kept) < len(history):
                del history[:]
                history.extend(kept)
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
