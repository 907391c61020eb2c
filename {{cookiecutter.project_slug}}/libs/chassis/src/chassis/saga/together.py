"""Parts of one workflow that run side by side."""

from collections.abc import Generator
from typing import Any, TypeVar

from dapr.ext.workflow import when_any

T = TypeVar("T")

Part = Generator[Any, Any, T]


def together(*parts: Part[T]) -> Part[list[T]]:
    """Their results, in order, once all of them have returned. One that raises ends all of them."""
    if len(parts) == 1:
        return [(yield from parts[0])]
    results: dict[int, T] = {}
    waiting = {
        number: task for number in range(len(parts)) if (task := _go_on(number, parts, results))
    }
    while waiting:
        yield when_any(list(waiting.values()))
        for number, task in list(waiting.items()):
            if task.is_complete:
                following = _go_on(number, parts, results, task)
                if following is None:
                    del waiting[number]
                else:
                    waiting[number] = following
    return [results[number] for number in range(len(parts))]


def _go_on(number: int, parts: tuple[Part[T], ...], results: dict[int, T], task: Any = None) -> Any:
    """What the part waits for next, or None when it has returned. As the SDK resumes a workflow."""
    try:
        if task is None:
            return next(parts[number])
        if task.is_failed:
            return parts[number].throw(task.get_exception())
        return parts[number].send(task.get_result())
    except StopIteration as end:
        results[number] = end.value
        return None
