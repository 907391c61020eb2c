"""deploy/compose: each member and its sidecar, as dapr.yaml runs them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from workspace import yamlfile
from workspace.daprfile import DaprFile
from workspace.derived.file import Derived, head, plain, quoted
from workspace.errors import StackError
from workspace.members import Member

COMPOSE = "deploy/compose"
FOLDER = f"{COMPOSE}/services"
INSTEAD = "dapr.yaml or compose.override.yaml"

SERVICE = Template("""\
services:
  $app_id:
    extends:
      file: ../common.yaml
      service: app
    image: "$${IMAGES:-$project}/$app_id:$${TAG:-latest}"
    build:
      args:
        SERVICE: $app_id
$package\
    environment:
      UVICORN_PORT: "$app_port"
      DAPR_RUNTIME_HOST: $app_id-dapr
      DAPR_HTTP_PORT: "$http_port"
      DAPR_GRPC_PORT: "$grpc_port"
$environment\
    secrets:
      - source: tokens-$app_id
        target: tokens
    ports: ["127.0.0.1:$app_port:$app_port"]
    networks: [$app_id]

""")

#: In another language: its image brings the health check.
FOREIGN = Template("""\
services:
  $app_id:
    extends:
      file: ../common.yaml
      service: member
    image: "$${IMAGES:-$project}/$app_id:$${TAG:-latest}"
    build:
      context: ../../../services/$app_id
    environment:
      APP_PORT: "$app_port"
      DAPR_HTTP_ENDPOINT: http://$app_id-dapr:$http_port
      DAPR_GRPC_ENDPOINT: http://$app_id-dapr:$grpc_port
$environment\
    secrets:
      - source: tokens-$app_id
        target: tokens
    ports: ["127.0.0.1:$app_port:$app_port"]
    networks: [$app_id]

""")

SIDECAR = Template("""\
  $app_id-dapr:
    extends:
      file: ../common.yaml
      service: sidecar
    command:
      - --app-id=$app_id
      - --app-channel-address=$app_id
      - --app-port=$app_port
      - --dapr-http-port=$http_port
      - --dapr-grpc-port=$grpc_port
      - --metrics-port=$metrics_port
    healthcheck:
      test: [CMD, python3, -IS, /opt/probe.py, /v1.0/healthz, "$http_port"]
    secrets:
      - source: tokens-$app_id
        target: tokens
      - source: identity-$app_id
        target: /etc/dapr/identity
    volumes: ["$app_id-data:/data"]
    networks: [$app_id]
    # Stopped before its service, which then gets nothing more; it waits for the port by itself.
    depends_on:
      $app_id:
        condition: service_started

secrets:
  tokens-$app_id:
    file: ../../../.secrets/tokens-$app_id
  identity-$app_id:
    file: ../../../.secrets/identity-$app_id

volumes:
  $app_id-data:

networks:
  $app_id:
""")


def derive(root: Path, file: DaprFile, members: Sequence[Member]) -> Iterator[Derived]:
    """Nothing for a workspace that does without Compose."""
    main = root / COMPOSE / "compose.yaml"
    if not main.exists():
        return
    try:
        project = str(yamlfile.documents(main)[0]["name"])
    except (LookupError, TypeError) as error:
        raise StackError(f"{main} does not name its project. Add `name: ...` there.") from error
    included = [f"  - services/{member.app_id}.yaml\n" for member in members]
    content = "".join([head(INSTEAD), "include:\n", *included])
    yield Derived(root / COMPOSE / "services.yaml", content, INSTEAD)
    for member in members:
        content = head(INSTEAD) + _service(member, project, file.env)
        yield Derived(root / FOLDER / f"{member.app_id}.yaml", content, INSTEAD)


def _service(member: Member, project: str, common: dict[str, str]) -> str:
    app = member.app
    values = {
        "app_id": app.app_id,
        "project": project,
        "app_port": app.app_port,
        "http_port": app.http_port,
        "grpc_port": app.grpc_port,
        "metrics_port": app.metrics_port,
        "package": f"        PACKAGE: {app.package}\n" if app.package != app.app_id else "",
        "environment": "".join(
            # Compose would replace a dollar sign.
            f"      {plain(name)}: {quoted(value.replace('$', '$$'))}\n"
            for name, value in (common | app.env).items()
        ),
    }
    service = SERVICE if member.file is None else FOREIGN
    return service.substitute(values) + SIDECAR.substitute(values)
