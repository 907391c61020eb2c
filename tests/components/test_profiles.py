"""A profile is a folder of component files: one for each broker, one for each store.

Whoever changes one changes no service and no deployment, so profiles of one kind must agree.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template.rendering import ROOT, WORKSPACE

COMPONENTS = WORKSPACE / "components"
PROFILES = sorted(path for path in COMPONENTS.glob("*/*") if path.is_dir())


#: Which of a broker's topics who may use: not the broker's business, so in each profile the same.
TOPICS = ("protectedTopics", "subscriptionScopes", "publishingScopes", "allowedTopics")

#: What a profile says to the services, for they may not know which broker is in use.
OF_THE_SERVICES = {"BULK_DELIVERY"}


def documents(profile: Path) -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(profile.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


def promised(profile: Path) -> list[dict[str, Any]]:
    """What services and deployments rely on: kind, name, role, who may use it, and for what."""
    return [
        {
            "kind": document["kind"],
            "name": document["metadata"]["name"],
            "role": document["spec"]["type"].split(".")[0],
            "scopes": document["scopes"],
            "topics": {
                entry["name"]: entry["value"]
                for entry in document["spec"]["metadata"]
                if entry["name"] in TOPICS
            },
        }
        for document in documents(profile)
    ]


def by_path(profile: Path) -> str:
    return f"{profile.parent.name}-{profile.name}"


def test_the_components_at_the_root_are_those_of_the_workspace() -> None:
    assert os.readlink(ROOT / "components") == "{{cookiecutter.project_slug}}/components"
    assert (ROOT / "components").resolve() == COMPONENTS.resolve()


def test_the_brokers_to_choose_from_are_the_profiles_there_are() -> None:
    choices = json.loads((ROOT / "cookiecutter.json").read_text())["broker"]
    assert sorted(choices) == sorted(path.name for path in (COMPONENTS / "pubsub").iterdir())


@pytest.mark.parametrize("profile", PROFILES, ids=by_path)
def test_a_profile_promises_what_its_siblings_promise(profile: Path) -> None:
    siblings = [path for path in PROFILES if path.parent == profile.parent]
    assert [component["role"] for component in promised(profile)] == [profile.parent.name]
    assert promised(profile) == promised(siblings[0])


@pytest.mark.parametrize("broker", [p for p in PROFILES if p.parent.name == "pubsub"], ids=by_path)
def test_a_broker_admits_each_service_to_its_own_topics_and_nobody_to_all(broker: Path) -> None:
    (component,) = promised(broker)
    topics = component["topics"]
    assert topics.keys() == {"protectedTopics", "subscriptionScopes", "publishingScopes"}
    for scopes in (topics["subscriptionScopes"], topics["publishingScopes"]):
        assert re.findall(r"([\w-]+)=", scopes) == component["scopes"]
        used = re.findall(r"[\w-]+(?=[,;])", scopes)
        assert set(used) <= set(re.findall(r"[\w-]+", topics["protectedTopics"]))


@pytest.mark.parametrize("profile", PROFILES, ids=by_path)
def test_what_a_profile_reads_from_the_environment_is_in_its_development_env(
    profile: Path,
) -> None:
    read = {
        entry["envRef"]
        for document in documents(profile)
        for entry in document["spec"]["metadata"]
        if "envRef" in entry
    }
    file = profile / "development.env"
    named = re.findall(r"^(\w+)=", file.read_text(), re.MULTILINE) if file.exists() else []
    assert len(named) == len(set(named))
    assert read == set(named) - OF_THE_SERVICES
