"""With KEDA, every service is scaled by what waits for it, and by nothing else."""

import pytest

from tests.deploy.overlay import KUBERNETES, Overlay, with_options
from workspace.daprfile import DaprFile

KEDA = KUBERNETES / "keda"
BROKERS = sorted(path.name for path in KEDA.iterdir())


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def option(tmp_path_factory: pytest.TempPathFactory, broker: str) -> Overlay:
    place = tmp_path_factory.mktemp(broker)
    return with_options(place, KUBERNETES / "brokers" / broker, KEDA / broker)


def test_keda_takes_the_place_of_the_autoscalers(option: Overlay) -> None:
    assert not option.of("HorizontalPodAutoscaler")
    assert set(option.of("ScaledObject")) == set(DaprFile().apps)
