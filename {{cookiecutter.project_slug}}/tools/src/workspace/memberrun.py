"""What members in other languages run of their own, beside what is run for those in Python."""

import shlex
import subprocess
from enum import StrEnum

from workspace import memberfile
from workspace.daprfile import DaprFile
from workspace.errors import StackError


class Task(StrEnum):
    SETUP = "setup"
    CHECK = "check"
    TEST = "test"


def run(task: Task) -> None:
    """Each in its folder, in the order of dapr.yaml. Raises `StackError` for one that fails."""
    for app_id in DaprFile().apps:
        command = getattr(memberfile.or_chassis(app_id), task)
        if command is None:
            continue
        shown = f"{app_id}: {shlex.join(command)}"
        print(shown, flush=True)
        try:
            done = subprocess.run(command, cwd=memberfile.SERVICES / app_id)
        except OSError as error:
            raise StackError(f"{shown}: {error}. services/{app_id}/member.toml says it.") from error
        if done.returncode:
            raise StackError(f"{shown}: exit code {done.returncode}, see above")
