"""What a clone and a setup leave in version control, whatever this machine is set to."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import commit, git

#: Locks otherwise than what is there, as it does for another index or UV_EXCLUDE_NEWER.
UV = """\
#!/bin/sh
case "$*" in
  *--locked*) exit 2 ;;
  sync) echo "# of this machine" >> uv.lock ;;
esac
"""


@pytest.fixture
def committed(workspace: Path, tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin" / "uv"
    uv.write_text(UV)
    uv.chmod(0o700)
    git(tmp_path, "clone", "--quiet", str(_repository(workspace, tmp_path)), "committed")
    return tmp_path / "committed"


def _repository(workspace: Path, folder: Path) -> Path:
    repository = folder / "repository"
    subprocess.run(["cp", "-r", str(workspace), str(repository)], check=True)
    (repository / "uv.lock").write_text("version = 1\n")
    return commit(repository)


def setup(workspace: Path) -> None:
    path = f"{workspace.parent / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["make", "setup"], cwd=workspace, env={**os.environ, "PATH": path}, check=True)


def test_setup_leaves_a_committed_lock_as_it_is(committed: Path) -> None:
    setup(committed)
    assert git(committed, "status", "--porcelain") == ""


@pytest.mark.parametrize("project", ["pyproject.toml", "services/orders/pyproject.toml"])
def test_setup_locks_what_a_changed_project_asks_for(committed: Path, project: str) -> None:
    (committed / project).write_text((committed / project).read_text() + "# more\n")
    setup(committed)
    assert "of this machine" in (committed / "uv.lock").read_text()


def test_setup_locks_where_nothing_is_committed(committed: Path) -> None:
    git(committed, "rm", "--quiet", "uv.lock")
    setup(committed)
    assert "of this machine" in (committed / "uv.lock").read_text()


@pytest.mark.parametrize("whose", ["template", "workspace"])
def test_a_clone_with_line_ends_of_windows_has_those_of_unix(
    whose: str, template: Path, committed: Path, tmp_path: Path
) -> None:
    source = template if whose == "template" else committed
    git(tmp_path, "-c", "core.autocrlf=true", "clone", "--quiet", str(source), "windows")
    texts = [path for path in (tmp_path / "windows").rglob("*") if path.suffix in (".sh", ".py")]
    texts += [tmp_path / "windows" / "Makefile"]
    assert len(texts) > 100
    assert [path.name for path in texts if b"\r" in path.read_bytes()] == []
