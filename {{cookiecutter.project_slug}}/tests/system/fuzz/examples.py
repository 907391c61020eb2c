"""Valid JSON for a JSON schema, as the models of a service and its OpenAPI describe it."""

from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

Schema = Mapping[str, Any]


def example(schema: Schema, known: Schema, chance: Random) -> Any:
    """`known` is the document that the references of the schema point into."""
    if "$ref" in schema:
        found: Any = known
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        return example(found, known, chance)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example(schema[name][0], known, chance)
    for name in ("examples", "enum"):
        if name in schema:
            return chance.choice(schema[name])
    if "const" in schema:
        return schema["const"]
    return _of_type(schema, known, chance)


def _of_type(schema: Schema, known: Schema, chance: Random) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {}).items()
            return {name: example(each, known, chance) for name, each in properties}
        case "array":
            count = chance.randint(1, min(3, schema.get("maxItems", 3)))
            return [example(schema["items"], known, chance) for _ in range(count)]
        case "integer" | "number":
            return chance.randint(int(schema.get("minimum", 0)), 9)
        case "boolean":
            return True
        case "null":
            return None
    match schema.get("format"):
        case "uuid":
            return str(UUID(int=chance.getrandbits(128), version=4))
        case "date-time":
            return "2030-01-01T00:00:00Z"
    return f"T-{chance.randrange(10**6)}"
