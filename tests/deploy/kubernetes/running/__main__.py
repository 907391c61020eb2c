"""python -m tests.deploy.kubernetes.running: a cluster of one node, and the tests that need it.

What needs a network is done first. The cluster then lives in namespaces of its own (network,
mounts, processes): whatever becomes of the tests, its processes end with the first of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runtime.failure import Failure
from tests.deploy.kubernetes.running.prepare import prepare, say

HERE = Path(__file__).parent
CGROUPS = Path("/sys/fs/cgroup")


def main() -> int:
    if sys.platform != "linux" or os.geteuid() != 0:
        say("a node needs Linux and root: containers, network namespaces, iptables. Not done.")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="kubernetes-"))
    try:
        prepare(folder)
        return _tests(folder)
    except (AssertionError, RuntimeError, Failure, OSError, subprocess.SubprocessError) as error:
        say(f"no cluster could be made: {error}")
        return 1
    finally:
        _forget_cgroups()
        shutil.rmtree(folder, ignore_errors=True)


def _tests(folder: Path) -> int:
    isolated = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *sys.argv[1:], str(HERE)]
    # A shell as the first process: it reaps what containers leave to it.
    running = subprocess.run(
        [*isolated, "sh", "-c", '"$@"; exit $?', "sh", *command],
        env={**os.environ, "KUBERNETES_PREPARED": str(folder)},
    )
    return running.returncode


def _forget_cgroups() -> None:
    """A kubelet leaves its empty cgroups behind."""
    for top in (CGROUPS, *CGROUPS.iterdir()):
        found = top / "kubepods"
        if found.is_dir():
            for each in sorted(found.rglob("*"), reverse=True):
                if each.is_dir():
                    each.rmdir()
            found.rmdir()


if __name__ == "__main__":
    sys.exit(main())
