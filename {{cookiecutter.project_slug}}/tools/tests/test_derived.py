"""What is derived: files of each member, and nothing that is the user's."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from workspace.daprfile import DaprFile
from workspace.derived import access, catalog, files, keda, scopes
from workspace.derived.files import DerivedFiles
from workspace.errors import StackError
from workspace.memberfile import MemberFile
from workspace.members import Member, _require_replies

RUN_FILE = """\
common:
  resourcesPaths: [components]
  placementHostAddress: 127.0.0.1:50005
  schedulerHostAddress: 127.0.0.1:50006
  env: {UVICORN_HTTP: h11, JSON: '{"a": [1} #'}
apps:
- appID: bank
  appPort: 8001
  daprHTTPPort: 3501
  daprGRPCPort: 3601
  metricsPort: 9101
  env: {PRICE: "$5 'a #1: b'", "A ] B": x}
- appID: loyalty-points
  appPort: 8002
  daprHTTPPort: 3502
  daprGRPCPort: 3602
  metricsPort: 9102
"""
PUBSUB = f"""\
# Of the user.
kind: Component
spec:
  metadata:
    - name: host
      value: mine
    {scopes.MARKER}
"""
ACCESS = f"""\
spec:
  accessControl:
    trustDomain: ours
{access.MARKER}
    policies: []
"""
CATALOG = f"""\
kind: System
metadata:
  name: points
spec:
  owner: "team: a"
{catalog.MARKER}
"""
TOPICS = {
    "bank": (["money-paid", "bank-dead-letters"], ["give-points", "bank-dead-letters"]),
    "loyalty-points": (["give-points"], ["points-given"]),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace before its first `derive`."""
    for name, content in {
        "dapr.yaml": RUN_FILE,
        "components/pubsub/redis/pubsub.yaml": PUBSUB,
        "components/state/sqlite/statestore.yaml": f"kind: Component\n{scopes.MARKER}\n",
        access.FILE: ACCESS,
        catalog.FILE: CATALOG,
        "deploy/compose/compose.yaml": "name: shop\n",
        "deploy/kubernetes/base/kustomization.yaml": "kind: Kustomization\n",
        "deploy/kubernetes/keda/redis/kustomization.yaml": "kind: Component\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def members(root: Path) -> list[Member]:
    return [
        Member(
            app=app,
            subscribes=frozenset(TOPICS[name][0]),
            publishes=frozenset(TOPICS[name][1]),
            takes=frozenset(),
            replies=frozenset(),
            invokes=name == "bank",
        )
        for name, app in DaprFile(root / "dapr.yaml").apps.items()
    ]


def derived(root: Path, of: Sequence[Member] | None = None) -> DerivedFiles:
    return files.of(root, DaprFile(root / "dapr.yaml"), members(root) if of is None else of)


def read(root: Path, name: str) -> Any:
    return yaml.safe_load((root / name).read_text())


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*.yaml")}


def test_what_was_derived_is_not_derived_again(root: Path) -> None:
    assert derived(root).write() != []
    assert derived(root).write() == derived(root).check() == []


def test_every_derived_file_says_where_to_change_it_instead(root: Path) -> None:
    before = names(root)
    derived(root).write()
    made = names(root) - before
    assert made
    for name in made:
        first = (root / name).read_text().partition("\n")[0]
        assert first.startswith("# Derived from dapr.yaml by `workspace derive`: change "), name
        assert first.endswith(" instead."), name


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("deploy/compose/services/bank.yaml", "change dapr.yaml or compose.override.yaml instead"),
        ("deploy/compose/services.yaml", "compose.override.yaml"),
        ("deploy/kubernetes/base/services/bank/service.yaml", "or an overlay instead"),
        ("deploy/kubernetes/base/services/kustomization.yaml", "or an overlay instead"),
        ("deploy/kubernetes/keda/redis/scaling.yaml", "the code or kustomization.yaml"),
        ("components/pubsub/redis/pubsub.yaml", "above the marker"),
        (access.FILE, "above the marker"),
        (catalog.FILE, "above the marker"),
    ],
)
def test_a_change_by_hand_is_found_and_undone(root: Path, name: str, instead: str) -> None:
    derived(root).write()
    content = (root / name).read_text()
    (root / name).write_text(content + "changed: true\n")
    (line,) = derived(root).check()
    assert line.startswith(f"{name} is not what dapr.yaml and the code say")
    assert instead in line
    assert derived(root).write() == [f"{name}: written"]
    assert (root / name).read_text() == content


