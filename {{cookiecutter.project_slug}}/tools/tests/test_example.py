"""The example is taken out of the files that name it among others, and these stay as they were."""

import tomllib

import yaml

from workspace import example

APPS = """\
# Ours.
apps:
  - appID: bank
    appPort: 8001
    command: [bank]
  # Theirs.
  - appID: post-room
    appPort: 8002
    env:
      STYLE: fast
"""
PROJECT = """\
[project]
dependencies = ["chassis", "bank", "post-room"]

[tool.workspace]
# What goes.
example = [
  "services/bank",
]

[tool.uv.sources]
bank = { workspace = true }
post-room = { workspace = true }

[tool.mypy]
packages = [
  "chassis", "bank",
  "services.bank.tests",
  "post_room",
]

[[tool.importlinter.contracts]]
layers = ["bank | post_room | testkit", "chassis"]
"""


def test_an_app_goes_and_the_others_stay_with_their_comments() -> None:
    left = example.without_apps(APPS, ["bank"])
    assert [app["appID"] for app in yaml.safe_load(left)["apps"]] == ["post-room"]
    assert "# Ours." in left
    assert "# Theirs." in left


def test_without_an_app_the_list_is_empty() -> None:
    assert yaml.safe_load(example.without_apps(APPS, ["bank", "post-room"]))["apps"] == []


def test_a_package_goes_from_every_list_of_the_project() -> None:
    left = example.without_packages(PROJECT, ["bank"])
    assert "bank" not in left
    content = tomllib.loads(left)
    assert content["project"]["dependencies"] == ["chassis", "post-room"]
    assert content["tool"]["uv"]["sources"].keys() == {"post-room"}
    assert content["tool"]["mypy"]["packages"] == ["chassis", "post_room"]
    assert content["tool"]["importlinter"]["contracts"][0]["layers"] == [
        "post_room | testkit",
        "chassis",
    ]
    assert "workspace" not in content["tool"]


def test_the_last_package_goes_as_the_first_does() -> None:
    left = example.without_packages(PROJECT, ["bank", "post-room"])
    assert tomllib.loads(left)["project"]["dependencies"] == ["chassis"]
    assert tomllib.loads(left)["tool"]["mypy"]["packages"] == ["chassis"]


def test_only_topics_of_the_example_leave_what_is_in_flight() -> None:
    text = "# Why.\n\ntrip-booked = [1]\n\nroom-booked = [1, 2]\n\ntrip-booked-late = [1]\n"
    left = example.without_topics(text, {"trip-booked", "room-booked"})
    assert left == "# Why.\n\ntrip-booked-late = [1]\n"
