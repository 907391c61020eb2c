"""The production overlay, two pods of each service: rolled under load, closed to others."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.kubernetes.running.node import Cluster
from tests.deploy.kubernetes.running.prepare import SERVICES, SLUG
from tests.deploy.kubernetes.running.workload import Workload
from tests.waiting import wait_until

NAMESPACE, ELSEWHERE = "shop", "elsewhere"
SERVER = 10999
IMAGE = f"registry.example.com/{SLUG}/orders:0.1.0"
INTERNAL_PORT = 50002
#: What opens a connection of HTTP/2, and so of gRPC.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

#: On one small node: servers that nobody else runs, in another namespace, with less CPU asked for.
OVERLAY = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "namespace": NAMESPACE,
    "resources": ["../production"],
    "components": ["../../servers/redis", "../../servers/postgresql"],
    "replacements": [
        {
            "source": {"kind": "Namespace", "fieldPath": "metadata.name"},
            "targets": [
                {
                    "select": {"kind": "Configuration"},
                    "fieldPaths": ["spec.accessControl.policies.*.namespace"],
                }
            ],
        }
    ],
    "patches": [
        {
            "target": {"kind": "Deployment"},
            "patch": json.dumps(
                [
                    {
                        "op": "replace",
                        "path": "/spec/template/spec/containers/0/resources/requests/cpu",
                        "value": "10m",
                    },
                    {
                        "op": "replace",
                        "path": "/spec/template/metadata/annotations/dapr.io~1sidecar-cpu-request",
                        "value": "10m",
                    },
                ]
            ),
        }
    ],
}

#: POST to the address that it is given, with its own token, and print the status.
CALL = """
import os, sys, urllib.error, urllib.request
headers = {"content-type": "application/json", "dapr-api-token": os.environ["DAPR_API_TOKEN"]}
request = urllib.request.Request(sys.argv[1], b"{}", headers, method="POST")
try:
    print(urllib.request.urlopen(request, timeout=20).status)
except urllib.error.HTTPError as refusal:
    print(refusal.code)
"""


@pytest.fixture(scope="module")
def production(running: Cluster, prepared: Path) -> Iterator[Workload]:
    workspace = prepared / SLUG
    overlay = workspace / "deploy" / "kubernetes" / "overlays" / "one-node"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(OVERLAY))
    for claim in ("broker-broker-0", "store-store-0"):
        running.volume(claim, NAMESPACE, SERVER)
    make_tokens(running, workspace, NAMESPACE)
    workload = Workload(running, workspace, "one-node", NAMESPACE)
    workload.up()
    for service in SERVICES:
        wait_until(f"two pods of {service}", lambda name=service: ready(workload, name) == 2, 180)  # type: ignore[misc]
    yield workload
    workload.down()


def make_tokens(cluster: Cluster, workspace: Path, namespace: str) -> None:
    """What whoever runs the cluster makes before the first `make kube-up`."""
    secrets = {"dapr-api-token": "DAPR_API_TOKEN", "app-api-token": "APP_API_TOKEN"}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    ]
    for service in SERVICES:
        command = [str(workspace / ".venv" / "bin" / "workspace"), "tokens", service]
        said = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=True)
        given = dict(line.split("=", 1) for line in said.stdout.splitlines())
        for name, variable in secrets.items():
            metadata = {"name": f"{service}-{name}", "namespace": namespace}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
            documents.append(secret | {"stringData": {"token": given[variable]}})
    complaint = cluster.api.apply(yaml.safe_dump_all(documents))
    assert not complaint, complaint


def ready(workload: Workload, name: str) -> int:
    return sum(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in workload.pods(name)
        for condition in pod["status"].get("conditions", ())
    )


def test_every_order_ends_as_it_must_in_each_style(production: Workload) -> None:
    with production.orders("STYLES", count=20, seconds=4):
        pass


def test_nothing_is_lost_while_all_services_are_rolled(production: Workload) -> None:
    before = {pod["metadata"]["name"] for name in SERVICES for pod in production.pods(name)}
    with production.orders("ROLL", count=60, seconds=60):
        for name in SERVICES:
            production.kubectl("rollout", "restart", f"deployment/{name}")
        for name in SERVICES:
            production.kubectl(
                "rollout", "status", f"deployment/{name}", "--timeout=300s", seconds=320
            )
    after = {pod["metadata"]["name"] for name in SERVICES for pod in production.pods(name)}
    assert not before & after


def test_nothing_is_lost_when_the_broker_and_a_pod_of_each_service_are_gone(
    production: Workload,
) -> None:
    with production.orders("GONE", count=30, seconds=20):
        for name in (*SERVICES, "broker"):
            pod = production.pods(name)[0]["metadata"]["name"]
            production.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


@pytest.fixture(scope="module")
def unauthorized(production: Workload) -> str:
    """In the services' own namespace, with the token of their sidecars, but not one of them."""
    return start_unauthorized(production.cluster, NAMESPACE, "unauthorized", config="workspace")


