"""Renders the template the way a user does: the command line, in a process of its own."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "{{cookiecutter.project_slug}}"

# File content and permissions; of a link, where it points.
Tree = dict[str, tuple[int, bytes]]


@dataclass(frozen=True)
class Rendering:
    code: int
    stdout: str
    stderr: str
    output: Path

    @property
    def left_behind(self) -> list[str]:
        return sorted(str(path.relative_to(self.output)) for path in self.output.rglob("*"))


def cookiecutter(
    template: Path, output: Path, *options: str, typed: str | None = None, **answers: str
) -> Rendering:
    """`typed` is what a user enters at the prompts; without it, the prompts are not asked."""
    given = [f"{name}={answer}" for name, answer in answers.items()]
    asked = [] if typed is not None else ["--no-input"]
    return run(
        output,
        "cookiecutter",
        str(template),
        *given,
        *asked,
        "-o",
        str(output),
        *options,
        typed=typed,
    )


def cruft(repository: Path, output: Path, *options: str) -> Rendering:
    """`cruft create`."""
    return run(
        output,
        "cruft",
        "create",
        str(repository),
        "--no-input",
        "--output-dir",
        str(output),
        *options,
    )


def run(output: Path, tool: str, *arguments: str, typed: str | None = None) -> Rendering:
    output.mkdir(parents=True, exist_ok=True)
    # A home of its own: what this user has configured, or answered before, must not show.
    with TemporaryDirectory() as home:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(tool)), *arguments],
            input=typed or "",
            env={**os.environ, "HOME": home, "COLUMNS": "200"},
            cwd=output.parent,
            capture_output=True,
            text=True,
            timeout=120,
        )
    return Rendering(done.returncode, done.stdout, done.stderr, output)


def snapshot(target: Path) -> Path:
    """The working tree as the next commit would hold it: without caches, with new files."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return target


def commit(folder: Path) -> Path:
    """The folder as it is now, in a git repository."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    git(folder, *author, "commit", "--quiet", "--no-verify", "--message", "Snapshot")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


def tree(folder: Path) -> Tree:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            os.readlink(path).encode()
            if path.is_symlink()
            else b""
            if path.is_dir()
            else path.read_bytes(),
        )
        for path in folder.rglob("*")
    }
