"""How `make up` has `dapr run` start its sidecars: on loopback, and each with tokens of its own.

The CLI 1.16.5 passes on where the sidecar's API listens (`apiListenAddresses` of dapr.yaml), but
has no option for its internal API and its metrics: those would take whoever reaches this machine.
And it gives all of its sidecars one environment. It looks for `daprd` below DAPR_RUNTIME_PATH,
where this puts a script.
"""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from workspace import processes, tokens, yamlfile
from workspace.daprfile import ROOT, RUN_FILE
from workspace.runtime import Runtime

LOOPBACK = "127.0.0.1"

SCRIPT = """\
#!/bin/sh
# Made by tools/src/workspace/launcher.py
last=
for each in "$@"; do
    if [ "$last" = --app-id ]; then
        set -a
        . {tokens}/"$each"
        set +a
    fi
    last=$each
done
# exec: the CLI stops, and lists, a process of this name.
exec {daprd} "$@" --dapr-internal-grpc-listen-address={loopback} --metrics-listen-address={loopback}
"""


def environment(found: Runtime, app_ids: Iterable[str]) -> dict[str, str]:
    """Of `dapr run`: it then starts its sidecars by the script, which this writes."""
    home = processes.RUN / "launcher"
    for app_id in app_ids:
        known = (f"{name}={shlex.quote(value)}\n" for name, value in tokens.of(app_id).items())
        _write(home / "tokens" / app_id, "".join(known), 0o600)
    daprd = shlex.quote(str(found.home / ".dapr" / "bin" / "daprd"))
    where = shlex.quote(str(home / "tokens"))
    script = SCRIPT.format(daprd=daprd, tokens=where, loopback=LOOPBACK)
    _write(home / ".dapr" / "bin" / "daprd", script, 0o700)
    # The address under which a sidecar announces its internal API to the others.
    return {"DAPR_RUNTIME_PATH": str(home), "DAPR_HOST_IP": LOOPBACK}


def run_file(path: Path = RUN_FILE) -> Path:
    """dapr.yaml, with the tokens of each app in its environment."""
    (content,) = yamlfile.documents(path)
    common: dict[str, Any] = content["common"]
    # In the file itself they start from its folder.
    common["resourcesPaths"] = [str(ROOT / each) for each in common["resourcesPaths"]]
    if "configFilePath" in common:
        common["configFilePath"] = str(ROOT / common["configFilePath"])
    for app in content["apps"]:
        app["appDirPath"] = str(ROOT / app.get("appDirPath", "."))
        app["env"] = {**app.get("env", {}), **tokens.of(app["appID"])}
    made = processes.RUN / "dapr.yaml"
    _write(made, yaml.safe_dump(content, sort_keys=False), 0o600)
    return made


def _write(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of its owner only from the first byte on: it holds tokens.
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(content)
