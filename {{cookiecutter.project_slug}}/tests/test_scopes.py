"""Each service may use just its own topics, with every broker: the files say what the code does."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from chassis import Service, topic_of
from contracts import OrderPlaced
from devstack.daprfile import ROOT, DaprFile
from orders.process import PARTICIPANTS
from orders.settings import settings as orders
from orders.steps import End

BROKERS = sorted((ROOT / "components/pubsub").glob("*/pubsub.yaml"))
STORES = sorted((ROOT / "components/state").glob("*/statestore.yaml"))
APPS = tuple(DaprFile().apps)

Topics = Mapping[str, frozenset[str]]


def service_of(app_id: str) -> Service:
    service: Service = import_module(f"{app_id.replace('-', '_')}.main").service
    return service


def heard() -> Topics:
    return {app_id: service_of(app_id).subscriptions.heard for app_id in APPS}


def told() -> Topics:
    by_handlers = {app_id: service_of(app_id).subscriptions.told for app_id in APPS}
    # What no handler of an event returns: what orders begins and ends, asks for, and is replied.
    asked = {topic_of(command) for command in PARTICIPANTS}
    ends = {topic_of(OrderPlaced), *(topic_of(end) for end in End.__args__)}
    by_workflows = {"orders": asked | ends}
    by_workflows |= {participant: {orders.replies_topic} for participant in PARTICIPANTS.values()}
    return {app_id: by_handlers[app_id] | by_workflows.get(app_id, set()) for app_id in APPS}


def metadata(component: Path) -> dict[str, str]:
    entries = yaml.safe_load(component.read_text())["spec"]["metadata"]
    return {entry["name"]: "".join(str(entry.get("value", "")).split()) for entry in entries}


def as_written(topics: Topics) -> str:
    return ";".join(f"{app_id}={','.join(sorted(topics[app_id]))}" for app_id in sorted(topics))


def as_read(scopes: str) -> Topics:
    apps: Iterable[list[str]] = (app.split("=") for app in scopes.split(";") if app)
    return {app_id: frozenset(topics.split(",")) for app_id, topics in apps}


@pytest.mark.parametrize("broker", BROKERS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize(
    ("scopes", "topics"), [("subscriptionScopes", heard()), ("publishingScopes", told())]
)
def test_a_service_hears_and_tells_just_its_own_topics(
    broker: Path, scopes: str, topics: Topics
) -> None:
    written = as_read(metadata(broker)[scopes])
    assert written == topics, f"{broker}: {scopes} must be: {as_written(topics)}"


@pytest.mark.parametrize("broker", BROKERS, ids=lambda path: path.parent.name)
def test_every_topic_is_protected(broker: Path) -> None:
    sides = (heard(), told())
    everything = sorted({topic for side in sides for each in side.values() for topic in each})
    protected = metadata(broker)["protectedTopics"].split(",")
    assert protected == everything, f"{broker}: protectedTopics must be: {','.join(everything)}"


@pytest.mark.parametrize("component", [*BROKERS, *STORES], ids=lambda path: path.parent.name)
def test_only_the_services_of_this_workspace_may_use_broker_and_store(component: Path) -> None:
    assert sorted(yaml.safe_load(component.read_text())["scopes"]) == sorted(APPS)
