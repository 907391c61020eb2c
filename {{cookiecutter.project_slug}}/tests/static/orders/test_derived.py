"""What is derived of the example lets each of its services use just its topics."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import yaml

from workspace import members
from workspace.daprfile import ROOT, RUN_FILE, DaprFile
from workspace.derived import access, files

MEMBERS = {member.app_id: member for member in members.members(DaprFile())}


def test_only_who_decides_an_event_may_publish_it() -> None:
    def publishers(topic: str) -> list[str]:
        return [name for name, member in MEMBERS.items() if topic in member.publishes]

    assert publishers("stock-reserved") == ["inventory"]
    assert publishers("order-placed") == ["orders"]
    assert publishers("order-placed-replies") == ["inventory", "payments", "shipping"]


def test_orders_may_invoke() -> None:
    assert MEMBERS["orders"].invokes


def test_all_that_names_the_initiator_follows_from_dapr_yaml_and_the_code(tmp_path: Path) -> None:
    for folder in ("components", "deploy"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    renamed = re.sub(r"\borders\b", "checkout", RUN_FILE.read_text())
    (tmp_path / RUN_FILE.name).write_text(renamed)
    file = DaprFile(tmp_path / RUN_FILE.name)
    # As its code would say under the new name.
    found = [
        replace(
            member,
            app=file.apps[re.sub(r"^orders$", "checkout", name)],
            subscribes=frozenset(_own(topic) for topic in member.subscribes),
            publishes=frozenset(_own(topic) for topic in member.publishes),
        )
        for name, member in MEMBERS.items()
    ]
    derived = files.of(tmp_path, file, found)
    assert any(access.FILE in line for line in derived.check())
    derived.write()
    naming = [
        path.relative_to(tmp_path).as_posix()
        for folder in ("components", "deploy")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file() and re.search(r"\borders\b", path.read_text())
    ]
    assert naming == []
    (known,) = yaml.safe_load_all((tmp_path / access.FILE).read_text())
    assert [each["appId"] for each in known["spec"]["accessControl"]["policies"]] == ["checkout"]


def _own(topic: str) -> str:
    return topic.replace("orders-dead-letters", "checkout-dead-letters")
