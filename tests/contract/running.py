"""Runs tests of `live/` in a workspace's environment, where the chassis is."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

LIVE = Path(__file__).parent / "live"
TIMEOUT_SECONDS = 300


def run_live(workspace: Path, module: str, environment: Mapping[str, str], *options: str) -> None:
    """Raises AssertionError with what pytest said."""
    python = workspace / ".venv" / "bin" / "python"
    done = subprocess.run(
        [
            *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", str(LIVE / "pytest.ini"), str(LIVE / module), *options),
        ],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout
