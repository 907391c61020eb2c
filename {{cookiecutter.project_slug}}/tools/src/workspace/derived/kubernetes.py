"""deploy/kubernetes/base/services: the members, their ports and their environment."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from workspace.daprfile import DaprFile
from workspace.derived.file import Derived, head, plain, quoted
from workspace.members import Member

BASE = "deploy/kubernetes/base"
FOLDER = f"{BASE}/services"
INSTEAD = "dapr.yaml or an overlay"

ALL = Template("""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
$resources\
""")

ENVIRONMENT = """\
configMapGenerator:
  # What dapr.yaml sets for every app.
  - name: environment
"""

KUSTOMIZATION = """\
# What every service has is in ../../../service; it takes name and port from service.yaml.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - service.yaml
components:
  - ../../../service
"""

PATCHES = """\
patches:
  - target:
      kind: Deployment
    patch: |-
"""

VARIABLE = Template("""\
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value:
          name: $name
          value: $value
""")

PROBE = Template("""\
      - op: replace
        path: /spec/template/spec/containers/0/$probe/httpGet/path
        value: $path
""")

SERVICE = Template("""\
apiVersion: v1
kind: Service
metadata:
  name: $app_id
spec:
  selector:
    app.kubernetes.io/name: $app_id
  ports:
    - name: http
      port: $app_port
      targetPort: http
      appProtocol: http
""")


def derive(root: Path, file: DaprFile, members: Sequence[Member]) -> Iterator[Derived]:
    """Nothing for a workspace that does without Kubernetes."""
    if not (root / BASE).exists():
        return
    resources = "".join(f"  - {member.app_id}\n" for member in members)
    content = ALL.substitute(resources=resources) + _environment(file.env)
    yield Derived(root / FOLDER / "kustomization.yaml", head(INSTEAD) + content, INSTEAD)
    for member in members:
        folder, app = root / FOLDER / member.app_id, member.app
        kustomization = head(INSTEAD) + KUSTOMIZATION + _patches(member)
        yield Derived(folder / "kustomization.yaml", kustomization, INSTEAD)
        service = SERVICE.substitute(app_id=app.app_id, app_port=app.app_port)
        yield Derived(folder / "service.yaml", head(INSTEAD) + service, INSTEAD)


def _environment(common: dict[str, str]) -> str:
    literals = [f"      - {plain(f'{name}={value}')}\n" for name, value in common.items()]
    # The pods ask for this ConfigMap also where it is empty.
    below = "".join(["    literals:\n", *literals]) if literals else ""
    return ENVIRONMENT + below


def _patches(member: Member) -> str:
    app, file = member.app, member.file
    variables = app.env
    patches = []
    if file is not None:
        variables = {"APP_PORT": str(app.app_port)} | variables
        probes = {"startupProbe": file.alive, "livenessProbe": file.alive}
        for probe, path in (probes | {"readinessProbe": file.ready}).items():
            patches.append(PROBE.substitute(probe=probe, path=quoted(path)))
    for name, value in variables.items():
        patches.append(VARIABLE.substitute(name=plain(name), value=quoted(value)))
    return PATCHES + "".join(patches) if patches else ""
