"""A workflow's calls of activities, played without an engine."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis import Calls, Rejected, Service, Unavailable, Workflows
from chassis.workflows import ATTEMPT_TIMEOUT, LONGEST_WAIT
from testkit import activity_failed, play

TIMEOUT = timedelta(minutes=2)

workflows = Workflows()


class Trip(BaseModel):
    to: str
    seconds: float = 0


@workflows.activity
async def book(trip: Trip, service: Service) -> Trip:
    raise NotImplementedError("a test answers instead")


@workflows.workflow
def pilgrimage(ctx: DaprWorkflowContext, trip: Trip) -> Generator[Any, Any, Trip]:
    began = ctx.current_utc_datetime
    booked = yield from Calls(ctx)(book, trip)
    seconds = (ctx.current_utc_datetime - began).total_seconds()
    return booked.model_copy(update={"seconds": seconds})


@workflows.workflow
def hitchhike(ctx: DaprWorkflowContext, trip: Trip) -> Generator[Any, Any, Trip]:
    return (yield from Calls(ctx).once(book, trip))


@workflows.workflow
def travel(ctx: DaprWorkflowContext, trip: Trip) -> Generator[Any, Any, Trip]:
    began = ctx.current_utc_datetime
    booked = yield from Calls(ctx)(book, trip, TIMEOUT)
    seconds = (ctx.current_utc_datetime - began).total_seconds()
    return booked.model_copy(update={"seconds": seconds})


class Answers:
    """One after the other; the last one for ever."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)

    def __call__(self, _: Any) -> Any:
        answer = self._answers.pop(0) if self._answers[1:] else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"to": answer}


def test_the_result_is_the_model_that_the_activity_returns() -> None:
    played = play(travel, Trip(to="Ghent"), Answers("Ghent"))
    assert played.result == Trip(to="Ghent")


def test_what_fails_is_tried_again_after_longer_and_longer_waits() -> None:
    away = activity_failed("the broker is away")
    played = play(travel, Trip(to="Ghent"), Answers(away, away, away, "Ghent"))
    assert played.result.seconds == 0.5 + 1 + 2
    assert len(played.calls("book")) == 4


def test_an_attempt_that_says_nothing_is_made_again() -> None:
    played = play(travel, Trip(to="Ghent"), Answers(TimeoutError(), "Ghent"))
    assert played.result.seconds == ATTEMPT_TIMEOUT.total_seconds() + 0.5
    first, second = played.calls("book")
    assert first == second


def test_what_was_rejected_is_not_tried_again() -> None:
    answers = Answers(activity_failed("no such town", "Rejected"), "Ghent")
    with pytest.raises(Rejected, match="no such town"):
        play(travel, Trip(to="Ghent"), answers)


def test_timeout_ends_with_the_last_reason() -> None:
    with pytest.raises(Unavailable, match="the broker is away"):
        play(travel, Trip(to="Ghent"), Answers(activity_failed("the broker is away")))


def test_the_timeout_ends_without_an_answer_too() -> None:
    with pytest.raises(Unavailable, match="book has not ended in time"):
        play(travel, Trip(to="Ghent"), Answers(TimeoutError()))


def test_without_timeout_it_is_tried_for_ever_and_ever_less_often() -> None:
    away = activity_failed("the broker is away")
    played = play(pilgrimage, Trip(to="Ghent"), Answers(*[away] * 100, "Ghent"))
    assert len(played.calls("book")) == 101
    assert played.result.seconds > 80 * LONGEST_WAIT.total_seconds()


@pytest.mark.parametrize("unanswered", [TimeoutError(), activity_failed("the broker is away")])
def test_one_attempt_is_one_attempt(unanswered: Exception) -> None:
    answers = Answers(unanswered, "Ghent")
    with pytest.raises(Unavailable):
        play(hitchhike, Trip(to="Ghent"), answers)
    assert play(hitchhike, Trip(to="Ghent"), answers).result == Trip(to="Ghent")