def test_what_stands_above_a_marker_stays(root: Path) -> None:
    derived(root).write()
    pubsub = root / "components/pubsub/redis/pubsub.yaml"
    assert pubsub.read_text().startswith(PUBSUB)
    assert read(root, "components/pubsub/redis/pubsub.yaml")["scopes"] == ["bank", "loyalty-points"]
    assert (root / access.FILE).read_text().startswith(ACCESS.partition("    policies")[0])


@pytest.mark.parametrize(
    ("name", "marker"),
    [
        ("components/pubsub/redis/pubsub.yaml", scopes.MARKER),
        ("components/state/sqlite/statestore.yaml", scopes.MARKER),
        (access.FILE, access.MARKER),
        (catalog.FILE, catalog.MARKER),
    ],
)
def test_a_derived_part_without_its_marker_is_not_derived_a_second_time(
    root: Path, name: str, marker: str
) -> None:
    derived(root).write()
    content = (root / name).read_text()
    (root / name).write_text(content.replace(f"{marker}\n", ""))
    with pytest.raises(StackError, match="is derived, and may only stand below the line"):
        derived(root)


def test_what_is_broken_below_a_marker_is_derived_again(root: Path) -> None:
    derived(root).write()
    content = (root / access.FILE).read_text()
    (root / access.FILE).write_text(f"{content}<<<<<<< HEAD\n  x: [\n")
    assert derived(root).write() == [f"{access.FILE}: written"]
    assert (root / access.FILE).read_text() == content


def test_a_component_whose_last_line_has_no_end_keeps_it(root: Path) -> None:
    file = root / "components/state/sqlite/statestore.yaml"
    file.write_text("kind: Component")
    derived(root).write()
    assert read(root, "components/state/sqlite/statestore.yaml")["kind"] == "Component"


def test_a_file_is_replaced_as_a_whole(root: Path) -> None:
    pubsub, before = root / "components/pubsub/redis/pubsub.yaml", root / "before"
    before.hardlink_to(pubsub)
    derived(root).write()
    assert before.read_text() == PUBSUB
    assert list(root.rglob("*.new")) == []


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (access.FILE, "spec: {}\n", "has no spec.accessControl"),
        (access.FILE, "spec: [\n", "cannot be read as YAML"),
        (catalog.FILE, "kind: System\n", "has no metadata.name and spec.owner"),
        (catalog.FILE, "", "has no metadata.name and spec.owner"),
        ("deploy/compose/compose.yaml", "services: {}\n", "does not name its project"),
        ("deploy/compose/compose.yaml", "", "does not name its project"),
    ],
)
def test_a_file_of_theirs_that_lacks_what_is_needed_is_named(
    root: Path, name: str, content: str, why: str
) -> None:
    (root / name).write_text(content)
    with pytest.raises(StackError, match=f"{name}.*{why}"):
        derived(root)


def test_the_files_of_a_service_that_went_are_removed(root: Path) -> None:
    derived(root).write()
    mine = root / "deploy/compose/services/mine.yaml"
    mine.write_text("services: {}\n")
    (bank, _) = members(root)
    assert any("is of no service" in line for line in derived(root, of=[bank]).check())
    derived(root, of=[bank]).write()
    assert not (root / "deploy/compose/services/loyalty-points.yaml").exists()
    assert not (root / "deploy/kubernetes/base/services/loyalty-points").exists()
    assert mine.exists()
    assert read(root, "deploy/compose/services.yaml")["include"] == ["services/bank.yaml"]


def test_a_container_has_the_ports_and_the_environment_of_dapr_yaml(root: Path) -> None:
    derived(root).write()
    services = read(root, "deploy/compose/services/bank.yaml")["services"]
    assert services["bank"]["environment"] == {
        "UVICORN_PORT": "8001",
        "DAPR_RUNTIME_HOST": "bank-dapr",
        "DAPR_HTTP_PORT": "3501",
        "DAPR_GRPC_PORT": "3601",
        "UVICORN_HTTP": "h11",
        # Compose makes one dollar sign of two.
        "PRICE": "$$5 'a #1: b'",
        "A ] B": "x",
        "JSON": '{"a": [1} #',
    }
    assert services["bank"]["image"] == "${IMAGES:-shop}/bank:${TAG:-latest}"
    assert "--metrics-port=9101" in services["bank-dapr"]["command"]


def test_a_container_is_built_of_the_package_that_has_another_name(root: Path) -> None:
    derived(root).write()
    services = read(root, "deploy/compose/services/loyalty-points.yaml")["services"]
    assert services["loyalty-points"]["build"]["args"] == {
        "SERVICE": "loyalty-points",
        "PACKAGE": "loyalty_points",
    }


