"""Every file of components/ is what the pinned Dapr says that such a file is."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.components.upstream import component_fields, schemas
from tests.template.rendering import WORKSPACE

COMPONENTS = WORKSPACE / "components"
FILES = sorted(COMPONENTS.rglob("*.yaml"))

#: What the sidecar itself takes from any component's metadata, so that no component's spec has it.
OF_THE_SIDECAR = {
    "pubsub": {"consumerID", "protectedTopics", "subscriptionScopes", "publishingScopes"},
    "state": {"actorStateStore"},
}


def documents(file: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def mistakes(document: dict[str, Any]) -> list[str]:
    """Where it differs from its schema, and from the spec of its component."""
    schema = schemas()[document["apiVersion"], document["kind"]]
    found = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(document)
    ]
    if found or document["kind"] != "Component":
        return found
    spec = document["spec"]
    fields = component_fields()[spec["type"], spec["version"]]
    known = fields.keys() | OF_THE_SIDECAR[spec["type"].split(".")[0]]
    used = [entry["name"] for entry in spec["metadata"]]
    found += [f"{spec['type']} knows no {name}" for name in used if name not in known]
    found += [f"{name} is there twice" for name in set(used) if used.count(name) > 1]
    return found


def by_path(file: Path) -> str:
    return str(file.relative_to(COMPONENTS))


@pytest.mark.parametrize("file", FILES, ids=by_path)
def test_a_file_is_valid_and_has_no_field_that_dapr_does_not_know(file: Path) -> None:
    assert documents(file)
    assert [mistake for document in documents(file) for mistake in mistakes(document)] == []


@pytest.mark.parametrize("file", FILES, ids=by_path)
def test_no_credential_stands_in_a_file(file: Path) -> None:
    written_down = [
        entry["name"]
        for document in documents(file)
        if document["kind"] == "Component"
        for entry in document["spec"]["metadata"]
        if component_fields()[document["spec"]["type"], document["spec"]["version"]]
        .get(entry["name"], {})
        .get("sensitive")
        and "value" in entry
    ]
    assert written_down == []


def test_a_misspelt_field_is_found_wherever_it_is() -> None:
    (resiliency,) = documents(COMPONENTS / "resiliency.yaml")
    retries = resiliency["spec"]["policies"]["retries"]["outlast-a-restart"]
    retries["maxRetires"] = retries.pop("maxRetries")
    assert "maxRetires" in "".join(mistakes(resiliency))

    (kafka,) = documents(COMPONENTS / "pubsub" / "kafka" / "pubsub.yaml")
    for change in (
        {"scope": ["orders"]},
        {"spec": {**kafka["spec"], "metadatas": []}},
        {"metadata": {"nmae": "pubsub"}},
    ):
        assert mistakes({**kafka, **change})
    misspelt = deepcopy(kafka)
    misspelt["spec"]["metadata"][0]["name"] = "broker"
    assert mistakes(misspelt) == ["pubsub.kafka knows no broker"]
