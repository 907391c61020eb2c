"""The daprd that `dapr run` starts for `make up`: the installed one, on loopback.

The CLI 1.16.5 passes on where the sidecar's API listens (`apiListenAddresses` of dapr.yaml), but
has no option for its internal API and its metrics: those would take whoever reaches this machine.
The CLI looks for `daprd` below DAPR_RUNTIME_PATH, where this puts a script.
"""

import shlex
from pathlib import Path

from workspace import processes
from workspace.runtime import Runtime

LOOPBACK = "127.0.0.1"


def environment(found: Runtime) -> dict[str, str]:
    """Of `dapr run`: it then starts its sidecars by the script, which this writes."""
    home = processes.RUN / "launcher"
    _write(home / ".dapr" / "bin" / "daprd", found)
    # The address under which a sidecar announces its internal API to the others.
    return {"DAPR_RUNTIME_PATH": str(home), "DAPR_HOST_IP": LOOPBACK}


def _write(script: Path, found: Runtime) -> None:
    script.parent.mkdir(parents=True, exist_ok=True)
    daprd = shlex.quote(str(found.home / ".dapr" / "bin" / "daprd"))
    # exec: the CLI stops, and lists, a process of this name.
    script.write_text(
        "#!/bin/sh\n# Made by tools/src/workspace/launcher.py\n"
        f'exec {daprd} "$@" --dapr-internal-grpc-listen-address={LOOPBACK} '
        f"--metrics-listen-address={LOOPBACK}\n"
    )
    script.chmod(0o700)
