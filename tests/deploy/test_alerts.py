"""Every alert is PromQL, and asks for metrics that there are."""

import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml

from tests.components.upstream import module
from tests.template.rendering import WORKSPACE

#: The name of a series, of one that is counted in buckets included.
NAME = re.compile(r"\b([a-z_]+?)(?:_bucket)?(?=[{\[])")


#: Of redis_exporter and of the kubelet, as their own documentation lists them.
OF_OTHERS = {
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}


@pytest.fixture(scope="module")
def expressions() -> list[str]:
    file = WORKSPACE / "deploy/kubernetes/monitoring/alerts.yaml"
    (rule,) = yaml.safe_load_all(file.read_text())
    return [each["expr"] for group in rule["spec"]["groups"] for each in group["rules"]]


@pytest.fixture(scope="module")
def known() -> set[str]:
    return {*of_a_sidecar(), *of_a_service(), *OF_OTHERS}


def of_a_sidecar() -> Iterator[str]:
    """As the exporter of daprd names what its source measures."""
    dapr = module("github.com/dapr/dapr")
    for file in (dapr / "pkg/diagnostics").glob("*_monitoring.go"):
        for measure in re.findall(r'stats\.(?:Int64|Float64)\(\s*"(.+?)"', file.read_text()):
            yield "dapr_" + re.sub(r"\W", "_", measure)


def of_a_service() -> Iterator[str]:
    text = (WORKSPACE / "libs/chassis/src/chassis/metrics.py").read_text()
    for counter in re.findall(r'Counter\("(\w+)"', text):
        yield f"{counter}_total"
    yield from re.findall(r'Gauge\(\s*"(\w+)"', text)


def test_every_expression_is_promql(expressions: list[str]) -> None:
    assert expressions
    for expression in expressions:
        promql_parser.parse(expression)


def test_every_metric_of_an_alert_is_there(expressions: list[str], known: set[str]) -> None:
    for expression in expressions:
        asked = set(NAME.findall(expression))
        assert asked, expression
        assert asked <= known, asked - known


def test_a_metric_that_is_not_there_is_found(known: set[str]) -> None:
    assert not set(NAME.findall("rate(messages_lost_total[5m])")) <= known
