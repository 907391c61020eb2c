"""A cluster of one node: control plane, containerd, kubelet, in these tests' own namespaces."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.kubernetes.api_server import ApiServer, api_server
from tests.deploy.kubernetes.processes import Server
from tests.deploy.kubernetes.programs import program
from tests.deploy.kubernetes.running.prepare import PAUSE
from tests.waiting import wait_until

#: The API server must listen where pods reach it; names are answered there too.
ADDRESS = "10.245.0.1"
PODS = "10.244.0.0/16"
READY_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    api: ApiServer
    folder: Path

    def containerd(self, *arguments: str) -> str:
        """What `ctr` says of the images and containers of the kubelet."""
        command = ["ctr", "--address", str(self.folder / "containerd.sock"), "-n", "k8s.io"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def volume(self, claim: str, namespace: str, owner: int) -> None:
        """A disk of this node for that claim, empty, which belongs to the user who writes to it."""
        path = self.folder / "disks" / namespace / claim
        path.mkdir(parents=True)
        os.chown(path, owner, owner)
        spec = {
            "capacity": {"storage": "16Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(path)},
            "claimRef": {"name": claim, "namespace": namespace},
        }
        metadata = {"name": f"{namespace}-{claim}"}
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata}
        complaint = self.api.apply(yaml.safe_dump(volume | {"spec": spec}))
        assert not complaint, complaint

    def pods(self, namespace: str, *labels: str) -> list[dict[str, Any]]:
        selector = ["--selector", ",".join(labels)] if labels else []
        found: list[dict[str, Any]] = self.api.get("pods", "-n", namespace, *selector)["items"]
        return found

    def pid(self, pod: Mapping[str, Any], container: str) -> int:
        """Of the first process of a container, as this node counts."""
        status = pod["status"]
        all_of = [*status["containerStatuses"], *status.get("initContainerStatuses", ())]
        (id,) = [each["containerID"] for each in all_of if each["name"] == container]
        tasks = (line.split() for line in self.containerd("tasks", "ls").splitlines())
        return int(next(task[1] for task in tasks if task[0] == id.rpartition("/")[2]))


@contextmanager
def cluster(folder: Path, images: Path) -> Iterator[Cluster]:
    """Ready: its node takes pods, and has the images. All of it is stopped in the end."""
    _network()
    with ExitStack() as stack:
        api = stack.enter_context(api_server(folder, ADDRESS))
        made = Cluster(api, folder)
        kubeconfig = api.kubeconfig

        def start(name: str, *command: str | Path) -> Server:
            server = Server(name, command, folder)
            stack.callback(server.stop)
            return server

        start(
            "kube-controller-manager",
            *(program("kube-controller-manager"), "--kubeconfig", kubeconfig),
            *("--leader-elect=false", "--use-service-account-credentials"),
            *("--service-account-private-key-file", folder / "accounts.key"),
            *("--root-ca-file", api.certificate, "--cluster-cidr", PODS),
        )
        start(
            "kube-scheduler",
            *(program("kube-scheduler"), "--kubeconfig", kubeconfig, "--leader-elect=false"),
        )
        start(
            "kube-proxy",
            *(program("kube-proxy"), "--kubeconfig", kubeconfig, "--cluster-cidr", PODS),
            *("--hostname-override=localhost", "--proxy-mode=iptables"),
            # It is the kernel's, and not this network namespace's to set.
            *("--conntrack-max-per-core=0", "--conntrack-min=0"),
        )
        names = start("coredns", program("coredns"), "-conf", _corefile(folder, kubeconfig))
        names.wait_until(lambda: _answers(53), READY_SECONDS)
        containerd = start("containerd", "containerd", "--config", _containerd(folder))
        containerd.wait_until((folder / "containerd.sock").exists, READY_SECONDS)
        stack.callback(_stop_containers, made)
        made.containerd("images", "import", str(images))
        kubelet = start(
            "kubelet",
            *(program("kubelet"), "--kubeconfig", kubeconfig, "--config", _kubelet(folder)),
            # The server reaches a node by its name, for logs and exec.
            *("--hostname-override=localhost", "--node-ip", ADDRESS),
            *("--root-dir", folder / "kubelet", "--cert-dir", folder / "kubelet-certificates"),
        )
        kubelet.wait_until(lambda: _takes_pods(api), READY_SECONDS)
        yield made
        # While its controllers live: containers end as they would anywhere.
        api.kubectl("delete", "namespace", "--all", "--wait=false")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def _takes_pods(api: ApiServer) -> bool:
    nodes = json.loads(api.kubectl("get", "nodes", "-o", "json").stdout or '{"items": []}')
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for node in nodes["items"]
        for condition in node["status"]["conditions"]
    )


def _stop_containers(cluster: Cluster) -> None:
    for line in cluster.containerd("tasks", "ls", "-q").splitlines():
        subprocess.run(
            [
                *("ctr", "--address", str(cluster.folder / "containerd.sock"), "-n", "k8s.io"),
                *("tasks", "kill", "--signal", "SIGKILL", "--all", line),
            ],
            capture_output=True,
            timeout=60,
        )
    wait_until("all containers have ended", lambda: not _running(cluster), 60)


def _running(cluster: Cluster) -> bool:
    return "RUNNING" in cluster.containerd("tasks", "ls")


def _network() -> None:
    """In a namespace that has nothing: loopback, an address for the cluster, and forwarding."""
    for command in (
        "link set lo up",
        "link add cluster type veth peer name unused",
        f"address add {ADDRESS}/24 dev cluster",
        "link set unused up",
        "link set cluster up",
        # The addresses of services are rewritten after the route is chosen, so there must be one.
        "route add default dev cluster",
    ):
        _run("ip", *command.split())
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # The names of the pods' networks are files, and go with this mount.
    Path("/run/netns").mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "none", "/run/netns")
    # The kubelet's mounts must reach the containers, and nobody else.
    _run("mount", "--make-rshared", "/")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _corefile(folder: Path, kubeconfig: Path) -> Path:
    path = folder / "Corefile"
    path.write_text(f"""cluster.local:53 {{
    errors
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
        pods insecure
    }}
    cache 5
}}
""")
    return path


def _containerd(folder: Path) -> Path:
    networks = folder / "networks"
    networks.mkdir()
    # Each pod on a wire of its own: what goes to a service's address passes this node's rules.
    addresses = {
        "type": "host-local",
        "subnet": PODS,
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(folder / "addresses"),
    }
    plugin = {"type": "ptp", "ipMasq": True, "ipam": addresses}
    network = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
    (networks / "pods.conflist").write_text(json.dumps(network))
    path = folder / "containerd.toml"
    path.write_text(f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Where this machine's own limits are, no container may have less.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{networks}"
""")
    return path


def _kubelet(folder: Path) -> Path:
    (folder / "resolv.conf").write_text("")
    path = folder / "kubelet.yaml"
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "podLogsDir": str(folder / "pod-logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "syncFrequency": "5s",
        # The machine's disk is not this test's subject.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    path.write_text(yaml.safe_dump(content))
    return path