def test_a_pod_has_the_port_and_the_environment_of_dapr_yaml(root: Path) -> None:
    derived(root).write()
    folder = "deploy/kubernetes/base/services"
    (port,) = read(root, f"{folder}/bank/service.yaml")["spec"]["ports"]
    assert port["port"] == 8001
    (patch,) = read(root, f"{folder}/bank/kustomization.yaml")["patches"]
    variable, odd = yaml.safe_load(patch["patch"])
    assert odd["value"] == {"name": "A ] B", "value": "x"}
    assert variable["value"] == {"name": "PRICE", "value": "$5 'a #1: b'"}
    (common,) = read(root, f"{folder}/kustomization.yaml")["configMapGenerator"]
    literals = ["UVICORN_HTTP=h11", 'JSON={"a": [1} #']
    assert common == {"name": "environment", "literals": literals}


def test_who_hosts_workflows_may_invoke_commands_and_nobody_else(root: Path) -> None:
    derived(root).write()
    (policy,) = read(root, access.FILE)["spec"]["accessControl"]["policies"]
    assert (policy["appId"], policy["trustDomain"]) == ("bank", "ours")
    derived(root, of=members(root)[1:]).write()
    (policy,) = read(root, access.FILE)["spec"]["accessControl"]["policies"]
    assert (policy["appId"], policy["defaultAction"], "operations" in policy) == (
        "nobody",
        "deny",
        False,
    )


@pytest.mark.parametrize(
    ("broker", "key", "waiting"),
    [
        ("redis", "stream", ["money-paid"]),
        ("rabbitmq", "queueName", ["bank-money-paid"]),
        ("kafka", "consumerGroup", ["bank"]),
        ("snssqs", "queueURL", ["bank"]),
    ],
)
def test_a_service_is_scaled_by_its_topics_less_dead_letters(
    root: Path, broker: str, key: str, waiting: list[str]
) -> None:
    (root / keda.KEDA / broker).mkdir(exist_ok=True)
    derived(root).write()
    content = (root / keda.KEDA / broker / "scaling.yaml").read_text()
    bank, points = yaml.safe_load_all(content)
    assert bank["spec"]["scaleTargetRef"] == {"name": "bank"}
    assert [each["metadata"][key] for each in bank["spec"]["triggers"]] == waiting
    assert points["spec"]["triggers"]


def test_each_service_is_a_component_of_the_system_and_of_its_owner(root: Path) -> None:
    derived(root).write()
    system, *components = yaml.safe_load_all((root / catalog.FILE).read_text())
    assert [each["metadata"] for each in components] == [
        {"name": "points-bank", "title": "bank"},
        {"name": "points-loyalty-points", "title": "loyalty-points"},
    ]
    assert {each["spec"]["system"] for each in components} == {system["metadata"]["name"]}
    assert {each["spec"]["owner"] for each in components} == {"team: a"}


def test_a_workspace_without_deployments_has_only_scopes_derived(root: Path) -> None:
    (root / "deploy/compose/compose.yaml").unlink()
    (root / "deploy").rename(root / "gone")
    (root / catalog.FILE).unlink()
    made = {file.path.name for file in derived(root).files}
    assert made == {"pubsub.yaml", "statestore.yaml", "access-control.yaml"}


def test_a_component_file_has_one_document(root: Path) -> None:
    file = root / "components" / "state" / "sqlite" / "statestore.yaml"
    file.write_text(f"kind: Component\n---\nkind: Component\n{scopes.MARKER}\n")
    with pytest.raises(StackError) as refusal:
        derived(root)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{file} holds more than one YAML document")


def test_a_component_may_end_in_yml(root: Path) -> None:
    file = root / "components" / "state" / "sqlite" / "cache.yml"
    file.write_text(f"kind: Component\n{scopes.MARKER}\n")
    derived(root).write()
    assert yaml.safe_load(file.read_text())["scopes"] == ["bank", "loyalty-points"]


@pytest.mark.parametrize("replies", [frozenset(), frozenset({"money-paid-replies"})])
def test_who_sends_commands_in_another_language_reads_replies(
    root: Path, replies: frozenset[str]
) -> None:
    bank, points = members(root)
    bank = replace(bank, file=MemberFile(), replies=replies)
    points = replace(points, takes=frozenset({"give-points"}))
    if replies:
        _require_replies(bank, [bank, points])
        return
    with pytest.raises(StackError) as refusal:
        _require_replies(bank, [bank, points])
    (line,) = str(refusal.value).splitlines()
    assert line.startswith("services/bank/member.toml publishes give-points, a command, and ")
