"""Pieces of Python: what a message is made from, and what has to be imported for it."""

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from inspect import getsource
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from chassis.messages import Message
from chassis.saga.field_types import fields

#: Of a field that only a rule can fill: the first one that is valid stands in for it.
STAND_INS: tuple[Any, ...] = ("", "none", "NONE", 0, 1, False, ())


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def words(name: str) -> str:
    return snake(name).replace("_", " ")


def union(messages: Iterable[type[Message]]) -> str:
    return " | ".join(message.__name__ for message in messages)


def imports(messages: Iterable[type[Message]]) -> str:
    """Those that are not used in the end are taken out by ruff."""
    lines = {f"from {each.__module__} import {each.__name__}" for each in messages}
    return "\n".join(sorted(lines))


def lacks(made: type[Message], source: type[Message]) -> list[str]:
    """The fields that must be said, and that the source does not have."""
    return [
        name
        for name, field in fields(made).items()
        if field.is_required() and name not in fields(source)
    ]


def make(made: type[Message], source: type[Message], variable: str, **given: str) -> str:
    """The call that makes a message of another one: fields go by name."""
    known = {name: f"{variable}.{name}" for name in fields(made) if name in fields(source)}
    for name in lacks(made, source):
        known[name] = repr(stand_in(made, name))
    known |= {name: value for name, value in given.items() if name in fields(made)}
    return f"{made.__name__}({', '.join(f'{name}={value}' for name, value in known.items())})"


def stand_in(message: type[Message], name: str) -> Any:
    field = fields(message)[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for value in STAND_INS:
        try:
            return adapter.validate_python(value, strict=True)
        except ValidationError:
            continue
    return None


def annotations(message: type[Message]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each field of the class, as it is written, and the module of each name in its annotation."""
    for kind in reversed(message.__mro__):
        if not kind.__module__.startswith("contracts."):
            continue
        tree = ast.parse(getsource(sys.modules[kind.__module__]))
        origin = {
            alias.asname or alias.name: node.module or ""
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        (found,) = (
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__
        )
        for field in found.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                if field.target.id not in fields(message):
                    continue
                names = {node.id for node in ast.walk(field) if isinstance(node, ast.Name)}
                names -= {field.target.id, *dir(builtins)}
                modules = {name: origin.get(name, kind.__module__) for name in names}
                yield field.target.id, ast.unparse(field), modules
