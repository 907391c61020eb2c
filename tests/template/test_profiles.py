"""A profile is a folder of component files: one for each broker, one for each store."""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.template.rendering import ROOT, WORKSPACE

COMPONENTS = WORKSPACE / "components"
PROFILES = sorted(path for path in COMPONENTS.glob("*/*") if path.is_dir())


def components_of(profile: Path) -> set[tuple[str, str]]:
    """Kind and name of each; services know a component by its name alone."""
    documents = [
        document
        for path in profile.glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
    ]
    return {(document["kind"], document["metadata"]["name"]) for document in documents}


def test_the_components_at_the_root_are_those_of_the_workspace() -> None:
    assert os.readlink(ROOT / "components") == "{{cookiecutter.project_slug}}/components"
    assert (ROOT / "components").resolve() == COMPONENTS.resolve()


def test_the_brokers_to_choose_from_are_the_profiles_there_are() -> None:
    choices = json.loads((ROOT / "cookiecutter.json").read_text())["broker"]
    assert sorted(choices) == sorted(path.name for path in (COMPONENTS / "pubsub").iterdir())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_each_profile_has_the_component_names_of_its_siblings(profile: Path) -> None:
    siblings = [path for path in PROFILES if path.parent == profile.parent]
    assert components_of(profile)
    assert components_of(profile) == components_of(siblings[0])
