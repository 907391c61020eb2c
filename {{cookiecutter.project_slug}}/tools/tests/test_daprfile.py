"""A dapr.yaml that cannot be used is refused in one line: what, where, what to do."""

from pathlib import Path

import pytest

from workspace.daprfile import RUN_FILE, DaprFile
from workspace.errors import StackError


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("apps:\n", "apps: [\n", "cannot be read as YAML"),
        ("apps:\n", "applications:\n", "apps: Field required"),
        ("- appID: inventory", "- appId: inventory", "apps[1].appID: Field required"),
        ("appPort: 8003", "appPort: http", "apps[2].appPort: Input should be a valid integer"),
        ("resourcesPaths:", "resourcePaths:", "common.resourcesPaths: Field required"),
        ("appPort: 8003", "appPort: 8002", "apps: port 8002 is there twice"),
        ("- appID: payments", "- appID: inventory", "apps: appID inventory is there twice"),
        ("127.0.0.1:50006", "127.0.0.1", "common.schedulerHostAddress"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    text = RUN_FILE.read_text()
    assert before in text
    (tmp_path / "dapr.yaml").write_text(text.replace(before, after))
    refused(tmp_path / "dapr.yaml", says)


def test_an_empty_file_and_none_are_refused_as_well(tmp_path: Path) -> None:
    refused(tmp_path / "dapr.yaml", "No such file")
    (tmp_path / "dapr.yaml").write_text("")
    refused(tmp_path / "dapr.yaml", "the whole file")


def refused(file: Path, says: str) -> None:
    with pytest.raises(StackError) as refusal:
        DaprFile(file)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(str(file))
    assert says in line
    assert line.endswith("Correct it there.")
