"""What kubeconform checks against: Kubernetes' own API and the custom resources, closed.

A field that no schema knows is an error here, as it is for a server with strict validation.
"""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime import pins
from tests.deploy.kubernetes.programs import MODULES, source

Schema = dict[str, Any]
#: Kubernetes' own way to say "a number or a string".
INT_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
USED = {
    *("Component", "Configuration", "Resiliency", "WorkflowAccessPolicy"),
    *("ScaledObject", "TriggerAuthentication", "PeerAuthentication", "Sidecar"),
    *("PodMonitor", "PrometheusRule"),
}
LOCATION = "{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json"


def write(folder: Path) -> None:
    """One file a kind, named as in LOCATION."""
    swagger = source(MODULES / "kubernetes", "k8s.io/kubernetes") / "api/openapi-spec/swagger.json"
    for name, schema in [*_own(json.loads(swagger.read_text())), *_custom()]:
        (folder / name).write_text(json.dumps(schema))


@cache
def custom_resources() -> tuple[Schema, ...]:
    """The custom resource definitions of what the overlays use, from their projects' modules."""
    dapr = source(pins.RUNTIME_MODULE, "github.com/dapr/dapr") / "charts/dapr/crds"
    keda = source(MODULES / "crds", "github.com/kedacore/keda/v2") / "config/crd/bases"
    istio = source(MODULES / "crds", "istio.io/api") / "kubernetes"
    operator = source(MODULES / "crds", "github.com/prometheus-operator/prometheus-operator")
    prometheus = operator / "example/prometheus-operator-crd"
    files = [*dapr.glob("*.yaml"), *keda.glob("*.yaml"), *istio.glob("custom*.yaml")]
    # Of the others, some hold a `=` that PyYAML cannot read.
    files += [*prometheus.glob("*_podmonitors.yaml"), *prometheus.glob("*_prometheusrules.yaml")]
    # libyaml: these files are megabytes.
    found = (each for file in files for each in yaml.load_all(file.read_text(), yaml.CSafeLoader))
    used = tuple(each for each in found if each and each["spec"]["names"]["kind"] in USED)
    assert {each["spec"]["names"]["kind"] for each in used} == USED
    return used


def _own(swagger: Schema) -> Iterator[tuple[str, Schema]]:
    definitions = swagger["definitions"]
    for definition in definitions.values():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            if "properties" in definition:
                yield (
                    _name(kind["kind"], kind["group"], kind["version"]),
                    _closed(definition, definitions),
                )


def _custom() -> Iterator[tuple[str, Schema]]:
    for definition in custom_resources():
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
            # What every resource has need not stand in a definition.
            every = {name: {"type": "string"} for name in ("apiVersion", "kind")}
            schema["properties"] = {**schema["properties"], **every, "metadata": {"type": "object"}}
            name = _name(spec["names"]["kind"], spec["group"], version["name"])
            yield name, _closed(schema, {})


def _name(kind: str, group: str, version: str) -> str:
    # To kubeconform, the group of what has none is its version.
    return f"{kind}-{group or version}-{version}.json".lower()


def _closed(schema: Schema, definitions: Schema) -> Schema:
    """Without references, and without room for what it does not name."""
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        if target.endswith("IntOrString"):
            return INT_OR_STRING
        if target.endswith("Quantity"):
            return {"type": ["string", "number"]}
        if target.endswith("JSONSchemaProps"):
            return {"type": "object"}
        return _closed(definitions[target], definitions)
    if schema.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    closed = {name: part for name, part in schema.items() if name not in ("properties", "items")}
    if "properties" in schema:
        parts = schema["properties"].items()
        closed["properties"] = {name: _closed(part, definitions) for name, part in parts}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = _closed(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        closed["additionalProperties"] = _closed(schema["additionalProperties"], definitions)
    return closed
