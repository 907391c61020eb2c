"""Whether a field can be taken over: what one message says must be what the other one reads."""

from collections.abc import Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from chassis.messages import Message

#: Characters of a type in an error.
MAX_NAME = 80

#: What says a field: each message class that may, by the field's name.
Sources = Mapping[str, list[type[Message]]]


def mismatches(message: type[Message], sources: Sources) -> Iterator[str]:
    """One line for each field that a source says in another type than the message has."""
    for name, target in fields(message).items():
        for source in sources.get(name, ()):
            said = fields(source)[name]
            if not _reads(target, said):
                yield (
                    f"{name} of {source.__name__} is {_shown(said)}, and of {message.__name__} "
                    f"{_shown(target)}: give it one type, or another name"
                )


def unreadable(message: type[Message], name: str, texts: Iterable[str]) -> Iterator[str]:
    """A line if the field does not read each of these texts."""
    field = fields(message).get(name)
    if field is None:
        return
    kind: Any = Annotated[field.annotation, *field.metadata, None]
    reads: TypeAdapter[Any] = TypeAdapter(kind)
    for text in texts:
        try:
            reads.validate_python(text)
        except ValidationError:
            yield (
                f"{name} of {message.__name__} is {_shown(field)}, and must take any text, such as "
                f"{text[:20]!r}"
            )
            return


def fields(message: type[Message]) -> Mapping[str, FieldInfo]:
    found: Mapping[str, FieldInfo] = getattr(message, "model_fields", {})
    return found


def _reads(target: FieldInfo, said: FieldInfo) -> bool:
    """Without constraints, the target may have more types than are said."""
    if target.annotation is Any:
        return True
    if target.metadata and not _are_equal(target.metadata, said.metadata):
        return False
    return target.annotation == said.annotation or _types(said) <= _types(target)


def _types(field: FieldInfo) -> frozenset[Any]:
    if get_origin(field.annotation) in (Union, UnionType):
        return frozenset(get_args(field.annotation))
    return frozenset([field.annotation])


def _are_equal(one: list[Any], other: list[Any]) -> bool:
    """pydantic compares some of its constraints by identity."""
    return len(one) == len(other) and all(
        a == b or (type(a) is type(b) and bool(_parts(a)) and _parts(a) == _parts(b))
        for a, b in zip(one, other, strict=True)
    )


def _parts(constraint: Any) -> Mapping[str, Any]:
    return getattr(constraint, "__dict__", {})


def _shown(field: FieldInfo) -> str:
    """As it is written: `str`, `int | None`, `str (MinLen(min_length=1))`."""
    annotation = field.annotation
    if annotation in (None, NoneType):
        shown = "None"
    else:
        is_plain = isinstance(annotation, type) and not get_args(annotation)
        shown = annotation.__name__ if is_plain else str(annotation)
    constraints = ", ".join(map(repr, field.metadata))
    shown = f"{shown} ({constraints})" if constraints else shown
    return shown if len(shown) <= MAX_NAME else f"{shown[: MAX_NAME - 1]}…"
