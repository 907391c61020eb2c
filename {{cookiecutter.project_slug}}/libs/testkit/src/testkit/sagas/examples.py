"""Messages made up from their classes, the same ones for the same seed."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from polyfactory.exceptions import FactoryException
from polyfactory.factories.pydantic_factory import ModelFactory
from pydantic import ValidationError

from chassis.messages import Message
from chassis.saga.field_types import fields

M = TypeVar("M", bound=Message)


def example(message: type[M], seed: int = 0, known: Mapping[str, Any] | None = None) -> M:
    """A valid message; it says what is known of its fields, and makes up the others.

    Raises `ValueError` for a class that nothing can be made up for.
    """
    given = {name: value for name, value in (known or {}).items() if name in fields(message)}
    made_up = {} if fields(message).keys() <= given.keys() else _made_up(message, seed)
    return message.model_validate({**made_up, **given})


@cache
def _made_up(message: Any, seed: int) -> Mapping[str, Any]:
    factory = ModelFactory.create_factory(
        message,
        __random_seed__=seed,
        __use_examples__=True,
        __allow_none_optionals__=False,
        __check_model__=False,
    )
    try:
        data: Mapping[str, Any] = factory.build().model_dump(mode="json")
    except (FactoryException, ValidationError) as error:
        raise ValueError(
            f"no example of {message.__name__} could be made up: {error}. "
            "Give its fields `examples=[...]`."
        ) from error
    return data
