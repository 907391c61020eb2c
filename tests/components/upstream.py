"""What the pinned Dapr says of its files: schemas and component specs, from its Go modules."""

import json
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime import pins
from runtime.cache import locked
from runtime.progress import Progress
from runtime.sources import toolchain

DOWNLOAD_SECONDS = 600

#: A JSON schema.
Schema = dict[str, Any]


@cache
def module(name: str) -> Path:
    """The source of a Go module in the version that the runtime is built of, from Go's cache.

    Raises AssertionError with what Go said.
    """
    progress = Progress()
    with locked(progress):
        go = toolchain.find(progress, time.monotonic() + DOWNLOAD_SECONDS)
    done = subprocess.run(
        [str(go), "mod", "download", "-json", name],
        cwd=pins.RUNTIME_MODULE,
        env=toolchain.environment(),
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_SECONDS,
    )
    assert done.returncode == 0, f"go mod download {name}: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"])


@cache
def schemas() -> dict[tuple[str, str], Schema]:
    """The schema of each kind of resource, by apiVersion and kind. It refuses unknown fields."""
    crds = module("github.com/dapr/dapr") / "charts" / "dapr" / "crds"
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): _resource(version)
        for path in sorted(crds.glob("*.yaml"))
        for spec in (crd["spec"] for crd in yaml.safe_load_all(path.read_text()) if crd)
        for version in spec["versions"]
    }


@cache
def component_fields() -> dict[tuple[str, str], dict[str, Schema]]:
    """The metadata fields of each component with a spec, by type and version, each by its name."""
    root = module("github.com/dapr/components-contrib")
    return {
        (f"{spec['type']}.{spec['name']}", spec["version"]): {
            field["name"]: field for field in _fields(spec)
        }
        for kind in ("pubsub", "state")
        for path in sorted((root / kind).rglob("metadata.yaml"))
        for spec in [yaml.safe_load(path.read_text())]
    }


def _resource(version: Schema) -> Schema:
    schema = _strict(version["schema"]["openAPIV3Schema"])
    # Kubernetes checks this part itself; these are the fields of it that a file may set.
    names = {"type": "object", "additionalProperties": {"type": "string"}}
    schema["properties"]["metadata"] = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "namespace": {"type": "string"},
            "labels": names,
            "annotations": names,
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    schema["required"] = [*schema.get("required", []), "metadata"]
    return schema


def _strict(schema: Schema) -> Schema:
    """The schema, and no field that it does not know; a CRD's own means that they are dropped."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {
            name: _strict(field) for name, field in schema["properties"].items()
        }
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            strict[part] = _strict(schema[part])
    return strict


def _fields(spec: Schema) -> Iterator[Schema]:
    yield from spec.get("metadata", [])
    for profile in spec.get("authenticationProfiles", []):
        yield from profile.get("metadata", [])
    for profile in spec.get("builtinAuthenticationProfiles", []):
        yield from profile.get("metadata", [])
        yield from BUILT_IN[profile["name"]]


#: What a spec only names, because many components share it: the fields of these that are used here.
BUILT_IN: dict[str, list[Schema]] = {
    "aws": [
        {"name": "accessKey", "sensitive": True},
        {"name": "secretKey", "sensitive": True},
        {"name": "region"},
        {"name": "endpoint"},
    ],
    "azuread": [],
    "gcp": [],
}