@pytest.fixture(scope="module")
def namesake(production: Workload, prepared: Path) -> str:
    """It calls itself orders, in a namespace of its own."""
    make_tokens(production.cluster, prepared / SLUG, ELSEWHERE)
    return start_unauthorized(production.cluster, ELSEWHERE, "orders")


def start_unauthorized(
    cluster: Cluster, namespace: str, app_id: str, config: str | None = None
) -> str:
    annotations = {
        "dapr.io/enabled": "true",
        "dapr.io/app-id": app_id,
        "dapr.io/api-token-secret": "orders-dapr-api-token",
        "dapr.io/sidecar-seccomp-profile-type": "RuntimeDefault",
        **({"dapr.io/config": config} if config else {}),
    }
    token = {"secretKeyRef": {"name": "orders-dapr-api-token", "key": "token"}}
    app = {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "env": [{"name": "DAPR_API_TOKEN", "valueFrom": token}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "unauthorized", "namespace": namespace, "annotations": annotations},
        "spec": {
            "containers": [app],
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 1,
        },
    }
    complaint = cluster.api.apply(yaml.safe_dump(pod))
    assert not complaint, complaint
    done = cluster.api.kubectl(
        *("-n", namespace, "wait", "--for=condition=Ready", "pod/unauthorized", "--timeout=60s")
    )
    assert done.returncode == 0, done.stderr
    return "unauthorized"


def call(production: Workload, pod: str, url: str, namespace: str = NAMESPACE) -> int:
    """The status that a POST from inside this pod gets."""
    done = production.cluster.api.kubectl(
        *("-n", namespace, "exec", pod, "-c", "app", "--", "python3", "-c", CALL, url)
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def invoke(app: str, method: str) -> str:
    return f"http://127.0.0.1:3500/v1.0/invoke/{app}/method/{method}"


def test_only_orders_may_invoke_and_only_commands(production: Workload, unauthorized: str) -> None:
    orders = production.pods("orders")[0]["metadata"]["name"]
    command = invoke("inventory", "commands/reserve-stock")
    # Let through to the app, which wants more than an empty object.
    assert call(production, orders, command) == 422
    assert call(production, orders, invoke("inventory", "events/order-placed")) == 403
    assert call(production, orders, invoke("inventory", "dead-letters/1/replay")) == 403
    assert call(production, unauthorized, command) == 403


def test_a_namesake_from_another_namespace_is_refused(production: Workload, namesake: str) -> None:
    command = invoke(f"inventory.{NAMESPACE}", "commands/reserve-stock")
    assert call(production, namesake, command, ELSEWHERE) == 403


def test_an_unauthorized_pod_has_neither_broker_nor_store(
    production: Workload, unauthorized: str
) -> None:
    publish = "http://127.0.0.1:3500/v1.0/publish/pubsub/order-placed"
    save = "http://127.0.0.1:3500/v1.0/state/statestore"
    assert call(production, unauthorized, publish) in (400, 404)
    assert call(production, unauthorized, save) in (400, 404, 500)


def test_what_is_for_the_sidecar_takes_nobody_else(production: Workload) -> None:
    orders = production.pods("orders")[0]["metadata"]["name"]
    # It shows the token of a sidecar, not that of an app.
    for path in ("commands/reserve-stock", "events/order-placed"):
        assert call(production, orders, f"http://inventory:8002/{path}") == 401


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_without_a_certificate_is_refused(production: Workload, service: str) -> None:
    address = production.pods(service)[0]["status"]["podIP"]
    assert not answer_in_plain(address)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        answer_in_tls(address)


@pytest.mark.parametrize("port", [3500, 50001])
def test_a_sidecar_listens_to_its_own_pod_only(production: Workload, port: int) -> None:
    for service in SERVICES:
        address = production.pods(service)[0]["status"]["podIP"]
        with socket.socket() as probe:
            probe.settimeout(5)
            assert probe.connect_ex((address, port)) != 0


def answer_in_plain(address: str) -> bytes:
    with socket.create_connection((address, INTERNAL_PORT), timeout=10) as plain:
        plain.sendall(PREFACE)
        try:
            return plain.recv(1)
        except ConnectionResetError:
            return b""


def answer_in_tls(address: str) -> bytes:
    """The certificate of the other side is not what is tested: anyone may see it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address, INTERNAL_PORT), timeout=10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        secure.sendall(PREFACE)
        return secure.recv(1)
