"""Dapr's control plane, from its own chart and the values that the workspace asks for."""

import subprocess
from pathlib import Path

from runtime import pins
from tests.deploy.kubernetes.programs import program
from tests.deploy.kubernetes.running.node import Cluster
from tests.deploy.kubernetes.running.prepare import DAPR_REGISTRY

NAMESPACE = "dapr-system"
INSTALL_SECONDS = 300
#: daprd's, as which all of the control plane runs.
USER = 65532


def install(cluster: Cluster, chart: Path, workspace: Path) -> None:
    """Return once all of it is ready. Raises AssertionError with what helm and the pods say."""
    cluster.api.kubectl("create", "namespace", NAMESPACE)
    for number in range(3):
        claim = f"dapr-scheduler-data-dir-dapr-scheduler-server-{number}"
        cluster.volume(claim, NAMESPACE, USER)
    values = {
        "global.registry": DAPR_REGISTRY,
        "global.tag": pins.RUNTIME_VERSION,
        "global.imagePullPolicy": "Never",
        "dapr_sidecar_injector.sidecarImagePullPolicy": "Never",
        # One node.
        "global.ha.enabled": "false",
    }
    done = subprocess.run(
        [
            *(program("helm"), "install", "dapr", chart, "--namespace", NAMESPACE, "--wait"),
            *("--values", workspace / "deploy" / "kubernetes" / "dapr-values.yaml"),
            *(part for name, value in values.items() for part in ("--set", f"{name}={value}")),
            *("--timeout", f"{INSTALL_SECONDS}s"),
        ],
        env={"KUBECONFIG": str(cluster.api.kubeconfig), "HOME": str(cluster.folder)},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS + 60,
    )
    pods = cluster.api.kubectl("get", "pods", "-A", "-o", "wide").stdout
    assert done.returncode == 0, f"helm install: {done.stderr}\n{pods}"
