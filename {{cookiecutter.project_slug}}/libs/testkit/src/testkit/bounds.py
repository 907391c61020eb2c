"""Which lists of a message or of an API body cost more than they should.

A sender chooses how long a list is, and pydantic makes an error for each wrong item: 240 kB of
empty lines became 240,000 errors and 420 MB. So each list has a `max_length`, and fails with its
first wrong item: `Annotated[tuple[Line, ...], FailFast(), Field(max_length=50)]`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints

from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter

from chassis.service import Service

#: Of these pydantic says whether they fail fast; of a dict it does not.
LISTS = ("list", "tuple", "set", "frozenset")


def problems(services: Iterable[Service]) -> list[str]:
    """One line for each such list."""
    found = (line for service in services for kind in _read_by(service) for line in of(kind))
    # One message is read by many.
    return list(dict.fromkeys(found))


def of(kind: Any) -> Iterator[str]:
    """Those of one model, the models in it included."""
    yield from _lists(TypeAdapter(kind).core_schema, getattr(kind, "__name__", str(kind)))


def _read_by(service: Service) -> Iterator[Any]:
    for step in service.steps:
        yield from step.messages.values()
    for route in iter_route_contexts(service.app.routes):
        hints = get_type_hints(route.endpoint) if route.endpoint else {}
        takes = (kind for name, kind in hints.items() if name != "return")
        yield from (kind for kind in takes if hasattr(kind, "model_fields"))


def _lists(schema: Any, place: str) -> Iterator[str]:
    if isinstance(schema, (list, tuple)):
        for each in schema:
            yield from _lists(each, place)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "model":
        place = schema["cls"].__name__
    lacks = list(_lacks(schema))
    if lacks:
        yield f"{place}: a {schema['type']} without {' and '.join(lacks)}"
    for name, each in schema.items():
        inner = f"{place}.{name}" if each and _is_field(each) else place
        yield from _lists(each, inner)


def _is_field(schema: Any) -> bool:
    return isinstance(schema, dict) and str(schema.get("type")).endswith("-field")


def _lacks(schema: dict[str, Any]) -> Iterator[str]:
    kind = schema.get("type")
    items = schema.get("values_schema") if kind == "dict" else schema.get("items_schema")
    # A tuple is a list if one of its items is repeated.
    counted = kind == "tuple" and schema.get("variadic_item_index") is None
    # What may be anything is never wrong.
    if counted or items in (None, {"type": "any"}):
        return
    if "max_length" not in schema:
        yield "max_length"
    if kind in LISTS and not schema.get("fail_fast"):
        yield "FailFast()"
