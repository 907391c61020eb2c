"""Derived files are what dapr.yaml and the code say, and let each service use just its topics."""

import pytest

from workspace import members
from workspace.daprfile import DaprFile
from workspace.derived import files
from workspace.errors import StackError

MEMBERS = {member.app_id: member for member in members.members(DaprFile())}


def test_no_derived_file_differs_from_what_derive_writes() -> None:
    assert files.here().check() == []


def test_a_dead_letter_topic_is_its_services_own() -> None:
    for member in MEMBERS.values():
        for topics in (member.subscribes, member.publishes):
            found = {topic for topic in topics if topic.endswith("-dead-letters")}
            assert found == {member.dead_letters}


def test_only_who_runs_sagas_may_invoke() -> None:
    invokers = [name for name, member in MEMBERS.items() if member.invokes]
    assert all(members.service(name).sagas.runners for name in invokers)


def test_a_service_that_is_not_installed_is_named_with_what_to_do() -> None:
    with pytest.raises(StackError, match=r"no-service, .* in pyproject\.toml"):
        members.service("no-service")
