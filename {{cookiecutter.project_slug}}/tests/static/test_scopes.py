"""Each service may use just its own topics: the component files say what the code does."""

from pathlib import Path

import pytest
import yaml

from workspace import scopes
from workspace.errors import StackError


@pytest.mark.parametrize("file", scopes.files(), ids=lambda path: "-".join(path.parts[-3:-1]))
def test_a_component_file_says_what_the_code_does(file: Path) -> None:
    assert file.read_text() == scopes.content(file), "`make scopes` writes what is missing"


def test_only_who_decides_an_event_may_tell_it() -> None:
    tellers = scopes.told(scopes.service_names())
    assert [name for name, topics in tellers.items() if "stock-reserved" in topics] == ["inventory"]
    assert [name for name, topics in tellers.items() if "order-placed" in topics] == ["orders"]
    assert "order-placed-replies" in tellers["shipping"]
    assert "order-placed-replies" not in tellers["orders"]


def test_a_dead_letter_topic_is_its_services_own() -> None:
    names = scopes.service_names()
    for topics in (scopes.heard(names), scopes.told(names)):
        for name in names:
            dead_letters = {topic for topic in topics[name] if topic.endswith("-dead-letters")}
            assert dead_letters == {f"{name}-dead-letters"}


def test_what_stands_above_the_marker_is_left_alone() -> None:
    for file in scopes.files():
        above = file.read_text().split(scopes.MARKER)[0]
        assert scopes.content(file).startswith(above)
        assert yaml.safe_load(scopes.content(file))["scopes"] == scopes.service_names()


def test_a_service_that_is_not_installed_is_named_with_what_to_do() -> None:
    with pytest.raises(StackError, match=r"no-service, .* in pyproject\.toml"):
        scopes.heard(["no-service"])
