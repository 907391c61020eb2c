"""An overlay of deploy/kubernetes to the cluster that kubectl talks to, and away again."""

import json
import shutil
import subprocess
from typing import Any

import yaml
from rich.console import Console

from workspace import profiles, tokens
from workspace.daprfile import ROOT, DaprFile
from workspace.errors import StackError, UnknownName

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
ANSWER_SECONDS = 120
ROLLOUT_SECONDS = 300
#: After the name of a service, the Secrets that its sidecar is given, with one key: token.
TOKENS = {tokens.API_TOKEN: "dapr-api-token", tokens.APP_TOKEN: "app-api-token"}

console = Console(stderr=True, highlight=False)


def up(overlay: str) -> None:
    """Return when every service is ready. Raises `StackError` with what kubectl said."""
    resources = _resources(overlay)
    profiles.require_tables(resources, DaprFile().apps)
    _require_dapr()
    namespace = next(each for each in resources if each["kind"] == "Namespace")
    _kubectl("apply", "--server-side", "-f", "-", given=json.dumps(namespace))
    name = namespace["metadata"]["name"]
    console.print(f"namespace {name} of {_kubectl('config', 'current-context').strip()}")
    if overlay == "local":
        _make_tokens(name)
    _kubectl("apply", "--server-side", "--force-conflicts", "-k", str(OVERLAYS / overlay))
    for each in resources:
        if each["kind"] in ("StatefulSet", "Deployment"):
            _roll_out(f"{each['kind'].lower()}/{each['metadata']['name']}", name)


def down(overlay: str, confirmed: str) -> None:
    """The namespace and all in it, data included. Raises `StackError` unless it was named."""
    resources = _resources(overlay)
    name = next(each for each in resources if each["kind"] == "Namespace")["metadata"]["name"]
    context = _kubectl("config", "current-context").strip()
    if confirmed != name:
        raise StackError(
            f"This deletes the namespace {name} of {context}, with all data in it. "
            f"If that is meant: make kube-down CONFIRM={name}"
        )
    console.print(f"namespace {name} of {context}: deleting, with all data in it")
    with console.status(f"namespace {name}: deleting"):
        _kubectl("delete", "namespace", name, "--ignore-not-found", seconds=ROLLOUT_SECONDS)


def config(overlay: str) -> str:
    """What `up` sends. Raises `StackError`."""
    known = overlays()
    if overlay not in known:
        raise UnknownName(f"overlay {overlay}", known)
    return _kubectl("kustomize", str(OVERLAYS / overlay))


def overlays() -> list[str]:
    return sorted(path.name for path in OVERLAYS.iterdir())


def _resources(overlay: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(config(overlay)))


def _require_dapr() -> None:
    try:
        _kubectl("get", "crd", "components.dapr.io", "--output=name")
    except StackError as error:
        if "NotFound" not in str(error):
            raise
        raise StackError(
            "Dapr is not in this cluster: docs/kubernetes.md begins with how to install it"
        ) from error


def _make_tokens(namespace: str) -> None:
    """The tokens of .env, as they are for `make up`."""
    made = []
    for app_id in DaprFile().apps:
        found = tokens.of(app_id)
        for variable, secret in TOKENS.items():
            if variable not in found:
                raise StackError(f"{tokens.ENV} has no {variable}: delete it, and run `make setup`")
            made.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": f"{app_id}-{secret}", "namespace": namespace},
                    "stringData": {"token": found[variable]},
                }
            )
    listed = {"apiVersion": "v1", "kind": "List", "items": made}
    # Over standard input: what is in an argument can be read by everyone on this machine.
    _kubectl("apply", "--server-side", "-f", "-", given=json.dumps(listed))


def _roll_out(what: str, namespace: str) -> None:
    with console.status(f"{what}: rolling out"):
        wait = f"--timeout={ROLLOUT_SECONDS}s"
        _kubectl(
            "rollout",
            "status",
            what,
            "-n",
            namespace,
            wait,
            seconds=ROLLOUT_SECONDS + ANSWER_SECONDS,
        )
    console.print(f"{what}: ready")


def _kubectl(*arguments: str, given: str = "", seconds: float = ANSWER_SECONDS) -> str:
    if shutil.which("kubectl") is None:
        raise StackError("kubectl is not there: install it, version 1.29 or newer")
    try:
        done = subprocess.run(
            ["kubectl", *arguments], input=given, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"kubectl {arguments[0]}: no answer within {seconds:.0f} s") from error
    if done.returncode != 0:
        raise StackError(f"kubectl {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout
