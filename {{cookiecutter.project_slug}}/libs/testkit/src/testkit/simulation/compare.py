"""python -m testkit.simulation.compare FILE MODULE...: recorded histories against the code.

Each module has a `compose` that makes a service. Prints what differs, one line for each workflow,
and exits 1 if anything does. In a process of its own, so that it can run under another
PYTHONHASHSEED: the order of a set must not matter.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from testkit.simulation.histories import Recording, dump, load
from testkit.simulation.simulation import Simulation
from testkit.simulation.workspace import Composition


def compare_under(
    hash_seed: int, services: Sequence[Composition], recordings: Iterable[Recording]
) -> list[str]:
    """What differs when the interpreter's hash seed is this one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "histories.json"
        modules = [compose.__module__ for compose in services]
        file.write_text(dump(recordings))
        ended = subprocess.run(
            [sys.executable, "-m", "testkit.simulation.compare", str(file), *modules],
            env={
                **os.environ,
                "PYTHONHASHSEED": str(hash_seed),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if ended.returncode not in (0, 1) or "Traceback" in ended.stderr:
        raise RuntimeError(ended.stderr)
    return ended.stdout.splitlines()


def main(file: str, *modules: str) -> int:
    services = [import_module(module).compose for module in modules]
    different = Simulation(services, lambda _: list).compare(load(Path(file).read_text()))
    for line in different:
        print(line)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
