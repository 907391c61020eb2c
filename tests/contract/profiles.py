"""The component files of a workspace that the contract is run with."""

from pathlib import Path

from tests.template.rendering import WORKSPACE

#: Where a live test finds the file that it gives its sidecar.
COMPONENT = "CONTRACT_COMPONENT"


def store(name: str) -> Path:
    return WORKSPACE / "components" / "state" / name / "statestore.yaml"
