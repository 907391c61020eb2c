"""What dapr.yaml names is looked at before anything starts."""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from workspace import envfile, profiles
from workspace.daprfile import RUN_FILE, DaprFile
from workspace.errors import StackError
from workspace.profiles import COMPONENTS, Profile


def naming(resource: str, folder: Path) -> DaprFile:
    """dapr.yaml, with this folder beside the others."""
    text = RUN_FILE.read_text()
    file = folder / "dapr.yaml"
    file.write_text(text.replace("    - components\n", f"    - components\n    - {resource}\n", 1))
    return DaprFile(file)


@pytest.mark.parametrize(
    ("named", "above"),
    [
        ("components/pubsub/kafak", "components/pubsub"),
        ("components/state/oracle", "components/state"),
        ("components/pubsubs/kafka", "components"),
    ],
)
def test_a_profile_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, named: str, above: str
) -> None:
    file = naming(named, tmp_path)
    with pytest.raises(StackError) as refusal:
        profiles.in_use(file)
    (line,) = str(refusal.value).splitlines()
    folder = COMPONENTS.parent / above
    known = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    assert f"dapr.yaml names {named}" in line
    assert line.endswith(f"in {above} there are {known}")


def test_the_file_and_the_line_of_a_component_that_is_no_yaml_are_named(tmp_path: Path) -> None:
    component = tmp_path / "pubsub.yaml"
    component.write_text("apiVersion: dapr.io/v1alpha1\nkind: Component\n  metadata:\n")
    file = naming(str(tmp_path), tmp_path)
    with pytest.raises(StackError) as refusal:
        profiles.require_readable(file)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{component}:3 cannot be read as YAML: ")


def test_the_components_there_are_can_be_read() -> None:
    profiles.require_readable(DaprFile())


def component(prefix: str) -> dict[str, Any]:
    entry = {"name": "tablePrefix", "value": prefix}
    spec = {"type": "state.postgresql", "metadata": [entry]}
    return {"kind": "Component", "metadata": {"name": "statestore"}, "spec": spec}


def test_no_table_of_postgresql_is_named_after_an_app_with_a_hyphen() -> None:
    with pytest.raises(StackError) as refusal:
        profiles.require_tables([component("{appID}_")], ["ledger", "fraud-check"])
    (line,) = str(refusal.value).splitlines()
    assert line.startswith("statestore (state.postgresql): tablePrefix would name tables after ")
    assert "fraud-check" in line


@pytest.mark.parametrize(
    ("prefix", "app_id"), [("{appID}_", "fraudcheck"), ("shop_", "fraud-check")]
)
def test_other_tables_of_postgresql_are_taken_as_they_are(prefix: str, app_id: str) -> None:
    profiles.require_tables([component(prefix), None, {"kind": "Configuration"}], [app_id])


def test_the_profile_of_postgresql_is_refused_for_an_app_with_a_hyphen(tmp_path: Path) -> None:
    file = tmp_path / "dapr.yaml"
    apps = "apps:\n  - {appID: fraud-check, appPort: 8099, daprHTTPPort: 3599, "
    apps += "daprGRPCPort: 3699, metricsPort: 9199}\n"
    text = RUN_FILE.read_text().replace("state/sqlite", "state/postgresql")
    file.write_text(text.partition("apps:")[0] + apps)
    with pytest.raises(StackError, match="would name tables after fraud-check"):
        profiles.in_use(DaprFile(file))


DEVELOPMENT = sorted(COMPONENTS.glob("*/*/development.env"))


@pytest.mark.parametrize("file", DEVELOPMENT, ids=lambda file: file.parent.name)
def test_a_shell_that_sources_a_profile_gets_what_make_up_gives(file: Path) -> None:
    given = Profile(file.parent.parent.name, file.parent.name).environment
    shell = ["env", "-i", "bash", "-c", 'set -a; source "$0"; env -0', str(file)]
    sourced = subprocess.run(shell, check=True, capture_output=True, text=True).stdout
    found = dict(line.split("=", 1) for line in sourced.strip("\0").split("\0"))
    assert given.items() <= found.items()


def test_a_value_with_spaces_and_no_quotes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "development.env"
    file.write_text("# A store.\nPOSTGRES_URL=host=127.0.0.1 port=5432\n")
    with pytest.raises(StackError, match=r"development\.env:2 is not NAME=value"):
        envfile.read(file)


def test_every_server_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RABBITMQ_URL", f"amqp://guest:guest@127.0.0.1:{port}")
    monkeypatch.setenv("POSTGRES_URL", f"host=127.0.0.1 port={port} user=postgres")
    with pytest.raises(StackError) as refusal:
        profiles.require_servers([Profile("pubsub", "rabbitmq"), Profile("state", "postgresql")])
    message = str(refusal.value)
    assert f"pubsub rabbitmq: nothing answers at 127.0.0.1:{port}." in message
    assert f"state postgresql: nothing answers at 127.0.0.1:{port}." in message
    assert message.count("Start one: docker run") == 2
